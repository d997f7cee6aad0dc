/* Matchers in words. Tables come from a client, so both depth and length are bounded. */
#include <inttypes.h>

#include "server/base/quote.h"
#include "server/match/explain.h"
#include "server/match/table.h"
#include "server/model/mask.h"

enum {
  DEPTH_MAX = 6,
  TEXT_MAX = 600,
  CALL_SHOWN_MAX = 400,
  DOUBLE_SHOWN_MAX = 100,
  SAYING_SHOWN_MAX = 400
};

/* As an argument, and where it has several lines each of them. */
static bool mask_value(cmox_span_list_t args, size_t index, cmox_buf_t *masked) {
  const cmox_span_t value = args.items[index];
  return cmox_mask_argument(args, index, masked) ||
         (value.len && memchr(value.data, '\n', value.len) && cmox_mask_text(value, masked));
}

/* A literal as a reader may see it. */
static void put_value(cmox_buf_t *out, cmox_span_t before, cmox_span_t value) {
  cmox_span_t pair[2] = {before, value};
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  if (mask_value((cmox_span_list_t){pair, 2}, 1, &masked)) value = cmox_buf_span(&masked);
  cmox_quote_c(out, value, CMOX_SHOWN_MAX);
  cmox_buf_clear(&masked);
}

static const char *type_name(cmox_value_type_t type) {
  switch (type) {
    case CMOX_VALUE_INT:
      return "an integer";
    case CMOX_VALUE_FLOAT:
      return "a number";
    case CMOX_VALUE_BOOL:
      return "a boolean";
    case CMOX_VALUE_PATH:
      return "a path";
    case CMOX_VALUE_JSON:
      return "JSON";
  }
  return "anything";
}

/* What stands before the literal; NULL: it is no test of one literal. */
static const char *lead(cmox_test_kind_t kind) {
  switch (kind) {
    case CMOX_TEST_EQUALS:
      return "";
    case CMOX_TEST_STARTS_WITH:
      return "starting with ";
    case CMOX_TEST_ENDS_WITH:
      return "ending with ";
    case CMOX_TEST_CONTAINS:
      return "containing ";
    case CMOX_TEST_REGEX:
      return "matching ";
    case CMOX_TEST_GLOB:
      return "like ";
    case CMOX_TEST_JSON_EQUALS:
      return "JSON equal to ";
    default:
      return NULL;
  }
}

static void put_callback(cmox_buf_t *out, const cmox_test_t *test) {
  if (test->value.len)
    cmox_quote_shell(out, test->value, CMOX_SHOWN_MAX);
  else
    cmox_buf_printf(out, "predicate %" PRIu64, test->callback);
}

static void describe(const cmox_matchers_t *matchers, uint32_t index, cmox_span_t before,
                     cmox_buf_t *out, int depth) {
  const cmox_test_t *test = &matchers->nodes[index].test;
  const char *words = lead(test->kind);
  if (words) {
    cmox_buf_puts(out, words);
    put_value(out, before, test->value);
  } else if (test->kind == CMOX_TEST_ANY) {
    cmox_buf_puts(out, "anything");
  } else if (test->kind == CMOX_TEST_IS_A) {
    cmox_buf_puts(out, type_name(test->type));
  } else if (test->kind == CMOX_TEST_CALLBACK) {
    cmox_buf_puts(out, "accepted by ");
    put_callback(out, test);
  } else {
    const char *between = test->kind == CMOX_TEST_ANY_OF ? " or " : " and ";
    if (test->kind == CMOX_TEST_NOT) cmox_buf_puts(out, "not ");
    cmox_buf_putc(out, '(');
    for (size_t i = 0; i < test->child_count; i++) {
      if (i) cmox_buf_puts(out, between);
      if (depth == DEPTH_MAX || out->len > TEXT_MAX) {
        cmox_buf_puts(out, "...");
        break;
      }
      describe(matchers, test->children[i], before, out, depth + 1);
    }
    cmox_buf_putc(out, ')');
  }
}

void cmox_matchers_describe(const cmox_matchers_t *matchers, uint32_t index, cmox_span_t before,
                            cmox_buf_t *out) {
  describe(matchers, index, before, out, 0);
}

/* What a client says in words of its own. */
static void put_masked_line(cmox_buf_t *out, const char *text) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  cmox_span_t shown = cmox_span_str(text);
  if (cmox_mask_text(shown, &masked)) shown = cmox_buf_span(&masked);
  cmox_quote_line(out, shown, SAYING_SHOWN_MAX);
  cmox_buf_clear(&masked);
}

/* "is_even refused it: it is odd" */
static void put_callback_why(cmox_buf_t *out, const cmox_test_t *test, cmox_span_t value,
                             cmox_said_t *said) {
  cmox_saying_t saying = cmox_said_of(said, test->callback, test->value, value);
  put_callback(out, test);
  cmox_buf_puts(out, saying == CMOX_SAID_NO       ? " refused it"
                     : saying == CMOX_SAID_FAILED ? " failed"
                     : saying == CMOX_SAID_YES    ? " accepted it"
                                                  : " was not asked");
  const char *why = cmox_said_why(said, test->callback, value);
  if (!why) return;
  cmox_buf_puts(out, ": ");
  put_masked_line(out, why);
}

void cmox_matchers_why_not(const cmox_matchers_t *matchers, uint32_t index, cmox_span_t before,
                           cmox_span_t value, cmox_said_t *said, cmox_buf_t *out) {
  cmox_span_t pair[2] = {before, value};
  size_t secret = cmox_secret_part((cmox_span_list_t){pair, 2}, 1).len;
  const cmox_test_t *test = &matchers->nodes[index].test;
  bool within = test->kind == CMOX_TEST_ALL_OF;
  /* Of all that must hold, the first that does not. */
  while (test->kind == CMOX_TEST_ALL_OF) {
    uint32_t child = index;
    for (size_t i = 0; i < test->child_count && child == index; i++)
      if (cmox_matchers_accept(matchers, test->children[i], value, said) != CMOX_ACCEPTS)
        child = test->children[i];
    if (child == index) return;
    index = child;
    test = &matchers->nodes[index].test;
  }
  /* What differs in a document is shown with its secret members masked. */
  if (secret && (secret == value.len || test->kind != CMOX_TEST_JSON_EQUALS)) return;
  if (test->kind == CMOX_TEST_JSON_EQUALS) {
    cmox_json_difference(out, matchers->nodes[index].json, value);
  } else if (test->kind == CMOX_TEST_IS_A) {
    cmox_buf_printf(out, "not %s", type_name(test->type));
  } else if (test->kind == CMOX_TEST_CALLBACK) {
    put_callback_why(out, test, value, said);
  } else if (within && test->kind != CMOX_TEST_NOT) {
    cmox_buf_puts(out, "not ");
    describe(matchers, index, before, out, 0);
  } else if (test->kind == CMOX_TEST_NOT) {
    cmox_buf_puts(out, "it is ");
    describe(matchers, test->children[0], before, out, 0);
  }
}

/* ---- Calls and doubles -------------------------------------------------- */

void cmox_describe_argument(cmox_buf_t *out, cmox_span_list_t args, size_t index, bool shell) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  bool secret =
      cmox_mask_argument(args, index, &masked) ||
      (args.items[index].len && memchr(args.items[index].data, '\n', args.items[index].len) &&
       cmox_mask_text(args.items[index], &masked));
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
    cmox_describe_argument(out, args, i, true);
  }
}

void cmox_describe_failure(cmox_buf_t *out, const char *kind, const char *name,
                           const char *failure) {
  cmox_buf_printf(out, *name ? "the %s " : "a %s", kind);
  if (*name) cmox_quote_shell(out, cmox_span_str(name), CMOX_SHOWN_MAX);
  cmox_buf_puts(out, " failed: ");
  put_masked_line(out, *failure ? failure : "it does not say why");
}

cmox_span_t cmox_literal_before(const cmox_argv_t *argv, size_t item) {
  if (item == 0) return cmox_span(NULL, 0);
  const cmox_argv_item_t *before = &argv->items[item - 1];
  if (before->kind != CMOX_ITEM_ONE) return cmox_span(NULL, 0);
  cmox_test_t test = cmox_matchers_test(argv->matchers, before->node);
  return test.kind == CMOX_TEST_EQUALS ? test.value : cmox_span(NULL, 0);
}

/* The option of a list in any order whose value may be any other of its literals. */
static cmox_span_t secret_option(const cmox_argv_t *argv, const cmox_argv_item_t *item) {
  for (size_t i = 0; i < item->count; i++) {
    cmox_test_t test = cmox_matchers_test(argv->matchers, item->nodes[i]);
    if (test.kind == CMOX_TEST_EQUALS && test.value.len > 2 && test.value.data[0] == '-' &&
        cmox_secret_name(test.value))
      return test.value;
  }
  return cmox_span(NULL, 0);
}

static void describe_list(cmox_buf_t *out, const cmox_argv_t *argv, const cmox_argv_item_t *item) {
  const cmox_span_t before = secret_option(argv, item);
  for (size_t i = 0; i < item->count; i++) {
    if (i) cmox_buf_puts(out, ", ");
    if (out->len > TEXT_MAX) {
      cmox_buf_puts(out, "...");
      return;
    }
    cmox_matchers_describe(argv->matchers, item->nodes[i], before, out);
  }
}

void cmox_describe_item(cmox_buf_t *out, const cmox_argv_t *argv, size_t index) {
  const cmox_argv_item_t *item = &argv->items[index];
  switch (item->kind) {
    case CMOX_ITEM_ONE:
    case CMOX_ITEM_REST:
      cmox_matchers_describe(argv->matchers, item->node, cmox_literal_before(argv, index), out);
      return;
    case CMOX_ITEM_ANY_ORDER:
      cmox_buf_puts(out, "in any order: ");
      describe_list(out, argv, item);
      return;
    case CMOX_ITEM_CONTAINS:
      cmox_buf_puts(out, "among others, in any order: ");
      describe_list(out, argv, item);
      return;
    case CMOX_ITEM_FLAG:
      cmox_quote_shell(out, item->name, CMOX_SHOWN_MAX);
      cmox_buf_putc(out, ' ');
      cmox_matchers_describe(argv->matchers, item->node, item->name, out);
      return;
  }
}

/* As a shell would write it, what is no literal in <>. */
static void describe_item_in_line(cmox_buf_t *out, const cmox_argv_t *argv, size_t index) {
  const cmox_argv_item_t *item = &argv->items[index];
  cmox_test_t test = {.kind = CMOX_TEST_ANY}; /* only such an item has a node of its own */
  if (item->kind == CMOX_ITEM_ONE) test = cmox_matchers_test(argv->matchers, item->node);
  if (test.kind != CMOX_TEST_EQUALS) {
    cmox_buf_putc(out, '<');
    cmox_describe_item(out, argv, index);
    cmox_buf_puts(out, item->kind == CMOX_ITEM_REST ? " ...>" : ">");
    return;
  }
  cmox_span_t pair[2] = {cmox_literal_before(argv, index), test.value};
  cmox_describe_argument(out, (cmox_span_list_t){pair, 2}, 1, true);
}

void cmox_describe_pattern(cmox_buf_t *out, const cmox_expect_t *expect) {
  const cmox_argv_t *argv = expect->facets.argv.argv;
  cmox_quote_shell(out, expect->command, CMOX_SHOWN_MAX);
  size_t start = out->len;
  for (size_t i = 0; argv && i < argv->count; i++) {
    cmox_buf_putc(out, ' ');
    if (out->len - start > DOUBLE_SHOWN_MAX) {
      cmox_buf_puts(out, "...");
      break;
    }
    describe_item_in_line(out, argv, i);
  }
}

void cmox_describe_double(cmox_buf_t *out, const cmox_expect_t *expect) {
  static const char *const kinds[] = {"", "stub", "mock", "spy"};
  cmox_buf_printf(out, "%s ", kinds[expect->kind]);
  cmox_describe_pattern(out, expect);
  if (expect->source.file) {
    cmox_buf_puts(out, " (");
    cmox_quote_shell(out, cmox_span_str(expect->source.file), CMOX_SHOWN_MAX);
    cmox_buf_printf(out, ":%u)", expect->source.line);
  }
}
