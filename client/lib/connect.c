#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lib/channel.h"
#include "proto/address.h"
#include "proto/limits.h"

static cmox_code_t parse(const char *text, struct sockaddr_un *name, cmox_error_t *error) {
  cmox_address_t address;
  cmox_code_t code = cmox_address_parse(text, strlen(text), &address);
  if (code == CMOX_OK && address.scheme != CMOX_SCHEME_UNIX) code = CMOX_E_UNSUPPORTED_SCHEME;
  if (code == CMOX_E_UNSUPPORTED_SCHEME)
    return cmox_fail(error, code, "unsupported address scheme: %s; write unix:/path/to/socket",
                     text);
  if (code == CMOX_E_PATH_TOO_LONG || (code == CMOX_OK && address.path_len > CMOX_SOCKET_PATH_MAX))
    return cmox_fail(error, CMOX_E_PATH_TOO_LONG,
                     "socket path too long: %s; at most %u bytes are possible", text,
                     CMOX_SOCKET_PATH_MAX);
  if (code != CMOX_OK)
    return cmox_fail(error, code, "malformed address: \"%s\"; write unix:/path/to/socket", text);
  *name = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(name->sun_path, address.path, address.path_len);
  return CMOX_OK;
}

static const char *reason(int number) {
  switch (number) {
    case ENOENT:
      return "there is no such socket; start one with: cmdmox serve --listen ADDRESS";
    case ECONNREFUSED:
      return "nobody listens there any more";
    case EAGAIN:
    case EINPROGRESS:
      return "it did not accept the connection in time";
    default:
      return strerror(number);
  }
}

/* A server gives out a directory that goes first on PATH: only one of our own or of root's may. */
static cmox_code_t check_owner(int fd, const char *path, cmox_error_t *error) {
#if defined(SO_PEERCRED)
  struct ucred peer;
  socklen_t len = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
    return cmox_fail(error, CMOX_E_IO, "the server at %s: %s", path, strerror(errno));
  uid_t uid = peer.uid;
#else
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0)
    return cmox_fail(error, CMOX_E_IO, "the server at %s: %s", path, strerror(errno));
#endif
  if (uid == geteuid() || uid == 0) return CMOX_OK;
  return cmox_fail(error, CMOX_E_PERMISSION_DENIED,
                   "the server at %s belongs to another user (uid %u): its commands would run as "
                   "you; start one of your own",
                   path, (unsigned)uid);
}

cmox_code_t cmox_channel_connect(const char *address, uint32_t timeout_ms, int *fd,
                                 cmox_error_t *error) {
  struct sockaddr_un name;
  cmox_code_t code = parse(address, &name, error);
  if (code != CMOX_OK) return code;
  int connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connected < 0) return cmox_fail(error, CMOX_E_IO, "socket: %s", strerror(errno));
  /* A blocking connect waits while the server's backlog is full; a non-blocking one gives up. */
  struct timeval patience = {.tv_sec = (time_t)(timeout_ms / 1000),
                             .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
  (void)setsockopt(connected, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  int result;
  do {
    result = connect(connected, (const struct sockaddr *)&name, sizeof name);
  } while (result < 0 && errno == EINTR);
  if (result < 0) {
    int number = errno;
    (void)close(connected);
    return cmox_fail(error, CMOX_E_NO_SERVER, "no server at %s: %s", name.sun_path, reason(number));
  }
  code = check_owner(connected, name.sun_path, error);
  if (code == CMOX_OK)
    *fd = connected;
  else
    (void)close(connected);
  return code;
}
