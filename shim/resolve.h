/* Which program is the real command, and what it finds in its environment. */
#ifndef CMOX_SHIM_RESOLVE_H
#define CMOX_SHIM_RESOLVE_H

#include "shim/message.h"

typedef struct cmox_resolved {
  const char *path;
  int status;      /* 0: it may be run; else what a shell would exit with, or 125 */
  const char *why; /* then */
} cmox_resolved_t;

/* The action's program, else the command on its search path, as a shell looks for it. Never this
 * launcher. What it gives stays valid. */
cmox_resolved_t cmox_resolve(const cmox_action_t *action, const char *command);

/* The environment with the action's changes. Dies when memory is out. */
char **cmox_overlay(char **environment, const cmox_action_t *action);

#endif
