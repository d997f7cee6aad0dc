/* Two texts line by line, for people. */
#ifndef CMOX_BASE_DIFF_H
#define CMOX_BASE_DIFF_H

#include "server/base/buf.h"
#include "server/base/span.h"

/* What a reader can make out as lines: it has a newline, and no NUL. */
bool cmox_diff_is_text(cmox_span_t text);

/* The lines in which the texts differ with some around them, as `diff -u` has them: "@@ line 3 @@",
 * then lines that begin with ' ', '-' (expected) or '+' (actual), each with a newline behind it.
 * Control characters are escaped, and what is long is cut. Nothing where the texts are equal. */
void cmox_diff_lines(cmox_buf_t *out, cmox_span_t expected, cmox_span_t actual);

#endif
