/* What a session costs that is contained, or has an absent command, by what is installed. */
#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { PROGRAMS = 1000, KINDS = 3 };

static char directory[] = "/tmp/cmdmox-bench-XXXXXX";

static void name_program(unsigned number, char path[64]) {
  (void)snprintf(path, 64, "%s/program%u", directory, number);
}

/* One file under many names: what they hold does not matter here. */
static void install(void) {
  char first[64];
  char other[64];
  if (!mkdtemp(directory)) broken("%s: %s", directory, strerror(errno));
  name_program(0, first);
  int fd = open(first, O_CREAT | O_WRONLY | O_EXCL, 0755);
  if (fd < 0 || close(fd) != 0) broken("%s: %s", first, strerror(errno));
  for (unsigned i = 1; i < PROGRAMS; i++) {
    name_program(i, other);
    if (link(first, other) != 0) broken("%s: %s", other, strerror(errno));
  }
}

static void uninstall(void) {
  char path[64];
  for (unsigned i = 0; i < PROGRAMS; i++) {
    name_program(i, path);
    (void)unlink(path);
  }
  (void)rmdir(directory);
}

static double now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* kind: plain, contained, with an absent command. */
static double session_ms(unsigned kind) {
  double begin = now_ms();
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = kind == 1));
  cmox_stub(mox, "program1");
  if (kind == 1) cmox_allow(mox, "program2");
  if (kind == 2) cmox_absent(mox, "program3");
  if (cmox_replay(mox) != CMOX_OK) broken("replay: %s", cmox_message(mox));
  if (cmox_verify(mox) != CMOX_OK) broken("verify: %s", cmox_message(mox));
  cmox_free(mox);
  return now_ms() - begin;
}

void bench_path(const bench_options_t *options) {
  static double samples[KINDS][BENCH_CALLS_MAX];
  static bench_row_t rows[KINDS] = {
      {.measure = "path", .what = "session, 1000 programs on PATH, p50", .unit = "ms"},
      {.measure = "path", .what = "the same, contained", .unit = "ms"},
      {.measure = "path", .what = "the same, with an absent command", .unit = "ms"},
  };
  const unsigned sessions = options->calls < 10 ? options->calls : 10; /* of a kind in a run */
  char *before = strdup(getenv("PATH"));
  install();
  if (!before || setenv("PATH", directory, 1) != 0) broken("out of memory");
  for (unsigned run = 0; run < options->runs; run++) {
    for (unsigned i = 0; i < sessions; i++)
      for (unsigned kind = 0; kind < KINDS; kind++) samples[kind][i] = session_ms(kind);
    for (unsigned kind = 0; kind < KINDS; kind++)
      bench_row_add(&rows[kind], bench_median(samples[kind], sessions));
  }
  (void)setenv("PATH", before, 1);
  free(before);
  uninstall();
  for (unsigned kind = 0; kind < KINDS; kind++) bench_report(&rows[kind]);
}
