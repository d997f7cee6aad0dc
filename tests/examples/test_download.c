/* A script that tries twice, and its test. README.md shows its two mocks. */
#include <cmdmox/check.h>
#include <stdlib.h>

/* The code under test. */
static int download(void) {
  return system("curl -fO https://x.test/a || curl -fO https://y.test/a");
}

START_TEST(a_second_try_after_the_first_has_failed) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);

  cmox_double_t *first = cmox_mock(mox, "curl");
  cmox_returns(first, .exit_code = 7);
  cmox_double_t *second = cmox_mock(mox, "curl");
  cmox_returns(second, .out = "done\n");

  ck_cmox_replay(mox);
  const int status = download();
  ck_cmox_verify(mox);
  ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
  TCase *tcase = tcase_create("download");
  tcase_add_checked_fixture(tcase, NULL, ck_cmox_teardown);
  tcase_add_test(tcase, a_second_try_after_the_first_has_failed);
  Suite *suite = suite_create("download");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
