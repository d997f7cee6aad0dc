/* Twelve common mistakes, each a test that fails: `failures NAME` runs one of them and prints what
 * the reader of the test sees. docs/failures.md is made from this file and those reports by
 * failures.py, and compared with them by a test.
 *
 * The comment before a test is what the document says of it. Lines are counted from START_TEST on,
 * as in the document. */
#include <cmdmox/check.h>
#include <stdlib.h>

/* The code under test of all of them. */
static void run(const char *script) {
  if (system(script) == -1) abort();
}

/* Prints what Check would; 1: the test failed. */
static void report(TestResult *result) {
  (void)printf("%s:%d: %s\n", tr_lfile(result), tr_lno(result), tr_msg(result));
}

static int run_one(const TTest *test) {
  TCase *tcase = tcase_create("failures");
  tcase_add_test(tcase, test);
  Suite *suite = suite_create("failures");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_SILENT);
  int failed = srunner_ntests_failed(runner);
  TestResult **results = srunner_failures(runner);
  for (int i = 0; i < failed; i++) report(results[i]);
  free((void *)results);
  srunner_free(runner);
  return failed;
}

/* ## The arguments are not the expected ones

   The test says `upstream`, the script says `origin`. The report names the expectation that comes
   nearest, with its line, marks the argument that differs, and gives the line that would accept the
   call, if the call was right and the test was wrong. */
#line 1 "test_push.c"
START_TEST(wrong_argument) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "git"), "push", "upstream", "main");

  ck_cmox_replay(mox);
  run("git push origin main");
  ck_cmox_verify(mox);
}
END_TEST

/* ## Two words are not one argument

   Arguments are never joined: what a shell script has in quotes is one argument, with its blanks.
 */
#line 1 "test_commit.c"
START_TEST(quoted_words) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "git"), "commit", "-m", "fix", "the", "build");

  ck_cmox_replay(mox);
  run("git commit -m 'fix the build'");
  ck_cmox_verify(mox);
}
END_TEST

/* ## The name of the command is misspelled

   Nothing is wrong with a call of `uname`: the test does not name it, so it runs for real. What is
   missing is a call of `unmae`. A mock that is never called deserves a look at its name. */
#line 1 "test_system.c"
START_TEST(misspelled_command) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_mock(mox, "unmae"), .out = "Linux\n");

  ck_cmox_replay(mox);
  run("uname >/dev/null");
  ck_cmox_verify(mox);
}
END_TEST

/* ## One call too many

   A mock takes one call unless the test says otherwise. The call too many is refused, even if a
   stub of the same command would take it, and the report counts how many there were. */
#line 1 "test_fetch.c"
START_TEST(one_call_too_many) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "curl"), "-fO", "https://example.com/a");

  ck_cmox_replay(mox);
  run("for attempt in 1 2 3; do curl -fO https://example.com/a; done");
  ck_cmox_verify(mox);
}
END_TEST

/* ## The right calls in the wrong order

   The call that comes too early is refused at once, so that what follows does not build on it. */
#line 1 "test_release.c"
START_TEST(wrong_order) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *commit = cmox_with_args(cmox_mock(mox, "git"), "commit");
  cmox_double_t *push = cmox_with_args(cmox_mock(mox, "git"), "push");
  cmox_in_order(commit, push);

  ck_cmox_replay(mox);
  run("git push; git commit");
  ck_cmox_verify(mox);
}
END_TEST

/* ## stdin is not the expected one

   A text of several lines is compared line by line. */
#line 1 "test_mail.c"
START_TEST(wrong_stdin) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *mail = cmox_with_args(cmox_mock(mox, "mail"), "root");
  cmox_with_stdin(mail, "Backup\n\n3 files\nno errors\n");

  ck_cmox_replay(mox);
  run("printf 'Backup\\n\\n2 files\\nno errors\\n' | mail root");
  ck_cmox_verify(mox);
}
END_TEST

/* ## A variable or the working directory is not the expected one

   What else a double looks at is compared like an argument. */
#line 1 "test_build.c"
START_TEST(wrong_variable) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *make = cmox_with_args(cmox_mock(mox, "make"), "install");
  cmox_with_matching_env(make, "DESTDIR", CMOX_STARTS_WITH("/tmp/"));
  cmox_with_cwd(make, "/usr");

  ck_cmox_replay(mox);
  run("cd / && DESTDIR=/srv make install");
  ck_cmox_verify(mox);
}
END_TEST

/* ## JSON that means something else

   White space and the order of members do not count; the report goes down to the value that
   differs. */
#line 1 "test_api.c"
START_TEST(wrong_json) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_matching_args(cmox_mock(mox, "curl"), CMOX_EQ("-d"),
                          CMOX_JSON_EQ("{\"name\": \"app\", \"tags\": [\"v1\", \"v2\"]}"),
                          CMOX_ANY);

  ck_cmox_replay(mox);
  run("curl -d '{\"tags\": [\"v1\", \"v3\"], \"name\": \"app\"}' https://example.com/releases");
  ck_cmox_verify(mox);
}
END_TEST

/* ## The test itself says something wrong

   Nothing crashes, and no line needs a check: the mistakes are kept, and `cmox_replay()` lists them
   all. */
#line 1 "test_deploy.c"
START_TEST(builder_mistakes) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_matching_args(cmox_mock(mox, "ssh"), CMOX_REGEX("^host(1|2$"));
  cmox_times(cmox_stub(mox, "scp"), 2);
  cmox_mock(mox, "/usr/bin/rsync");

  ck_cmox_replay(mox);
  run("ssh host1");
  ck_cmox_verify(mox);
}
END_TEST

/* ## What a spy saw is not what the test asserts

   `called_with` looks at the last call; `cmox_assert_any_call()` at all of them. */
#line 1 "test_notify.c"
START_TEST(spy_assertion) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *notify = cmox_spy(mox, "notify-send");

  ck_cmox_replay(mox);
  run("notify-send started; notify-send 'finished: 3 errors'");
  ck_cmox_assert_called_with(notify, "finished");
  ck_cmox_verify(mox);
}
END_TEST

/* ## replay is forgotten

   Without `ck_cmox_replay()` the shims are not on `PATH`, and the code under test runs the real
   commands. */
#line 1 "test_forgotten.c"
START_TEST(no_replay) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "uname");

  run("uname >/dev/null");
  ck_cmox_verify(mox);
}
END_TEST

/* ## verify is forgotten

   A session that was replayed is verified when it ends; what is wrong is on stderr. */
#line 1 "test_forgotten.c"
START_TEST(no_verify) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "git"), "fetch");

  ck_cmox_replay(mox);
  run("git fetch --all");
}
END_TEST

int main(int argc, char **argv) {
  const struct {
    const char *name;
    const TTest *test;
  } mistakes[] = {
      {"wrong_argument", wrong_argument},
      {"quoted_words", quoted_words},
      {"misspelled_command", misspelled_command},
      {"one_call_too_many", one_call_too_many},
      {"wrong_order", wrong_order},
      {"wrong_stdin", wrong_stdin},
      {"wrong_variable", wrong_variable},
      {"wrong_json", wrong_json},
      {"builder_mistakes", builder_mistakes},
      {"spy_assertion", spy_assertion},
      {"no_replay", no_replay},
      {"no_verify", no_verify},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    if (argc == 1) (void)puts(mistakes[i].name);
    if (argc == 2 && strcmp(mistakes[i].name, argv[1]) == 0) return run_one(mistakes[i].test);
  }
  return argc == 1 ? 0 : 2;
}
