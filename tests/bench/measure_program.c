/* What starting the program costs: /bin/true and `cmdmox --version` in turn, as it is installed
 * (static where the archives are), and its dynamic twin. The ratios are taken within a run. */
#include <unistd.h>

#include "tests/bench/bench.h"

typedef enum kind { REFERENCE, PROGRAM, TWIN, KINDS } kind_t;

void bench_program(const bench_options_t *options) {
  static double samples[KINDS][BENCH_CALLS_MAX];
  static const char *const program[KINDS] = {"/bin/true", CMOX_BENCH_PROGRAM, CMOX_BENCH_TWIN};
  char *const argv[] = {(char[]){"cmdmox"}, (char[]){"--version"}, NULL};
  static bench_row_t rows[] = {
      {.measure = "program",
       .what = "--version, p50 / that of /bin/true",
       .unit = "x",
       .target = 1.5},
      {.measure = "program", .what = "--version, linked dynamically, p50 / that", .unit = "x"},
      {.measure = "program", .what = "--version, p50", .unit = "us"},
  };
  int out = bench_dev_null();
  for (unsigned run = 0; run <= options->runs; run++) { /* the first warms up */
    for (unsigned i = 0; i < options->calls; i++)
      for (unsigned k = 0; k < KINDS; k++)
        samples[k][i] = bench_spawn_us(program[k], argv, environ, out);
    if (run == 0) continue;
    double p50[KINDS];
    for (unsigned k = 0; k < KINDS; k++) p50[k] = bench_median(samples[k], options->calls);
    bench_row_add(&rows[0], p50[PROGRAM] / p50[REFERENCE]);
    bench_row_add(&rows[1], p50[TWIN] / p50[REFERENCE]);
    bench_row_add(&rows[2], p50[PROGRAM]);
  }
  (void)close(out);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}
