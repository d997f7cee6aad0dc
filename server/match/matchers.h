/* Compiled matchers: a flat table whose children have lower indexes. */
#ifndef CMOX_MATCH_MATCHERS_H
#define CMOX_MATCH_MATCHERS_H

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"
#include "server/match/pattern.h"
#include "server/match/values.h"
#include "server/model/said.h"

typedef enum cmox_test_kind {
  CMOX_TEST_EQUALS,
  CMOX_TEST_ANY,
  CMOX_TEST_STARTS_WITH,
  CMOX_TEST_ENDS_WITH,
  CMOX_TEST_CONTAINS,
  CMOX_TEST_REGEX,
  CMOX_TEST_GLOB,
  CMOX_TEST_IS_A,
  CMOX_TEST_JSON_EQUALS,
  CMOX_TEST_ALL_OF, /* of none: accepts */
  CMOX_TEST_ANY_OF, /* of none: refuses */
  CMOX_TEST_NOT,
  CMOX_TEST_CALLBACK /* a predicate of the test's: gives up until it has been asked */
} cmox_test_kind_t;

/* What a client asked for; borrowed. */
typedef struct cmox_test {
  cmox_test_kind_t kind;
  cmox_span_t value;        /* what to compare with; CALLBACK: its name, maybe empty */
  uint64_t callback;        /* CALLBACK: by which the test knows it */
  cmox_value_type_t type;   /* IS_A */
  const uint32_t *children; /* ALL_OF, ANY_OF, NOT (one): indexes below the test's own */
  size_t child_count;
} cmox_test_t;

typedef struct cmox_matchers cmox_matchers_t;

/* Compiles a table; *out has one reference. CMOX_E_BAD_REGEX or CMOX_E_BAD_MATCHER say which one
 * is wrong and why; CMOX_E_NO_MEMORY. */
cmox_code_t cmox_matchers_compile(const cmox_test_t *tests, size_t count, cmox_matchers_t **out,
                                  cmox_error_t *error);
cmox_matchers_t *cmox_matchers_ref(cmox_matchers_t *matchers);
void cmox_matchers_unref(cmox_matchers_t *matchers); /* NULL is fine */
size_t cmox_matchers_count(const cmox_matchers_t *matchers);
bool cmox_matchers_ask(const cmox_matchers_t *matchers); /* whether a predicate is among them */

/* Whether node `index` accepts the value. A node that gives up leaves the answer open only where
 * it matters: any_of(anything, hard) accepts. `said` is what predicates said of the values of the
 * call; NULL: nobody can be asked. */
cmox_accept_t cmox_matchers_accept(const cmox_matchers_t *matchers, uint32_t index,
                                   cmox_span_t value, cmox_said_t *said);

cmox_test_t cmox_matchers_test(const cmox_matchers_t *matchers, uint32_t index); /* borrowed */

/* `"clone"`, `starting with "v"`, `a glob "*.c"`, `not ("a" or "b")`: what node `index` wants, with
 * what looks secret masked; `before` is what stands before it among the arguments ("--password").
 */
void cmox_matchers_describe(const cmox_matchers_t *matchers, uint32_t index, cmox_span_t before,
                            cmox_buf_t *out);

/* What is wrong with a value that node `index` refused, beyond what the two values show: "not an
 * integer", "$.a: expected 1, actual 2", "not containing \"x\"". Writes nothing where there is
 * nothing to add. Shows nothing of a value that looks secret. */
void cmox_matchers_why_not(const cmox_matchers_t *matchers, uint32_t index, cmox_span_t before,
                           cmox_span_t value, cmox_said_t *said, cmox_buf_t *out);

#endif
