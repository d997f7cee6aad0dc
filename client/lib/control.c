/* One call: pack the request, put it into a frame with the next odd id, send it
 * (the first one behind Hello, in one write), then receive frames until
 * the response of that id is there; check its bytes, unpack it.
 *
 * What comes between is either news (Notify: the wait starts anew) or a
 * request of the server, which is refused: callbacks have a link of their own (callbacks.c).
 * Failures: the server's Status is given to the caller and the link lives; a
 * silent, absent or confused peer breaks the link, and every later call
 * repeats the first reason. */
#include "client/lib/control.h"

#include <stdio.h>
#include <string.h>

#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"
#include "proto/limits.h"
#include "server/base/trace.h"
#include "server/wire/wire.h"

#define METHOD_MAX 96u /* "cmdmox.v1.ControlService/" and the longest method name */

void cmox_control_open(cmox_control_t *control, int fd, uint32_t silence_ms) {
  *control = (cmox_control_t){.next_id = 1, .max_frame = CMOX_FRAME_MAX_DEFAULT};
  cmox_channel_open(&control->channel, fd, silence_ms, CMOX_FRAME_MAX_DEFAULT);
  char software[] = "cmdmox-c/" CMDMOX_VERSION;
  Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
  hello.magic = CMOX_MAGIC;
  hello.min_version = CMOX_PROTOCOL_MIN;
  hello.max_version = CMOX_PROTOCOL_MAX;
  hello.role = CMDMOX__V1__ROLE__ROLE_CONTROLLER;
  hello.software = software;
  hello.silence_ms = silence_ms;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
  frame.hello = &hello;
  (void)cmox_wire_pack_frame(&frame, control->max_frame, &control->out, &control->broken);
}

void cmox_control_close(cmox_control_t *control) {
  cmox_channel_close(&control->channel);
  cmox_buf_clear(&control->out);
  if (control->broken.code == CMOX_OK)
    (void)cmox_fail(&control->broken, CMOX_E_LINK_CLOSED, "the session is closed");
}

static cmox_code_t from_status(const Cmdmox__V1__Status *status, cmox_error_t *error) {
  cmox_wire_error(status, error);
  return error->code;
}

static cmox_code_t flush(cmox_control_t *control, cmox_error_t *error) {
  cmox_code_t code = cmox_channel_send(&control->channel, cmox_buf_span(&control->out), error);
  cmox_buf_clear(&control->out);
  return code;
}

cmox_code_t cmox_control_respond(cmox_control_t *control, uint32_t id, cmox_span_t payload,
                                 cmox_error_t *failure, cmox_error_t *error) {
  Cmdmox__V1__Status status;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  if (failure) {
    cmox_wire_status(failure, &status);
    response.result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
    response.error = &status;
  } else {
    response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
    response.payload = cmox_to_bytes(payload);
  }
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  cmox_code_t code = cmox_wire_pack_frame(&frame, control->max_frame, &control->out, error);
  if (code == CMOX_OK) return flush(control, error);
  cmox_buf_clear(&control->out);
  return code;
}

static cmox_code_t refuse(cmox_control_t *control, uint32_t id, cmox_error_t *error) {
  cmox_error_t reason;
  (void)cmox_fail(&reason, CMOX_E_UNIMPLEMENTED, "this link answers no callbacks");
  return cmox_control_respond(control, id, (cmox_span_t){NULL, 0}, &reason, error);
}

static cmox_code_t greet(cmox_control_t *control, const Cmdmox__V1__Frame *frame,
                         cmox_error_t *error) {
  if (frame->body_case != CMDMOX__V1__FRAME__BODY_HELLO_REPLY)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "the server does not begin with HelloReply");
  const Cmdmox__V1__HelloReply *reply = frame->hello_reply;
  if (reply->result_case == CMDMOX__V1__HELLO_REPLY__RESULT_ERROR)
    return from_status(reply->error, error);
  if (reply->result_case != CMDMOX__V1__HELLO_REPLY__RESULT_OK)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "the server's HelloReply says nothing");
  uint32_t version = reply->ok->version;
  cmox_code_t code = cmox_wire_negotiate(version, version, &version, error);
  if (code != CMOX_OK) return code;
  if (reply->ok->max_frame_bytes) control->max_frame = reply->ok->max_frame_bytes;
  control->greeted = true;
  return CMOX_OK;
}

cmox_code_t cmox_control_receive(cmox_control_t *control, Cmdmox__V1__Frame **frame,
                                 cmox_error_t *error) {
  cmox_span_t body;
  cmox_code_t code = cmox_channel_receive(&control->channel, &body, error);
  if (code != CMOX_OK) return code;
  ProtobufCMessage *message;
  code = cmox_wire_unpack(&cmdmox__v1__frame__descriptor, body, &message, error);
  *frame = (Cmdmox__V1__Frame *)message;
  return code;
}

/* Sets *response when the frame is the one waited for. */
static cmox_code_t consider(cmox_control_t *control, const Cmdmox__V1__Frame *frame, uint32_t id,
                            const Cmdmox__V1__Response **response, cmox_error_t *error) {
  if (!control->greeted) return greet(control, frame, error);
  switch (frame->body_case) {
    case CMDMOX__V1__FRAME__BODY_RESPONSE:
      if (frame->id == id) *response = frame->response;
      return CMOX_OK;
    case CMDMOX__V1__FRAME__BODY_REQUEST:
      return refuse(control, frame->id, error);
    case CMDMOX__V1__FRAME__BODY_GO_AWAY:
      if (frame->go_away->status) return from_status(frame->go_away->status, error);
      return cmox_fail(error, CMOX_E_LINK_CLOSED, "the server is closing the connection");
    default:
      return CMOX_OK;
  }
}

static cmox_code_t open_response(const Cmdmox__V1__Response *response,
                                 const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
                                 cmox_error_t *error) {
  switch (response->result_case) {
    case CMDMOX__V1__RESPONSE__RESULT_PAYLOAD:
      return cmox_wire_unpack(type, cmox_from_bytes(response->payload), out, error);
    case CMDMOX__V1__RESPONSE__RESULT_ERROR:
      return from_status(response->error, error);
    default:
      return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "the server's response is empty");
  }
}

static cmox_code_t queue_request(cmox_control_t *control, const char *method,
                                 const ProtobufCMessage *request, uint32_t id,
                                 cmox_error_t *error) {
  char name[METHOD_MAX];
  (void)snprintf(name, sizeof name, "%s/%s", cmdmox__v1__control_service__descriptor.name, method);
  cmox_buf_t payload = CMOX_BUF_EMPTY;
  cmox_wire_pack(request, &payload);
  if (payload.failed) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  Cmdmox__V1__Request envelope = CMDMOX__V1__REQUEST__INIT;
  envelope.method = name;
  envelope.payload = cmox_to_bytes(cmox_buf_span(&payload));
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &envelope;
  cmox_code_t code = cmox_wire_pack_frame(&frame, control->max_frame, &control->out, error);
  cmox_buf_clear(&payload);
  return code;
}

static cmox_code_t await(cmox_control_t *control, uint32_t id, Cmdmox__V1__Frame **frame,
                         const Cmdmox__V1__Response **response, cmox_error_t *error) {
  cmox_code_t code = flush(control, error);
  while (code == CMOX_OK) {
    code = cmox_control_receive(control, frame, error);
    if (code == CMOX_OK) code = consider(control, *frame, id, response, error);
    if (code == CMOX_OK && *response) return CMOX_OK;
    if (*frame) cmox_wire_free(&(*frame)->base);
    *frame = NULL;
  }
  return code;
}

cmox_code_t cmox_control_call(cmox_control_t *control, const char *method,
                              const ProtobufCMessage *request, ProtobufCMessage **response,
                              cmox_error_t *error) {
  *response = NULL;
  if (control->broken.code != CMOX_OK) {
    *error = control->broken;
    return error->code;
  }
  const ProtobufCMethodDescriptor *row = protobuf_c_service_descriptor_get_method_by_name(
      &cmdmox__v1__control_service__descriptor, method);
  if (!row || row->input != request->descriptor)
    return cmox_fail(error, CMOX_E_INTERNAL, "%s does not take %s", method,
                     request->descriptor->name);
  uint32_t id = control->next_id;
  cmox_code_t code = queue_request(control, method, request, id, error);
  if (code != CMOX_OK) {
    if (control->out.failed) control->broken = *error; /* half a frame is queued */
    return code;
  }
  control->next_id += 2;
  CMOX_TRACE(CLIENT_CALL, cmox_trace_number(id), cmox_trace_text(method));
  Cmdmox__V1__Frame *frame = NULL;
  const Cmdmox__V1__Response *answer = NULL;
  code = await(control, id, &frame, &answer, error);
  if (code == CMOX_OK) {
    code = open_response(answer, row->output, response, error);
    cmox_wire_free(&frame->base);
  } else {
    (void)cmox_wrap(error, "%s", method);
    control->broken = *error;
  }
  CMOX_TRACE(CLIENT_ANSWER, cmox_trace_number(id), cmox_trace_text(method),
             cmox_trace_text(cmox_code_reason(code)));
  return code;
}
