/* Runs the scenarios of tests/conformance through the C library: conformance_c FOLDER [NAME...]
 *
 * Each scenario has a process of its own, which may leave nothing behind (tests/lib/leftovers.h).
 * With --broken every scenario has to fail: what the runner cannot see, it cannot promise. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/c/stage.h"
#include "tests/lib/files.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/served.h"

enum { FILES_MAX = 64, GUARD_S = 120, MISMATCH = 1 };

/* What scenarios may need and this client has, and what it has not. */
static const char *const provided[] = {
    "handlers", "predicates",  "refine",    "live",    "recording",  "gates",
    "mistakes", "passthrough", "contained", "absent",  "assertions", "journal-bound",
    "reports",  "forget",      "raw",       "journal", "reasons",    "drain_stdin"};
static const struct {
  const char *need, *why;
} lacking[] = {
    {"findings", "the C library hands out the report, not its parts"},
    {"failing-predicates", "a predicate in C gives true or false, and has no other end"},
};

typedef struct options {
  const char *folder;
  char **names; /* none: all scenarios */
  int name_count;
  bool broken, smoke;
} options_t;

typedef struct tally {
  unsigned passed, failed, skipped;
} tally_t;

static int said; /* where the scenario's process says how it went */
static json_t
    *root; /* of the file at work; known here, so that it is no leak of a scenario's process */

static const char *address; /* of a server that runs already, or NULL */

/* ---- In the scenario's process ---- */

static void take(stage_t *stage, json_t *step) {
  const step_t *const tables[] = {declaring_steps, calling_steps, judging_steps};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const step_t *known = tables[i]; known->name; known++)
      if (json_object_get(step, known->name)) {
        known->take(stage, step);
        return;
      }
  stage_fail(stage, "no such step: %s", json_object_iter_key(json_object_iter(step)));
}

/* The programs of the scenario stand first on PATH. */
static void install(stage_t *stage, json_t *programs, const char *folder) {
  const char *name;
  json_t *text;
  char path[256], search[4096];
  json_object_foreach(programs, name, text) {
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!file || fputs(json_string_value(text), file) < 0 || fclose(file) != 0 ||
        chmod(path, 0755) != 0)
      stage_fail(stage, "%s: %s", path, strerror(errno));
  }
  (void)snprintf(search, sizeof search, "%s:%s", folder, getenv("PATH"));
  if (programs) (void)setenv("PATH", search, 1);
}

_Noreturn static void act(json_t *scenario, const char *file) {
  stage_t stage = {.file = file, .said = said, .address = address};
  (void)alarm(GUARD_S);
  (void)snprintf(stage.place, sizeof stage.place, "%s/place", scratch_place());
  (void)snprintf(stage.programs, sizeof stage.programs, "%s/programs", scratch_place());
  if (mkdir(stage.place, 0755) != 0 || mkdir(stage.programs, 0755) != 0 || chdir(stage.place) != 0)
    stage_fail(&stage, "%s: %s", stage.place, strerror(errno));
  install(&stage, json_object_get(scenario, "programs"), stage.programs);
  size_t i;
  json_t *step;
  json_array_foreach(json_object_get(scenario, "steps"), i, step) {
    stage.step = (unsigned)i + 1;
    take(&stage, step);
  }
  stage_close(&stage);
  (void)dprintf(said, stage.forgotten ? "forgotten" : "done");
  exit(0);
}

/* ---- The runner ---- */

static void tell_left(const char *text) {
  (void)dprintf(said, "; it %s", text);
  _exit(1);
}

static void slurp(int fd, char *text, size_t size) {
  const ssize_t len = pread(fd, text, size - 1, 0);
  text[len < 0 ? 0 : len] = '\0';
  (void)close(fd);
}

/* A process of its own, with its stderr in a file. */
static pid_t begin(json_t *scenario, const char *file, int err) {
  (void)fflush(NULL);
  const int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  (void)dup2(err, STDERR_FILENO);
  const pid_t child = fork();
  if (child == 0) act(scenario, file);
  (void)dup2(own, STDERR_FILENO);
  (void)close(own);
  return child;
}

/* Runs it to its end; true: all was as the scenario says. text: what was not. */
static bool perform(json_t *scenario, const char *file, char *text, size_t size) {
  char errors[4096];
  const int err = nameless_file();
  said = nameless_file();
  const pid_t child = begin(scenario, file, err);
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  slurp(said, text, size);
  slurp(err, errors, sizeof errors);
  const bool forgotten = strcmp(text, "forgotten") == 0;
  const bool passed = WIFEXITED(status) && WEXITSTATUS(status) == (forgotten ? MISMATCH : 0) &&
                      (forgotten || strcmp(text, "done") == 0);
  if (!passed) {
    const size_t len = strlen(text);
    (void)snprintf(text + len, size - len, "%s(wait status %#x) %s", len ? "\n" : "",
                   (unsigned)status, errors);
  }
  return passed;
}

/* Why the scenario is not for this client, or NULL. */
static const char *skipped(json_t *scenario) {
  size_t i;
  json_t *need;
  json_array_foreach(json_object_get(scenario, "needs"), i, need) {
    const char *name = json_string_value(need);
    size_t k = 0;
    while (k < sizeof provided / sizeof *provided && strcmp(provided[k], name) != 0) k++;
    if (k < sizeof provided / sizeof *provided) continue;
    for (k = 0; k < sizeof lacking / sizeof *lacking; k++)
      if (strcmp(lacking[k].need, name) == 0) return lacking[k].why;
    (void)fprintf(stderr, "%s is needed, and this runner knows nothing of it\n", name);
    exit(3);
  }
  return NULL;
}

static bool wanted(const options_t *options, const char *name, json_t *scenario) {
  if (options->smoke && !json_is_true(json_object_get(scenario, "smoke"))) return false;
  for (int i = 0; i < options->name_count; i++)
    if (strncmp(options->names[i], name, strlen(options->names[i])) == 0) return true;
  return options->name_count == 0;
}

static void indented(const char *text) {
  for (const char *line = text; *line;) {
    const size_t len = strcspn(line, "\n");
    printf("    %.*s\n", (int)len, line);
    line += len + (line[len] == '\n');
  }
}

static void run_file(const options_t *options, const char *file, tally_t *tally) {
  char path[512], name[256], text[8192];
  json_error_t error;
  size_t i;
  json_t *scenario;
  (void)snprintf(path, sizeof path, "%s/%s", options->folder, file);
  root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (!json_is_array(root)) {
    printf("not ok %s:%d: %s\n", path, error.line, root ? "not a list" : error.text);
    tally->failed++;
  }
  json_array_foreach(root, i, scenario) {
    (void)snprintf(name, sizeof name, "%.*s/%s", (int)strcspn(file, "."), file,
                   json_string_value(json_object_get(scenario, "name")));
    if (!wanted(options, name, scenario)) continue;
    const char *why = skipped(scenario);
    if (why) {
      printf("skip %s: %s\n", name, why);
      tally->skipped++;
      continue;
    }
    const bool passed = perform(scenario, file, text, sizeof text);
    printf("%s %s", passed != options->broken ? "ok" : "not ok", name);
    if (options->broken && !passed) printf(" (%.*s)", (int)strcspn(text, "\n"), text);
    (void)putchar('\n');
    if (passed == options->broken) indented(passed ? "it passes, and should not" : text);
    *(passed != options->broken ? &tally->passed : &tally->failed) += 1;
  }
  json_decref(root);
}

int main(int argc, char **argv) {
  options_t options = {0};
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; at++) {
    options.broken |= strcmp(argv[at], "--broken") == 0;
    options.smoke |= strcmp(argv[at], "--smoke") == 0;
    if (strncmp(argv[at], "--connect=", 10) == 0) address = argv[at] + 10;
  }
  if (at == argc) {
    (void)fprintf(
        stderr, "usage: conformance_c [--smoke] [--broken] [--connect=ADDRESS] FOLDER [NAME...]\n");
    return 2;
  }
  options.folder = argv[at++];
  options.names = argv + at;
  options.name_count = argc - at;
  static char files[FILES_MAX][128];
  const size_t count = cmox_test_list(options.folder, ".json", files, FILES_MAX);
  tally_t tally = {0};
  leftovers_watch();
  leftovers_tell(tell_left);
  for (size_t i = 0; i < count; i++) run_file(&options, files[i], &tally);
  printf("%u passed, %u skipped, %u failed\n", tally.passed, tally.skipped, tally.failed);
  return leftovers_end() && tally.failed == 0 && tally.passed > 0 ? 0 : 1;
}
