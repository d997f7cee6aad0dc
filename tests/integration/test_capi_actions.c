/* What doubles do when they are called, and what the session does when none of them is meant,
 * through the C API: each case runs one line of shell in a directory of its own. */
#include <cmdmox/check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

typedef struct action_case {
  const char *name;
  void (*declare)(cmox_t *mox);
  const char *line;
  const char *out;   /* what the line writes to stdout */
  const char *err;   /* in what it writes to stderr; NULL: it writes nothing there */
  const char *finds; /* in verify's report; NULL: it passes */
} action_case_t;

/* ---- The default action ---------------------------------------------------- */

static void otherwise(cmox_t *mox) {
  cmox_returns(cmox_with_args(cmox_mock(mox, "git"), "push"), .out = "pushed\n");
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "default\n", .exit_code = 3);
}
static void otherwise_ordered(cmox_t *mox) {
  cmox_in_order(cmox_with_args(cmox_mock(mox, "git"), "add"),
                cmox_with_args(cmox_mock(mox, "git"), "commit"));
  cmox_default_returns(mox, .out = "default\n");
}
static void last_word(cmox_t *mox) {
  cmox_default_returns(mox, .out = "first\n");
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "last\n");
}
static void taken_back(cmox_t *mox) {
  otherwise(mox);
  cmox_default_fails(mox);
}
static void stubbed(cmox_t *mox) {
  cmox_returns(cmox_stub(mox, "git"), .out = "stub\n");
  cmox_default_returns(mox, .out = "default\n");
}
static void on_stdin(cmox_t *mox) {
  cmox_with_stdin(cmox_stub(mox, "git"), "yes");
  cmox_default_returns(mox, .out = "default\n");
}

static const action_case_t cases[] = {
    {"y_default", otherwise, "git push; git pull; curl; echo $?", "pushed\ndefault\ndefault\n3\n",
     NULL, NULL},
    {"n_default_is_no_excess_call", otherwise, "git push; git push", "pushed\n",
     "cmdmox: one call too many: git push", "1. one call too many: git push"},
    {"n_default_keeps_the_order", otherwise_ordered, "git commit; git pull; git add", "default\n",
     "cmdmox: out of order: git commit", "out of order: git commit"},
    {"n_default_satisfies_nothing", otherwise, "git pull", "default\n", NULL,
     "never called: mock git push"},
    {"y_the_last_default_counts", last_word, "curl", "last\n", NULL, NULL},
    {"n_default_taken_back", taken_back, "git push; curl", "pushed\n",
     "cmdmox: unexpected call: curl", "unexpected call: curl"},
    {"y_doubles_before_default", stubbed, "git x", "stub\n", NULL, NULL},
    {"y_default_after_stdin", on_stdin, "printf yes | git; printf no | git", "default\n", NULL,
     NULL},
};

static char scratch[64];

static void setup(void) {
  scratch_directory(scratch, sizeof scratch);
  ck_assert_int_eq(chdir(scratch), 0);
}

static void teardown(void) {
  ck_assert_int_eq(chdir("/"), 0);
  scratch_remove(scratch);
}

START_TEST(calls_are_answered_as_they_say) {
  const action_case_t *it = &cases[_i];
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = it->name));
  it->declare(mox);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL(it->line);
  cmox_code_t code = cmox_verify(mox);
  ck_assert_msg(code == (it->finds ? CMOX_E_VERIFICATION_FAILED : CMOX_OK), "%s: %s%s", it->name,
                cmox_message(mox), run.err);
  if (it->finds)
    ck_assert_msg(strstr(cmox_message(mox), it->finds) != NULL, "%s: '%s' is not in: %s", it->name,
                  it->finds, cmox_message(mox));
  ck_assert_str_eq(run.out, it->out);
  if (it->err)
    ck_assert_msg(strstr(run.err, it->err) != NULL, "%s: '%s' is not in: %s", it->name, it->err,
                  run.err);
  else
    ck_assert_str_eq(run.err, "");
}
END_TEST

START_TEST(calls_of_the_default_action_belong_to_no_double) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  otherwise(mox);
  cmox_double_t *git = cmox_stub(mox, "ls");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git push; curl -I; ls");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  ck_assert_uint_eq(all->count, 3);
  ck_assert_int_eq(all->items[1].verdict, CMOX_VERDICT_ACCEPTED);
  ck_assert_str_eq(all->items[1].stdout_data.data, "default\n");
  ck_assert_int_eq(all->items[1].exit_code, 3);
  ck_assert_uint_eq(cmox_call_count(git), 1);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_default_action_may_change_in_replay_and_not_after) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "one\n");
  ck_cmox_replay(mox);
  SCOPED_RUN one = RUN_SHELL("curl");
  ck_assert_str_eq(one.out, "one\n");
  cmox_default_returns(mox, .out = "two\n", .gate = "door");
  FILE *held = popen("curl", "r");
  while (cmox_release(mox, "door") == 0) {
  }
  char text[16] = "";
  ck_assert_ptr_nonnull(fgets(text, sizeof text, held));
  ck_assert_str_eq(text, "two\n");
  ck_assert_int_eq(pclose(held), 0);
  ck_cmox_verify(mox);
  cmox_default_fails(mox);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_default_fails: the session has been"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_actions");
  TCase *tests = tcase_create("actions");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_loop_test(tests, calls_are_answered_as_they_say, 0,
                      (int)(sizeof cases / sizeof *cases));
  tcase_add_test(tests, calls_of_the_default_action_belong_to_no_double);
  tcase_add_test(tests, a_default_action_may_change_in_replay_and_not_after);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
