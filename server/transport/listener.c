/* Listens on a Unix socket.
 *
 * bind, chmod 0600, listen: in this order nobody can connect before the mode
 * is right, and the umask, which belongs to the whole process, stays alone.
 * Then: the socket becomes readable; accept until nothing is pending; ask the
 * socket who the peer is; hand over a link.
 *
 * Not a uv_pipe_t: when descriptors run out libuv accepts and closes whatever is pending,
 * and spins without end if another thread takes the descriptor it keeps in
 * reserve for that. Here the connections wait in the backlog and accepting starts again
 * after RETRY_MS. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/base/trace.h"
#include "server/transport/internal.h"

enum { RETRY_MS = 20 };

struct cmox_listener {
  cmox_transport_t *transport;
  const cmox_listener_events_t *events;
  void *user;
  uv_poll_t poll;
  uv_timer_t retry;
  unsigned open_handles;
  bool closing;
  int fd;
  dev_t device; /* of the socket's path: only that one is removed */
  ino_t inode;
  char *path;
};

static void on_closed(uv_handle_t *handle) {
  cmox_listener_t *listener = handle->data;
  if (--listener->open_handles > 0) return;
  if (listener->events->closed) listener->events->closed(listener);
  cmox_transport_release(listener->transport);
  cmox_free_block(listener->path);
  cmox_free_block(listener);
}

static void unlink_own(const char *path, dev_t device, ino_t inode) {
  struct stat info;
  if (lstat(path, &info) == 0 && info.st_dev == device && info.st_ino == inode) (void)unlink(path);
}

void cmox_listener_close(cmox_listener_t *listener) {
  if (listener->closing) return;
  listener->closing = true;
  uv_close((uv_handle_t *)&listener->poll, on_closed);
  uv_close((uv_handle_t *)&listener->retry, on_closed);
  cmox_owned_close(listener->fd);
  unlink_own(listener->path, listener->device, listener->inode);
}

static void welcome(cmox_listener_t *listener, int fd) {
  uid_t uid = (uid_t)-1;
  pid_t pid = 0;
  cmox_link_t *link;
  if (cmox_peer_uid(fd, &uid, &pid) < 0 || !cmox_peer_allowed(uid, geteuid())) {
    CMOX_TRACE(LINK_REFUSE, cmox_trace_number(uid), cmox_trace_number((uint64_t)pid));
    cmox_owned_close(fd);
    return;
  }
  CMOX_TRACE(LINK_ACCEPT, cmox_trace_number(uid), cmox_trace_number((uint64_t)pid));
  if (cmox_link_new(listener->transport, fd, fd, &link, NULL) != CMOX_OK) return;
  listener->events->link(listener, link);
  if (!link->events) cmox_link_abort(link, CMOX_OK);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_retry(uv_timer_t *timer) {
  cmox_listener_t *listener = timer->data;
  (void)uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  cmox_listener_t *listener = poll->data;
  (void)status;
  (void)events;
  for (int i = 0; i < CMOX_LISTEN_BACKLOG && !listener->closing; i++) {
    int fd = cmox_owned_accept(listener->fd);
    if (fd >= 0) {
      listener->transport->activity++;
      welcome(listener, fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    (void)uv_poll_stop(poll);
    uv_update_time(listener->transport->loop);
    (void)uv_timer_start(&listener->retry, on_retry, RETRY_MS, 0);
    return;
  }
}

/* ---- A path that is taken ---- */

typedef enum holder { NO_SOCKET, DEAD_SERVER, SERVER } holder_t;

static holder_t who_holds(const char *path, const struct sockaddr_un *address, struct stat *info) {
  if (lstat(path, info) < 0 || !S_ISSOCK(info->st_mode)) return NO_SOCKET;
  int fd = cmox_peer_socket();
  int failure = fd < 0 ? errno : 0;
  if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
    failure = errno;
  if (fd >= 0) (void)close(fd);
  return failure == ECONNREFUSED && info->st_uid == geteuid() ? DEAD_SERVER : SERVER;
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path));
  return address;
}

int cmox_listener_take_turn(const char *path) {
  enum { ATTEMPTS = 100, PAUSE_MS = 10 }; /* whoever holds it longer is no server */
  char directory[CMOX_SOCKET_PATH_MAX + 2];
  const char *slash = strrchr(path, '/');
  if (strlen(path) > CMOX_SOCKET_PATH_MAX) return -1;
  (void)snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path + 1) : 1,
                 slash ? path : ".");
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  for (int i = 0; i < ATTEMPTS; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    (void)poll(NULL, 0, PAUSE_MS);
  }
  (void)close(fd);
  return -1;
}

void cmox_listener_clear_dead(const char *path, int turn) {
  struct stat info;
  if (turn < 0 || strlen(path) == 0 || strlen(path) > CMOX_SOCKET_PATH_MAX) return;
  const struct sockaddr_un address = address_of(path);
  if (who_holds(path, &address, &info) == DEAD_SERVER) unlink_own(path, info.st_dev, info.st_ino);
}

/* Says why a path is taken: the caller must know whether it may be removed. */
static cmox_code_t explain_taken(const char *path, const struct sockaddr_un *address,
                                 cmox_error_t *error) {
  struct stat info;
  const holder_t holder = who_holds(path, address, &info);
  if (holder == NO_SOCKET)
    return cmox_fail(error, CMOX_E_IO, "cannot listen on %s: in use: a file is there", path);
  if (holder == DEAD_SERVER)
    return cmox_fail(error, CMOX_E_IO,
                     "cannot listen on %s: in use: a socket that a dead server left; remove it "
                     "with rm",
                     path);
  return cmox_fail(error, CMOX_E_IO, "cannot listen on %s: in use: another server has it", path);
}

static cmox_code_t bind_path(int fd, const char *path, struct stat *info, cmox_error_t *error) {
  const struct sockaddr_un address = address_of(path);
  (void)fchmod(fd, 0600); /* Linux gives the path this mode, less the umask */
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
    if (errno == EADDRINUSE) return explain_taken(path, &address, error);
    return cmox_fail(error, CMOX_E_IO, "cannot listen on %s: %s", path, uv_strerror(-errno));
  }
  if (lstat(path, info) < 0 || !S_ISSOCK(info->st_mode))
    return cmox_fail(error, CMOX_E_IO, "cannot listen on %s: it was replaced", path);
  const char *step = NULL;
  if (chmod(path, 0600) < 0)
    step = "chmod";
  else if (listen(fd, CMOX_LISTEN_BACKLOG) < 0)
    step = "listen";
  if (!step) return CMOX_OK;
  cmox_fail(error, CMOX_E_IO, "cannot listen on %s: %s: %s", path, step, uv_strerror(-errno));
  unlink_own(path, info->st_dev, info->st_ino);
  return CMOX_E_IO;
}

static cmox_code_t check_path(const char *path, cmox_error_t *error) {
  size_t len = strlen(path);
  if (len == 0)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "cannot listen: the path is empty");
  if (len > CMOX_SOCKET_PATH_MAX)
    return cmox_fail(error, CMOX_E_PATH_TOO_LONG,
                     "socket path of %zu bytes, at most %u fit; use a shorter directory: %s", len,
                     CMOX_SOCKET_PATH_MAX, path);
  return CMOX_OK;
}

/* Takes over fd and path. */
static cmox_code_t begin(cmox_listener_t *listener, uv_loop_t *loop, cmox_error_t *error) {
  int failure = uv_poll_init(loop, &listener->poll, listener->fd);
  if (failure) {
    cmox_fail(error, CMOX_E_IO, "cannot listen on %s: %s", listener->path, uv_strerror(failure));
    cmox_owned_close(listener->fd);
    unlink_own(listener->path, listener->device, listener->inode);
    cmox_free_block(listener->path);
    cmox_free_block(listener);
    return CMOX_E_IO;
  }
  (void)uv_timer_init(loop, &listener->retry);
  listener->poll.data = listener->retry.data = listener;
  listener->open_handles = 2;
  listener->transport = cmox_transport_of(loop);
  listener->transport->users++;
  (void)uv_poll_start(&listener->poll, UV_READABLE, on_readable);
  return CMOX_OK;
}

cmox_code_t cmox_listener_open(uv_loop_t *loop, const char *path,
                               const cmox_listener_events_t *events, void *user,
                               cmox_listener_t **out, cmox_error_t *error) {
  *out = NULL;
  cmox_code_t code = check_path(path, error);
  if (code) return code;
  cmox_listener_t *listener = cmox_calloc(1, sizeof *listener);
  char *copy = cmox_strdup(path);
  int fd = -1;
  struct stat info;
  if (!listener || !copy)
    code = cmox_fail(error, CMOX_E_NO_MEMORY, "cannot listen on %s: out of memory", path);
  else if ((fd = cmox_peer_socket()) < 0)
    code = cmox_fail(error, CMOX_E_IO, "cannot listen on %s: %s", path, uv_strerror(-errno));
  else
    code = bind_path(fd, path, &info, error);
  if (code) {
    if (fd >= 0) (void)close(fd);
    cmox_free_block(copy);
    cmox_free_block(listener);
    return code;
  }
  listener->events = events;
  listener->user = user;
  listener->fd = fd;
  cmox_owned_add(fd);
  listener->path = copy;
  listener->device = info.st_dev;
  listener->inode = info.st_ino;
  code = begin(listener, loop, error);
  if (!code) *out = listener;
  return code;
}

void *cmox_listener_user(const cmox_listener_t *listener) { return listener->user; }
