#include "tests/fuzz/serve.h"

#include <string.h>

#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"
#include "proto/framing.h"
#include "tests/fuzz/fake_os.h"

enum { TEXT_MAX = 1 << 20, STEPS_MAX = 200 };

static struct {
  uint32_t request; /* that the shim waits for, when it does as it was told */
  size_t len;
  uint8_t bytes[TEXT_MAX]; /* of all pieces */
} s;

static ProtobufCBinaryData bytes(fuzz_in_t *in) {
  const cmox_span_t span = fuzz_bytes(in);
  return (ProtobufCBinaryData){span.len, (uint8_t *)(uintptr_t)span.data};
}

static void put(const void *data, size_t len) {
  if (len == 0 || TEXT_MAX - s.len < len) return;
  memcpy(s.bytes + s.len, data, len);
  s.len += len;
}

static void put_body(const void *body, size_t len) {
  uint8_t prefix[5];
  if (TEXT_MAX - s.len < len + sizeof prefix) return;
  put(prefix, cmox_prefix_write(prefix, (uint32_t)len));
  put(body, len);
}

static void put_frame(const Cmdmox__V1__Frame *frame) {
  const size_t len = cmdmox__v1__frame__get_packed_size(frame);
  uint8_t prefix[5];
  if (TEXT_MAX - s.len < len + sizeof prefix) return;
  put(prefix, cmox_prefix_write(prefix, (uint32_t)len));
  s.len += cmdmox__v1__frame__pack(frame, s.bytes + s.len);
}

static void put_hello_reply(fuzz_in_t *in, bool welcome) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  const uint8_t how = fuzz_u8(in);
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = &reply;
  if (welcome) {
    reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
    reply.ok = &ok;
    ok.version = how < 0xf0 ? 1 : how & 0xf;
    if (how & 1) ok.max_frame_bytes = (uint32_t)fuzz_number(in);
  } else {
    reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_ERROR;
    reply.error = &status;
    status.message = fuzz_text(in);
    status.reason = how & 1 ? fuzz_text(in) : (char *)(uintptr_t) "VERSION_MISMATCH";
  }
  put_frame(&frame);
}

static void put_response(fuzz_in_t *in, ProtobufCBinaryData payload, bool error) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  const uint8_t id = fuzz_u8(in);
  frame.id = id < 0xf0 ? s.request : (uint32_t)fuzz_number(in);
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  response.result_case =
      error ? CMDMOX__V1__RESPONSE__RESULT_ERROR : CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  if (error) {
    response.error = &status;
    status.message = fuzz_text(in);
  } else {
    response.payload = payload;
  }
  put_frame(&frame);
}

static void put_action(fuzz_in_t *in, Cmdmox__V1__Action *action) {
  static uint8_t payload[TEXT_MAX / 2];
  Cmdmox__V1__InvokeResponse response = CMDMOX__V1__INVOKE_RESPONSE__INIT;
  response.action = action;
  action->call_id = fuzz_number(in);
  if (cmdmox__v1__invoke_response__get_packed_size(&response) > sizeof payload) return;
  const size_t len = cmdmox__v1__invoke_response__pack(&response, payload);
  put_response(in, (ProtobufCBinaryData){len, payload}, false);
}

static void put_reply(fuzz_in_t *in) {
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  const uint8_t how = fuzz_u8(in);
  action.kind_case = CMDMOX__V1__ACTION__KIND_REPLY;
  action.reply = &reply;
  if (how & 1) reply.stdout_data = bytes(in);
  if (how & 2) reply.stderr_data = bytes(in);
  if (how & 4) reply.delay_ms = (uint32_t)fuzz_number(in);
  reply.end_case = (Cmdmox__V1__Reply__EndCase)0;
  if ((how >> 4 & 3) == 1) {
    reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
    reply.exit_code = (uint32_t)fuzz_number(in);
  } else if ((how >> 4 & 3) == 2) {
    reply.end_case = CMDMOX__V1__REPLY__END_SIGNAL;
    reply.signal = fuzz_signal(in);
  } else if ((how >> 4 & 3) == 3) {
    reply.end_case = CMDMOX__V1__REPLY__END_HANG;
    reply.hang = fuzz_u8(in) & 1;
  }
  put_action(in, &action);
}

static void put_read_stdin(fuzz_in_t *in) {
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  Cmdmox__V1__ReadStdin read = CMDMOX__V1__READ_STDIN__INIT;
  action.kind_case = CMDMOX__V1__ACTION__KIND_READ_STDIN;
  action.read_stdin = &read;
  read.max_bytes = fuzz_number(in);
  read.deadline_ms = (uint32_t)fuzz_number(in);
  read.drain = fuzz_u8(in) & 1;
  put_action(in, &action);
  s.request += 2;
}

static void put_stream(fuzz_in_t *in) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  Cmdmox__V1__StreamData data = CMDMOX__V1__STREAM_DATA__INIT;
  const uint8_t how = fuzz_u8(in);
  frame.id = how & 0x80 ? (uint32_t)fuzz_number(in) : 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = &data;
  data.stream = how & 0x40 ? (Cmdmox__V1__Stream)(how & 7) : (Cmdmox__V1__Stream)(2 + (how & 1));
  if (how & 0x20) data.delay_ms = (uint32_t)fuzz_number(in);
  if (data.stream == CMDMOX__V1__STREAM__STREAM_FILE) {
    if (how & 0x10) data.path = bytes(in);
    if (how & 0x10) data.mode = (uint32_t)fuzz_number(in);
    data.eof = (how & 8) != 0;
  }
  data.data = bytes(in);
  put_frame(&frame);
}

static void put_aside(fuzz_in_t *in) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  Cmdmox__V1__Notify notify = CMDMOX__V1__NOTIFY__INIT;
  Cmdmox__V1__GoAway go_away = CMDMOX__V1__GO_AWAY__INIT;
  Cmdmox__V1__Status status = CMDMOX__V1__STATUS__INIT;
  Cmdmox__V1__Cancel cancel = CMDMOX__V1__CANCEL__INIT;
  switch (fuzz_u8(in) % 4) {
    case 0:
      frame.body_case = CMDMOX__V1__FRAME__BODY_NOTIFY;
      frame.notify = &notify;
      notify.topic = fuzz_text(in);
      break;
    case 1:
      frame.body_case = CMDMOX__V1__FRAME__BODY_GO_AWAY;
      frame.go_away = &go_away;
      go_away.status = &status;
      status.message = fuzz_text(in);
      break;
    case 2:
      frame.id = fuzz_u8(in) & 1;
      frame.body_case = CMDMOX__V1__FRAME__BODY_CANCEL;
      frame.cancel = &cancel;
      break;
    default:
      frame.id = (uint32_t)fuzz_number(in);
      break;
  }
  put_frame(&frame);
}

static void say(uint8_t what, fuzz_in_t *in) {
  cmox_span_t raw;
  switch (what) {
    case 0:
      put_hello_reply(in, true);
      break;
    case 1:
      put_hello_reply(in, false);
      break;
    case 2:
      put_reply(in);
      break;
    case 3:
      put_read_stdin(in);
      break;
    case 4:
      put_stream(in);
      break;
    case 5:
      put_response(in, (ProtobufCBinaryData){0}, true);
      break;
    case 6:
      put_response(in, bytes(in), false);
      break;
    case 7:
      put_aside(in);
      break;
    case 8:
      raw = fuzz_take(in, fuzz_u8(in));
      put_body(raw.data, raw.len);
      break;
    default:
      raw = fuzz_take(in, fuzz_u8(in));
      put(raw.data, raw.len);
      break;
  }
}

static void happen(uint8_t what, fuzz_in_t *in) {
  fake_os_piece_t piece = {.kind = FAKE_OS_CLOSE};
  cmox_span_t text;
  switch (what) {
    case 0:
      break;
    case 1:
      text = fuzz_bytes(in);
      if (text.len == 0) return;
      piece = (fake_os_piece_t){.kind = FAKE_OS_STDIN, .data = text.data, .len = text.len};
      break;
    case 2:
      piece.kind = FAKE_OS_STDIN_END;
      break;
    default:
      piece = (fake_os_piece_t){.kind = FAKE_OS_PASS, .ms = fuzz_number(in) % (1 << 28)};
      break;
  }
  fake_os_add(piece);
}

/* What was put since `from`: together with what came before, in one piece, or byte by byte. */
static void cut(size_t from, uint8_t how) {
  fake_os_piece_t *last = fake_os.piece_count ? &fake_os.pieces[fake_os.piece_count - 1] : NULL;
  const uint8_t *data = s.bytes + from;
  size_t len = s.len - from;
  if (how & 1 && last && last->kind == FAKE_OS_BYTES && last->data + last->len == data) {
    last->len += len;
    return;
  }
  for (int bytes_alone = 0; how & 2 && len > 1 && bytes_alone < 32; bytes_alone++, len--)
    fake_os_add((fake_os_piece_t){.kind = FAKE_OS_BYTES, .data = data++, .len = 1});
  if (len > 0) fake_os_add((fake_os_piece_t){.kind = FAKE_OS_BYTES, .data = data, .len = len});
}

static void set_place(uint8_t place) {
  static const char *const endpoints[] = {"unix:priv/s", "unix:/tmp/s\n", "tcp:[::1]:80", "", NULL};
  static const char *const timeouts[] = {NULL, "none", "0.5", "2", "x", "86400"};
  fake_os.endpoint = place < 0xf0 ? "unix:priv/s\n" : endpoints[place % 5];
  fake_os.variable = place == 0xfe ? "unix:/tmp/elsewhere" : NULL;
  fake_os.timeout = timeouts[(place & 0xf) % 6];
}

void serve_script(fuzz_in_t *in) {
  s.request = 1;
  s.len = 0;
  set_place(fuzz_u8(in));
  const uint8_t trouble = fuzz_u8(in);
  if (trouble & 1) fake_os.trouble = fuzz_u8(in);
  if (trouble & 2)
    for (size_t i = 0; i < sizeof fake_os.connects; i++) fake_os.connects[i] = fuzz_u8(in);
  if (trouble & 4) put_hello_reply(in, true);
  cut(0, 0);
  for (int steps = 0; in->len > 0 && steps < STEPS_MAX; steps++) {
    const uint8_t op = fuzz_u8(in);
    const size_t from = s.len;
    if (op & 0x40) {
      happen(op & 3, in);
      continue;
    }
    say((op & 0xf) % 10, in);
    cut(from, op >> 4 & 3);
  }
}

bool serve_is_completed(const uint8_t *body, size_t len) {
  Cmdmox__V1__Frame *frame = cmdmox__v1__frame__unpack(NULL, len, body);
  FUZZ_NEED(frame, "the shim sent something malformed");
  const bool is = frame->body_case == CMDMOX__V1__FRAME__BODY_NOTIFY &&
                  strcmp(frame->notify->topic, "cmdmox.v1.Completed") == 0;
  cmdmox__v1__frame__free_unpacked(frame, NULL);
  return is;
}
