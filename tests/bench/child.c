#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

double bench_now_us(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static char *kept(const char *name) {
  const char *value = getenv(name);
  return value ? strdup(value) : NULL;
}

void bench_environment_set(void) {
  static const char path[] = "/usr/local/bin:/usr/bin:/bin";
  char *shim = kept("CMOX_SHIM");
  char *place = kept("CMOX_TMPDIR");
  bool failed = clearenv() != 0 || setenv("PATH", path, 1) != 0 ||
                setenv("CMOX_SHIM", shim ? shim : CMOX_BENCH_SHIM, 1) != 0 ||
                (place && setenv("CMOX_TMPDIR", place, 1) != 0);
  free(shim);
  free(place);
  if (failed) bench_broken("cannot set the environment");
  enum { VALUE = 100, ENTRY = sizeof "BENCH_00=" + VALUE };
  char value[VALUE + 1];
  memset(value, 'v', VALUE);
  value[VALUE] = '\0';
  for (unsigned i = 0; (i + 1) * ENTRY + sizeof path < BENCH_ENVIRONMENT_BYTES; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "BENCH_%02u", i);
    if (setenv(name, value, 1) != 0) bench_broken("cannot set the environment");
  }
}

int bench_dev_null(void) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0) bench_broken("/dev/null: %s", strerror(errno));
  return fd;
}

pid_t bench_spawn(const char *program, char *const *argv, char *const *environment, int out) {
  posix_spawn_file_actions_t files;
  if (posix_spawn_file_actions_init(&files) != 0 ||
      posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) != 0)
    bench_broken("out of memory");
  pid_t pid;
  int failed = posix_spawn(&pid, program, &files, NULL, argv, environment);
  (void)posix_spawn_file_actions_destroy(&files);
  if (failed) bench_broken("cannot start %s: %s", program, strerror(failed));
  return pid;
}

double bench_spawn_us(const char *program, char *const *argv, char *const *environment, int out) {
  double start = bench_now_us();
  pid_t pid = bench_spawn(program, argv, environment, out);
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) bench_broken("waitpid: %s", strerror(errno));
  double end = bench_now_us();
  if (status != 0) bench_broken("%s ended with wait status %#x", program, (unsigned)status);
  return end - start;
}
