#include "server/session/tell.h"

#include "server/base/trace.h"

void cmox_tell_invoke(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_INVOKE, cmox_trace_number(call->id), cmox_trace_bytes(call->data.command),
             cmox_trace_number(call->link));
}

void cmox_tell_retry(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_RETRY, cmox_trace_number(call->id), cmox_trace_number(call->link));
}

void cmox_tell_stdin(const cmox_call_t *call, cmox_stdin_policy_t policy) {
  CMOX_TRACE(SESSION_STDIN, cmox_trace_number(call->id),
             cmox_trace_text(policy.mode == CMOX_STDIN_DRAIN ? "drain" : "capture"),
             cmox_trace_number(policy.max_bytes), cmox_trace_number(policy.deadline_ms));
}

void cmox_tell_match(const cmox_call_t *call, const cmox_expect_t *expect) {
  CMOX_TRACE(SESSION_MATCH, cmox_trace_number(call->id), cmox_trace_number(expect->id),
             cmox_trace_text(expect->source.file), cmox_trace_number(expect->source.line),
             cmox_trace_number(expect->taken));
}

void cmox_tell_default(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_DEFAULT, cmox_trace_number(call->id));
}

/* Of a difference only where it is: the values may be stdin. */
static const char *first_difference(const cmox_finding_t *finding) {
  for (size_t i = 0; finding && i < finding->difference_count; i++)
    if (!finding->differences[i].equal) return finding->differences[i].subject;
  return NULL;
}

void cmox_tell_refuse(const cmox_call_t *call, const cmox_finding_t *finding) {
  static const cmox_expect_t none = {0};
  const cmox_expect_t *nearest = finding && finding->expect ? finding->expect : &none;
  const char *why = call->unexpected_why                   ? call->unexpected_why
                    : call->callback_failure               ? "a callback failed"
                    : call->verdict == CMOX_VERDICT_EXCESS ? "the double has had all its calls"
                    : finding && nearest == &none          ? "no double of this command"
                                                           : "no double accepts it";
  CMOX_TRACE(SESSION_REFUSE, cmox_trace_number(call->id), cmox_trace_text(why),
             cmox_trace_number(nearest->id), cmox_trace_text(nearest->source.file),
             cmox_trace_number(nearest->source.line), cmox_trace_text(first_difference(finding)));
}

void cmox_tell_ask(const cmox_call_t *call, uint64_t question, const char *kind, const char *name) {
  CMOX_TRACE(SESSION_ASK, cmox_trace_number(call->id), cmox_trace_number(question),
             cmox_trace_text(kind), cmox_trace_text(name));
}

void cmox_tell_answered(const cmox_call_t *call, uint64_t question, bool fine) {
  CMOX_TRACE(SESSION_ANSWERED, cmox_trace_number(call->id), cmox_trace_number(question),
             cmox_trace_text(fine ? "answered" : "failed"));
}

void cmox_tell_hold(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_HOLD, cmox_trace_number(call->id), cmox_trace_text(call->gate));
}

void cmox_tell_release(const char *gate, size_t calls) {
  CMOX_TRACE(SESSION_RELEASE, cmox_trace_text(gate), cmox_trace_number(calls));
}

void cmox_tell_reply(const cmox_call_t *call) {
  const cmox_reply_data_t *reply = call->reply;
  CMOX_TRACE(SESSION_REPLY, cmox_trace_number(call->id), cmox_trace_number(reply->exit_code),
             cmox_trace_text(reply->hang ? "hang" : reply->signal),
             cmox_trace_number(reply->out.len), cmox_trace_number(reply->err.len),
             cmox_trace_number(reply->delay_ms));
}

void cmox_tell_pass(const cmox_call_t *call) {
  const cmox_passthrough_t *how = &call->passed->how;
  CMOX_TRACE(SESSION_PASS, cmox_trace_number(call->id), cmox_trace_bytes(cmox_call_program(call)),
             cmox_trace_number(cmox_passthrough_depth(call->passed_above, call->data.command)),
             cmox_trace_number(how->capture_stdin), cmox_trace_number(how->capture_stdout),
             cmox_trace_number(how->capture_stderr), cmox_trace_number(how->timeout_ms));
}

void cmox_tell_passed(const cmox_call_t *call) {
  const cmox_passed_report_t *report = &call->passed->report;
  CMOX_TRACE(SESSION_PASSED, cmox_trace_number(call->id), cmox_trace_bytes(report->program),
             cmox_trace_number(report->exit_code),
             cmox_trace_text(report->replaced ? "replaced" : report->signal),
             cmox_trace_number(report->stdin_bytes), cmox_trace_number(report->stdout_bytes),
             cmox_trace_number(report->stderr_bytes), cmox_trace_text(report->failure));
}

void cmox_tell_completed(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_COMPLETED, cmox_trace_number(call->id),
             cmox_trace_number(call->stdout_written), cmox_trace_number(call->stderr_written),
             cmox_trace_number(call->broken_pipe), cmox_trace_text(call->failure));
}

void cmox_tell_lost(const cmox_call_t *call) {
  CMOX_TRACE(SESSION_LOST, cmox_trace_number(call->id));
}

void cmox_tell_replay(uint64_t calls) { CMOX_TRACE(SESSION_REPLAY, cmox_trace_number(calls)); }

void cmox_tell_verify(uint64_t calls, const cmox_findings_t *findings) {
  CMOX_TRACE(SESSION_VERIFY, cmox_trace_number(calls), cmox_trace_number(findings->count),
             cmox_trace_number(cmox_findings_passed(findings)));
}
