/* Many shims held at once: tests/lib/held.h says how, and checks every answer. */
#include "tests/bench/bench.h"
#include "tests/lib/held.h"

void bench_held(const bench_options_t *options) {
  bench_row_t peak = {.measure = "held",
                      .what = "server's peak memory, all shims held",
                      .unit = "MiB",
                      .target = 128};
  bench_row_t arrival = {.measure = "held", .what = "start to all held, per shim", .unit = "us"};
  bench_row_t departure = {.measure = "held", .what = "gate to all ended, per shim", .unit = "us"};
  bench_row_t count = {.measure = "held", .what = "shims, none lost or doubled", .unit = ""};
  bench_row_t system = {
      .measure = "held", .what = "memory of the system taken, per shim", .unit = "KiB"};
  const held_figures_t figures = hold_shims(CMOX_BENCH_PROGRAM, options->held);
  bench_row_add(&arrival, figures.arrival_us);
  bench_row_add(&system, figures.system_kib);
  bench_row_add(&departure, figures.departure_us);
  bench_row_add(&peak, figures.peak_mib);
  bench_row_add(&count, options->held);
  const bench_row_t *rows[] = {&count, &peak, &arrival, &departure, &system};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(rows[i]);
}
