/* A long stdin that is captured: memory must not grow with it. */
#include <cmdmox/cmdmox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

/* A line of this process's /proc/self/status, MiB. */
static double own_mib(const char *name) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  double kib = -1;
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, name, strlen(name)) == 0) kib = strtod(line + strlen(name), NULL);
  if (status) (void)fclose(status);
  if (kib < 0) broken("/proc/self/status has no %s", name);
  return kib / 1024;
}

static void forget_peak(void) {
  FILE *refs = fopen("/proc/self/clear_refs", "w");
  if (!refs || fputs("5", refs) < 0 || fclose(refs) != 0)
    broken("/proc/self/clear_refs cannot be written");
}

void bench_stdin(const bench_options_t *options) {
  bench_row_t peak = {.measure = "stdin",
                      .what = "memory taken at most, engine and test, during one call",
                      .unit = "MiB",
                      .target = 16};
  bench_row_t speed = {.measure = "stdin", .what = "captured, with its digest", .unit = "MiB/s"};
  bench_row_t size = {.measure = "stdin", .what = "stdin of the call", .unit = "MiB"};
  char line[96];
  (void)snprintf(line, sizeof line, "head -c %uM /dev/zero | bench-command", options->stdin_mib);
  for (unsigned run = 0; run < options->runs; run++) {
    cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
    cmox_double_t *spy = cmox_spy(mox, "bench-command");
    cmox_capture_stdin_up_to(spy, UINT64_MAX, 600000);
    if (cmox_replay(mox) != CMOX_OK) broken("replay: %s", cmox_message(mox));
    forget_peak();
    double before = own_mib("VmHWM:");
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", line, NULL};
    int out = bench_dev_null();
    double us = bench_spawn_us("/bin/sh", argv, cmox_environ(mox), out);
    (void)close(out);
    bench_row_add(&peak, own_mib("VmHWM:") - before);
    bench_row_add(&speed, options->stdin_mib / (us / 1e6));
    if (cmox_verify(mox) != CMOX_OK) broken("verify: %s", cmox_message(mox));
    cmox_invocations_t *calls = cmox_invocations(spy);
    if (calls->count != 1 || calls->items[0].stdin_length != (uint64_t)options->stdin_mib << 20)
      broken("the journal has another stdin");
    cmox_invocations_free(calls);
    cmox_free(mox);
  }
  bench_row_add(&size, options->stdin_mib);
  const bench_row_t *rows[] = {&size, &peak, &speed};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(rows[i]);
}
