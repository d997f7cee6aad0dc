/* Passing through.
 *   1. The program is found and the environment made, while the action's bytes are there.
 *   2. With nothing to capture, keep or time, the launcher says so and becomes the command.
 *   3. Else the command is a child: its streams flow, signals are sent on, the link is
 *      watched, until it ends; then what is left in its pipes flows, and everything is told.
 *   4. The launcher ends as the command did. What the command left behind may go on to write: a
 *      copy of the launcher passes that on.
 * Failures: a command that cannot be run (126, 127, as a shell has it); one that is this launcher;
 * a server that dies or leaves, which kills the child; a system without pipes to give. */
#include "shim/passthrough.h"

#include <string.h>

#include "shim/clock.h"
#include "shim/feed.h"
#include "shim/os.h"
#include "shim/resolve.h"
#include "shim/say.h"
#include "shim/tap.h"
#include "shim/trace.h"
#include "shim/track.h"

enum {
  STATUS_TIMED_OUT = 124,
  FLUSH_AFTER_MS = 50,   /* what is captured may wait so long for more, */
  FLUSH_ABOVE = 64 << 10 /* unless it is so many bytes */
};

typedef struct running {
  cmox_call_t *call;
  cmox_os_child_t child;
  cmox_tap_t taps[2];
  cmox_track_t tracks[2];
  cmox_feed_t feed;
  cmox_os_end_t end;
  cmox_passed_t passed;
  uint64_t deadline; /* of the command, or of its last chance */
  uint64_t flush_at;
  uint64_t
      silent_at; /* the server, which says while the command runs that it lives, no longer does */
  uint32_t timeout_ms, kill_after_ms;
} running_t;

enum {
  WATCH_LINK,
  WATCH_SIGNALS,
  WATCH_TAPS,
  WATCH_FEED = WATCH_TAPS + 4,
  WATCHES = WATCH_FEED + 2
};

/* Everything that is left to say, in one write. */
static void report(cmox_call_t *call, const cmox_passed_t *passed) {
  call->request += 2;
  cmox_put_passed(&call->out, call->request, call->id, passed);
  if (!passed->replaced) {
    cmox_say_first_to(NULL);
    CMOX_TRACE(SHIM_COMPLETED, CMOX_NO_TEXT, call->written[1], call->written[2]);
    cmox_put_completed(&call->out, call->id, call->written[1], call->written[2],
                       call->broken[1] || call->broken[2], NULL, &call->failed);
  }
  cmox_call_send(call);
}

_Noreturn static void die_unrunnable(const cmox_resolved_t *resolved) {
  cmox_say("cannot run the real command: ");
  if (resolved->path) cmox_say(resolved->path);
  if (resolved->path) cmox_say(": ");
  cmox_die_as(resolved->status, resolved->why);
}

static void need_program(cmox_call_t *call, const cmox_resolved_t *resolved) {
  if (resolved->status == 0) return;
  if (resolved->status != CMOX_EXIT_SHIM_FAILURE) {
    const cmox_passed_t passed = {.program = resolved->path,
                                  .failure = resolved->why,
                                  .exit_code = (uint32_t)resolved->status};
    report(call, &passed);
  }
  die_unrunnable(resolved);
}

static cmox_resolved_t not_run(const char *path, int error) {
  return (cmox_resolved_t){path, cmox_os_is_missing(error) ? 127 : 126, cmox_os_error_text(error)};
}

_Noreturn static void replace(cmox_call_t *call, const char *path, char **argv,
                              char **environment) {
  const cmox_passed_t passed = {.program = path, .replaced = true};
  report(call, &passed);
  CMOX_TRACE(SHIM_RUN, cmox_text(path), 0, 0);
  const cmox_resolved_t resolved = not_run(path, cmox_os_become(path, argv, environment));
  cmox_call_complete(call, resolved.why);
  die_unrunnable(&resolved);
}

/* Not a terminal or another device, which is handed over, nor a pipe whose reader has gone: the
 * command shall learn that by itself. */
static bool can_capture(int stream) {
  const cmox_os_kind_t kind = cmox_os_kind(stream);
  if (kind == CMOX_OS_KIND_NONE || kind == CMOX_OS_KIND_OTHER) return false;
  if (stream == 0) return true;
  cmox_os_watch_t watch = {stream, 0, 0};
  return cmox_os_watch(&watch, 1, 0) && !(watch.ready & CMOX_OS_GONE);
}

/* The command's end of what it shall have in place of its stdout or stderr; -1: the caller's. */
static int open_output(running_t *run, int stream, uint64_t most) {
  if (cmox_track_open(&run->tracks[stream - 1], stream, most)) return -1;
  return cmox_tap_open(&run->taps[stream - 1], stream, most);
}

static void hear_again(running_t *run) {
  run->silent_at = cmox_clock_deadline(run->call->link.silence_ms);
}

static void start(running_t *run, const cmox_action_t *action, const bool capture[3], char **argv,
                  char **environment) {
  const uint64_t most = action->capture_max > 0 ? action->capture_max : UINT64_MAX;
  int streams[3] = {-1, -1, -1};
  streams[0] = cmox_feed_open(&run->feed, capture[0], most);
  run->passed.merged = (capture[1] || capture[2]) && cmox_os_same_streams();
  if (run->passed.merged) streams[1] = streams[2] = open_output(run, 1, most);
  for (int i = 1; i < 3 && !run->passed.merged; i++)
    if (capture[i]) streams[i] = open_output(run, i, most);
  run->deadline = cmox_clock_deadline(action->timeout_ms);
  run->flush_at = CMOX_OS_FOREVER;
  hear_again(run);
  run->timeout_ms = action->timeout_ms;
  run->kill_after_ms = action->kill_after_ms;
  const int error =
      cmox_os_child_start(&run->child, streams, run->passed.program, argv, environment);
  if (error != 0) {
    cmox_say("cannot start the real command: ");
    cmox_die(cmox_os_error_text(error));
  }
  CMOX_TRACE(SHIM_RUN, cmox_text(run->passed.program), run->child.pid, 0);
  if (run->passed.merged) streams[2] = -1;
  for (int i = 0; i < 3;
       i++) /* one that stays open would hide the end of what the command writes */
    if (!cmox_os_end(&streams[i])) cmox_die("cannot let go of a stream of the real command");
}

static void wait_for(running_t *run, cmox_os_watch_t watches[WATCHES]) {
  const bool runs = run->child.signals >= 0;
  watches[WATCH_LINK] = (cmox_os_watch_t){(int)run->call->link.socket, CMOX_OS_READ, 0};
  watches[WATCH_SIGNALS] = (cmox_os_watch_t){run->child.signals, CMOX_OS_READ, 0};
  for (int i = 0; i < 2; i++) cmox_tap_watch(&run->taps[i], &watches[WATCH_TAPS + 2 * i]);
  cmox_feed_watch(&run->feed, &watches[WATCH_FEED]);
  uint64_t until = runs ? run->deadline : CMOX_OS_FOREVER;
  if (run->flush_at < until) until = run->flush_at;
  if (run->silent_at < until) until = run->silent_at;
  if (!cmox_os_watch(watches, WATCHES, until)) cmox_die("cannot wait for the real command");
  /* What had come while this process was stopped still counts. */
  if (watches[WATCH_LINK].ready) {
    if (cmox_call_watch(run->call)) hear_again(run);
  } else if (cmox_clock_passed(run->silent_at)) {
    cmox_call_give_up(run->call);
  }
}

static void flush(running_t *run) {
  const size_t len = run->call->out.len;
  if (len == 0) return;
  if (run->flush_at == CMOX_OS_FOREVER) run->flush_at = cmox_clock_deadline(FLUSH_AFTER_MS);
  if (len < FLUSH_ABOVE && !cmox_clock_passed(run->flush_at)) return;
  cmox_call_send(run->call);
  run->flush_at = CMOX_OS_FOREVER;
}

static void keep_time(running_t *run) {
  if (!cmox_clock_passed(run->deadline)) return;
  cmox_os_child_end(&run->child, run->passed.timed_out);
  run->deadline = run->passed.timed_out || run->kill_after_ms == 0
                      ? CMOX_OS_FOREVER
                      : cmox_clock_deadline(run->kill_after_ms);
  run->passed.timed_out = true;
}

/* Who waits for us sees us stop, after what the command has written before. One that has a deadline
 * must not sleep. */
static void stop_too(running_t *run) {
  if (run->deadline != CMOX_OS_FOREVER) return;
  for (int i = 0; i < 2; i++) {
    cmox_tap_last(&run->taps[i], true);
    cmox_tap_step_on(&run->taps[i], run->call);
    cmox_tap_last(&run->taps[i], false);
  }
  cmox_os_child_stop_too(&run->child);
}

static void step_taps(running_t *run, const cmox_os_watch_t watches[WATCHES]) {
  for (int i = 0; i < 2; i++) cmox_tap_step(&run->taps[i], run->call, &watches[WATCH_TAPS + 2 * i]);
}

static void accompany(running_t *run) {
  for (cmox_os_state_t state = CMOX_OS_RUNS; state != CMOX_OS_ENDED;) {
    cmox_os_watch_t watches[WATCHES];
    wait_for(run, watches);
    step_taps(run, watches);
    cmox_feed_step(&run->feed, run->call, &watches[WATCH_FEED]);
    if (watches[WATCH_SIGNALS].ready) state = cmox_os_child_attend(&run->child, &run->end);
    if (state == CMOX_OS_STOPPED) stop_too(run);
    if (state == CMOX_OS_LOST) {
      cmox_say("cannot wait for the real command: ");
      cmox_die(cmox_os_error_text(run->end.error));
    }
    if (state == CMOX_OS_ENDED) break;
    keep_time(run);
    flush(run);
  }
}

/* What it left in its pipes. One that was killed waits no longer for its reader. */
static void drain(running_t *run) {
  cmox_tap_t *const taps = run->taps;
  bool done[2] = {false, false};
  cmox_feed_close(&run->feed, run->call);
  for (int i = 0; i < 2; i++) cmox_tap_last(&taps[i], true);
  for (;;) {
    for (int i = 0; i < 2; i++) {
      cmox_tap_step_on(&taps[i], run->call);
      done[i] = done[i] || cmox_tap_done(&taps[i]); /* what heirs write since does not count */
    }
    if ((done[0] && done[1]) || *run->end.signal) break;
    flush(run);
    cmox_os_watch_t watches[WATCHES];
    wait_for(run, watches);
    step_taps(run, watches);
  }
  for (int i = 0; i < 2; i++) {
    const bool held = cmox_tap_stuck(&taps[i]) ? cmox_tap_leave(&taps[i], run->call)
                                               : cmox_tap_open_still(&taps[i]);
    if (held) run->passed.lingering = true;
    run->passed.bytes[i + 1] =
        taps[i].total +
        cmox_track_close(&run->tracks[i], run->passed.merged ? 2 : i + 1, run->call);
  }
  run->passed.bytes[0] = run->feed.total;
}

static bool is_left(const running_t *run) {
  return cmox_tap_open_still(&run->taps[0]) || cmox_tap_open_still(&run->taps[1]);
}

/* What is left, and what others that hold the pipes still write, is passed on, as it would reach
 * the caller; who waits for the end of anything else the caller gave us must see it. */
_Noreturn static void pass_on(running_t *run) {
  cmox_os_watch_t watches[4];
  int held = 5; /* more than can be */
  for (int i = 0; i < 2; i++) cmox_tap_last(&run->taps[i], false);
  while (is_left(run)) {
    int kept[4], holds = 0;
    for (int i = 0; i < 2; i++) cmox_tap_keep(&run->taps[i], &kept[2 * i]);
    for (int i = 0; i < 4; i++) holds += kept[i] >= 0;
    if (holds < held) cmox_os_let_go_but(kept, 4);
    held = holds;
    for (int i = 0; i < 2; i++) cmox_tap_watch(&run->taps[i], &watches[2 * i]);
    if (!cmox_os_watch(watches, 4, CMOX_OS_FOREVER)) break;
    for (int i = 0; i < 2; i++) cmox_tap_step(&run->taps[i], NULL, &watches[2 * i]);
  }
  cmox_os_exit(0);
}

_Noreturn static void end_as(const running_t *run) {
  const cmox_passed_t *passed = &run->passed;
  CMOX_TRACE(SHIM_EXIT, cmox_text(passed->signal ? passed->signal : "exit"), passed->exit_code, 0);
  if (passed->timed_out) {
    cmox_say("the real command was ended after ");
    cmox_say_number(run->timeout_ms);
    cmox_die_as(STATUS_TIMED_OUT, " ms (timeout)");
  }
  if (passed->signal) cmox_call_die_by(cmox_text(passed->signal));
  cmox_os_exit((int)passed->exit_code);
}

void cmox_pass_through(cmox_call_t *call, const cmox_action_t *action, const char *command,
                       char **argv) {
  static CMOX_COLD running_t run;
  bool capture[3];
  int error;
  cmox_call_tell_failures(call);
  const cmox_resolved_t resolved = cmox_resolve(action, command);
  need_program(call, &resolved);
  static CMOX_COLD char program[CMOX_OS_PATH_MAX];
  memcpy(program, resolved.path, strlen(resolved.path) + 1);
  /* A caller that ran the shim by its path would have run the command by its own. */
  if (argv[0] && strchr(argv[0], '/') && cmox_os_look_at(argv[0], &error) == CMOX_OS_IS_SELF)
    argv[0] = program;
  char **environment = cmox_overlay(cmox_os_environment(), action);
  bool stays = action->timeout_ms > 0 || cmox_feed_has_kept();
  for (int i = 0; i < 3; i++) {
    capture[i] = action->capture[i] && can_capture(i);
    stays = stays || capture[i];
  }
  if (!stays) {
    cmox_feed_open(&run.feed, false, 0); /* a file is put back to where it was */
    replace(call, program, argv, environment);
  }

  run.call = call;
  run.passed.program = program;
  start(&run, action, capture, argv, environment);
  accompany(&run);
  drain(&run);
  if (run.end.error != 0) {
    const cmox_resolved_t refused = not_run(program, run.end.error);
    need_program(call, &refused);
  }
  if (*run.end.signal) run.passed.signal = run.end.signal;
  run.passed.exit_code = (uint32_t)run.end.exit_code;
  if (run.passed.timed_out) {
    run.passed.signal = NULL;
    run.passed.exit_code = STATUS_TIMED_OUT;
  }
  CMOX_TRACE(SHIM_RAN, cmox_text(*run.end.signal ? run.end.signal : "exit"), run.passed.bytes[1],
             run.passed.bytes[2]);
  report(call, &run.passed);
  if (is_left(&run) && cmox_os_linger()) pass_on(&run);
  end_as(&run);
}
