/* The real command runs, and the caller cannot tell (docs/adr/0009). */
#ifndef CMOX_SHIM_PASSTHROUGH_H
#define CMOX_SHIM_PASSTHROUGH_H

#include "shim/call.h"

/* Ends as the command does; with 124 when it took too long, 126 or 127 when it cannot be run. */
_Noreturn void cmox_pass_through(cmox_call_t *call, const cmox_action_t *action,
                                 const char *command, char **argv);

#endif
