/* What mocked tests of bats cost with ours in place of bats-mock, and with the original from npm. A
 * suite of as many empty tests is subtracted from both. A script runs the suites, in turn:
 * bats_suites.py. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/bench/bench.h"

enum { TESTS = 50 };

void bench_bats(const bench_options_t *options) {
  static bench_row_t rows[] = {
      {.measure = "bats",
       .what = "50 mocked tests, cmdmox / bats-mock of npm",
       .unit = "x",
       .target = 0.5},
      {.measure = "bats", .what = "a mocked test with bats-mock of npm", .unit = "ms"},
      {.measure = "bats", .what = "a mocked test with cmdmox", .unit = "ms"},
      {.measure = "bats", .what = "an empty test, subtracted from both", .unit = "ms"},
  };
  const unsigned tests = options->calls < TESTS ? options->calls : TESTS;
  char command[8192];
  (void)snprintf(command, sizeof command, "exec '%s' -B '%s' '%s' '%s' '%s' %u %u",
                 CMOX_BENCH_PYTHON, CMOX_BENCH_BATS_SUITES, CMOX_BENCH_BATS_ORIGINAL,
                 CMOX_BENCH_BATS_OURS, CMOX_BENCH_PROGRAM, options->runs, tests);
  FILE *times = popen(command, "r"); /* NOLINT(cert-env33-c): the paths are those of this build */
  if (!times) broken("cannot start %s", CMOX_BENCH_PYTHON);
  unsigned runs = 0;
  for (char line[128]; fgets(line, sizeof line, times); runs++) {
    char *at = line;
    const double empty = strtod(at, &at);
    const double original = strtod(at, &at) - empty;
    const double ours = strtod(at, &at) - empty;
    if (*at != '\n' || empty <= 0) broken("bats_suites.py printed %s", line);
    bench_row_add(&rows[0], original > 0 ? ours / original : 0);
    bench_row_add(&rows[1], original / tests);
    bench_row_add(&rows[2], ours / tests);
    bench_row_add(&rows[3], empty / tests);
  }
  const int status = pclose(times);
  if (status != 0 || runs != options->runs)
    broken("bats_suites.py gave %u runs of %u and ended with wait status %#x", runs, options->runs,
           (unsigned)status);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}
