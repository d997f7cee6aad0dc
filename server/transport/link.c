/* One link.
 *
 * In:  bytes land in the loop's scratch buffer; whole frames are handed up from
 *      there; only the start of a frame that is not complete is kept. So an idle
 *      link holds no buffer, and memory follows the bytes that came, never the
 *      length that was declared.
 * Out: a frame goes to the kernel at once (uv_try_write). What it does not take
 *      is copied: one buffer in flight, one that collects behind it. Frames sent
 *      while frames are delivered are collected and leave in one write.
 *
 * Failures: a bad prefix, end of file, a read error or no memory end the link; closed() follows
 * from the loop once the handles are closed. A write error only stops writing:
 * what the peer said before it left is still read (loop.c drops the link then). */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/transport/internal.h"

enum { CORKED_MAX = 256 << 10, SLACK_MAX = 64 << 10 };

static uv_stream_t *reader(cmox_link_t *link) { return (uv_stream_t *)&link->pipes[0]; }

static uv_stream_t *writer(const cmox_link_t *link) {
  return (uv_stream_t *)&link->pipes[link->pipe_count - 1];
}

static void on_closed(uv_handle_t *handle) {
  cmox_link_t *link = handle->data;
  if (--link->open_pipes > 0) return;
  cmox_buf_clear(&link->in);
  cmox_buf_clear(&link->out);
  cmox_buf_clear(&link->flight);
  if (link->events) link->events->closed(link, link->why);
  cmox_transport_release(link->transport);
  cmox_free_block(link);
}

static void die(cmox_link_t *link) {
  if (link->dying) return;
  link->dying = link->closing = true;
  cmox_link_queue_drop(link);
  for (unsigned i = 0; i < link->pipe_count; i++) {
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&link->pipes[i], &fd) == 0) cmox_owned_forget(fd);
    uv_close((uv_handle_t *)&link->pipes[i], on_closed);
  }
}

static void shut(cmox_link_t *link, cmox_code_t why) {
  if (link->closing) return;
  link->closing = true;
  link->why = why;
  cmox_link_queue_drop(link);
  (void)uv_read_stop(reader(link));
}

/* ---- Out ---- */

static void stop_writing(cmox_link_t *link) {
  cmox_buf_clear(&link->out);
  link->broken = true;
  if (!link->closing) cmox_transport_bury(link);
}

static void on_write(uv_write_t *write, int status);

static void flush(cmox_link_t *link) {
  if (link->dying || link->broken || link->writing || link->out.len == 0) return;
  uv_buf_t all = uv_buf_init((char *)link->out.data, (unsigned)link->out.len);
  int taken = uv_try_write(writer(link), &all, 1);
  if (taken == UV_EAGAIN) taken = 0;
  if (taken < 0) {
    stop_writing(link);
    return;
  }
  if ((size_t)taken == link->out.len) {
    cmox_buf_clear(&link->out);
    return;
  }
  link->flight = link->out;
  link->out = CMOX_BUF_EMPTY;
  uv_buf_t rest =
      uv_buf_init((char *)link->flight.data + taken, (unsigned)(link->flight.len - (size_t)taken));
  if (uv_write(&link->write, writer(link), &rest, 1, on_write) == 0) {
    link->writing = true;
    return;
  }
  cmox_buf_clear(&link->flight);
  stop_writing(link);
}

/* Goes on with a close once nothing is left to say. */
static void settle(cmox_link_t *link) {
  if (!link->closing || link->dying || link->corked) return;
  if (link->hard || link->broken || (!link->writing && link->out.len == 0)) die(link);
}

/* Whoever waits for room may send now. */
static void tell_drained(cmox_link_t *link) {
  if (link->closing || link->broken || link->writing || link->out.len) return;
  if (link->events && link->events->drained) link->events->drained(link);
}

static void on_write(uv_write_t *write, int status) {
  cmox_link_t *link = write->data;
  link->writing = false;
  cmox_buf_clear(&link->flight);
  if (link->dying) return;
  if (status < 0)
    stop_writing(link);
  else
    flush(link);
  tell_drained(link);
  settle(link);
}

size_t cmox_link_queued(const cmox_link_t *link) {
  return link->out.len + (link->writing ? uv_stream_get_write_queue_size(writer(link)) : 0);
}

/* Offers prefix and body to the kernel; returns how many bytes it took. */
static size_t offer(cmox_link_t *link, uint8_t *prefix, size_t prefix_len, cmox_span_t body) {
  if (link->corked || link->writing || link->out.len) return 0;
  uv_buf_t parts[2] = {
      uv_buf_init((char *)prefix, (unsigned)prefix_len),
      {.base = (char *)(uintptr_t)body.data, .len = body.len},
  };
  int taken = uv_try_write(writer(link), parts, body.len ? 2 : 1);
  if (taken >= 0) return (size_t)taken;
  if (taken != UV_EAGAIN) stop_writing(link);
  return 0;
}

cmox_code_t cmox_link_send(cmox_link_t *link, cmox_span_t body) {
  if (link->closing || link->broken) return CMOX_E_LINK_CLOSED;
  size_t room = CMOX_LINK_QUEUE_MAX - cmox_link_queued(link);
  if (room < CMOX_FRAME_PREFIX_MAX || body.len > room - CMOX_FRAME_PREFIX_MAX) {
    cmox_link_abort(link, CMOX_E_TOO_COMPLEX);
    return CMOX_E_TOO_COMPLEX;
  }
  uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
  size_t prefix_len = cmox_prefix_write(prefix, (uint32_t)body.len);
  size_t taken = offer(link, prefix, prefix_len, body);
  if (link->broken) return CMOX_E_LINK_CLOSED;
  if (taken == prefix_len + body.len) return CMOX_OK;
  size_t in_prefix = taken < prefix_len ? taken : prefix_len;
  size_t in_body = taken - in_prefix;
  if (cmox_buf_reserve(&link->out, prefix_len + body.len - taken)) {
    cmox_buf_append(&link->out, prefix + in_prefix, prefix_len - in_prefix);
    if (body.len > in_body) cmox_buf_append(&link->out, body.data + in_body, body.len - in_body);
  }
  if (link->out.failed) {
    cmox_link_abort(link, CMOX_E_NO_MEMORY);
    return CMOX_E_NO_MEMORY;
  }
  if (!link->corked || link->out.len >= CORKED_MAX) flush(link);
  return link->broken ? CMOX_E_LINK_CLOSED : CMOX_OK;
}

void cmox_link_close(cmox_link_t *link, cmox_code_t why) {
  if (link->closing) return;
  shut(link, why);
  if (!link->corked) flush(link);
  settle(link);
}

void cmox_link_abort(cmox_link_t *link, cmox_code_t why) {
  if (link->dying) return;
  shut(link, why);
  die(link);
}

/* ---- In ---- */

/* The peer broke the rules: what was said before goes out if the kernel takes
 * it now; a peer that does not read cannot hold the link open. */
static void refuse(cmox_link_t *link, cmox_code_t why) {
  shut(link, why);
  link->hard = true;
}

/* Hands up the whole frames at the start of data; returns their bytes. */
static size_t deliver(cmox_link_t *link, cmox_span_t data) {
  size_t at = 0;
  while (!link->closing) {
    size_t prefix_len;
    uint32_t body_len;
    cmox_prefix_result_t prefix =
        cmox_prefix_read(data.data + at, data.len - at, link->max_frame, &prefix_len, &body_len);
    if (prefix == CMOX_PREFIX_MALFORMED) refuse(link, CMOX_E_BAD_FRAME);
    if (prefix == CMOX_PREFIX_TOO_LARGE) refuse(link, CMOX_E_FRAME_TOO_LARGE);
    if (prefix != CMOX_PREFIX_OK || data.len - at - prefix_len < body_len) break;
    link->events->frame(link, cmox_span(data.data + at + prefix_len, body_len));
    at += prefix_len + body_len;
  }
  return at;
}

/* Keeps the start of a frame, in a buffer that is not much larger than it. */
static void keep(cmox_link_t *link, cmox_span_t rest) {
  bool own = link->in.len > 0;
  if (own && rest.len > 0 && link->in.capacity - rest.len <= SLACK_MAX + rest.len) {
    cmox_buf_consume(&link->in, link->in.len - rest.len);
    return;
  }
  cmox_buf_t fresh = CMOX_BUF_EMPTY;
  cmox_buf_append_span(&fresh, rest);
  bool failed = fresh.failed;
  cmox_buf_clear(&link->in);
  link->in = fresh;
  if (failed) refuse(link, CMOX_E_NO_MEMORY);
}

static void on_bytes(cmox_link_t *link, cmox_span_t bytes) {
  cmox_span_t data = bytes;
  if (link->in.len) {
    cmox_buf_append_span(&link->in, bytes);
    if (link->in.failed) {
      refuse(link, CMOX_E_NO_MEMORY);
      return;
    }
    data = cmox_buf_span(&link->in);
  }
  size_t used = deliver(link, data);
  if (!link->closing && (used || !link->in.len))
    keep(link, cmox_span(data.data + used, data.len - used));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  cmox_link_t *link = stream->data;
  if (count == 0 || link->closing) return;
  link->transport->activity++;
  link->corked = true;
  if (count > 0)
    on_bytes(link, cmox_span(buffer->base, (size_t)count));
  else if (count == UV_EOF && link->in.len == 0 && !link->broken)
    shut(link, CMOX_OK);
  else
    shut(link, CMOX_E_LINK_CLOSED);
  link->corked = false;
  flush(link);
  tell_drained(link);
  settle(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  cmox_link_t *link = handle->data;
  *buffer = uv_buf_init((char *)link->transport->scratch, CMOX_SCRATCH_BYTES);
}

/* ---- Life ---- */

static bool pollable(int fd) {
  struct stat info;
  if (fstat(fd, &info) < 0) return false;
  return S_ISSOCK(info.st_mode) || S_ISFIFO(info.st_mode) || (S_ISCHR(info.st_mode) && isatty(fd));
}

static int adopt(cmox_link_t *link, const int *fds) {
  int failure = 0;
  for (unsigned i = 0; i < 2 && i < link->pipe_count; i++) {
    if (!failure) failure = uv_pipe_open(&link->pipes[i], fds[i]);
    if (failure) cmox_owned_close(fds[i]);
  }
  if (!failure) failure = uv_read_start(reader(link), on_alloc, on_read);
  return failure;
}

static cmox_link_t *allocate(cmox_transport_t *transport, unsigned pipes) {
  cmox_link_t *link = cmox_calloc(1, sizeof *link + pipes * sizeof(uv_pipe_t));
  if (!link) return NULL;
  link->transport = transport;
  link->max_frame = CMOX_FRAME_MAX_HELLO;
  link->pipe_count = link->open_pipes = pipes;
  link->write.data = link;
  transport->users++;
  for (unsigned i = 0; i < pipes; i++) {
    (void)uv_pipe_init(transport->loop, &link->pipes[i], 0);
    link->pipes[i].data = link;
  }
  return link;
}

static void close_both(int in, int out) {
  if (in >= 0) cmox_owned_close(in);
  if (out >= 0 && out != in) cmox_owned_close(out);
}

cmox_code_t cmox_link_new(cmox_transport_t *transport, int in, int out, cmox_link_t **out_link,
                          cmox_error_t *error) {
  int fds[2] = {in, out};
  *out_link = NULL;
  cmox_link_t *link = allocate(transport, in == out ? 1 : 2);
  if (!link) {
    close_both(in, out);
    return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot open a link: out of memory");
  }
  int failure = adopt(link, fds);
  if (failure) {
    die(link);
    return cmox_fail(error, CMOX_E_IO, "cannot open a link: %s", uv_strerror(failure));
  }
  cmox_transport_expect(link);
  *out_link = link;
  return CMOX_OK;
}

cmox_code_t cmox_link_open(uv_loop_t *loop, int in, int out, const cmox_link_events_t *events,
                           void *user, cmox_link_t **out_link, cmox_error_t *error) {
  *out_link = NULL;
  if (!pollable(in) || !pollable(out)) {
    (void)cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "descriptor %d is no socket, pipe or terminal",
                    pollable(in) ? out : in);
    close_both(in, out);
    return CMOX_E_INVALID_ARGUMENT;
  }
  cmox_code_t code = cmox_link_new(cmox_transport_of(loop), in, out, out_link, error);
  if (!code) cmox_link_set_events(*out_link, events, user);
  return code;
}

void *cmox_link_user(const cmox_link_t *link) { return link->user; }

void cmox_link_set_events(cmox_link_t *link, const cmox_link_events_t *events, void *user) {
  link->events = events;
  link->user = user;
}

void cmox_link_set_max_frame(cmox_link_t *link, uint32_t max_body) { link->max_frame = max_body; }

void cmox_link_established(cmox_link_t *link) {
  if (link->queue == &link->transport->waiting) cmox_link_queue_drop(link);
}
