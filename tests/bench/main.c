/* Measures cmdmox; docs/benchmarks.md says how to read the figures. Slow is
 * no failure: the exit status is 0 unless something gave a wrong result. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

static const struct {
  const char *name;
  void (*take)(const bench_options_t *options);
  const char *help;
} measures[] = {
    {"call", bench_call, "one mocked call against /bin/true and a static no-op"},
    {"one-core", bench_call_one_core, "the same with test, engine and shim on one core"},
    {"session", bench_session, "new, replay, verify, free"},
    {"path", bench_path, "the same for contained sessions and absent commands"},
    {"held", bench_held, "many shims held at once"},
    {"expectations", bench_expectations, "one call at 1, 1000 and 10000 expectations"},
    {"stdin", bench_stdin, "one call with a long stdin, captured"},
    {"passthrough", bench_passthrough,
     "the real command through the shim, captured, against itself"},
    {"program", bench_program, "starting the program, against /bin/true"},
    {"verbs", bench_verbs, "the verbs of a shell session, against /bin/true"},
    {"python", bench_python, "calls that functions of Python answer and judge, against /bin/true"},
    {"javascript", bench_js, "calls that functions of JavaScript answer, against /bin/true"},
    {"go", bench_go, "calls that functions of Go answer and judge, against /bin/true"},
    {"bats", bench_bats, "mocked tests of bats, against the original bats-mock"},
    {"size", bench_size, "the shim on disk"},
};
enum { MEASURES = sizeof measures / sizeof *measures };

static void help(FILE *to) {
  (void)fputs(
      "usage: cmdmox_bench [--runs N] [--calls N] [--held N] [--stdin MIB] [--only MEASURE] "
      "[--json]\n\n"
      "  --runs N        repetitions; the median over them is shown (default 7)\n"
      "  --calls N       calls of each kind in a run (default 300)\n"
      "  --held N        shims held at once (default 10000)\n"
      "  --stdin MIB     length of the long stdin and output (default 1024)\n"
      "  --only MEASURE  one of:\n",
      to);
  for (size_t i = 0; i < MEASURES; i++)
    (void)fprintf(to, "                    %-13s %s\n", measures[i].name, measures[i].help);
  (void)fputs("  --json          for programs\n", to);
}

static unsigned number(const char *text, unsigned most) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (*end || value == 0 || value > most) {
    (void)fprintf(stderr, "cmdmox_bench: %s: give a number from 1 to %u\n", text, most);
    exit(2);
  }
  return (unsigned)value;
}

static void check_name(const char *name) {
  for (size_t i = 0; i < MEASURES; i++)
    if (strcmp(measures[i].name, name) == 0) return;
  (void)fprintf(stderr, "cmdmox_bench: no such measure: %s (see --help)\n", name);
  exit(2);
}

static bench_options_t parse(int argc, char **argv) {
  static const struct option known[] = {
      {"runs", required_argument, NULL, 'r'},  {"calls", required_argument, NULL, 'c'},
      {"held", required_argument, NULL, 'H'},  {"only", required_argument, NULL, 'o'},
      {"stdin", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
      {"help", no_argument, NULL, 'h'},        {NULL, no_argument, NULL, 0},
  };
  bench_options_t options = {.runs = 7, .calls = 300, .held = 10000, .stdin_mib = 1024};
  for (int option; (option = getopt_long(argc, argv, "h", known, NULL)) != -1;) switch (option) {
      case 'r':
        options.runs = number(optarg, BENCH_RUNS_MAX);
        break;
      case 'c':
        options.calls = number(optarg, BENCH_CALLS_MAX);
        break;
      case 'H':
        options.held = number(optarg, 1000000);
        break;
      case 's':
        options.stdin_mib = number(optarg, 1000000);
        break;
      case 'o':
        check_name(optarg);
        options.only = optarg;
        break;
      case 'j':
        options.json = true;
        break;
      case 'h':
        help(stdout);
        exit(0);
      default:
        help(stderr);
        exit(2);
    }
  if (optind < argc) {
    help(stderr);
    exit(2);
  }
  return options;
}

int main(int argc, char **argv) {
  const bench_options_t options = parse(argc, argv);
  bench_environment_set();
  for (size_t i = 0; i < MEASURES; i++)
    if (!options.only || strcmp(options.only, measures[i].name) == 0) measures[i].take(&options);
  bench_print(&options);
  return 0;
}
