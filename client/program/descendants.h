/* The processes that a command has started, and those that they have, found in /proc. */
#ifndef CMOX_PROGRAM_DESCENDANTS_H
#define CMOX_PROGRAM_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether processes whose parent has ended become our children from now on; where the system has
 * nothing of the kind they are not found. */
void cmox_gather_orphans(bool gather);

/* When the process, a child of ours, was started: for what follows. 0: it is not known. */
unsigned long long cmox_started(pid_t pid);

/* How many processes live on that descend from us and are no older than `since`: those of before
 * are somebody else's, which an exec left us. daemons: also those in another session (setsid).
 * Each gets the signal and is made to go on, unless it is 0. */
size_t cmox_descendants(unsigned long long since, bool daemons, int signal_number);

#endif
