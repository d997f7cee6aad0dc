/* 10,000 shims at once (500 in the quick form), each with an environment of 4 KiB of its own; their
 * replies are withheld until all are in. */
#include <stdio.h>

#include "tests/lib/held.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/long.h"
#include "tests/lib/run_suite.h"

START_TEST(none_is_lost_or_doubled_and_the_server_stays_small) {
  const unsigned count = QUICK_OR_LONG(500, 10000);
  const char *launcher = getenv("CMOX_SHIM");
  char *shim = strdup(launcher ? launcher : "");
  char *place = strdup(scratch_place());
  ck_assert_int_eq(clearenv(), 0);
  if (*shim) ck_assert_int_eq(setenv("CMOX_SHIM", shim, 1), 0);
  ck_assert_int_eq(setenv("TMPDIR", place, 1), 0);
  ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
  environment_fill(4096);
  free(shim);
  free(place);
  const held_figures_t figures = hold_shims(CMOX_TEST_PROGRAM, count);
  printf("%u shims held: the server's peak is %.1f MiB\n", count, figures.peak_mib);
  if (MEMORY_COUNTS) ck_assert_double_lt(figures.peak_mib, 128);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("held");
  TCase *all = tcase_create("held");
  tcase_set_timeout(all, 120);
  tcase_add_test(all, none_is_lost_or_doubled_and_the_server_stays_small);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
