#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/transport/internal.h"

bool cmox_peer_allowed(uid_t peer, uid_t self) { return peer == self || peer == 0; }

#ifdef __linux__

int cmox_peer_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int cmox_peer_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int cmox_peer_uid(int fd, uid_t *uid, pid_t *pid) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -1;
  *uid = peer.uid;
  *pid = peer.pid;
  return 0;
}

#else

static int prepare(int fd) {
  if (fd < 0) return -1;
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) return fd;
  int saved = errno;
  (void)close(fd);
  errno = saved;
  return -1;
}

int cmox_peer_socket(void) { return prepare(socket(AF_UNIX, SOCK_STREAM, 0)); }

int cmox_peer_accept(int fd) { return prepare(accept(fd, NULL, NULL)); }

int cmox_peer_uid(int fd, uid_t *uid, pid_t *pid) {
  gid_t gid;
  *pid = 0;
  return getpeereid(fd, uid, &gid);
}

#endif
