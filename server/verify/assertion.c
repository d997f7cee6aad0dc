#include "server/verify/assertion.h"

#include "server/base/alloc.h"
#include "server/match/explain.h"

static bool belongs(const cmox_call_t *call, const cmox_expect_t *subject) {
  if (subject->id == 0) return cmox_span_equal(call->data.command, subject->command);
  return call->double_id == subject->id && call->verdict == CMOX_VERDICT_ACCEPTED;
}

const cmox_call_t **cmox_calls_of(const cmox_journal_t *journal, const cmox_expect_t *subject,
                                  size_t *count) {
  size_t all = cmox_journal_count(journal);
  const cmox_call_t **calls = cmox_calloc(all, sizeof *calls);
  *count = 0;
  for (size_t i = cmox_journal_listed(journal); calls && i < all; i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    if (belongs(call, subject)) calls[(*count)++] = call;
  }
  return calls;
}

static bool accepts(const cmox_expect_t *pattern, const cmox_call_t *call) {
  cmox_call_t seen = cmox_call_as_seen(call);
  return cmox_expect_accepts_invocation(pattern, &seen) == CMOX_ACCEPTS &&
         cmox_expect_accepts_stdin(pattern, &seen) == CMOX_ACCEPTS;
}

/* The call that comes nearest to what the pattern wants; SIZE_MAX: there is none. */
static size_t nearest(const cmox_expect_t *pattern, const cmox_call_t **calls, size_t count) {
  size_t found = SIZE_MAX;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    cmox_call_t seen = cmox_call_as_seen(calls[i]);
    size_t distance = cmox_distance(pattern, &seen);
    if (distance >= least) continue;
    least = distance;
    found = i;
  }
  return found;
}

static void missed(cmox_assertion_result_t *result, const cmox_assertion_t *assertion,
                   size_t pattern, const cmox_call_t **calls, size_t count) {
  result->pattern = pattern;
  result->nearest = nearest(&assertion->patterns[pattern], calls, count);
}

static void any_call(const cmox_assertion_t *assertion, const cmox_call_t **calls, size_t count,
                     cmox_assertion_result_t *result) {
  for (size_t i = 0; i < count && !result->passed; i++)
    result->passed = accepts(assertion->patterns, calls[i]);
  if (!result->passed) missed(result, assertion, 0, calls, count);
}

/* How many of the patterns accept the calls from `start` on, one each. */
static size_t run_length(const cmox_assertion_t *assertion, const cmox_call_t **calls, size_t count,
                         size_t start) {
  size_t length = 0;
  while (length < assertion->count && start + length < count &&
         accepts(&assertion->patterns[length], calls[start + length]))
    length++;
  return length;
}

/* To blame is the pattern at which the longest run ended. */
static void has_calls(const cmox_assertion_t *assertion, const cmox_call_t **calls, size_t count,
                      cmox_assertion_result_t *result) {
  size_t longest = 0;
  size_t start_of_longest = 0;
  for (size_t start = 0; start <= count; start++) {
    size_t length = run_length(assertion, calls, count, start);
    if (length == assertion->count) {
      result->passed = true;
      return;
    }
    if (length <= longest) continue;
    longest = length;
    start_of_longest = start;
  }
  size_t next = start_of_longest + longest;
  result->pattern = longest;
  if (longest > 0)
    result->nearest = next < count ? next : SIZE_MAX;
  else
    missed(result, assertion, longest, calls, count);
}

/* One call for each pattern; a call that was given to one may move to another (augmenting paths).
 */
typedef struct placing {
  const cmox_assertion_t *assertion;
  const cmox_call_t **calls;
  size_t count;
  size_t *pattern_of; /* of each call: the pattern that has it, or SIZE_MAX */
  bool *tried;        /* calls, in this search */
} placing_t;

/* As deep as there are patterns: CMOX_PATTERNS_MAX. */
static bool place(placing_t *placing, size_t pattern) {
  for (size_t i = 0; i < placing->count; i++) {
    if (placing->tried[i] || !accepts(&placing->assertion->patterns[pattern], placing->calls[i]))
      continue;
    placing->tried[i] = true;
    if (placing->pattern_of[i] != SIZE_MAX && !place(placing, placing->pattern_of[i])) continue;
    placing->pattern_of[i] = pattern;
    return true;
  }
  return false;
}

static cmox_code_t has_calls_in_any_order(const cmox_assertion_t *assertion,
                                          const cmox_call_t **calls, size_t count,
                                          cmox_assertion_result_t *result, cmox_error_t *error) {
  placing_t placing = {.assertion = assertion, .calls = calls, .count = count};
  placing.pattern_of = cmox_calloc(count, sizeof *placing.pattern_of);
  placing.tried = cmox_calloc(count, sizeof *placing.tried);
  cmox_code_t code = CMOX_E_NO_MEMORY;
  if (placing.pattern_of && placing.tried) {
    code = CMOX_OK;
    for (size_t i = 0; i < count; i++) placing.pattern_of[i] = SIZE_MAX;
    size_t pattern = 0;
    for (bool placed = true; pattern < assertion->count && placed; pattern += placed) {
      for (size_t i = 0; i < count; i++) placing.tried[i] = false;
      placed = place(&placing, pattern);
    }
    result->passed = pattern == assertion->count;
    if (!result->passed) missed(result, assertion, pattern, calls, count);
  } else {
    (void)cmox_fail(error, code, "assertion: out of memory");
  }
  cmox_free_block(placing.pattern_of);
  cmox_free_block(placing.tried);
  return code;
}

cmox_code_t cmox_assertion_check(const cmox_assertion_t *assertion, const cmox_call_t **calls,
                                 size_t count, cmox_assertion_result_t *result,
                                 cmox_error_t *error) {
  *result = (cmox_assertion_result_t){false, SIZE_MAX, SIZE_MAX};
  bool one = assertion->kind == CMOX_ASSERT_CALLED_WITH || assertion->kind == CMOX_ASSERT_ANY_CALL;
  bool none = assertion->kind == CMOX_ASSERT_CALLED || assertion->kind == CMOX_ASSERT_NOT_CALLED;
  if ((one && assertion->count != 1) || (none && assertion->count != 0))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "this assertion needs %s, not %zu",
                     one ? "one pattern" : "no pattern", assertion->count);
  if (assertion->count > CMOX_PATTERNS_MAX)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "%zu patterns are more than %u",
                     assertion->count, CMOX_PATTERNS_MAX);
  switch (assertion->kind) {
    case CMOX_ASSERT_CALLED:
      result->passed = assertion->subject->taken > 0;
      return CMOX_OK;
    case CMOX_ASSERT_NOT_CALLED:
      result->passed = assertion->subject->taken == 0;
      return CMOX_OK;
    case CMOX_ASSERT_CALLED_WITH:
      result->passed = count > 0 && accepts(assertion->patterns, calls[count - 1]);
      result->pattern = 0;
      if (count > 0) result->nearest = count - 1;
      return CMOX_OK;
    case CMOX_ASSERT_ANY_CALL:
      any_call(assertion, calls, count, result);
      return CMOX_OK;
    case CMOX_ASSERT_HAS_CALLS:
      has_calls(assertion, calls, count, result);
      return CMOX_OK;
    case CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER:
      return has_calls_in_any_order(assertion, calls, count, result, error);
  }
  return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know assertion %d",
                   (int)assertion->kind);
}
