/* What the files of the POSIX side share. */
#ifndef CMOX_SHIM_OS_POSIX_H
#define CMOX_SHIM_OS_POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* What poll takes for a deadline: rounded to its range, which only means that it is asked again; -1
 * is for ever, below that the system does not tell the time. */
int cmox_os_remaining(uint64_t deadline);

/* Whether the signal was ignored before; below 0, with errno, when that cannot be changed. */
int cmox_os_ignore(int number, bool ignores);

/* SIGPIPE, or SIGXFSZ of a file that is too large, does nothing, until both are as the caller had
 * them again. */
void cmox_os_hold_pipe(void);
void cmox_os_hold_size(void);
void cmox_os_release(void);

/* The child that must not outlive this process is killed. */
void cmox_os_child_kill(void);

/* "SIGTERM", for a signal that ended a child. */
void cmox_os_signal_name(int number, char *out, size_t size);

#endif
