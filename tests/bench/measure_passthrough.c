/* The real command, directly and passed through with its outputs captured: in turn, so that
 * whatever else the machine does hits both. */
#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/served.h"

typedef struct timed {
  double us;
  uint64_t bytes;  /* of stdout */
  double peak_mib; /* of the process that was started, as often as it was looked at */
} timed_t;

/* Not its rusage: that remembers what this process was before it became the command. */
static double peak_mib_of(pid_t pid) {
  char line[256];
  double kib = 0;
  (void)snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
  FILE *status = fopen(line, "r");
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, "VmHWM:", 6) == 0) kib = strtod(line + 6, NULL);
  if (status) (void)fclose(status);
  return kib / 1024;
}

/* Runs it with a pipe for each output, and reads stdout to its end. */
static timed_t run_command(const char *program, char *const *argv, char *const *environment) {
  static char block[256 << 10];
  int outs[2];
  int errs[2];
  timed_t timed = {0};
  int status;
  if (pipe2(outs, O_CLOEXEC) != 0 || pipe2(errs, O_CLOEXEC) != 0) broken("%s", strerror(errno));
  const double start = now_us();
  const pid_t pid = spawn_to(program, argv, environment, -1, outs[1], errs[1]);
  (void)close(outs[1]);
  (void)close(errs[1]);
  for (ssize_t got; (got = read(outs[0], block, sizeof block)) > 0;) {
    enum { LOOK_EVERY = 16 << 20 };
    if (timed.bytes / LOOK_EVERY != (timed.bytes + (uint64_t)got) / LOOK_EVERY)
      timed.peak_mib = peak_mib_of(pid);
    timed.bytes += (uint64_t)got;
  }
  if (waitpid(pid, &status, 0) != pid || status != 0)
    broken("%s ended with wait status %#x", program, (unsigned)status);
  timed.us = now_us() - start;
  (void)close(outs[0]);
  (void)close(errs[0]);
  return timed;
}

typedef struct passed {
  cmox_t *mox;
  cmox_double_t *spy;
  char shim[4096];
} passed_t;

static passed_t pass(const char *command, uint64_t capture_max_bytes) {
  passed_t passed = {
      .mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE)),
  };
  passed.spy = cmox_spy(passed.mox, command);
  cmox_passthrough(passed.spy, .capture_max_bytes = capture_max_bytes);
  if (cmox_replay(passed.mox) != CMOX_OK) broken("replay: %s", cmox_message(passed.mox));
  (void)snprintf(passed.shim, sizeof passed.shim, "%s/%s", cmox_shim_directory(passed.mox),
                 command);
  return passed;
}

/* The journal has each call with this stdout. */
static void end(passed_t *passed, unsigned count, uint64_t bytes) {
  if (cmox_verify(passed->mox) != CMOX_OK) broken("verify: %s", cmox_message(passed->mox));
  cmox_invocations_t *calls = cmox_invocations(passed->spy);
  if (calls->count != count) broken("the journal has %zu calls of %u", calls->count, count);
  for (size_t i = 0; i < calls->count; i++)
    if (calls->items[i].stdout_length != bytes || !calls->items[i].program.len)
      broken("the journal has another stdout");
  cmox_invocations_free(calls);
  cmox_free(passed->mox);
}

enum { DIRECT, PASSED, WAYS };

static void measure_small(const bench_options_t *options) {
  static double samples[WAYS][BENCH_CALLS_MAX];
  static bench_row_t rows[] = {
      {.measure = "passthrough",
       .what = "both streams captured, p50 / that of the direct call",
       .unit = "x",
       .target = 1.6},
      {.measure = "passthrough", .what = "both streams captured, p50", .unit = "us"},
      {.measure = "passthrough", .what = "the direct call, p50", .unit = "us"},
  };
  char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"echo out; echo err >&2"}, NULL};
  passed_t passed = pass("sh", 0);
  char *const *environment = cmox_environ(passed.mox);
  const char *const program[WAYS] = {"/bin/sh", passed.shim};
  for (unsigned run = 0; run <= options->runs; run++) {
    for (unsigned i = 0; i < options->calls; i++)
      for (unsigned k = 0; k < WAYS; k++)
        samples[k][i] = run_command(program[k], argv, environment).us;
    if (run == 0) continue;
    const double direct = bench_median(samples[DIRECT], options->calls);
    const double through = bench_median(samples[PASSED], options->calls);
    bench_row_add(&rows[0], through / direct);
    bench_row_add(&rows[1], through);
    bench_row_add(&rows[2], direct);
  }
  end(&passed, (options->runs + 1) * options->calls, 4);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}

static void measure_large(const bench_options_t *options) {
  static bench_row_t rows[] = {
      {.measure = "passthrough",
       .what = "captured output's time / that of a pipe",
       .unit = "x",
       .target = 2},
      {.measure = "passthrough", .what = "captured output, capped at 1 MiB", .unit = "MiB/s"},
      {.measure = "passthrough", .what = "a shim's memory at most", .unit = "MiB", .target = 2},
      {.measure = "passthrough", .what = "output of the call", .unit = "MiB"},
  };
  char size[32];
  (void)snprintf(size, sizeof size, "%uM", options->stdin_mib);
  char *const argv[] = {(char[]){"head"}, (char[]){"-c"}, size, (char[]){"/dev/zero"}, NULL};
  const uint64_t bytes = (uint64_t)options->stdin_mib << 20;
  passed_t passed = pass("head", 1 << 20);
  char *const *environment = cmox_environ(passed.mox);
  for (unsigned run = 0; run < options->runs; run++) {
    const timed_t direct = run_command("/usr/bin/head", argv, environment);
    const timed_t through = run_command(passed.shim, argv, environment);
    if (direct.bytes != bytes || through.bytes != bytes) broken("other bytes came out");
    bench_row_add(&rows[0], through.us / direct.us);
    bench_row_add(&rows[1], options->stdin_mib / (through.us / 1e6));
    bench_row_add(&rows[2], through.peak_mib);
  }
  bench_row_add(&rows[3], options->stdin_mib);
  end(&passed, options->runs, bytes);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}

void bench_passthrough(const bench_options_t *options) {
  measure_small(options);
  measure_large(options);
}
