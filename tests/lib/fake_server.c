#include "tests/lib/fake_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lib/channel.h"
#include "proto/limits.h"
#include "server/wire/wire.h"
#include "tests/lib/leftovers.h"

#define REQUESTS_MAX 4096

typedef struct request {
  char *method;
  uint8_t *payload;
  size_t len;
} request_t;

struct fake_server {
  char directory[64];
  char address[128];
  int listener;
  fake_handler_t handler;
  pthread_t thread;
  cmox_channel_t channel; /* the client that is served */
  uint64_t next_double;
  bool one_write;
  pthread_mutex_t lock; /* guards the log */
  request_t log[REQUESTS_MAX];
  size_t logged;
};

static void need(bool condition, const char *what) {
  if (condition) return;
  perror(what);
  abort();
}

void fake_send_raw(fake_server_t *fake, const void *data, size_t len) {
  (void)cmox_channel_send(&fake->channel, cmox_span(data, len), NULL);
}

void fake_send(fake_server_t *fake, const Cmdmox__V1__Frame *frame) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  need(cmox_wire_pack_frame(frame, UINT32_MAX, &out, NULL) == CMOX_OK, "pack");
  fake_send_raw(fake, out.data, out.len);
  cmox_buf_clear(&out);
}

void fake_answer(fake_server_t *fake, const Cmdmox__V1__Frame *to,
                 const ProtobufCMessage *message) {
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  response.payload.len = protobuf_c_message_get_packed_size(message);
  response.payload.data = malloc(response.payload.len + 1);
  need(response.payload.data, "malloc");
  (void)protobuf_c_message_pack(message, response.payload.data);
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = to->id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  fake_send(fake, &frame);
  free(response.payload.data);
}

void fake_error(fake_server_t *fake, const Cmdmox__V1__Frame *to, cmox_code_t code,
                const char *text) {
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  status.code = cmox_code_grpc(code);
  status.reason = (char *)cmox_code_reason(code);
  status.message = (char *)text;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
  response.error = &status;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = to->id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  fake_send(fake, &frame);
}

void fake_hang_up(fake_server_t *fake) { (void)shutdown(fake->channel.fd, SHUT_RDWR); }

static void greet(fake_server_t *fake) {
  fake->one_write = fake->channel.in.len > fake->channel.taken;
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  ok.version = CMOX_PROTOCOL_MAX;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
  reply.ok = &ok;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = &reply;
  fake_send(fake, &frame);
}

static ProtobufCBinaryData text_bytes(const char *text) {
  return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

static void create_session(fake_server_t *fake, const Cmdmox__V1__Frame *frame) {
  ProtobufCBinaryData entries[] = {text_bytes("PATH=/fake/bin:/usr/bin:/bin"),
                                   text_bytes("CMOX_IPC_SOCKET=unix:/fake/priv/s")};
  Cmdmox__V1__CreateSessionResponse answer = CMDMOX__V1__CREATE_SESSION_RESPONSE__INIT;
  answer.session_id = text_bytes("0123456789abcdef");
  answer.shim_directory = text_bytes("/fake/bin");
  answer.n_env_block = 2;
  answer.env_block = entries;
  fake_answer(fake, frame, &answer.base);
}

static void answer_by_default(fake_server_t *fake, const char *method,
                              const Cmdmox__V1__Frame *frame) {
  if (strcmp(method, "CreateSession") == 0) {
    create_session(fake, frame);
  } else if (strcmp(method, "CreateDoubles") == 0) {
    uint64_t id = ++fake->next_double;
    Cmdmox__V1__CreateDoublesResponse answer = CMDMOX__V1__CREATE_DOUBLES_RESPONSE__INIT;
    answer.n_double_ids = 1;
    answer.double_ids = &id;
    fake_answer(fake, frame, &answer.base);
  } else if (strcmp(method, "Verify") == 0) {
    Cmdmox__V1__VerifyResponse answer = CMDMOX__V1__VERIFY_RESPONSE__INIT;
    answer.passed = 1;
    fake_answer(fake, frame, &answer.base);
  } else {
    Cmdmox__V1__ReplayResponse empty = CMDMOX__V1__REPLAY_RESPONSE__INIT;
    fake_answer(fake, frame, &empty.base);
  }
}

static void serve_request(fake_server_t *fake, const Cmdmox__V1__Frame *frame) {
  const char *slash = strchr(frame->request->method, '/');
  need(slash, "method");
  (void)pthread_mutex_lock(&fake->lock);
  need(fake->logged < REQUESTS_MAX, "too many requests");
  request_t *entry = &fake->log[fake->logged++];
  entry->method = strdup(slash + 1);
  entry->len = frame->request->payload.len;
  entry->payload = malloc(entry->len + 1);
  need(entry->method && entry->payload, "malloc");
  if (entry->len) memcpy(entry->payload, frame->request->payload.data, entry->len);
  (void)pthread_mutex_unlock(&fake->lock);
  if (!fake->handler || !fake->handler(fake, entry->method, frame))
    answer_by_default(fake, entry->method, frame);
}

static void serve_client(fake_server_t *fake) {
  cmox_span_t body;
  while (cmox_channel_receive(&fake->channel, &body, NULL) == CMOX_OK) {
    Cmdmox__V1__Frame *frame = cmdmox__v1__frame__unpack(NULL, body.len, body.data);
    need(frame, "unpack");
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_HELLO) greet(fake);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST) serve_request(fake, frame);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE && fake->handler)
      (void)fake->handler(fake, "(response)", frame);
    cmdmox__v1__frame__free_unpacked(frame, NULL);
  }
}

static void *serve(void *argument) {
  fake_server_t *fake = argument;
  for (;;) {
    int fd = accept(fake->listener, NULL, NULL);
    if (fd < 0) return NULL;
    cmox_channel_open(&fake->channel, fd, 0, CMOX_FRAME_MAX_DEFAULT);
    serve_client(fake);
    cmox_channel_close(&fake->channel);
  }
}

fake_server_t *fake_start(fake_handler_t handler) {
  fake_server_t *fake = calloc(1, sizeof *fake);
  need(fake, "calloc");
  fake->handler = handler;
  (void)pthread_mutex_init(&fake->lock, NULL);
  scratch_directory(fake->directory, sizeof fake->directory);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  (void)snprintf(name.sun_path, sizeof name.sun_path, "%s/s", fake->directory);
  (void)snprintf(fake->address, sizeof fake->address, "unix:%s", name.sun_path);
  fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  need(bind(fake->listener, (const struct sockaddr *)&name, sizeof name) == 0, "bind");
  need(listen(fake->listener, 8) == 0, "listen");
  need(pthread_create(&fake->thread, NULL, serve, fake) == 0, "pthread_create");
  return fake;
}

void fake_stop(fake_server_t *fake) {
  (void)shutdown(fake->listener, SHUT_RDWR);
  (void)pthread_join(fake->thread, NULL);
  (void)close(fake->listener);
  (void)unlink(fake->address + strlen("unix:"));
  (void)rmdir(fake->directory);
  for (size_t i = 0; i < fake->logged; i++) {
    free(fake->log[i].method);
    free(fake->log[i].payload);
  }
  (void)pthread_mutex_destroy(&fake->lock);
  free(fake);
}

const char *fake_address(const fake_server_t *fake) { return fake->address; }
bool fake_greeted_in_one_write(fake_server_t *fake) { return fake->one_write; }

size_t fake_count(fake_server_t *fake, const char *method) {
  (void)pthread_mutex_lock(&fake->lock);
  size_t count = 0;
  for (size_t i = 0; i < fake->logged; i++) count += strcmp(fake->log[i].method, method) == 0;
  (void)pthread_mutex_unlock(&fake->lock);
  return count;
}

ProtobufCMessage *fake_last(fake_server_t *fake, const char *method) {
  const ProtobufCMethodDescriptor *row = protobuf_c_service_descriptor_get_method_by_name(
      &cmdmox__v1__control_service__descriptor, method);
  ProtobufCMessage *message = NULL;
  (void)pthread_mutex_lock(&fake->lock);
  for (size_t i = fake->logged; i-- > 0 && row && !message;)
    if (strcmp(fake->log[i].method, method) == 0)
      message = protobuf_c_message_unpack(row->input, NULL, fake->log[i].len, fake->log[i].payload);
  (void)pthread_mutex_unlock(&fake->lock);
  return message;
}
