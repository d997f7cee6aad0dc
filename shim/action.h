/* What the server may tell the launcher to do. */
#ifndef CMOX_SHIM_ACTION_H
#define CMOX_SHIM_ACTION_H

#include "shim/call.h"

/* Writes the answer and ends as told: exit status, death by signal, or hanging until killed. */
_Noreturn void cmox_reply(cmox_call_t *call, const cmox_action_t *action);

/* Sends stdin up, as far as wanted, and asks for the next action. Of the caller's stdin at most
 * max_bytes are consumed; whether more follows is asked of the system, and only where it
 * cannot tell (a character device) one byte more is read. With drain, max_bytes does not count. */
void cmox_read_stdin(cmox_call_t *call, const cmox_action_t *action);

#endif
