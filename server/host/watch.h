/* Whether real programs are opened while a test runs: evidence for its report. Linux only, and only
 * with CMOX_WATCH, since the kernel takes milliseconds to end a watch. */
#ifndef CMOX_HOST_WATCH_H
#define CMOX_HOST_WATCH_H

#include <stdbool.h>

typedef struct cmox_watch cmox_watch_t;

/* NULL where it cannot be known (another system, no descriptor, no memory). */
cmox_watch_t *cmox_watch_new(void);
void cmox_watch_free(cmox_watch_t *watch); /* NULL is fine */

/* From now on. What cannot be watched is not; NULL is fine. */
void cmox_watch_add(cmox_watch_t *watch, const char *file);

/* Whether the file has been opened since, by anybody: its name, valid as long as the watch; NULL
 * where it is not known: it could not be watched, or is another file by now. Reads what the kernel
 * has noted until now. */
const char *cmox_watch_ask(cmox_watch_t *watch, const char *file, bool *opened);

#endif
