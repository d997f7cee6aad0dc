/* The environment of this process: what a session puts there, what was there
 * before, and copies for code under test that is started with its own. */
#ifndef CMOX_CLIENT_ENVIRONMENT_H
#define CMOX_CLIENT_ENVIRONMENT_H

#include <stddef.h>
#include <sys/types.h>

#include "server/base/error.h"

/* "NAME=value", owned. */
typedef struct cmox_entries {
  char **items;
  size_t count;
} cmox_entries_t;

/* What a variable was before: NAME, and its value or NULL when it was not set. */
typedef struct cmox_saved {
  char *name;
  char *value;
} cmox_saved_t;

/* One application to the process; zero it before use. It must not move while applied. */
typedef struct cmox_applied {
  cmox_saved_t *saved; /* NULL: not applied */
  size_t count;
  pid_t pid;
} cmox_applied_t;

/* Copies one entry; CMOX_E_BAD_PAYLOAD when it is no "NAME=value" or holds a NUL. */
cmox_code_t cmox_entries_add(cmox_entries_t *entries, const void *data, size_t len,
                             cmox_error_t *error);
void cmox_entries_clear(cmox_entries_t *entries);
/* Puts the shims in front of PATH as it is now: the test may have changed it since the session
 * was made. */
cmox_code_t cmox_entries_follow_path(cmox_entries_t *entries, const char *shim_directory,
                                     cmox_error_t *error);

/* Sets every entry in this process, all or nothing; again is fine. `whose` is what others are told
 * ("the session declared at a.c:3"). CMOX_E_ENVIRONMENT_BUSY when another application of this
 * process is in force. */
cmox_code_t cmox_environment_apply(cmox_applied_t *applied, const cmox_entries_t *entries,
                                   const char *whose, cmox_error_t *error);

/* Gives each variable exactly the value it had, whatever it holds by now: the one of getenv(), of
 * several entries of that name. Does nothing when not applied. In a forked child it forgets without
 * a change: there the code under test must go on meeting the shims. */
cmox_code_t cmox_environment_restore(cmox_applied_t *applied, cmox_error_t *error);

/* What the variable is without that application; NULL: not set. Borrowed. */
const char *cmox_environment_before(const cmox_applied_t *applied, const char *name);

/* This process's environment with the entries in place of every entry of the same
 * name: one block, to be freed with cmox_free_block(). NULL when memory is out. */
char **cmox_environment_merge(const cmox_entries_t *entries);

#endif
