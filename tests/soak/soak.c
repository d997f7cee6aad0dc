/* Runs sessions with shims, whatever happens to them, in an order that a seed decides: stories.c.
 * In the end every call was answered rightly or ended with 125; one server that lived through most
 * of it has as many descriptors as at its start and no more memory than it had half-way; nobody is
 * left, and nothing on disk after the next start. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/broken.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/long.h"
#include "tests/lib/processes.h"
#include "tests/soak/soak.h"

enum {
  GUARD_S = 60,       /* for one story */
  PATIENCE_MS = 5000, /* for the server to see that links have closed */
  GROWTH_MIB = 4,
  LONG = 1000,
  QUICK = MEMORY_COUNTS ? LONG : 60 /* a sanitizer makes each session many times slower */
};

typedef struct options {
  unsigned sessions, shims, bad; /* bad: per cent */
  uint64_t seed;
} options_t;

static char place[64];
static const char *now = "the beginning";

unsigned soak_random(soak_t *soak, unsigned below) {
  soak->random ^= soak->random << 13;
  soak->random ^= soak->random >> 7;
  soak->random ^= soak->random << 17;
  return (unsigned)((soak->random >> 16) % below);
}

static void on_alarm(int number) {
  (void)number;
  static const char text[] = "broken: this story hangs: ";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  (void)!write(STDERR_FILENO, now, strlen(now));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(1);
}

static unsigned count_entries(const char *path) {
  DIR *dir = opendir(path);
  unsigned count = 0;
  if (!dir) broken("%s: %s", path, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  (void)closedir(dir);
  return count;
}

static unsigned descriptors_of(pid_t pid) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  return count_entries(path);
}

/* Links of processes that have ended close a little later. */
static void expect_descriptors(pid_t pid, unsigned expected, const char *after) {
  unsigned count = descriptors_of(pid);
  for (int waited = 0; count != expected && waited < PATIENCE_MS; waited += 5) {
    (void)poll(NULL, 0, 5);
    count = descriptors_of(pid);
  }
  if (count != expected)
    broken("the server has %u descriptors instead of %u after this story: %s", count, expected,
           after);
}

static const story_t *choose(soak_t *soak, const options_t *options) {
  const bool bad = soak_random(soak, 100) < options->bad;
  const story_t *story;
  do {
    story = &stories[soak_random(soak, story_count)];
  } while (story->bad != bad);
  return story;
}

static void tell(soak_t *soak, const story_t *story) {
  served_t own;
  served_t *usual = soak->server;
  now = story->name;
  (void)alarm(GUARD_S);
  if (story->fatal) {
    served_start(&own, CMOX_TEST_PROGRAM, 0);
    soak->server = &own;
  }
  story->tell(soak);
  soak->server = usual;
}

static bool count_child(const process_t *process, void *user) {
  if (process->parent == getpid()) {
    (void)fprintf(stderr, "process %d (%s) is left, state %c\n", (int)process->pid, process->name,
                  process->state);
    ++*(unsigned *)user;
  }
  return true;
}

/* A start sweeps what the dead have left. */
static void check_litter(void) {
  served_t server;
  served_session_t session;
  served_start(&server, CMOX_TEST_PROGRAM, 0);
  served_session_open(&session, &server);
  served_session_delete(&session);
  served_stop(&server);
  const unsigned left = count_entries(place);
  if (left > 0) broken("%u entries are left in %s after the next start", left, place);
}

static void soak_all(const options_t *options, soak_t *soak) {
  served_t server;
  served_start(&server, CMOX_TEST_PROGRAM, 0);
  soak->server = &server;
  tell(soak, &stories[0]); /* what a first session brings stays: the lock of its directory */
  const unsigned baseline = descriptors_of(server.pid);
  double half_way = 0;
  for (unsigned i = 0; i < options->sessions; i++) {
    const story_t *story = choose(soak, options);
    tell(soak, story);
    expect_descriptors(server.pid, baseline, story->name);
    if (i == options->sessions / 2) half_way = served_mib(&server, "VmRSS:");
  }
  const double end = served_mib(&server, "VmRSS:");
  served_stop(&server);
  (void)printf(
      "%u sessions, %u calls answered, %u refused, %u killed; the server's memory %.1f MiB "
      "half-way, "
      "%.1f MiB in the end\n",
      options->sessions, soak->answered, soak->refused, soak->killed, half_way, end);
  if (MEMORY_COUNTS && end > half_way + GROWTH_MIB) broken("the server's memory grows");
}

static unsigned number(const char *text, unsigned most) {
  char *end;
  const unsigned long value = strtoul(text, &end, 10);
  if (*end || value == 0 || value > most) {
    (void)fprintf(stderr, "cmdmox_soak: %s: give a number from 1 to %u\n", text, most);
    exit(2);
  }
  return (unsigned)value;
}

static options_t parse(int argc, char **argv) {
  static const struct option known[] = {{"sessions", required_argument, NULL, 's'},
                                        {"shims", required_argument, NULL, 'm'},
                                        {"bad", required_argument, NULL, 'b'},
                                        {"seed", required_argument, NULL, 'S'},
                                        {NULL, no_argument, NULL, 0}};
  options_t options = {
      .sessions = QUICK_OR_LONG(QUICK, LONG), .shims = QUICK_OR_LONG(4, 8), .bad = 30};
  options.seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (option) {
      case 's':
        options.sessions = number(optarg, 1000000);
        break;
      case 'm':
        options.shims = number(optarg, SOAK_SHIMS_MAX);
        break;
      case 'b':
        options.bad = number(optarg, 99);
        break;
      case 'S':
        options.seed = strtoull(optarg, NULL, 10);
        break;
      default:
        (void)fputs("usage: cmdmox_soak [--sessions N] [--shims N] [--bad PERCENT] [--seed N]\n",
                    stderr);
        exit(2);
    }
  return options;
}

static void make_place(void) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(place, sizeof place, "%.40s/soak-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(place) || chmod(place, 0711) != 0 || setenv("CMOX_TMPDIR", place, 1) != 0)
    broken("%s: %s", place, strerror(errno));
}

int main(int argc, char **argv) {
  const options_t options = parse(argc, argv);
  (void)printf("cmdmox_soak --sessions %u --shims %u --bad %u --seed %llu\n", options.sessions,
               options.shims, options.bad, (unsigned long long)options.seed);
  (void)fflush(stdout);
  (void)signal(SIGALRM, on_alarm);
  make_place();
  soak_t soak = {.random = options.seed * 2685821657736338717u | 1, .shims = options.shims};
  descriptors_t *before = descriptors_read();
  soak_all(&options, &soak);
  check_litter();
  descriptors_t *after = descriptors_read();
  unsigned left = 0;
  processes_visit(count_child, &left);
  if (left > 0) broken("%u processes are left", left);
  if (before && after && before->count != after->count)
    broken("%zu descriptors were open, now %zu", before->count, after->count);
  free(before);
  free(after);
  if (rmdir(place) != 0) broken("%s: %s", place, strerror(errno));
  return 0;
}
