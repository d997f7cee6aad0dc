#include "tests/lib/raw.h"

#include <check.h>
#include <cmdmox/codes.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/framing.h"
#include "proto/limits.h"

/* A server on this thread answers within a few turns of its loop; after FAST ones it may wait for a
 * timer, and is given a millisecond each. */
enum { GUARD_MS = 60000, FAST = 2000, PUMPS_MAX = FAST + 10000, READ_MOST = 1 << 16 };

/* ---- Bytes ---- */

static uint8_t *grow(raw_bytes_t *bytes, size_t more) {
  if (bytes->len + more > bytes->capacity) {
    bytes->capacity = 2 * bytes->capacity + more;
    bytes->data = realloc(bytes->data, bytes->capacity);
    ck_assert_ptr_nonnull(bytes->data);
  }
  return bytes->data + bytes->len;
}

void raw_put(raw_bytes_t *bytes, const void *data, size_t len) {
  if (len == 0) return;
  memcpy(grow(bytes, len), data, len);
  bytes->len += len;
}

void raw_put_varint(raw_bytes_t *bytes, uint64_t value) {
  uint8_t coded[10];
  size_t len = 0;
  for (; value > 0x7f; value >>= 7) coded[len++] = (uint8_t)(value | 0x80);
  coded[len++] = (uint8_t)value;
  raw_put(bytes, coded, len);
}

void raw_put_field(raw_bytes_t *bytes, uint32_t number, const void *data, size_t len) {
  raw_put_varint(bytes, (uint64_t)number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
  raw_put_varint(bytes, len);
  raw_put(bytes, data, len);
}

void raw_put_message(raw_bytes_t *bytes, const ProtobufCMessage *message) {
  size_t size = protobuf_c_message_get_packed_size(message);
  bytes->len += protobuf_c_message_pack(message, grow(bytes, size + 1));
}

void raw_put_frame(raw_bytes_t *bytes, const Cmdmox__V1__Frame *frame) {
  uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
  size_t size = cmdmox__v1__frame__get_packed_size(frame);
  raw_put(bytes, prefix, cmox_prefix_write(prefix, (uint32_t)size));
  raw_put_message(bytes, &frame->base);
}

void raw_put_hello(raw_bytes_t *bytes, Cmdmox__V1__Role role, uint32_t min, uint32_t max) {
  Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  hello.magic = CMOX_MAGIC;
  hello.min_version = min;
  hello.max_version = max;
  hello.role = role;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
  frame.hello = &hello;
  raw_put_frame(bytes, &frame);
}

void raw_put_request(raw_bytes_t *bytes, uint32_t id, const char *method, const void *payload,
                     size_t len) {
  Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  request.method = (char *)(uintptr_t)method;
  request.payload = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)payload};
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &request;
  raw_put_frame(bytes, &frame);
}

void raw_put_call(raw_bytes_t *bytes, uint32_t id, const char *method,
                  const ProtobufCMessage *input) {
  raw_bytes_t payload = {0};
  raw_put_message(&payload, input);
  raw_put_request(bytes, id, method, payload.data, payload.len);
  raw_free(&payload);
}

void raw_free(raw_bytes_t *bytes) {
  free(bytes->data);
  *bytes = (raw_bytes_t){0};
}

/* ---- The link ---- */

void raw_close(raw_link_t *link) {
  if (link->fd >= 0) (void)close(link->fd);
  link->fd = -1;
  raw_free(&link->in);
}

static void let_work(raw_link_t *link, short events, size_t rounds) {
  struct pollfd waiting = {.fd = link->fd, .events = events};
  if (link->pump) {
    link->pump(link->context);
    if (rounds > FAST) (void)poll(&waiting, 1, 1);
    return;
  }
  ck_assert_msg(poll(&waiting, 1, GUARD_MS) == 1, "the server says nothing");
}

void raw_send(raw_link_t *link, const void *data, size_t len) {
  const char *at = data;
  for (size_t rounds = 0; len > 0 && !link->ended; rounds++) {
    ck_assert_msg(rounds < PUMPS_MAX, "the server reads nothing");
    ssize_t put = send(link->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
      at += put;
      len -= (size_t)put;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      (void)raw_receive(link); /* or both sides wait for each other */
      let_work(link, POLLOUT | POLLIN, rounds);
    } else {
      ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "send: %s", strerror(errno));
      return; /* what it said before it left is still to be read */
    }
  }
}

void raw_send_all(raw_link_t *link, raw_bytes_t *bytes) {
  raw_send(link, bytes->data, bytes->len);
  bytes->len = 0;
}

bool raw_receive(raw_link_t *link) {
  if (link->ended) return false;
  ssize_t got = recv(link->fd, grow(&link->in, READ_MOST), READ_MOST, MSG_DONTWAIT);
  if (got > 0) link->in.len += (size_t)got;
  if (got == 0 || (got < 0 && errno == ECONNRESET)) link->ended = true;
  return got > 0;
}

/* False: not whole yet. */
static bool next_body(raw_link_t *link, const uint8_t **body, size_t *len) {
  size_t prefix_len = 0;
  uint32_t body_len = 0;
  const uint8_t *start = link->in.data + link->taken;
  const size_t left = link->in.len - link->taken;
  cmox_prefix_result_t result =
      cmox_prefix_read(start, left, CMOX_FRAME_MAX_DEFAULT, &prefix_len, &body_len);
  ck_assert_msg(result == CMOX_PREFIX_OK || result == CMOX_PREFIX_MORE, "the server sent no frame");
  if (result == CMOX_PREFIX_MORE || left - prefix_len < body_len) return false;
  *body = start + prefix_len;
  *len = body_len;
  link->taken += prefix_len + body_len;
  return true;
}

Cmdmox__V1__Frame *raw_next(raw_link_t *link) {
  const uint8_t *body;
  size_t len;
  if (!next_body(link, &body, &len)) return NULL;
  Cmdmox__V1__Frame *frame = cmdmox__v1__frame__unpack(NULL, len, body);
  ck_assert_msg(frame != NULL, "the server sent something malformed");
  return frame;
}

Cmdmox__V1__Frame *raw_read(raw_link_t *link) {
  for (size_t rounds = 0;; rounds++) {
    Cmdmox__V1__Frame *frame = raw_next(link);
    if (frame) return frame;
    ck_assert_msg(rounds < PUMPS_MAX, "the server says nothing");
    if (raw_receive(link)) continue;
    if (link->ended) return NULL;
    let_work(link, POLLIN, rounds);
  }
}

void raw_frame_free(Cmdmox__V1__Frame *frame) { cmdmox__v1__frame__free_unpacked(frame, NULL); }

size_t raw_read_to_end(raw_link_t *link) {
  size_t count = 0;
  for (Cmdmox__V1__Frame *frame; (frame = raw_read(link)); count++) raw_frame_free(frame);
  return count;
}

/* ---- Conversation ---- */

void raw_greet(raw_link_t *link, Cmdmox__V1__Role role) {
  raw_bytes_t bytes = {0};
  raw_put_hello(&bytes, role, CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *frame = raw_read(link);
  ck_assert_str_eq(raw_reason(frame), "OK");
  ck_assert_int_eq((int)frame->body_case, CMDMOX__V1__FRAME__BODY_HELLO_REPLY);
  raw_frame_free(frame);
}

Cmdmox__V1__Frame *raw_ask(raw_link_t *link, uint32_t id, const char *method,
                           const ProtobufCMessage *input) {
  raw_bytes_t bytes = {0};
  raw_put_call(&bytes, id, method, input);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *frame;
  while ((frame = raw_read(link))) {
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE && frame->id == id) break;
    raw_frame_free(frame);
  }
  return frame;
}

ProtobufCMessage *raw_answer(const Cmdmox__V1__Frame *frame,
                             const ProtobufCMessageDescriptor *type) {
  ck_assert_msg(frame != NULL, "the link ended");
  ck_assert_msg(strcmp(raw_reason(frame), "OK") == 0, "%s", raw_message(frame));
  ck_assert_int_eq((int)frame->body_case, CMDMOX__V1__FRAME__BODY_RESPONSE);
  ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, frame->response->payload.len,
                                                        frame->response->payload.data);
  ck_assert_msg(message != NULL, "the answer is no %s", type->name);
  return message;
}

static const Cmdmox__V1__Status *status_of(const Cmdmox__V1__Frame *frame) {
  switch (frame->body_case) {
    case CMDMOX__V1__FRAME__BODY_RESPONSE:
      if (frame->response->result_case == CMDMOX__V1__RESPONSE__RESULT_ERROR)
        return frame->response->error;
      ck_assert_int_eq((int)frame->response->result_case, CMDMOX__V1__RESPONSE__RESULT_PAYLOAD);
      return NULL;
    case CMDMOX__V1__FRAME__BODY_HELLO_REPLY:
      if (frame->hello_reply->result_case == CMDMOX__V1__HELLO_REPLY__RESULT_ERROR)
        return frame->hello_reply->error;
      return NULL;
    case CMDMOX__V1__FRAME__BODY_GO_AWAY:
      return frame->go_away->status;
    default:
      return NULL;
  }
}

const char *raw_reason(const Cmdmox__V1__Frame *frame) {
  if (!frame) return "NONE";
  const Cmdmox__V1__Status *status = status_of(frame);
  if (!status) return "OK";
  cmox_code_t code = cmox_code_from_reason(status->reason);
  const char *reason = cmox_code_reason(code);
  ck_assert_msg(strcmp(reason, status->reason) == 0, "no reason of ours: \"%s\"", status->reason);
  ck_assert_uint_eq(status->code, cmox_code_grpc(code));
  ck_assert_msg(status->message[0] != '\0', "%s without a message", reason);
  return reason;
}

const char *raw_message(const Cmdmox__V1__Frame *frame) {
  const Cmdmox__V1__Status *status = frame ? status_of(frame) : NULL;
  return status ? status->message : "";
}
