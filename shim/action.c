/* The actions.
 *
 * Reply: checks that the end is one this platform has, waits, writes stdout then stderr,
 * tells the server, ends. Nothing is written for an end that cannot be had.
 *
 * Read stdin: waits for stdin and the link at once, so that a server that dies is noticed while
 * stdin is silent; sends what comes in pieces; stops at the end of the file, the limit, the
 * deadline or an error, and says which. */
#include "shim/action.h"

#include "shim/clock.h"
#include "shim/feed.h"
#include "shim/os.h"
#include "shim/say.h"
#include "shim/trace.h"

static CMOX_COLD uint8_t piece[CMOX_STREAM_CHUNK_MAX];

/* The test hears of an end that cannot be had, as the caller does. */
static void check_end(cmox_call_t *call, const cmox_action_t *action) {
  if (action->signal.data && !cmox_os_signal_known((const char *)action->signal.data,  //
                                                   action->signal.len)) {
    static const char why[] = "no signal of that name ends a process here";
    cmox_call_complete(call, why);
    cmox_say(why);
    cmox_say(": ");
    cmox_say_bytes(action->signal.data, action->signal.len < 40 ? action->signal.len : 40);
    cmox_die("");
  }
  /* A newer server's way to end: status 0 would be a lie. */
  if (!action->ends) cmox_die("the server asks for an end that this shim does not know");
  if (action->exit_code <= 255) return;
  cmox_say("the server asks for an exit status above 255: ");
  cmox_say_number(action->exit_code);
  cmox_die("");
}

void cmox_reply(cmox_call_t *call, const cmox_action_t *action) {
  check_end(call, action);
  cmox_clock_sleep(action->delay_ms, "before answering");
  cmox_call_write(call, 1, action->out);
  cmox_call_write(call, 2, action->err);
  cmox_call_complete(call, NULL);
  CMOX_TRACE(SHIM_EXIT,
             action->signal.data ? action->signal : cmox_text(action->hang ? "hang" : "exit"),
             action->exit_code, 0);
  if (action->hang) cmox_os_hang();
  if (!action->signal.data) cmox_os_exit((int)action->exit_code);
  cmox_call_die_by(action->signal);
}

typedef struct reading {
  uint64_t left; /* bytes that may still be read */
  uint64_t total;
  uint64_t deadline;
  bool drain, keep;
} reading_t;

/* Reads once. True: it is over, as *end says. */
static bool read_piece(cmox_call_t *call, reading_t *reading, cmox_stdin_end_t *end) {
  size_t moved = 0;
  cmox_os_io_t outcome;
  if (reading->left == 0) {
    outcome = cmox_os_more_stdin();
    *end = CMOX_STDIN_LIMIT;
    if (outcome == CMOX_OS_DONE) return true;
  } else {
    const size_t most = call->chunk < reading->left ? call->chunk : (size_t)reading->left;
    outcome = cmox_os_read_stdin(piece, most, &moved);
  }
  if (outcome == CMOX_OS_AGAIN) return false;
  if (outcome != CMOX_OS_DONE) {
    *end = outcome == CMOX_OS_CLOSED ? CMOX_STDIN_EOF : CMOX_STDIN_ERROR;
    return true;
  }
  reading->total += moved;
  if (reading->keep) cmox_feed_keep((cmox_view_t){piece, moved});
  if (reading->drain) return false;
  reading->left -= moved;
  cmox_put_piece(&call->out, 0, (cmox_view_t){piece, moved}, 0);
  cmox_call_send(call);
  return false;
}

static cmox_stdin_end_t read_all(cmox_call_t *call, reading_t *reading) {
  for (;;) {
    cmox_stdin_end_t end;
    const unsigned ready =
        cmox_os_wait(call->link.socket, CMOX_OS_READ | CMOX_OS_STDIN, reading->deadline);
    if (ready & CMOX_OS_ERROR) cmox_die("cannot wait for stdin");
    if (ready & CMOX_OS_READ) cmox_call_watch(call);
    if ((ready & CMOX_OS_STDIN) && read_piece(call, reading, &end)) return end;
    /* A producer that never pauses must not outrun the deadline. */
    if (cmox_clock_passed(reading->deadline)) return CMOX_STDIN_DEADLINE;
  }
}

static const char end_names[][12] = {[CMOX_STDIN_EOF] = "eof",
                                     [CMOX_STDIN_LIMIT] = "limit",
                                     [CMOX_STDIN_DEADLINE] = "deadline",
                                     [CMOX_STDIN_ERROR] = "error"};

void cmox_read_stdin(cmox_call_t *call, const cmox_action_t *action) {
  reading_t reading = {.left = action->drain ? UINT64_MAX : action->max_bytes,
                       .deadline = cmox_clock_deadline(action->deadline_ms),
                       .drain = action->drain,
                       .keep = action->keep};
  if (reading.keep) cmox_feed_keep_from_here();
  const cmox_stdin_end_t end = read_all(call, &reading);
  CMOX_TRACE(SHIM_STDIN, cmox_text(end_names[end]), reading.total, 0);
  call->request += 2;
  cmox_put_continue(&call->out, call->request, action->call_id, reading.total, end);
  cmox_call_send(call);
}
