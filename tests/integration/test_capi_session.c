/* The life of a session, and bad use of it. */
#include <cmdmox/check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static void expect_failure(cmox_t *mox, cmox_code_t code, const char *part) {
  ck_assert_msg(cmox_code(mox) == code, "%s: %s", cmox_code_reason(cmox_code(mox)),
                cmox_message(mox));
  assert_message_has(mox, part);
  ck_assert_int_eq(cmox_replay(mox), code);
}

START_TEST(replay_and_verify_may_be_called_again) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  ck_cmox_replay(mox);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(verify_before_replay_is_refused) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BAD_STATE);
  ck_assert_str_ne(cmox_message(mox), "");
  ck_cmox_replay(mox);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(verify_after_a_failed_replay_fails_for_the_same_reason) {
  CMOX_SCOPED cmox_t *first = cmox_new(NULL);
  ck_cmox_replay(first);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_ENVIRONMENT_BUSY);
  char *why = strdup(cmox_message(mox));
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(cmox_verify(mox), CMOX_E_ENVIRONMENT_BUSY);
    ck_assert_str_eq(cmox_message(mox), why);
  }
  free(why);
  ck_cmox_verify(first);
  ck_cmox_replay(mox);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(replay_after_verify_is_refused_and_changes_nothing) {
  char *path = strdup(getenv("PATH"));
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_cmox_replay(mox);
  ck_cmox_verify(mox);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BAD_STATE);
  ck_assert_str_eq(getenv("PATH"), path);
  free(path);
}
END_TEST

static const char *const bad_names[] = {"", "/", "bin/git", "/usr/bin/git", ".", ".."};

START_TEST(names_that_no_command_can_have_are_refused) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, bad_names[_i]);
  ck_assert_int_eq(cmox_code(mox), CMOX_E_BAD_COMMAND_NAME);
  cmox_register_command(mox, bad_names[_i]);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  const char *second = strchr(cmox_message(mox), '\n');
  ck_assert_msg(second && strstr(second, "cmox_register_command"), "%s", cmox_message(mox));
}
END_TEST

START_TEST(a_name_may_have_255_bytes_of_any_value) {
  char name[257];
  for (int i = 0; i < 256; i++) name[i] = (char)(i % 254 + 1 == '/' ? 'x' : i % 254 + 1);
  name[256] = '\0';
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, name);
  ck_assert_int_eq(cmox_code(mox), CMOX_E_BAD_COMMAND_NAME);
  name[255] = '\0';
  CMOX_SCOPED cmox_t *longest = cmox_new(NULL);
  cmox_returns(cmox_mock(longest, name), .out = "here");
  ck_cmox_replay(longest);
  SCOPED_RUN run = RUN(name);
  ck_assert_str_eq(run.out, "here");
  ck_cmox_verify(longest);
}
END_TEST

START_TEST(after_a_mistake_the_code_under_test_meets_shims_that_refuse) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_matching_args(cmox_mock(mox, "id"), CMOX_REGEX("("));
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_with_matching_args: "));
  SCOPED_RUN run = RUN("id");
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_str_eq(run.out, "");
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
}
END_TEST

/* ---- Where shims cannot be ------------------------------------------------ */

static size_t entries_of(const char *directory) {
  DIR *dir = opendir(directory);
  ck_assert_ptr_nonnull(dir);
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(dir));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  (void)closedir(dir);
  return count;
}

START_TEST(a_long_temporary_directory_is_refused_not_cut) {
  char path[160];
  (void)snprintf(path, sizeof path, "%s/", scratch_place());
  memset(path + strlen(path), 'x', 90);
  path[strlen(scratch_place()) + 91] = '\0';
  ck_assert_int_eq(mkdir(path, 0700), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.temporary_directory = path));
  expect_failure(mox, CMOX_E_PATH_TOO_LONG, path);
  ck_assert_int_eq(rmdir(path), 0); /* it is empty */
}
END_TEST

START_TEST(a_missing_temporary_directory_is_named) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.temporary_directory = "/nonexistent/temporary"));
  expect_failure(mox, CMOX_E_TEMP_DIRECTORY, "/nonexistent/temporary");
}
END_TEST

START_TEST(an_unwritable_temporary_directory_is_named) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.temporary_directory = "/proc"));
  expect_failure(mox, CMOX_E_TEMP_DIRECTORY, "/proc");
}
END_TEST

START_TEST(no_shim_is_named) {
  char *path = strdup(getenv("PATH"));
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.shim = "/nonexistent/cmdmox-shim"));
  expect_failure(mox, CMOX_E_SHIM_MISSING, "/nonexistent/cmdmox-shim");
  ck_assert_str_eq(getenv("PATH"), path);
  free(path);
  ck_assert_ptr_null(cmox_shim_directory(mox));
}
END_TEST

START_TEST(a_shim_that_is_something_else_is_refused) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.shim = "/etc/passwd"));
  expect_failure(mox, CMOX_E_SHIM_BROKEN, "/etc/passwd");
  CMOX_SCOPED cmox_t *program = cmox_new(CMOX_OPTIONS(.shim = "/bin/true"));
  ck_assert(cmox_code(program) == CMOX_E_SHIM_BROKEN || cmox_code(program) == CMOX_E_SHIM_VERSION);
}
END_TEST

/* ---- The environment ------------------------------------------------------- */

START_TEST(replay_changes_and_verify_restores_the_environment) {
  char *path = strdup(getenv("PATH"));
  ck_assert_int_eq(setenv("CMOX_IPC_SOCKET", "unix:/mine", 1), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_assert_str_eq(getenv("PATH"), path);
  ck_cmox_replay(mox);
  const char *shims = cmox_shim_directory(mox);
  ck_assert_int_eq(strncmp(getenv("PATH"), shims, strlen(shims)), 0);
  ck_assert_str_eq(getenv("PATH") + strlen(shims) + 1, path);
  ck_assert_str_ne(getenv("CMOX_IPC_SOCKET"), "unix:/mine");
  ck_cmox_verify(mox);
  ck_assert_str_eq(getenv("PATH"), path);
  ck_assert_str_eq(getenv("CMOX_IPC_SOCKET"), "unix:/mine");
  ck_assert_int_eq(unsetenv("CMOX_IPC_SOCKET"), 0);
  free(path);
}
END_TEST

START_TEST(a_path_that_changes_after_the_start_is_kept) {
  char *before = strdup(getenv("PATH"));
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git");
  ck_assert_int_eq(setenv("PATH", "/somewhere:/else", 1), 0);
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  ck_assert_ptr_nonnull(strstr(getenv("PATH"), ":/somewhere:/else"));
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
  ck_assert_str_eq(getenv("PATH"), "/somewhere:/else");
  cmox_free(mox);
  ck_assert_int_eq(setenv("PATH", before, 1), 0);
  free(before);
}
END_TEST

START_TEST(without_path_the_environment_comes_back_without_it) {
  ck_assert_int_eq(unsetenv("PATH"), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_cmox_replay(mox);
  ck_assert_ptr_nonnull(getenv("PATH"));
  ck_cmox_verify(mox);
  ck_assert_ptr_null(getenv("PATH"));
  ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
}
END_TEST

START_TEST(a_second_session_on_the_process_is_refused_with_a_way_out) {
  CMOX_SCOPED cmox_t *first = cmox_new(NULL);
  CMOX_SCOPED cmox_t *second = cmox_new(NULL);
  cmox_stub(first, "git");
  char place[256];
  (void)snprintf(place, sizeof place, "the session declared at %s:%d is applied", __FILE__,
                 __LINE__ - 3);
  ck_cmox_replay(first);
  ck_assert_int_eq(cmox_replay(second), CMOX_E_ENVIRONMENT_BUSY);
  ck_assert_msg(strstr(cmox_message(second), place), "%s", cmox_message(second));
  ck_assert_ptr_nonnull(strstr(cmox_message(second), "CMOX_ENVIRONMENT_NONE"));
  ck_cmox_verify(first);
  ck_cmox_replay(second);
  ck_cmox_verify(second);
}
END_TEST

START_TEST(two_sessions_at_once_with_environments_of_their_own) {
  char *path = strdup(getenv("PATH"));
  CMOX_SCOPED cmox_t *one = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  CMOX_SCOPED cmox_t *two = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_returns(cmox_mock(one, "git"), .out = "one");
  cmox_returns(cmox_mock(two, "git"), .out = "two");
  ck_cmox_replay(one);
  ck_cmox_replay(two);
  ck_assert_str_eq(getenv("PATH"), path);
  static const char *const line[] = {"/bin/sh", "-c", "git", NULL};
  SCOPED_RUN second = run_program(line, NULL, 0, cmox_environ(two));
  SCOPED_RUN first = run_program(line, NULL, 0, cmox_environ(one));
  ck_assert_str_eq(first.out, "one");
  ck_assert_str_eq(second.out, "two");
  ck_cmox_verify(one);
  ck_cmox_verify(two);
  free(path);
}
END_TEST

/* ---- Ends ------------------------------------------------------------------- */

static int free_verified(void) {
  cmox_t *mox = cmox_new(NULL);
  int failed = cmox_replay(mox) != CMOX_OK || cmox_verify(mox) != CMOX_OK;
  cmox_free(mox);
  cmox_free(cmox_new(NULL));
  return failed;
}

START_TEST(a_session_that_is_fine_ends_in_silence) {
  SCOPED_RUN run = run_child(free_verified);
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_str_eq(run.err, "");
}
END_TEST

START_TEST(no_directory_is_left_when_the_process_ends) {
  SCOPED_RUN run = run_child(free_verified);
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_uint_eq(entries_of(scratch_place()), 0);
}
END_TEST

#ifndef __SANITIZE_THREAD__
static cmox_t *parents;

static int use_across_fork(void) {
  if (cmox_replay(parents) != CMOX_E_FORKED) return 1;
  if (!strstr(cmox_message(parents), "make the session in the process that uses it")) return 2;
  CMOX_SCOPED cmox_t *own = cmox_new(NULL);
  cmox_returns(cmox_mock(own, "git"), .out = "child");
  if (cmox_replay(own) != CMOX_OK) return 3;
  SCOPED_RUN run = RUN("git");
  if (strcmp(run.out, "child") != 0) return 4;
  if (cmox_verify(own) != CMOX_OK) return 5;
  SCOPED_RUN again = RUN("git");
  if (strcmp(again.out, "parent") != 0) return 6;
  cmox_free(parents);
  return 0;
}

START_TEST(a_child_uses_its_own_session_above_the_inherited_one) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(cmox_times(git, 2), .out = "parent");
  ck_cmox_replay(mox);
  parents = mox;
  SCOPED_RUN child = run_child(use_across_fork);
  ck_assert_msg(child.exit_code == 0, "%d: %s", child.exit_code, child.err);
  SCOPED_RUN run = RUN("git");
  ck_assert_str_eq(run.out, "parent");
  ck_cmox_verify(mox);
}
END_TEST
#endif

START_TEST(process_wide_state_is_left_alone) {
  struct rlimit before, after;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  mode_t mask = umask(0027);
  size_t descriptors = entries_of("/proc/self/fd");
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git");
  ck_cmox_replay(mox);
  struct sigaction action;
  ck_assert_int_eq(sigaction(SIGPIPE, NULL, &action), 0);
  ck_assert(action.sa_handler == SIG_DFL);
  ck_cmox_verify(mox);
  cmox_free(mox);
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
  ck_assert_uint_eq(before.rlim_cur, after.rlim_cur);
  ck_assert_uint_eq(umask(mask), 0027);
  /* Kept for the process: the lock of the tombstones, and libuv's pipe. */
  size_t left = entries_of("/proc/self/fd");
  ck_assert_msg(left <= descriptors + 3, "%zu descriptors, then %zu", descriptors, left);
  cmox_free(cmox_new(NULL));
  ck_assert_uint_eq(entries_of("/proc/self/fd"), left);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_session");
  TCase *cases = tcase_create("session");
  tcase_set_timeout(cases, 60);
  tcase_add_checked_fixture(cases, NULL, ck_cmox_teardown);
  tcase_add_test(cases, replay_and_verify_may_be_called_again);
  tcase_add_test(cases, verify_before_replay_is_refused);
  tcase_add_test(cases, verify_after_a_failed_replay_fails_for_the_same_reason);
  tcase_add_test(cases, replay_after_verify_is_refused_and_changes_nothing);
  tcase_add_loop_test(cases, names_that_no_command_can_have_are_refused, 0,
                      sizeof bad_names / sizeof(char *));
  tcase_add_test(cases, a_name_may_have_255_bytes_of_any_value);
  tcase_add_test(cases, after_a_mistake_the_code_under_test_meets_shims_that_refuse);
  tcase_add_test(cases, a_long_temporary_directory_is_refused_not_cut);
  tcase_add_test(cases, a_missing_temporary_directory_is_named);
  tcase_add_test(cases, an_unwritable_temporary_directory_is_named);
  tcase_add_test(cases, no_shim_is_named);
  tcase_add_test(cases, a_shim_that_is_something_else_is_refused);
  tcase_add_test(cases, replay_changes_and_verify_restores_the_environment);
  tcase_add_test(cases, a_path_that_changes_after_the_start_is_kept);
  tcase_add_test(cases, without_path_the_environment_comes_back_without_it);
  tcase_add_test(cases, a_second_session_on_the_process_is_refused_with_a_way_out);
  tcase_add_test(cases, two_sessions_at_once_with_environments_of_their_own);
  tcase_add_test(cases, a_session_that_is_fine_ends_in_silence);
  tcase_add_test(cases, no_directory_is_left_when_the_process_ends);
#ifndef __SANITIZE_THREAD__ /* it cannot follow a thread that starts after such a fork */
  tcase_add_test(cases, a_child_uses_its_own_session_above_the_inherited_one);
#endif
  tcase_add_test(cases, process_wide_state_is_left_alone);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
