/* What this process has one of: the list of its living sessions, and the lock of such things. */
#ifndef CMOX_CLIENT_LIVING_H
#define CMOX_CLIENT_LIVING_H

#include <cmdmox/cmdmox.h>

/* The lock of the process; held across fork(), so that a child finds it free. The innermost one:
 * whoever holds it waits for nothing. */
void cmox_process_hold(void);
void cmox_process_release(void);

/* From the one to the other the session is settled when the process exits. */
void cmox_living_add(cmox_t *mox);
void cmox_living_remove(cmox_t *mox); /* again is fine; waits for nobody who settles it */

/* Keeps that a session ended unverified, unless another is kept; text is what there is to say. */
void cmox_forgotten_keep(const char *place, const char *text);

#endif
