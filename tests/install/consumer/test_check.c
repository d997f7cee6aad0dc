/* With Check. */
#include <cmdmox/check.h>
#include <stdlib.h>

START_TEST(fetches) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "git"), "fetch", "--all");
  ck_cmox_replay(mox);
  const int status = system("git fetch --all");
  ck_cmox_verify(mox);
  ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("consumer");
  TCase *tcase = tcase_create("fetch");
  tcase_add_test(tcase, fetches);
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
