/* A clean-up script may run nothing but what its test names: contained sessions, allowed and absent
 * commands. */
#include <cmdmox/check.h>
#include <stdlib.h>

/* Code under test: compresses with what is there. */
static int pack(void) {
  return system(
      "if command -v zstd >/dev/null; then zstd -q notes.txt; else gzip notes.txt; fi && rm -rf "
      "cache");
}

START_TEST(packs_with_gzip_where_zstd_is_not_installed) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));

  cmox_absent(mox, "zstd");
  cmox_with_args(cmox_mock(mox, "gzip"), "notes.txt");
  cmox_with_args(cmox_mock(mox, "rm"), "-rf", "cache");

  ck_cmox_replay(mox);
  int status = pack();
  ck_cmox_verify(mox);
  ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
  TCase *tcase = tcase_create("contained");
  tcase_add_checked_fixture(tcase, NULL, ck_cmox_teardown);
  tcase_add_test(tcase, packs_with_gzip_where_zstd_is_not_installed);
  Suite *suite = suite_create("contained");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
