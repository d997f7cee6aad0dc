/* Compiled matchers: a flat table whose children have lower indexes. */
#ifndef CMOX_MATCH_MATCHERS_H
#define CMOX_MATCH_MATCHERS_H

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"

typedef enum cmox_test_kind {
  CMOX_TEST_EQUALS,
  CMOX_TEST_ANY,
  CMOX_TEST_STARTS_WITH,
  CMOX_TEST_CONTAINS,
  CMOX_TEST_REGEX
} cmox_test_kind_t;

/* What a client asked for; borrowed. */
typedef struct cmox_test {
  cmox_test_kind_t kind;
  cmox_span_t value;
} cmox_test_t;

typedef struct cmox_matchers cmox_matchers_t;

/* Compiles a table; *out has one reference. CMOX_E_BAD_REGEX names the
 * pattern, the offset and PCRE2's reason; CMOX_E_NO_MEMORY. */
cmox_code_t cmox_matchers_compile(const cmox_test_t *tests, size_t count, cmox_matchers_t **out,
                                  cmox_error_t *error);
cmox_matchers_t *cmox_matchers_ref(cmox_matchers_t *matchers);
void cmox_matchers_unref(cmox_matchers_t *matchers); /* NULL is fine */
size_t cmox_matchers_count(const cmox_matchers_t *matchers);

typedef enum cmox_accept {
  CMOX_REFUSES = 0,
  CMOX_ACCEPTS = 1,
  /* A regex exceeded its work limit or memory is out: nobody knows. No call may be decided on
   * that, or a pattern that is too hard would let a call pass that is never to be made. */
  CMOX_GIVES_UP = 2
} cmox_accept_t;

/* Whether node `index` accepts the value. */
cmox_accept_t cmox_matchers_accept(const cmox_matchers_t *matchers, uint32_t index,
                                   cmox_span_t value);

cmox_test_t cmox_matchers_test(const cmox_matchers_t *matchers, uint32_t index); /* borrowed */

#endif
