#include "server/match/explain.h"

#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/model/mask.h"

enum { CALL_SHOWN_MAX = 400, DOUBLE_SHOWN_MAX = 100, CONTEXT_BYTES = 24, ROWS_MAX = 256 };

void cmox_differences_free(cmox_difference_t *differences, size_t count) {
  for (size_t i = 0; i < count; i++) {
    cmox_free_block(differences[i].subject);
    cmox_free_block(differences[i].expected);
    cmox_free_block(differences[i].actual);
  }
  cmox_free_block(differences);
}

void cmox_describe_test(cmox_buf_t *out, cmox_test_t test) {
  switch (test.kind) {
    case CMOX_TEST_EQUALS:
      break;
    case CMOX_TEST_ANY:
      cmox_buf_puts(out, "anything");
      return;
    case CMOX_TEST_STARTS_WITH:
      cmox_buf_puts(out, "starting with ");
      break;
    case CMOX_TEST_CONTAINS:
      cmox_buf_puts(out, "containing ");
      break;
    case CMOX_TEST_REGEX:
      cmox_buf_puts(out, "matching ");
      break;
  }
  cmox_quote_c(out, test.value, CMOX_SHOWN_MAX);
}

static void describe_argument(cmox_buf_t *out, cmox_span_list_t args, size_t index, bool shell) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  bool secret = cmox_mask_argument(args, index, &masked);
  cmox_span_t shown = secret ? cmox_buf_span(&masked) : args.items[index];
  if (shell)
    cmox_quote_shell(out, shown, CMOX_SHOWN_MAX);
  else
    cmox_quote_c(out, shown, CMOX_SHOWN_MAX);
  cmox_buf_clear(&masked);
}

void cmox_describe_call(cmox_buf_t *out, const cmox_call_t *call) {
  cmox_quote_shell(out, call->data.command, CMOX_SHOWN_MAX);
  cmox_span_list_t args = cmox_call_args(&call->data);
  size_t start = out->len;
  for (size_t i = 0; i < args.count; i++) {
    if (out->len - start > CALL_SHOWN_MAX) {
      cmox_buf_printf(out, " ... (%zu arguments)", args.count);
      return;
    }
    cmox_buf_putc(out, ' ');
    describe_argument(out, args, i, true);
  }
}

/* An expected value is masked where the same place of the call would be. */
static void describe_expected(cmox_buf_t *out, const cmox_argv_facet_t *argv, size_t i,
                              bool shell) {
  cmox_test_t test = cmox_matchers_test(argv->matchers, argv->nodes[i]);
  cmox_test_t before =
      i > 0 ? cmox_matchers_test(argv->matchers, argv->nodes[i - 1]) : (cmox_test_t){0};
  cmox_span_t pair[2] = {before.value, test.value};
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  if (test.kind != CMOX_TEST_ANY && cmox_mask_argument((cmox_span_list_t){pair, 2}, 1, &masked))
    test.value = cmox_buf_span(&masked);
  if (shell && test.kind == CMOX_TEST_EQUALS) {
    cmox_quote_shell(out, test.value, CMOX_SHOWN_MAX);
  } else {
    if (shell) cmox_buf_putc(out, '<');
    cmox_describe_test(out, test);
    if (shell) cmox_buf_putc(out, '>');
  }
  cmox_buf_clear(&masked);
}

void cmox_describe_double(cmox_buf_t *out, const cmox_expect_t *expect) {
  static const char *const kinds[] = {"", "stub", "mock", "spy"};
  const cmox_argv_facet_t *argv = &expect->facets.argv;
  cmox_buf_printf(out, "%s ", kinds[expect->kind]);
  cmox_quote_shell(out, expect->command, CMOX_SHOWN_MAX);
  size_t start = out->len;
  for (size_t i = 0; argv->present && i < argv->count; i++) {
    cmox_buf_putc(out, ' ');
    if (out->len - start > DOUBLE_SHOWN_MAX) {
      cmox_buf_puts(out, "...");
      break;
    }
    describe_expected(out, argv, i, true);
  }
  if (expect->source.file) {
    cmox_buf_puts(out, " (");
    cmox_quote_shell(out, cmox_span_str(expect->source.file), CMOX_SHOWN_MAX);
    cmox_buf_printf(out, ":%u)", expect->source.line);
  }
}

static bool argument_equal(const cmox_argv_facet_t *argv, cmox_span_list_t args, size_t i) {
  return i < args.count && i < argv->count &&
         cmox_matchers_accept(argv->matchers, argv->nodes[i], args.items[i]) == CMOX_ACCEPTS;
}

static size_t rows_of(const cmox_argv_facet_t *argv, cmox_span_list_t args) {
  return argv->count > args.count ? argv->count : args.count;
}

size_t cmox_distance(const cmox_expect_t *expect, const cmox_call_t *call) {
  size_t distance = cmox_expect_accepts_stdin(expect, call) == CMOX_ACCEPTS ? 0 : 1;
  const cmox_argv_facet_t *argv = &expect->facets.argv;
  if (!argv->present) return distance;
  cmox_span_list_t args = cmox_call_args(&call->data);
  size_t rows = rows_of(argv, args);
  for (size_t i = 0; i < rows; i++)
    if (!argument_equal(argv, args, i)) distance++;
  return distance;
}

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

/* Both sides of an exact comparison that failed. */
static void add_values(cmox_difference_t *row, cmox_span_t expected, cmox_span_t actual) {
  size_t start = window_start(expected, actual);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  quote_from(&text, expected, start);
  row->expected = cmox_buf_take_text(&text);
  quote_from(&text, actual, start);
  if (start) cmox_buf_printf(&text, " (from byte %zu on)", start);
  row->actual = cmox_buf_take_text(&text);
}

/* The exact value that is expected there, when both sides may be shown as they are. */
static bool plain_values(const cmox_argv_facet_t *argv, cmox_span_list_t args, size_t i,
                         cmox_span_t *expected) {
  if (i >= argv->count || i >= args.count || cmox_secret_part(args, i).len) return false;
  cmox_test_t test = cmox_matchers_test(argv->matchers, argv->nodes[i]);
  cmox_span_t pair[2] = {{0}, test.value};
  if (i > 0) pair[0] = cmox_matchers_test(argv->matchers, argv->nodes[i - 1]).value;
  *expected = test.value;
  return test.kind == CMOX_TEST_EQUALS && cmox_secret_part((cmox_span_list_t){pair, 2}, 1).len == 0;
}

static bool add_argument_row(cmox_difference_t *row, const cmox_argv_facet_t *argv,
                             cmox_span_list_t args, size_t i) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_span_t expected;
  cmox_buf_printf(&text, "argument %zu", i + 1);
  row->subject = cmox_buf_take_text(&text);
  row->equal = argument_equal(argv, args, i);
  if (!row->equal && plain_values(argv, args, i, &expected)) {
    add_values(row, expected, args.items[i]);
    return row->subject && row->expected && row->actual;
  }
  if (i < argv->count)
    describe_expected(&text, argv, i, false);
  else
    cmox_buf_puts(&text, "(no argument)");
  row->expected = cmox_buf_take_text(&text);
  if (i < args.count)
    describe_argument(&text, args, i, false);
  else
    cmox_buf_puts(&text, "(no argument)");
  /* Two masked values may look the same. */
  if (!row->equal && row->expected &&
      cmox_span_equal(cmox_buf_span(&text), cmox_span_str(row->expected)))
    cmox_buf_puts(&text, " (another one)");
  row->actual = cmox_buf_take_text(&text);
  return row->subject && row->expected && row->actual;
}

static void describe_stdin(cmox_buf_t *out, const cmox_call_t *call) {
  switch (call->stdin_end) {
    case CMOX_STDIN_NOT_READ:
      cmox_buf_puts(out, "(not read)");
      return;
    case CMOX_STDIN_ERROR:
      cmox_buf_puts(out, "(closed or unreadable)");
      return;
    case CMOX_STDIN_EOF:
      break;
    case CMOX_STDIN_LIMIT:
      cmox_buf_puts(out, "(more than could be read) ");
      break;
    case CMOX_STDIN_DEADLINE:
      cmox_buf_puts(out, "(no end within its deadline) ");
      break;
  }
  cmox_quote_c(out, cmox_buf_span(&call->stdin_data), CMOX_SHOWN_MAX);
}

static bool add_stdin_row(cmox_difference_t *row, const cmox_expect_t *expect,
                          const cmox_call_t *call) {
  const cmox_stdin_facet_t *facet = &expect->facets.stdin_match;
  cmox_test_t test = cmox_matchers_test(facet->matchers, facet->node);
  row->subject = cmox_strdup("stdin");
  row->equal = cmox_expect_accepts_stdin(expect, call) == CMOX_ACCEPTS;
  if (!row->equal && test.kind == CMOX_TEST_EQUALS && call->stdin_end == CMOX_STDIN_EOF) {
    add_values(row, test.value, cmox_buf_span(&call->stdin_data));
    return row->subject && row->expected && row->actual;
  }
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_describe_test(&text, test);
  row->expected = cmox_buf_take_text(&text);
  describe_stdin(&text, call);
  row->actual = cmox_buf_take_text(&text);
  return row->subject && row->expected && row->actual;
}

cmox_difference_t *cmox_explain(const cmox_expect_t *expect, const cmox_call_t *call,
                                size_t *count) {
  *count = 0;
  const cmox_argv_facet_t *argv = &expect->facets.argv;
  cmox_span_list_t args = cmox_call_args(&call->data);
  size_t rows = argv->present ? rows_of(argv, args) : 0;
  if (rows > ROWS_MAX) rows = ROWS_MAX; /* a reader sees the first of them */
  /* A stdin that was not read, since the arguments differ already, is no difference. */
  bool look = expect->facets.stdin_match.present && call->stdin_end != CMOX_STDIN_NOT_READ;
  size_t all = rows + (look ? 1 : 0);
  if (all == 0) return NULL;
  cmox_difference_t *list = cmox_calloc(all, sizeof *list);
  if (!list) return NULL;
  bool complete = true;
  for (size_t i = 0; i < rows && complete; i++)
    complete = add_argument_row(&list[i], argv, args, i);
  if (complete && all > rows) complete = add_stdin_row(&list[rows], expect, call);
  if (!complete) {
    cmox_differences_free(list, all);
    return NULL;
  }
  *count = all;
  return list;
}
