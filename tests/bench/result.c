#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"

static bench_row_t rows[64];
static size_t row_count;

static int compare(const void *left, const void *right) {
  double a = *(const double *)left;
  double b = *(const double *)right;
  return (a > b) - (a < b);
}

double bench_median(double *samples, size_t count) {
  if (count == 0) broken("a measure without samples");
  qsort(samples, count, sizeof *samples, compare);
  return count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

void bench_row_add(bench_row_t *row, double value) {
  if (row->count < BENCH_RUNS_MAX) row->value[row->count++] = value;
}

void bench_report(const bench_row_t *row) {
  if (row_count == sizeof rows / sizeof *rows) broken("too many rows");
  rows[row_count++] = *row;
}

static const char *verdict(const bench_row_t *row, double median) {
  if (row->target <= 0) return "";
  return median <= row->target ? "pass" : "miss";
}

static void print_json(const bench_options_t *options) {
  (void)printf("{\"runs\": %u, \"calls\": %u, \"held\": %u, \"rows\": [", options->runs,
               options->calls, options->held);
  for (size_t i = 0; i < row_count; i++) {
    bench_row_t *row = &rows[i];
    double median = bench_median(row->value, row->count);
    (void)printf(
        "%s\n  {\"measure\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"median\": %.4f, "
        "\"min\": %.4f, \"max\": %.4f, \"runs\": %u",
        i ? "," : "", row->measure, row->what, row->unit, median, row->value[0],
        row->value[row->count - 1], row->count);
    if (row->target > 0)
      (void)printf(", \"target\": %.4f, \"pass\": %s", row->target,
                   median <= row->target ? "true" : "false");
    (void)printf("}");
  }
  (void)printf("\n]}\n");
}

static void print_table(void) {
  (void)printf("%-13s %-46s %10s %21s  %-5s %9s\n", "measure", "what", "median", "min..max", "unit",
               "target");
  for (size_t i = 0; i < row_count; i++) {
    bench_row_t *row = &rows[i];
    double median = bench_median(row->value, row->count);
    char spread[48] = "";
    char target[24] = "";
    if (row->count > 1)
      (void)snprintf(spread, sizeof spread, "%.2f..%.2f", row->value[0],
                     row->value[row->count - 1]);
    if (row->target > 0) (void)snprintf(target, sizeof target, "<= %.2f", row->target);
    (void)printf("%-13s %-46s %10.2f %21s  %-5s %9s  %s\n", row->measure, row->what, median, spread,
                 row->unit, target, verdict(row, median));
  }
}

void bench_print(const bench_options_t *options) {
  if (options->json)
    print_json(options);
  else
    print_table();
}
