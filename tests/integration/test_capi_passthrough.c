/* Real commands through the C API, from a shell to the journal: the "real" ones are scripts of the
 * test's own in a directory on PATH. What the shim does to streams and signals is in tests/shim. */
#include <cmdmox/check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static char real[128]; /* the directory */
static char *path;     /* PATH before */

static void make_command(const char *name, const char *body, mode_t mode) {
  char file[256];
  (void)snprintf(file, sizeof file, "%s/%s", real, name);
  FILE *out = fopen(file, "w");
  ck_assert_ptr_nonnull(out);
  ck_assert_int_gt(fprintf(out, "#!/bin/sh\n%s\n", body), 0);
  ck_assert_int_eq(fclose(out), 0);
  ck_assert_int_eq(chmod(file, mode), 0);
}

static void setup(void) {
  scratch_directory(real, sizeof real);
  path = strdup(getenv("PATH"));
  char longer[4096];
  (void)snprintf(longer, sizeof longer, "%s:%s", real, path);
  ck_assert_int_eq(setenv("PATH", longer, 1), 0);
  make_command("tool", "echo \"out $*\"; echo err >&2; exit ${STATUS:-3}", 0755);
  make_command("other", "echo other", 0755);
  make_command("line", "read -r line; echo \"got $line\"", 0755);
  make_command("dies", "kill -TERM $$", 0755);
  make_command("sleeps", "exec sleep 1000", 0755);
  make_command("twice", "twice; exec twice", 0755);
  make_command("begins", "echo begun; exec sleep 1000", 0755);
  make_command("again", "exec again \"$@\"", 0755);
  make_command("plain", "echo never", 0644);
}

static void teardown(void) {
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
  free(path);
  scratch_remove(real);
}

/* The n-th call of the journal; freed by the caller. */
static cmox_invocations_t *calls(cmox_t *mox, size_t count) {
  cmox_invocations_t *all = cmox_journal(mox);
  ck_assert_int_eq(all->code, CMOX_OK);
  ck_assert_uint_eq(all->count, count);
  return all;
}

static void assert_program(const cmox_invocation_t *call, const char *name) {
  char file[256];
  (void)snprintf(file, sizeof file, "%s/%s", real, name);
  ck_assert_str_eq(call->program.data, file);
}

START_TEST(a_spy_sees_what_the_real_command_does) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_passthrough(cmox_spy(mox, "tool"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool a 'b c'");
  ck_assert_str_eq(run.out, "out a b c\n");
  ck_assert_str_eq(run.err, "err\n");
  ck_assert_int_eq(run.exit_code, 3);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 1);
  const cmox_invocation_t *call = &all->items[0];
  assert_program(call, "tool");
  ck_assert_str_eq(call->stdout_data.data, "out a b c\n");
  ck_assert_str_eq(call->stderr_data.data, "err\n");
  ck_assert_int_eq(call->exit_code, 3);
  ck_assert_int_eq(call->state, CMOX_CALL_COMPLETED);
  ck_assert(!call->merged && !call->timed_out && !call->lingering && !call->replaced);
  ck_assert_ptr_null(call->passthrough_failure);
  ck_cmox_assert_called_with(tool, "a", "b c");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(for_some_calls_and_arguments_only) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_with_args(cmox_stub(mox, "tool"), "a");
  cmox_passthrough_once(tool, .timeout_ms = 0);
  cmox_returns_once(tool, .out = "replied\n");
  cmox_passthrough_times(tool, 2, .uncaptured = true);
  cmox_returns(tool, .out = "for ever\n");
  cmox_returns(cmox_stub(mox, "tool"), .out = "any\n");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("for i in 1 2 3 4 5; do tool a; done 2>&-; tool b");
  ck_assert_str_eq(run.out, "out a\nreplied\nout a\nout a\nfor ever\nany\n");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(what_is_not_mentioned_runs_as_it_would) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_with_args(cmox_mock(mox, "tool"), "mocked"), .out = "mocked\n");
  cmox_register_command(mox, "other");
  cmox_default_passthrough(mox, .capture_max_bytes = 3);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool mocked; tool real; other");
  ck_assert_str_eq(run.out, "mocked\nout real\nother\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 3);
  ck_assert_str_eq(all->items[1].stdout_data.data, "out");
  ck_assert_uint_eq(all->items[1].stdout_length, strlen("out real\n"));
  ck_assert_uint_eq(all->items[1].stdout_digest.len, 0);
  assert_program(&all->items[2], "other");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(what_is_not_captured_is_the_commands_own) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "tool"), .uncaptured = true);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool a");
  ck_assert_str_eq(run.out, "out a\n");
  ck_assert_int_eq(run.exit_code, 3);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 1);
  ck_assert(all->items[0].replaced);
  ck_assert_int_eq(all->items[0].exit_code, -1);
  ck_assert_int_eq(all->items[0].state, CMOX_CALL_COMPLETED);
  assert_program(&all->items[0], "tool");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(stdin_is_captured_as_far_as_it_is_read) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_capture_stdin(cmox_spy(mox, "line")));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("printf 'one\\ntwo\\n' | { line; cat; }");
  ck_assert_str_eq(run.out, "got one\ntwo\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 1);
  ck_assert(all->items[0].stdin_captured);
  ck_assert_str_eq(all->items[0].stdin_data.data, "one\n");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_stdin_that_decides_still_reaches_the_command) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_with_stdin(cmox_stub(mox, "line"), "mocked\n"), .out = "mocked\n");
  cmox_passthrough(cmox_spy(mox, "line"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("echo mocked | line; echo real | line");
  ck_assert_str_eq(run.out, "mocked\ngot real\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 2);
  ck_assert_str_eq(all->items[1].stdin_data.data, "real\n");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(outputs_that_are_one_file_stay_in_order) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "tool"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool a 2>&1");
  ck_assert_str_eq(run.out, "out a\nerr\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 1);
  ck_assert(all->items[0].merged);
  ck_assert_str_eq(all->items[0].stdout_data.data, "out a\nerr\n");
  ck_assert_str_eq(all->items[0].stderr_data.data, "");
  ck_cmox_verify(mox);
}
END_TEST

/* All sessions of a process share one launcher. */
START_TEST(the_command_of_another_session_is_as_real_as_any) {
  CMOX_SCOPED cmox_t *outer = cmox_new(NULL);
  cmox_returns(cmox_stub(outer, "tool"), .out = "replied\n");
  ck_cmox_replay(outer);
  CMOX_SCOPED cmox_t *inner = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_passthrough(cmox_spy(inner, "tool"));
  cmox_passthrough(cmox_spy(inner, "other"));
  ck_cmox_replay(inner);
  static const char *const line[] = {"/bin/sh", "-c", "tool a; other", NULL};
  SCOPED_RUN run = run_program(line, NULL, 0, cmox_environ(inner));
  ck_assert_str_eq(run.out, "replied\nother\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *passed = calls(inner, 2);
  ck_assert_str_eq(passed->items[0].stdout_data.data, "replied\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *replied = calls(outer, 1);
  ck_assert_str_eq(replied->items[0].argv[1].data, "a");
  ck_cmox_verify(inner);
  ck_cmox_verify(outer);
}
END_TEST

START_TEST(a_death_and_a_timeout_are_what_they_were) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "dies"));
  cmox_passthrough(cmox_spy(mox, "sleeps"), .timeout_ms = 10);
  ck_cmox_replay(mox);
  SCOPED_RUN died = RUN("dies");
  ck_assert_int_eq(died.signal, SIGTERM);
  SCOPED_RUN slept = RUN("sleeps");
  ck_assert_int_eq(slept.exit_code, 124);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 2);
  ck_assert_str_eq(all->items[0].signal, "SIGTERM");
  ck_assert(!all->items[0].timed_out);
  ck_assert(all->items[1].timed_out);
  ck_cmox_verify(mox);
  ck_assert_str_eq(cmox_message(mox),
                   "cmdmox: verification passed, with remarks\n\n"
                   "1. (remark) the real command was ended after 10 ms (timeout): sleeps\n");
}
END_TEST

START_TEST(the_environment_of_a_double_reaches_the_command) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_with_env(cmox_spy(mox, "tool"), "STATUS", "7"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool");
  ck_assert_int_eq(run.exit_code, 7);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_variable_names_the_real_command) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "tool"));
  cmox_passthrough(cmox_spy(mox, "no-such"));
  ck_cmox_replay(mox);
  char line[512];
  (void)snprintf(line, sizeof line,
                 "CMOX_REAL_COMMAND_tool=%s/other tool; CMOX_REAL_COMMAND_NO_SUCH=%s/other no-such",
                 real, real);
  SCOPED_RUN run = RUN_SHELL(line);
  ck_assert_str_eq(run.out, "other\nother\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 2);
  assert_program(&all->items[0], "other");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(what_cannot_be_run_is_told_as_a_shell_tells_it) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "no-such-command"));
  cmox_passthrough(cmox_spy(mox, "plain"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("no-such-command; echo $?; plain; echo $?");
  ck_assert_str_eq(run.out, "127\n126\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 2);
  for (size_t i = 0; i < 2; i++) {
    ck_assert_int_eq(all->items[i].exit_code, i ? 126 : 127);
    ck_assert_ptr_nonnull(all->items[i].passthrough_failure);
  }
  ck_cmox_verify(mox); /* that is a remark */
}
END_TEST

START_TEST(a_command_that_comes_back_to_its_shim_ends) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "again"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("again x; echo $?");
  ck_assert_str_eq(run.out, "125\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 9);
  ck_assert_int_eq(all->items[8].verdict, CMOX_VERDICT_UNEXPECTED);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "has come back to its own shim too often"));
}
END_TEST

/* Two at each level were 2^8 processes, if it went on as before. */
START_TEST(a_command_that_starts_itself_twice_ends_soon) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "twice"));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("twice; echo $?");
  ck_assert_str_eq(run.out, "125\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = calls(mox, 1 + 2 * 8);
  ck_assert_int_eq(all->items[16].verdict, CMOX_VERDICT_UNEXPECTED);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(a_gate_holds_the_command_back) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "other"), .gate = "go");
  ck_cmox_replay(mox);
  FILE *started = popen("other", "r");
  ck_assert_ptr_nonnull(started);
  while (cmox_release(mox, "go") == 0) continue;
  char text[16] = "";
  ck_assert_ptr_nonnull(fgets(text, sizeof text, started));
  ck_assert_int_eq(pclose(started), 0);
  ck_assert_str_eq(text, "other\n");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_command_that_outlives_its_session_says_so) {
  cmox_t *mox = cmox_new(NULL);
  cmox_passthrough(cmox_spy(mox, "begins"));
  ck_cmox_replay(mox);
  FILE *started = popen("begins 2>&1", "r");
  ck_assert_ptr_nonnull(started);
  char line[256] = "";
  ck_assert_ptr_nonnull(fgets(line, sizeof line, started));
  ck_assert_str_eq(line, "begun\n");
  ck_cmox_verify(mox);
  cmox_free(mox);
  ck_assert_ptr_nonnull(fgets(line, sizeof line, started));
  ck_assert_str_eq(line, "cmdmox: begins: the test ended its session during this call\n");
  const int status = pclose(started);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 125);
}
END_TEST

START_TEST(mistakes_are_kept) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_mock(mox, "tool");
  cmox_passthrough(tool, .kill_after_ms = 5);
  cmox_passthrough(tool, .uncaptured = true, .capture_max_bytes = 5);
  cmox_passthrough_at(tool, CMOX_HERE, 1, NULL);
  cmox_default_passthrough_at(mox, CMOX_HERE, &(cmox_passthrough_t){.size = 3});
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  static const char *const told[] = {
      "cmox_passthrough: .kill_after_ms is 5, and no .timeout_ms is set that it could follow",
      "cmox_passthrough: .capture_max_bytes is 5, and .uncaptured captures nothing",
      "cmox_passthrough: it is NULL, or its .size is not sizeof(cmox_passthrough_t)",
      "cmox_default_passthrough: it is NULL, or its .size is not sizeof(cmox_passthrough_t)"};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++)
    ck_assert_msg(strstr(cmox_message(mox), told[i]) != NULL, "'%s' is not in: %s", told[i],
                  cmox_message(mox));
  SCOPED_RUN run = RUN_SHELL("tool");
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_msg(strstr(run.err, "unexpected call: tool (replay failed: ") &&
                    strstr(run.err, ".kill_after_ms is 5") && !strstr(run.err, "is NULL"),
                "%s", run.err);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_passthrough");
  TCase *tests = tcase_create("passthrough");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_spy_sees_what_the_real_command_does);
  tcase_add_test(tests, for_some_calls_and_arguments_only);
  tcase_add_test(tests, what_is_not_mentioned_runs_as_it_would);
  tcase_add_test(tests, what_is_not_captured_is_the_commands_own);
  tcase_add_test(tests, stdin_is_captured_as_far_as_it_is_read);
  tcase_add_test(tests, a_stdin_that_decides_still_reaches_the_command);
  tcase_add_test(tests, outputs_that_are_one_file_stay_in_order);
  tcase_add_test(tests, the_command_of_another_session_is_as_real_as_any);
  tcase_add_test(tests, a_death_and_a_timeout_are_what_they_were);
  tcase_add_test(tests, the_environment_of_a_double_reaches_the_command);
  tcase_add_test(tests, a_variable_names_the_real_command);
  tcase_add_test(tests, what_cannot_be_run_is_told_as_a_shell_tells_it);
  tcase_add_test(tests, a_command_that_comes_back_to_its_shim_ends);
  tcase_add_test(tests, a_command_that_starts_itself_twice_ends_soon);
  tcase_add_test(tests, a_gate_holds_the_command_back);
  tcase_add_test(tests, a_command_that_outlives_its_session_says_so);
  tcase_add_test(tests, mistakes_are_kept);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
