#include "tests/fuzz/talk.h"

#include <string.h>

#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"
#include "proto/framing.h"
#include "proto/limits.h"
#include "tests/fuzz/talk_double.h"
#include "tests/lib/schema.h"

typedef ProtobufCBinaryData bytes_t;

static bytes_t to_bytes(cmox_span_t span) {
  return (bytes_t){span.len, (uint8_t *)(uintptr_t)span.data};
}

static bytes_t bytes(fuzz_in_t *in) { return to_bytes(fuzz_bytes(in)); }

/* A frame around a body, which need not be one. */
static void put_body(const void *body, size_t len, talk_out_t *out) {
  if (TALK_OUT_MAX - out->len < len + CMOX_FRAME_PREFIX_MAX) return;
  out->len += cmox_prefix_write(out->data + out->len, (uint32_t)len);
  if (len) memcpy(out->data + out->len, body, len);
  out->len += len;
}

static void put_frame(const Cmdmox__V1__Frame *frame, talk_out_t *out) {
  const size_t len = cmdmox__v1__frame__get_packed_size(frame);
  if (TALK_OUT_MAX - out->len < len + CMOX_FRAME_PREFIX_MAX) return;
  out->len += cmox_prefix_write(out->data + out->len, (uint32_t)len);
  out->len += cmdmox__v1__frame__pack(frame, out->data + out->len);
}

/* The message's bytes; valid until the next call. */
static bytes_t packed(const ProtobufCMessage *message) {
  static uint8_t payload[TALK_OUT_MAX];
  if (protobuf_c_message_get_packed_size(message) > sizeof payload) return (bytes_t){0};
  return (bytes_t){protobuf_c_message_pack(message, payload), payload};
}

/* ---- The envelope ---- */

static void put_hello(Cmdmox__V1__Hello *hello, talk_out_t *out) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
  frame.hello = hello;
  put_frame(&frame, out);
}

static Cmdmox__V1__Hello valid_hello(bool shim) {
  Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
  hello.magic = CMOX_MAGIC;
  hello.min_version = CMOX_PROTOCOL_MIN;
  hello.max_version = CMOX_PROTOCOL_MAX;
  hello.role = shim ? CMDMOX__V1__ROLE__ROLE_SHIM : CMDMOX__V1__ROLE__ROLE_CONTROLLER;
  hello.silence_ms = 5000;
  return hello;
}

void talk_valid_hello(bool shim, talk_out_t *out) {
  Cmdmox__V1__Hello hello = valid_hello(shim);
  put_hello(&hello, out);
}

void talk_hello(fuzz_in_t *in, bool shim, talk_out_t *out) {
  Cmdmox__V1__Hello hello = valid_hello(shim);
  const uint8_t wrong = fuzz_u8(in);
  if (wrong & 1) hello.magic = fuzz_u32(in);
  if (wrong & 2) hello.min_version = (uint32_t)fuzz_number(in);
  if (wrong & 4) hello.max_version = (uint32_t)fuzz_number(in);
  if (wrong & 8) hello.role = (Cmdmox__V1__Role)fuzz_number(in);
  if (wrong & 16) hello.max_frame_bytes = (uint32_t)fuzz_number(in);
  if (wrong & 32) hello.silence_ms = (uint32_t)fuzz_number(in);
  if (wrong & 64) hello.software = fuzz_text(in);
  if (wrong & 128) hello.token = bytes(in);
  put_hello(&hello, out);
}

void talk_raw_frame(fuzz_in_t *in, talk_out_t *out) {
  const cmox_span_t body = fuzz_take(in, fuzz_u8(in));
  put_body(body.data, body.len, out);
}

/* Mostly the next id, sometimes any. */
static uint32_t request_id(fuzz_in_t *in, talk_t *talk) {
  const uint8_t byte = fuzz_u8(in);
  if (byte >= 0xf0) return (uint32_t)fuzz_number(in);
  talk->next_id += 2;
  return talk->next_id;
}

static void put_request(fuzz_in_t *in, talk_t *talk, const char *method, bytes_t payload,
                        talk_out_t *out) {
  Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  request.method = (char *)(uintptr_t)method;
  request.payload = payload;
  frame.id = request_id(in, talk);
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &request;
  put_frame(&frame, out);
}

static void put_call(fuzz_in_t *in, talk_t *talk, const char *method,
                     const ProtobufCMessage *message, talk_out_t *out) {
  put_request(in, talk, method, packed(message), out);
}

void talk_raw_request(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  const ProtobufCServiceDescriptor *service = cmox_test_services[fuzz_u8(in) % 4];
  const uint8_t index = fuzz_u8(in);
  char method[128];
  snprintf(method, sizeof method, "%s/%s", service->name,
           index == 0xff ? "Nothing" : service->methods[index % service->n_methods].name);
  put_request(in, talk, method, to_bytes(fuzz_take(in, fuzz_u8(in))), out);
}

void talk_other(fuzz_in_t *in, talk_out_t *out) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  Cmdmox__V1__Cancel cancel = CMDMOX__V1__CANCEL__INIT;
  Cmdmox__V1__GoAway go_away = CMDMOX__V1__GO_AWAY__INIT;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  Cmdmox__V1__Status error = CMDMOX__V1__STATUS__INIT;
  frame.id = (uint32_t)fuzz_number(in);
  switch (fuzz_u8(in) % 5) {
    case 0:
      frame.body_case = CMDMOX__V1__FRAME__BODY_CANCEL;
      frame.cancel = &cancel;
      break;
    case 1:
      frame.body_case = CMDMOX__V1__FRAME__BODY_GO_AWAY;
      frame.go_away = &go_away;
      break;
    case 2:
      frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
      frame.hello_reply = &reply;
      break;
    case 3:
      frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
      frame.response = &response;
      talk_response(in, &response, &error);
      break;
    default:
      break; /* no body */
  }
  put_frame(&frame, out);
}

/* ---- A shim ---- */

void talk_invoke(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  enum { ITEMS_MAX = 8 };
  Cmdmox__V1__InvokeRequest call = CMDMOX__V1__INVOKE_REQUEST__INIT;
  bytes_t argv[ITEMS_MAX], env[ITEMS_MAX];
  uint8_t key[CMOX_INVOCATION_KEY_BYTES + 1] = {fuzz_u8(in)};
  const uint8_t counts = fuzz_u8(in);
  call.command = bytes(in);
  call.n_argv = counts % ITEMS_MAX;
  call.n_env_block = counts / ITEMS_MAX % ITEMS_MAX;
  for (size_t i = 0; i < call.n_argv; i++) argv[i] = bytes(in);
  for (size_t i = 0; i < call.n_env_block; i++) env[i] = bytes(in);
  call.argv = argv;
  call.env_block = env;
  call.invocation_key = (bytes_t){CMOX_INVOCATION_KEY_BYTES, key};
  if (counts >= 0xc0) { /* what is rarely looked at */
    call.cwd = bytes(in);
    call.pid = (uint32_t)fuzz_number(in);
    call.tty_mask = fuzz_u8(in);
    call.invocation_key.len = fuzz_u8(in) % (sizeof key + 1);
  }
  put_call(in, talk, "cmdmox.v1.ShimService/Invoke", &call.base, out);
}

void talk_stdin(fuzz_in_t *in, talk_out_t *out) {
  Cmdmox__V1__StreamData data = CMDMOX__V1__STREAM_DATA__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  const uint8_t how = fuzz_u8(in);
  data.stream = how & 1 ? (Cmdmox__V1__Stream)(how >> 4) : CMDMOX__V1__STREAM__STREAM_STDIN;
  data.eof = (how & 2) != 0;
  data.data = bytes(in);
  frame.id = how & 4 ? (uint32_t)fuzz_number(in) : 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = &data;
  put_frame(&frame, out);
}

static void report_passthrough(fuzz_in_t *in, talk_t *talk, uint64_t call_id, talk_out_t *out) {
  Cmdmox__V1__ReportPassthroughRequest request = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__INIT;
  const uint8_t how = fuzz_u8(in);
  request.call_id = call_id;
  request.replaced = how & 1;
  if (how & 2) {
    request.end_case = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_EXIT_CODE;
    request.exit_code = fuzz_u8(in);
  } else if (how & 4) {
    request.end_case = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_SIGNAL;
    request.signal = fuzz_signal(in);
  }
  if (how & 8) request.failure = fuzz_text(in);
  if (how & 16) request.program = bytes(in);
  if (how & 32) request.stdin_bytes = fuzz_number(in);
  if (how & 64) request.stdout_bytes = request.stderr_bytes = fuzz_number(in);
  request.merged = request.timed_out = request.lingering = how >> 7;
  put_call(in, talk, "cmdmox.v1.ShimService/ReportPassthrough", &request.base, out);
}

void talk_continue(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__ContinueInvokeRequest request = CMDMOX__V1__CONTINUE_INVOKE_REQUEST__INIT;
  request.call_id = fuzz_number(in);
  request.stdin_bytes = fuzz_number(in);
  const uint8_t end = fuzz_u8(in);
  if (end >= 0xc0) { /* the others keep their numbers */
    report_passthrough(in, talk, request.call_id, out);
    return;
  }
  request.stdin_end = (Cmdmox__V1__StdinEnd)(end % 7);
  put_call(in, talk, "cmdmox.v1.ShimService/ContinueInvoke", &request.base, out);
}

void talk_notify(fuzz_in_t *in, talk_out_t *out) {
  Cmdmox__V1__Completed completed = CMDMOX__V1__COMPLETED__INIT;
  Cmdmox__V1__Notify notify = CMDMOX__V1__NOTIFY__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  const uint8_t how = fuzz_u8(in);
  completed.call_id = fuzz_number(in);
  completed.stdout_written = fuzz_number(in);
  completed.stderr_written = fuzz_number(in);
  completed.broken_pipe = (how & 1) != 0;
  if (how & 2) completed.failure = fuzz_text(in);
  if (how & 16) completed.failed_path = bytes(in);
  notify.topic = (char *)(uintptr_t)(how & 4 ? "cmdmox.v1.Progress" : "cmdmox.v1.Completed");
  notify.payload = how & 8 ? bytes(in) : packed(&completed.base);
  frame.body_case = CMDMOX__V1__FRAME__BODY_NOTIFY;
  frame.notify = &notify;
  put_frame(&frame, out);
}

/* ---- A client ---- */

static bytes_t session(fuzz_in_t *in, const talk_t *talk) {
  const uint8_t byte = fuzz_u8(in);
  if (byte == 0xff) return bytes(in);
  if (talk->session_count == 0) return (bytes_t){0};
  const uint8_t *id = talk->sessions[byte % talk->session_count];
  return (bytes_t){TALK_SESSION_BYTES, (uint8_t *)(uintptr_t)id};
}

void talk_create_session(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  static const char *const dialects[] = {"", "c", "python", "shell", "klingon"};
  Cmdmox__V1__CreateSessionRequest request = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  const uint8_t how = fuzz_u8(in);
  request.dialect = (char *)(uintptr_t)dialects[how % 5];
  if (how & 0x20) {
    request.path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
    request.path = bytes(in);
  }
  if (how & 0x40) request.temporary_directory = bytes(in);
  if (how & 0x80) request.idle_timeout_ms = fuzz_u8(in);
  request.contained = (how & 0x18) == 0x10;
  if ((how & 0x18) == 0x18) request.callback_deadline_ms = fuzz_u8(in);
  put_call(in, talk, "cmdmox.v1.ControlService/CreateSession", &request.base, out);
}

void talk_create_doubles(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  enum { DOUBLES_MAX = 3 };
  double_parts_t parts[DOUBLES_MAX];
  Cmdmox__V1__Double *doubles[DOUBLES_MAX];
  Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  request.session_id = session(in, talk);
  const uint8_t count = fuzz_u8(in);
  request.n_doubles = count >= 0xf0 ? count & 3 : 1;
  request.doubles = doubles;
  for (size_t i = 0; i < request.n_doubles; i++) doubles[i] = talk_fill_double(in, &parts[i]);
  put_call(in, talk, "cmdmox.v1.ControlService/CreateDoubles", &request.base, out);
}

static void set_default_action(fuzz_in_t *in, talk_t *talk, bytes_t id, talk_out_t *out) {
  double_parts_t parts;
  Cmdmox__V1__SetDefaultActionRequest request = CMDMOX__V1__SET_DEFAULT_ACTION_REQUEST__INIT;
  request.session_id = id;
  if (fuzz_u8(in) & 1) {
    talk_fill_reply(in, &parts);
    request.action = &parts.action;
  }
  put_call(in, talk, "cmdmox.v1.ControlService/SetDefaultAction", &request.base, out);
}

static void update_double(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  double_parts_t parts;
  Cmdmox__V1__UpdateDoubleRequest request = CMDMOX__V1__UPDATE_DOUBLE_REQUEST__INIT;
  request.session_id = session(in, talk);
  request.double_id = fuzz_number(in);
  if (request.double_id == 30) {
    set_default_action(in, talk, request.session_id, out);
    return;
  }
  if (request.double_id != 31) request.patch = talk_fill_double(in, &parts);
  put_call(in, talk, "cmdmox.v1.ControlService/UpdateDouble", &request.base, out);
}

/* The same words for what a command is to be. */
static void register_commands(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  bytes_t commands[3];
  const bytes_t id = session(in, talk);
  const uint8_t how = fuzz_u8(in);
  const size_t count = how % 4;
  for (size_t i = 0; i < count; i++) commands[i] = bytes(in);
  if (how >= 0xe0) {
    Cmdmox__V1__AllowCommandsRequest request = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
    request.session_id = id;
    request.n_commands = count;
    request.commands = commands;
    put_call(in, talk, "cmdmox.v1.ControlService/AllowCommands", &request.base, out);
  } else if (how >= 0xc0) {
    Cmdmox__V1__MakeAbsentRequest request = CMDMOX__V1__MAKE_ABSENT_REQUEST__INIT;
    request.session_id = id;
    request.n_commands = count;
    request.commands = commands;
    put_call(in, talk, "cmdmox.v1.ControlService/MakeAbsent", &request.base, out);
  } else {
    Cmdmox__V1__RegisterCommandsRequest request = CMDMOX__V1__REGISTER_COMMANDS_REQUEST__INIT;
    request.session_id = id;
    request.n_commands = count;
    request.commands = commands;
    put_call(in, talk, "cmdmox.v1.ControlService/RegisterCommands", &request.base, out);
  }
}

static void list_invocations(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__ListInvocationsRequest request = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  request.session_id = session(in, talk);
  const uint8_t how = fuzz_u8(in);
  if (how & 1) request.double_id = fuzz_number(in);
  if (how & 2) request.page_size = (uint32_t)fuzz_number(in);
  if (how & 4) request.page_token = bytes(in);
  if (how & 8) request.command = bytes(in);
  put_call(in, talk, "cmdmox.v1.ControlService/ListInvocations", &request.base, out);
}

static void get_call_count(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
  request.session_id = session(in, talk);
  request.double_id = fuzz_number(in);
  request.command = bytes(in);
  put_call(in, talk, "cmdmox.v1.ControlService/GetCallCount", &request.base, out);
}

static void release_calls(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__ReleaseCallsRequest request = CMDMOX__V1__RELEASE_CALLS_REQUEST__INIT;
  request.session_id = session(in, talk);
  request.gate = fuzz_text(in);
  put_call(in, talk, "cmdmox.v1.ControlService/ReleaseCalls", &request.base, out);
}

static void verify(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = session(in, talk);
  put_call(in, talk, "cmdmox.v1.ControlService/Verify", &request.base, out);
}

static void serve_callbacks(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__ServeCallbacksRequest request = CMDMOX__V1__SERVE_CALLBACKS_REQUEST__INIT;
  request.session_id = session(in, talk);
  put_call(in, talk, "cmdmox.v1.ControlService/ServeCallbacks", &request.base, out);
}

static void replay(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__ReplayRequest request = CMDMOX__V1__REPLAY_REQUEST__INIT;
  request.session_id = session(in, talk);
  put_call(in, talk, "cmdmox.v1.ControlService/Replay", &request.base, out);
}

static void delete_session(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  Cmdmox__V1__DeleteSessionRequest request = CMDMOX__V1__DELETE_SESSION_REQUEST__INIT;
  request.session_id = session(in, talk);
  put_call(in, talk, "cmdmox.v1.ControlService/DeleteSession", &request.base, out);
}

void talk_control(fuzz_in_t *in, talk_t *talk, talk_out_t *out) {
  static void (*const methods[])(fuzz_in_t *, talk_t *, talk_out_t *) = {replay,
                                                                         verify,
                                                                         list_invocations,
                                                                         get_call_count,
                                                                         update_double,
                                                                         release_calls,
                                                                         register_commands,
                                                                         delete_session,
                                                                         talk_create_session};
  const uint8_t which = fuzz_u8(in);
  if (which >= 0xfc) /* the others keep their numbers: the corpus knows them */
    serve_callbacks(in, talk, out);
  else
    methods[which % (sizeof methods / sizeof *methods)](in, talk, out);
}
