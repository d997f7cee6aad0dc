#include "tests/lib/run_suite.h"

#include <stdio.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/long.h"
#include "tests/lib/valgrind.h"

enum { SKIPPED = 77 };

int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  if (cmox_valgrind_wanted() && !is_long()) {
    puts("SKIP: CMDMOX_LONG=1 runs the launcher under valgrind, which takes minutes");
    srunner_free(runner);
    return SKIPPED;
  }
  leftovers_watch();
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return leftovers_end() && failed == 0 ? 0 : 1;
}
