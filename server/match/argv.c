#include "server/match/argv.h"

#include <string.h>

#include "server/base/alloc.h"

static cmox_code_t refuse(size_t index, const char *why, cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_BAD_MATCHER, "argument item %zu: %s", index + 1, why);
}

static cmox_code_t check_item(const cmox_argv_item_t *item, size_t index, size_t count,
                              const cmox_matchers_t *matchers, cmox_error_t *error) {
  bool list = item->kind == CMOX_ITEM_ANY_ORDER || item->kind == CMOX_ITEM_CONTAINS;
  bool last = item->kind == CMOX_ITEM_REST || item->kind == CMOX_ITEM_CONTAINS;
  if (last && index + 1 != count)
    return refuse(index, "what takes all that is left must come last", error);
  if (list && item->count > CMOX_ANY_ORDER_MAX)
    return cmox_fail(error, CMOX_E_BAD_MATCHER,
                     "argument item %zu: %zu matchers in any order are more than %u", index + 1,
                     item->count, CMOX_ANY_ORDER_MAX);
  if (item->kind == CMOX_ITEM_FLAG && item->name.len == 0)
    return refuse(index, "a flag needs a name", error);
  size_t known = cmox_matchers_count(matchers);
  bool found = list || item->node < known;
  for (size_t i = 0; list && i < item->count; i++) found &= item->nodes[i] < known;
  if (found) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_MATCHER,
                   "argument item %zu: it names a matcher that is not in the table of %zu",
                   index + 1, known);
}

cmox_code_t cmox_argv_new(cmox_matchers_t *matchers, const cmox_argv_item_t *items, size_t count,
                          cmox_argv_t **out, cmox_error_t *error) {
  *out = NULL;
  size_t nodes = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    cmox_code_t code = check_item(&items[i], i, count, matchers, error);
    if (code != CMOX_OK) return code;
    nodes += items[i].count;
    bytes += items[i].name.len;
  }
  cmox_argv_t *argv =
      cmox_malloc(sizeof *argv + count * sizeof *items + nodes * sizeof(uint32_t) + bytes);
  if (!argv) return cmox_fail(error, CMOX_E_NO_MEMORY, "arguments: out of memory");
  argv->matchers = cmox_matchers_ref(matchers);
  argv->count = count;
  uint32_t *node = (uint32_t *)(void *)(argv->items + count);
  uint8_t *at = (uint8_t *)(node + nodes);
  for (size_t i = 0; i < count; i++) {
    cmox_argv_item_t item = items[i];
    if (item.count) memcpy(node, item.nodes, item.count * sizeof *node);
    if (item.name.len) memcpy(at, item.name.data, item.name.len);
    item.nodes = node;
    item.name.data = at;
    node += item.count;
    at += item.name.len;
    argv->items[i] = item;
  }
  *out = argv;
  return CMOX_OK;
}

void cmox_argv_free(cmox_argv_t *argv) {
  if (!argv) return;
  cmox_matchers_unref(argv->matchers);
  cmox_free_block(argv);
}

/* ---- Any order ---------------------------------------------------------- */

/* Which node accepts which argument: nodes × arguments. */
typedef struct pairs {
  const uint8_t *said;
  size_t nodes;
  size_t args;
  size_t *node_of; /* of each argument: the node that has it, or SIZE_MAX */
  uint64_t tried;  /* nodes that this search has already moved */
  bool hopeful;    /* what gave up counts as accepted */
} pairs_t;

static bool joins(const pairs_t *pairs, size_t node, size_t arg) {
  cmox_accept_t said = (cmox_accept_t)pairs->said[node * pairs->args + arg];
  return said == CMOX_ACCEPTS || (pairs->hopeful && said == CMOX_GIVES_UP);
}

/* Gives the node an argument of its own, moving others on where they have another choice (the
 * augmenting path of bipartite matching). As deep as there are nodes: 64. */
static bool place(pairs_t *pairs, size_t node) {
  if (pairs->tried & UINT64_C(1) << node) return false;
  pairs->tried |= UINT64_C(1) << node;
  for (size_t arg = 0; arg < pairs->args; arg++) {
    if (!joins(pairs, node, arg)) continue;
    if (pairs->node_of[arg] != SIZE_MAX && !place(pairs, pairs->node_of[arg])) continue;
    pairs->node_of[arg] = node;
    return true;
  }
  return false;
}

static bool all_placed(pairs_t *pairs, bool hopeful) {
  pairs->hopeful = hopeful;
  for (size_t arg = 0; arg < pairs->args; arg++) pairs->node_of[arg] = SIZE_MAX;
  for (size_t node = 0; node < pairs->nodes; node++) {
    pairs->tried = 0;
    if (!place(pairs, node)) return false;
  }
  return true;
}

/* Whether each node accepts an argument of its own. */
static cmox_accept_t accepts_any_order(const cmox_argv_t *argv, const cmox_argv_item_t *item,
                                       const cmox_span_t *args, size_t count, cmox_said_t *said) {
  if (item->count > count) return CMOX_REFUSES;
  uint8_t *answers = cmox_malloc(item->count * count);
  size_t *node_of = cmox_calloc(count, sizeof *node_of);
  cmox_accept_t answer = CMOX_GIVES_UP;
  if (answers && node_of) {
    for (size_t node = 0; node < item->count; node++)
      for (size_t arg = 0; arg < count; arg++)
        answers[node * count + arg] =
            (uint8_t)cmox_matchers_accept(argv->matchers, item->nodes[node], args[arg], said);
    pairs_t pairs = {.said = answers, .nodes = item->count, .args = count, .node_of = node_of};
    answer = all_placed(&pairs, false)  ? CMOX_ACCEPTS
             : all_placed(&pairs, true) ? CMOX_GIVES_UP
                                        : CMOX_REFUSES;
  }
  cmox_free_block(answers);
  cmox_free_block(node_of);
  return answer;
}

/* ---- Lists -------------------------------------------------------------- */

/* "NAME=": where the value begins; 0: it is not that. */
static size_t joined_value(cmox_span_t name, cmox_span_t arg) {
  bool joined = arg.len > name.len && cmox_span_starts_with(arg, name) && arg.data[name.len] == '=';
  return joined ? name.len + 1 : 0;
}

size_t cmox_argv_width(const cmox_argv_t *argv, size_t item, cmox_span_list_t args, size_t at) {
  const cmox_argv_item_t *wanted = &argv->items[item];
  size_t left = args.count - at;
  size_t width = 1;
  switch (wanted->kind) {
    case CMOX_ITEM_ONE:
      break;
    case CMOX_ITEM_REST:
    case CMOX_ITEM_CONTAINS:
      return left;
    case CMOX_ITEM_ANY_ORDER:
      width = wanted->count;
      break;
    case CMOX_ITEM_FLAG:
      if (left && cmox_span_equal(args.items[at], wanted->name)) width = 2;
      break;
  }
  return width < left ? width : left;
}

cmox_accept_t cmox_argv_item_accepts(const cmox_argv_t *argv, size_t item, cmox_span_list_t args,
                                     size_t at, size_t width, cmox_said_t *said) {
  const cmox_argv_item_t *wanted = &argv->items[item];
  const cmox_span_t *first = args.items + at;
  cmox_accept_t whole = CMOX_ACCEPTS;
  size_t value;
  switch (wanted->kind) {
    case CMOX_ITEM_ONE:
      return width == 1 ? cmox_matchers_accept(argv->matchers, wanted->node, *first, said)
                        : CMOX_REFUSES;
    case CMOX_ITEM_REST:
      for (size_t i = 0; i < width && whole != CMOX_REFUSES; i++) {
        cmox_accept_t one = cmox_matchers_accept(argv->matchers, wanted->node, first[i], said);
        if (one != CMOX_ACCEPTS) whole = one;
      }
      return whole;
    case CMOX_ITEM_ANY_ORDER:
    case CMOX_ITEM_CONTAINS:
      return accepts_any_order(argv, wanted, first, width, said);
    case CMOX_ITEM_FLAG:
      if (width == 2) return cmox_matchers_accept(argv->matchers, wanted->node, first[1], said);
      if (width == 0 || !(value = joined_value(wanted->name, *first))) return CMOX_REFUSES;
      return cmox_matchers_accept(argv->matchers, wanted->node,
                                  cmox_span(first->data + value, first->len - value), said);
  }
  return CMOX_REFUSES;
}

cmox_accept_t cmox_argv_accepts(const cmox_argv_t *argv, cmox_span_list_t args, cmox_said_t *said) {
  cmox_accept_t whole = CMOX_ACCEPTS;
  size_t at = 0;
  for (size_t i = 0; i < argv->count; i++) {
    size_t width = cmox_argv_width(argv, i, args, at);
    cmox_accept_t one = cmox_argv_item_accepts(argv, i, args, at, width, said);
    if (one == CMOX_REFUSES) return CMOX_REFUSES;
    if (one == CMOX_GIVES_UP) whole = CMOX_GIVES_UP;
    at += width;
  }
  return at == args.count ? whole : CMOX_REFUSES;
}

/* ---- Literals ----------------------------------------------------------- */

cmox_literals_t cmox_argv_literals(const cmox_argv_t *argv) {
  cmox_literals_t literals = {0, SIZE_MAX};
  size_t at = 0;
  for (size_t i = 0; argv && i < argv->count; i++) {
    const cmox_argv_item_t *item = &argv->items[i];
    if (item->kind != CMOX_ITEM_ONE && item->kind != CMOX_ITEM_ANY_ORDER) return literals;
    if (item->kind == CMOX_ITEM_ONE && at < CMOX_LITERALS_MAX &&
        cmox_matchers_test(argv->matchers, item->node).kind == CMOX_TEST_EQUALS)
      literals.places |= UINT64_C(1) << at;
    at += item->kind == CMOX_ITEM_ONE ? 1 : item->count;
  }
  if (argv) literals.exactly = at;
  return literals;
}

cmox_span_t cmox_argv_literal(const cmox_argv_t *argv, unsigned place) {
  size_t at = 0;
  for (size_t i = 0; i < argv->count; i++) {
    const cmox_argv_item_t *item = &argv->items[i];
    if (at == place && item->kind == CMOX_ITEM_ONE)
      return cmox_matchers_test(argv->matchers, item->node).value;
    at += item->kind == CMOX_ITEM_ONE ? 1 : item->count;
  }
  return cmox_span(NULL, 0);
}
