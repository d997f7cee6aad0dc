/* What each verb of a shell session costs, as a shell pays it: a process, one round trip or two,
 * and its end. /bin/true and all verbs in turn within a run; ratios of the medians. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { WORDS_MAX = 6 };

typedef struct verb_case {
  const char *what; /* of the row */
  char *words[WORDS_MAX];
} verb_case_t;

#define WORD(text) ((char[]){text})

/* Those that may be repeated; each leaves the session as it was, but for a stub more. */
static const verb_case_t cases[] = {
    {"stub, p50 / /bin/true", {WORD("cmdmox"), WORD("stub"), WORD("git"), WORD("push"), NULL}},
    {"mock, p50 / /bin/true",
     {WORD("cmdmox"), WORD("mock"), WORD("--times=0"), WORD("git"), WORD("push"), NULL}},
    {"register, p50 / /bin/true", {WORD("cmdmox"), WORD("register"), WORD("git"), NULL}},
    {"calls, p50 / /bin/true", {WORD("cmdmox"), WORD("calls"), WORD("git"), NULL}},
    {"assert, p50 / /bin/true",
     {WORD("cmdmox"), WORD("assert"), WORD("not-called"), WORD("git"), NULL}},
    {"journal, p50 / /bin/true", {WORD("cmdmox"), WORD("journal"), NULL}},
    {"env, p50 / /bin/true", {WORD("cmdmox"), WORD("env"), NULL}},
    {"release, p50 / /bin/true", {WORD("cmdmox"), WORD("release"), WORD("gate"), NULL}},
    {"verify, p50 / /bin/true", {WORD("cmdmox"), WORD("verify"), NULL}}, /* the last: it closes */
};
enum { CASES = sizeof cases / sizeof *cases, VERIFY = CASES - 1 };

static bench_row_t rows[CASES + 1];
static double samples[CASES + 1][BENCH_CALLS_MAX];

/* Begins a session that is for this process, and puts its variables into our environment. */
static void start_session(void) {
  char line[4096];
  char command[4096];
  (void)snprintf(command, sizeof command, "exec %s session start --parent %ld", CMOX_BENCH_PROGRAM,
                 (long)getpid());
  FILE *from = popen(command, "r");
  if (!from) broken("cannot run %s", command);
  while (fgets(line, sizeof line, from)) {
    char *name = line + strlen("export ");
    char *value = strchr(name, '\'');
    if (!value) broken("session start said: %s", line);
    value[-1] = '\0';
    value[1 + strcspn(value + 1, "'")] = '\0';
    if (setenv(name, value + 1, 1) != 0) broken("no memory");
  }
  if (pclose(from) != 0) broken("session start failed");
}

static void end_session(const char *path, int out) {
  char *const end[] = {WORD("cmdmox"), WORD("session"), WORD("end"), NULL};
  (void)bench_spawn_us(CMOX_BENCH_PROGRAM, end, environ, out);
  (void)setenv("PATH", path, 1);
  (void)unsetenv("CMOX_SESSION");
  (void)unsetenv("CMOX_IPC_SOCKET");
}

static void one_run(const bench_options_t *options, int out, bool counts) {
  char *const nothing[] = {WORD("true"), NULL};
  char *path = strdup(getenv("PATH"));
  start_session();
  for (unsigned i = 0; i < options->calls; i++) {
    samples[CASES][i] = bench_spawn_us("/bin/true", nothing, environ, out);
    for (unsigned k = 0; k < VERIFY; k++)
      samples[k][i] = bench_spawn_us(CMOX_BENCH_PROGRAM, cases[k].words, environ, out);
  }
  for (unsigned i = 0; i < options->calls; i++)
    samples[VERIFY][i] = bench_spawn_us(CMOX_BENCH_PROGRAM, cases[VERIFY].words, environ, out);
  end_session(path, out);
  free(path);
  if (!counts) return;
  const double reference = bench_median(samples[CASES], options->calls);
  for (unsigned k = 0; k < CASES; k++)
    bench_row_add(&rows[k], bench_median(samples[k], options->calls) / reference);
  bench_row_add(&rows[CASES], reference);
}

void bench_verbs(const bench_options_t *options) {
  const int out = bench_dev_null();
  for (unsigned k = 0; k < CASES; k++)
    rows[k] = (bench_row_t){.measure = "verbs", .what = cases[k].what, .unit = "x", .target = 4};
  rows[CASES] = (bench_row_t){.measure = "verbs", .what = "/bin/true, p50", .unit = "us"};
  for (unsigned run = 0; run <= options->runs; run++) /* the first warms up */
    one_run(options, out, run > 0);
  (void)close(out);
  for (unsigned k = 0; k <= CASES; k++) bench_report(&rows[k]);
}
