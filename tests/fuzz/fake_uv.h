/* libuv as far as server/transport and server/rpc use it, without a kernel: connections are
 * buffers, time passes when it is told to. A program that links this has these functions in place
 * of the library's. The order of a turn is libuv's: timers, idle, reads and writes, check, closed
 * handles; callbacks come from a turn only. One loop, one thread. */
#ifndef CMOX_TESTS_FAKE_UV_H
#define CMOX_TESTS_FAKE_UV_H

#include <uv.h>

#include "server/base/span.h"

void fake_uv_start(uv_loop_t *loop);
/* Every handle must be closed; frees what the connections hold. */
void fake_uv_stop(void);

/* A new connection; the number serves as a descriptor for cmox_link_new. */
int fake_uv_connect(void);
bool fake_uv_alive(int fd); /* not closed by our side */

/* The peer's side. What it says is read in the next turns, `chunk` bytes at a time (at least 1). */
void fake_uv_say(int fd, const void *data, size_t len);
void fake_uv_chunk(int fd, size_t chunk);
void fake_uv_hang_up(int fd, int status); /* after that: UV_EOF or an error */
void fake_uv_room(int fd, size_t bytes);  /* takes so many more, then none; SIZE_MAX: all */
void fake_uv_refuse(int fd);              /* it reads no more: writing fails */
cmox_span_t fake_uv_said(int fd);         /* what was read of it so far */
cmox_span_t fake_uv_heard(int fd);        /* what was written to it so far */

void fake_uv_turn(void);
bool fake_uv_quiet(void); /* another turn would do nothing before time passes */
void fake_uv_pass(uint64_t ms);
uint64_t fake_uv_now_ns(void);

#endif
