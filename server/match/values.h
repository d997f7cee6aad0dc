/* What kind of value some bytes are, and whether two texts are the same JSON. */
#ifndef CMOX_MATCH_VALUES_H
#define CMOX_MATCH_VALUES_H

#include <stdbool.h>

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"
#include "server/match/pattern.h"

typedef enum cmox_value_type {                     /* numbers as in matcher.proto */
                               CMOX_VALUE_INT = 1, /* [+-]digits */
                               CMOX_VALUE_FLOAT =
                                   2, /* what strtod reads in the C locale, hexadecimal left out */
                               CMOX_VALUE_BOOL =
                                   3, /* true false yes no on off 1 0, in any case of letters */
                               CMOX_VALUE_PATH = 4, /* not empty, no NUL */
                               CMOX_VALUE_JSON = 5  /* one JSON value (RFC 8259), of any kind */
} cmox_value_type_t;

#define CMOX_JSON_MAX (4u << 20) /* bytes of one text: a parsed one takes ten times as much */

/* Gives up when memory is out: whether it is JSON is not known then. */
cmox_accept_t cmox_value_is(cmox_value_type_t type, cmox_span_t value);

/* A parsed JSON text. */
typedef struct cmox_json cmox_json_t;

/* CMOX_E_BAD_MATCHER names line, column and reason; CMOX_E_NO_MEMORY. */
cmox_code_t cmox_json_parse(cmox_span_t text, cmox_json_t **out, cmox_error_t *error);
void cmox_json_free(cmox_json_t *json); /* NULL is fine */

/* Objects are equal whatever the order of their members; 1 and 1.0 differ. Gives up when memory is
 * out. */
cmox_accept_t cmox_json_equal(const cmox_json_t *expected, cmox_span_t text);

/* Where `text` first differs, for people: "$.items[2]: expected 1, actual \"1\"". */
void cmox_json_difference(cmox_buf_t *out, const cmox_json_t *expected, cmox_span_t text);

#endif
