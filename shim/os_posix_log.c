/* POSIX side of shim/os.h: the file that the trace goes to. */
#include <fcntl.h>
#include <unistd.h>

#include "shim/os.h"

uint32_t cmox_os_pid(void) { return (uint32_t)getpid(); }

int cmox_os_log_open(const char *path) {
  /* Non-blocking: a pipe that nobody reads must not hold up the call. */
  const int fd = open(
      path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0) return 0;
  if (fd > STDERR_FILENO) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return moved < 0 ? 0 : moved;
}
