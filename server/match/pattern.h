/* Regular expressions and globs, both by PCRE2 over bytes, with bounded work. */
#ifndef CMOX_MATCH_PATTERN_H
#define CMOX_MATCH_PATTERN_H

#include "server/base/error.h"
#include "server/base/span.h"

typedef enum cmox_accept {
  CMOX_REFUSES = 0,
  CMOX_ACCEPTS = 1,
  /* A regex exceeded its work limit or memory is out: nobody knows. No call may be decided on
   * that, or a pattern that is too hard would let a call pass that is never to be made. */
  CMOX_GIVES_UP = 2
} cmox_accept_t;

typedef struct cmox_pattern cmox_pattern_t;

/* A regular expression, not anchored. CMOX_E_BAD_REGEX names the pattern, the offset and PCRE2's
 * reason; CMOX_E_NO_MEMORY. */
cmox_code_t cmox_pattern_regex(cmox_span_t text, cmox_pattern_t **out, cmox_error_t *error);

/* A glob over the whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set, \ takes the next
 * byte as it is. A '/' is a byte as any other. */
cmox_code_t cmox_pattern_glob(cmox_span_t text, cmox_pattern_t **out, cmox_error_t *error);

void cmox_pattern_free(cmox_pattern_t *pattern); /* NULL is fine */

cmox_accept_t cmox_pattern_accept(const cmox_pattern_t *pattern, cmox_span_t value);

#endif
