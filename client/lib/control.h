/* Calls of ControlService over a channel, one at a time. */
#ifndef CMOX_CLIENT_CONTROL_H
#define CMOX_CLIENT_CONTROL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "client/lib/channel.h"
#include "cmdmox/v1/frame.pb-c.h"

typedef struct cmox_control {
  cmox_channel_t channel;
  cmox_buf_t out;      /* frames of the next write */
  uint32_t next_id;    /* odd: we connected */
  uint32_t max_frame;  /* bytes of body that the server accepts */
  bool greeted;        /* HelloReply was seen */
  cmox_error_t broken; /* code CMOX_OK, or why no call is possible any more */
} cmox_control_t;

/* Takes over fd and queues Hello, which leaves together with the first call. */
void cmox_control_open(cmox_control_t *control, int fd, uint32_t silence_ms);
void cmox_control_close(cmox_control_t *control); /* again is fine */

/* Calls the method of this name ("Replay") and waits for its answer. On
 * CMOX_OK *response is owned by the caller (cmox_wire_free). An error of the
 * server is given as it is; an error of the link breaks it for good. */
cmox_code_t cmox_control_call(cmox_control_t *control, const char *method,
                              const ProtobufCMessage *request, ProtobufCMessage **response,
                              cmox_error_t *error);

/* For a link on which the server asks: waits for its next frame, which the caller owns
 * (cmox_wire_free). Any failure breaks the link. */
cmox_code_t cmox_control_receive(cmox_control_t *control, Cmdmox__V1__Frame **frame,
                                 cmox_error_t *error);
/* Answers the server's request with a payload, or with *failure when there is one. One thread may
 * receive while another answers. CMOX_E_FRAME_TOO_LARGE, CMOX_E_NO_MEMORY: nothing was sent. */
cmox_code_t cmox_control_respond(cmox_control_t *control, uint32_t id, cmox_span_t payload,
                                 cmox_error_t *failure, cmox_error_t *error);

#endif
