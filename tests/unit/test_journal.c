/* A journal with a bound: what it lists, what it keeps beside the list, and that nobody who asks
 * about the calls hears anything else than from a journal without one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/report/report.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

enum { ROUNDS = 300, CALLS = 30, BOUND_MAX = 6, DOUBLES = 4 };

static int below(int bound) { return rand() % bound; }

/* ---- The same session, with a bound and without --------------------------- */

static scenario_t bounded, whole;
static uint64_t bound;

static void open_both(void) {
  bound = (uint64_t)below(BOUND_MAX) + 1;
  scenario_open_with(&bounded, &(cmox_session_options_t){.max_journal_entries = bound});
  scenario_open(&whole);
  static const char *const args[] = {NULL, "a", "b", "*"};
  for (int i = 0; i < DOUBLES; i++) {
    cmox_double_kind_t kind = below(2) ? CMOX_KIND_MOCK : CMOX_KIND_SPY;
    const char *command = below(2) ? "git" : "ls";
    const char *accepted = args[below(4)];
    uint64_t id = scenario_double(&bounded, kind, command, accepted);
    ck_assert_uint_eq(scenario_double(&whole, kind, command, accepted), id);
    uint64_t most = (uint64_t)below(12);
    if (kind != CMOX_KIND_MOCK) continue;
    (void)scenario_times(&bounded, id, most / 2, most);
    (void)scenario_times(&whole, id, most / 2, most);
  }
  scenario_event(&bounded, CMOX_EVENT_REPLAY);
  scenario_event(&whole, CMOX_EVENT_REPLAY);
}

static uint64_t call_both(void) {
  static const char *const lines[] = {"git a", "git b", "git c", "ls", "ls a", "ls b", "nobody"};
  const char *line = lines[below(7)];
  uint64_t id = scenario_call(&bounded, line, 0);
  ck_assert_uint_eq(scenario_call(&whole, line, 0), id);
  return id;
}

/* Ends one of the calls that have begun, in one of the ways in which calls end. */
static void end_one(uint64_t latest) {
  uint64_t id = (uint64_t)below((int)latest) + 1;
  int how = below(8);
  for (int i = 0; i < 2; i++) {
    scenario_t *s = i ? &whole : &bounded;
    if (how == 0) {
      scenario_lost(s, id, id);
    } else if (how == 1) {
      cmox_event_t event = {.kind = CMOX_EVENT_COMPLETED, .link = id, .call_id = id};
      event.completed.failure = "No space left on device";
      (void)cmox_session_step(s->session, &event, &s->actions, &s->error);
    } else {
      scenario_completed(s, id, id);
    }
  }
}

static char *report_of(scenario_t *s) {
  ck_assert_int_eq(scenario_event(s, CMOX_EVENT_VERIFY), CMOX_OK);
  char *text = cmox_report_text(cmox_session_findings(s->session), false);
  ck_assert_ptr_nonnull(text);
  return text;
}

static void compare_counts(void) {
  for (uint64_t id = 1; id <= DOUBLES; id++)
    ck_assert_uint_eq(cmox_session_call_count(bounded.session, id, CMOX_ANY_COMMAND),
                      cmox_session_call_count(whole.session, id, CMOX_ANY_COMMAND));
  static const char *const commands[] = {"", "git", "ls", "nobody", "never"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    ck_assert_uint_eq(cmox_session_call_count(bounded.session, 0, cmox_span_str(commands[i])),
                      cmox_session_call_count(whole.session, 0, cmox_span_str(commands[i])));
}

static bool is_needed(const cmox_call_t *call) {
  return call->verdict != CMOX_VERDICT_ACCEPTED || call->state != CMOX_CALL_COMPLETED ||
         call->failure;
}

/* The list is the last calls; before it stands what verification needs, and no more. */
static void compare_lists(uint64_t latest) {
  const cmox_journal_t *journal = cmox_session_journal(bounded.session);
  const cmox_journal_t *all = cmox_session_journal(whole.session);
  size_t listed = cmox_journal_listed(journal);
  size_t count = cmox_journal_count(journal);
  ck_assert_uint_eq(count - listed, latest < bound ? latest : bound);
  for (size_t i = listed; i < count; i++)
    ck_assert_uint_eq(cmox_journal_at(journal, i)->id, latest - (count - 1 - i));
  for (size_t i = 0; i < listed; i++) ck_assert(is_needed(cmox_journal_at(journal, i)));
  for (uint64_t id = 1; id <= latest; id++) {
    const cmox_call_t *call = cmox_journal_find(journal, id);
    bool kept = is_needed(cmox_journal_find(all, id)) || latest - id < bound;
    ck_assert_msg((call != NULL) == kept, "call %u of %u", (unsigned)id, (unsigned)latest);
    ck_assert(!call || call->id == id);
    ck_assert(!call || cmox_journal_find_key(journal, call->data.key) == call);
  }
}

START_TEST(a_bound_changes_nothing_that_is_reported) {
  for (int round = 0; round < ROUNDS; round++) {
    srand((unsigned)round);
    open_both();
    for (int i = 0; i < CALLS; i++) {
      uint64_t latest = call_both();
      for (int ends = below(3); ends > 0; ends--) end_one(latest);
      compare_counts();
      compare_lists(latest);
    }
    char *said = report_of(&bounded);
    char *expected = report_of(&whole);
    ck_assert_msg(strcmp(said, expected) == 0, "round %d:\n%s\n---\n%s", round, said, expected);
    cmox_free_block(said);
    cmox_free_block(expected);
    scenario_close(&bounded);
    scenario_close(&whole);
  }
}
END_TEST

/* ---- Assertions about calls, some of which are gone -------------------------- */

static char *asserted(uint64_t id, cmox_assertion_kind_t kind, size_t patterns) {
  cmox_facets_t any = {0};
  char *text = NULL;
  cmox_error_t error = {.message = ""};
  ck_assert_msg(cmox_session_assert(bounded.session, id, CMOX_ANY_COMMAND, kind, &any, patterns,
                                    &text, &error) == CMOX_OK,
                "%s", error.message);
  return text;
}

static void expect_told(char *text, const char *part) {
  ck_assert_msg(text && strstr(text, part), "%s is not in: %s", part, text ? text : "(passed)");
  cmox_free_block(text);
}

START_TEST(assertions_know_of_calls_that_are_gone) {
  scenario_open_with(&bounded, &(cmox_session_options_t){.max_journal_entries = 2});
  uint64_t git = scenario_double(&bounded, CMOX_KIND_SPY, "git", NULL);
  uint64_t ls = scenario_double(&bounded, CMOX_KIND_SPY, "ls", NULL);
  scenario_event(&bounded, CMOX_EVENT_REPLAY);
  static const char *const lines[] = {"git a", "git b", "git c", "ls", "ls"};
  for (uint64_t i = 0; i < 5; i++) {
    uint64_t id = scenario_call(&bounded, lines[i], 0);
    scenario_completed(&bounded, id, bounded.last_link);
  }
  ck_assert_ptr_null(asserted(git, CMOX_ASSERT_CALLED, 0));
  expect_told(asserted(git, CMOX_ASSERT_NOT_CALLED, 0), "was called 3 times");
  expect_told(asserted(git, CMOX_ASSERT_CALLED_WITH, 1),
              "the journal does not hold the last call any more of spy git");
  expect_told(asserted(git, CMOX_ASSERT_ANY_CALL, 1), "max_journal_entries did not keep 3");
  ck_assert_ptr_null(asserted(ls, CMOX_ASSERT_CALLED_WITH, 1));
  scenario_completed(&bounded, scenario_call(&bounded, "ls", 0), bounded.last_link);
  expect_told(asserted(ls, CMOX_ASSERT_NOT_CALLED, 0), "     2. ls\n     3. ls\n");
  scenario_close(&bounded);
}
END_TEST

/* ---- Injected variables -------------------------------------------------------- */

static void expect_env(cmox_span_list_t env, const char *expected) {
  char text[256] = "";
  for (size_t i = 0; i < env.count; i++)
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", i ? " " : "",
                   (int)env.items[i].len, (const char *)env.items[i].data);
  ck_assert_str_eq(text, expected);
}

START_TEST(injection_changes_what_is_seen_and_not_what_was) {
  static const struct {
    const char *changes[3][2]; /* name, value or NULL */
    const char *seen;
  } table[] = {
      {{{"NEW", "1"}}, "A=1 odd B=2 A=3 NEW=1"},
      {{{"A", NULL}}, "odd B=2"},
      {{{"A", "1"}}, "A=1 odd B=2 A=3"},
      {{{"N", "1"}, {"N", "2"}}, "A=1 odd B=2 A=3 N=2"},
      {{{"N", "1"}, {"N", NULL}}, "A=1 odd B=2 A=3"},
      {{{"B", NULL}, {"B", ""}}, "A=1 odd A=3 B="},
      {{{"od", NULL}, {"odd", NULL}, {"AA", "x=y"}}, "A=1 odd B=2 A=3 AA=x=y"},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    cmox_journal_t *journal = cmox_journal_new(0);
    cmox_span_t env[] = {cmox_span_str("A=1"), cmox_span_str("odd"), cmox_span_str("B=2"),
                         cmox_span_str("A=3")};
    cmox_invocation_data_t data = {.command = cmox_span_str("git"), .env = {env, 4}};
    cmox_call_t *call = cmox_journal_add(journal, &data, 1);
    cmox_env_change_t changes[3];
    size_t count = 0;
    for (; count < 3 && table[i].changes[count][0]; count++) {
      const char *value = table[i].changes[count][1];
      changes[count] = (cmox_env_change_t){(char *)(uintptr_t)table[i].changes[count][0],
                                           (char *)(uintptr_t)value, value ? strlen(value) : 0};
    }
    ck_assert(cmox_call_inject(call, changes, count));
    expect_env(cmox_call_env(call), table[i].seen);
    expect_env(call->data.env, "A=1 odd B=2 A=3");
    cmox_journal_free(journal);
  }
}
END_TEST

/* ---- Memory ------------------------------------------------------------------ */

static void add_with_environment(cmox_journal_t *journal, unsigned number) {
  char text[1024];
  (void)snprintf(text, sizeof text, "N=%0900u", number);
  cmox_span_t argv = cmox_span_str("git");
  cmox_span_t env = cmox_span_str(text);
  cmox_invocation_data_t data = {.command = argv, .argv = {&argv, 1}, .env = {&env, 1}};
  memcpy(data.key, &number, sizeof number);
  cmox_call_t *call = cmox_journal_add(journal, &data, number);
  ck_assert_ptr_nonnull(call);
  ck_assert(cmox_span_equal(call->data.env.items[0], env));
  call->verdict = CMOX_VERDICT_ACCEPTED;
  call->state = CMOX_CALL_COMPLETED;
  cmox_journal_settle(journal, call);
}

START_TEST(calls_that_are_let_go_take_their_environment_along) {
  alloc_fault_t fault;
  alloc_fault_install(&fault, true);
  cmox_journal_t *journal = cmox_journal_new(10);
  unsigned number = 0;
  while (number < 100) add_with_environment(journal, ++number);
  size_t early = alloc_fault_bytes(&fault);
  while (number < 20000) add_with_environment(journal, ++number);
  size_t late = alloc_fault_bytes(&fault);
  ck_assert_msg(late < early + 4096, "%zu bytes, then %zu", early, late);
  ck_assert_uint_eq(cmox_journal_count(journal), 10);
  ck_assert_uint_eq(cmox_journal_total(journal, cmox_span_str("git")), 20000);
  cmox_journal_free(journal);
  alloc_fault_remove(&fault);
}
END_TEST

static void bounded_session(alloc_fault_t *fault) {
  scenario_open_with(&bounded, &(cmox_session_options_t){.max_journal_entries = 1});
  if (bounded.session) {
    uint64_t id = scenario_double(&bounded, CMOX_KIND_SPY, "git", NULL);
    scenario_event(&bounded, CMOX_EVENT_REPLAY);
    uint64_t expected = 0;
    for (int i = 0; i < 4; i++) {
      uint64_t call = scenario_call(&bounded, "git a", 0);
      if (!call) continue;
      scenario_completed(&bounded, call, bounded.last_link);
      expected++;
    }
    (void)alloc_fault_rest(fault);
    if (id)
      ck_assert_uint_le(expected,
                        cmox_session_call_count(bounded.session, 0, cmox_span_str("git")));
  }
  scenario_close(&bounded);
}

START_TEST(any_failed_allocation_is_survived) {
  alloc_fault_sweep("a bounded journal", bounded_session);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("journal");
  TCase *cases = tcase_create("journal");
  tcase_add_test(cases, a_bound_changes_nothing_that_is_reported);
  tcase_add_test(cases, assertions_know_of_calls_that_are_gone);
  tcase_add_test(cases, injection_changes_what_is_seen_and_not_what_was);
  tcase_add_test(cases, calls_that_are_let_go_take_their_environment_along);
  tcase_add_test(cases, any_failed_allocation_is_survived);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
