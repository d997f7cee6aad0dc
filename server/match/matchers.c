#include "server/match/matchers.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "server/base/alloc.h"

/* Backtracking steps before a regex gives up; a hostile pattern then costs
 * milliseconds, and no pattern seen in practice comes near. */
enum { REGEX_STEPS_MAX = 200000, REGEX_HEAP_KIB_MAX = 4096, PATTERN_SHOWN_MAX = 120 };

typedef struct node {
  cmox_test_t test;
  pcre2_code *regex;
} node_t;

struct cmox_matchers {
  size_t references;
  size_t count;
  pcre2_match_data *match_data;
  pcre2_match_context *match_context;
  node_t nodes[];
};

static void *regex_malloc(size_t size, void *user) {
  (void)user;
  return cmox_malloc(size);
}

static void regex_free(void *block, void *user) {
  (void)user;
  cmox_free_block(block);
}

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "matchers: out of memory");
}

static cmox_code_t compile_regex(node_t *node, pcre2_compile_context *context,
                                 cmox_error_t *error) {
  int number = 0;
  PCRE2_SIZE offset = 0;
  cmox_span_t pattern = node->test.value;
  node->regex = pcre2_compile(pattern.data ? pattern.data : (PCRE2_SPTR) "", pattern.len, 0,
                              &number, &offset, context);
  if (node->regex) return CMOX_OK;
  if (number == PCRE2_ERROR_NOMEMORY || number == 121) return no_memory(error);
  char why[128];
  (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
  int shown = pattern.len > PATTERN_SHOWN_MAX ? PATTERN_SHOWN_MAX : (int)pattern.len;
  return cmox_fail(error, CMOX_E_BAD_REGEX, "invalid regular expression \"%.*s\" at offset %zu: %s",
                   shown, (const char *)pattern.data, (size_t)offset, why);
}

static cmox_code_t compile_all(cmox_matchers_t *matchers, cmox_error_t *error) {
  bool any_regex = false;
  for (size_t i = 0; i < matchers->count; i++)
    any_regex |= matchers->nodes[i].test.kind == CMOX_TEST_REGEX;
  if (!any_regex) return CMOX_OK;

  pcre2_general_context *general = pcre2_general_context_create(regex_malloc, regex_free, NULL);
  if (!general) return no_memory(error);
  pcre2_compile_context *context = pcre2_compile_context_create(general);
  matchers->match_context = pcre2_match_context_create(general);
  matchers->match_data = pcre2_match_data_create(1, general);
  cmox_code_t code = CMOX_OK;
  if (!context || !matchers->match_context || !matchers->match_data) {
    code = no_memory(error);
  } else {
    pcre2_set_match_limit(matchers->match_context, REGEX_STEPS_MAX);
    pcre2_set_heap_limit(matchers->match_context, REGEX_HEAP_KIB_MAX);
    for (size_t i = 0; i < matchers->count && code == CMOX_OK; i++)
      if (matchers->nodes[i].test.kind == CMOX_TEST_REGEX)
        code = compile_regex(&matchers->nodes[i], context, error);
  }
  pcre2_compile_context_free(context);
  pcre2_general_context_free(general);
  return code;
}

cmox_code_t cmox_matchers_compile(const cmox_test_t *tests, size_t count, cmox_matchers_t **out,
                                  cmox_error_t *error) {
  *out = NULL;
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += tests[i].value.len;
  cmox_matchers_t *matchers = cmox_malloc(sizeof *matchers + count * sizeof(node_t) + bytes);
  if (!matchers) return no_memory(error);
  *matchers = (cmox_matchers_t){.references = 1, .count = count};
  uint8_t *at = (uint8_t *)(matchers->nodes + count);
  for (size_t i = 0; i < count; i++) {
    matchers->nodes[i] = (node_t){.test = {tests[i].kind, {at, tests[i].value.len}}};
    if (tests[i].value.len) memcpy(at, tests[i].value.data, tests[i].value.len);
    at += tests[i].value.len;
  }
  cmox_code_t code = compile_all(matchers, error);
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
  for (size_t i = 0; i < matchers->count; i++) pcre2_code_free(matchers->nodes[i].regex);
  pcre2_match_data_free(matchers->match_data);
  pcre2_match_context_free(matchers->match_context);
  cmox_free_block(matchers);
}

size_t cmox_matchers_count(const cmox_matchers_t *matchers) { return matchers->count; }

static cmox_accept_t accept_regex(const cmox_matchers_t *matchers, const node_t *node,
                                  cmox_span_t value) {
  int found = pcre2_match(node->regex, value.data ? value.data : (PCRE2_SPTR) "", value.len, 0, 0,
                          matchers->match_data, matchers->match_context);
  if (found >= 0) return CMOX_ACCEPTS;
  return found == PCRE2_ERROR_NOMATCH ? CMOX_REFUSES : CMOX_GIVES_UP;
}

static bool accept_bytes(cmox_test_t test, cmox_span_t value) {
  cmox_span_t want = test.value;
  switch (test.kind) {
    case CMOX_TEST_EQUALS:
      return cmox_span_equal(value, want);
    case CMOX_TEST_STARTS_WITH:
      return cmox_span_starts_with(value, want);
    case CMOX_TEST_CONTAINS:
      return want.len == 0 ||
             (value.len >= want.len && memmem(value.data, value.len, want.data, want.len));
    default:
      return true;
  }
}

cmox_accept_t cmox_matchers_accept(const cmox_matchers_t *matchers, uint32_t index,
                                   cmox_span_t value) {
  const node_t *node = &matchers->nodes[index];
  if (node->test.kind == CMOX_TEST_REGEX) return accept_regex(matchers, node, value);
  return accept_bytes(node->test, value) ? CMOX_ACCEPTS : CMOX_REFUSES;
}

cmox_test_t cmox_matchers_test(const cmox_matchers_t *matchers, uint32_t index) {
  return matchers->nodes[index].test;
}
