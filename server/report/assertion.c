#include <inttypes.h>

#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/report/report.h"

enum { CALLS_SHOWN_MAX = 10 };

static void describe_subject(cmox_buf_t *out, const cmox_expect_t *subject) {
  if (subject->id)
    cmox_describe_double(out, subject);
  else
    cmox_quote_shell(out, subject->command, CMOX_QUOTE_ALL);
}

static void headline(cmox_buf_t *out, const cmox_assertion_t *assertion, size_t kept,
                     const cmox_assertion_result_t *result) {
  uint64_t count = assertion->subject->taken;
  cmox_buf_puts(out, "cmdmox: assertion failed: ");
  if (assertion->kind == CMOX_ASSERT_CALLED_WITH && count > 0)
    cmox_buf_puts(out, kept ? "the last call is another one than expected of "
                            : "the journal does not hold the last call any more of ");
  describe_subject(out, assertion->subject);
  if (count == 0)
    cmox_buf_puts(out, " was never called");
  else if (assertion->kind == CMOX_ASSERT_NOT_CALLED)
    cmox_buf_printf(out, " was called %" PRIu64 " %s", count, count == 1 ? "time" : "times");
  else if (assertion->kind == CMOX_ASSERT_ANY_CALL)
    cmox_buf_puts(out, " had no such call");
  else if (assertion->kind == CMOX_ASSERT_HAS_CALLS)
    cmox_buf_printf(out, " had no such calls one after the other: number %zu of %zu is missing",
                    result->pattern + 1, assertion->count);
  else if (assertion->kind == CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER)
    cmox_buf_printf(out, " had no such calls: there is none for number %zu of %zu",
                    result->pattern + 1, assertion->count);
  cmox_buf_putc(out, '\n');
}

static bool comparison(cmox_buf_t *out, const cmox_expect_t *pattern, const cmox_call_t *call) {
  cmox_buf_puts(out, "   expected ");
  cmox_describe_pattern(out, pattern);
  cmox_buf_puts(out, call ? "\n   nearest  " : "\n   there is no other call\n");
  if (!call) return true;
  cmox_describe_call(out, call);
  cmox_buf_putc(out, '\n');
  size_t count;
  cmox_call_t seen = cmox_call_as_seen(call);
  cmox_difference_t *rows = cmox_explain(pattern, &seen, &count);
  cmox_report_rows(out, rows, count, false);
  bool complete = rows || cmox_distance(pattern, &seen) == 0;
  cmox_differences_free(rows, count);
  return complete;
}

/* dropped: calls before these that the journal does not hold. */
static void list_calls(cmox_buf_t *out, const cmox_call_t **calls, size_t count, uint64_t dropped) {
  if (dropped)
    cmox_buf_printf(out,
                    "   only the calls in the journal were looked at: max_journal_entries did not "
                    "keep %" PRIu64 " before them\n",
                    dropped);
  if (count == 0) return;
  cmox_buf_puts(out, "   its calls:\n");
  size_t first = count > CALLS_SHOWN_MAX ? count - CALLS_SHOWN_MAX : 0;
  if (first) cmox_buf_printf(out, "     (%zu before these)\n", first);
  for (size_t i = first; i < count; i++) {
    cmox_buf_printf(out, "     %" PRIu64 ". ", dropped + i + 1);
    cmox_describe_call(out, calls[i]);
    cmox_buf_putc(out, '\n');
  }
}

/* Of a command that has none: what was called may be what was meant. */
static void list_others(cmox_buf_t *out, const cmox_journal_t *journal) {
  const size_t end = cmox_journal_count(journal);
  size_t from = cmox_journal_listed(journal);
  if (from == end) return;
  cmox_buf_puts(out, "   calls of other commands:\n");
  const size_t before = end - from > CALLS_SHOWN_MAX ? end - from - CALLS_SHOWN_MAX : 0;
  if (before) cmox_buf_printf(out, "     (%zu before these)\n", before);
  for (from += before; from < end; from++) {
    cmox_buf_puts(out, "     ");
    cmox_describe_call(out, cmox_journal_at(journal, from));
    cmox_buf_putc(out, '\n');
  }
}

char *cmox_report_assertion(const cmox_assertion_t *assertion, const cmox_call_t **calls,
                            size_t count, const cmox_assertion_result_t *result,
                            const cmox_journal_t *journal) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  headline(&out, assertion, count, result);
  bool complete = true;
  if (result->pattern != SIZE_MAX) {
    const cmox_call_t *call = result->nearest == SIZE_MAX ? NULL : calls[result->nearest];
    complete = comparison(&out, &assertion->patterns[result->pattern], call);
  }
  list_calls(&out, calls, count, assertion->subject->taken - count);
  if (assertion->subject->id == 0 && assertion->subject->taken == 0) list_others(&out, journal);
  out.failed |= !complete;
  return cmox_buf_take_text(&out);
}
