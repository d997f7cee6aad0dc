/* What a double accepts: the table of matchers and what refers to it. What this server cannot do
 * yet is refused by name, never ignored. */
#include "server/rpc/internal.h"

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "matchers: out of memory");
}

/* ---- The table ----------------------------------------------------------- */

static cmox_code_t of_bytes(cmox_test_kind_t kind, ProtobufCBinaryData bytes, cmox_test_t *out) {
  *out = (cmox_test_t){.kind = kind, .value = cmox_from_bytes(bytes)};
  return CMOX_OK;
}

static cmox_code_t of_list(cmox_test_kind_t kind, const Cmdmox__V1__IndexList *list,
                           cmox_test_t *out) {
  *out = (cmox_test_t){.kind = kind, .children = list->indexes, .child_count = list->n_indexes};
  return CMOX_OK;
}

static cmox_code_t of_type(Cmdmox__V1__ValueType type, cmox_test_t *out, cmox_error_t *error) {
  if (type < CMDMOX__V1__VALUE_TYPE__VALUE_TYPE_INT ||
      type > CMDMOX__V1__VALUE_TYPE__VALUE_TYPE_JSON)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know value type %d",
                     (int)type);
  /* The numbers are the same; checked in tests. */
  *out = (cmox_test_t){.kind = CMOX_TEST_IS_A, .type = (cmox_value_type_t)type};
  return CMOX_OK;
}

static cmox_code_t unknown_test(const Cmdmox__V1__MatcherNode *node, cmox_error_t *error) {
  unsigned kind = node->test_case ? (unsigned)node->test_case : cmox_newer_kind(&node->base);
  if (!kind) return cmox_fail(error, CMOX_E_BAD_MATCHER, "a matcher without a test");
  return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know matcher kind %u yet",
                   kind);
}

static cmox_code_t convert_test(const Cmdmox__V1__MatcherNode *node, cmox_test_t *out,
                                cmox_error_t *error) {
  switch (node->test_case) {
    case CMDMOX__V1__MATCHER_NODE__TEST_EQUALS:
      return of_bytes(CMOX_TEST_EQUALS, node->equals, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_ANY:
      *out = (cmox_test_t){.kind = CMOX_TEST_ANY};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_STARTS_WITH:
      return of_bytes(CMOX_TEST_STARTS_WITH, node->starts_with, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_ENDS_WITH:
      return of_bytes(CMOX_TEST_ENDS_WITH, node->ends_with, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_CONTAINS:
      return of_bytes(CMOX_TEST_CONTAINS, node->contains, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_REGEX:
      return of_bytes(CMOX_TEST_REGEX, node->regex, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_GLOB:
      return of_bytes(CMOX_TEST_GLOB, node->glob, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_IS_A:
      return of_type(node->is_a, out, error);
    case CMDMOX__V1__MATCHER_NODE__TEST_JSON_EQUALS:
      return of_bytes(CMOX_TEST_JSON_EQUALS, node->json_equals, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_ALL_OF:
      return of_list(CMOX_TEST_ALL_OF, node->all_of, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_ANY_OF:
      return of_list(CMOX_TEST_ANY_OF, node->any_of, out);
    case CMDMOX__V1__MATCHER_NODE__TEST_NOT:
      *out = (cmox_test_t){.kind = CMOX_TEST_NOT, .children = &node->not_, .child_count = 1};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_CALLBACK:
      *out = (cmox_test_t){.kind = CMOX_TEST_CALLBACK,
                           .callback = node->callback,
                           .value = cmox_span_str(node->callback_name)};
      return CMOX_OK;
    default:
      return unknown_test(node, error);
  }
}

static cmox_code_t convert_table(const Cmdmox__V1__Double *from, cmox_matchers_t **out,
                                 cmox_error_t *error) {
  cmox_test_t *tests = cmox_calloc(from->n_matchers, sizeof *tests);
  if (!tests) return no_memory(error);
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < from->n_matchers && code == CMOX_OK; i++)
    code = convert_test(from->matchers[i], &tests[i], error);
  if (code == CMOX_OK) code = cmox_matchers_compile(tests, from->n_matchers, out, error);
  cmox_free_block(tests);
  return code;
}

static cmox_code_t check_node(const cmox_matchers_t *table, uint32_t node, cmox_error_t *error) {
  if (node < cmox_matchers_count(table)) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_MATCHER, "matcher %u is not in the table of %zu", node,
                   cmox_matchers_count(table));
}

/* ---- Arguments ------------------------------------------------------------ */

static cmox_code_t unknown_item(const Cmdmox__V1__ArgvItem *item, cmox_error_t *error) {
  unsigned kind = item->kind_case ? (unsigned)item->kind_case : cmox_newer_kind(&item->base);
  if (!kind) return cmox_fail(error, CMOX_E_BAD_MATCHER, "an argument item without a kind");
  return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                   "this server does not know argument item kind %u yet", kind);
}

static cmox_code_t convert_item(const Cmdmox__V1__ArgvItem *from, cmox_argv_item_t *out,
                                cmox_error_t *error) {
  const Cmdmox__V1__IndexList *list = NULL;
  switch (from->kind_case) {
    case CMDMOX__V1__ARGV_ITEM__KIND_ONE:
      *out = (cmox_argv_item_t){.kind = CMOX_ITEM_ONE, .node = from->one};
      return CMOX_OK;
    case CMDMOX__V1__ARGV_ITEM__KIND_REST:
      *out = (cmox_argv_item_t){.kind = CMOX_ITEM_REST, .node = from->rest};
      return CMOX_OK;
    case CMDMOX__V1__ARGV_ITEM__KIND_FLAG:
      *out = (cmox_argv_item_t){.kind = CMOX_ITEM_FLAG,
                                .node = from->flag->value,
                                .name = cmox_from_bytes(from->flag->name)};
      return CMOX_OK;
    case CMDMOX__V1__ARGV_ITEM__KIND_ANY_ORDER:
      list = from->any_order;
      *out = (cmox_argv_item_t){.kind = CMOX_ITEM_ANY_ORDER};
      break;
    case CMDMOX__V1__ARGV_ITEM__KIND_CONTAINS:
      list = from->contains;
      *out = (cmox_argv_item_t){.kind = CMOX_ITEM_CONTAINS};
      break;
    default:
      return unknown_item(from, error);
  }
  out->nodes = list->indexes;
  out->count = list->n_indexes;
  return CMOX_OK;
}

static cmox_code_t convert_argv(const Cmdmox__V1__ArgvMatcher *from, cmox_matchers_t *table,
                                cmox_argv_facet_t *out, cmox_error_t *error) {
  cmox_argv_item_t *items = cmox_calloc(from->n_items, sizeof *items);
  if (!items) return no_memory(error);
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < from->n_items && code == CMOX_OK; i++)
    code = convert_item(from->items[i], &items[i], error);
  if (code == CMOX_OK) code = cmox_argv_new(table, items, from->n_items, &out->argv, error);
  out->present = code == CMOX_OK;
  cmox_free_block(items);
  return code;
}

/* ---- stdin, the working directory, the environment ------------------------- */

static cmox_code_t convert_value(uint32_t node, cmox_matchers_t *table, cmox_value_facet_t *out,
                                 cmox_error_t *error) {
  cmox_code_t code = check_node(table, node, error);
  if (code == CMOX_OK) *out = (cmox_value_facet_t){true, cmox_matchers_ref(table), node};
  return code;
}

static cmox_code_t convert_env(const Cmdmox__V1__EnvMatcher *from, cmox_matchers_t *table,
                               cmox_env_facet_t *out, cmox_error_t *error) {
  *out = (cmox_env_facet_t){.present = true, .append = from->append};
  out->items = cmox_calloc(from->n_items, sizeof *out->items);
  if (!out->items) return no_memory(error);
  for (size_t i = 0; i < from->n_items; i++) {
    const Cmdmox__V1__EnvMatcherItem *item = from->items[i];
    cmox_env_item_t *to = &out->items[i];
    cmox_code_t code = cmox_convert_env_name(item->name, &to->name, error);
    if (code != CMOX_OK) return code;
    out->count = i + 1;
    to->absent = item->test_case == CMDMOX__V1__ENV_MATCHER_ITEM__TEST_ABSENT && item->absent;
    if (!item->test_case && cmox_newer_kind(&item->base))
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                       "this server does not know test %u of a variable yet",
                       cmox_newer_kind(&item->base));
    if (!to->absent && item->test_case != CMDMOX__V1__ENV_MATCHER_ITEM__TEST_NODE)
      return cmox_fail(error, CMOX_E_BAD_MATCHER,
                       "the variable %.80s has neither a matcher nor "
                       "absent",
                       to->name);
    if (to->absent) continue;
    code = check_node(table, item->node, error);
    if (code != CMOX_OK) return code;
    to->matchers = cmox_matchers_ref(table);
    to->node = item->node;
  }
  return CMOX_OK;
}

cmox_code_t cmox_convert_matching(const Cmdmox__V1__Double *from, cmox_facets_t *out,
                                  cmox_error_t *error) {
  cmox_matchers_t *table = NULL;
  cmox_code_t code = convert_table(from, &table, error);
  if (code == CMOX_OK && from->argv) code = convert_argv(from->argv, table, &out->argv, error);
  if (code == CMOX_OK && from->stdin_match)
    code = convert_value(from->stdin_match->node, table, &out->stdin_match, error);
  if (code == CMOX_OK && from->cwd_match)
    code = convert_value(from->cwd_match->node, table, &out->cwd, error);
  if (code == CMOX_OK && from->env_match)
    code = convert_env(from->env_match, table, &out->env, error);
  cmox_matchers_unref(table);
  return code;
}
