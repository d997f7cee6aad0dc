#include "tests/lib/run_suite.h"

#include <stdlib.h>

#include "tests/lib/leftovers.h"

/* Check's own four seconds are no hang on a busy machine. Before any tcase_create(). */
__attribute__((constructor)) static void be_patient(void) {
  (void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
}

int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  leftovers_watch();
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return leftovers_end() && failed == 0 ? 0 : 1;
}
