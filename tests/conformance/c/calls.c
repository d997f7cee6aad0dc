/* Steps that run commands in the environment of the session, and look at how they ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/c/stage.h"
#include "tests/lib/leftovers.h"

enum { GUARD_MS = 30000, NAP_MS = 2 };

extern char **environ;

/* How a command is run: what the steps "run", "shell" and "start" have in common. */
typedef struct command {
  const char *const *argv;
  json_t
      *argv0; /* NULL: as the first of argv, which is what runs; JSON's null: no arguments at all */
  json_t *input; /* NULL: /dev/null */
  json_t *env;
  json_t *entries; /* the whole environment, entry by entry; NULL: this process's, with env */
  const char *cwd;
} command_t;

/* A file without a name that holds these bytes, read from its beginning. */
static int file_of(stage_t *stage, cmox_bytes_t bytes) {
  char path[160];
  (void)snprintf(path, sizeof path, "%s/stream", scratch_place());
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || unlink(path) != 0) stage_fail(stage, "%s: %s", path, strerror(errno));
  for (size_t at = 0; at < bytes.len;) {
    const ssize_t written = write(fd, bytes.data + at, bytes.len - at);
    if (written < 0) stage_fail(stage, "a file for stdin: %s", strerror(errno));
    at += (size_t)written;
  }
  (void)lseek(fd, 0, SEEK_SET);
  return fd;
}

static cmox_bytes_t contents_of(stage_t *stage, int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) stage_fail(stage, "fstat: %s", strerror(errno));
  char *data = stage_memory(stage, (size_t)info.st_size, 1);
  const ssize_t len = pread(fd, data, (size_t)info.st_size, 0);
  (void)close(fd);
  return (cmox_bytes_t){data, len < 0 ? 0 : (size_t)len};
}

/* This process's environment, with the changes of the step. */
static char **environment_of(stage_t *stage, json_t *changes) {
  size_t count = 0, kept = 0;
  while (environ[count]) count++;
  char **entries = stage_memory(stage, count + json_object_size(changes) + 1, sizeof *entries);
  const char *name;
  json_t *value;
  for (size_t i = 0; i < count; i++) {
    bool changed = false;
    json_object_foreach(changes, name, value) changed |=
        strncmp(environ[i], name, strlen(name)) == 0 && environ[i][strlen(name)] == '=';
    if (!changed) entries[kept++] = environ[i];
  }
  json_object_foreach(changes, name, value) {
    if (json_is_null(value)) continue;
    const cmox_bytes_t text = text_bytes(stage, value);
    char *entry = stage_memory(stage, strlen(name) + text.len + 2, 1);
    (void)sprintf(entry, "%s=", name);
    memcpy(entry + strlen(entry), text.data, text.len);
    entries[kept++] = entry;
  }
  return entries;
}

static char **argv_of(stage_t *stage, const command_t *command) {
  size_t count = 0;
  while (command->argv[count]) count++;
  char **argv = stage_memory(stage, count + 1, sizeof *argv);
  if (json_is_null(command->argv0)) return argv;
  memcpy(argv, command->argv, count * sizeof *argv);
  if (command->argv0) argv[0] = (char *)(uintptr_t)text_string(stage, command->argv0);
  return argv;
}

static running_t spawn(stage_t *stage, const command_t *command) {
  running_t run = {.out = file_of(stage, (cmox_bytes_t){"", 0}),
                   .err = file_of(stage, (cmox_bytes_t){"", 0})};
  const int in = command->input ? file_of(stage, text_bytes(stage, command->input))
                                : open("/dev/null", O_RDONLY | O_CLOEXEC);
  posix_spawn_file_actions_t files;
  if (posix_spawn_file_actions_init(&files) != 0 ||
      posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) != 0 ||
      posix_spawn_file_actions_adddup2(&files, run.out, STDOUT_FILENO) != 0 ||
      posix_spawn_file_actions_adddup2(&files, run.err, STDERR_FILENO) != 0 ||
      (command->cwd && posix_spawn_file_actions_addchdir_np(&files, command->cwd) != 0))
    stage_fail(stage, "out of memory");
  size_t count;
  char **environment = command->entries
                           ? (char **)(uintptr_t)text_strings(stage, command->entries, &count)
                           : environment_of(stage, command->env);
  const int failed =
      posix_spawnp(&run.pid, command->argv[0], &files, NULL, argv_of(stage, command), environment);
  (void)posix_spawn_file_actions_destroy(&files);
  (void)close(in);
  if (failed) stage_fail(stage, "cannot start %s: %s", command->argv[0], strerror(failed));
  return run;
}

/* waitpid() under a guard: a command that hangs fails the scenario, not the suite. */
static int end_of(stage_t *stage, pid_t pid) {
  int status = 0;
  for (int waited = 0; waitpid(pid, &status, WNOHANG) == 0; waited += NAP_MS) {
    if (waited >= GUARD_MS) {
      (void)kill(pid, SIGKILL);
      (void)waitpid(pid, &status, 0);
      stage_fail(stage, "the command did not end");
    }
    (void)poll(NULL, 0, NAP_MS);
  }
  return status;
}

static int signal_of(stage_t *stage, const char *name) {
  static const struct {
    const char *name;
    int number;
  } signals[] = {{"SIGHUP", SIGHUP},   {"SIGINT", SIGINT},   {"SIGKILL", SIGKILL},
                 {"SIGPIPE", SIGPIPE}, {"SIGSEGV", SIGSEGV}, {"SIGTERM", SIGTERM}};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (strcmp(signals[i].name, name) == 0) return signals[i].number;
  stage_fail(stage, "no such signal: %s", name);
}

static void expect_end(stage_t *stage, json_t *expected, const running_t *run, int status) {
  json_t *out = NULL, *err = NULL;
  const char *name = NULL;
  int code = 0;
  if (expected)
    stage_read(stage, expected, "{s?i,s?s,s?o,s?o}", "status", &code, "signal", &name, "stdout",
               &out, "stderr", &err);
  const cmox_bytes_t written = contents_of(stage, run->out), told = contents_of(stage, run->err);
  if (name && !(WIFSIGNALED(status) && WTERMSIG(status) == signal_of(stage, name)))
    stage_fail(stage, "expected %s, actual wait status %#x", name, (unsigned)status);
  if (!name && !(WIFEXITED(status) && WEXITSTATUS(status) == code))
    stage_fail(stage, "expected status %d, actual wait status %#x; stderr:\n%s", code,
               (unsigned)status, told.data);
  text_expect(stage, "stdout", out, written);
  text_expect_told(stage, "stderr", err, told);
}

/* ---- Steps ---- */

static void run_once(stage_t *stage, const command_t *command, json_t *expected) {
  const running_t run = spawn(stage, command);
  expect_end(stage, expected, &run, end_of(stage, run.pid));
}

/* All of them at once; how many ended with which status. */
static void run_many(stage_t *stage, const command_t *command, int count, json_t *statuses) {
  running_t *runs = stage_memory(stage, (size_t)count, sizeof *runs);
  int seen[256] = {0};
  for (int i = 0; i < count; i++) runs[i] = spawn(stage, command);
  for (int i = 0; i < count; i++) {
    const int status = end_of(stage, runs[i].pid);
    (void)contents_of(stage, runs[i].out);
    (void)contents_of(stage, runs[i].err);
    if (WIFEXITED(status)) seen[WEXITSTATUS(status)]++;
  }
  const char *status;
  json_t *times;
  json_object_foreach(statuses, status, times) {
    const long code = strtol(status, NULL, 10) & 0xff;
    if (seen[code] != (int)json_integer_value(times))
      stage_fail(stage, "status %ld: expected %d times, actual %d times", code,
                 (int)json_integer_value(times), seen[code]);
  }
}

static void take_run(stage_t *stage, json_t *step) {
  command_t command = {0};
  json_t *argv, *expected = NULL, *statuses = NULL;
  int count = 0;
  size_t items;
  stage_read(stage, step, "{s:o,s?o,s?o,s?o,s?o,s?s,s?o,s?i,s?o}", "run", &argv, "argv0",
             &command.argv0, "stdin", &command.input, "env", &command.env, "env_entries",
             &command.entries, "cwd", &command.cwd, "expect", &expected, "at_once", &count,
             "statuses", &statuses);
  command.argv = text_strings(stage, argv, &items);
  if (count)
    run_many(stage, &command, count, statuses);
  else
    run_once(stage, &command, expected);
}

static void take_shell(stage_t *stage, json_t *step) {
  const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
  command_t command = {.argv = argv};
  json_t *expected = NULL;
  stage_read(stage, step, "{s:s,s?o,s?o,s?s,s?o}", "shell", &argv[2], "stdin", &command.input,
             "env", &command.env, "cwd", &command.cwd, "expect", &expected);
  run_once(stage, &command, expected);
}

static void take_start(stage_t *stage, json_t *step) {
  command_t command = {0};
  json_t *argv;
  const char *name;
  size_t items;
  stage_read(stage, step, "{s:o,s:s,s?o,s?o,s?s}", "start", &argv, "as", &name, "stdin",
             &command.input, "env", &command.env, "cwd", &command.cwd);
  if (stage->running_count == NAMES_MAX) stage_fail(stage, "more commands than may run at once");
  command.argv = text_strings(stage, argv, &items);
  running_t *run = &stage->running[stage->running_count];
  *run = spawn(stage, &command);
  run->name = name;
  stage->running_count++;
}

static running_t *running(stage_t *stage, const char *name) {
  for (size_t i = 0; i < stage->running_count; i++)
    if (strcmp(stage->running[i].name, name) == 0) return &stage->running[i];
  stage_fail(stage, "no command runs that is called \"%s\"", name);
}

static void take_kill(stage_t *stage, json_t *step) {
  const char *name;
  stage_read(stage, step, "{s:s}", "kill", &name);
  (void)kill(running(stage, name)->pid, SIGKILL);
}

static void take_wait(stage_t *stage, json_t *step) {
  const char *name;
  json_t *expected = NULL;
  stage_read(stage, step, "{s:s,s?o}", "wait", &name, "expect", &expected);
  running_t *found = running(stage, name);
  const running_t run = *found;
  const int status = end_of(stage, run.pid);
  *found = stage->running[--stage->running_count];
  expect_end(stage, expected, &run, status);
}

/* The calls may not have come as far as the gate. */
static void take_release(stage_t *stage, json_t *step) {
  const char *gate;
  int calls;
  uint64_t gone = 0;
  stage_read(stage, step, "{s:s,s:i}", "release", &gate, "calls", &calls);
  for (int waited = 0; waited < GUARD_MS; waited += NAP_MS) {
    gone += cmox_release(stage_session(stage), gate);
    if (gone >= (uint64_t)calls) break;
    (void)poll(NULL, 0, NAP_MS);
  }
  if (gone != (uint64_t)calls)
    stage_fail(stage, "%d calls are to go on at %s, and %d did", calls, gate, (int)gone);
}

static void take_await(stage_t *stage, json_t *step) {
  const char *name;
  int calls;
  stage_read(stage, step, "{s:s,s:i}", "await", &name, "calls", &calls);
  cmox_double_t *dbl = stage_double(stage, name);
  for (int waited = 0; cmox_call_count(dbl) < (uint64_t)calls; waited += NAP_MS) {
    if (waited >= GUARD_MS) stage_fail(stage, "%s did not get %d calls", name, calls);
    (void)poll(NULL, 0, NAP_MS);
  }
}

static void take_file(stage_t *stage, json_t *step) {
  const char *path, *mode = NULL;
  json_t *content = NULL;
  struct stat info;
  stage_read(stage, step, "{s:s,s?o,s?s}", "file", &path, "content", &content, "mode", &mode);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &info) != 0) stage_fail(stage, "%s: %s", path, strerror(errno));
  text_expect(stage, path, content, contents_of(stage, fd));
  if (mode && (info.st_mode & 0777) != strtoul(mode, NULL, 8))
    stage_fail(stage, "%s: expected mode %s, actual %#o", path, mode, info.st_mode & 0777);
}

void calls_clear(stage_t *stage) {
  for (; stage->running_count; stage->running_count--) {
    const running_t *run = &stage->running[stage->running_count - 1];
    (void)kill(run->pid, SIGKILL);
    (void)waitpid(run->pid, NULL, 0);
    (void)close(run->out);
    (void)close(run->err);
  }
}

const step_t calling_steps[] = {
    {"run", take_run},     {"shell", take_shell}, {"start", take_start},
    {"wait", take_wait},   {"kill", take_kill},   {"release", take_release},
    {"await", take_await}, {"file", take_file},   {NULL, NULL},
};
