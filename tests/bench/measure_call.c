/* What one mocked call costs: /bin/true, a static no-op and a stub in turn, so that whatever
 * else the machine does hits all three. The ratio is taken within a run. */
#include <cmdmox/cmdmox.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/served.h"

static char *const arguments[] = {(char[]){"bench-command"}, (char[]){"describe"},
                                  (char[]){"--tags"}, NULL};

static void check_mock(cmox_t *mox, const char *step) {
  if (cmox_code(mox) != CMOX_OK) broken("%s: %s", step, cmox_message(mox));
}

typedef enum kind { REFERENCE, NOOP, MOCKED, KINDS } kind_t;

enum { CALL_ROWS = 5 };
#define ROWS_OF_A_CALL(name)                                                                  \
  {                                                                                           \
    {.measure = (name),                                                                       \
     .what = "mocked call, p50 / that of /bin/true",                                          \
     .unit = "x",                                                                             \
     .target = 0.35},                                                                         \
        {.measure = (name), .what = "mocked call, p50 above the static no-op", .unit = "us"}, \
        {.measure = (name), .what = "mocked call, p50", .unit = "us"},                        \
        {.measure = (name), .what = "static no-op, p50", .unit = "us"}, {                     \
      .measure = (name), .what = "/bin/true, p50", .unit = "us"                               \
    }                                                                                         \
  }

static void measure_calls(const bench_options_t *options, bench_row_t rows[CALL_ROWS]) {
  static double samples[KINDS][BENCH_CALLS_MAX];
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_double_t *stub = cmox_stub(mox, "bench-command");
  cmox_returns(stub, .out = "v1.4.0\n");
  (void)cmox_replay(mox);
  check_mock(mox, "replay");
  char *const *environment = cmox_environ(mox);
  char shim[4096];
  (void)snprintf(shim, sizeof shim, "%s/bench-command", cmox_shim_directory(mox));
  const char *const program[KINDS] = {"/bin/true", CMOX_BENCH_NOOP, shim};
  int out = bench_dev_null();
  uint64_t made = 0;
  /* One run more than asked: the first warms up. */
  for (unsigned run = 0; run <= options->runs; run++) {
    for (unsigned i = 0; i < options->calls; i++)
      for (unsigned k = 0; k < KINDS; k++)
        samples[k][i] = bench_spawn_us(program[k], arguments, environment, out);
    made += options->calls;
    if (run == 0) continue;
    double p50[KINDS];
    for (unsigned k = 0; k < KINDS; k++) p50[k] = bench_median(samples[k], options->calls);
    bench_row_add(&rows[0], p50[MOCKED] / p50[REFERENCE]);
    bench_row_add(&rows[1], p50[MOCKED] - p50[NOOP]);
    bench_row_add(&rows[2], p50[MOCKED]);
    bench_row_add(&rows[3], p50[NOOP]);
    bench_row_add(&rows[4], p50[REFERENCE]);
  }
  (void)close(out);
  if (cmox_call_count(stub) != made)
    broken("%llu calls were made, the journal has %llu", (unsigned long long)made,
           (unsigned long long)cmox_call_count(stub));
  if (cmox_verify(mox) != CMOX_OK) broken("verify: %s", cmox_message(mox));
  for (size_t i = 0; i < CALL_ROWS; i++) bench_report(&rows[i]);
}

void bench_call(const bench_options_t *options) {
  static bench_row_t rows[] = ROWS_OF_A_CALL("call");
  measure_calls(options, rows);
}

/* Without what it costs this machine to wake an idle core: the work alone. */
void bench_call_one_core(const bench_options_t *options) {
  static bench_row_t rows[] = ROWS_OF_A_CALL("one-core");
  cpu_set_t before;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((size_t)sched_getcpu(), &one);
  if (sched_getaffinity(0, sizeof before, &before) || sched_setaffinity(0, sizeof one, &one))
    broken("one-core: cannot choose a core");
  measure_calls(options, rows);
  if (sched_setaffinity(0, sizeof before, &before)) broken("one-core: cannot go back");
}

/* ---- Sessions ---- */

static double session_us(unsigned calls) {
  double start = now_us();
  cmox_t *mox = cmox_new(NULL);
  if (calls > 0) cmox_returns(cmox_stub(mox, "bench-command"), .out = "v1.4.0\n");
  (void)cmox_replay(mox);
  check_mock(mox, "replay");
  if (calls > 0) {
    char shim[4096];
    (void)snprintf(shim, sizeof shim, "%s/bench-command", cmox_shim_directory(mox));
    static int out = -1;
    if (out < 0) out = bench_dev_null();
    (void)bench_spawn_us(shim, arguments, environ, out);
  }
  if (cmox_verify(mox) != CMOX_OK) broken("verify: %s", cmox_message(mox));
  cmox_free(mox);
  return now_us() - start;
}

void bench_session(const bench_options_t *options) {
  static bench_row_t rows[] = {
      {.measure = "session", .what = "new, replay, verify, free, p50", .unit = "ms", .target = 2},
      {.measure = "session", .what = "the same with one stub and one call, p50", .unit = "ms"},
  };
  static double samples[2][BENCH_CALLS_MAX];
  unsigned count = options->calls < 50 ? options->calls : 50;
  for (unsigned run = 0; run <= options->runs; run++) {
    for (unsigned i = 0; i < count; i++)
      for (unsigned calls = 0; calls < 2; calls++) samples[calls][i] = session_us(calls);
    for (unsigned calls = 0; calls < 2 && run > 0; calls++)
      bench_row_add(&rows[calls], bench_median(samples[calls], count) / 1000);
  }
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}

/* ---- Many expectations ---- */

typedef struct crowd {
  unsigned expectations;
  cmox_t *mox;
  char shim[4096];
  char last[32]; /* the argument that only the last one accepts */
} crowd_t;

static void gather(crowd_t *crowd) {
  crowd->mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  for (unsigned i = 1; i <= crowd->expectations; i++) {
    (void)snprintf(crowd->last, sizeof crowd->last, "expectation-%06u", i);
    cmox_double_t *stub = cmox_stub(crowd->mox, "bench-command");
    cmox_with_args(stub, crowd->last);
  }
  (void)cmox_replay(crowd->mox);
  check_mock(crowd->mox, "replay");
  (void)snprintf(crowd->shim, sizeof crowd->shim, "%s/bench-command",
                 cmox_shim_directory(crowd->mox));
}

void bench_expectations(const bench_options_t *options) {
  static double samples[3][BENCH_CALLS_MAX];
  static crowd_t crowds[3] = {{.expectations = 1}, {.expectations = 1000}, {.expectations = 10000}};
  static bench_row_t rows[] = {
      {.measure = "expectations",
       .what = "call at 10000 expectations / at 1, p50",
       .unit = "x",
       .target = 1.2},
      {.measure = "expectations", .what = "call at 1000 expectations / at 1, p50", .unit = "x"},
      {.measure = "expectations", .what = "call at 1 expectation, p50", .unit = "us"},
  };
  for (unsigned k = 0; k < 3; k++) gather(&crowds[k]);
  int out = bench_dev_null();
  for (unsigned run = 0; run <= options->runs; run++) {
    for (unsigned i = 0; i < options->calls; i++)
      for (unsigned k = 0; k < 3; k++) {
        char *const argv[] = {arguments[0], crowds[k].last, NULL};
        samples[k][i] = bench_spawn_us(crowds[k].shim, argv, cmox_environ(crowds[k].mox), out);
      }
    if (run == 0) continue;
    double p50[3];
    for (unsigned k = 0; k < 3; k++) p50[k] = bench_median(samples[k], options->calls);
    bench_row_add(&rows[0], p50[2] / p50[0]);
    bench_row_add(&rows[1], p50[1] / p50[0]);
    bench_row_add(&rows[2], p50[0]);
  }
  (void)close(out);
  for (unsigned k = 0; k < 3; k++) {
    if (cmox_verify(crowds[k].mox) != CMOX_OK) broken("verify: %s", cmox_message(crowds[k].mox));
    cmox_free(crowds[k].mox);
  }
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(&rows[i]);
}

/* ---- Size ---- */

void bench_size(const bench_options_t *options) {
  (void)options;
  const char *path = getenv("CMOX_SHIM");
  FILE *file = fopen(path, "rb");
  struct stat info;
  Elf64_Ehdr header;
  if (!file || fstat(fileno(file), &info) != 0 || fread(&header, sizeof header, 1, file) != 1)
    broken("%s: %s", path, strerror(errno));
  bench_row_t row = {.measure = "size", .what = "shim on disk", .unit = "KiB"};
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    broken("%s is no 64-bit ELF program", path);
  for (unsigned i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr part;
    if (fseek(file, (long)(header.e_phoff + i * sizeof part), SEEK_SET) != 0 ||
        fread(&part, sizeof part, 1, file) != 1)
      broken("%s: its program headers cannot be read", path);
    if (part.p_type == PT_DYNAMIC || part.p_type == PT_INTERP) broken("%s is not static", path);
  }
  (void)fclose(file);
  row.target = 48;
  bench_row_add(&row, (double)info.st_size / 1024);
  bench_report(&row);
}
