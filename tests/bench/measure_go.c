/* What it costs when a function of Go answers a call or judges an argument, against /bin/true. A
 * program that uses the Go client takes the samples, in turn, and prints the medians of each run:
 * go/calls.go. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

void bench_go(const bench_options_t *options) {
  static bench_row_t rows[] = {
      {.measure = "go",
       .what = "call with a Go handler, p50 / /bin/true",
       .unit = "x",
       .target = 5},
      {.measure = "go",
       .what = "call with a Go predicate, p50 / /bin/true",
       .unit = "x",
       .target = 5},
      {.measure = "go", .what = "call with a Go handler, p50", .unit = "us"},
      {.measure = "go", .what = "call with a Go predicate, p50", .unit = "us"},
  };
  if (access(CMOX_BENCH_GO_CALLS, X_OK) != 0) {
    if (options->only) broken("%s is missing: ./dev build makes it", CMOX_BENCH_GO_CALLS);
    (void)fprintf(stderr, "go is left out: %s is missing (./dev build makes it)\n",
                  CMOX_BENCH_GO_CALLS);
    return;
  }
  char command[8192];
  (void)snprintf(command, sizeof command, "exec '%s' '%s' %u %u", CMOX_BENCH_GO_CALLS,
                 CMOX_BENCH_PROGRAM, options->runs, options->calls);
  FILE *medians = popen(command, "r"); /* NOLINT(cert-env33-c): the paths are those of this build */
  if (!medians) broken("cannot start %s", CMOX_BENCH_GO_CALLS);
  unsigned runs = 0;
  for (char line[128]; fgets(line, sizeof line, medians); runs++) {
    char *at = line;
    const double reference = strtod(at, &at);
    const double handler = strtod(at, &at);
    const double predicate = strtod(at, &at);
    if (*at != '\n' || reference <= 0) broken("go_calls printed %s", line);
    bench_row_add(&rows[0], handler / reference);
    bench_row_add(&rows[1], predicate / reference);
    bench_row_add(&rows[2], handler);
    bench_row_add(&rows[3], predicate);
  }
  const int status = pclose(medians);
  if (status != 0 || runs != options->runs)
    broken("go_calls gave %u runs of %u and ended with wait status %#x", runs, options->runs,
           (unsigned)status);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}
