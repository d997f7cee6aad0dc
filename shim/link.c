/* Moves frames. Receiving:
 *   1. a complete frame at the front of what has come is handed out as a view;
 *   2. else more is read, into a buffer that doubles when it is full, so that a declared length
 *      alone costs nothing;
 *   3. a whole frame restarts the deadline of silence, a byte does not.
 * Failures: the server is not there, closes (also in mid-frame), says nothing until the deadline,
 * sends a length that is malformed or above the cap, or memory runs out. */
#include "shim/link.h"

#include "proto/framing.h"
#include "proto/limits.h"
#include "shim/clock.h"
#include "shim/say.h"

/* The common answer fits the static part. */
static uint8_t first_buffer[1 << 10];

_Noreturn static void die_of(const char *step, int error) {
  cmox_say(step);
  cmox_say(": ");
  cmox_die(cmox_os_error_text(error));
}

cmox_link_result_t cmox_link_connect(cmox_link_t *link, const char *path, uint32_t silence_ms,
                                     uint64_t deadline) {
  int error = 0;
  *link = (cmox_link_t){.silence_ms = silence_ms,
                        .in = {.data = first_buffer, .capacity = sizeof first_buffer}};
  switch (cmox_os_connect(path, deadline, &link->socket, &error)) {
    case CMOX_OS_DONE:
      return CMOX_LINK_OK;
    case CMOX_OS_CLOSED:
      link->socket = -1;
      return CMOX_LINK_CLOSED;
    case CMOX_OS_LATE:
      link->socket = -1;
      return CMOX_LINK_SILENT;
    case CMOX_OS_ABSENT:
      cmox_say("the session is over or was never started: ");
      break;
    default:
      break;
  }
  cmox_say("connect ");
  die_of(path, error);
}

void cmox_link_drop(cmox_link_t *link) {
  if (link->socket >= 0) cmox_os_close(link->socket);
  if (link->in.mapped) cmox_os_unmap(link->in.data, link->in.capacity);
}

/* Reads once. */
static cmox_os_io_t take_in(cmox_link_t *link) {
  size_t moved = 0;
  int error = 0;
  cmox_bytes_consume(&link->in, link->begin);
  link->begin = 0;
  if (link->in.len == link->in.capacity && !cmox_bytes_reserve(&link->in, 1))
    cmox_die("out of memory for the server's answer");
  const cmox_os_io_t outcome = cmox_os_receive(link->socket, link->in.data + link->in.len,
                                               link->in.capacity - link->in.len, &moved, &error);
  link->in.len += moved;
  if (outcome == CMOX_OS_FAILED) die_of("receive", error);
  return outcome;
}

static unsigned wait_for(const cmox_link_t *link, unsigned wanted, uint64_t deadline) {
  const unsigned ready = cmox_os_wait(link->socket, wanted, deadline);
  if (ready & CMOX_OS_ERROR) cmox_die("cannot wait for the server");
  return ready;
}

cmox_link_result_t cmox_link_send(cmox_link_t *link, cmox_view_t data) {
  uint64_t deadline = 0; /* 0: the clock has not been asked since the last progress */
  while (data.len > 0) {
    size_t moved = 0;
    int error = 0;
    const cmox_os_io_t outcome = cmox_os_send(link->socket, data.data, data.len, &moved, &error);
    if (outcome == CMOX_OS_CLOSED) return CMOX_LINK_CLOSED;
    if (outcome == CMOX_OS_FAILED) die_of("send", error);
    data.data += moved;
    data.len -= moved;
    if (moved > 0) deadline = 0;
    if (outcome != CMOX_OS_AGAIN) continue;
    if (deadline == 0) deadline = cmox_clock_deadline(link->silence_ms);
    if (cmox_clock_passed(deadline)) return CMOX_LINK_SILENT;

    /* A server that talks without listening is read up to one frame, then ignored. */
    const bool room = link->in.len < CMOX_FRAME_MAX_DEFAULT;
    const unsigned wanted = room ? CMOX_OS_READ | CMOX_OS_WRITE : CMOX_OS_WRITE;
    const unsigned ready = wait_for(link, wanted, deadline);
    if (ready == 0) return CMOX_LINK_SILENT;
    if ((ready & CMOX_OS_READ) && take_in(link) == CMOX_OS_CLOSED) return CMOX_LINK_CLOSED;
  }
  return CMOX_LINK_OK;
}

void cmox_link_send_best_effort(cmox_link_t *link, cmox_view_t data) {
  size_t moved;
  int error;
  cmox_os_send(link->socket, data.data, data.len, &moved, &error);
}

static bool next_frame(cmox_link_t *link, cmox_view_t *body) {
  size_t prefix_len = 0;
  uint32_t body_len = 0;
  link->begin += link->frame_len;
  link->frame_len = 0;
  const uint8_t *data = link->in.data + link->begin;
  const size_t len = link->in.len - link->begin;
  switch (cmox_prefix_read(data, len, CMOX_FRAME_MAX_DEFAULT, &prefix_len, &body_len)) {
    case CMOX_PREFIX_MORE:
      return false;
    case CMOX_PREFIX_MALFORMED:
      cmox_die("the server does not speak this protocol: malformed frame");
    case CMOX_PREFIX_TOO_LARGE:
      cmox_die("the server announces a frame that is too large");
    case CMOX_PREFIX_OK:
      break;
  }
  if (len - prefix_len < body_len) return false;
  *body = (cmox_view_t){data + prefix_len, body_len};
  link->frame_len = prefix_len + body_len;
  return true;
}

cmox_link_result_t cmox_link_receive(cmox_link_t *link, cmox_view_t *body) {
  if (next_frame(link, body)) return CMOX_LINK_OK;
  const uint64_t deadline = cmox_clock_deadline(link->silence_ms);
  for (;;) {
    if (wait_for(link, CMOX_OS_READ, deadline) == 0) return CMOX_LINK_SILENT;
    if (take_in(link) == CMOX_OS_CLOSED) return CMOX_LINK_CLOSED;
    if (next_frame(link, body)) return CMOX_LINK_OK;
    /* What had come while this process was stopped still counts; a trickle of bytes does not. */
    if (cmox_clock_passed(deadline)) return CMOX_LINK_SILENT;
  }
}

bool cmox_link_poll(cmox_link_t *link, cmox_view_t *body, cmox_link_result_t *result) {
  *result = CMOX_LINK_OK;
  if (next_frame(link, body)) return true;
  if (take_in(link) == CMOX_OS_CLOSED) *result = CMOX_LINK_CLOSED;
  return *result == CMOX_LINK_OK && next_frame(link, body);
}
