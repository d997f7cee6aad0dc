/* What a test asserts about the calls that one double took. */
#ifndef CMOX_VERIFY_ASSERTION_H
#define CMOX_VERIFY_ASSERTION_H

#include "server/base/error.h"
#include "server/journal/journal.h"
#include "server/match/expect.h"

typedef enum cmox_assertion_kind { /* numbers as in control.proto */
                                   CMOX_ASSERT_CALLED = 1,
                                   CMOX_ASSERT_NOT_CALLED = 2,
                                   CMOX_ASSERT_CALLED_WITH = 3,
                                   CMOX_ASSERT_ANY_CALL = 4,
                                   CMOX_ASSERT_HAS_CALLS = 5,
                                   CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER = 6
} cmox_assertion_kind_t;

#define CMOX_PATTERNS_MAX 1000u /* the search for a call for each of them is as deep as that */

typedef struct cmox_assertion {
  cmox_assertion_kind_t kind;
  const cmox_expect_t *subject;  /* whose calls are meant: see cmox_calls_of() */
  const cmox_expect_t *patterns; /* their facets count, and nothing else */
  size_t count;
} cmox_assertion_t;

/* The calls that the subject took, in the order of start; one without an id stands for all calls of
 * its command. Owned by the caller (cmox_free_block). NULL when memory is out. */
const cmox_call_t **cmox_calls_of(const cmox_journal_t *journal, const cmox_expect_t *subject,
                                  size_t *count);

typedef struct cmox_assertion_result {
  bool passed;
  /* Not passed: the pattern that was not met (SIZE_MAX: none is to blame) and the call that came
   * nearest to it (SIZE_MAX: there is none). */
  size_t pattern;
  size_t nearest;
} cmox_assertion_result_t;

/* CMOX_E_INVALID_ARGUMENT: the kind does not go with so many patterns. A pattern that gives up has
 * not accepted. */
cmox_code_t cmox_assertion_check(const cmox_assertion_t *assertion, const cmox_call_t **calls,
                                 size_t count, cmox_assertion_result_t *result,
                                 cmox_error_t *error);

#endif
