/* What it costs when a function of JavaScript answers a call, against /bin/true, by spawn() and by
 * spawnSync(), in which Node's own thread stands still. A script of the JavaScript client takes the
 * samples, in turn, and prints the medians of each run: js_calls.mjs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

void bench_js(const bench_options_t *options) {
  static bench_row_t rows[] = {
      {.measure = "javascript",
       .what = "call with a handler by spawn(), p50 / /bin/true",
       .unit = "x",
       .target = 5},
      {.measure = "javascript",
       .what = "call with a handler by spawnSync(), p50 / /bin/true",
       .unit = "x",
       .target = 5},
      {.measure = "javascript", .what = "call with a handler by spawn(), p50", .unit = "us"},
      {.measure = "javascript", .what = "call with a handler by spawnSync(), p50", .unit = "us"},
  };
  if (access(CMOX_BENCH_JS_PACKAGE "/dist", R_OK) != 0) {
    if (options->only) broken("%s is missing: ./dev build makes it", CMOX_BENCH_JS_PACKAGE);
    (void)fprintf(stderr, "javascript is left out: %s is missing (./dev build makes it)\n",
                  CMOX_BENCH_JS_PACKAGE);
    return;
  }
  char command[8192];
  (void)snprintf(command, sizeof command, "PATH='%s' exec node '%s' '%s' '%s' %u %u",
                 bench_tools_path(), CMOX_BENCH_JS_CALLS, CMOX_BENCH_JS_PACKAGE, CMOX_BENCH_PROGRAM,
                 options->runs, options->calls);
  FILE *medians = popen(command, "r"); /* NOLINT(cert-env33-c): the paths are those of this build */
  if (!medians) broken("cannot start node");
  unsigned runs = 0;
  for (char line[128]; fgets(line, sizeof line, medians); runs++) {
    double taken[4]; /* /bin/true and a handler by spawn(), and the same by spawnSync() */
    char *at = line;
    for (size_t i = 0; i < 4; i++) taken[i] = strtod(at, &at);
    if (*at != '\n' || taken[0] <= 0 || taken[2] <= 0) broken("js_calls.mjs printed %s", line);
    bench_row_add(&rows[0], taken[1] / taken[0]);
    bench_row_add(&rows[1], taken[3] / taken[2]);
    bench_row_add(&rows[2], taken[1]);
    bench_row_add(&rows[3], taken[3]);
  }
  const int status = pclose(medians);
  if (status != 0 || runs != options->runs)
    broken("js_calls.mjs gave %u runs of %u and ended with wait status %#x", runs, options->runs,
           (unsigned)status);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}
