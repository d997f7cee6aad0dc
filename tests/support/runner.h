#ifndef CMOX_TESTS_RUNNER_H
#define CMOX_TESTS_RUNNER_H

#include <check.h>

/* Runs the suite, frees it, and gives the exit status of the program. */
static inline int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}

#endif
