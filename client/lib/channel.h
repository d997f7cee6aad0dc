/* Frames over a connected stream socket, for a thread that waits for each one. */
#ifndef CMOX_CLIENT_CHANNEL_H
#define CMOX_CLIENT_CHANNEL_H

#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/error.h"

typedef struct cmox_channel {
  int fd;              /* owned; -1: none */
  uint32_t silence_ms; /* how long the peer may be silent; 0: for ever */
  uint32_t max_frame;  /* bytes of body that are accepted */
  cmox_buf_t in;
  size_t taken; /* bytes of `in` that the last frame used */
} cmox_channel_t;

#define CMOX_CHANNEL_EMPTY ((cmox_channel_t){.fd = -1})

/* Takes over fd. */
void cmox_channel_open(cmox_channel_t *channel, int fd, uint32_t silence_ms, uint32_t max_frame);
void cmox_channel_close(cmox_channel_t *channel); /* again is fine */

/* Connects to "unix:PATH" within timeout_ms (0: for ever); the caller owns *fd.
 * CMOX_E_BAD_ADDRESS, CMOX_E_UNSUPPORTED_SCHEME, CMOX_E_PATH_TOO_LONG, CMOX_E_NO_SERVER. */
cmox_code_t cmox_channel_connect(const char *address, uint32_t timeout_ms, int *fd,
                                 cmox_error_t *error);

/* Sends all of it. Any failure leaves the channel unusable:
 * CMOX_E_LINK_CLOSED, CMOX_E_DEADLINE_EXCEEDED. Raises no SIGPIPE. */
cmox_code_t cmox_channel_send(cmox_channel_t *channel, cmox_span_t bytes, cmox_error_t *error);

/* Waits for one frame; *body is valid until the next call. Any failure leaves
 * the channel unusable: the two of send, CMOX_E_BAD_FRAME, CMOX_E_FRAME_TOO_LARGE,
 * CMOX_E_NO_MEMORY. */
cmox_code_t cmox_channel_receive(cmox_channel_t *channel, cmox_span_t *body, cmox_error_t *error);

#endif
