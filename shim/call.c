/* The conversation of one call:
 *   1. connect; Hello and Invoke leave in one write, so that a call is one round trip;
 *   2. HelloReply says whether we speak the same version;
 *   3. pieces of stdout, stderr and files are written as they come, up to the Response with the
 *      action;
 *   4. after the last action, Completed.
 * Failures: a server that is not there or stays silent past the deadline ends the launcher. One
 * that closes before HelloReply (it ran out of descriptors, say) is asked again until the
 * deadline, with the same invocation key, so that the call counts once. One that closes
 * later has died. */
#include "shim/call.h"

#include <string.h>

#include "shim/clock.h"
#include "shim/file.h"
#include "shim/os.h"
#include "shim/say.h"
#include "shim/trace.h"

static CMOX_COLD uint8_t first_buffer[16 << 10];

enum { BACKOFF_FIRST_MS = 1, BACKOFF_MAX_MS = 64 };

/* A server that was only slow hears what became of the call, or its test would pass. */
_Noreturn static void die_silent(cmox_call_t *call) {
  const cmox_link_t *link = &call->link;
  if (call->stated) cmox_call_complete(call, "no word from the server in time");
  cmox_say("no word from the server for ");
  cmox_say_number(link->silence_ms);
  cmox_die(" ms (CMOX_IPC_TIMEOUT sets how long to wait)");
}

_Noreturn static void die_closed(void) {
  cmox_die("the server closed the connection before the call was answered");
}

static void need(cmox_call_t *call, cmox_link_result_t result) {
  if (result == CMOX_LINK_SILENT) die_silent(call);
  if (result == CMOX_LINK_CLOSED) die_closed();
}

/* The server's own words. */
_Noreturn static void die_refused(const cmox_frame_t *frame) {
  static const char skew[] = "VERSION_MISMATCH";
  if (frame->message.len > 0)
    cmox_say_bytes(frame->message.data, frame->message.len);
  else
    cmox_say("the server refused the call without saying why");
  if (frame->reason.len == sizeof skew - 1 &&
      memcmp(frame->reason.data, skew, sizeof skew - 1) == 0)
    cmox_say(" (this is cmdmox-shim " CMDMOX_VERSION ")");
  cmox_die("");
}

static void decode(cmox_view_t body, cmox_frame_t *frame) {
  if (!cmox_frame_decode(body, frame))
    cmox_die("the server does not speak this protocol: malformed message");
}

/* What may come at any time. Frames without an id that are newer than this shim want no reply. */
static void take_aside(const cmox_frame_t *frame) {
  if (frame->kind == CMOX_FRAME_GO_AWAY) die_refused(frame);
  if (frame->kind == CMOX_FRAME_NOTIFY) return;
  if (frame->kind == CMOX_FRAME_OTHER && frame->id == 0) return;
  cmox_die("the server sent something out of turn");
}

static void take_welcome(cmox_call_t *call, const cmox_frame_t *frame) {
  if (frame->version < CMOX_PROTOCOL_MIN || frame->version > CMOX_PROTOCOL_MAX) {
    cmox_say("the server chose protocol ");
    cmox_say_number(frame->version);
    cmox_say(", this shim speaks ");
    cmox_say_number(CMOX_PROTOCOL_MIN);
    cmox_say("-");
    cmox_say_number(CMOX_PROTOCOL_MAX);
    cmox_die("");
  }
  const uint32_t most = frame->max_frame_bytes ? frame->max_frame_bytes : CMOX_FRAME_MAX_DEFAULT;
  if (most < CMOX_FRAME_MAX_LEAST) cmox_die("the server accepts only frames that are too small");
  /* A frame is its piece and less than 64 bytes. */
  call->chunk = most < CMOX_STREAM_CHUNK_MAX + 64 ? most - 64 : CMOX_STREAM_CHUNK_MAX;
}

static void state_call(cmox_call_t *call, const char *command, char **argv, uint32_t silence_ms) {
  static cmox_os_process_t process;
  cmox_os_describe(&process);
  cmox_invocation_t invocation = {.command = command,
                                  .argv = argv,
                                  .environment = process.environment,
                                  .cwd = {(const uint8_t *)process.cwd, process.cwd_len},
                                  .pid = process.pid,
                                  .ppid = process.ppid,
                                  .tty_mask = process.tty_mask};
  const int error = cmox_os_random(invocation.key, sizeof invocation.key);
  if (error != 0) {
    cmox_say("no random bytes: ");
    cmox_die(cmox_os_error_text(error));
  }
  cmox_put_hello(&call->out, silence_ms);
  cmox_put_invoke(&call->out, &invocation);
}

/* CMOX_LINK_CLOSED when another attempt is worth it. */
static cmox_link_result_t greet(cmox_call_t *call) {
  cmox_link_t *link = &call->link;
  CMOX_TRACE(SHIM_HELLO, CMOX_NO_TEXT, call->out.len, 0);
  cmox_link_result_t result = cmox_link_send(link, (cmox_view_t){call->out.data, call->out.len});
  if (result == CMOX_LINK_SILENT) return result;
  call->stated = result == CMOX_LINK_OK;
  /* A server that refused and closed has left the reason to be read. */
  cmox_view_t body;
  while ((result = cmox_link_receive(link, &body)) == CMOX_LINK_OK) {
    cmox_frame_t frame;
    decode(body, &frame);
    if (frame.kind == CMOX_FRAME_REFUSAL) die_refused(&frame);
    if (frame.kind != CMOX_FRAME_WELCOME) {
      take_aside(&frame);
      continue;
    }
    take_welcome(call, &frame);
    CMOX_TRACE(SHIM_WELCOME, CMOX_NO_TEXT, frame.version, 0);
    break;
  }
  return result;
}

void cmox_call_begin(cmox_call_t *call, const cmox_endpoint_t *endpoint, const char *command,
                     char **argv) {
  const uint64_t deadline = cmox_clock_deadline(endpoint->silence_ms);
  *call = (cmox_call_t){.out = {.data = first_buffer, .capacity = sizeof first_buffer},
                        .request = CMOX_INVOKE_ID};
  uint32_t pause = BACKOFF_FIRST_MS;
  for (;;) {
    cmox_link_result_t result =
        cmox_link_connect(&call->link, endpoint->path, endpoint->silence_ms, deadline);
    CMOX_TRACE(SHIM_CONNECT, cmox_text(result == CMOX_LINK_OK ? "connected" : "closed"), 0, 0);
    /* Only now: the server wakes up meanwhile. */
    if (call->out.len == 0) state_call(call, command, argv, endpoint->silence_ms);
    if (result == CMOX_LINK_OK) result = greet(call);
    if (result == CMOX_LINK_SILENT) die_silent(call);
    if (result == CMOX_LINK_OK) break;
    cmox_link_drop(&call->link);
    if (deadline != CMOX_OS_FOREVER && cmox_clock_passed(deadline - pause))
      cmox_die("the server closes every connection before it answers (CMOX_IPC_TIMEOUT passed)");
    cmox_clock_sleep(pause, "for another attempt");
    if (pause < BACKOFF_MAX_MS) pause *= 2;
  }
  call->out.len = 0;
}

static void take_stream(cmox_call_t *call, const cmox_frame_t *frame) {
  if (frame->id != CMOX_INVOKE_ID && frame->id != call->request)
    cmox_die("the server sent output of another call");
  if (frame->stream == 0) cmox_die("the server sent output for a stream this shim does not know");
  cmox_clock_sleep(frame->delay_ms, "before writing");
  if (frame->stream == CMOX_STREAM_FILE)
    cmox_file_take(call, frame);
  else
    cmox_call_write(call, frame->stream, frame->data);
}

static const char action_names[][12] = {[CMOX_ACTION_UNKNOWN] = "unknown",
                                        [CMOX_ACTION_REPLY] = "reply",
                                        [CMOX_ACTION_READ_STDIN] = "read_stdin",
                                        [CMOX_ACTION_PASSTHROUGH] = "passthrough"};

void cmox_call_await(cmox_call_t *call, cmox_action_t *action) {
  for (;;) {
    cmox_view_t body;
    cmox_frame_t frame;
    need(call, cmox_link_receive(&call->link, &body));
    decode(body, &frame);
    const bool answer = frame.kind == CMOX_FRAME_ANSWER || frame.kind == CMOX_FRAME_ERROR;
    if (answer && frame.id != call->request) cmox_die("the server answered another request");
    if (frame.kind == CMOX_FRAME_ERROR) die_refused(&frame);
    if (frame.kind == CMOX_FRAME_ANSWER) {
      if (call->file) cmox_die("the server answered in the middle of a file");
      if (!cmox_action_decode(call->request, frame.data, action))
        cmox_die("the server does not speak this protocol: malformed action");
      call->id = action->call_id;
      CMOX_TRACE(SHIM_ACTION, cmox_text(action_names[action->kind]), call->id, action->delay_ms);
      return;
    }
    if (frame.kind == CMOX_FRAME_STREAM)
      take_stream(call, &frame);
    else
      take_aside(&frame);
  }
}

bool cmox_call_watch(cmox_call_t *call) {
  cmox_view_t body;
  cmox_link_result_t result;
  bool heard = false;
  while (cmox_link_poll(&call->link, &body, &result)) {
    cmox_frame_t frame;
    decode(body, &frame);
    take_aside(&frame);
    heard = true;
  }
  need(call, result);
  return heard;
}

void cmox_call_give_up(cmox_call_t *call) { die_silent(call); }

void cmox_call_send(cmox_call_t *call) {
  need(call, cmox_link_send(&call->link, (cmox_view_t){call->out.data, call->out.len}));
  call->out.len = 0;
}

void cmox_call_write_failed(cmox_call_t *call, int stream, int error) {
  cmox_call_complete(call, cmox_os_error_text(error));
  cmox_say(stream == 1 ? "cannot write to stdout: " : "cannot write to stderr: ");
  cmox_die(cmox_os_error_text(error));
}

void cmox_call_write(cmox_call_t *call, int stream, cmox_view_t data) {
  size_t moved = 0;
  int error = 0;
  if (call->broken[stream]) return;
  const cmox_os_io_t outcome = cmox_os_write(stream, data.data, data.len, &moved, &error);
  call->written[stream] += moved;
  if (data.len > 0) CMOX_TRACE(SHIM_WRITE, cmox_text(stream == 1 ? "stdout" : "stderr"), moved, 0);
  if (outcome == CMOX_OS_FAILED) cmox_call_write_failed(call, stream, error);
  if (outcome != CMOX_OS_CLOSED) return;
  call->broken[stream] = true;
  if (!cmox_os_pipe_kills()) return;
  cmox_call_complete(call, NULL);
  CMOX_TRACE(SHIM_EXIT, cmox_text("SIGPIPE"), 0, 0);
  cmox_call_die_by((cmox_view_t){(const uint8_t *)"SIGPIPE", 7});
}

void cmox_call_die_by(cmox_view_t signal) {
  cmox_os_end_by_signal((const char *)signal.data, signal.len);
  cmox_say("survived ");
  cmox_say_bytes(signal.data, signal.len);
  cmox_die("");
}

static cmox_call_t *told;
static void tell_failure(const char *why) { cmox_call_complete(told, why); }

void cmox_call_tell_failures(cmox_call_t *call) {
  told = call;
  cmox_say_first_to(tell_failure);
}

void cmox_call_complete(cmox_call_t *call, const char *failure) {
  cmox_say_first_to(NULL);
  call->out.len = 0;
  cmox_put_completed(&call->out, call->id, call->written[1], call->written[2],
                     call->broken[1] || call->broken[2], failure, &call->failed);
  CMOX_TRACE(SHIM_COMPLETED, CMOX_NO_TEXT, call->written[1], call->written[2]);
  cmox_link_send_best_effort(&call->link, (cmox_view_t){call->out.data, call->out.len});
}
