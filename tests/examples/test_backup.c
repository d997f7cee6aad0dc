/* A pipeline, and its tests: one end of it is mocked, the other is the real command. */
#include <cmdmox/check.h>
#include <stdio.h>
#include <stdlib.h>

/* The code under test: the database's dump, compressed. */
static int backup(const char *database, const char *file) {
  char line[256];
  (void)snprintf(line, sizeof line, "pg_dump '%s' | gzip >'%s'", database, file);
  return system(line);
}

static char folder[] = "/tmp/backup-XXXXXX";
static char file[64];

static void setup(void) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  (void)snprintf(file, sizeof file, "%s/shop.gz", folder);
}

static void teardown(void) {
  (void)remove(file);
  (void)remove(folder);
}

START_TEST(the_real_gzip_compresses_the_mocked_dump) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *dump = cmox_mock(mox, "pg_dump");
  cmox_with_args(dump, "shop");
  cmox_returns(dump, .out = "CREATE TABLE orders;\n");
  cmox_double_t *gzip = cmox_spy(mox, "gzip");
  cmox_passthrough(gzip);
  cmox_capture_stdin(gzip);

  ck_cmox_replay(mox);
  const int status = backup("shop", file);
  ck_cmox_verify(mox);
  ck_assert_int_eq(status, 0);

  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(gzip);
  ck_assert_uint_eq(calls->count, 1);
  ck_assert_str_eq(calls->items[0].stdin_data.data, "CREATE TABLE orders;\n");
  ck_assert_mem_eq(calls->items[0].stdout_data.data, "\x1f\x8b", 2); /* as gzip begins */
}
END_TEST

START_TEST(both_ends_are_mocked) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *dump = cmox_mock(mox, "pg_dump");
  cmox_returns(dump, .out = "CREATE TABLE orders;\n");
  cmox_double_t *gzip = cmox_mock(mox, "gzip");
  cmox_with_stdin(gzip, "CREATE TABLE orders;\n");
  cmox_returns(gzip, .err = "gzip: no space left on device\n", .exit_code = 1);

  ck_cmox_replay(mox);
  const int status = backup("shop", file);
  ck_cmox_verify(mox);
  ck_assert_int_ne(status, 0);
}
END_TEST

int main(void) {
  TCase *tcase = tcase_create("backup");
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_checked_fixture(tcase, NULL, ck_cmox_teardown);
  tcase_add_test(tcase, the_real_gzip_compresses_the_mocked_dump);
  tcase_add_test(tcase, both_ends_are_mocked);
  Suite *suite = suite_create("backup");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
