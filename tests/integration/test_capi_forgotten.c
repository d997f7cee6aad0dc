/* Sessions that the test forgets to replay, to verify or to end: what is said of them. */
#include <cmdmox/check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

/* The line of this file that has `part`, in the function of this name. */
static int line_of(const char *function, const char *part) {
  FILE *source = fopen(CMOX_SOURCE_DIR "/tests/integration/test_capi_forgotten.c", "r");
  ck_assert_ptr_nonnull(source);
  char head[64], line[256];
  (void)snprintf(head, sizeof head, "static int %s(void) {", function);
  int number = 0, found = 0;
  for (bool inside = false; !found && fgets(line, sizeof line, source);) {
    number++;
    inside |= strncmp(line, head, strlen(head)) == 0;
    if (inside && strstr(line, part)) found = number;
  }
  (void)fclose(source);
  ck_assert_int_ne(found, 0);
  return found;
}

/* That the text begins with what is said of this line of this file. */
static void expect_start(const char *text, int line, const char *what) {
  char start[512];
  (void)snprintf(start, sizeof start, "cmdmox: the session declared at %s:%d %s", __FILE__, line,
                 what);
  ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%s is no start of: %s", start, text);
}

static int free_unverified(void) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "forgetful"));
  cmox_mock(mox, "git");
  cmox_mock(mox, "make");
  int failed = cmox_replay(mox) != CMOX_OK;
  cmox_free(mox);
  return failed;
}

START_TEST(a_session_freed_unverified_says_what_is_wrong) {
  SCOPED_RUN run = run_child(free_unverified);
  ck_assert_int_eq(run.exit_code, 1);
  expect_start(run.err, line_of("free_unverified", "\"git\""), "ends without cmox_verify(), which");
  ck_assert_ptr_nonnull(strstr(run.err, "git"));
}
END_TEST

static int register_only(void) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "by label"));
  cmox_register_command_at(mox, "git", (cmox_location_t){0});
  cmox_free(mox);
  return 0;
}

static int never_replayed(void) {
  cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  cmox_free(mox);
  return 0;
}

static int mistaken_and_never_replayed(void) {
  cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "a/b");
  cmox_free(mox);
  return 0;
}

START_TEST(a_session_freed_without_replay_says_that_the_real_commands_ran) {
  SCOPED_RUN run = run_child(never_replayed);
  expect_start(run.err, line_of("never_replayed", "\"git\""),
               "was never replayed: cmox_replay() was not called, so calls would have met the real "
               "commands\n");
  ck_assert_ptr_eq(strchr(run.err, '\n'), run.err + run.err_len - 1);
  SCOPED_RUN labelled = run_child(register_only);
  ck_assert_ptr_eq(strstr(labelled.err, "cmdmox: the session \"by label\" was never replayed: "),
                   labelled.err);
  SCOPED_RUN mistaken = run_child(mistaken_and_never_replayed);
  ck_assert_str_eq(mistaken.err, "");
}
END_TEST

static void say_goodbye(void) { (void)fputs("the other handlers have run\n", stderr); }

static int exit_unverified(void) {
  (void)atexit(say_goodbye);
  cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  cmox_t *none = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_mock(none, "make");
  if (cmox_replay(mox) != CMOX_OK || cmox_replay(none) != CMOX_OK) return 1;
  pid_t child = fork();
  if (child == 0) exit(0); /* whose sessions these are not */
  int status;
  return waitpid(child, &status, 0) != child || status != 0;
}

START_TEST(a_session_that_nobody_ends_is_verified_when_the_process_exits) {
  SCOPED_RUN run = run_child(exit_unverified);
  ck_assert_msg(run.exit_code == 1, "%d: %s", run.exit_code, run.err);
  ck_assert_ptr_nonnull(strstr(run.err, "the other handlers have run\n"));
  static const char *const commands[] = {"\"git\"", "\"make\""};
  for (int i = 0; i < 2; i++) {
    char line[256];
    (void)snprintf(line, sizeof line, "cmdmox: the session declared at %s:%d ends without ",
                   __FILE__, line_of("exit_unverified", commands[i]));
    const char *at = strstr(run.err, line);
    ck_assert_msg(at, "%s: %s", line, run.err);
    ck_assert_msg(!strstr(at + 1, line), "twice: %s", run.err);
  }
}
END_TEST

static int free_unverified_and_fine(void) {
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git");
  int failed = cmox_replay(mox) != CMOX_OK;
  cmox_free(mox);
  return failed;
}

START_TEST(a_session_that_would_have_passed_fails_too) {
  SCOPED_RUN run = run_child(free_unverified_and_fine);
  ck_assert_int_eq(run.exit_code, 1);
  expect_start(run.err, line_of("free_unverified_and_fine", "\"git\""),
               "ends without cmox_verify(), which would have passed: call it");
  ck_assert_ptr_eq(strchr(run.err, '\n'), run.err + run.err_len - 1);
}
END_TEST

static int ask_who_was_forgotten(void) {
  char place[256], text[CMOX_CHECK_TEXT_MAX_];
  if (free_unverified() != 0 || free_unverified_and_fine() != 0) return 2;
  if (!cmox_check_forgotten_(place, text)) return 3;
  bool first = strstr(text, place) && strstr(text, "which fails:") && strstr(text, "never called");
  if (cmox_check_forgotten_(NULL, NULL)) return 4;
  return first ? 0 : 5;
}

START_TEST(whoever_asks_fails_for_it) {
  SCOPED_RUN run = run_child(ask_who_was_forgotten);
  ck_assert_msg(run.exit_code == 0, "%d: %s", run.exit_code, run.err);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_forgotten");
  TCase *cases = tcase_create("forgotten");
  tcase_set_timeout(cases, 60);
  tcase_add_test(cases, a_session_freed_unverified_says_what_is_wrong);
  tcase_add_test(cases, a_session_freed_without_replay_says_that_the_real_commands_ran);
  tcase_add_test(cases, a_session_that_nobody_ends_is_verified_when_the_process_exits);
  tcase_add_test(cases, a_session_that_would_have_passed_fails_too);
  tcase_add_test(cases, whoever_asks_fails_for_it);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
