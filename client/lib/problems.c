#include "client/lib/problems.h"

void cmox_problems_add(cmox_problems_t *problems, cmox_location_t where, const char *function,
                       const cmox_error_t *detail) {
  cmox_buf_t line = CMOX_BUF_EMPTY;
  if (problems->text.len) cmox_buf_putc(&line, '\n');
  if (where.file) cmox_buf_printf(&line, "%s:%u: ", where.file, where.line);
  cmox_buf_printf(&line, "%s: %s", function, detail->message);
  if (problems->count++ == 0) problems->first = detail->code;
  /* Room first: a failed append would close the list for later mistakes. */
  cmox_buf_t *text = &problems->text;
  if (!line.failed && cmox_buf_reserve(text, line.len + 1)) {
    cmox_buf_append_span(text, cmox_buf_span(&line));
    text->data[text->len] = '\0';
  }
  text->failed = false;
  cmox_buf_clear(&line);
}

const char *cmox_problems_text(const cmox_problems_t *problems) {
  if (problems->text.len) return (const char *)problems->text.data;
  return problems->count ? "mistakes were made, and no memory was left to keep their text" : "";
}

void cmox_problems_clear(cmox_problems_t *problems) {
  cmox_buf_clear(&problems->text);
  *problems = (cmox_problems_t){0};
}
