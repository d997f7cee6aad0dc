/* POSIX side of shim/os.h: the files that a call makes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/os.h"
#include "shim/os_posix.h"

int cmox_os_file_create(const char *path, uint32_t mode, int *file) {
  /* Non-blocking: a named pipe that nobody reads is an error, and nothing to wait for. The launcher
   * starts nothing that could inherit it. */
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK;
  int fd;
  do fd = open(path, flags, mode ? 0600 : 0666);
  while (fd < 0 && errno == EINTR && cmox_os_again());
  fd = cmox_os_above_streams(fd);
  if (fd < 0 || (mode && fchmod(fd, (mode_t)mode) != 0)) return errno;
  *file = fd;
  return 0;
}

int cmox_os_file_close(int file) { return close(file) == 0 ? 0 : errno; }
