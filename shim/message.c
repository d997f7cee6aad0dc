#include "shim/message.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#include "cmdmox/v1/frame.pb.h"
#include "cmdmox/v1/shim.pb.h"
#include "proto/framing.h"
#include "shim/say.h"

/* Outgoing */

static bool put_text(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
  const char *text = *arg;
  return pb_encode_tag_for_field(stream, field) &&
         pb_encode_string(stream, (const pb_byte_t *)text, strlen(text));
}

static bool put_view(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
  const cmox_view_t *view = *arg;
  return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, view->data, view->len);
}

static bool put_list(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
  for (char **item = *arg; *item; item++) {
    void *const text = *item;
    if (!put_text(stream, field, &text)) return false;
  }
  return true;
}

typedef bool encode_t(pb_ostream_t *stream, const pb_field_t *field, void *const *arg);

static pb_callback_t from(encode_t *encode, const void *arg) {
  return (pb_callback_t){.funcs.encode = encode, .arg = (void *)(uintptr_t)arg};
}

static const char does_not_fit[] = "the call's arguments and environment do not fit a frame";

static void put_frame(cmox_bytes_t *out, const cmdmox_v1_Frame *frame) {
  size_t size;
  uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
  if (!pb_get_encoded_size(&size, cmdmox_v1_Frame_fields, frame) || size > CMOX_FRAME_MAX_DEFAULT)
    cmox_die(does_not_fit);
  const size_t prefix_len = cmox_prefix_write(prefix, (uint32_t)size);
  if (!cmox_bytes_reserve(out, prefix_len + size)) cmox_die("out of memory");
  memcpy(out->data + out->len, prefix, prefix_len);
  pb_ostream_t stream = pb_ostream_from_buffer(out->data + out->len + prefix_len, size);
  if (!pb_encode(&stream, cmdmox_v1_Frame_fields, frame)) cmox_die("cannot encode a frame");
  out->len += prefix_len + stream.bytes_written;
}

/* A frame whose last field is a message: request and notify. The message is encoded first, in
 * its final buffer and behind room for what comes before it: nested into the frame it would be
 * sized at every level and walked four times. */
enum { HEAD_MAX = 96 };

typedef struct head {
  uint8_t bytes[HEAD_MAX];
  size_t len, wanted;
} head_t;

/* Keeps the first bytes of a frame and passes over its payload. */
static bool keep_head(pb_ostream_t *stream, const pb_byte_t *data, size_t len) {
  head_t *head = stream->state;
  const size_t room = head->wanted - head->len;
  memcpy(head->bytes + head->len, data, len < room ? len : room);
  head->len += len < room ? len : room;
  return true;
}

static cmox_view_t encode_behind_head(cmox_bytes_t *out, const pb_msgdesc_t *type,
                                      const void *message) {
  size_t size;
  if (!cmox_bytes_reserve(out, HEAD_MAX)) cmox_die("out of memory");
  uint8_t *at = out->data + out->len + HEAD_MAX;
  pb_ostream_t stream = pb_ostream_from_buffer(at, out->capacity - out->len - HEAD_MAX);
  if (!pb_encode(&stream, type, message)) {
    if (!pb_get_encoded_size(&size, type, message) || size > CMOX_FRAME_MAX_DEFAULT)
      cmox_die(does_not_fit);
    if (!cmox_bytes_reserve(out, HEAD_MAX + size)) cmox_die("out of memory");
    at = out->data + out->len + HEAD_MAX;
    stream = pb_ostream_from_buffer(at, size);
    if (!pb_encode(&stream, type, message)) cmox_die("cannot encode a message");
  }
  return (cmox_view_t){at, stream.bytes_written};
}

/* payload is what the frame's last field refers to. */
static void put_around(cmox_bytes_t *out, const cmdmox_v1_Frame *frame, cmox_view_t *payload,
                       const pb_msgdesc_t *type, const void *message) {
  size_t size;
  *payload = encode_behind_head(out, type, message);
  if (!pb_get_encoded_size(&size, cmdmox_v1_Frame_fields, frame) || size > CMOX_FRAME_MAX_DEFAULT)
    cmox_die(does_not_fit);
  head_t head;
  head.len = cmox_prefix_write(head.bytes, (uint32_t)size);
  head.wanted = head.len + size - payload->len;
  if (head.wanted > HEAD_MAX) cmox_die("cannot encode a frame");
  pb_ostream_t stream = {.callback = keep_head, .state = &head, .max_size = SIZE_MAX};
  if (!pb_encode(&stream, cmdmox_v1_Frame_fields, frame)) cmox_die("cannot encode a frame");
  memmove(out->data + out->len + head.len, payload->data, payload->len);
  memcpy(out->data + out->len, head.bytes, head.len);
  out->len += head.len + payload->len;
}

static void put_request(cmox_bytes_t *out, uint32_t id, const char *method,
                        const pb_msgdesc_t *type, const void *message) {
  cmox_view_t payload;
  cmdmox_v1_Frame frame = cmdmox_v1_Frame_init_zero;
  frame.id = id;
  frame.has_request = true;
  frame.request.method = from(put_text, method);
  frame.request.payload = from(put_view, &payload);
  put_around(out, &frame, &payload, type, message);
}

void cmox_put_hello(cmox_bytes_t *out, uint32_t silence_ms) {
  cmdmox_v1_Frame frame = cmdmox_v1_Frame_init_zero;
  frame.has_hello = true;
  frame.hello.magic = CMOX_MAGIC;
  frame.hello.min_version = CMOX_PROTOCOL_MIN;
  frame.hello.max_version = CMOX_PROTOCOL_MAX;
  frame.hello.role = cmdmox_v1_Role_ROLE_SHIM;
  frame.hello.software = from(put_text, "cmdmox-shim " CMDMOX_VERSION);
  frame.hello.silence_ms = silence_ms;
  put_frame(out, &frame);
}

void cmox_put_invoke(cmox_bytes_t *out, const cmox_invocation_t *call) {
  const cmox_view_t key = {call->key, sizeof call->key};
  cmdmox_v1_InvokeRequest request = cmdmox_v1_InvokeRequest_init_zero;
  request.command = from(put_text, call->command);
  request.argv = from(put_list, call->argv);
  request.env_block = from(put_list, call->environment);
  if (call->cwd.len > 0) request.cwd = from(put_view, &call->cwd);
  request.pid = call->pid;
  request.ppid = call->ppid;
  request.tty_mask = call->tty_mask;
  request.invocation_key = from(put_view, &key);
  put_request(out, CMOX_INVOKE_ID, "cmdmox.v1.ShimService/Invoke", cmdmox_v1_InvokeRequest_fields,
              &request);
}

void cmox_put_piece(cmox_bytes_t *out, int stream, cmox_view_t data, uint64_t us) {
  static const cmdmox_v1_Stream streams[] = {cmdmox_v1_Stream_STREAM_STDIN,
                                             cmdmox_v1_Stream_STREAM_STDOUT,
                                             cmdmox_v1_Stream_STREAM_STDERR};
  cmdmox_v1_Frame frame = cmdmox_v1_Frame_init_zero;
  frame.id = CMOX_INVOKE_ID;
  frame.has_stream_data = true;
  frame.stream_data.stream = streams[stream];
  frame.stream_data.data = from(put_view, &data);
  frame.stream_data.monotonic_ns = us * 1000;
  put_frame(out, &frame);
}

void cmox_put_continue(cmox_bytes_t *out, uint32_t id, uint64_t call_id, uint64_t stdin_bytes,
                       cmox_stdin_end_t end) {
  cmdmox_v1_ContinueInvokeRequest request = cmdmox_v1_ContinueInvokeRequest_init_zero;
  request.call_id = call_id;
  request.stdin_bytes = stdin_bytes;
  request.stdin_end = (cmdmox_v1_StdinEnd)end;
  put_request(out, id, "cmdmox.v1.ShimService/ContinueInvoke",
              cmdmox_v1_ContinueInvokeRequest_fields, &request);
}

void cmox_put_passed(cmox_bytes_t *out, uint32_t id, uint64_t call_id,
                     const cmox_passed_t *passed) {
  cmdmox_v1_ReportPassthroughRequest request = cmdmox_v1_ReportPassthroughRequest_init_zero;
  request.call_id = call_id;
  request.exit_code = passed->exit_code;
  request.has_exit_code = !passed->signal && !passed->replaced;
  if (passed->signal) request.signal = from(put_text, passed->signal);
  if (passed->program) request.program = from(put_text, passed->program);
  if (passed->failure) request.failure = from(put_text, passed->failure);
  request.timed_out = passed->timed_out;
  request.stdin_bytes = passed->bytes[0];
  request.stdout_bytes = passed->bytes[1];
  request.stderr_bytes = passed->bytes[2];
  request.merged = passed->merged;
  request.lingering = passed->lingering;
  request.replaced = passed->replaced;
  put_request(out, id, "cmdmox.v1.ShimService/ReportPassthrough",
              cmdmox_v1_ReportPassthroughRequest_fields, &request);
}

void cmox_put_completed(cmox_bytes_t *out, uint64_t call_id, uint64_t stdout_written,
                        uint64_t stderr_written, bool broken_pipe, const char *failure,
                        const cmox_view_t *failed_path) {
  cmdmox_v1_Completed completed = {.call_id = call_id,
                                   .stdout_written = stdout_written,
                                   .stderr_written = stderr_written,
                                   .broken_pipe = broken_pipe};
  if (failure) completed.failure = from(put_text, failure);
  if (failed_path->len > 0) completed.failed_path = from(put_view, failed_path);
  cmox_view_t payload;
  cmdmox_v1_Frame frame = cmdmox_v1_Frame_init_zero;
  frame.has_notify = true;
  frame.notify.topic = from(put_text, "cmdmox.v1.Completed");
  frame.notify.payload = from(put_view, &payload);
  put_around(out, &frame, &payload, cmdmox_v1_Completed_fields, &completed);
}

/* Incoming */

/* A stream over memory of our own, so that a callback may keep a view of it. */
static bool read_memory(pb_istream_t *stream, pb_byte_t *buf, size_t count) {
  const uint8_t **at = stream->state;
  if (buf) memcpy(buf, *at, count);
  *at += count;
  return true;
}

static bool decode(cmox_view_t bytes, const pb_msgdesc_t *type, void *message) {
  const uint8_t *at = bytes.data;
  pb_istream_t stream = {.callback = read_memory, .state = &at, .bytes_left = bytes.len};
  return pb_decode_ex(&stream, type, message, PB_DECODE_NOINIT);
}

static bool keep(pb_istream_t *stream, const pb_field_t *field, void **arg) {
  (void)field;
  /* A field of the wrong wire type comes from a temporary buffer of nanopb's. */
  if (stream->callback != read_memory) return false;
  const uint8_t **at = stream->state;
  *(cmox_view_t *)*arg = (cmox_view_t){*at, stream->bytes_left};
  *at += stream->bytes_left;
  stream->bytes_left = 0;
  return true;
}

static pb_callback_t into(cmox_view_t *view) {
  return (pb_callback_t){.funcs.decode = keep, .arg = view};
}

/* Adds to a list whose views point into the bytes that are decoded. */
static bool keep_change(pb_istream_t *stream, const pb_field_t *field, void **arg) {
  (void)field;
  cmox_bytes_t *list = *arg;
  cmox_change_t change = {0};
  cmdmox_v1_EnvChange message = cmdmox_v1_EnvChange_init_zero;
  message.name = into(&change.name);
  message.value = into(&change.value);
  if (!pb_decode_ex(stream, cmdmox_v1_EnvChange_fields, &message, PB_DECODE_NOINIT)) return false;
  if (!cmox_bytes_reserve(list, sizeof change)) cmox_die("out of memory");
  memcpy(list->data + list->len, &change, sizeof change);
  list->len += sizeof change;
  return true;
}

static void status_into(cmdmox_v1_Status *status, cmox_frame_t *out) {
  status->message = into(&out->message);
  status->reason = into(&out->reason);
}

static cmox_frame_kind_t kind_of(const cmdmox_v1_Frame *frame) {
  if (frame->has_hello_reply && frame->hello_reply.has_ok) return CMOX_FRAME_WELCOME;
  if (frame->has_hello_reply && frame->hello_reply.has_error) return CMOX_FRAME_REFUSAL;
  if (frame->has_response) return frame->response.has_error ? CMOX_FRAME_ERROR : CMOX_FRAME_ANSWER;
  if (frame->has_stream_data) return CMOX_FRAME_STREAM;
  if (frame->has_notify) return CMOX_FRAME_NOTIFY;
  return frame->has_go_away ? CMOX_FRAME_GO_AWAY : CMOX_FRAME_OTHER;
}

bool cmox_frame_decode(cmox_view_t body, cmox_frame_t *out) {
  cmdmox_v1_Frame frame = cmdmox_v1_Frame_init_zero;
  memset(out, 0, sizeof *out);
  status_into(&frame.hello_reply.error, out);
  status_into(&frame.response.error, out);
  status_into(&frame.go_away.status, out);
  frame.response.payload = into(&out->data);
  frame.stream_data.data = into(&out->data);
  frame.stream_data.path = into(&out->path);
  if (!decode(body, cmdmox_v1_Frame_fields, &frame)) return false;
  out->kind = kind_of(&frame);
  out->id = frame.id;
  out->version = frame.hello_reply.ok.version;
  out->max_frame_bytes = frame.hello_reply.ok.max_frame_bytes;
  out->delay_ms = frame.stream_data.delay_ms;
  if (frame.stream_data.stream == cmdmox_v1_Stream_STREAM_STDOUT) out->stream = 1;
  if (frame.stream_data.stream == cmdmox_v1_Stream_STREAM_STDERR) out->stream = 2;
  if (frame.stream_data.stream == cmdmox_v1_Stream_STREAM_FILE) out->stream = CMOX_STREAM_FILE;
  out->mode = frame.stream_data.mode;
  out->eof = frame.stream_data.eof;
  return true;
}

static void take_action(const cmdmox_v1_Action *action, cmox_action_t *out) {
  out->call_id = action->call_id;
  if (action->has_reply) {
    out->kind = CMOX_ACTION_REPLY;
    out->delay_ms = action->reply.delay_ms;
    out->exit_code = action->reply.exit_code;
    out->hang = action->reply.hang;
    out->ends = action->reply.has_exit_code || out->hang || out->signal.data;
  } else if (action->has_read_stdin) {
    out->kind = CMOX_ACTION_READ_STDIN;
    out->max_bytes = action->read_stdin.max_bytes;
    out->deadline_ms = action->read_stdin.deadline_ms;
    out->drain = action->read_stdin.drain;
    out->keep = action->read_stdin.keep;
  } else if (action->has_passthrough) {
    out->kind = CMOX_ACTION_PASSTHROUGH;
    out->capture[0] = action->passthrough.capture_stdin;
    out->capture[1] = action->passthrough.capture_stdout;
    out->capture[2] = action->passthrough.capture_stderr;
    out->capture_max = action->passthrough.capture_max_bytes;
    out->timeout_ms = action->passthrough.timeout_ms;
    out->kill_after_ms = action->passthrough.kill_after_ms;
  }
}

bool cmox_action_decode(uint32_t request, cmox_view_t payload, cmox_action_t *out) {
  union {
    cmdmox_v1_InvokeResponse invoke;
    cmdmox_v1_ContinueInvokeResponse next;
  } response;
  static CMOX_COLD uint8_t first_changes[16 * sizeof(cmox_change_t)];
  memset(&response, 0, sizeof response);
  memset(out, 0, sizeof *out);
  out->changes = (cmox_bytes_t){.data = first_changes, .capacity = sizeof first_changes};
  const bool first = request == CMOX_INVOKE_ID;
  cmdmox_v1_Action *action = first ? &response.invoke.action : &response.next.action;
  action->reply.stdout_data = into(&out->out);
  action->reply.stderr_data = into(&out->err);
  action->reply.signal = into(&out->signal);
  action->passthrough.program = into(&out->program);
  action->passthrough.search_path = into(&out->search_path);
  action->passthrough.env_changes =
      (pb_callback_t){.funcs.decode = keep_change, .arg = &out->changes};
  if (!decode(payload,
              first ? cmdmox_v1_InvokeResponse_fields : cmdmox_v1_ContinueInvokeResponse_fields,
              &response))
    return false;
  take_action(action, out);
  return true;
}
