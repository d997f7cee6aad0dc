/* The session's part of passing calls through: who hears what when, and what stays when memory is
 * out. What the rules accept and keep is in acceptance/passthrough and unit/session_model. */
#include <check.h>

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

static const cmox_action_t *only(cmox_action_kind_t kind) {
  ck_assert_msg(s.code == CMOX_OK, "%s", s.error.message);
  ck_assert_uint_eq(s.actions.count, 1);
  ck_assert_int_eq(s.actions.items[0].kind, kind);
  return &s.actions.items[0];
}

static uint64_t passing(const char *gate) {
  uint64_t id = scenario_double(&s, CMOX_KIND_MOCK, "git", NULL);
  scenario_passes(&s, id, gate);
  scenario_event(&s, CMOX_EVENT_REPLAY);
  return scenario_call(&s, "git log", 0);
}

static const cmox_passed_report_t fine = {.exited = true, .failure = ""};

/* How many ticks, each when it is wanted, tell the shim that we live. */
static size_t progress(size_t ticks) {
  size_t told = 0;
  for (size_t i = 0; i < ticks && s.actions.next_tick_ns; i++) {
    s.now_ns = s.actions.next_tick_ns;
    scenario_event(&s, CMOX_EVENT_TICK);
    told += s.actions.count;
    if (s.actions.count) (void)only(CMOX_ACTION_PROGRESS);
  }
  return told;
}

START_TEST(a_shim_hears_from_us_while_its_command_runs) {
  uint64_t call = passing(NULL);
  (void)only(CMOX_ACTION_PASSTHROUGH);
  ck_assert_uint_eq(progress(5), 5);
  scenario_passed(&s, call, &fine);
  ck_assert_uint_eq(progress(2), 2); /* until it says that it is done */
  scenario_completed(&s, call, s.last_link);
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_eq(s.actions.next_tick_ns, 0);
}
END_TEST

START_TEST(a_killed_shim_hears_nothing_more) {
  uint64_t call = passing(NULL);
  scenario_lost(&s, call, s.last_link);
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_eq(s.actions.next_tick_ns, 0);
}
END_TEST

START_TEST(a_gate_comes_before_the_command) {
  uint64_t call = passing("g");
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_uint_eq(progress(1), 1);
  scenario_passed(&s, call, &fine);
  ck_assert_int_eq(s.code, CMOX_E_BAD_STATE); /* it was not told to run anything */
  scenario_release(&s, "g");
  ck_assert_uint_eq(only(CMOX_ACTION_PASSTHROUGH)->call_id, call);
  ck_assert_uint_ge(progress(4), 3); /* the next tick may have been wanted before */
  scenario_release(&s, "g");
  ck_assert_uint_eq(s.actions.count, 0);
  ck_assert_int_eq(scenario_journal(&s, call)->state, CMOX_CALL_PENDING);
}
END_TEST

START_TEST(a_gate_that_opens_while_the_shim_is_away) {
  uint64_t call = passing("g");
  scenario_lost(&s, call, s.last_link);
  scenario_release(&s, "g");
  ck_assert_uint_eq(s.actions.count, 0);
  scenario_event(&s, CMOX_EVENT_TICK);
  ck_assert_uint_eq(s.actions.next_tick_ns, 0);
}
END_TEST

/* ---- Out of memory ------------------------------------------------------------- */

START_TEST(a_release_without_memory_releases_nobody) {
  enum { CALLS = 50 };
  alloc_fault_t fault;
  uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", NULL);
  scenario_passes(&s, id, "g");
  scenario_event(&s, CMOX_EVENT_REPLAY);
  for (int i = 0; i < CALLS; i++) ck_assert_uint_ne(scenario_call(&s, "git", 0), 0);
  scenario_call(&s, "ls", 0); /* is refused at once: there is room for a few */
  alloc_fault_install(&fault, true);
  alloc_fault_arm(&fault, 1, true);
  const cmox_code_t without = scenario_release(&s, "g");
  (void)alloc_fault_rest(&fault);
  cmox_alloc_set_hooks(NULL); /* what is held is from before, too */
  ck_assert_int_eq(without, CMOX_E_NO_MEMORY);
  ck_assert_int_eq(scenario_release(&s, "g"), CMOX_OK);
  ck_assert_uint_eq(s.actions.count, CALLS);
}
END_TEST

static const char long_piece[CMOX_STREAM_MEMORY_MAX / 2 + 2] = {[0 ... sizeof long_piece - 2] =
                                                                    'x'};

/* A call from its start to its end; false: it was refused, as its shim was told. */
static bool pass_once(const char *line, const char *piece, const cmox_passed_report_t *report,
                      const char *failure) {
  uint64_t call = scenario_call(&s, line, 0);
  if (!call) return false;
  const cmox_call_t *entry = scenario_journal(&s, call);
  if (!entry->passed || !entry->passed->begun) return false;
  bool kept = true;
  for (int i = 0; i < 3; i++) kept &= scenario_piece(&s, call, CMOX_PIECE_STDOUT, piece) == CMOX_OK;
  ck_assert(kept || entry->unexpected_why);
  if (report) scenario_passed(&s, call, report);
  scenario_failed(&s, call, failure);
  entry = scenario_journal(&s, call);
  ck_assert_int_eq(entry->state, CMOX_CALL_COMPLETED);
  const bool told = entry->failure || entry->unexpected_why ||
                    (entry->passed->reported && *entry->passed->report.failure);
  ck_assert_msg(told || (report && !*failure && entry->passed->reported),
                "%s: it failed and nobody is told", line);
  return true;
}

static void whole_session(alloc_fault_t *fault) {
  (void)fault;
  scenario_open(&s);
  if (s.session) {
    uint64_t id = scenario_double(&s, CMOX_KIND_STUB, "git", "*");
    if (id && scenario_passes(&s, id, NULL) == CMOX_OK) {
      const cmox_passed_report_t replaced = {.replaced = true, .failure = ""};
      const cmox_passed_report_t killed = {.signal = "SIGTERM",
                                           .failure = "",
                                           .stdout_bytes = 3 * (sizeof long_piece - 1),
                                           .program = cmox_span_str("/bin/git")};
      scenario_event(&s, CMOX_EVENT_REPLAY);
      (void)pass_once("git one", long_piece, &killed, "");
      (void)pass_once("git two", "", &replaced, "not found");
      bool failed = pass_once("git three", "x", NULL, "");
      failed |= pass_once("git four", "x", NULL, "a failure");
      if (scenario_event(&s, CMOX_EVENT_VERIFY) == CMOX_OK) {
        ck_assert(!failed || !cmox_findings_passed(cmox_session_findings(s.session)));
        cmox_free_block(cmox_report_text(cmox_session_findings(s.session), false));
      }
    }
  }
  scenario_close(&s);
}

START_TEST(any_failed_allocation_leaves_no_failure_untold) {
  teardown();
  alloc_fault_sweep("session with passthrough", whole_session);
  setup();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("passthrough");
  TCase *rules = tcase_create("rules");
  tcase_set_timeout(rules, 600);
  tcase_add_checked_fixture(rules, setup, teardown);
  tcase_add_test(rules, a_shim_hears_from_us_while_its_command_runs);
  tcase_add_test(rules, a_killed_shim_hears_nothing_more);
  tcase_add_test(rules, a_gate_comes_before_the_command);
  tcase_add_test(rules, a_gate_that_opens_while_the_shim_is_away);
  tcase_add_test(rules, a_release_without_memory_releases_nobody);
  tcase_add_test(rules, any_failed_allocation_leaves_no_failure_untold);
  suite_add_tcase(suite, rules);
  return run_suite(suite);
}
