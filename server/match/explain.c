/* Why not: the expected and the actual side of a call, row by row. */
#include "server/match/explain.h"

#include "server/base/alloc.h"
#include "server/base/diff.h"
#include "server/base/quote.h"
#include "server/model/mask.h"

enum { CONTEXT_BYTES = 24, ROWS_MAX = 256, LIST_SHOWN_MAX = 400 };

void cmox_differences_free(cmox_difference_t *differences, size_t count) {
  for (size_t i = 0; i < count; i++) {
    cmox_free_block(differences[i].subject);
    cmox_free_block(differences[i].expected);
    cmox_free_block(differences[i].actual);
    cmox_free_block(differences[i].diff);
  }
  cmox_free_block(differences);
}

/* ---- Rows of arguments --------------------------------------------------- */

/* One item against the arguments that it takes; item SIZE_MAX: an argument beyond all items. */
typedef struct row {
  size_t item;
  size_t at;
  size_t width;
  size_t number; /* the place it is shown at, from 1; beyond the last argument too */
  bool equal;
} row_t;

/* A walk over items and arguments side by side. */
typedef struct walk {
  const cmox_argv_t *argv; /* NULL: accepts anything, so there are no rows */
  cmox_span_list_t args;
  cmox_said_t *said;
  size_t item;
  size_t at;
  size_t missing; /* arguments that items before this one did not find */
} walk_t;

static walk_t walk_of(const cmox_expect_t *expect, const cmox_call_t *call) {
  return (walk_t){
      .argv = expect->facets.argv.argv, .args = cmox_call_args(&call->data), .said = call->said};
}

static bool next_row(walk_t *walk, row_t *row) {
  const cmox_argv_t *argv = walk->argv;
  if (!argv) return false;
  while (walk->item < argv->count) {
    bool rest = argv->items[walk->item].kind == CMOX_ITEM_REST;
    size_t width = cmox_argv_width(argv, walk->item, walk->args, walk->at);
    if (rest && width == 0) {
      walk->item++;
      continue;
    }
    if (rest) width = 1; /* a row for each */
    *row = (row_t){walk->item, walk->at, width, walk->at + walk->missing + 1, false};
    row->equal = cmox_argv_item_accepts(argv, walk->item, walk->args, walk->at, width,
                                        walk->said) == CMOX_ACCEPTS;
    walk->at += width;
    walk->missing += width == 0;
    if (!rest) walk->item++;
    return true;
  }
  if (walk->at == walk->args.count) return false;
  *row = (row_t){SIZE_MAX, walk->at, 1, walk->at + 1, false};
  walk->at++;
  return true;
}

size_t cmox_distance(const cmox_expect_t *expect, const cmox_call_t *call) {
  const cmox_facets_t *facets = &expect->facets;
  size_t distance = cmox_expect_accepts_stdin(expect, call) != CMOX_ACCEPTS;
  walk_t walk = walk_of(expect, call);
  for (row_t row; next_row(&walk, &row);) distance += !row.equal;
  for (size_t i = 0; i < facets->env.count; i++)
    distance +=
        cmox_env_item_accepts(&facets->env.items[i], call->data.env, call->said) != CMOX_ACCEPTS;
  for (size_t i = 0; i < facets->injection.count; i++)
    distance += !cmox_env_change_fits(&facets->injection.items[i], call->data.env);
  if (facets->cwd.present)
    distance += cmox_matchers_accept(facets->cwd.matchers, facets->cwd.node, call->data.cwd,
                                     call->said) != CMOX_ACCEPTS;
  return distance;
}

/* ---- Values -------------------------------------------------------------- */

/* Where to start showing two long values, so that their first difference is seen; 0: at the
 * start. */
static size_t window_start(cmox_span_t expected, cmox_span_t actual) {
  size_t least = expected.len < actual.len ? expected.len : actual.len;
  size_t same = 0;
  while (same < least && expected.data[same] == actual.data[same]) same++;
  if (same < CMOX_SHOWN_MAX / 2 || (expected.len <= CMOX_SHOWN_MAX && actual.len <= CMOX_SHOWN_MAX))
    return 0;
  size_t start = same - CONTEXT_BYTES;
  for (int back = 0; back < 3 && (expected.data[start] & 0xc0) == 0x80; back++)
    start--; /* not inside a character */
  return start;
}

static void quote_from(cmox_buf_t *out, cmox_span_t value, size_t start) {
  if (start) {
    cmox_buf_puts(out, "... ");
    value = cmox_span(value.data + start, value.len - start);
  }
  cmox_quote_c(out, value, CMOX_SHOWN_MAX);
}

static bool show_values(cmox_difference_t *row, cmox_span_t expected, cmox_span_t actual) {
  size_t start = window_start(expected, actual);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  quote_from(&text, expected, start);
  row->expected = cmox_buf_take_text(&text);
  quote_from(&text, actual, start);
  if (start) cmox_buf_printf(&text, " (from byte %zu on)", start);
  row->actual = cmox_buf_take_text(&text);
  return row->expected && row->actual;
}

/* Both sides of an exact comparison that failed, with what looks secret masked; as lines where
 * there are several, if `lines`. */
static bool add_values(cmox_difference_t *row, cmox_span_t expected, cmox_span_t actual,
                       bool lines) {
  cmox_buf_t masked[2] = {CMOX_BUF_EMPTY, CMOX_BUF_EMPTY};
  bool secret = cmox_mask_text(expected, &masked[0]);
  secret = cmox_mask_text(actual, &masked[1]) || secret;
  if (masked[0].data) expected = cmox_buf_span(&masked[0]);
  if (masked[1].data) actual = cmox_buf_span(&masked[1]);
  bool complete = show_values(row, expected, actual);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  if (complete && secret && cmox_span_equal(expected, actual)) {
    cmox_buf_puts(&text, row->actual);
    cmox_buf_puts(&text, " (another one)");
    cmox_free_block(row->actual);
    row->actual = cmox_buf_take_text(&text);
    complete = row->actual != NULL;
  } else if (complete && lines && cmox_diff_is_text(expected) && cmox_diff_is_text(actual)) {
    cmox_diff_lines(&text, expected, actual);
    row->diff = cmox_buf_take_text(&text);
    complete = row->diff != NULL;
  }
  cmox_buf_clear(&masked[0]);
  cmox_buf_clear(&masked[1]);
  return complete;
}

static void quote_masked(cmox_buf_t *out, cmox_span_t value) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  if (cmox_mask_text(value, &masked)) value = cmox_buf_span(&masked);
  cmox_quote_c(out, value, CMOX_SHOWN_MAX);
  cmox_buf_clear(&masked);
}

/* A value that may be shown as it is, against one node. */
static bool add_tested(cmox_difference_t *row, const cmox_matchers_t *matchers, uint32_t node,
                       cmox_span_t value, cmox_said_t *said) {
  cmox_test_t test = cmox_matchers_test(matchers, node);
  if (!row->equal && test.kind == CMOX_TEST_EQUALS)
    return add_values(row, test.value, value, false);
  cmox_span_t none = {NULL, 0};
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_matchers_describe(matchers, node, none, &text);
  row->expected = cmox_buf_take_text(&text);
  quote_masked(&text, value);
  cmox_buf_t why = CMOX_BUF_EMPTY;
  if (!row->equal) cmox_matchers_why_not(matchers, node, none, value, said, &why);
  if (why.len) {
    cmox_buf_puts(&text, " (");
    cmox_buf_append_span(&text, cmox_buf_span(&why));
    cmox_buf_putc(&text, ')');
  }
  text.failed |= why.failed;
  cmox_buf_clear(&why);
  row->actual = cmox_buf_take_text(&text);
  return row->expected && row->actual;
}

static void describe_arguments(cmox_buf_t *out, cmox_span_list_t args, const row_t *row) {
  if (row->width == 0) cmox_buf_puts(out, "(no argument)");
  for (size_t i = 0; i < row->width; i++) {
    if (i) cmox_buf_putc(out, ' ');
    if (out->len > LIST_SHOWN_MAX) {
      cmox_buf_printf(out, "... (%zu arguments)", row->width);
      return;
    }
    cmox_describe_argument(out, args, row->at + i, false);
  }
}

/* Neither side of the row holds anything that looks secret. */
static bool plain(const walk_t *walk, const row_t *row) {
  cmox_span_t pair[2] = {cmox_literal_before(walk->argv, row->item), {NULL, 0}};
  const cmox_argv_item_t *item = &walk->argv->items[row->item];
  pair[1] = cmox_matchers_test(walk->argv->matchers, item->node).value;
  return cmox_secret_part(walk->args, row->at).len == 0 &&
         cmox_secret_part((cmox_span_list_t){pair, 2}, 1).len == 0;
}

static bool add_argument_row(cmox_difference_t *to, const walk_t *walk, const row_t *row) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  to->equal = row->equal;
  if (row->width > 1)
    cmox_buf_printf(&text, "arguments %zu to %zu", row->number, row->number + row->width - 1);
  else
    cmox_buf_printf(&text, "argument %zu", row->number);
  to->subject = cmox_buf_take_text(&text);
  if (!to->subject) return false;
  bool beyond = row->item == SIZE_MAX;
  const cmox_argv_item_t *item = beyond ? NULL : &walk->argv->items[row->item];
  if (item && (item->kind == CMOX_ITEM_ONE || item->kind == CMOX_ITEM_REST) && row->width == 1 &&
      plain(walk, row))
    return add_tested(to, walk->argv->matchers, item->node, walk->args.items[row->at], walk->said);
  if (beyond)
    cmox_buf_puts(&text, "(no argument)");
  else
    cmox_describe_item(&text, walk->argv, row->item);
  to->expected = cmox_buf_take_text(&text);
  describe_arguments(&text, walk->args, row);
  /* Two masked values may look the same. */
  if (!row->equal && to->expected &&
      cmox_span_equal(cmox_buf_span(&text), cmox_span_str(to->expected)))
    cmox_buf_puts(&text, " (another one)");
  to->actual = cmox_buf_take_text(&text);
  return to->expected && to->actual;
}

/* ---- The rest of a call --------------------------------------------------- */

static void describe_stdin(cmox_buf_t *out, const cmox_call_t *call) {
  switch (call->stdin_end) {
    case CMOX_STDIN_NOT_READ: /* unless the real command read it */
      if (!cmox_call_stdin_over(call)) {
        cmox_buf_puts(out, "(not read)");
        return;
      }
      cmox_buf_puts(out, "(too long to be kept and compared) ");
      break;
    case CMOX_STDIN_ERROR:
      cmox_buf_puts(out, "(closed or unreadable)");
      return;
    case CMOX_STDIN_EOF:
      if (!cmox_stream_whole(&call->stdin_stream))
        cmox_buf_puts(out, "(too long to be kept and compared) ");
      break;
    case CMOX_STDIN_LIMIT:
      cmox_buf_puts(out, "(more than could be read) ");
      break;
    case CMOX_STDIN_DEADLINE:
      cmox_buf_puts(out, "(no end within its deadline) ");
      break;
  }
  cmox_span_t bytes = cmox_stream_bytes(&call->stdin_stream);
  quote_masked(out, bytes);
  cmox_stream_done(&call->stdin_stream, bytes);
}

static bool add_stdin_row(cmox_difference_t *row, const cmox_expect_t *expect,
                          const cmox_call_t *call) {
  const cmox_value_facet_t *facet = &expect->facets.stdin_match;
  row->subject = cmox_strdup("stdin");
  row->equal = cmox_expect_accepts_stdin(expect, call) == CMOX_ACCEPTS;
  if (!row->subject) return false;
  if (cmox_call_stdin_whole(call)) {
    cmox_test_t test = cmox_matchers_test(facet->matchers, facet->node);
    cmox_span_t bytes = cmox_stream_bytes(&call->stdin_stream);
    bool added = !row->equal && test.kind == CMOX_TEST_EQUALS
                     ? add_values(row, test.value, bytes, true)
                     : add_tested(row, facet->matchers, facet->node, bytes, call->said);
    cmox_stream_done(&call->stdin_stream, bytes);
    return added;
  }
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_matchers_describe(facet->matchers, facet->node, cmox_span(NULL, 0), &text);
  row->expected = cmox_buf_take_text(&text);
  describe_stdin(&text, call);
  row->actual = cmox_buf_take_text(&text);
  return row->expected && row->actual;
}

static bool add_cwd_row(cmox_difference_t *row, const cmox_expect_t *expect,
                        const cmox_call_t *call) {
  const cmox_value_facet_t *facet = &expect->facets.cwd;
  row->subject = cmox_strdup("working directory");
  row->equal = cmox_matchers_accept(facet->matchers, facet->node, call->data.cwd, call->said) ==
               CMOX_ACCEPTS;
  return row->subject && add_tested(row, facet->matchers, facet->node, call->data.cwd, call->said);
}

static void quote_variable(cmox_buf_t *out, const char *name, bool set, cmox_span_t value) {
  if (!set)
    cmox_buf_puts(out, "(not set)");
  else if (cmox_secret_name(cmox_span_str(name)))
    cmox_buf_puts(out, "***");
  else
    quote_masked(out, value);
}

/* matchers NULL: `wanted` itself is expected. */
static bool add_env_row(cmox_difference_t *row, const char *name, bool absent,
                        const cmox_matchers_t *matchers, uint32_t node, cmox_span_t wanted,
                        const cmox_call_t *call) {
  cmox_span_list_t env = call->data.env;
  cmox_span_t value = {NULL, 0};
  bool set = cmox_env_value(env, name, &value);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_puts(&text, "environment ");
  cmox_quote_shell(&text, cmox_span_str(name), CMOX_SHOWN_MAX);
  row->subject = cmox_buf_take_text(&text);
  if (!row->subject) return false;
  bool secret = cmox_secret_name(cmox_span_str(name));
  if (set && !absent && matchers && !secret)
    return add_tested(row, matchers, node, value, call->said);
  if (matchers && !absent)
    cmox_matchers_describe(matchers, node, cmox_span_str(secret ? "--secret" : ""), &text);
  else
    quote_variable(&text, name, !absent, wanted);
  row->expected = cmox_buf_take_text(&text);
  quote_variable(&text, name, set, value);
  row->actual = cmox_buf_take_text(&text);
  return row->expected && row->actual;
}

/* ---- All of it ------------------------------------------------------------ */

static bool add_context_rows(cmox_difference_t *list, size_t *count, const cmox_expect_t *expect,
                             const cmox_call_t *call) {
  const cmox_facets_t *facets = &expect->facets;
  cmox_span_list_t env = call->data.env;
  for (size_t i = 0; i < facets->env.count; i++) {
    const cmox_env_item_t *item = &facets->env.items[i];
    cmox_difference_t *row = &list[(*count)++];
    row->equal = cmox_env_item_accepts(item, env, call->said) == CMOX_ACCEPTS;
    if (!add_env_row(row, item->name, item->absent, item->matchers, item->node, cmox_span(NULL, 0),
                     call))
      return false;
  }
  for (size_t i = 0; i < facets->injection.count; i++) {
    const cmox_env_change_t *change = &facets->injection.items[i];
    if (cmox_env_change_fits(change, env)) continue;
    if (!add_env_row(&list[(*count)++], change->name, false, NULL, 0,
                     cmox_span(change->value, change->value_len), call))
      return false;
  }
  if (facets->cwd.present && !add_cwd_row(&list[(*count)++], expect, call)) return false;
  /* A stdin that was not read, since the arguments differ already, is no difference. */
  bool look = facets->stdin_match.present && cmox_call_stdin_over(call);
  return !look || add_stdin_row(&list[(*count)++], expect, call);
}

cmox_difference_t *cmox_explain(const cmox_expect_t *expect, const cmox_call_t *call,
                                size_t *count) {
  size_t arguments = 0;
  walk_t walk = walk_of(expect, call);
  for (row_t row; arguments < ROWS_MAX && next_row(&walk, &row);) arguments++;
  *count = 0;
  size_t room = arguments + expect->facets.env.count + expect->facets.injection.count + 2;
  cmox_difference_t *list = cmox_calloc(room, sizeof *list);
  if (!list) return NULL;
  bool complete = true;
  walk = walk_of(expect, call);
  for (row_t row; complete && *count < arguments && next_row(&walk, &row);)
    complete = add_argument_row(&list[(*count)++], &walk, &row);
  if (complete) complete = add_context_rows(list, count, expect, call);
  if (complete && *count) return list;
  cmox_differences_free(list, room);
  *count = 0;
  return NULL;
}
