/* CMOX_TRACE with the C library: engine, test and shims in one file. */
#include <cmdmox/check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/files.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/trace_file.h"

static void set_up(void) {
  trace_file_open();
  ck_assert_int_eq(setenv("CMOX_TRACE", trace_path, 1), 0);
}

static void tear_down(void) {
  (void)unsetenv("CMOX_TRACE");
  trace_file_close();
}

static void assert_in_order(const char *text, const char *const *wanted) {
  for (; *wanted; wanted++) {
    const char *at = strstr(text, *wanted);
    ck_assert_msg(at != NULL, "\"%s\" does not follow; there is:\n%s", *wanted, text);
    text = at;
  }
}

START_TEST(engine_test_and_shims_write_to_one_file) {
  cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "git"), .out = "x");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git", "status");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  cmox_free(mox);
  char *text = cmox_test_read_file(trace_path);
  assert_in_order(
      text,
      (const char *const[]){
          " client.open server=own\n", "method=CreateSession\n", " shimdir.create path=/",
          " host.session_open session=", " client.answer id=1 method=CreateSession result=OK\n",
          "method=Replay\n", " session.replay calls=0\n", " shim.start command=git args=1\n",
          " session.match call=1 double=1 file=", " session.completed call=1 stdout=1 ",
          " session.verify calls=1 findings=0 passed=1\n",
          " host.session_close session=", " link.close link=1 why=OK\n", NULL});
  ck_assert_ptr_nonnull(strstr(text, " shim.exit how=exit status=0\n"));
  free(text);
}
END_TEST

START_TEST(an_environment_of_its_own_hands_it_on) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  (void)cmox_stub(mox, "git");
  ck_cmox_replay(mox);
  const char *const argv[] = {"/bin/sh", "-c", "git", NULL};
  SCOPED_RUN run = run_program(argv, NULL, 0, cmox_environ(mox));
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_nonnull(strstr(text, " shim.start command=git args=0\n"));
  free(text);
}
END_TEST

static int lowest_free(void) {
  int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
  (void)close(fd);
  return fd;
}

START_TEST(no_descriptor_stays) {
  int before = lowest_free();
  for (int i = 0; i < 2; i++) {
    CMOX_SCOPED cmox_t *one = cmox_new(NULL);
    CMOX_SCOPED cmox_t *two = cmox_new(NULL);
    CMOX_SCOPED cmox_t *failed = cmox_new(CMOX_OPTIONS(.address = "unix:/nowhere/s"));
    ck_assert_int_eq(cmox_replay(failed), CMOX_E_NO_SERVER);
    (void)one;
    (void)two;
  }
  ck_assert_int_eq(lowest_free(), before);
}
END_TEST

static int two_sessions(void) {
  for (int i = 0; i < 2; i++) {
    CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
    if (cmox_replay(mox) != CMOX_OK || cmox_verify(mox) != CMOX_OK) return 1;
  }
  return 0;
}

START_TEST(a_file_that_cannot_be_had_is_said_once_and_stops_nothing) {
  ck_assert_int_eq(setenv("CMOX_TRACE", "trace.txt", 1), 0);
  SCOPED_RUN run = run_child(two_sessions);
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_str_eq(run.err,
                   "cmdmox: CMOX_TRACE=trace.txt: give the absolute path of a file, 1 for stderr, "
                   "or 0 for none; no trace is written\n");
}
END_TEST

START_TEST(the_program_says_it_too) {
  ck_assert_int_eq(setenv("CMOX_TRACE", "/nowhere/trace.txt", 1), 0);
  SCOPED_RUN run = RUN("/bin/sh", "-c", ": | \"$0\" serve --stdio | cat", CMOX_TEST_PROGRAM);
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_str_eq(run.err,
                   "cmdmox: CMOX_TRACE=/nowhere/trace.txt: No such file or directory; no trace is "
                   "written\n");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("trace");
  TCase *all = tcase_create("trace");
  tcase_set_timeout(all, 60);
  tcase_add_checked_fixture(all, set_up, tear_down);
  tcase_add_test(all, engine_test_and_shims_write_to_one_file);
  tcase_add_test(all, an_environment_of_its_own_hands_it_on);
  tcase_add_test(all, no_descriptor_stays);
  tcase_add_test(all, a_file_that_cannot_be_had_is_said_once_and_stops_nothing);
  tcase_add_test(all, the_program_says_it_too);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
