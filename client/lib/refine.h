/* What every refinement of a double is made of. */
#ifndef CMOX_CLIENT_REFINE_H
#define CMOX_CLIENT_REFINE_H

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"

cmox_code_t cmox_out_of_memory(cmox_error_t *error);

/* Sends the patch as one UpdateDouble, for a session that is entered. */
cmox_code_t cmox_update(cmox_double_t *dbl, Cmdmox__V1__Double *patch, cmox_error_t *error);

/* A reply as an action, with what that points to. */
typedef struct cmox_reply_action {
  Cmdmox__V1__DoubleAction message;
  Cmdmox__V1__Reply reply;
  Cmdmox__V1__TimedChunk *chunks; /* these two: and a list of pointers to them, in one block */
  Cmdmox__V1__FileEffect *files;
} cmox_reply_action_t;

/* Borrows the bytes of *said. To be cleared also on failure. */
cmox_code_t cmox_reply_action_make(cmox_reply_action_t *action, const cmox_reply_t *said,
                                   cmox_error_t *error);
void cmox_reply_action_clear(cmox_reply_action_t *action);

/* Adds an answer to those of a double, for a session that is entered; and what answers the calls
 * that no double accepts: NULL takes it back. */
cmox_code_t cmox_add_action(cmox_double_t *dbl, Cmdmox__V1__DoubleAction *action,
                            cmox_error_t *error);
cmox_code_t cmox_set_default(cmox_t *mox, Cmdmox__V1__DoubleAction *action, cmox_error_t *error);

/* What a refinement does with its arguments, while the session is entered. */
typedef cmox_code_t (*cmox_refinement_t)(cmox_double_t *dbl, const void *arguments,
                                         cmox_error_t *error);

/* Enters the session, acts, and keeps what was wrong. Returns dbl, or the poison for NULL. */
cmox_double_t *cmox_refine(cmox_double_t *dbl, cmox_location_t where, const char *function,
                           cmox_refinement_t act, const void *arguments);

#endif
