/* One direction at a time, as a caller that waits needs it: send writes until
 * the kernel has taken everything, receive reads until one whole frame is there.
 *
 * Both wait in poll for at most the channel's silence, which starts anew
 * with every byte that moves. What fails: the peer is gone (LINK_CLOSED), says
 * nothing (DEADLINE_EXCEEDED), or sends what is no frame (BAD_FRAME, FRAME_TOO_LARGE).
 * After that the position in the stream is unknown and the channel must not be used. */
#include "client/lib/channel.h"
#include "client/lib/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/framing.h"
#include "server/base/alloc.h"

/* An answer is mostly far below the first; the second keeps a declared length from allocating. */
#define READ_LEAST ((size_t)16 << 10)
#define READ_MOST ((size_t)256 << 10)

void cmox_channel_open(cmox_channel_t *channel, int fd, uint32_t silence_ms, uint32_t max_frame) {
  *channel = (cmox_channel_t){.fd = fd, .silence_ms = silence_ms, .max_frame = max_frame};
}

void cmox_channel_close(cmox_channel_t *channel) {
  if (channel->fd >= 0) (void)close(channel->fd);
  cmox_buf_clear(&channel->in);
  *channel = CMOX_CHANNEL_EMPTY;
}

static cmox_code_t wait_for(const cmox_channel_t *channel, short events, cmox_error_t *error) {
  int64_t deadline = cmox_now_ms() + channel->silence_ms;
  for (;;) {
    int64_t left = deadline - cmox_now_ms();
    if (left < 0) left = 0;
    struct pollfd poll_fd = {.fd = channel->fd, .events = events};
    int ready = poll(&poll_fd, 1, channel->silence_ms ? (int)left : -1);
    if (ready > 0) return CMOX_OK;
    if (ready == 0)
      return cmox_fail(error, CMOX_E_DEADLINE_EXCEEDED,
                       "the server was silent for %u ms; CMOX_IPC_TIMEOUT=none waits for ever",
                       channel->silence_ms);
    if (errno != EINTR) return cmox_fail(error, CMOX_E_IO, "poll: %s", strerror(errno));
  }
}

cmox_code_t cmox_channel_send(cmox_channel_t *channel, cmox_span_t bytes, cmox_error_t *error) {
  while (bytes.len > 0) {
    ssize_t sent = send(channel->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes = cmox_span(bytes.data + sent, bytes.len - (size_t)sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return cmox_fail(error, CMOX_E_LINK_CLOSED, "the server is gone: %s", strerror(errno));
    cmox_code_t code = wait_for(channel, POLLOUT, error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

static cmox_code_t read_more(cmox_channel_t *channel, size_t wanted, cmox_error_t *error) {
  size_t room = wanted < READ_LEAST ? READ_LEAST : wanted > READ_MOST ? READ_MOST : wanted;
  if (!cmox_buf_reserve(&channel->in, room))
    return cmox_fail(error, CMOX_E_NO_MEMORY, "an answer of the server does not fit into memory");
  for (;;) {
    ssize_t got = recv(channel->fd, channel->in.data + channel->in.len, room, MSG_DONTWAIT);
    if (got > 0) {
      channel->in.len += (size_t)got;
      return CMOX_OK;
    }
    if (got == 0) return cmox_fail(error, CMOX_E_LINK_CLOSED, "the server closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return cmox_fail(error, CMOX_E_LINK_CLOSED, "the server is gone: %s", strerror(errno));
    cmox_code_t code = wait_for(channel, POLLIN, error);
    if (code != CMOX_OK) return code;
  }
}

cmox_code_t cmox_channel_receive(cmox_channel_t *channel, cmox_span_t *body, cmox_error_t *error) {
  cmox_buf_consume(&channel->in, channel->taken);
  channel->taken = 0;
  for (;;) {
    size_t prefix_len = 0;
    uint32_t body_len = 0;
    size_t missing = 1;
    switch (cmox_prefix_read(channel->in.data, channel->in.len, channel->max_frame, &prefix_len,
                             &body_len)) {
      case CMOX_PREFIX_OK:
        if (channel->in.len - prefix_len >= body_len) {
          channel->taken = prefix_len + body_len;
          *body = cmox_span(channel->in.data + prefix_len, body_len);
          return CMOX_OK;
        }
        missing = body_len - (channel->in.len - prefix_len);
        break;
      case CMOX_PREFIX_MORE:
        break;
      case CMOX_PREFIX_MALFORMED:
        return cmox_fail(error, CMOX_E_BAD_FRAME, "the peer does not speak cmdmox's protocol");
      case CMOX_PREFIX_TOO_LARGE:
        return cmox_fail(error, CMOX_E_FRAME_TOO_LARGE, "the server sent a frame above %u bytes",
                         channel->max_frame);
    }
    cmox_code_t code = read_more(channel, missing, error);
    if (code != CMOX_OK) return code;
  }
}
