/* libuv aborts when a handle of its own lands on descriptor 0, 1 or 2, which
 * happens in a process that was started with one of them closed. */
#ifndef CMOX_HOST_STREAMS_H
#define CMOX_HOST_STREAMS_H

/* Puts /dev/null, close-on-exec, on those of 0, 1 and 2 that are closed; children still find them
 * closed. Each hold is followed by a release; the last one closes what the first put there, unless
 * somebody else has taken the descriptor since. Any thread. */
void cmox_streams_hold(void);
void cmox_streams_release(void);

#endif
