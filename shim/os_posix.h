/* What the files of the POSIX side share. */
#ifndef CMOX_SHIM_OS_POSIX_H
#define CMOX_SHIM_OS_POSIX_H

#include <stdbool.h>

/* Whether to repeat the call that has just failed: errno says that it was interrupted or has
 * nothing to do yet, and that did not happen too often in a row. The launcher has no
 * signal handler and asks only for what poll has announced, so one that goes on failing so is
 * being lied to, and must end instead of burning a core for ever. */
bool cmox_os_again(void);

/* A caller that closed its stdin, stdout or stderr must not find a descriptor of ours there: moves
 * it; below 0, with errno, when that cannot be. */
int cmox_os_above_streams(int fd);

/* A call got something done: the row is over. */
void cmox_os_progress(void);

#endif
