/* What a double accepts. A matcher that is made of others becomes a table in which children stand
 * before their parents. */
#include <string.h>

#include "client/lib/refine.h"
#include "server/base/alloc.h"

enum { NESTING_MAX = 64 };

typedef Cmdmox__V1__MatcherNode node_t;

typedef struct table {
  size_t count, room; /* nodes */
  size_t index_count; /* children of all nodes */
  node_t *nodes;
  node_t **pointers;
  Cmdmox__V1__IndexList *lists;
  uint32_t *indexes;
} table_t;

static void table_clear(table_t *table) {
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
  if (matcher->kind == CMOX_MATCH_ONE_OF) *nodes += matcher->count;
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; matcher->children && i < matcher->count && code == CMOX_OK; i++)
    code = count_nodes(&matcher->children[i], depth + 1, nodes, error);
  return code;
}

static bool table_open(table_t *table, size_t nodes) {
  *table = (table_t){.room = nodes,
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

static cmox_code_t fill_leaf(const cmox_matcher_t *matcher, node_t *node, cmox_error_t *error) {
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
    case CMOX_MATCH_REST:
    case CMOX_MATCH_ANY_ORDER:
    case CMOX_MATCH_ARGS_CONTAIN:
    case CMOX_MATCH_FLAG:
      return cmox_fail(error, CMOX_E_BAD_MATCHER,
                       "this matcher is for a list of arguments, not for one value");
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
    cmox_matcher_t text = CMOX_EQ(matcher->texts ? matcher->texts[i] : NULL);
    code = add(table, matcher->texts ? &text : &matcher->children[i], &(*children)[i], error);
  }
  return code;
}

static cmox_code_t add(table_t *table, const cmox_matcher_t *matcher, uint32_t *index,
                       cmox_error_t *error) {
  if (!composite(matcher->kind) && matcher->kind != CMOX_MATCH_ONE_OF) {
    node_t *node = new_node(table, index);
    return fill_leaf(matcher, node, error);
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

static void put_table(const table_t *table, Cmdmox__V1__Double *patch) {
  patch->n_matchers = table->count;
  patch->matchers = table->pointers;
}

/* ---- Arguments ---------------------------------------------------------- */

typedef struct list {
  size_t count;
  const cmox_matcher_t *matchers;
} list_t;

/* One item of the list and what it points to. */
typedef struct item {
  Cmdmox__V1__ArgvItem item;
  Cmdmox__V1__IndexList list;
  Cmdmox__V1__FlagValue flag;
  uint32_t *children; /* owned */
} item_t;

static cmox_code_t fill_item(table_t *table, const cmox_matcher_t *matcher, item_t *out,
                             cmox_error_t *error) {
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

static cmox_code_t send_list(cmox_double_t *dbl, const list_t *list, table_t *table, item_t *items,
                             Cmdmox__V1__ArgvItem **pointers, cmox_error_t *error) {
  for (size_t i = 0; i < list->count; i++) {
    pointers[i] = &items[i].item;
    if (fill_item(table, &list->matchers[i], &items[i], error) != CMOX_OK)
      return cmox_wrap(error, "argument %zu", i + 1);
  }
  Cmdmox__V1__ArgvMatcher argv = CMDMOX__V1__ARGV_MATCHER__INIT;
  argv.n_items = list->count;
  argv.items = pointers;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  put_table(table, &patch);
  patch.argv = &argv;
  return cmox_update(dbl, &patch, error);
}

static cmox_code_t match_argv(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const list_t *list = arguments;
  if (list->count && !list->matchers)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of matchers is NULL");
  size_t nodes = 0;
  for (size_t i = 0; i < list->count; i++)
    if (count_nodes(&list->matchers[i], 0, &nodes, error) != CMOX_OK)
      return cmox_wrap(error, "argument %zu", i + 1);
  table_t table;
  bool open = table_open(&table, nodes);
  item_t *items = cmox_calloc(list->count, sizeof *items);
  Cmdmox__V1__ArgvItem **pointers = cmox_calloc(list->count, sizeof *pointers);
  cmox_code_t code = open && items && pointers
                         ? send_list(dbl, list, &table, items, pointers, error)
                         : cmox_out_of_memory(error);
  for (size_t i = 0; items && i < list->count; i++) cmox_free_block(items[i].children);
  cmox_free_block(items);
  cmox_free_block(pointers);
  table_clear(&table);
  return code;
}

cmox_double_t *cmox_with_matching_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                          const cmox_matcher_t *matchers) {
  const list_t list = {count, matchers};
  return cmox_refine(dbl, where, "cmox_with_matching_args", match_argv, &list);
}

typedef struct texts {
  size_t count;
  const char *const *items;
} texts_t;

static cmox_code_t match_texts(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const texts_t *texts = arguments;
  if (texts->count && !texts->items)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of arguments is NULL");
  cmox_matcher_t *matchers = cmox_calloc(texts->count, sizeof *matchers);
  if (!matchers) return cmox_out_of_memory(error);
  for (size_t i = 0; i < texts->count; i++) matchers[i] = CMOX_EQ(texts->items[i]);
  const list_t list = {texts->count, matchers};
  cmox_code_t code = match_argv(dbl, &list, error);
  cmox_free_block(matchers);
  return code;
}

cmox_double_t *cmox_with_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                 const char *const *args) {
  const texts_t texts = {count, args};
  return cmox_refine(dbl, where, "cmox_with_args", match_texts, &texts);
}

/* ---- One value: stdin, the working directory, a variable ------------------- */

typedef struct value {
  const char *name; /* of a variable */
  cmox_matcher_t matcher;
} value_t;

/* Which facet of the patch a value goes to; node is the root of its matcher. */
typedef void (*put_t)(Cmdmox__V1__Double *patch, uint32_t node, void *facet);

static cmox_code_t match_value(cmox_double_t *dbl, const cmox_matcher_t *matcher, put_t put,
                               void *facet, cmox_error_t *error) {
  size_t nodes = 0;
  cmox_code_t code = count_nodes(matcher, 0, &nodes, error);
  if (code != CMOX_OK) return code;
  table_t table;
  if (table_open(&table, nodes)) {
    uint32_t root;
    code = add(&table, matcher, &root, error);
    Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
    put_table(&table, &patch);
    if (code == CMOX_OK) {
      put(&patch, root, facet);
      code = cmox_update(dbl, &patch, error);
    }
  } else {
    code = cmox_out_of_memory(error);
  }
  table_clear(&table);
  return code;
}

static void put_stdin(Cmdmox__V1__Double *patch, uint32_t node, void *facet) {
  patch->stdin_match = facet;
  patch->stdin_match->node = node;
}

static cmox_code_t match_stdin(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  Cmdmox__V1__StdinMatcher facet = CMDMOX__V1__STDIN_MATCHER__INIT;
  return match_value(dbl, arguments, put_stdin, &facet, error);
}

cmox_double_t *cmox_with_matching_stdin_at(cmox_double_t *dbl, cmox_location_t where,
                                           cmox_matcher_t matcher) {
  return cmox_refine(dbl, where, "cmox_with_stdin", match_stdin, &matcher);
}

static void put_cwd(Cmdmox__V1__Double *patch, uint32_t node, void *facet) {
  patch->cwd_match = facet;
  patch->cwd_match->node = node;
}

static cmox_code_t match_cwd(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  Cmdmox__V1__CwdMatcher facet = CMDMOX__V1__CWD_MATCHER__INIT;
  return match_value(dbl, arguments, put_cwd, &facet, error);
}

cmox_double_t *cmox_with_matching_cwd_at(cmox_double_t *dbl, cmox_location_t where,
                                         cmox_matcher_t matcher) {
  return cmox_refine(dbl, where, "cmox_with_cwd", match_cwd, &matcher);
}

static void put_variable(Cmdmox__V1__Double *patch, uint32_t node, void *facet) {
  patch->env_match = facet;
  patch->env_match->items[0]->node = node;
}

static cmox_code_t check_name(const char *name, cmox_error_t *error) {
  if (name && *name && !strchr(name, '=')) return CMOX_OK;
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                   "a variable needs a name, not NULL, not empty and without '='");
}

static cmox_code_t match_variable(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const value_t *value = arguments;
  cmox_code_t code = check_name(value->name, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__EnvMatcherItem item = CMDMOX__V1__ENV_MATCHER_ITEM__INIT;
  Cmdmox__V1__EnvMatcherItem *items[] = {&item};
  Cmdmox__V1__EnvMatcher facet = CMDMOX__V1__ENV_MATCHER__INIT;
  facet.append = 1;
  facet.n_items = 1;
  facet.items = items;
  item.name = (ProtobufCBinaryData){strlen(value->name), (uint8_t *)value->name};
  if (value->matcher.kind != CMOX_MATCH_UNSET) {
    item.test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_NODE;
    return match_value(dbl, &value->matcher, put_variable, &facet, error);
  }
  item.test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_ABSENT;
  item.absent = 1;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.env_match = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_with_matching_env_at(cmox_double_t *dbl, cmox_location_t where,
                                         const char *name, cmox_matcher_t matcher) {
  const value_t value = {name, matcher};
  return cmox_refine(dbl, where, "cmox_with_matching_env", match_variable, &value);
}

typedef struct variable {
  const char *name;
  const char *value; /* NULL: removed */
} variable_t;

static cmox_code_t inject(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const variable_t *variable = arguments;
  cmox_code_t code = check_name(variable->name, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__EnvChange change = CMDMOX__V1__ENV_CHANGE__INIT;
  change.name = (ProtobufCBinaryData){strlen(variable->name), (uint8_t *)variable->name};
  if (variable->value) {
    change.change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
    change.value = (ProtobufCBinaryData){strlen(variable->value), (uint8_t *)variable->value};
  }
  Cmdmox__V1__EnvChange *changes[] = {&change};
  Cmdmox__V1__EnvInjection facet = CMDMOX__V1__ENV_INJECTION__INIT;
  facet.append = 1;
  facet.n_changes = 1;
  facet.changes = changes;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.env_injection = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_with_env_at(cmox_double_t *dbl, cmox_location_t where, const char *name,
                                const char *value) {
  const variable_t variable = {name, value};
  return cmox_refine(dbl, where, "cmox_with_env", inject, &variable);
}

/* ---- What is read ----------------------------------------------------------- */

static cmox_code_t capture(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  (void)arguments;
  Cmdmox__V1__StdinPolicy facet = CMDMOX__V1__STDIN_POLICY__INIT;
  facet.mode = CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.stdin_policy = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where) {
  return cmox_refine(dbl, where, "cmox_capture_stdin", capture, NULL);
}
