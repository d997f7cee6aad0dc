/* What a session asks of the test while calls wait: predicates before a call is decided, handlers
 * after that; and, against a slow model, that the answers in any order decide what they say. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/report/report.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

#define NS_PER_MS UINT64_C(1000000)

static scenario_t s;

static void setup(void) {
  scenario_open(&s);
  ck_assert_ptr_nonnull(s.session);
}

static void teardown(void) { scenario_close(&s); }

static void replay(void) { ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_REPLAY), CMOX_OK); }

static const cmox_findings_t *verify(void) {
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_VERIFY), CMOX_OK);
  return cmox_session_findings(s.session);
}

/* The one action of the last step. */
static const cmox_action_t *only(cmox_action_kind_t kind) {
  ck_assert_msg(s.code == CMOX_OK, "%s", s.error.message);
  ck_assert_uint_eq(s.actions.count, 1);
  ck_assert_int_eq(s.actions.items[0].kind, kind);
  return &s.actions.items[0];
}

static uint64_t asked(uint64_t callback, const char *value) {
  const cmox_action_t *action = only(CMOX_ACTION_MATCH);
  ck_assert_uint_eq(action->asked.callback, callback);
  ck_assert(cmox_span_equal(action->asked.value, cmox_span_str(value)));
  return action->asked.question;
}

static uint64_t handled(uint64_t callback) {
  const cmox_action_t *action = only(CMOX_ACTION_HANDLE);
  ck_assert_uint_eq(action->asked.callback, callback);
  return action->asked.question;
}

static void assert_answered(const char *out) {
  const cmox_action_t *action = only(CMOX_ACTION_REPLY);
  ck_assert_uint_eq(action->reply->exit_code, 0);
  ck_assert(cmox_span_equal(action->reply->out, cmox_span_str(out)));
}

static void assert_refused(const char *with) {
  const cmox_action_t *action = only(CMOX_ACTION_REPLY);
  ck_assert_uint_eq(action->reply->exit_code, 125);
  char text[1024];
  (void)snprintf(text, sizeof text, "%.*s", (int)action->reply->err.len,
                 (const char *)action->reply->err.data);
  ck_assert_msg(strstr(text, with) != NULL, "'%s' is not in: %s", with, text);
}

static bool is_found(cmox_finding_kind_t kind, const char *message) {
  const cmox_findings_t *findings = verify();
  for (size_t i = 0; i < findings->count; i++)
    if (findings->items[i].kind == kind && strstr(findings->items[i].message, message)) return true;
  return false;
}

/* ---- Predicates ------------------------------------------------------------- */

START_TEST(one_double_after_the_other_is_asked_for) {
  uint64_t first = scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  uint64_t second = scenario_double(&s, CMOX_KIND_MOCK, "git", "?b");
  scenario_returns(&s, first, "first", NULL);
  scenario_returns(&s, second, "second", NULL);
  replay();
  uint64_t call = scenario_call(&s, "git 1", 0);
  scenario_says(&s, call, asked('a', "1"), false);
  scenario_says(&s, call, asked('b', "1"), true);
  assert_answered("second");
}
END_TEST

START_TEST(all_of_one_double_is_asked_at_once_and_decided_at_the_end) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "?a ?b");
  scenario_returns(&s, id, "both", NULL);
  replay();
  uint64_t call = scenario_call(&s, "git 1 2", 0);
  ck_assert_uint_eq(s.actions.count, 2);
  uint64_t one = s.actions.items[0].asked.question;
  uint64_t two = s.actions.items[1].asked.question;
  scenario_says(&s, call, two, true);
  ck_assert_uint_eq(s.actions.count, 0);
  scenario_says(&s, call, one, true);
  assert_answered("both");
}
END_TEST

START_TEST(predicates_come_before_stdin_is_read) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  scenario_stdin(&s, id, "?b");
  replay();
  uint64_t call = scenario_call(&s, "git 1", 0);
  scenario_says(&s, call, asked('a', "1"), true);
  (void)only(CMOX_ACTION_READ_STDIN);
  scenario_feed(&s, call, "in");
  scenario_continue(&s, call, CMOX_STDIN_EOF);
  scenario_says(&s, call, asked('b', "in"), true);
  assert_answered("");
}
END_TEST

START_TEST(a_refusal_says_why) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t call = scenario_call(&s, "git 1", 0);
  scenario_says(&s, call, asked('a', "1"), false);
  assert_refused("accepted by '?a', actual \"1\" ('?a' refused it: because)");
}
END_TEST

START_TEST(answers_that_nobody_waits_for_change_nothing) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t other = scenario_call(&s, "git 2", 0);
  uint64_t call = scenario_call(&s, "git 1", 0);
  uint64_t question = asked('a', "1");
  const uint64_t wrong[][2] = {
      {call, 0}, {call, question + 1}, {other, question}, {0, question}, {99, question}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    scenario_says(&s, wrong[i][0], wrong[i][1], true);
    ck_assert_int_eq(s.code, CMOX_OK);
    ck_assert_uint_eq(s.actions.count, 0);
  }
  scenario_says(&s, call, question, true);
  assert_answered("");
  scenario_says(&s, call, question, false);
  ck_assert_uint_eq(s.actions.count, 0);
}
END_TEST

START_TEST(a_call_that_is_still_asked_for_is_refused_after_verify) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t call = scenario_call(&s, "git 1", 0);
  uint64_t question = asked('a', "1");
  ck_assert(is_found(CMOX_FINDING_IN_FLIGHT, "git 1 (its predicate '?a' has not answered)"));
  scenario_says(&s, call, question, true);
  assert_refused("the test has already called verify");
}
END_TEST

/* ---- Handlers ---------------------------------------------------------------- */

START_TEST(a_handler_is_asked_once_its_double_has_taken_the_call) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_handler(&s, id, 7, NULL);
  replay();
  uint64_t call = scenario_call(&s, "git", 0);
  uint64_t question = handled(7);
  ck_assert_uint_eq(scenario_call(&s, "git", 0), call + 1); /* the slot is gone */
  assert_refused("one call too many");
  scenario_handled(&s, call, question + 1, "another's");
  ck_assert_uint_eq(s.actions.count, 0);
  scenario_handled(&s, call, question, "made");
  assert_answered("made");
}
END_TEST

START_TEST(a_failure_is_told_with_the_double) {
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  scenario_handler(&s, id, 7, "gate");
  replay();
  uint64_t call = scenario_call(&s, "git", 0);
  scenario_fails(&s, call, handled(7), "no paper");
  assert_refused("cmdmox: the handler build failed: no paper: git; it matches stub git (test.c:7)");
  ck_assert(is_found(CMOX_FINDING_HANDLER_FAILED, "the handler build failed: no paper: git"));
  ck_assert(!cmox_findings_passed(cmox_session_findings(s.session)));
}
END_TEST

/* ---- Time --------------------------------------------------------------------- */

/* Silence is 300 ms, so a shim hears after 100 ms; a callback has 30 s. */
START_TEST(shims_hear_from_us_until_the_deadline) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t start = s.now_ns;
  uint64_t call = scenario_call(&s, "git 1", 0);
  uint64_t question = asked('a', "1");
  int progress = 0;
  for (;;) {
    ck_assert_uint_ge(s.actions.next_tick_ns, s.now_ns);
    s.now_ns = s.actions.next_tick_ns;
    scenario_event(&s, CMOX_EVENT_TICK);
    if (s.actions.items[0].kind != CMOX_ACTION_PROGRESS) break;
    progress++;
  }
  assert_refused("the predicate '?a' failed: it has not answered within 30000 ms");
  ck_assert_uint_eq(s.now_ns - start, 30000 * NS_PER_MS + 1);
  ck_assert_int_ge(progress, 299);
  ck_assert_uint_eq(s.actions.next_tick_ns, 0);
  scenario_says(&s, call, question, true);
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert(is_found(CMOX_FINDING_HANDLER_FAILED, "30000 ms"));
}
END_TEST

START_TEST(a_handler_has_the_same_deadline) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_handler(&s, id, 7, NULL);
  replay();
  scenario_call(&s, "git", 0);
  (void)handled(7);
  s.now_ns += 30000 * NS_PER_MS;
  scenario_event(&s, CMOX_EVENT_TICK);
  assert_refused("the handler build failed: it has not answered within 30000 ms");
}
END_TEST

/* ---- Lost links ----------------------------------------------------------------- */

START_TEST(a_shim_that_asks_again_waits_for_the_same_answer) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t call = scenario_call(&s, "git 1", 9);
  uint64_t question = asked('a', "1");
  scenario_lost(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_call(&s, "git 1", 9), call);
  ck_assert_uint_eq(s.actions.count, 0);
  scenario_says(&s, call, question, true);
  assert_answered("");
}
END_TEST

START_TEST(an_answer_is_kept_for_a_shim_that_asks_again) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  scenario_handler(&s, id, 7, NULL);
  replay();
  uint64_t call = scenario_call(&s, "git 1", 9);
  uint64_t question = asked('a', "1");
  scenario_lost(&s, call, s.last_link);
  scenario_says(&s, call, question, true);
  ck_assert_uint_eq(s.actions.count, 0); /* nobody is there to be decided for */
  ck_assert_uint_eq(scenario_call(&s, "git 1", 9), call);
  question = handled(7);
  scenario_lost(&s, call, s.last_link);
  scenario_handled(&s, call, question, "made");
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_uint_eq(scenario_call(&s, "git 1", 9), call);
  assert_answered("made");
}
END_TEST

START_TEST(the_deadline_of_a_killed_shim_leaves_its_call_lost) {
  scenario_double(&s, CMOX_KIND_MOCK, "git", "?a");
  replay();
  uint64_t call = scenario_call(&s, "git 1", 0);
  (void)asked('a', "1");
  scenario_lost(&s, call, s.last_link);
  s.now_ns += 30000 * NS_PER_MS;
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_int_eq(scenario_journal(&s, call)->state, CMOX_CALL_LOST);
  ck_assert(is_found(CMOX_FINDING_HANDLER_FAILED, "30000 ms"));
}
END_TEST

START_TEST(a_killed_shim_leaves_no_deadline_behind) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_handler(&s, id, 7, NULL);
  replay();
  uint64_t call = scenario_call(&s, "git", 0);
  uint64_t question = handled(7);
  scenario_lost(&s, call, s.last_link);
  scenario_handled(&s, call, question, "made");
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_uint_eq(s.actions.next_tick_ns, 0);
}
END_TEST

/* ---- Against a slow model -------------------------------------------------------- */

enum { RUNS = 300, DOUBLES_MAX = 6, CALLS_MAX = 24, OPEN_MAX = 64 };

typedef struct wanted {
  cmox_double_kind_t kind;
  char args[8];
  uint64_t most, taken;
} wanted_t;

typedef struct open_question {
  uint64_t call, question, callback;
  uint8_t digit;
} open_question_t;

static wanted_t doubles[DOUBLES_MAX];
static size_t double_count;
static uint8_t digits[CALLS_MAX + 1]; /* of each call: its argument */
static open_question_t open_questions[OPEN_MAX];
static size_t open_count;
static uint64_t decided;

/* Predicate 'a' to 'c': the digit is a multiple of 2 to 4. */
static bool is_so(uint64_t predicate, uint8_t digit) { return digit % (predicate - 'a' + 2) == 0; }

static bool accepts(const wanted_t *wanted, uint8_t digit) {
  if (wanted->args[0] == '?') return is_so((uint64_t)wanted->args[1], digit);
  return wanted->args[0] == '*' || wanted->args[0] == '0' + digit;
}

/* The rules of the design, told slowly, at the moment in which the call is answered. */
static void assert_decided(const cmox_call_t *call) {
  size_t taker = SIZE_MAX, excess = SIZE_MAX, fallback = SIZE_MAX;
  for (size_t i = 0; i < double_count; i++) {
    if (!accepts(&doubles[i], digits[call->id])) continue;
    bool mock = doubles[i].kind == CMOX_KIND_MOCK;
    if (mock && doubles[i].taken < doubles[i].most && taker == SIZE_MAX) taker = i;
    if (mock && doubles[i].taken >= doubles[i].most && excess == SIZE_MAX) excess = i;
    if (!mock && fallback == SIZE_MAX) fallback = i;
  }
  cmox_verdict_t verdict = CMOX_VERDICT_ACCEPTED;
  if (taker == SIZE_MAX && excess != SIZE_MAX) {
    verdict = CMOX_VERDICT_EXCESS;
    taker = excess;
  } else if (taker == SIZE_MAX) {
    taker = fallback;
  }
  if (taker == SIZE_MAX) verdict = CMOX_VERDICT_UNEXPECTED;
  ck_assert_int_eq(call->verdict, verdict);
  ck_assert_uint_eq(call->double_id, taker == SIZE_MAX ? 0 : taker + 1);
  if (verdict == CMOX_VERDICT_ACCEPTED) doubles[taker].taken++;
  decided++;
}

static void take_actions(void) {
  ck_assert_int_eq(s.code, CMOX_OK);
  for (size_t i = 0; i < s.actions.count; i++) {
    const cmox_action_t *action = &s.actions.items[i];
    const cmox_call_t *call = scenario_journal(&s, action->call_id);
    if (action->kind == CMOX_ACTION_REPLY) {
      assert_decided(call);
      continue;
    }
    ck_assert_int_eq(action->kind, CMOX_ACTION_MATCH);
    ck_assert_uint_lt(open_count, OPEN_MAX);
    for (size_t k = 0; k < open_count; k++) /* never twice for a call */
      ck_assert(open_questions[k].call != call->id ||
                open_questions[k].callback != action->asked.callback);
    open_questions[open_count++] = (open_question_t){call->id, action->asked.question,
                                                     action->asked.callback, digits[call->id]};
  }
}

static void declare_some(void) {
  static const char *const patterns[] = {"?a", "?b", "?c", "*", "2", "3"};
  double_count = 1 + (size_t)rand() % DOUBLES_MAX;
  for (size_t i = 0; i < double_count; i++) {
    wanted_t *wanted = &doubles[i];
    *wanted = (wanted_t){.kind = rand() % 3 ? CMOX_KIND_MOCK : CMOX_KIND_STUB,
                         .most = (uint64_t)(rand() % 3)};
    (void)strcpy(wanted->args, patterns[rand() % 6]);
    uint64_t id = scenario_double(&s, wanted->kind, "git", wanted->args);
    ck_assert_uint_eq(id, i + 1);
    if (wanted->kind == CMOX_KIND_MOCK)
      ck_assert_int_eq(scenario_times(&s, id, 0, wanted->most), CMOX_OK);
  }
}

static void call_once(uint64_t id) {
  digits[id] = (uint8_t)(rand() % 10);
  char line[8];
  (void)snprintf(line, sizeof line, "git %d", digits[id]);
  ck_assert_uint_eq(scenario_call(&s, line, 0), id);
  take_actions();
}

static void answer_one(void) {
  size_t at = (size_t)rand() % open_count;
  open_question_t answered = open_questions[at];
  open_questions[at] = open_questions[--open_count];
  scenario_says(&s, answered.call, answered.question, is_so(answered.callback, answered.digit));
  take_actions();
}

START_TEST(answers_in_any_order_decide_as_a_slow_model_does) {
  srand((unsigned)_i);
  decided = 0;
  open_count = 0;
  declare_some();
  replay();
  uint64_t calls = 0;
  while (calls < CALLS_MAX || open_count) {
    bool call = calls < CALLS_MAX && (open_count == 0 || (rand() % 3 == 0 && open_count < 40));
    if (call)
      call_once(++calls);
    else
      answer_one();
  }
  ck_assert_uint_eq(decided, CALLS_MAX);
}
END_TEST

/* ---- Out of memory ---------------------------------------------------------------- */

/* Answers whatever is asked until the call has its reply; false: it has none and asks nothing. */
static bool see_to_the_end(uint64_t call) {
  for (;;) {
    if (s.actions.count == 0) return false;
    const cmox_action_t action = s.actions.items[s.actions.count - 1];
    if (action.kind == CMOX_ACTION_REPLY) return true;
    if (action.kind == CMOX_ACTION_HANDLE)
      scenario_handled(&s, call, action.asked.question, "made");
    else
      scenario_says(&s, call, action.asked.question, action.asked.value.data[0] != '3');
  }
}

static void whole_session(alloc_fault_t *fault) {
  (void)fault;
  scenario_open(&s);
  if (s.session) {
    uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", "?a");
    if (id) scenario_handler(&s, id, 7, NULL);
    scenario_event(&s, CMOX_EVENT_REPLAY);
    static const char *const lines[] = {"git 2", "git 3"};
    for (size_t i = 0; i < 2; i++) {
      uint64_t call = scenario_call(&s, lines[i], 0);
      if (!call) continue; /* refused: its shim got the error */
      ck_assert_msg(see_to_the_end(call), "%s: neither answered nor asked for", lines[i]);
      const cmox_call_t *entry = scenario_journal(&s, call);
      bool failed = entry->reply->exit_code == 125;
      bool told = !failed || entry->verdict != CMOX_VERDICT_ACCEPTED || entry->callback_failure ||
                  entry->unexpected_why;
      ck_assert_msg(told, "%s: it failed and nobody is told", lines[i]);
    }
    uint64_t slow = scenario_call(&s, "git 4", 0);
    s.now_ns += 30000 * NS_PER_MS;
    if (slow && !scenario_journal(&s, slow)->reply) {
      scenario_event(&s, CMOX_EVENT_TICK);
      for (int again = 0; s.actions.count == 0 && again < 3; again++) {
        ck_assert_uint_ne(s.actions.next_tick_ns, 0); /* it will be tried again */
        s.now_ns = s.actions.next_tick_ns;
        scenario_event(&s, CMOX_EVENT_TICK);
      }
      ck_assert_ptr_nonnull(scenario_journal(&s, slow)->reply);
    }
    if (scenario_event(&s, CMOX_EVENT_VERIFY) == CMOX_OK)
      cmox_free_block(cmox_report_text(cmox_session_findings(s.session), false));
  }
  scenario_close(&s);
}

START_TEST(any_failed_allocation_ends_the_call_all_the_same) {
  teardown();
  alloc_fault_sweep("session with callbacks", whole_session);
  setup();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("callbacks");
  TCase *rules = tcase_create("rules");
  tcase_add_checked_fixture(rules, setup, teardown);
  tcase_add_test(rules, one_double_after_the_other_is_asked_for);
  tcase_add_test(rules, all_of_one_double_is_asked_at_once_and_decided_at_the_end);
  tcase_add_test(rules, predicates_come_before_stdin_is_read);
  tcase_add_test(rules, a_refusal_says_why);
  tcase_add_test(rules, answers_that_nobody_waits_for_change_nothing);
  tcase_add_test(rules, a_call_that_is_still_asked_for_is_refused_after_verify);
  tcase_add_test(rules, a_handler_is_asked_once_its_double_has_taken_the_call);
  tcase_add_test(rules, a_failure_is_told_with_the_double);
  tcase_add_test(rules, shims_hear_from_us_until_the_deadline);
  tcase_add_test(rules, a_handler_has_the_same_deadline);
  tcase_add_test(rules, a_shim_that_asks_again_waits_for_the_same_answer);
  tcase_add_test(rules, an_answer_is_kept_for_a_shim_that_asks_again);
  tcase_add_test(rules, the_deadline_of_a_killed_shim_leaves_its_call_lost);
  tcase_add_test(rules, a_killed_shim_leaves_no_deadline_behind);
  tcase_add_loop_test(rules, answers_in_any_order_decide_as_a_slow_model_does, 0, RUNS);
  tcase_add_test(rules, any_failed_allocation_ends_the_call_all_the_same);
  suite_add_tcase(suite, rules);
  return run_suite(suite);
}
