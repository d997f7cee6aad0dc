/* Room in libuv's table of descriptors. */
#ifndef CMOX_HOST_WATCHERS_H
#define CMOX_HOST_WATCHERS_H

#include <uv.h>

/* libuv ends the process when this table cannot grow. Makes it grow now, as far as the descriptor
 * limit (up to 16,384) could ever need it, so that no call of a test does. What stands in the way
 * (no descriptor left) is no failure: it then grows as calls come. Before the loop runs; `handle`
 * must live until the loop has run or is closed, and is closing when this returns. */
void cmox_watchers_reserve(uv_loop_t *loop, uv_poll_t *handle);

#endif
