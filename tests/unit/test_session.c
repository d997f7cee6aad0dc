/* The rules of a session, one by one; test_session_model.c has them against a slow model. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/report/report.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

static scenario_t s;

static void setup(void) {
  scenario_open(&s);
  ck_assert_ptr_nonnull(s.session);
}

static void teardown(void) { scenario_close(&s); }

static const cmox_reply_data_t *reply(void) {
  ck_assert_msg(s.code == CMOX_OK, "%s", s.error.message);
  ck_assert_uint_eq(s.actions.count, 1);
  ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_REPLY);
  ck_assert_uint_eq(s.actions.items[0].link, s.last_link);
  return s.actions.items[0].reply;
}

static void assert_answered(const char *out) {
  const cmox_reply_data_t *got = reply();
  ck_assert_uint_eq(got->exit_code, 0);
  ck_assert_uint_eq(got->out.len, strlen(out));
  ck_assert_mem_eq(got->out.data, out, got->out.len);
}

static void assert_refused(const char *with) {
  const cmox_reply_data_t *got = reply();
  ck_assert_uint_eq(got->exit_code, 125);
  ck_assert_uint_eq(got->out.len, 0);
  char text[1024] = "";
  memcpy(text, got->err.data, got->err.len < sizeof text ? got->err.len : sizeof text - 1);
  ck_assert_msg(strncmp(text, "cmdmox: ", 8) == 0 && strstr(text, with), "got: %s", text);
  ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1); /* exactly one line */
}

static void replay(void) { ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_REPLAY), CMOX_OK); }

static const cmox_findings_t *verify(void) {
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_VERIFY), CMOX_OK);
  return cmox_session_findings(s.session);
}

static void assert_findings(size_t count, const cmox_finding_kind_t *kinds) {
  const cmox_findings_t *findings = verify();
  ck_assert_uint_eq(findings->count, count);
  for (size_t i = 0; i < count; i++) ck_assert_int_eq(findings->items[i].kind, kinds[i]);
}
#define ASSERT_FINDINGS(...)                                                                  \
  assert_findings(sizeof((cmox_finding_kind_t[]){__VA_ARGS__}) / sizeof(cmox_finding_kind_t), \
                  (cmox_finding_kind_t[]){__VA_ARGS__})

START_TEST(a_mock_is_taken_once_and_a_second_call_is_excess) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "status");
  scenario_returns(&s, id, "clean", NULL);
  replay();
  scenario_call(&s, "git status", 0);
  assert_answered("clean");
  scenario_call(&s, "git status", 0);
  assert_refused("one call too many: git status");
  ASSERT_FINDINGS(CMOX_FINDING_EXCESS_CALL, CMOX_FINDING_IN_FLIGHT, CMOX_FINDING_IN_FLIGHT);
}
END_TEST

START_TEST(mocks_come_first_in_order_of_definition_then_stubs) {
  uint64_t stub = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  uint64_t first = scenario_double(&s, CMOX_KIND_MOCK, "git", "* x");
  uint64_t second = scenario_double(&s, CMOX_KIND_MOCK, "git", "a ~^.$");
  scenario_returns(&s, stub, "stub", NULL);
  scenario_returns(&s, first, "first", NULL);
  scenario_returns(&s, second, "second", NULL);
  replay();
  scenario_call(&s, "git a x", 0);
  assert_answered("first");
  scenario_call(&s, "git a x", 0);
  assert_answered("second");
  scenario_call(&s, "git other", 0);
  assert_answered("stub");
  scenario_call(&s, "git other", 0);
  assert_answered("stub");
  scenario_call(&s, "git a x", 0); /* no stub absorbs what a mock has had enough of */
  assert_refused("one call too many");
}
END_TEST

START_TEST(a_mock_of_no_calls_refuses_what_a_stub_would_take) {
  scenario_double(&s, CMOX_KIND_STUB, "rm", NULL);
  uint64_t never = scenario_double(&s, CMOX_KIND_MOCK, "rm", "-rf *");
  ck_assert_int_eq(scenario_times(&s, never, 0, 0), CMOX_OK);
  replay();
  scenario_call(&s, "rm file", 0);
  assert_answered("");
  scenario_call(&s, "rm -rf /", 0);
  assert_refused("one call too many: rm -rf /");
}
END_TEST

START_TEST(a_regex_that_gives_up_lets_nothing_pass) {
  uint64_t never = scenario_double(&s, CMOX_KIND_MOCK, "git", "~^(a+)+$");
  ck_assert_int_eq(scenario_times(&s, never, 0, 0), CMOX_OK);
  scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  replay();
  scenario_call(&s, "git aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0);
  assert_refused("needs too much work");
  ASSERT_FINDINGS(CMOX_FINDING_UNEXPECTED_CALL, CMOX_FINDING_IN_FLIGHT);
}
END_TEST

START_TEST(a_count_lowered_below_what_was_taken_fails) {
  uint64_t mock = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_times(&s, mock, 2, 2);
  replay();
  for (int i = 0; i < 2; i++) {
    uint64_t call = scenario_call(&s, "git", 0);
    scenario_completed(&s, call, s.last_link);
  }
  scenario_times(&s, mock, 0, 0);
  ASSERT_FINDINGS(CMOX_FINDING_WRONG_COUNT);
}
END_TEST

START_TEST(a_request_that_became_no_call_is_reported) {
  scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  replay();
  cmox_event_t event = {.kind = CMOX_EVENT_REFUSED, .note = "too many elements"};
  ck_assert_int_eq(cmox_session_step(s.session, &event, &s.actions, &s.error), CMOX_OK);
  ASSERT_FINDINGS(CMOX_FINDING_REFUSED_CALL);
  ck_assert_ptr_nonnull(strstr(cmox_session_findings(s.session)->items[0].message, "too many"));
}
END_TEST

START_TEST(the_suggested_count_takes_all_calls_that_came) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  replay();
  for (int i = 0; i < 4; i++) scenario_call(&s, "git", 0);
  const cmox_findings_t *findings = verify();
  ck_assert_uint_eq(findings->items[0].other_count, 2);
  ck_assert_str_eq(findings->items[0].suggestion, "cmox_times(d, 4);");
  ck_assert_ptr_null(findings->items[1].suggestion); /* a remark */
}
END_TEST

START_TEST(calls_that_went_wrong_alike_are_one_finding) {
  scenario_double(&s, CMOX_KIND_STUB, "git", "status");
  replay();
  uint64_t ids[6];
  const char *const lines[6] = {"git push", "git pull",    "git push",
                                "git pull", "git push -f", "git push"};
  for (size_t i = 0; i < 6; i++) ids[i] = scenario_call(&s, lines[i], 0);
  const cmox_findings_t *findings = verify();
  ck_assert_uint_eq(findings->items[0].call->id, ids[0]);
  ck_assert_uint_eq(findings->items[0].other_count, 2);
  ck_assert_uint_eq(findings->items[0].others[0], ids[2]);
  ck_assert_uint_eq(findings->items[0].others[1], ids[5]);
  ck_assert_uint_eq(findings->items[1].call->id, ids[1]);
  ck_assert_uint_eq(findings->items[1].other_count, 1);
  ck_assert_uint_eq(findings->items[2].call->id, ids[4]);
  ck_assert_uint_eq(findings->items[2].other_count, 0);
  ck_assert(findings->items[3].advisory);
}
END_TEST

START_TEST(a_completed_call_is_not_answered_again) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  replay();
  uint64_t call = scenario_call(&s, "git", 9);
  scenario_completed(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_call(&s, "git", 9), 0);
  ck_assert_int_eq(s.code, CMOX_E_BAD_STATE);
  ck_assert_int_eq(scenario_journal(&s, call)->state, CMOX_CALL_COMPLETED);
}
END_TEST

START_TEST(a_held_call_that_asks_again_is_still_held) {
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  scenario_returns(&s, id, "go", "gate");
  replay();
  uint64_t call = scenario_call(&s, "git", 9);
  scenario_lost(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_call(&s, "git", 9), call);
  ck_assert_uint_eq(s.actions.count, 0);
  scenario_release(&s, "gate");
  assert_answered("go");
}
END_TEST

START_TEST(an_unexpected_call_names_the_nearest_and_the_difference) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "push upstream main");
  scenario_double(&s, CMOX_KIND_MOCK, "git", "pull");
  replay();
  scenario_call(&s, "git push origin main", 0);
  assert_refused(
      "unexpected call: git push origin main; the nearest is mock git push upstream main "
      "(test.c:7): argument 2: "
      "expected \"upstream\", actual \"origin\"");
  const cmox_findings_t *findings = verify();
  ck_assert_str_eq(findings->items[0].suggestion,
                   "cmox_with_args(cmox_mock(mox, \"git\"), \"push\", \"origin\", \"main\");");
}
END_TEST

START_TEST(a_secret_is_masked_in_line_report_and_suggestion) {
  scenario_double(&s, CMOX_KIND_MOCK, "curl", "--token other-value x");
  replay();
  scenario_call(&s, "curl --token tr0ub4dor https://me:hunter2@example.com/", 0);
  assert_refused("curl --token '***' 'https://me:***@example.com/'");
  const cmox_findings_t *findings = verify();
  char *text = cmox_report_text(findings, false);
  ck_assert_ptr_null(strstr(text, "tr0ub4dor"));
  ck_assert_ptr_null(strstr(text, "hunter2"));
  ck_assert_ptr_null(strstr(text, "other-value"));
  ck_assert_ptr_nonnull(strstr(text, "CMOX_EQ(\"--token\"), CMOX_ANY, CMOX_ANY"));
  cmox_free_block(text);
}
END_TEST

START_TEST(calls_outside_of_replay_are_refused_and_kept) {
  scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  scenario_call(&s, "git early", 0);
  assert_refused("the test has not called replay yet");
  replay();
  ASSERT_FINDINGS(CMOX_FINDING_UNEXPECTED_CALL, CMOX_FINDING_IN_FLIGHT);
  scenario_call(&s, "git late", 0);
  assert_refused("the test has already called verify");
  ck_assert_uint_eq(cmox_journal_count(cmox_session_journal(s.session)), 2);
}
END_TEST

START_TEST(phases_allow_what_the_table_says) {
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_VERIFY), CMOX_E_BAD_STATE);
  replay();
  replay();
  ck_assert_uint_ne(scenario_double(&s, CMOX_KIND_STUB, "git", NULL), 0);
  verify();
  verify();
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_REPLAY), CMOX_E_BAD_STATE);
  ck_assert_uint_eq(scenario_double(&s, CMOX_KIND_STUB, "git", NULL), 0);
  ck_assert_int_eq(s.code, CMOX_E_BAD_STATE);
  ck_assert_int_eq(scenario_returns(&s, 1, "x", NULL), CMOX_E_BAD_STATE);
}
END_TEST

START_TEST(counts_belong_to_mocks) {
  uint64_t stub = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  uint64_t mock = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  ck_assert_int_eq(scenario_times(&s, stub, 1, 1), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(scenario_times(&s, mock, 3, 2), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(scenario_times(&s, 99, 1, 1), CMOX_E_NOT_FOUND);
  ck_assert_int_eq(scenario_times(&s, mock, 2, 3), CMOX_OK);
  replay();
  scenario_call(&s, "git", 0);
  scenario_completed(&s, 1, s.last_link);
  ASSERT_FINDINGS(CMOX_FINDING_WRONG_COUNT);
  ck_assert_str_eq(cmox_session_findings(s.session)->items[0].message,
                   "called 1 time: mock git (test.c:7), expected between 2 and 3 calls");
}
END_TEST

START_TEST(stdin_is_asked_for_only_when_somebody_looks) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "ssh", "host");
  scenario_stdin(&s, id, "hello");
  scenario_double(&s, CMOX_KIND_STUB, "ssh", "other");
  replay();
  scenario_call(&s, "ssh other", 0);
  assert_answered("");
  uint64_t call = scenario_call(&s, "ssh host", 0);
  ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_READ_STDIN);
  ck_assert_int_eq(scenario_feed(&s, call, "hel"), CMOX_OK);
  ck_assert_int_eq(scenario_feed(&s, call, "lo"), CMOX_OK);
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  assert_answered("");
  ck_assert_int_eq(scenario_feed(&s, call, "more"), CMOX_E_BAD_STATE);
}
END_TEST

START_TEST(another_stdin_or_an_unfinished_one_is_unexpected) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "ssh", NULL);
  scenario_stdin(&s, id, "hello");
  replay();
  uint64_t call = scenario_call(&s, "ssh host", 0);
  scenario_feed(&s, call, "goodbye");
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  assert_refused("stdin: expected \"hello\", actual \"goodbye\"");
  call = scenario_call(&s, "ssh host", 0);
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  assert_refused("stdin: expected \"hello\", actual \"\"");
  call = scenario_call(&s, "ssh host", 0);
  scenario_feed(&s, call, "hello");
  scenario_continue(&s, call, CMOX_STDIN_DEADLINE);
  assert_refused("stdin: expected \"hello\", actual (no end within its deadline) \"hello\"");
}
END_TEST

START_TEST(two_calls_in_flight_cannot_both_take_the_last_slot) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "ssh", NULL);
  scenario_stdin(&s, id, "x");
  replay();
  uint64_t one = scenario_call(&s, "ssh", 0);
  uint64_t link_one = s.last_link;
  uint64_t two = scenario_call(&s, "ssh", 0);
  scenario_feed(&s, two, "x");
  scenario_continue(&s, two, CMOX_STDIN_EOF);
  assert_answered("");
  s.last_link = link_one;
  scenario_feed(&s, one, "x");
  scenario_continue(&s, one, CMOX_STDIN_EOF);
  assert_refused("one call too many");
}
END_TEST

START_TEST(a_link_speaks_for_its_own_call_only) {
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "ssh", NULL);
  scenario_stdin_mode(&s, id, CMOX_STDIN_CAPTURE);
  replay();
  uint64_t one = scenario_call(&s, "ssh", 0);
  scenario_call(&s, "ssh", 0);
  ck_assert_int_eq(scenario_feed(&s, one, "foreign"), CMOX_E_BAD_STATE);
  ck_assert_int_eq(scenario_continue(&s, one, CMOX_STDIN_EOF), CMOX_E_BAD_STATE);
  scenario_completed(&s, one, s.last_link);
  scenario_lost(&s, one, s.last_link);
  ck_assert_int_eq(scenario_journal(&s, one)->state, CMOX_CALL_PENDING);
}
END_TEST

START_TEST(a_drained_stdin_brings_no_bytes) {
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "cat", NULL);
  scenario_stdin_mode(&s, id, CMOX_STDIN_DRAIN);
  replay();
  uint64_t call = scenario_call(&s, "cat", 0);
  ck_assert_int_eq(s.actions.items[0].stdin_policy.mode, CMOX_STDIN_DRAIN);
  ck_assert_int_eq(scenario_feed(&s, call, "bytes"), CMOX_E_BAD_PAYLOAD);
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  assert_answered("");
}
END_TEST

START_TEST(a_retry_is_answered_and_not_journaled_twice) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_returns(&s, id, "once", NULL);
  replay();
  uint64_t call = scenario_call(&s, "git", 9);
  scenario_lost(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_call(&s, "git", 9), call);
  assert_answered("once");
  ck_assert_uint_eq(cmox_journal_count(cmox_session_journal(s.session)), 1);
  scenario_completed(&s, call, s.last_link);
  ck_assert_uint_eq(verify()->count, 0);
}
END_TEST

START_TEST(a_retry_while_stdin_is_read_starts_over) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "ssh", NULL);
  scenario_stdin(&s, id, "hello");
  replay();
  uint64_t call = scenario_call(&s, "ssh", 9);
  scenario_feed(&s, call, "hel");
  scenario_lost(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_call(&s, "ssh", 9), call);
  ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_READ_STDIN);
  scenario_feed(&s, call, "hello");
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  assert_answered("");
}
END_TEST

START_TEST(a_gate_holds_calls_until_it_is_released) {
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  scenario_returns(&s, id, "go", "gate");
  replay();
  uint64_t one = scenario_call(&s, "git", 0);
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_uint_ne(s.actions.next_tick_ns, 0);
  uint64_t two = scenario_call(&s, "git", 0);
  uint64_t three = scenario_call(&s, "git", 0);
  scenario_lost(&s, two, s.last_link - 1);
  scenario_release(&s, "another");
  ck_assert_uint_eq(s.actions.count, 0);
  s.now_ns = s.actions.next_tick_ns;
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_ge(s.actions.count, 1);
  ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_PROGRESS);
  scenario_release(&s, "gate");
  ck_assert_uint_eq(s.actions.count, 2);
  for (size_t i = 0; i < 2; i++) {
    ck_assert_int_eq(s.actions.items[i].kind, CMOX_ACTION_REPLY);
    ck_assert(s.actions.items[i].call_id == one || s.actions.items[i].call_id == three);
  }
  ck_assert_int_eq(scenario_journal(&s, two)->state, CMOX_CALL_LOST);
}
END_TEST

START_TEST(the_journal_keeps_environments_once_and_without_ours) {
  scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  replay();
  const cmox_call_t *one = scenario_journal(&s, scenario_call(&s, "git a", 0));
  const cmox_call_t *two = scenario_journal(&s, scenario_call(&s, "git b", 0));
  ck_assert_uint_eq(one->data.env.count, 1);
  ck_assert(cmox_span_equal(one->data.env.items[0], cmox_span_str("HOME=/h/me")));
  ck_assert_ptr_eq(one->data.env.items, two->data.env.items);
}
END_TEST

START_TEST(findings_come_most_useful_first) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "never-called");
  uint64_t twice = scenario_double(&s, CMOX_KIND_MOCK, "git", "twice");
  scenario_times(&s, twice, 2, 2);
  replay();
  uint64_t call = scenario_call(&s, "git twice", 0);
  scenario_completed(&s, call, s.last_link);
  call = scenario_call(&s, "git surprise", 0);
  scenario_lost(&s, call, s.last_link);
  ASSERT_FINDINGS(CMOX_FINDING_UNEXPECTED_CALL, CMOX_FINDING_WRONG_COUNT, CMOX_FINDING_UNFULFILLED,
                  CMOX_FINDING_NEVER_COMPLETED);
  ck_assert(!cmox_findings_passed(cmox_session_findings(s.session)));
}
END_TEST

/* ---- Out of memory ---------------------------------------------------------------- */

static void whole_session(alloc_fault_t *fault) {
  (void)fault;
  scenario_open(&s);
  if (s.session) {
    uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "~^a$");
    if (id) scenario_returns(&s, id, "out", "gate");
    if (id) scenario_stdin(&s, id, "in");
    scenario_event(&s, CMOX_EVENT_REPLAY);
    uint64_t call = scenario_call(&s, "git a", 0);
    if (call) scenario_feed(&s, call, "in");
    if (call) scenario_continue(&s, call, CMOX_STDIN_EOF);
    scenario_release(&s, "gate");
    scenario_call(&s, "git unexpected --token x", 0);
    if (scenario_event(&s, CMOX_EVENT_VERIFY) == CMOX_OK) {
      cmox_free_block(cmox_report_text(cmox_session_findings(s.session), true));
    }
  }
  scenario_close(&s);
}

START_TEST(any_failed_allocation_is_survived) {
  teardown();
  alloc_fault_sweep("session", whole_session);
  setup();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("session");
  TCase *rules = tcase_create("rules");
  tcase_add_checked_fixture(rules, setup, teardown);
  tcase_add_test(rules, a_mock_is_taken_once_and_a_second_call_is_excess);
  tcase_add_test(rules, mocks_come_first_in_order_of_definition_then_stubs);
  tcase_add_test(rules, a_mock_of_no_calls_refuses_what_a_stub_would_take);
  tcase_add_test(rules, a_regex_that_gives_up_lets_nothing_pass);
  tcase_add_test(rules, a_count_lowered_below_what_was_taken_fails);
  tcase_add_test(rules, a_request_that_became_no_call_is_reported);
  tcase_add_test(rules, the_suggested_count_takes_all_calls_that_came);
  tcase_add_test(rules, calls_that_went_wrong_alike_are_one_finding);
  tcase_add_test(rules, a_completed_call_is_not_answered_again);
  tcase_add_test(rules, a_held_call_that_asks_again_is_still_held);
  tcase_add_test(rules, an_unexpected_call_names_the_nearest_and_the_difference);
  tcase_add_test(rules, a_secret_is_masked_in_line_report_and_suggestion);
  tcase_add_test(rules, calls_outside_of_replay_are_refused_and_kept);
  tcase_add_test(rules, phases_allow_what_the_table_says);
  tcase_add_test(rules, counts_belong_to_mocks);
  tcase_add_test(rules, stdin_is_asked_for_only_when_somebody_looks);
  tcase_add_test(rules, another_stdin_or_an_unfinished_one_is_unexpected);
  tcase_add_test(rules, two_calls_in_flight_cannot_both_take_the_last_slot);
  tcase_add_test(rules, a_link_speaks_for_its_own_call_only);
  tcase_add_test(rules, a_drained_stdin_brings_no_bytes);
  tcase_add_test(rules, a_retry_is_answered_and_not_journaled_twice);
  tcase_add_test(rules, a_retry_while_stdin_is_read_starts_over);
  tcase_add_test(rules, a_gate_holds_calls_until_it_is_released);
  tcase_add_test(rules, the_journal_keeps_environments_once_and_without_ours);
  tcase_add_test(rules, findings_come_most_useful_first);
  tcase_add_test(rules, any_failed_allocation_is_survived);
  suite_add_tcase(suite, rules);
  return run_suite(suite);
}
