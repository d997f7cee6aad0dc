/* What every Check program ends with. */
#ifndef CMOX_TESTS_RUN_SUITE_H
#define CMOX_TESTS_RUN_SUITE_H

#include <check.h>

/* Runs it as CK_VERBOSITY says and frees it; the program's exit status. */
static inline int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}

#endif
