/* Bytes for people: nothing printed ever contains a control character that
 * the other side chose. */
#ifndef CMOX_BASE_QUOTE_H
#define CMOX_BASE_QUOTE_H

#include "server/base/buf.h"
#include "server/base/span.h"

#define CMOX_QUOTE_ALL SIZE_MAX

/* Length of the UTF-8 sequence at the start of text, 0 when it is none. */
size_t cmox_utf8_length(cmox_span_t text);
bool cmox_is_utf8(cmox_span_t text);

/* "text" as a C string literal: \n, \t, \xHH, valid UTF-8 as it is. Above
 * shown_max bytes of text it is cut and the whole length is said. */
void cmox_quote_c(cmox_buf_t *out, cmox_span_t text, size_t shown_max);

/* text as a literal of Python that os.fsencode() makes these bytes of: \n, \t, \xHH, \udcHH for
 * bytes that are no printable UTF-8, valid UTF-8 as it is. */
void cmox_quote_python(cmox_buf_t *out, cmox_span_t text);

/* text as an expression of JavaScript: a literal, whose UTF-8 is these bytes; where there is none,
 * or it cannot be shown, Buffer.from() of one character for each byte. */
void cmox_quote_javascript(cmox_buf_t *out, cmox_span_t text);

/* One line as it is, with control characters escaped and tabs kept. */
void cmox_quote_line(cmox_buf_t *out, cmox_span_t text, size_t shown_max);

/* Exactly these bytes as a word for every shell of POSIX: 'it'\''s' */
void cmox_quote_word(cmox_buf_t *out, cmox_span_t text);

/* The same for people: bare when it is plain, else in single quotes, with
 * $'...' where control characters need it. */
void cmox_quote_shell(cmox_buf_t *out, cmox_span_t text, size_t shown_max);

/* A string of JSON, in its quotes. What is no UTF-8 becomes U+FFFD; above shown_max bytes of text
 * it is cut. */
void cmox_quote_json(cmox_buf_t *out, cmox_span_t text, size_t shown_max);

/* The value of a key in a line for machines: bare when it is plain, else as cmox_quote_c. */
void cmox_quote_value(cmox_buf_t *out, cmox_span_t text, size_t shown_max);

#endif
