#include "tests/lib/run_suite.h"

#include "tests/lib/leftovers.h"

int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  leftovers_watch();
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return leftovers_end() && failed == 0 ? 0 : 1;
}
