/* <cmdmox/check.h> in suites of its own, run here under CK_FORK=yes and no. Their
 * results are compared outside of any test: Check does not nest. */
#include <cmdmox/check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"

static unsigned replay_line, verify_line, places[3];
static char scratch[] = "/tmp/cmox-test-XXXXXX";

START_TEST(passes) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "git"), .out = "x");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git");
  ck_assert_str_eq(run.out, "x");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(replay_fails) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "a/b");
  cmox_mock(mox, "c/d");
  ck_cmox_replay(mox);
}
END_TEST

START_TEST(verify_fails) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  ck_cmox_replay(mox);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(fails_between) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git");
  ck_cmox_replay(mox);
  ck_abort_msg("between");
}
END_TEST

START_TEST(fails_with_a_long_report) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  for (int i = 0; i < 60; i++) cmox_mock(mox, "a/b");
  ck_cmox_replay(mox);
}
END_TEST

START_TEST(forgets_verify) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "git"); /* the place */
  ck_cmox_replay(mox);
}
END_TEST

static cmox_t *fixtures;

static void free_in_fixture(void) { ck_cmox_free(fixtures); }

START_TEST(forgets_verify_in_a_fixture) {
  fixtures = cmox_new(NULL);
  cmox_stub(fixtures, "git"); /* the place */
  ck_cmox_replay(fixtures);
}
END_TEST

START_TEST(leaves_it_to_the_teardown) {
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git"); /* the place */
  ck_cmox_replay(mox);
}
END_TEST

/* Lines of the macros that fail, to be kept next to them. */
static void find_lines(void) {
  FILE *source = fopen(CMOX_SOURCE_DIR "/tests/integration/test_capi_check.c", "r");
  char line[256];
  unsigned number = 0, found = 0;
  const char *test = "";
  while (source && fgets(line, sizeof line, source)) {
    number++;
    if (strstr(line, "START_TEST(replay_fails)")) test = "replay";
    if (strstr(line, "START_TEST(verify_fails)")) test = "verify";
    if (strstr(line, "END_TEST")) test = "";
    if (found < 3 && strstr(line, "/* the place */")) places[found++] = number;
    if (strcmp(test, "replay") == 0 && strstr(line, "ck_cmox_replay")) replay_line = number;
    if (strcmp(test, "verify") == 0 && strstr(line, "ck_cmox_verify")) verify_line = number;
  }
  if (source) (void)fclose(source);
}

static int failures;

static void expect(bool condition, const char *mode, const char *what, const char *message) {
  if (condition) return;
  failures++;
  (void)fprintf(stderr, "%s: %s\n  %s\n", mode, what, message);
}

static size_t count_entries(void) {
  DIR *dir = opendir(scratch);
  size_t count = 0;
  for (struct dirent *entry; dir && (entry = readdir(dir));) count += entry->d_name[0] != '.';
  if (dir) (void)closedir(dir);
  return count;
}

static void expect_at(TestResult *result, const char *mode, unsigned line, const char *part) {
  const char *message = tr_msg(result);
  expect(tr_rtype(result) == CK_FAILURE, mode, "is a failure", message);
  expect((unsigned)tr_lno(result) == line, mode, "is at the line of the macro", message);
  expect(strstr(tr_lfile(result), "test_capi_check.c"), mode, "is in the caller's file", message);
  expect(strstr(message, part), mode, part, message);
}

static void check_results(SRunner *runner, const char *mode) {
  TestResult **results = srunner_results(runner);
  static const size_t passing[] = {0, 2, 4, 6, 8, 11};
  for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
    TestResult *result = results[passing[i]];
    expect(tr_rtype(result) == CK_PASS, mode, "passes before and after others", tr_msg(result));
  }
  expect_at(results[1], mode, replay_line, "cmox_replay: BUILDER\n");
  const char *second = strchr(tr_msg(results[1]), '\n');
  second = second ? strchr(second + 1, '\n') : NULL;
  expect(second && strstr(second, "cmox_mock: "), mode, "lists every mistake", tr_msg(results[1]));
  expect_at(results[3], mode, verify_line, "cmox_verify: VERIFICATION_FAILED\n");
  expect(strstr(tr_msg(results[3]), "git"), mode, "has the report", tr_msg(results[3]));
  expect(tr_rtype(results[5]) == CK_FAILURE, mode, "long report", tr_msg(results[5]));
  expect(strstr(tr_msg(results[5]), "whole report is on stderr"), mode, "long", tr_msg(results[5]));
  expect(strcmp(tr_msg(results[7]), "between") == 0, mode, "between", tr_msg(results[7]));
  expect_at(results[10], mode, places[0], "ends without cmox_verify(), which fails:\n");
  expect(strstr(tr_msg(results[10]), "never called: mock git"), mode, "has the report", "");
  expect_at(results[12], mode, places[1], "ends without cmox_verify(), which would have passed");
  expect_at(results[13], mode, places[2], "ends without cmox_verify(), which would have passed");
  free(results);
}

static int run_inner(enum fork_status fork_status, const char *mode) {
  Suite *suite = suite_create("inner");
  TCase *plain = tcase_create("plain");
  tcase_add_test(plain, passes);
  tcase_add_test(plain, replay_fails);
  tcase_add_test(plain, passes);
  tcase_add_test(plain, verify_fails);
  tcase_add_test(plain, passes);
  tcase_add_test(plain, fails_with_a_long_report);
  tcase_add_test(plain, passes);
  suite_add_tcase(suite, plain);
  TCase *fixture = tcase_create("fixture");
  tcase_add_checked_fixture(fixture, NULL, ck_cmox_teardown);
  tcase_add_test(fixture, fails_between);
  tcase_add_test(fixture, passes);
  tcase_add_test(fixture, fails_between); /* leaves its directory, if it can */
  suite_add_tcase(suite, fixture);
  TCase *forgetful = tcase_create("forgetful");
  tcase_add_test(forgetful, forgets_verify);
  tcase_add_test(forgetful, passes);
  suite_add_tcase(suite, forgetful);
  TCase *freed = tcase_create("freed");
  tcase_add_checked_fixture(freed, NULL, free_in_fixture);
  tcase_add_test(freed, forgets_verify_in_a_fixture);
  suite_add_tcase(suite, freed);
  TCase *left = tcase_create("left");
  tcase_add_checked_fixture(left, NULL, ck_cmox_teardown);
  tcase_add_test(left, leaves_it_to_the_teardown);
  suite_add_tcase(suite, left);
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, fork_status);
  srunner_run_all(runner, CK_SILENT);
  check_results(runner, mode);
  srunner_free(runner);
  return failures != 0;
}

#define SUITE_ENDS "the suite ends here\n"

/* How many reports of sessions that ended unverified stand before the end of the suite: that of
 * the test that forgets verify, and where tests share a process, those of the two that fail between
 * replay and verify. */
static size_t count_reports(FILE *err, const char *mode) {
  static char text[64 << 10];
  rewind(err);
  text[fread(text, 1, sizeof text - 1, err)] = '\0';
  char *end = strstr(text, SUITE_ENDS);
  if (failures) (void)fputs(text, stderr);
  expect(end, mode, "the suite comes to its end", text);
  if (end) *end = '\0';
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, "ends without cmox_verify(), which fails:\n"));
       count++) {
    at = strchr(at, '\n');
    expect(strstr(at, "git"), mode, "the report names the command", at);
  }
  return count;
}

/* In a process of its own, so that what failing tests leave behind ends with it. */
static void run_mode(enum fork_status fork_status, const char *mode, size_t reports) {
  FILE *err = tmpfile();
  pid_t child = fork();
  if (child == 0) {
    (void)dup2(fileno(err), 2);
    char *path = strdup(getenv("PATH"));
    (void)run_inner(fork_status, mode);
    (void)fputs(SUITE_ENDS, stderr);
    expect(strcmp(path, getenv("PATH")) == 0, mode, "PATH is restored", getenv("PATH"));
    free(path);
    exit(failures != 0);
  }
  int status = -1;
  (void)waitpid(child, &status, 0);
  expect(status == 0, mode, "runs", "see below");
  expect(count_reports(err, mode) == reports, mode, "as many reports as tests can leave", "");
  (void)fclose(err);
}

int main(void) {
  find_lines();
  if (!mkdtemp(scratch) || setenv("CMOX_TMPDIR", scratch, 1) != 0) return 1;
  run_mode(CK_NOFORK, "CK_FORK=no", 3);
  expect(count_entries() == 0, "CK_FORK=no", "no directory is left", scratch);
  run_mode(CK_FORK, "CK_FORK=yes", 1);
  /* A test that fails in a process of its own cannot clean up; the next session does. */
  expect(count_entries() > 0, "CK_FORK=yes", "failing tests leave directories", scratch);
  cmox_free(cmox_new(NULL));
  expect(count_entries() <= 1, "CK_FORK=yes", "the next start sweeps them", scratch);
  (void)setenv("CMOX_TMPDIR", "/tmp", 1);
  char line[64];
  (void)snprintf(line, sizeof line, "rm -rf %s", scratch);
  return system(line) != 0 || failures != 0;
}
