#include "client/lib/matching.h"

#include <string.h>

#include "server/base/alloc.h"

enum { NESTING_MAX = 64 };

typedef Cmdmox__V1__MatcherNode node_t;
typedef cmox_table_t table_t;

static void table_clear(table_t *table) {
  for (size_t i = 0; table->nodes && i < table->count; i++)
    if (table->nodes[i].test_case == CMDMOX__V1__MATCHER_NODE__TEST_CALLBACK)
      cmox_free_block(table->nodes[i].callback_name);
  cmox_free_block(table->nodes);
  cmox_free_block(table->pointers);
  cmox_free_block(table->lists);
  cmox_free_block(table->indexes);
}

static bool composite(cmox_match_kind_t kind) {
  return kind == CMOX_MATCH_ALL_OF || kind == CMOX_MATCH_ANY_OF || kind == CMOX_MATCH_NOT;
}

/* How many nodes a matcher takes. */
static cmox_code_t count_nodes(const cmox_matcher_t *matcher, int depth, size_t *nodes,
                               cmox_error_t *error) {
  if (depth > NESTING_MAX)
    return cmox_fail(error, CMOX_E_BAD_MATCHER, "matchers are nested more than %d deep",
                     NESTING_MAX);
  *nodes += 1;
  if (matcher->count && !matcher->children && !matcher->texts)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of matchers is NULL");
  bool texts = matcher->kind == CMOX_MATCH_ONE_OF;
  bool one = matcher->kind == CMOX_MATCH_REST || matcher->kind == CMOX_MATCH_FLAG;
  if ((texts ? !matcher->texts : matcher->texts || !matcher->children) && matcher->count)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a matcher of kind %d has the wrong kind of list: make matchers by the macros",
                     (int)matcher->kind);
  if (one && matcher->count != 1)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a matcher of kind %d has one matcher inside, not %zu: make matchers by the "
                     "macros",
                     (int)matcher->kind, matcher->count);
  if (texts) *nodes += matcher->count;
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; matcher->children && i < matcher->count && code == CMOX_OK; i++)
    code = count_nodes(&matcher->children[i], depth + 1, nodes, error);
  return code;
}

static bool table_open(table_t *table, cmox_t *mox, size_t nodes) {
  *table = (table_t){.mox = mox,
                     .room = nodes,
                     .nodes = cmox_calloc(nodes, sizeof *table->nodes),
                     .pointers = cmox_calloc(nodes, sizeof *table->pointers),
                     .lists = cmox_calloc(nodes, sizeof *table->lists),
                     .indexes = cmox_calloc(nodes, sizeof *table->indexes)};
  return table->nodes && table->pointers && table->lists && table->indexes;
}

static cmox_code_t text_of(const cmox_matcher_t *matcher, ProtobufCBinaryData *out,
                           cmox_error_t *error) {
  if (!matcher->data && matcher->len != 0)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the text to compare with is NULL");
  size_t len = matcher->len == CMOX_TEXT_LENGTH ? strlen(matcher->data) : matcher->len;
  *out = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)matcher->data};
  return CMOX_OK;
}

static cmox_code_t fill_predicate(cmox_t *mox, const cmox_matcher_t *matcher, node_t *node,
                                  cmox_error_t *error) {
  const cmox_callback_t callback = {matcher->predicate, NULL, matcher->context};
  if (!callback.predicate)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the predicate is NULL");
  uint64_t number;
  cmox_code_t code = cmox_callbacks_add(mox, &callback, &number, error);
  if (code != CMOX_OK) return code;
  char *name = cmox_utf8_copy(matcher->data);
  if (!name) return cmox_out_of_memory(error);
  node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_CALLBACK;
  node->callback = number;
  node->callback_name = name;
  return CMOX_OK;
}

static cmox_code_t fail_list(const char *name, cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_BAD_MATCHER,
                   "%s stands only in the list of cmox_with_matching_args(), not inside another "
                   "matcher and not for one value; give one matcher for each argument there",
                   name);
}

static cmox_code_t fill_leaf(cmox_t *mox, const cmox_matcher_t *matcher, node_t *node,
                             cmox_error_t *error) {
#define BYTES(kind_, member)                                  \
  case CMOX_MATCH_##kind_:                                    \
    node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_##kind_; \
    return text_of(matcher, &node->member, error);
  switch (matcher->kind) {
    BYTES(EQUALS, equals)
    BYTES(STARTS_WITH, starts_with)
    BYTES(ENDS_WITH, ends_with)
    BYTES(CONTAINS, contains)
    BYTES(REGEX, regex)
    BYTES(GLOB, glob)
    BYTES(JSON_EQUALS, json_equals)
    case CMOX_MATCH_ANY:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_ANY;
      node->any = 1;
      return CMOX_OK;
    case CMOX_MATCH_IS_A:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_IS_A;
      node->is_a = (Cmdmox__V1__ValueType)matcher->type;
      return CMOX_OK;
    case CMOX_MATCH_PREDICATE:
      return fill_predicate(mox, matcher, node, error);
    case CMOX_MATCH_REST:
      return fail_list("CMOX_REST", error);
    case CMOX_MATCH_ANY_ORDER:
      return fail_list("CMOX_ANY_ORDER", error);
    case CMOX_MATCH_ARGS_CONTAIN:
      return fail_list("CMOX_ARGS_CONTAIN", error);
    case CMOX_MATCH_FLAG:
      return fail_list("CMOX_FLAG", error);
    case CMOX_MATCH_UNSET:
      return cmox_fail(
          error, CMOX_E_BAD_MATCHER,
          "CMOX_UNSET is for variables: cmox_with_matching_env(d, \"NAME\", CMOX_UNSET)");
    default:
      return cmox_fail(error, CMOX_E_BAD_MATCHER, "there is no kind %d of matchers",
                       (int)matcher->kind);
  }
#undef BYTES
}

static node_t *new_node(table_t *table, uint32_t *index) {
  node_t *node = &table->nodes[table->count];
  cmdmox__v1__matcher_node__init(node);
  table->pointers[table->count] = node;
  *index = (uint32_t)table->count++;
  return node;
}

/* A node whose children are the given ones, of which `count` follow `first` in table->indexes. */
static void fill_composite(table_t *table, cmox_match_kind_t kind, const uint32_t *children,
                           size_t count, uint32_t *index) {
  node_t *node = new_node(table, index);
  Cmdmox__V1__IndexList *list = &table->lists[*index];
  cmdmox__v1__index_list__init(list);
  list->n_indexes = count;
  list->indexes = table->indexes + table->index_count;
  if (count) memcpy(list->indexes, children, count * sizeof *children);
  table->index_count += count;
  if (kind == CMOX_MATCH_NOT) {
    node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_NOT;
    node->not_ = children[0];
  } else if (kind == CMOX_MATCH_ALL_OF) {
    node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_ALL_OF;
    node->all_of = list;
  } else {
    node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_ANY_OF;
    node->any_of = list;
  }
}

static cmox_code_t add(table_t *table, const cmox_matcher_t *matcher, uint32_t *index,
                       cmox_error_t *error);

/* Adds the children of a matcher; *children is owned by the caller. */
static cmox_code_t add_children(table_t *table, const cmox_matcher_t *matcher, uint32_t **children,
                                cmox_error_t *error) {
  *children = cmox_calloc(matcher->count, sizeof **children);
  if (!*children) return cmox_out_of_memory(error);
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < matcher->count && code == CMOX_OK; i++) {
    const bool texts = matcher->kind == CMOX_MATCH_ONE_OF;
    cmox_matcher_t text = CMOX_EQ(texts ? matcher->texts[i] : NULL);
    code = add(table, texts ? &text : &matcher->children[i], &(*children)[i], error);
  }
  return code;
}

static cmox_code_t add(table_t *table, const cmox_matcher_t *matcher, uint32_t *index,
                       cmox_error_t *error) {
  if (!composite(matcher->kind) && matcher->kind != CMOX_MATCH_ONE_OF) {
    node_t *node = new_node(table, index);
    return fill_leaf(table->mox, matcher, node, error);
  }
  if (matcher->kind == CMOX_MATCH_NOT && matcher->count != 1)
    return cmox_fail(error, CMOX_E_BAD_MATCHER, "\"not\" needs one matcher, not %zu",
                     matcher->count);
  uint32_t *children;
  cmox_code_t code = add_children(table, matcher, &children, error);
  if (code == CMOX_OK) fill_composite(table, matcher->kind, children, matcher->count, index);
  cmox_free_block(children);
  return code;
}

/* ---- Arguments ---------------------------------------------------------- */

/* One item of the list and what it points to. */
struct cmox_pattern_item {
  Cmdmox__V1__ArgvItem item;
  Cmdmox__V1__IndexList list;
  Cmdmox__V1__FlagValue flag;
  uint32_t *children; /* owned */
};

static cmox_code_t fill_item(table_t *table, const cmox_matcher_t *matcher,
                             struct cmox_pattern_item *out, cmox_error_t *error) {
  cmdmox__v1__argv_item__init(&out->item);
  cmdmox__v1__index_list__init(&out->list);
  cmdmox__v1__flag_value__init(&out->flag);
  cmox_code_t code;
  switch (matcher->kind) {
    case CMOX_MATCH_ANY_ORDER:
    case CMOX_MATCH_ARGS_CONTAIN:
      code = add_children(table, matcher, &out->children, error);
      out->list.n_indexes = matcher->count;
      out->list.indexes = out->children;
      if (matcher->kind == CMOX_MATCH_ANY_ORDER) {
        out->item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_ANY_ORDER;
        out->item.any_order = &out->list;
      } else {
        out->item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_CONTAINS;
        out->item.contains = &out->list;
      }
      return code;
    case CMOX_MATCH_REST:
      out->item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_REST;
      return add(table, matcher->children, &out->item.rest, error);
    case CMOX_MATCH_FLAG:
      out->item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_FLAG;
      out->item.flag = &out->flag;
      code = text_of(matcher, &out->flag.name, error);
      return code == CMOX_OK ? add(table, matcher->children, &out->flag.value, error) : code;
    default:
      out->item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_ONE;
      return add(table, matcher, &out->item.one, error);
  }
}

void cmox_pattern_clear(cmox_pattern_t *pattern) {
  for (size_t i = 0; pattern->items && i < pattern->count; i++)
    cmox_free_block(pattern->items[i].children);
  cmox_free_block(pattern->items);
  cmox_free_block(pattern->pointers);
  table_clear(&pattern->table);
}

static cmox_code_t pattern_open(cmox_t *mox, cmox_pattern_t *pattern,
                                const cmox_matcher_t *matchers, size_t count, bool list,
                                cmox_error_t *error) {
  *pattern = (cmox_pattern_t){.count = count};
  cmdmox__v1__double__init(&pattern->message);
  if (count && !matchers)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of matchers is NULL");
  size_t nodes = 0;
  for (size_t i = 0; i < count; i++)
    if (count_nodes(&matchers[i], 0, &nodes, error) != CMOX_OK)
      return list ? cmox_wrap(error, "argument %zu", i + 1) : error->code;
  pattern->items = cmox_calloc(count, sizeof *pattern->items);
  pattern->pointers = cmox_calloc(count, sizeof(Cmdmox__V1__ArgvItem *));
  bool complete = table_open(&pattern->table, mox, nodes) && pattern->items && pattern->pointers;
  return complete ? CMOX_OK : cmox_out_of_memory(error);
}

static void put_table(cmox_pattern_t *pattern) {
  pattern->message.n_matchers = pattern->table.count;
  pattern->message.matchers = pattern->table.pointers;
}

cmox_code_t cmox_pattern_of_args(cmox_t *mox, cmox_pattern_t *pattern,
                                 const cmox_matcher_t *matchers, size_t count,
                                 cmox_error_t *error) {
  cmox_code_t code = pattern_open(mox, pattern, matchers, count, true, error);
  for (size_t i = 0; i < count && code == CMOX_OK; i++) {
    pattern->pointers[i] = &pattern->items[i].item;
    code = fill_item(&pattern->table, &matchers[i], &pattern->items[i], error);
    if (code != CMOX_OK) return cmox_wrap(error, "argument %zu", i + 1);
  }
  cmdmox__v1__argv_matcher__init(&pattern->argv);
  pattern->argv.n_items = count;
  pattern->argv.items = pattern->pointers;
  pattern->message.argv = &pattern->argv;
  put_table(pattern);
  return code;
}

cmox_code_t cmox_pattern_of_texts(cmox_t *mox, cmox_pattern_t *pattern, const char *const *texts,
                                  size_t count, cmox_error_t *error) {
  cmox_matcher_t *matchers = NULL;
  if (!count || texts) matchers = cmox_calloc(count, sizeof *matchers);
  cmox_code_t code;
  if (matchers) {
    for (size_t i = 0; i < count; i++) matchers[i] = CMOX_EQ(texts[i]);
    code = cmox_pattern_of_args(mox, pattern, matchers, count, error);
  } else {
    *pattern = (cmox_pattern_t){.count = 0};
    code = texts || !count
               ? cmox_out_of_memory(error)
               : cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of arguments is NULL");
  }
  cmox_free_block(matchers);
  return code;
}

cmox_code_t cmox_pattern_of_value(cmox_t *mox, cmox_pattern_t *pattern,
                                  const cmox_matcher_t *matcher, uint32_t *root,
                                  cmox_error_t *error) {
  cmox_code_t code = pattern_open(mox, pattern, matcher, 1, false, error);
  if (code == CMOX_OK) code = add(&pattern->table, matcher, root, error);
  put_table(pattern);
  return code;
}
