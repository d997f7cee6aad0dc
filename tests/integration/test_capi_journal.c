/* The journal holds exactly the bytes of the calls. */
#include <cmdmox/check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

#define LONGEST_ARGUMENT 131071 /* of Linux, less its NUL */

static void expect_bytes(cmox_bytes_t bytes, const char *expected, size_t len) {
  ck_assert_uint_eq(bytes.len, len);
  ck_assert_mem_eq(bytes.data, expected, len);
  ck_assert_int_eq(bytes.data[len], '\0');
}

static void expect_text(cmox_bytes_t bytes, const char *expected) {
  expect_bytes(bytes, expected, strlen(expected));
}

START_TEST(arguments_environment_and_place_are_exact) {
  char *longest = malloc(LONGEST_ARGUMENT + 1);
  for (size_t i = 0; i < LONGEST_ARGUMENT; i++) longest[i] = (char)(i % 255 + 1);
  longest[LONGEST_ARGUMENT] = '\0';
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_double_t *tool = cmox_spy(mox, "tool");
  cmox_returns(tool, .out = "o\0t", .out_len = 3, .err = "e", .exit_code = 3);
  ck_cmox_replay(mox);
  char program[256];
  (void)snprintf(program, sizeof program, "%s/tool", cmox_shim_directory(mox));
  const char *const argv[] = {program,          "",      "two\nlines", "\xff\xfe",
                              "--x=\"y\" '$z'", longest, NULL};
  char *envp[] = {
      (char *)"A=1",      (char *)"no equals",           (char *)"A=2", (char *)"=odd", (char *)"",
      (char *)"B=\n\xff", (char *)"CMOX_IPC_TIMEOUT=10", NULL};
  SCOPED_RUN run = run_program(argv, NULL, 0, envp);
  ck_assert_int_eq(run.exit_code, 3);
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(tool);
  ck_assert_int_eq(calls->code, CMOX_OK);
  ck_assert_uint_eq(calls->count, 1);
  const cmox_invocation_t *call = &calls->items[0];
  ck_assert_uint_eq(call->id, 1);
  expect_text(call->command, "tool");
  ck_assert_uint_eq(call->argc, 6);
  for (size_t i = 0; i < 6; i++) expect_text(call->argv[i], argv[i]);
  ck_assert_uint_eq(call->env_count, 6);
  for (size_t i = 0; i < 6; i++) expect_text(call->env[i], envp[i]);
  char cwd[4096];
  expect_text(call->cwd, getcwd(cwd, sizeof cwd));
  ck_assert_uint_eq(call->ppid, (unsigned)getpid());
  ck_assert_uint_ne(call->pid, 0);
  ck_assert_uint_eq(call->tty_mask, 0);
  ck_assert(!call->stdin_captured);
  expect_text(call->stdin_data, "");
  expect_bytes(call->stdout_data, "o\0t", 3);
  expect_text(call->stderr_data, "e");
  ck_assert_int_eq(call->exit_code, 3);
  ck_assert_ptr_null(call->signal);
  ck_assert_uint_le(call->start_ns, call->end_ns);
  ck_assert_int_eq(call->state, CMOX_CALL_COMPLETED);
  ck_assert_int_eq(call->verdict, CMOX_VERDICT_ACCEPTED);
  free(longest);
}
END_TEST

START_TEST(two_mebibytes_of_arguments_are_kept) {
  enum { COUNT = 32, LEN = 60000 };
  static char text[COUNT][LEN + 1];
  const char *argv[COUNT + 2] = {"tool"};
  for (size_t i = 0; i < COUNT; i++) {
    memset(text[i], 'a' + (int)(i % 26), LEN);
    argv[i + 1] = text[i];
  }
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_mock(mox, "tool");
  ck_cmox_replay(mox);
  SCOPED_RUN run = run_program(argv, NULL, 0, NULL);
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(tool);
  ck_assert_uint_eq(calls->count, 1);
  ck_assert_uint_eq(calls->items[0].argc, COUNT + 1);
  for (size_t i = 0; i < COUNT; i++) expect_bytes(calls->items[0].argv[i + 1], text[i], LEN);
}
END_TEST

START_TEST(the_journal_has_every_call_in_order_and_each_double_its_own) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_double_t *ssh = cmox_stub(mox, "ssh");
  cmox_register_command(mox, "scp");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("for i in $(seq 75); do git $i; ssh $i; done; scp x");
  ck_assert_int_eq(run.exit_code, 125);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *gits = cmox_invocations(git);
  ck_assert_uint_eq(all->count, 151);
  ck_assert_uint_eq(gits->count, 75);
  ck_assert_uint_eq(cmox_call_count(ssh), 75);
  for (size_t i = 0; i < 150; i++) {
    ck_assert_uint_eq(all->items[i].id, i + 1);
    expect_text(all->items[i].command, i % 2 ? "ssh" : "git");
    ck_assert_int_eq(atoi(all->items[i].argv[1].data), (int)i / 2 + 1);
  }
  for (size_t i = 0; i < 75; i++) ck_assert_uint_eq(gits->items[i].id, 2 * i + 1);
  ck_assert_int_eq(all->items[150].verdict, CMOX_VERDICT_UNEXPECTED);
  expect_text(all->items[150].command, "scp");
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(many_calls_with_many_arguments_come_in_smaller_pages) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_stub(mox, "tool");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("for i in $(seq 40); do tool $(seq 4000); done");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(tool);
  ck_assert_msg(calls->code == CMOX_OK, "%s", cmox_code_reason(calls->code));
  ck_assert_uint_eq(calls->count, 40);
  for (size_t i = 0; i < 40; i++) {
    ck_assert_uint_eq(calls->items[i].argc, 4001);
    expect_text(calls->items[i].argv[4000], "4000");
  }
}
END_TEST

static const char *as_handled(const cmox_invocation_t *call, const char *name) {
  const char *value = cmox_invocation_env(call, name);
  return value ? value : "(not set)";
}

START_TEST(injected_variables_stand_beside_those_of_the_caller) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_with_env(cmox_mock(mox, "git"), "CI_NEW", "1");
  cmox_with_env(git, "CI_SAME", "same");
  cmox_with_env(git, "CI_GONE", NULL);
  cmox_with_env(git, "CI_EMPTY", "");
  ck_cmox_replay(mox);
  SCOPED_RUN other = RUN_SHELL("CI_SAME=other git");
  ck_assert_int_eq(other.exit_code, 125);
  SCOPED_RUN run = RUN_SHELL("CI_SAME=same CI_GONE=x CI_OWN=own git");
  ck_assert_int_eq(run.exit_code, 0);
  cmox_with_env(git, "CI_NEW", "2"); /* no word about calls that were */
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(git);
  ck_assert_uint_eq(calls->count, 1);
  const cmox_invocation_t *call = &calls->items[0];
  ck_assert_uint_eq(call->injected_count, 4);
  expect_text(call->injected[0].name, "CI_NEW");
  expect_text(call->injected[0].value, "1");
  ck_assert(call->injected[2].removed && !call->injected[3].removed);
  ck_assert_str_eq(as_handled(call, "CI_NEW"), "1");
  ck_assert_str_eq(as_handled(call, "CI_SAME"), "same");
  ck_assert_str_eq(as_handled(call, "CI_GONE"), "(not set)");
  ck_assert_str_eq(as_handled(call, "CI_EMPTY"), "");
  ck_assert_str_eq(as_handled(call, "CI_OWN"), "own");
  ck_assert_str_eq(as_handled(call, "CI_"), "(not set)");
  bool seen = false;
  for (size_t i = 0; i < call->env_count; i++) {
    ck_assert_ptr_null(strstr(call->env[i].data, "CI_NEW="));
    seen |= strcmp(call->env[i].data, "CI_GONE=x") == 0;
  }
  ck_assert(seen);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(a_long_stdin_has_its_length_and_its_digest) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *tool = cmox_capture_stdin_up_to(cmox_spy(mox, "tool"), 1u << 30, 60000);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("head -c 20971520 /dev/zero | tool; echo short | tool");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(tool);
  ck_assert_uint_eq(calls->count, 2);
  const cmox_invocation_t *call = &calls->items[0];
  ck_assert_uint_eq(call->stdin_length, 20u << 20);
  ck_assert(call->stdin_truncated);
  ck_assert_uint_lt(call->stdin_data.len, call->stdin_length);
  SCOPED_RUN expected = RUN_SHELL("head -c 20971520 /dev/zero | sha256sum");
  ck_assert_uint_eq(call->stdin_digest.len, 32);
  for (size_t i = 0; i < 32; i++) {
    char hex[3];
    (void)snprintf(hex, sizeof hex, "%02x", (unsigned char)call->stdin_digest.data[i]);
    ck_assert_mem_eq(hex, expected.out + 2 * i, 2);
  }
  expect_text(calls->items[1].stdin_data, "short\n");
  ck_assert_uint_eq(calls->items[1].stdin_length, 6);
  ck_assert_uint_eq(calls->items[1].stdin_digest.len, 0);
}
END_TEST

START_TEST(a_bounded_journal_keeps_the_last_calls_and_forgets_no_failure) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.max_journal_entries = 3));
  cmox_double_t *git = cmox_spy(mox, "git");
  cmox_with_matching_args(git, CMOX_IS_A(CMOX_INT));
  cmox_double_t *ssh = cmox_spy(mox, "ssh");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git push; for i in $(seq 100); do git $i; done; ssh a; ssh b");
  ck_assert_int_eq(run.exit_code, 0);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  ck_assert_uint_eq(all->count, 3);
  ck_assert_uint_eq(all->dropped, 100);
  ck_assert_uint_eq(all->items[0].id, 101);
  expect_text(all->items[0].argv[1], "100");
  expect_text(all->items[2].argv[1], "b");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *gits = cmox_invocations(git);
  ck_assert_uint_eq(gits->count, 1);
  ck_assert_uint_eq(gits->dropped, 99);
  ck_assert_uint_eq(cmox_call_count(git), 100);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *sshs = cmox_invocations(ssh);
  ck_assert_uint_eq(sshs->count, 2);
  ck_assert_uint_eq(sshs->dropped, 0);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "unexpected call: git push"));
}
END_TEST

START_TEST(a_journal_of_less_than_nothing_is_refused) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.max_journal_entries = -1));
  ck_assert_int_eq(cmox_code(mox), CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), ".max_journal_entries is -1: "));
}
END_TEST

START_TEST(a_snapshot_outlives_its_session) {
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git", "status");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  cmox_free(mox);
  ck_assert_uint_eq(all->count, 1);
  expect_text(all->items[0].argv[1], "status");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_journal");
  TCase *cases = tcase_create("journal");
  tcase_set_timeout(cases, 60);
  tcase_add_checked_fixture(cases, NULL, ck_cmox_teardown);
  tcase_add_test(cases, arguments_environment_and_place_are_exact);
  tcase_add_test(cases, two_mebibytes_of_arguments_are_kept);
  tcase_add_test(cases, the_journal_has_every_call_in_order_and_each_double_its_own);
  tcase_add_test(cases, many_calls_with_many_arguments_come_in_smaller_pages);
  tcase_add_test(cases, a_long_stdin_has_its_length_and_its_digest);
  tcase_add_test(cases, injected_variables_stand_beside_those_of_the_caller);
  tcase_add_test(cases, a_bounded_journal_keeps_the_last_calls_and_forgets_no_failure);
  tcase_add_test(cases, a_journal_of_less_than_nothing_is_refused);
  tcase_add_test(cases, a_snapshot_outlives_its_session);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
