/* Why not: what a double expected against what a call brought, for people. */
#ifndef CMOX_MATCH_EXPLAIN_H
#define CMOX_MATCH_EXPLAIN_H

#include "server/match/expect.h"

#define CMOX_SHOWN_MAX 160u /* bytes of one value in a report */

typedef struct cmox_difference {
  char *subject;  /* "argument 2", "stdin", "arguments" */
  char *expected; /* quoted and masked */
  char *actual;
  char *diff; /* lines, as cmox_diff_lines() has them; NULL: none */
  bool equal;
} cmox_difference_t;

void cmox_differences_free(cmox_difference_t *differences, size_t count);

/* Every argument of either side, and stdin where the double looks at it, equal
 * ones too. Owned by the caller; NULL with *count 0 when memory is out or the
 * double accepts anything. */
cmox_difference_t *cmox_explain(const cmox_expect_t *expect, const cmox_call_t *call,
                                size_t *count);

/* How far the call is from being accepted: 0 accepts; more is farther. */
size_t cmox_distance(const cmox_expect_t *expect, const cmox_call_t *call);

/* ---- In words (describe.c) ---------------------------------------------- */

/* The call as a shell would write it, masked and cut: git push origin */
void cmox_describe_call(cmox_buf_t *out, const cmox_call_t *call);

/* What it expects and, when known, where it was declared: mock git push <anything> (test.c:12) */
void cmox_describe_double(cmox_buf_t *out, const cmox_expect_t *expect);

/* The same without its kind and place: git push <anything> */
void cmox_describe_pattern(cmox_buf_t *out, const cmox_expect_t *expect);

/* "the handler build failed: no such file"; the name may be empty, the failure is what the test's
 * client says. */
void cmox_describe_failure(cmox_buf_t *out, const char *kind, const char *name,
                           const char *failure);

/* One argument, quoted as a shell or as C has it, with its secret parts masked. */
void cmox_describe_argument(cmox_buf_t *out, cmox_span_list_t args, size_t index, bool shell);

/* What one item of an argument list wants. */
void cmox_describe_item(cmox_buf_t *out, const cmox_argv_t *argv, size_t index);

/* The literal that stands before an item ("--password"); empty: none. */
cmox_span_t cmox_literal_before(const cmox_argv_t *argv, size_t item);

#endif
