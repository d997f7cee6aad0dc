/* POSIX side of shim/os.h: the link to the server, a Unix stream socket.
 *
 * The socket is made non-blocking, so that a connect to a listening server
 * returns at once. Only when the server's queue is full (EAGAIN) does it become
 * a blocking one with a send timeout, because a non-blocking connect cannot be
 * waited for with poll. All later calls say MSG_DONTWAIT. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/os.h"
#include "shim/os_posix.h"

int cmox_os_above_streams(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  if (close(fd) != 0) return -1; /* what is written to stdout would go to the server */
  errno = error;
  return moved;
}

/* Makes connect() wait for a place in the queue, until the deadline. */
static bool allow_waiting(int fd, uint64_t now, uint64_t deadline) {
  struct timeval timeout = {0, 0}; /* for ever */
  if (deadline != CMOX_OS_FOREVER) {
    timeout.tv_sec = (time_t)((deadline - now) / 1000);
    timeout.tv_usec = (suseconds_t)((deadline - now) % 1000 * 1000);
  }
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

static cmox_os_io_t connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline,
                                  int *error) {
  for (;;) {
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EISCONN)
      return CMOX_OS_DONE;
    *error = errno;
    if (*error == ENOENT || *error == ECONNREFUSED || *error == ENOTDIR) return CMOX_OS_ABSENT;
    if (*error == ECONNRESET) return CMOX_OS_CLOSED;
    if (!cmox_os_again()) return CMOX_OS_FAILED;
    const uint64_t now = cmox_os_now();
    if (now >= deadline) return CMOX_OS_LATE;
    if (now != 0 && (*error == EINTR || allow_waiting(fd, now, deadline))) continue;
    *error = errno;
    return CMOX_OS_FAILED;
  }
}

cmox_os_io_t cmox_os_connect(const char *path, uint64_t deadline, cmox_os_socket_t *out,
                             int *error) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, strlen(path)); /* checked by the caller */
  const int fd =
      cmox_os_above_streams(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd < 0) {
    *error = errno;
    return CMOX_OS_FAILED;
  }
  const cmox_os_io_t outcome = connect_until(fd, &address, deadline, error);
  if (outcome == CMOX_OS_DONE)
    *out = fd;
  else
    close(fd);
  return outcome;
}

void cmox_os_close(cmox_os_socket_t socket) { close((int)socket); }

static cmox_os_io_t outcome_of(ssize_t count, size_t *moved, int *error) {
  if (count > 0) {
    cmox_os_progress();
    *moved = (size_t)count;
    return CMOX_OS_DONE;
  }
  if (count == 0) return CMOX_OS_CLOSED;
  *error = errno;
  if (cmox_os_again()) return CMOX_OS_AGAIN;
  return errno == EPIPE || errno == ECONNRESET ? CMOX_OS_CLOSED : CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_send(cmox_os_socket_t socket, const void *data, size_t len, size_t *moved,
                          int *error) {
  return outcome_of(send((int)socket, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), moved, error);
}

cmox_os_io_t cmox_os_receive(cmox_os_socket_t socket, void *data, size_t len, size_t *moved,
                             int *error) {
  return outcome_of(recv((int)socket, data, len, MSG_DONTWAIT), moved, error);
}
