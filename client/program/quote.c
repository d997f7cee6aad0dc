/* cmdmox quote: for libraries of shells, whose reports are to show words as ours do. */
#include <stdlib.h>

#include "client/program/verbs.h"
#include "server/base/quote.h"
#include "server/model/mask.h"

enum { SHOWN_MAX = 160 }; /* bytes of one word, as in reports */

int cmox_verb_quote(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_span_t *items = calloc(arguments->word_count + 1, sizeof *items);
  if (!items) return cmox_no_memory();
  for (size_t i = 0; i < arguments->word_count; i++) items[i] = cmox_span_str(arguments->words[i]);
  const cmox_span_list_t words = {items, arguments->word_count};
  for (size_t i = 0; i < words.count; i++) {
    cmox_buf_t masked = CMOX_BUF_EMPTY;
    const bool secret = cmox_mask_argument(words, i, &masked);
    out.failed |= masked.failed;
    cmox_quote_c(&out, secret ? cmox_buf_span(&masked) : items[i], SHOWN_MAX);
    cmox_buf_putc(&out, '\n');
    cmox_buf_clear(&masked);
  }
  const int status = out.failed ? cmox_no_memory() : 0;
  if (status == 0) cmox_print(&out);
  free(items);
  cmox_buf_clear(&out);
  return status ? status : cmox_finish_output();
}
