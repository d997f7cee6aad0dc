#include "tests/lib/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "tests/lib/valgrind.h"

enum { GUARD_MS = 30000 };

static void wait_readable(int fd) {
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  ck_assert_msg(poll(&waiting, 1, GUARD_MS * cmox_valgrind_slowness()) == 1,
                "the launcher says nothing");
}

int cmox_peer_accept(const cmox_stage_t *stage) {
  wait_readable(stage->listener);
  const int peer = accept4(stage->listener, NULL, NULL, SOCK_CLOEXEC);
  ck_assert_int_ge(peer, 0);
  return peer;
}

/* False at the end of the link. */
static bool read_all(int peer, uint8_t *out, size_t len) {
  while (len > 0) {
    wait_readable(peer);
    const ssize_t got = recv(peer, out, len, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return false;
    ck_assert_int_gt(got, 0);
    out += got;
    len -= (size_t)got;
  }
  return true;
}

cmox_pb_frame_t *cmox_peer_read(int peer) {
  uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
  size_t have = 0, prefix_len = 0;
  uint32_t body_len = 0;
  cmox_prefix_result_t result;
  do {
    ck_assert_uint_lt(have, sizeof prefix);
    if (!read_all(peer, prefix + have, 1)) return NULL;
    result = cmox_prefix_read(prefix, ++have, CMOX_FRAME_MAX_DEFAULT, &prefix_len, &body_len);
  } while (result == CMOX_PREFIX_MORE);
  ck_assert_int_eq(result, CMOX_PREFIX_OK);
  uint8_t *body = malloc(body_len + 1);
  ck_assert_msg(read_all(peer, body, body_len), "the launcher left a half frame");
  cmox_pb_frame_t *frame = cmdmox__v1__frame__unpack(NULL, body_len, body);
  free(body);
  ck_assert_msg(frame != NULL, "the launcher sent something malformed");
  return frame;
}

void cmox_peer_free(cmox_pb_frame_t *frame) { cmdmox__v1__frame__free_unpacked(frame, NULL); }

void cmox_peer_bytes(int peer, const void *data, size_t len) {
  const char *at = data;
  while (len > 0) {
    const ssize_t put = send(peer, at, len, MSG_NOSIGNAL);
    /* A launcher that has had enough is judged by how it ends. */
    if (put < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
    ck_assert_int_gt(put, 0);
    at += put;
    len -= (size_t)put;
  }
}

uint8_t *cmox_peer_pack(const cmox_pb_frame_t *frame, size_t *len) {
  const size_t body_len = cmdmox__v1__frame__get_packed_size(frame);
  uint8_t *bytes = malloc(CMOX_FRAME_PREFIX_MAX + body_len);
  const size_t prefix_len = cmox_prefix_write(bytes, (uint32_t)body_len);
  *len = prefix_len + cmdmox__v1__frame__pack(frame, bytes + prefix_len);
  return bytes;
}

void cmox_peer_send(int peer, const cmox_pb_frame_t *frame) {
  size_t len;
  uint8_t *bytes = cmox_peer_pack(frame, &len);
  cmox_peer_bytes(peer, bytes, len);
  free(bytes);
}

static void send_hello_reply(int peer, Cmdmox__V1__HelloReply *reply) {
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = reply;
  cmox_peer_send(peer, &frame);
}

void cmox_peer_welcome(int peer) {
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  ok.version = CMOX_PROTOCOL_MAX;
  ok.software = (char *)(uintptr_t) "a scripted peer";
  reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
  reply.ok = &ok;
  send_hello_reply(peer, &reply);
}

void cmox_peer_refuse(int peer, const char *reason, const char *message) {
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  status.code = 9;
  status.reason = (char *)(uintptr_t)reason;
  status.message = (char *)(uintptr_t)message;
  reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_ERROR;
  reply.error = &status;
  send_hello_reply(peer, &reply);
}

static void send_response(int peer, uint32_t id, Cmdmox__V1__Response *response) {
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = response;
  cmox_peer_send(peer, &frame);
}

void cmox_peer_error(int peer, uint32_t id, const char *message) {
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  status.code = 13;
  status.message = (char *)(uintptr_t)message;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
  response.error = &status;
  send_response(peer, id, &response);
}

static void send_piece(int peer, Cmdmox__V1__StreamData *piece) {
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  frame.id = 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = piece;
  cmox_peer_send(peer, &frame);
}

void cmox_peer_stream(int peer, int stream, const void *data, size_t len, uint32_t delay_ms) {
  Cmdmox__V1__StreamData piece = CMDMOX__V1__STREAM_DATA__INIT;
  piece.stream =
      stream == 1 ? CMDMOX__V1__STREAM__STREAM_STDOUT : CMDMOX__V1__STREAM__STREAM_STDERR;
  piece.data = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
  piece.delay_ms = delay_ms;
  send_piece(peer, &piece);
}

static ProtobufCBinaryData text_bytes(const char *text) {
  return (ProtobufCBinaryData){text ? strlen(text) : 0, (uint8_t *)(uintptr_t)text};
}

void cmox_peer_file(int peer, const char *path, uint32_t mode, const char *text, bool eof) {
  Cmdmox__V1__StreamData piece = CMDMOX__V1__STREAM_DATA__INIT;
  piece.stream = CMDMOX__V1__STREAM__STREAM_FILE;
  piece.path = text_bytes(path);
  piece.mode = mode;
  piece.data = text_bytes(text);
  piece.eof = eof;
  send_piece(peer, &piece);
}

void cmox_peer_action(int peer, uint32_t id, Cmdmox__V1__Action *action) {
  Cmdmox__V1__InvokeResponse message = CMDMOX__V1__INVOKE_RESPONSE__INIT;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  message.action = action;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  response.payload.len = cmdmox__v1__invoke_response__get_packed_size(&message);
  response.payload.data = malloc(response.payload.len + 1);
  cmdmox__v1__invoke_response__pack(&message, response.payload.data);
  send_response(peer, id, &response);
  free(response.payload.data);
}

void cmox_peer_reply(int peer, uint32_t id, const Cmdmox__V1__Reply *reply) {
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  action.call_id = 7;
  Cmdmox__V1__Reply ended = *reply;
  if (!ended.end_case) { /* a server always says how the call ends */
    ended.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
    ended.exit_code = 0;
  }
  action.kind_case = CMDMOX__V1__ACTION__KIND_REPLY;
  action.reply = &ended;
  cmox_peer_action(peer, id, &action);
}

void cmox_peer_exit(int peer, int status) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  reply.exit_code = (uint32_t)status;
  cmox_peer_reply(peer, 1, &reply);
}

void cmox_peer_notify_progress(int peer) {
  Cmdmox__V1__Progress progress = CMDMOX__V1__PROGRESS__INIT;
  Cmdmox__V1__Notify notify = CMDMOX__V1__NOTIFY__INIT;
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  uint8_t payload[16];
  progress.request_id = 1;
  notify.topic = (char *)(uintptr_t) "cmdmox.v1.Progress";
  notify.payload = (ProtobufCBinaryData){cmdmox__v1__progress__pack(&progress, payload), payload};
  frame.body_case = CMDMOX__V1__FRAME__BODY_NOTIFY;
  frame.notify = &notify;
  cmox_peer_send(peer, &frame);
}

Cmdmox__V1__InvokeRequest *cmox_peer_invoke(int peer) {
  cmox_pb_frame_t *frame = cmox_peer_read(peer);
  ck_assert_msg(frame && frame->body_case == CMDMOX__V1__FRAME__BODY_HELLO, "no Hello");
  ck_assert_uint_eq(frame->id, 0);
  ck_assert_uint_eq(frame->hello->magic, CMOX_MAGIC);
  ck_assert_uint_eq(frame->hello->min_version, CMOX_PROTOCOL_MIN);
  ck_assert_uint_eq(frame->hello->max_version, CMOX_PROTOCOL_MAX);
  ck_assert_int_eq((int)frame->hello->role, CMDMOX__V1__ROLE__ROLE_SHIM);
  cmox_peer_free(frame);
  frame = cmox_peer_read(peer);
  ck_assert_msg(frame && frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST, "no Request");
  ck_assert_uint_eq(frame->id, 1);
  ck_assert_str_eq(frame->request->method, "cmdmox.v1.ShimService/Invoke");
  Cmdmox__V1__InvokeRequest *request = cmdmox__v1__invoke_request__unpack(
      NULL, frame->request->payload.len, frame->request->payload.data);
  ck_assert_msg(request != NULL, "a malformed InvokeRequest");
  ck_assert_uint_eq(request->invocation_key.len, CMOX_INVOCATION_KEY_BYTES);
  cmox_peer_free(frame);
  return request;
}

void cmox_peer_free_invoke(Cmdmox__V1__InvokeRequest *request) {
  cmdmox__v1__invoke_request__free_unpacked(request, NULL);
}

int cmox_peer_begin(const cmox_stage_t *stage) {
  const int peer = cmox_peer_accept(stage);
  cmox_peer_free_invoke(cmox_peer_invoke(peer));
  cmox_peer_welcome(peer);
  return peer;
}

cmox_completed_t cmox_peer_end(int peer) {
  cmox_completed_t end = {0};
  for (cmox_pb_frame_t *frame; (frame = cmox_peer_read(peer)); cmox_peer_free(frame)) {
    ck_assert_msg(!end.seen, "something follows Completed");
    if (frame->body_case != CMDMOX__V1__FRAME__BODY_NOTIFY) continue;
    ck_assert_uint_eq(frame->id, 0);
    ck_assert_str_eq(frame->notify->topic, "cmdmox.v1.Completed");
    Cmdmox__V1__Completed *completed = cmdmox__v1__completed__unpack(
        NULL, frame->notify->payload.len, frame->notify->payload.data);
    ck_assert_ptr_nonnull(completed);
    end = (cmox_completed_t){.seen = true,
                             .broken_pipe = completed->broken_pipe,
                             .out = completed->stdout_written,
                             .err = completed->stderr_written};
    snprintf(end.failure, sizeof end.failure, "%s", completed->failure);
    snprintf(end.failed_path, sizeof end.failed_path, "%.*s", (int)completed->failed_path.len,
             (const char *)completed->failed_path.data);
    cmdmox__v1__completed__free_unpacked(completed, NULL);
  }
  close(peer);
  return end;
}
