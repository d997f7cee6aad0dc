/* One call: pack the request, put it into a frame with the next odd id, send it
 * (the first one behind Hello, in one write), then receive frames until
 * the response of that id is there; check its bytes, unpack it.
 *
 * What comes between is either news (Notify: the wait starts anew) or a
 * request of the server, which is refused: this library implements no callbacks.
 * Failures: the server's Status is given to the caller and the link lives; a
 * silent, absent or confused peer breaks the link, and every later call
 * repeats the first reason. */
#include "client/lib/rpc.h"

#include <stdio.h>
#include <string.h>

#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"
#include "proto/limits.h"
#include "proto/precheck.h"
#include "server/base/alloc.h"

#define METHOD_MAX 96u /* "cmdmox.v1.ControlService/" and the longest method name */

static void *take(void *context, size_t size) {
  (void)context;
  return cmox_malloc(size);
}

static void give(void *context, void *block) {
  (void)context;
  cmox_free_block(block);
}

static ProtobufCAllocator seam = {take, give, NULL};

void cmox_rpc_free(ProtobufCMessage *message) {
  if (message) protobuf_c_message_free_unpacked(message, &seam);
}

static bool put(cmox_rpc_t *rpc, const Cmdmox__V1__Frame *frame, cmox_error_t *error) {
  size_t size = cmdmox__v1__frame__get_packed_size(frame);
  if (size > rpc->max_frame) {
    (void)cmox_fail(error, CMOX_E_FRAME_TOO_LARGE, "this takes %zu bytes; the server accepts %u",
                    size, rpc->max_frame);
    return false;
  }
  uint8_t *body = cmox_malloc(size);
  if (body) {
    (void)cmdmox__v1__frame__pack(frame, body);
    cmox_channel_put(&rpc->out, cmox_span(body, size));
    cmox_free_block(body);
  }
  if (body && !rpc->out.failed) return true;
  (void)cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  return false;
}

void cmox_rpc_open(cmox_rpc_t *rpc, int fd, uint32_t silence_ms) {
  *rpc = (cmox_rpc_t){.next_id = 1, .max_frame = CMOX_FRAME_MAX_DEFAULT};
  cmox_channel_open(&rpc->channel, fd, silence_ms, CMOX_FRAME_MAX_DEFAULT);
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
  if (!put(rpc, &frame, &rpc->broken)) cmox_buf_clear(&rpc->out);
}

void cmox_rpc_close(cmox_rpc_t *rpc) {
  cmox_channel_close(&rpc->channel);
  cmox_buf_clear(&rpc->out);
  if (rpc->broken.code == CMOX_OK)
    (void)cmox_fail(&rpc->broken, CMOX_E_LINK_CLOSED, "the session is closed");
}

static cmox_code_t from_status(const Cmdmox__V1__Status *status, cmox_error_t *error) {
  cmox_code_t code = cmox_code_from_reason(status->reason);
  const char *text = status->message && *status->message ? status->message : cmox_code_text(code);
  return cmox_fail(error, code, "%s", text);
}

static cmox_code_t flush(cmox_rpc_t *rpc, cmox_error_t *error) {
  cmox_code_t code = cmox_channel_send(&rpc->channel, cmox_buf_span(&rpc->out), error);
  cmox_buf_clear(&rpc->out);
  return code;
}

static cmox_code_t refuse(cmox_rpc_t *rpc, uint32_t id, cmox_error_t *error) {
  char message[] = "this client implements no callbacks";
  char reason[] = "UNIMPLEMENTED";
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  status.code = cmox_code_grpc(CMOX_E_UNIMPLEMENTED);
  status.message = message;
  status.reason = reason;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
  response.error = &status;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  if (!put(rpc, &frame, error)) return error->code;
  return flush(rpc, error);
}

static cmox_code_t greet(cmox_rpc_t *rpc, const Cmdmox__V1__Frame *frame, cmox_error_t *error) {
  if (frame->body_case != CMDMOX__V1__FRAME__BODY_HELLO_REPLY)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "the server does not begin with HelloReply");
  const Cmdmox__V1__HelloReply *reply = frame->hello_reply;
  if (reply->result_case == CMDMOX__V1__HELLO_REPLY__RESULT_ERROR)
    return from_status(reply->error, error);
  if (reply->result_case != CMDMOX__V1__HELLO_REPLY__RESULT_OK)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "the server's HelloReply says nothing");
  if (reply->ok->version < CMOX_PROTOCOL_MIN || reply->ok->version > CMOX_PROTOCOL_MAX)
    return cmox_fail(error, CMOX_E_VERSION_MISMATCH,
                     "the server speaks version %u; this client %u to %u", reply->ok->version,
                     CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX);
  if (reply->ok->max_frame_bytes) rpc->max_frame = reply->ok->max_frame_bytes;
  rpc->greeted = true;
  return CMOX_OK;
}

static cmox_code_t receive(cmox_rpc_t *rpc, Cmdmox__V1__Frame **frame, cmox_error_t *error) {
  cmox_span_t body;
  cmox_code_t code = cmox_channel_receive(&rpc->channel, &body, error);
  if (code != CMOX_OK) return code;
  const char *why = NULL;
  code = cmox_precheck(&cmdmox__v1__frame__descriptor, body.data, body.len, &cmox_precheck_defaults,
                       &why);
  if (code != CMOX_OK) return cmox_fail(error, code, "a frame of the server is malformed: %s", why);
  *frame = cmdmox__v1__frame__unpack(&seam, body.len, body.data);
  return *frame ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

/* Sets *response when the frame is the one waited for. */
static cmox_code_t consider(cmox_rpc_t *rpc, const Cmdmox__V1__Frame *frame, uint32_t id,
                            const Cmdmox__V1__Response **response, cmox_error_t *error) {
  if (!rpc->greeted) return greet(rpc, frame, error);
  switch (frame->body_case) {
    case CMDMOX__V1__FRAME__BODY_RESPONSE:
      if (frame->id == id) *response = frame->response;
      return CMOX_OK;
    case CMDMOX__V1__FRAME__BODY_REQUEST:
      return refuse(rpc, frame->id, error);
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
  if (response->result_case == CMDMOX__V1__RESPONSE__RESULT_ERROR)
    return from_status(response->error, error);
  cmox_span_t payload = cmox_span(response->payload.data, response->payload.len);
  if (response->result_case != CMDMOX__V1__RESPONSE__RESULT_PAYLOAD) payload = cmox_span(NULL, 0);
  const char *why = NULL;
  cmox_code_t code = cmox_precheck(type, payload.data, payload.len, &cmox_precheck_defaults, &why);
  if (code != CMOX_OK) return cmox_fail(error, code, "the server's answer is malformed: %s", why);
  *out = protobuf_c_message_unpack(type, &seam, payload.len, payload.data);
  return *out ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

static bool queue_request(cmox_rpc_t *rpc, const char *method, const ProtobufCMessage *request,
                          uint32_t id, cmox_error_t *error) {
  char name[METHOD_MAX];
  (void)snprintf(name, sizeof name, "%s/%s", cmdmox__v1__control_service__descriptor.name, method);
  size_t size = protobuf_c_message_get_packed_size(request);
  uint8_t *bytes = cmox_malloc(size);
  if (!bytes) {
    (void)cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
    return false;
  }
  Cmdmox__V1__Request envelope = CMDMOX__V1__REQUEST__INIT;
  envelope.method = name;
  envelope.payload.len = protobuf_c_message_pack(request, bytes);
  envelope.payload.data = bytes;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &envelope;
  bool queued = put(rpc, &frame, error);
  cmox_free_block(bytes);
  return queued;
}

static cmox_code_t await(cmox_rpc_t *rpc, uint32_t id, Cmdmox__V1__Frame **frame,
                         const Cmdmox__V1__Response **response, cmox_error_t *error) {
  cmox_code_t code = flush(rpc, error);
  while (code == CMOX_OK) {
    code = receive(rpc, frame, error);
    if (code == CMOX_OK) code = consider(rpc, *frame, id, response, error);
    if (code == CMOX_OK && *response) return CMOX_OK;
    cmdmox__v1__frame__free_unpacked(*frame, &seam);
    *frame = NULL;
  }
  return code;
}

cmox_code_t cmox_rpc_call(cmox_rpc_t *rpc, const char *method, const ProtobufCMessage *request,
                          ProtobufCMessage **response, cmox_error_t *error) {
  *response = NULL;
  if (rpc->broken.code != CMOX_OK) {
    *error = rpc->broken;
    return error->code;
  }
  const ProtobufCMethodDescriptor *row = protobuf_c_service_descriptor_get_method_by_name(
      &cmdmox__v1__control_service__descriptor, method);
  if (!row || row->input != request->descriptor)
    return cmox_fail(error, CMOX_E_INTERNAL, "%s does not take %s", method,
                     request->descriptor->name);
  uint32_t id = rpc->next_id;
  size_t queued = rpc->out.len;
  if (!queue_request(rpc, method, request, id, error)) {
    if (!rpc->out.failed && rpc->out.len == queued) return error->code; /* nothing has left */
    rpc->broken = *error;
    return error->code;
  }
  rpc->next_id += 2;
  Cmdmox__V1__Frame *frame = NULL;
  const Cmdmox__V1__Response *answer = NULL;
  cmox_code_t code = await(rpc, id, &frame, &answer, error);
  if (code != CMOX_OK) {
    (void)cmox_wrap(error, "%s", method);
    rpc->broken = *error;
    return code;
  }
  code = open_response(answer, row->output, response, error);
  cmdmox__v1__frame__free_unpacked(frame, &seam);
  return code;
}
