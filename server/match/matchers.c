/* A composite asks its children, each at most once for a value: a table where every node names the
 * one before it twice would else ask 2^n times. */
#include "server/match/table.h"

#include <string.h>

#include "server/base/alloc.h"

static cmox_code_t compile_node(cmox_node_t *node, cmox_error_t *error) {
  switch (node->test.kind) {
    case CMOX_TEST_REGEX:
      return cmox_pattern_regex(node->test.value, &node->pattern, error);
    case CMOX_TEST_GLOB:
      return cmox_pattern_glob(node->test.value, &node->pattern, error);
    case CMOX_TEST_JSON_EQUALS:
      return cmox_json_parse(node->test.value, &node->json, error);
    default:
      return CMOX_OK;
  }
}

static cmox_code_t check_children(const cmox_test_t *test, size_t index, cmox_error_t *error) {
  for (size_t i = 0; i < test->child_count; i++)
    if (test->children[i] >= index)
      return cmox_fail(error, CMOX_E_BAD_MATCHER,
                       "matcher %zu names matcher %u: it may only name those before it", index,
                       test->children[i]);
  return CMOX_OK;
}

static cmox_matchers_t *copy(const cmox_test_t *tests, size_t count) {
  size_t bytes = 0;
  size_t children = 0;
  for (size_t i = 0; i < count; i++) {
    bytes += tests[i].value.len;
    children += tests[i].child_count;
  }
  cmox_matchers_t *matchers = cmox_malloc(sizeof *matchers + count * sizeof(cmox_node_t) +
                                          children * sizeof(uint32_t) + bytes);
  if (!matchers) return NULL;
  *matchers = (cmox_matchers_t){.references = 1, .count = count};
  uint32_t *child = (uint32_t *)(void *)(matchers->nodes + count);
  uint8_t *at = (uint8_t *)(child + children);
  for (size_t i = 0; i < count; i++) {
    cmox_test_t test = tests[i];
    if (test.child_count) memcpy(child, test.children, test.child_count * sizeof *child);
    if (test.value.len) memcpy(at, test.value.data, test.value.len);
    test.children = child;
    test.value.data = at;
    child += test.child_count;
    at += test.value.len;
    matchers->nodes[i] = (cmox_node_t){.test = test};
  }
  return matchers;
}

cmox_code_t cmox_matchers_compile(const cmox_test_t *tests, size_t count, cmox_matchers_t **out,
                                  cmox_error_t *error) {
  *out = NULL;
  for (size_t i = 0; i < count; i++) {
    cmox_code_t code = check_children(&tests[i], i, error);
    if (code != CMOX_OK) return code;
  }
  cmox_matchers_t *matchers = copy(tests, count);
  if (!matchers) return cmox_fail(error, CMOX_E_NO_MEMORY, "matchers: out of memory");
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < count && code == CMOX_OK; i++)
    code = compile_node(&matchers->nodes[i], error);
  if (code == CMOX_OK)
    *out = matchers;
  else
    cmox_matchers_unref(matchers);
  return code;
}

cmox_matchers_t *cmox_matchers_ref(cmox_matchers_t *matchers) {
  matchers->references++;
  return matchers;
}

void cmox_matchers_unref(cmox_matchers_t *matchers) {
  if (!matchers || --matchers->references) return;
  for (size_t i = 0; i < matchers->count; i++) {
    cmox_pattern_free(matchers->nodes[i].pattern);
    cmox_json_free(matchers->nodes[i].json);
  }
  cmox_free_block(matchers);
}

size_t cmox_matchers_count(const cmox_matchers_t *matchers) { return matchers->count; }

bool cmox_matchers_ask(const cmox_matchers_t *matchers) {
  for (size_t i = 0; i < matchers->count; i++)
    if (matchers->nodes[i].test.kind == CMOX_TEST_CALLBACK) return true;
  return false;
}

cmox_test_t cmox_matchers_test(const cmox_matchers_t *matchers, uint32_t index) {
  return matchers->nodes[index].test;
}

/* ---- Asking ------------------------------------------------------------- */

static bool ends_with(cmox_span_t value, cmox_span_t end) {
  return value.len >= end.len &&
         (end.len == 0 || memcmp(value.data + (value.len - end.len), end.data, end.len) == 0);
}

static bool is_composite(cmox_test_kind_t kind) {
  return kind == CMOX_TEST_ALL_OF || kind == CMOX_TEST_ANY_OF || kind == CMOX_TEST_NOT;
}

static cmox_accept_t yes(bool accepts) { return accepts ? CMOX_ACCEPTS : CMOX_REFUSES; }

static cmox_accept_t ask(const cmox_test_t *test, cmox_span_t value, cmox_said_t *said) {
  switch (cmox_said_of(said, test->callback, test->value, value)) {
    case CMOX_SAID_YES:
      return CMOX_ACCEPTS;
    case CMOX_SAID_NO:
      return CMOX_REFUSES;
    default:
      return CMOX_GIVES_UP;
  }
}

static cmox_accept_t accept_leaf(const cmox_node_t *node, cmox_span_t value, cmox_said_t *said) {
  cmox_span_t want = node->test.value;
  switch (node->test.kind) {
    case CMOX_TEST_EQUALS:
      return yes(cmox_span_equal(value, want));
    case CMOX_TEST_STARTS_WITH:
      return yes(cmox_span_starts_with(value, want));
    case CMOX_TEST_ENDS_WITH:
      return yes(ends_with(value, want));
    case CMOX_TEST_CONTAINS:
      return yes(want.len == 0 ||
                 (value.len >= want.len && memmem(value.data, value.len, want.data, want.len)));
    case CMOX_TEST_REGEX:
    case CMOX_TEST_GLOB:
      return cmox_pattern_accept(node->pattern, value);
    case CMOX_TEST_IS_A:
      return cmox_value_is(node->test.type, value);
    case CMOX_TEST_JSON_EQUALS:
      return cmox_json_equal(node->json, value);
    case CMOX_TEST_CALLBACK:
      return ask(&node->test, value, said);
    default:
      return CMOX_ACCEPTS;
  }
}

/* What the children said, as one answer. */
static cmox_accept_t combine(const cmox_test_t *test, const uint8_t *said) {
  bool gave_up = false;
  cmox_accept_t decisive = test->kind == CMOX_TEST_ANY_OF ? CMOX_ACCEPTS : CMOX_REFUSES;
  for (size_t i = 0; i < test->child_count; i++) {
    cmox_accept_t child = (cmox_accept_t)said[test->children[i]];
    if (test->kind == CMOX_TEST_NOT && child != CMOX_GIVES_UP) return yes(child == CMOX_REFUSES);
    if (child == CMOX_GIVES_UP)
      gave_up = true;
    else if (child == decisive)
      return decisive;
  }
  if (gave_up) return CMOX_GIVES_UP;
  return yes(decisive == CMOX_REFUSES);
}

cmox_accept_t cmox_matchers_accept(const cmox_matchers_t *matchers, uint32_t index,
                                   cmox_span_t value, cmox_said_t *said) {
  const cmox_node_t *nodes = matchers->nodes;
  if (!is_composite(nodes[index].test.kind)) return accept_leaf(&nodes[index], value, said);
  uint8_t *answers = cmox_calloc(index + 1, 1);
  if (!answers) return CMOX_GIVES_UP;
  enum { WANTED = 0xff };
  answers[index] = WANTED;
  for (uint32_t i = index + 1; i-- > 0;)
    for (size_t child = 0; answers[i] == WANTED && child < nodes[i].test.child_count; child++)
      answers[nodes[i].test.children[child]] = WANTED;
  for (uint32_t i = 0; i <= index; i++)
    if (answers[i] == WANTED)
      answers[i] =
          (uint8_t)(is_composite(nodes[i].test.kind) ? combine(&nodes[i].test, answers)
                                                     : accept_leaf(&nodes[i], value, said));
  cmox_accept_t answer = (cmox_accept_t)answers[index];
  cmox_free_block(answers);
  return answer;
}
