/* A call that runs the real command.
 *
 * 1. Taken: what it may capture and where it looks are settled (cmox_call_prepare_pass).
 * 2. The shim is told (cmox_call_pass); from here on it hears from us often enough, as calls do
 *    that wait for the test.
 * 3. PIECEs of the streams come in, then PASSED: how the real command ended.
 * 4. COMPLETED: the shim ends as the command did. A shim that became the command says no more
 *    than that: the end of its link is the end of the call.
 *
 * A real command that comes back to its own shim by name would do so for ever: its environment says
 * within which it runs, and how often within itself is bounded. One that did once, and started more
 * than one of itself each time, has many below it: from then on none may within itself. */
#include "server/session/internal.h"
#include "server/session/tell.h"

bool cmox_pass_is_recursion(cmox_session_t *session, const cmox_call_t *call,
                            const cmox_answer_t *said) {
  if (!said || !said->passes) return false;
  const uint32_t depth = cmox_passthrough_depth(call->passed_above, call->data.command);
  const uint32_t most = session->recursed ? 1 : CMOX_PASSTHROUGH_DEPTH_MAX;
  const bool is = depth >= most || call->passed_above.len > CMOX_PASSTHROUGH_ABOVE_MAX;
  session->recursed |= is;
  return is;
}

bool cmox_call_prepare_pass(cmox_session_t *session, cmox_call_t *call, const cmox_answer_t *said,
                            const cmox_expect_t *expect) {
  if (!said || !said->passes) return true;
  cmox_passed_free(call->passed); /* of a decision for which memory was out */
  call->passed = cmox_passed_new(&said->passthrough, said->program, session->spill);
  if (!call->passed) return false;
  cmox_passthrough_t *how = &call->passed->how;
  how->capture_stdin |= expect && cmox_expect_stdin_policy(expect).mode == CMOX_STDIN_CAPTURE;
  /* What was read to decide is in the journal already. */
  how->capture_stdin &= call->asked.mode == CMOX_STDIN_IGNORE;
  return true;
}

bool cmox_call_pass(cmox_session_t *session, cmox_actions_t *actions, cmox_call_t *call) {
  if (!cmox_actions_reserve(actions) || !cmox_call_hold(session, call)) return false;
  cmox_passed_begin(call->passed);
  if (call->asked.mode == CMOX_STDIN_IGNORE) {
    call->stdin_stream.spill = session->spill;
    cmox_stream_clear(&call->stdin_stream);
  }
  call->state = CMOX_CALL_PENDING;
  call->told_ns = session->now_ns;
  cmox_call_want_tick(session, call);
  cmox_action_t *action = cmox_action_add(actions, CMOX_ACTION_PASSTHROUGH, call);
  action->call = call;
  cmox_tell_pass(call);
  return true;
}

/* ---- What the shim says -------------------------------------------------------- */

static cmox_stream_t *captured(cmox_call_t *call, cmox_piece_t piece) {
  const cmox_passthrough_t *how = &call->passed->how;
  /* One pipe for both outputs is captured when either is. */
  const bool output = how->capture_stdout || how->capture_stderr;
  switch (piece) {
    case CMOX_PIECE_STDIN:
      return how->capture_stdin ? &call->stdin_stream : NULL;
    case CMOX_PIECE_STDOUT:
      return output ? &call->passed->out : NULL;
    case CMOX_PIECE_STDERR:
      return output ? &call->passed->err : NULL;
  }
  return NULL;
}

cmox_code_t cmox_pass_piece(cmox_call_t *call, const cmox_event_t *event, cmox_error_t *error) {
  if (call->passed->reported)
    return cmox_fail(error, CMOX_E_BAD_STATE, "a stream goes on after the end of the real command");
  cmox_stream_t *stream = captured(call, event->piece);
  if (!stream) return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "a stream that was not to be captured");
  if (event->bytes.len > call->passed->how.capture_max_bytes - stream->length)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "a stream has more bytes than were asked for");
  if (cmox_stream_append(stream, event->bytes)) return CMOX_OK;
  call->unexpected_why = "memory was out when a stream of its real command was kept";
  return cmox_session_no_memory(error);
}

/* Who becomes the command has nothing to say of it but which one it is. Streams that were to be
 * captured may all be of a kind that is handed over. */
static const char *wrong_replaced(const cmox_call_t *call, const cmox_passed_report_t *report) {
  const cmox_passed_t *passed = call->passed;
  if (report->exited || report->signal || report->timed_out || *report->failure)
    return "a shim that becomes the real command cannot know its end";
  if (passed->how.timeout_ms > 0) return "a shim that becomes the real command cannot time it";
  const uint64_t seen = passed->how.capture_stdin ? call->stdin_stream.length : 0;
  if (seen + passed->out.length + passed->err.length > 0)
    return "a shim that becomes the real command cannot have captured anything of it";
  return NULL;
}

/* NULL: nothing is. */
static const char *wrong_with(const cmox_call_t *call, const cmox_passed_report_t *report) {
  if (report->replaced) return wrong_replaced(call, report);
  if (*report->failure && !(report->exited && report->exit_code > 0))
    return "a real command that could not be run needs an exit code above 0";
  if (report->timed_out && report->exited && report->exit_code == 0)
    return "a real command that was ended for its time cannot have exit code 0";
  if (report->stdout_bytes < call->passed->out.length ||
      report->stderr_bytes < call->passed->err.length)
    return "less was written by the real command than was captured of it";
  return NULL;
}

cmox_code_t cmox_on_passed(cmox_session_t *session, const cmox_event_t *event,
                           cmox_error_t *error) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  bool ours = call && call->link == event->link && cmox_call_is_passing(call);
  /* Who meant to become the command, and could not, may say so. */
  const bool again = ours && call->passed->reported;
  if (!ours || (again && (!call->passed->report.replaced || !*event->passed->failure)))
    return cmox_fail(error, CMOX_E_BAD_STATE, "this call does not wait for a real command");
  const char *wrong = wrong_with(call, event->passed);
  if (wrong) return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "%s", wrong);
  if (!cmox_passed_report(call->passed, event->passed)) {
    call->unexpected_why = "memory was out when the end of its real command was reported";
    return cmox_session_no_memory(error);
  }
  cmox_tell_passed(call);
  return CMOX_OK;
}

/* The end that the shim did not report of a command that it ran. */
static char *unreported(void) { return cmox_strdup("it did not say how the real command ended"); }

bool cmox_pass_completed(cmox_session_t *session, cmox_call_t *call, char **failure) {
  cmox_passed_t *passed = call->passed;
  cmox_call_unhold(session, call);
  if (passed->reported && passed->report.replaced && *failure) {
    cmox_passed_report_t report = passed->report;
    report.failure = *failure; /* it is still the shim */
    report.replaced = false;
    if (!cmox_passed_report(passed, &report)) return false;
    cmox_free_block(*failure);
    *failure = NULL;
  }
  if (!passed->reported && !*failure) *failure = unreported();
  return passed->reported || *failure;
}

void cmox_pass_lost(cmox_session_t *session, cmox_call_t *call) {
  cmox_call_unhold(session, call);
  const cmox_passed_t *passed = call->passed;
  if (passed->reported && passed->report.replaced) call->state = CMOX_CALL_COMPLETED;
}
