/* What code under test sees of its doubles, with the embedded engine and the real launcher. */
#include <cmdmox/check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

extern char **environ;

/* Code under test: clones, then asks for the tag. */
static void release_version(const char *url, char *tag, size_t size) {
  char line[256];
  (void)snprintf(line, sizeof line, "git clone %s app >/dev/null && git describe --tags", url);
  FILE *pipe = popen(line, "r");
  ck_assert_ptr_nonnull(pipe);
  tag[0] = '\0';
  if (fgets(tag, (int)size, pipe)) tag[strcspn(tag, "\n")] = '\0';
  (void)pclose(pipe);
}

START_TEST(clones_and_reads_the_tag) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);

  cmox_double_t *clone = cmox_mock(mox, "git");
  cmox_with_matching_args(clone, CMOX_EQ("clone"), CMOX_REGEX("^https://"), CMOX_ANY);
  cmox_returns(clone, .out = "Cloning into 'app'...\n");

  cmox_double_t *tag = cmox_mock(mox, "git");
  cmox_with_args(tag, "describe", "--tags");
  cmox_returns(tag, .out = "v1.4.0\n");

  ck_cmox_replay(mox);
  char version[32];
  release_version("https://example.com/app.git", version, sizeof version);
  ck_assert_str_eq(version, "v1.4.0");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(an_unexpected_call_fails_with_125_and_is_reported) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_stub(mox, "git"), "status");
  cmox_register_command(mox, "ssh");
  ck_cmox_replay(mox);
  SCOPED_RUN push = RUN("git", "push", "origin");
  ck_assert_int_eq(push.exit_code, 125);
  ck_assert_ptr_eq(strstr(push.err, "cmdmox: unexpected call: git push origin"), push.err);
  SCOPED_RUN ssh = RUN("ssh", "host");
  ck_assert_int_eq(ssh.exit_code, 125);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_int_eq(cmox_code(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "git push origin"));
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "ssh host"));
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), __FILE__));
}
END_TEST

START_TEST(a_mock_that_was_not_called_is_reported) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_times(cmox_mock(mox, "git"), 2);
  cmox_times(cmox_mock(mox, "ssh"), 0);
  ck_cmox_replay(mox);
  SCOPED_RUN once = RUN("git");
  ck_assert_int_eq(once.exit_code, 0);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "git"));
  ck_assert_ptr_null(strstr(cmox_message(mox), "ssh"));
}
END_TEST

START_TEST(output_is_bytes_and_status_is_kept) {
  char all[256];
  for (size_t i = 0; i < sizeof all; i++) all[i] = (char)i;
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "dump"), .out = all, .out_len = sizeof all, .err = "\xff\n",
               .exit_code = 255);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("dump");
  ck_assert_int_eq(run.exit_code, 255);
  ck_assert_uint_eq(run.out_len, sizeof all);
  ck_assert_mem_eq(run.out, all, sizeof all);
  ck_assert_str_eq(run.err, "\xff\n");
  ck_cmox_verify(mox);
}
END_TEST

static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 262145, 3000000};

START_TEST(output_of_any_size_arrives_whole) {
  size_t len = sizes[_i];
  char *data = malloc(len + 1);
  for (size_t i = 0; i < len; i++) data[i] = (char)(i * 31 + i / 251);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "dump"), .out = len ? data : "", .out_len = len);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("dump");
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_uint_eq(run.out_len, len);
  if (len) ck_assert_mem_eq(run.out, data, len);
  ck_cmox_verify(mox);
  free(data);
}
END_TEST

static const struct {
  const char *name;
  int number;
} signals[] = {
    {"SIGTERM", SIGTERM}, {"SIGKILL", SIGKILL}, {"SIGINT", SIGINT}, {"SIGSEGV", SIGSEGV}};

START_TEST(a_double_dies_by_a_signal) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *server = cmox_mock(mox, "server");
  cmox_returns(server, .out = "last words\n", .signal = signals[_i].name);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("server");
  ck_assert_int_eq(run.signal, signals[_i].number);
  ck_assert_str_eq(run.out, "last words\n");
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(server);
  ck_assert_uint_eq(calls->count, 1);
  ck_assert_str_eq(calls->items[0].signal, signals[_i].name);
  ck_assert_int_eq(calls->items[0].exit_code, -1);
}
END_TEST

START_TEST(what_is_no_signal_is_a_mistake_of_the_test) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "server"), .signal = "TERM 15");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_returns: "));
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "TERM 15"));
}
END_TEST

START_TEST(stdin_is_matched_captured_and_otherwise_left_alone) {
  static const char input[] = "line one\nline\0two\xff";
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *matched = cmox_with_stdin_bytes(cmox_mock(mox, "put"), input, sizeof input - 1);
  cmox_returns(matched, .out = "matched\n");
  cmox_double_t *captured = cmox_capture_stdin(cmox_mock(mox, "store"));
  cmox_double_t *contains = cmox_mock(mox, "grep");
  cmox_with_matching_stdin(contains, CMOX_CONTAINS("two"));
  cmox_stub(mox, "git");
  ck_cmox_replay(mox);
  static const char *const put[] = {"put", NULL};
  static const char *const store[] = {"store", NULL};
  static const char *const grep[] = {"grep", NULL};
  static const char *const loop[] = {"/bin/sh", "-c",
                                     "while read x; do git \"$x\"; echo \"$x\"; done", NULL};
  SCOPED_RUN run_put = run_program(put, input, sizeof input - 1, NULL);
  ck_assert_str_eq(run_put.out, "matched\n");
  SCOPED_RUN run_store = run_program(store, input, sizeof input - 1, NULL);
  ck_assert_int_eq(run_store.exit_code, 0);
  SCOPED_RUN run_grep = run_program(grep, input, sizeof input - 1, NULL);
  ck_assert_int_eq(run_grep.exit_code, 0);
  SCOPED_RUN run_loop = run_program(loop, "a\nb\nc\n", 6, NULL);
  ck_assert_str_eq(run_loop.out, "a\nb\nc\n");
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(captured);
  ck_assert_uint_eq(calls->count, 1);
  ck_assert(calls->items[0].stdin_captured);
  ck_assert_uint_eq(calls->items[0].stdin_data.len, sizeof input - 1);
  ck_assert_mem_eq(calls->items[0].stdin_data.data, input, sizeof input);
  ck_assert(!calls->items[0].stdin_truncated);
}
END_TEST

START_TEST(other_stdin_is_unexpected) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_stdin(cmox_mock(mox, "put"), "yes");
  ck_cmox_replay(mox);
  static const char *const put[] = {"put", NULL};
  SCOPED_RUN run = run_program(put, "yes\n", 4, NULL);
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(sixty_four_calls_at_once_do_not_disturb_each_other) {
  enum { CALLS = 64 };
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  char names[CALLS][16];
  char answers[CALLS][32];
  for (int i = 0; i < CALLS; i++) {
    (void)snprintf(names[i], sizeof names[i], "%d", i);
    (void)snprintf(answers[i], sizeof answers[i], "answer %d", i);
    cmox_double_t *get = cmox_mock(mox, "get");
    cmox_with_args(get, names[i]);
    cmox_returns(get, .out = answers[i], .exit_code = i);
  }
  ck_cmox_replay(mox);
  pid_t children[CALLS];
  int outputs[CALLS];
  for (int i = 0; i < CALLS; i++) {
    int pair[2];
    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, pair[1], 1);
    char *argv[] = {(char *)"get", names[i], NULL};
    ck_assert_int_eq(posix_spawnp(&children[i], "get", &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(pair[1]);
    outputs[i] = pair[0];
  }
  for (int i = 0; i < CALLS; i++) {
    char text[64];
    ssize_t got = read(outputs[i], text, sizeof text - 1);
    ck_assert_int_ge(got, 0);
    text[got] = '\0';
    (void)close(outputs[i]);
    int status;
    while (waitpid(children[i], &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
    ck_assert_str_eq(text, answers[i]);
    ck_assert_int_eq(WEXITSTATUS(status), i);
  }
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(doubles_may_be_declared_and_refined_while_calls_are_answered) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_cmox_replay(mox);
  cmox_double_t *late = cmox_mock(mox, "late");
  cmox_returns(late, .out = "here\n");
  SCOPED_RUN run = RUN("late");
  ck_assert_str_eq(run.out, "here\n");
  ck_cmox_verify(mox);
  cmox_returns(late, .out = "too late");
  ck_assert_int_eq(cmox_code(mox), CMOX_E_BAD_STATE);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
}
END_TEST

START_TEST(saying_it_again_replaces_what_was_said) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .out = "first", .exit_code = 7);
  cmox_returns(git, .err = "second");
  cmox_with_args(git, "push", "origin");
  cmox_with_args(git, "fetch");
  cmox_times(cmox_times(git, 3), 1);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git", "fetch");
  ck_cmox_verify(mox);
  ck_assert_str_eq(run.out, "");
  ck_assert_str_eq(run.err, "second");
  ck_assert_int_eq(run.exit_code, 0);
}
END_TEST

START_TEST(a_command_that_fails_and_then_succeeds_is_two_mocks) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "git"), .exit_code = 1);
  cmox_returns(cmox_mock(mox, "git"), .out = "done\n");
  ck_cmox_replay(mox);
  SCOPED_RUN first = RUN("git");
  SCOPED_RUN second = RUN("git");
  ck_cmox_verify(mox);
  ck_assert_int_eq(first.exit_code, 1);
  ck_assert_str_eq(first.out, "");
  ck_assert_int_eq(second.exit_code, 0);
  ck_assert_str_eq(second.out, "done\n");
}
END_TEST

/* One line, which says why; and nothing else. */
static void expect_late(const char *line, const char *start) {
  SCOPED_RUN run = RUN_SHELL(line);
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_str_eq(run.out, "");
  ck_assert_msg(strstr(run.err, start) == run.err, "%s", run.err);
  ck_assert_ptr_eq(strchr(run.err, '\n'), run.err + run.err_len - 1);
}

START_TEST(a_late_child_meets_a_tombstone) {
  char line[512];
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "id");
  ck_cmox_replay(mox);
  (void)snprintf(line, sizeof line, "PATH=%s:$PATH; id", cmox_shim_directory(mox));
  ck_cmox_verify(mox);
  expect_late(line, "cmdmox: unexpected call: id (the test has already called verify)");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *late = cmox_journal(mox);
  ck_assert_uint_eq(late->count, 1);
  ck_assert_int_eq(late->items[0].verdict, CMOX_VERDICT_UNEXPECTED);
  cmox_free(mox);
  expect_late(line, "cmdmox: id: the session is over or was never started: ");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_calls");
  TCase *cases = tcase_create("calls");
  tcase_set_timeout(cases, 60);
  tcase_add_checked_fixture(cases, NULL, ck_cmox_teardown);
  tcase_add_test(cases, clones_and_reads_the_tag);
  tcase_add_test(cases, an_unexpected_call_fails_with_125_and_is_reported);
  tcase_add_test(cases, a_mock_that_was_not_called_is_reported);
  tcase_add_test(cases, output_is_bytes_and_status_is_kept);
  tcase_add_loop_test(cases, output_of_any_size_arrives_whole, 0, sizeof sizes / sizeof *sizes);
  tcase_add_loop_test(cases, a_double_dies_by_a_signal, 0, sizeof signals / sizeof *signals);
  tcase_add_test(cases, what_is_no_signal_is_a_mistake_of_the_test);
  tcase_add_test(cases, stdin_is_matched_captured_and_otherwise_left_alone);
  tcase_add_test(cases, other_stdin_is_unexpected);
  tcase_add_test(cases, sixty_four_calls_at_once_do_not_disturb_each_other);
  tcase_add_test(cases, doubles_may_be_declared_and_refined_while_calls_are_answered);
  tcase_add_test(cases, saying_it_again_replaces_what_was_said);
  tcase_add_test(cases, a_command_that_fails_and_then_succeeds_is_two_mocks);
  tcase_add_test(cases, a_late_child_meets_a_tombstone);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
