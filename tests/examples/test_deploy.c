/* A script that goes from host to host, and its tests: stubs answer, spies are asked afterwards. */
#include <cmdmox/check.h>
#include <stdlib.h>

/* The code under test. */
static int deploy(void) {
  return system(
      "for host in web1 web2; do ssh $host systemctl restart shop || exit 1; done\n"
      "logger 'shop is deployed'");
}

START_TEST(every_host_is_restarted_and_the_end_is_logged) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *ssh = cmox_spy(mox, "ssh");
  cmox_double_t *logger = cmox_spy(mox, "logger");

  ck_cmox_replay(mox);
  const int status = deploy();
  ck_cmox_verify(mox);
  ck_assert_int_eq(status, 0);
  ck_cmox_assert_has_calls(ssh, CMOX_CALL("web1", "systemctl", "restart", "shop"),
                           CMOX_CALL("web2", "systemctl", "restart", "shop"));
  ck_cmox_assert_called_with(logger, "shop is deployed");
}
END_TEST

START_TEST(a_host_that_cannot_be_reached_ends_it) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *broken = cmox_stub(mox, "ssh"); /* the first that accepts a call answers it */
  cmox_with_matching_args(broken, CMOX_EQ("web2"), CMOX_REST(CMOX_ANY));
  cmox_returns(broken, .err = "ssh: no route to host\n", .exit_code = 255);
  cmox_stub(mox, "ssh");
  cmox_double_t *logger = cmox_spy(mox, "logger");

  ck_cmox_replay(mox);
  const int status = deploy();
  ck_cmox_verify(mox);
  ck_assert_int_ne(status, 0);
  ck_cmox_assert_not_called(logger);
}
END_TEST

int main(void) {
  TCase *tcase = tcase_create("deploy");
  tcase_add_checked_fixture(tcase, NULL, ck_cmox_teardown);
  tcase_add_test(tcase, every_host_is_restarted_and_the_end_is_logged);
  tcase_add_test(tcase, a_host_that_cannot_be_reached_ends_it);
  Suite *suite = suite_create("deploy");
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
