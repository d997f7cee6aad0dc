/* Commands of served.h, and what they write to. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/broken.h"
#include "tests/lib/served.h"

extern char **environ;

double now_us(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int nameless_file(void) {
  FILE *file = tmpfile();
  int fd = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 3) : -1;
  if (file) (void)fclose(file);
  if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) != 0) broken("temporary file: %s", strerror(errno));
  return fd;
}

pid_t spawn_to(const char *program, char *const *argv, char *const *environment, int in, int out,
               int err) {
  posix_spawn_file_actions_t files;
  if (posix_spawn_file_actions_init(&files) != 0 ||
      (in >= 0 && posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) != 0) ||
      (out >= 0 && posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) != 0) ||
      (err >= 0 && posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO) != 0))
    broken("out of memory");
  pid_t pid;
  int failed = posix_spawn(&pid, program, &files, NULL, argv, environment);
  (void)posix_spawn_file_actions_destroy(&files);
  if (failed) broken("cannot start %s: %s", program, strerror(failed));
  return pid;
}

pid_t served_spawn(const served_session_t *session, const char *command, unsigned number,
                   const char *timeout, int out, int err) {
  enum { ENTRIES_MAX = 1024 };
  static char *environment[ENTRIES_MAX + 3];
  char program[512], text[16], patience[48], own[48];
  size_t count = 0;
  for (; environ[count] && count < ENTRIES_MAX; count++) environment[count] = environ[count];
  (void)snprintf(program, sizeof program, "%s/%s", session->shims, command);
  (void)snprintf(text, sizeof text, "%u", number);
  (void)snprintf(patience, sizeof patience, "CMOX_IPC_TIMEOUT=%s", timeout);
  (void)snprintf(own, sizeof own, "CALL_NUMBER=%u", number);
  environment[count++] = patience;
  environment[count++] = own; /* so that no two environments are the same */
  environment[count] = NULL;
  char *const argv[] = {(char *)(uintptr_t)command, text, NULL};
  return spawn_to(program, argv, environment, -1, out, err);
}
