/* Memory ends at each allocation that the expectation language makes: matchers of every kind, lists
 * of arguments, orders, turns, comparisons, reports in every format, assertions. Jansson's too:
 * here its allocator is ours. No crash, no leak; and nothing is accepted that would have been
 * refused. */
#include <check.h>
#include <jansson.h>
#include <string.h>

#include "server/report/report.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

static scenario_t s;

enum { A, LETTERS, JSON, INT, NOT_JSON, CHOICE, GLOB, END };

static cmox_matchers_t *table(void) {
  static const uint32_t zero[] = {0}, two[] = {2}, both[] = {0, 1};
  const cmox_test_t tests[] = {
      {.kind = CMOX_TEST_EQUALS, .value = cmox_span_str("a")},
      {.kind = CMOX_TEST_REGEX, .value = cmox_span_str("^[a-z]")},
      {.kind = CMOX_TEST_JSON_EQUALS, .value = cmox_span_str("{\"k\": [1, \"two\"]}")},
      {.kind = CMOX_TEST_IS_A, .type = CMOX_VALUE_INT},
      {.kind = CMOX_TEST_NOT, .children = two, .child_count = 1},
      {.kind = CMOX_TEST_ANY_OF, .children = both, .child_count = 2},
      {.kind = CMOX_TEST_GLOB, .value = cmox_span_str("*.c")},
      {.kind = CMOX_TEST_ENDS_WITH, .value = cmox_span_str("end")},
      {.kind = CMOX_TEST_NOT, .children = zero, .child_count = 1},
  };
  cmox_matchers_t *matchers = NULL;
  (void)cmox_matchers_compile(tests, sizeof tests / sizeof *tests, &matchers, &s.error);
  return matchers;
}

/* git <--json J> <in any order: choice, int> <rest: glob>, in /end, without VARIABLE, with HOME. */
static bool everything(cmox_facets_t *facets) {
  static const uint32_t order[] = {CHOICE, INT};
  const cmox_argv_item_t items[] = {
      {.kind = CMOX_ITEM_FLAG, .name = cmox_span_str("--json"), .node = JSON},
      {.kind = CMOX_ITEM_ANY_ORDER, .nodes = order, .count = 2},
      {.kind = CMOX_ITEM_REST, .node = GLOB},
  };
  cmox_matchers_t *matchers = table();
  if (!matchers) return false;
  cmox_code_t code = cmox_argv_new(matchers, items, 3, &facets->argv.argv, &s.error);
  facets->argv.present = code == CMOX_OK;
  facets->cwd = (cmox_value_facet_t){true, cmox_matchers_ref(matchers), END};
  facets->env = (cmox_env_facet_t){true, true, cmox_calloc(2, sizeof *facets->env.items), 0};
  if (facets->env.items) {
    facets->env.count = 2;
    facets->env.items[0] =
        (cmox_env_item_t){cmox_strdup("HOME"), false, cmox_matchers_ref(matchers), NOT_JSON};
    facets->env.items[1] = (cmox_env_item_t){cmox_strdup("VARIABLE"), true, NULL, 0};
  }
  cmox_matchers_unref(matchers);
  return code == CMOX_OK && facets->env.items && facets->env.items[0].name &&
         facets->env.items[1].name;
}

static uint64_t declare_everything(void) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "x");
  cmox_facets_t facets = {0};
  cmox_code_t code = CMOX_E_NO_MEMORY;
  if (id && everything(&facets))
    code = scenario_refine(&s, id, &facets);
  else
    cmox_facets_clear(&facets);
  return code == CMOX_OK ? id : 0;
}

static void assert_all_kinds(uint64_t spy) {
  cmox_facets_t pattern = {0};
  if (!everything(&pattern)) {
    cmox_facets_clear(&pattern);
    return;
  }
  const cmox_facets_t patterns[] = {pattern, pattern};
  for (int kind = CMOX_ASSERT_CALLED; kind <= CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER; kind++) {
    size_t count = kind <= CMOX_ASSERT_NOT_CALLED ? 0 : kind <= CMOX_ASSERT_ANY_CALL ? 1 : 2;
    char *text;
    cmox_code_t code =
        cmox_session_assert(s.session, spy, CMOX_ANY_COMMAND, (cmox_assertion_kind_t)kind, patterns,
                            count, &text, &s.error);
    bool holds = code == CMOX_OK && !text;
    ck_assert_msg(!holds || count == 0, "assertion %d holds", kind);
    cmox_free_block(text);
  }
  cmox_facets_clear(&pattern);
}

static void report_all_formats(void) {
  for (int format = CMOX_REPORT_TEXT; format <= CMOX_REPORT_TAP; format++) {
    const cmox_report_options_t options = {(cmox_report_format_t)format, true, "label"};
    cmox_free_block(cmox_report(cmox_session_findings(s.session), &options));
  }
}

/* A call that no memory may make an accepted one. */
static void refused(const char *line) {
  uint64_t call = scenario_call(&s, line, 0);
  if (!call) return;
  cmox_verdict_t verdict = scenario_journal(&s, call)->verdict;
  ck_assert_msg(verdict != CMOX_VERDICT_ACCEPTED, "%s was accepted", line);
  scenario_completed(&s, call, s.last_link);
}

static void whole_session(alloc_fault_t *fault) {
  scenario_open(&s);
  if (s.session) {
    uint64_t id = declare_everything();
    uint64_t after = scenario_double(&s, CMOX_KIND_MOCK, "git", "later");
    if (after) scenario_order(&s, after, "name", 2);
    if (after && id) scenario_after(&s, after, id);
    if (id) scenario_order(&s, id, "name", 1);
    static const uint64_t turns[] = {1, 2, 0};
    if (id) scenario_answers(&s, id, turns, 3, 2);
    uint64_t spy = scenario_double(&s, CMOX_KIND_SPY, "tee", NULL);
    uint64_t reads = scenario_double(&s, CMOX_KIND_STUB, "cat", "x");
    if (reads) scenario_stdin(&s, reads, "one\ntwo\nthree");
    bool complete = id && after && spy && reads;
    if (scenario_event(&s, CMOX_EVENT_REPLAY) == CMOX_OK && complete) {
      refused("git --json {\"k\":[1,\"three\"]} a 1 x.c");
      refused("git --json {\"k\":[1,\"two\"]} 1 a x.c y.h");
      refused("git --json nothing");
      refused("git later");
      scenario_call(&s, "tee a", 0);
      uint64_t call = scenario_call(&s, "cat x", 0);
      if (call) scenario_feed(&s, call, "one\n2\nthree");
      if (call) scenario_continue(&s, call, CMOX_STDIN_EOF);
      assert_all_kinds(spy);
      if (scenario_event(&s, CMOX_EVENT_VERIFY) == CMOX_OK) report_all_formats();
    }
  }
  scenario_close(&s);
  (void)fault;
}

static void *for_jansson(size_t size) { return cmox_malloc(size); }

START_TEST(the_language_survives_any_failed_allocation) {
  json_set_alloc_funcs(for_jansson, cmox_free_block);
  alloc_fault_sweep("expectation language", whole_session);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("language_memory");
  TCase *cases = tcase_create("memory");
  tcase_set_timeout(cases, 600);
  tcase_add_test(cases, the_language_survives_any_failed_allocation);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
