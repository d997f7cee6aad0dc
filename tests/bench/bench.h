/* What the measures share: samples, rows of the result, child processes. */
#ifndef CMOX_BENCH_H
#define CMOX_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Something is wrong, not slow: one line, exit status 1. */
#include "tests/lib/broken.h"

typedef struct bench_options {
  unsigned runs;  /* repetitions of a measure; what is shown is the median over them */
  unsigned calls; /* samples of each kind within one run */
  unsigned held;  /* shims held at once */
  unsigned stdin_mib;
  bool json;
  const char *only; /* measure to take; NULL: all */
} bench_options_t;

/* ---- Samples and results (result.c) ---- */

#define BENCH_RUNS_MAX 100u
#define BENCH_CALLS_MAX 100000u

/* Sorts the samples. */
double bench_median(double *samples, size_t count);

typedef struct bench_row {
  const char *measure; /* one row or more each */
  const char *what;
  const char *unit;
  double value[BENCH_RUNS_MAX]; /* one per run */
  unsigned count;
  double target; /* at most this; 0: information only */
} bench_row_t;

void bench_row_add(bench_row_t *row, double value);
/* Keeps a copy; the strings must live on. */
void bench_report(const bench_row_t *row);
void bench_print(const bench_options_t *options);

/* ---- Child processes (child.c) ---- */

#define BENCH_ENVIRONMENT_BYTES 4096u

/* Makes this process's environment one of about 4 KiB: PATH and filler. */
void bench_environment_set(void);
/* PATH from before, where the tools of other languages are. */
const char *bench_tools_path(void);

/* Spawns and waits; the time in us. Anything but exit status 0 is broken. */
double bench_spawn_us(const char *program, char *const *argv, char *const *environment, int out);
int bench_dev_null(void);

/* ---- Measures ---- */

void bench_call(const bench_options_t *options);
void bench_call_one_core(const bench_options_t *options);
void bench_session(const bench_options_t *options);
void bench_path(const bench_options_t *options);
void bench_held(const bench_options_t *options);
void bench_expectations(const bench_options_t *options);
void bench_stdin(const bench_options_t *options);
void bench_passthrough(const bench_options_t *options);
void bench_program(const bench_options_t *options);
void bench_verbs(const bench_options_t *options);
void bench_python(const bench_options_t *options);
void bench_js(const bench_options_t *options);
void bench_go(const bench_options_t *options);
void bench_bats(const bench_options_t *options);
void bench_size(const bench_options_t *options);

#endif
