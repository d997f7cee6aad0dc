/* A function that runs git, and its test. README.md shows the test. */
#include <cmdmox/check.h>
#include <stdio.h>
#include <stdlib.h>

/* The code under test: clones a repository and gives its latest tag. */
static char *release_version(const char *url) {
  static char version[32];
  char command[256];
  (void)snprintf(command, sizeof command, "git clone --quiet '%s' app", url);
  if (system(command)) return NULL;
  FILE *git = popen("git describe --tags", "r");
  if (!git || !fgets(version, sizeof version, git)) version[0] = '\0';
  if (git && pclose(git)) return NULL;
  version[strcspn(version, "\n")] = '\0';
  return version;
}

START_TEST(clones_and_reads_the_tag) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);

  cmox_double_t *clone = cmox_mock(mox, "git");
  cmox_with_matching_args(clone, CMOX_EQ("clone"), CMOX_ANY, CMOX_REGEX("^https://"), CMOX_ANY);

  cmox_double_t *tag = cmox_mock(mox, "git");
  cmox_with_args(tag, "describe", "--tags");
  cmox_returns(tag, .out = "v1.4.0\n");

  ck_cmox_replay(mox);
  const char *version = release_version("https://example.com/app.git");
  ck_cmox_verify(mox);
  ck_assert_str_eq(version, "v1.4.0");
}
END_TEST

START_TEST(says_nothing_when_the_clone_fails) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *clone = cmox_mock(mox, "git");
  cmox_returns(clone, .err = "fatal: repository not found\n", .exit_code = 128);

  ck_cmox_replay(mox);
  const char *version = release_version("https://example.com/none.git");
  ck_cmox_verify(mox);
  ck_assert_ptr_null(version);
}
END_TEST

int main(void) {
  TCase *tcase = tcase_create("release");
  tcase_add_checked_fixture(tcase, NULL, ck_cmox_teardown);
  tcase_add_test(tcase, clones_and_reads_the_tag);
  tcase_add_test(tcase, says_nothing_when_the_clone_fails);
  Suite *suite = suite_create("release");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
