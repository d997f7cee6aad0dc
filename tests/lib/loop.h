/* A loop with the transport on it, and a link that writes down what happened. */
#ifndef CMOX_TESTS_LOOP_H
#define CMOX_TESTS_LOOP_H

#include <check.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/base/buf.h"
#include "server/transport/transport.h"

typedef struct seen {
  cmox_buf_t text; /* the bodies, each followed by '|' */
  unsigned frames;
  unsigned closed;
  cmox_code_t why;
  void (*on_frame)(cmox_link_t *link, cmox_span_t body);
} seen_t;

static inline void seen_frame(cmox_link_t *link, cmox_span_t body) {
  seen_t *seen = cmox_link_user(link);
  seen->frames++;
  if (body.len < 64) {
    cmox_buf_append_span(&seen->text, body);
    cmox_buf_putc(&seen->text, '|');
  }
  if (seen->on_frame) seen->on_frame(link, body);
}

static inline void seen_closed(cmox_link_t *link, cmox_code_t why) {
  seen_t *seen = cmox_link_user(link);
  seen->closed++;
  seen->why = why;
}

static const cmox_link_events_t seen_events = {.frame = seen_frame, .closed = seen_closed};

static inline bool seen_is(const seen_t *seen, const char *text) {
  return cmox_span_equal(cmox_buf_span(&seen->text), cmox_span_str(text));
}

static inline void loop_open(uv_loop_t *loop) {
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL), 0);
  ck_assert_int_eq(uv_loop_init(loop), 0);
  ck_assert_int_eq(cmox_transport_init(loop, NULL), CMOX_OK);
}

/* All links and listeners are closed or closing. */
static inline void loop_close(uv_loop_t *loop) {
  cmox_transport_fini(loop);
  (void)uv_run(loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(uv_loop_close(loop), 0);
}

#define loop_until(loop, condition) \
  while (!(condition)) (void)uv_run((loop), UV_RUN_ONCE)

static inline void loop_passed(void *flag) { *(bool *)flag = true; }

/* Runs the loop until all that was sent has been delivered. */
static inline void loop_settle(uv_loop_t *loop) {
  bool done = false;
  ck_assert_int_eq(cmox_transport_drain(loop, loop_passed, &done), CMOX_OK);
  loop_until(loop, done);
}

static inline size_t put_frame(uint8_t *out, const void *body, size_t len) {
  size_t prefix = cmox_prefix_write(out, (uint32_t)len);
  if (len) memcpy(out + prefix, body, len);
  return prefix + len;
}

static inline void write_all(int fd, const void *data, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t count = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);
    ck_assert_int_gt(count, 0);
    at += (size_t)count;
  }
}

#endif
