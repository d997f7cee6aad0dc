#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/held.h"
#include "tests/lib/served.h"

static char *kept(const char *name) {
  const char *value = getenv(name);
  return value ? strdup(value) : NULL;
}

static char *tools_path;

const char *bench_tools_path(void) { return tools_path ? tools_path : "/usr/bin:/bin"; }

void bench_environment_set(void) {
  tools_path = kept("PATH");
  static const char path[] = "/usr/local/bin:/usr/bin:/bin";
  char *shim = kept("CMOX_SHIM");
  char *place = kept("CMOX_TMPDIR");
  bool failed = clearenv() != 0 || setenv("PATH", path, 1) != 0 ||
                setenv("CMOX_SHIM", shim ? shim : CMOX_BENCH_SHIM, 1) != 0 ||
                (place && setenv("CMOX_TMPDIR", place, 1) != 0);
  free(shim);
  free(place);
  if (failed) broken("cannot set the environment");
  environment_fill(BENCH_ENVIRONMENT_BYTES);
}

int bench_dev_null(void) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0) broken("/dev/null: %s", strerror(errno));
  return fd;
}

double bench_spawn_us(const char *program, char *const *argv, char *const *environment, int out) {
  double start = now_us();
  pid_t pid = spawn_to(program, argv, environment, -1, out, -1);
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) broken("waitpid: %s", strerror(errno));
  double end = now_us();
  if (status != 0) broken("%s ended with wait status %#x", program, (unsigned)status);
  return end - start;
}
