/* Matchers and argument lists against files: fixtures/matchers and fixtures/arguments hold, for
 * each kind, what it accepts, refuses, gives up on or is invalid with, and how it is put in words.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/base/alloc.h"
#include "server/match/explain.h"
#include "tests/lib/files.h"
#include "tests/lib/run_suite.h"

enum { FILES_MAX = 32, NODES_MAX = 80, ITEMS_MAX = 8, ARGS_MAX = 16, BYTES_MAX = 64 };

static char matcher_files[FILES_MAX][128];
static char argument_files[FILES_MAX][128];

/* A table as a client builds it: children before their parents. */
typedef struct table {
  cmox_test_t tests[NODES_MAX];
  uint32_t children[NODES_MAX][NODES_MAX];
  size_t count;
  uint8_t bytes[NODES_MAX][BYTES_MAX];
  size_t bytes_used;
} table_t;

/* "text" or {"hex": "00ff"}; valid as long as the table. */
static cmox_span_t bytes_of(table_t *table, const json_t *value) {
  const json_t *hex = json_object_get(value, "hex");
  if (!hex) return cmox_span(json_string_value(value), json_string_length(value));
  size_t len;
  uint8_t *data = cmox_test_unhex(json_string_value(hex), &len);
  ck_assert_uint_le(len, BYTES_MAX);
  ck_assert_uint_lt(table->bytes_used, NODES_MAX);
  uint8_t *kept = table->bytes[table->bytes_used++];
  memcpy(kept, data, len);
  free(data);
  return cmox_span(kept, len);
}

static cmox_value_type_t type_of(const char *name) {
  static const char *const names[] = {"int", "float", "bool", "path", "json"};
  for (size_t i = 0; i < 5; i++)
    if (strcmp(names[i], name) == 0) return (cmox_value_type_t)(i + 1);
  ck_abort_msg("no value type %s", name);
  return CMOX_VALUE_INT;
}

static cmox_test_kind_t kind_of(const char *name) {
  static const struct {
    const char *name;
    cmox_test_kind_t kind;
  } kinds[] = {{"equals", CMOX_TEST_EQUALS},
               {"any", CMOX_TEST_ANY},
               {"starts_with", CMOX_TEST_STARTS_WITH},
               {"ends_with", CMOX_TEST_ENDS_WITH},
               {"contains", CMOX_TEST_CONTAINS},
               {"regex", CMOX_TEST_REGEX},
               {"glob", CMOX_TEST_GLOB},
               {"is_a", CMOX_TEST_IS_A},
               {"json_equals", CMOX_TEST_JSON_EQUALS},
               {"all_of", CMOX_TEST_ALL_OF},
               {"any_of", CMOX_TEST_ANY_OF},
               {"not", CMOX_TEST_NOT}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, name) == 0) return kinds[i].kind;
  ck_abort_msg("no matcher %s", name);
  return CMOX_TEST_ANY;
}

static uint32_t add(table_t *table, const json_t *matcher) {
  void *only = json_object_iter((json_t *)(uintptr_t)matcher);
  const json_t *value = json_object_iter_value(only);
  cmox_test_t test = {.kind = kind_of(json_object_iter_key(only))};
  uint32_t children[NODES_MAX];
  if (test.kind == CMOX_TEST_NOT) {
    children[test.child_count++] = add(table, value);
  } else if (json_is_array(value)) {
    for (size_t i = 0; i < json_array_size(value); i++)
      children[test.child_count++] = add(table, json_array_get(value, i));
  } else if (test.kind == CMOX_TEST_IS_A) {
    test.type = type_of(json_string_value(value));
  } else if (test.kind != CMOX_TEST_ANY) {
    test.value = bytes_of(table, value);
  }
  ck_assert_uint_lt(table->count, NODES_MAX);
  memcpy(table->children[table->count], children, test.child_count * sizeof *children);
  test.children = table->children[table->count];
  table->tests[table->count] = test;
  return (uint32_t)table->count++;
}

static cmox_matchers_t *compile(const table_t *table, cmox_error_t *error) {
  cmox_matchers_t *matchers;
  (void)cmox_matchers_compile(table->tests, table->count, &matchers, error);
  return matchers;
}

static json_t *load(const char *folder, const char *name) {
  char path[512];
  snprintf(path, sizeof path, CMOX_SOURCE_DIR "/fixtures/%s/%s", folder, name);
  char *text = cmox_test_read_file(path);
  json_error_t why;
  json_t *groups = json_loads(text, JSON_ALLOW_NUL, &why);
  ck_assert_msg(groups != NULL, "%s:%d: %s", path, why.line, why.text);
  free(text);
  return groups;
}

/* The words, or "" ; the caller frees. */
static char *words(cmox_buf_t *text) {
  char *taken = cmox_buf_take_text(text);
  ck_assert_ptr_nonnull(taken);
  return taken;
}

static const json_t *cases(const json_t *group, const char *answer) {
  return json_object_get(group, answer);
}

static void check_values(table_t *table, const cmox_matchers_t *matchers, uint32_t root,
                         const json_t *group, const char *key, cmox_accept_t answer) {
  const json_t *why = json_object_get(group, "why");
  for (size_t i = 0; i < json_array_size(cases(group, key)); i++) {
    cmox_span_t value = bytes_of(table, json_array_get(cases(group, key), i));
    cmox_accept_t said = cmox_matchers_accept(matchers, root, value, NULL);
    ck_assert_msg(said == answer, "%s: case %zu of %s: %d", json_dumps(group, 0), i + 1, key, said);
    if (answer != CMOX_REFUSES || !why) continue;
    cmox_buf_t text = CMOX_BUF_EMPTY;
    cmox_matchers_why_not(matchers, root, cmox_span(NULL, 0), value, NULL, &text);
    char *told = words(&text);
    ck_assert_str_eq(told, json_string_value(why));
    cmox_free_block(told);
  }
}

START_TEST(each_kind_answers_as_its_file_says) {
  json_t *groups = load("matchers", matcher_files[_i]);
  ck_assert_uint_gt(json_array_size(groups), 0);
  for (size_t i = 0; i < json_array_size(groups); i++) {
    const json_t *group = json_array_get(groups, i);
    table_t table = {.count = 0};
    uint32_t root = add(&table, json_object_get(group, "matcher"));
    cmox_error_t error = {0};
    cmox_matchers_t *matchers = compile(&table, &error);
    const char *invalid = json_string_value(json_object_get(group, "invalid"));
    if (invalid) {
      ck_assert_ptr_null(matchers);
      ck_assert_msg(strstr(error.message, invalid) != NULL, "'%s' is not in: %s", invalid,
                    error.message);
      continue;
    }
    ck_assert_msg(matchers != NULL, "%s", error.message);
    const char *says = json_string_value(json_object_get(group, "says"));
    cmox_buf_t text = CMOX_BUF_EMPTY;
    cmox_matchers_describe(matchers, root, cmox_span(NULL, 0), &text);
    char *told = words(&text);
    if (says) ck_assert_str_eq(told, says);
    cmox_free_block(told);
    check_values(&table, matchers, root, group, "accepts", CMOX_ACCEPTS);
    check_values(&table, matchers, root, group, "refuses", CMOX_REFUSES);
    check_values(&table, matchers, root, group, "gives_up", CMOX_GIVES_UP);
    cmox_matchers_unref(matchers);
  }
  json_decref(groups);
}
END_TEST

/* ---- Lists of arguments ------------------------------------------------- */

typedef struct list {
  cmox_argv_item_t items[ITEMS_MAX];
  uint32_t nodes[ITEMS_MAX][NODES_MAX];
  size_t count;
} list_t;

static void add_item(table_t *table, list_t *list, const json_t *from) {
  void *only = json_object_iter((json_t *)(uintptr_t)from);
  const char *kind = json_object_iter_key(only);
  const json_t *value = json_object_iter_value(only);
  cmox_argv_item_t *item = &list->items[list->count];
  *item = (cmox_argv_item_t){.kind = CMOX_ITEM_ONE, .nodes = list->nodes[list->count]};
  if (json_is_array(value)) {
    item->kind = strcmp(kind, "contains") == 0 ? CMOX_ITEM_CONTAINS : CMOX_ITEM_ANY_ORDER;
    for (size_t i = 0; i < json_array_size(value); i++)
      list->nodes[list->count][item->count++] = add(table, json_array_get(value, i));
  } else if (strcmp(kind, "flag") == 0) {
    item->kind = CMOX_ITEM_FLAG;
    item->name = bytes_of(table, json_object_get(value, "name"));
    item->node = add(table, json_object_get(value, "value"));
  } else {
    item->kind = strcmp(kind, "rest") == 0 ? CMOX_ITEM_REST : CMOX_ITEM_ONE;
    item->node = add(table, value);
  }
  list->count++;
}

static void check_lists(table_t *table, const cmox_argv_t *argv, const json_t *group,
                        const char *key, cmox_accept_t answer) {
  for (size_t i = 0; i < json_array_size(cases(group, key)); i++) {
    const json_t *line = json_array_get(cases(group, key), i);
    cmox_span_t args[ARGS_MAX];
    size_t count = json_array_size(line);
    ck_assert_uint_le(count, ARGS_MAX);
    for (size_t at = 0; at < count; at++) args[at] = bytes_of(table, json_array_get(line, at));
    cmox_accept_t said = cmox_argv_accepts(argv, (cmox_span_list_t){args, count}, NULL);
    ck_assert_msg(said == answer, "%s: case %zu of %s: %d", json_dumps(group, 0), i + 1, key, said);
  }
}

START_TEST(each_kind_of_item_answers_as_its_file_says) {
  json_t *groups = load("arguments", argument_files[_i]);
  ck_assert_uint_gt(json_array_size(groups), 0);
  for (size_t i = 0; i < json_array_size(groups); i++) {
    const json_t *group = json_array_get(groups, i);
    const json_t *items = json_object_get(group, "items");
    table_t table = {.count = 0};
    list_t list = {.count = 0};
    for (size_t at = 0; at < json_array_size(items); at++)
      add_item(&table, &list, json_array_get(items, at));
    cmox_error_t error = {0};
    cmox_matchers_t *matchers = compile(&table, &error);
    ck_assert_msg(matchers != NULL, "%s", error.message);
    cmox_argv_t *argv;
    (void)cmox_argv_new(matchers, list.items, list.count, &argv, &error);
    cmox_matchers_unref(matchers);
    const char *invalid = json_string_value(json_object_get(group, "invalid"));
    if (invalid) {
      ck_assert_str_eq(error.message, invalid);
      continue;
    }
    ck_assert_msg(argv != NULL, "%s", error.message);
    check_lists(&table, argv, group, "accepts", CMOX_ACCEPTS);
    check_lists(&table, argv, group, "refuses", CMOX_REFUSES);
    cmox_expect_t expect = {.kind = CMOX_KIND_MOCK, .command = cmox_span_str("git")};
    expect.facets.argv = (cmox_argv_facet_t){true, argv};
    cmox_buf_t text = CMOX_BUF_EMPTY;
    cmox_describe_double(&text, &expect);
    char *told = words(&text);
    const char *says = json_string_value(json_object_get(group, "says"));
    if (says) ck_assert_str_eq(told, says);
    cmox_free_block(told);
    cmox_argv_free(argv);
  }
  json_decref(groups);
}
END_TEST

/* ---- What files do not say well ------------------------------------------ */

START_TEST(a_child_must_stand_before_its_parent) {
  const uint32_t later[] = {1};
  const cmox_test_t tests[] = {{.kind = CMOX_TEST_NOT, .children = later, .child_count = 1},
                               {.kind = CMOX_TEST_ANY}};
  cmox_error_t error = {0};
  cmox_matchers_t *matchers;
  ck_assert_int_eq(cmox_matchers_compile(tests, 2, &matchers, &error), CMOX_E_BAD_MATCHER);
  ck_assert_str_eq(error.message, "matcher 0 names matcher 1: it may only name those before it");
}
END_TEST

/* Every node names the one before it twice: asked naively, that is 2^n questions. */
START_TEST(shared_children_are_asked_once) {
  enum { COUNT = 2000 };
  static cmox_test_t tests[COUNT];
  static uint32_t children[COUNT][2];
  tests[0] = (cmox_test_t){.kind = CMOX_TEST_EQUALS, .value = cmox_span_str("x")};
  for (uint32_t i = 1; i < COUNT; i++) {
    children[i][0] = children[i][1] = i - 1;
    tests[i] = (cmox_test_t){.kind = i % 2 ? CMOX_TEST_ALL_OF : CMOX_TEST_ANY_OF,
                             .children = children[i],
                             .child_count = 2};
  }
  cmox_error_t error;
  cmox_matchers_t *matchers;
  ck_assert_int_eq(cmox_matchers_compile(tests, COUNT, &matchers, &error), CMOX_OK);
  ck_assert_int_eq(cmox_matchers_accept(matchers, COUNT - 1, cmox_span_str("x"), NULL),
                   CMOX_ACCEPTS);
  ck_assert_int_eq(cmox_matchers_accept(matchers, COUNT - 1, cmox_span_str("y"), NULL),
                   CMOX_REFUSES);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_matchers_describe(matchers, COUNT - 1, cmox_span(NULL, 0), &text);
  ck_assert_uint_lt(text.len, 4096);
  cmox_matchers_why_not(matchers, COUNT - 1, cmox_span(NULL, 0), cmox_span_str("y"), NULL, &text);
  cmox_buf_clear(&text);
  cmox_matchers_unref(matchers);
}
END_TEST

int main(void) {
  size_t matchers =
      cmox_test_list(CMOX_SOURCE_DIR "/fixtures/matchers", ".json", matcher_files, FILES_MAX);
  size_t arguments =
      cmox_test_list(CMOX_SOURCE_DIR "/fixtures/arguments", ".json", argument_files, FILES_MAX);
  Suite *suite = suite_create("matchers");
  TCase *tests = tcase_create("matchers");
  tcase_set_timeout(tests, 30);
  tcase_add_loop_test(tests, each_kind_answers_as_its_file_says, 0, (int)matchers);
  tcase_add_loop_test(tests, each_kind_of_item_answers_as_its_file_says, 0, (int)arguments);
  tcase_add_test(tests, a_child_must_stand_before_its_parent);
  tcase_add_test(tests, shared_children_are_asked_once);
  suite_add_tcase(suite, tests);
  return run_suite(suite) || matchers == 0 || arguments == 0;
}
