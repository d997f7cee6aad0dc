#include "server/verify/verify.h"

#include <inttypes.h>

#include "server/base/alloc.h"
#include "server/base/quote.h"

const cmox_expect_t *cmox_nearest(const cmox_doubles_t *doubles, const cmox_call_t *call) {
  cmox_expect_list_t list = cmox_doubles_of(doubles, call->data.command);
  const cmox_expect_t *nearest = NULL;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < list.count; i++) {
    size_t distance = cmox_distance(list.items[i], call);
    if (distance < least) {
      nearest = list.items[i];
      least = distance;
    }
  }
  return nearest;
}

static const char *plural(uint64_t count) { return count == 1 ? "call" : "calls"; }

void cmox_describe_count(cmox_buf_t *out, cmox_count_t count) {
  if (count.maximum == 0)
    cmox_buf_puts(out, "no call");
  else if (count.maximum == count.minimum)
    cmox_buf_printf(out, "exactly %" PRIu64 " %s", count.minimum, plural(count.minimum));
  else if (count.minimum == 0 && count.maximum == CMOX_COUNT_UNBOUNDED)
    cmox_buf_puts(out, "any number of calls");
  else if (count.minimum == 0)
    cmox_buf_printf(out, "at most %" PRIu64 " %s", count.maximum, plural(count.maximum));
  else if (count.maximum == CMOX_COUNT_UNBOUNDED)
    cmox_buf_printf(out, "at least %" PRIu64 " %s", count.minimum, plural(count.minimum));
  else
    cmox_buf_printf(out, "between %" PRIu64 " and %" PRIu64 " calls", count.minimum, count.maximum);
}

/* The rest of a line is in `text`; a finding without its message would mislead. */
static bool finish(cmox_finding_t *finding, cmox_buf_t *text) {
  finding->message = cmox_buf_take_text(text);
  return finding->message != NULL;
}

/* "out of order: git push: mock git commit (t.c:3) must be called first" */
static bool out_of_order(const cmox_doubles_t *doubles, const cmox_call_t *call,
                         cmox_finding_t *finding, cmox_buf_t *text) {
  finding->kind = CMOX_FINDING_ORDER;
  finding->expect = cmox_doubles_find(doubles, call->double_id);
  cmox_buf_puts(text, "out of order: ");
  cmox_describe_call(text, call);
  cmox_buf_puts(text, ": ");
  cmox_describe_double(text, cmox_doubles_find(doubles, call->blocker_id));
  cmox_buf_puts(text, call->blocker_called ? " comes after it and has already been called"
                                           : " must be called first");
  return finish(finding, text);
}

/* "the handler build failed: no such file: git push" */
static bool callback_failed(const cmox_doubles_t *doubles, const cmox_call_t *call,
                            cmox_finding_t *finding, cmox_buf_t *text) {
  finding->kind = CMOX_FINDING_HANDLER_FAILED;
  finding->expect = cmox_doubles_find(doubles, call->double_id);
  cmox_buf_printf(text, "%s: ", call->callback_failure);
  cmox_describe_call(text, call);
  return finish(finding, text);
}

/* No double has this command. */
static bool without_double(const cmox_call_t *call, cmox_finding_t *finding, cmox_buf_t *text) {
  if (!call->contained && call->isolated.len) {
    cmox_buf_puts(text,
                  " (`cmdmox isolate` has made it a shim, and the session has no double of it)");
    finding->hint =
        cmox_strdup("declare a double of it; for the real one: a stub that passes through");
    return finish(finding, text) && finding->hint;
  }
  if (!call->contained) {
    cmox_buf_puts(text, " (the command is registered and has no double)");
    return finish(finding, text);
  }
  cmox_buf_puts(text, " (the session is contained, and the command has no double)");
  return finish(finding, text);
}

bool cmox_verify_refused(const cmox_doubles_t *doubles, const cmox_call_t *call,
                         cmox_findings_t *findings) {
  cmox_finding_t *finding = cmox_findings_add(findings);
  if (!finding) return false;
  finding->call = call;
  cmox_buf_t text = CMOX_BUF_EMPTY;
  if (call->verdict == CMOX_VERDICT_EXCESS) {
    finding->kind = CMOX_FINDING_EXCESS_CALL;
    finding->expect = cmox_doubles_find(doubles, call->double_id);
    cmox_buf_puts(&text, "one call too many: ");
    cmox_describe_call(&text, call);
    return finish(finding, &text);
  }
  if (call->callback_failure) return callback_failed(doubles, call, finding, &text);
  if (call->verdict == CMOX_VERDICT_OUT_OF_ORDER)
    return out_of_order(doubles, call, finding, &text);
  finding->kind = CMOX_FINDING_UNEXPECTED_CALL;
  cmox_buf_puts(&text, "unexpected call: ");
  cmox_describe_call(&text, call);
  if (call->unexpected_why) {
    cmox_buf_printf(&text, " (%s)", call->unexpected_why);
    return finish(finding, &text);
  }
  finding->expect = cmox_nearest(doubles, call);
  if (!finding->expect) return without_double(call, finding, &text);
  finding->differences = cmox_explain(finding->expect, call, &finding->difference_count);
  return finish(finding, &text);
}

static bool add_refused_calls(const cmox_doubles_t *doubles, const cmox_journal_t *journal,
                              cmox_findings_t *findings) {
  size_t from = findings->count;
  for (size_t i = 0; i < cmox_journal_count(journal); i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    bool refused =
        call->verdict != CMOX_VERDICT_NONE &&
        (call->verdict != CMOX_VERDICT_ACCEPTED || call->callback_failure || call->unexpected_why);
    if (refused && !cmox_verify_refused(doubles, call, findings)) return false;
  }
  return cmox_findings_fold(findings, from);
}

/* Whether the report is still to say why no call of this command came at all. */
static bool wants_hint(const cmox_findings_t *findings, const cmox_journal_t *journal,
                       const cmox_expect_t *expect) {
  if (cmox_journal_total(journal, expect->command) > 0) return false;
  for (size_t i = 0; i < findings->count; i++) {
    const cmox_finding_t *before = &findings->items[i];
    if (before->hint && before->expect && cmox_span_equal(before->expect->command, expect->command))
      return false;
  }
  return true;
}

static bool add_counts(const cmox_doubles_t *doubles, const cmox_journal_t *journal,
                       const cmox_reach_t *reach, bool called, cmox_findings_t *findings) {
  cmox_expect_list_t all = cmox_doubles_all(doubles);
  for (size_t i = 0; i < all.count; i++) {
    const cmox_expect_t *expect = all.items[i];
    cmox_count_t count = cmox_expect_count(expect);
    bool fits = expect->taken >= count.minimum && expect->taken <= count.maximum;
    if (fits || (expect->taken > 0) != called) continue;
    const bool hint = !called && wants_hint(findings, journal, expect);
    cmox_finding_t *finding = cmox_findings_add(findings);
    if (!finding) return false;
    finding->kind = called ? CMOX_FINDING_WRONG_COUNT : CMOX_FINDING_UNFULFILLED;
    if (hint) finding->hint = cmox_reach_hint(reach, journal, expect->command);
    if (hint && !finding->hint) return false;
    finding->expect = expect;
    cmox_buf_t text = CMOX_BUF_EMPTY;
    if (called)
      cmox_buf_printf(&text, "called %" PRIu64 " %s: ", expect->taken,
                      expect->taken == 1 ? "time" : "times");
    else
      cmox_buf_puts(&text, "never called: ");
    cmox_describe_double(&text, expect);
    cmox_buf_puts(&text, ", expected ");
    cmox_describe_count(&text, count);
    if (!finish(finding, &text)) return false;
  }
  return true;
}

static void put_waiting(cmox_buf_t *text, const char *kind, const char *name) {
  cmox_buf_printf(text, " (its %s", kind);
  if (*name) cmox_buf_putc(text, ' ');
  if (*name) cmox_quote_shell(text, cmox_span_str(name), CMOX_SHOWN_MAX);
  cmox_buf_puts(text, " has not answered)");
}

static bool is_gated(const cmox_call_t *call) {
  return call->state != CMOX_CALL_LOST && call->gate;
}

/* A call that was decided did reach its double: that its process was killed or still runs may be
 * just what the test is about. Not so one that nobody has answered. */
static bool is_remark(const cmox_call_t *call) {
  bool lost = call->state == CMOX_CALL_LOST;
  return call->verdict != CMOX_VERDICT_NONE && !is_gated(call) && (lost || !call->handling);
}

static bool add_unfinished_call(const cmox_call_t *call, cmox_findings_t *findings) {
  bool undecided = call->verdict == CMOX_VERDICT_NONE;
  bool lost = call->state == CMOX_CALL_LOST;
  bool gated = is_gated(call);
  cmox_finding_t *finding = cmox_findings_add(findings);
  if (!finding) return false;
  finding->kind = lost ? CMOX_FINDING_NEVER_COMPLETED : CMOX_FINDING_IN_FLIGHT;
  finding->advisory = is_remark(call);
  finding->call = call;
  cmox_buf_t text = CMOX_BUF_EMPTY;
  if (lost)
    cmox_buf_puts(&text,
                  undecided ? "ended before it was answered: " : "killed before it was done: ");
  else
    cmox_buf_puts(&text,
                  undecided || gated || call->handling ? "still waiting: " : "still running: ");
  cmox_describe_call(&text, call);
  if (!lost && undecided && call->asked.mode != CMOX_STDIN_IGNORE)
    cmox_buf_puts(&text, " (reading its stdin, which has not ended)");
  const cmox_question_t *asked = cmox_said_first(call->said, CMOX_SAID_ASKED);
  if (!lost && undecided && asked)
    put_waiting(&text, "predicate", asked->name);
  else if (!lost && call->handling)
    put_waiting(&text, "handler", call->handler_name);
  else if (gated) {
    cmox_buf_puts(&text, " (at the gate ");
    cmox_quote_shell(&text, cmox_span_str(call->gate), CMOX_SHOWN_MAX);
    cmox_buf_puts(&text, ", which was not opened after it came)");
  }
  return finish(finding, &text);
}

/* Of a call that the doubles refused there is a finding anyway. */
static bool is_breach(const cmox_call_t *call) {
  const bool open = call->verdict == CMOX_VERDICT_NONE || call->verdict == CMOX_VERDICT_ACCEPTED;
  return call->breach && open && !call->unexpected_why;
}

/* The double was right and the call is taken, but the code under test did not get the answer. */
static bool add_failed(const cmox_journal_t *journal, cmox_findings_t *findings) {
  for (size_t i = 0; i < cmox_journal_count(journal); i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    const bool failed = call->failure && call->verdict == CMOX_VERDICT_ACCEPTED;
    if (!failed && !is_breach(call)) continue;
    cmox_finding_t *finding = cmox_findings_add(findings);
    if (!finding) return false;
    finding->kind = CMOX_FINDING_NEVER_COMPLETED;
    finding->call = call;
    cmox_buf_t text = CMOX_BUF_EMPTY;
    cmox_buf_puts(&text, is_breach(call) ? "its shim was refused (" : "the shim failed (");
    cmox_quote_shell(&text, cmox_span_str(is_breach(call) ? call->breach : call->failure),
                     CMOX_SHOWN_MAX);
    cmox_buf_puts(&text, is_breach(call) ? "): " : ") and ended with 125: ");
    cmox_describe_call(&text, call);
    if (!finish(finding, &text)) return false;
  }
  return true;
}

/* What was to run, as the beginning of a sentence. */
static void put_what_ran(cmox_buf_t *text, const cmox_passed_t *passed) {
  if (!passed->program) {
    cmox_buf_puts(text, "the real command ");
    return;
  }
  cmox_buf_puts(text, "the program ");
  cmox_quote_shell(text, cmox_span_str(passed->program), CMOX_SHOWN_MAX);
  cmox_buf_putc(text, ' ');
}

/* The code under test was told by 124, 126 or 127, which may be just what the test is about. */
static bool add_passed(const cmox_journal_t *journal, cmox_findings_t *findings) {
  for (size_t i = 0; i < cmox_journal_count(journal); i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    const cmox_passed_t *passed = call->passed;
    if (!passed || !cmox_passed_is_remarkable(passed)) continue;
    const bool ran = !*passed->report.failure;
    cmox_finding_t *finding = cmox_findings_add(findings);
    if (!finding) return false;
    finding->kind = ran ? CMOX_FINDING_NEVER_COMPLETED : CMOX_FINDING_COULD_NOT_RUN;
    finding->advisory = true;
    finding->call = call;
    cmox_buf_t text = CMOX_BUF_EMPTY;
    put_what_ran(&text, passed);
    if (ran) {
      cmox_buf_printf(&text, "was ended after %" PRIu32 " ms (timeout): ", passed->how.timeout_ms);
    } else {
      cmox_buf_puts(&text, "could not be run (");
      cmox_quote_shell(&text, cmox_span_str(passed->report.failure), CMOX_SHOWN_MAX);
      cmox_buf_puts(&text, "): ");
    }
    cmox_describe_call(&text, call);
    if (!finish(finding, &text)) return false;
  }
  return true;
}

static bool add_unfinished(const cmox_journal_t *journal, bool remarks, cmox_findings_t *findings) {
  for (size_t i = 0; i < cmox_journal_count(journal); i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    if (call->state == CMOX_CALL_COMPLETED || is_remark(call) != remarks || is_breach(call))
      continue;
    if (!add_unfinished_call(call, findings)) return false;
  }
  return true;
}

static bool add_notes(const cmox_verify_notes_t *notes, cmox_findings_t *findings) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  if (notes->shims_changed) {
    cmox_finding_t *finding = cmox_findings_add(findings);
    if (!finding) return false;
    finding->kind = CMOX_FINDING_SHIMS_CHANGED;
    cmox_buf_printf(&text,
                    "the shims were changed during the test, so real commands may have run: %s",
                    notes->shims_changed);
    if (!finish(finding, &text)) return false;
  }
  if (notes->refused) {
    cmox_finding_t *finding = cmox_findings_add(findings);
    if (!finding) return false;
    finding->kind = CMOX_FINDING_REFUSED_CALL;
    cmox_buf_printf(&text, "%" PRIu64 " %s refused before anything could be matched: %s",
                    notes->refused_count, notes->refused_count == 1 ? "call was" : "calls were",
                    notes->refused);
    if (!finish(finding, &text)) return false;
  }
  return true;
}

cmox_code_t cmox_verify_run(const cmox_doubles_t *doubles, const cmox_journal_t *journal,
                            const cmox_verify_notes_t *notes, cmox_findings_t *findings,
                            cmox_error_t *error) {
  cmox_findings_clear(findings);
  if (add_notes(notes, findings) && add_refused_calls(doubles, journal, findings) &&
      add_failed(journal, findings) && add_counts(doubles, journal, notes->reach, true, findings) &&
      add_counts(doubles, journal, notes->reach, false, findings) &&
      add_unfinished(journal, false, findings) && add_passed(journal, findings) &&
      add_unfinished(journal, true, findings))
    return CMOX_OK; /* remarks come last */
  cmox_findings_clear(findings);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "verify: out of memory");
}
