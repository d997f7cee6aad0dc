/* POSIX side of shim/os.h: pipes and the caller's streams, while the real command runs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/os.h"
#include "shim/os_posix.h"

bool cmox_os_end(int *fd) {
  const bool closed = *fd < 0 || close(*fd) == 0;
  *fd = -1;
  return closed;
}

/* A pipe that is new has no other flags to keep. */
static bool unblock(int fd) { return fcntl(fd, F_SETFL, O_NONBLOCK) == 0; }

int cmox_os_pipe(int ends[2], int own, bool small) {
#ifdef __linux__
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
#else
  if (pipe(ends) != 0) return errno;
  for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
#endif
  for (int i = 0; i < 2; i++) ends[i] = cmox_os_above_streams(ends[i]);
  int error = ends[0] >= 0 && ends[1] >= 0 && unblock(ends[own]) ? 0 : errno;
#ifdef F_SETPIPE_SZ
  if (error == 0 && small && fcntl(ends[own], F_SETPIPE_SZ, 4096) < 0) error = errno;
#else
  (void)small;
#endif
  if (error == 0) return 0;
  cmox_os_end(&ends[0]);
  cmox_os_end(&ends[1]);
  return error;
}

/* The caller's streams stay what they are: each is asked once. NULL: it is closed. */
static const struct stat *look_at_stream(int stream, int *flags) {
  static struct {
    bool asked, open;
    int flags;
    struct stat info;
  } all[3];
  if (!all[stream].asked) {
    all[stream].flags = fcntl(stream, F_GETFL);
    all[stream].open = all[stream].flags >= 0 && fstat(stream, &all[stream].info) == 0;
  }
  all[stream].asked = true;
  if (flags) *flags = all[stream].flags;
  return all[stream].open ? &all[stream].info : NULL;
}

cmox_os_kind_t cmox_os_kind(int stream) {
  int flags;
  const struct stat *info = look_at_stream(stream, &flags);
  if (!info || S_ISDIR(info->st_mode)) return CMOX_OS_KIND_NONE;
  if ((flags & O_ACCMODE) == (stream == STDIN_FILENO ? O_WRONLY : O_RDONLY))
    return CMOX_OS_KIND_NONE;
  if (S_ISREG(info->st_mode)) return CMOX_OS_KIND_FILE;
  if (S_ISFIFO(info->st_mode)) return CMOX_OS_KIND_PIPE;
  return S_ISSOCK(info->st_mode) ? CMOX_OS_KIND_SOCKET : CMOX_OS_KIND_OTHER;
}

bool cmox_os_same_streams(void) {
  const struct stat *out = look_at_stream(STDOUT_FILENO, NULL);
  const struct stat *err = look_at_stream(STDERR_FILENO, NULL);
  return out && err && out->st_dev == err->st_dev && out->st_ino == err->st_ino;
}

bool cmox_os_is_named(int stream, int own) {
  const struct stat *info = look_at_stream(stream, NULL);
  struct stat nameless; /* those are all of one file system */
  return info && fstat(own, &nameless) == 0 && info->st_dev != nameless.st_dev;
}

/* The same by an open file of its own; below 0: it may be another user's. */
static int open_again(int stream, int flags) {
#ifdef __linux__
  const char path[] = {
      '/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'f', 'd', '/', (char)('0' + stream),
      '\0'};
  /* musl's open() would set close-on-exec once more. */
  return cmox_os_above_streams(openat(AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC));
#else
  (void)stream, (void)flags;
  return -1;
#endif
}

int cmox_os_writer(int stream, cmox_os_kind_t kind) {
  const int fd = kind == CMOX_OS_KIND_PIPE ? open_again(stream, O_WRONLY) : -1;
  return fd < 0 ? stream : fd;
}

int cmox_os_reader(int stream, uint64_t *next) {
  const int flags = fcntl(stream, F_GETFL);
  const int fd = flags < 0 ? -1 : open_again(stream, O_RDONLY);
  if (fd < 0) return fd;
  const off_t at = flags & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(stream, 0, SEEK_CUR);
  *next = at < 0 ? 0 : (uint64_t)at;
  return fd;
}

static cmox_os_io_t outcome_of(ssize_t count, bool writes, size_t *moved, int *error) {
  *moved = 0;
  if (count > 0 || (count == 0 && writes)) {
    cmox_os_progress();
    *moved = (size_t)count;
    return CMOX_OS_DONE;
  }
  if (count == 0) return CMOX_OS_CLOSED;
  *error = errno;
  if (cmox_os_again()) return CMOX_OS_AGAIN;
  return writes && (errno == EPIPE || errno == ECONNRESET) ? CMOX_OS_CLOSED : CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_get(int fd, void *data, size_t len, size_t *moved, int *error) {
  /* Nothing there is one thing, not having looked another: the last of a pipe would be lost. */
  ssize_t got;
  do got = read(fd, data, len);
  while (got < 0 && errno == EINTR && cmox_os_again());
  return outcome_of(got, false, moved, error);
}

cmox_os_io_t cmox_os_put(int fd, cmox_os_kind_t kind, const void *data, size_t len, size_t *moved,
                         int *error) {
  if (kind == CMOX_OS_KIND_SOCKET)
    return outcome_of(send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), true, moved, error);
  /* A pipe that may block was announced to have room for a page. */
  if (kind == CMOX_OS_KIND_PIPE && fd <= STDERR_FILENO && len > 4096) len = 4096;
  return outcome_of(write(fd, data, len), true, moved, error);
}

#ifdef __linux__
/* From pipe to pipe in the kernel: where nothing comes any more the source has ended, EPIPE is a
 * reader that is gone. */
static cmox_os_io_t outcome_of_pipes(ssize_t count, size_t *moved) {
  int error;
  const cmox_os_io_t outcome = outcome_of(count, false, moved, &error);
  return outcome == CMOX_OS_FAILED && error == EPIPE ? CMOX_OS_ABSENT : outcome;
}
#endif

cmox_os_io_t cmox_os_splice(int from, int to, size_t len, size_t *moved) {
#ifdef __linux__
  return outcome_of_pipes(splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
                          moved);
#else
  (void)from, (void)to, (void)len, (void)moved;
  return CMOX_OS_FAILED;
#endif
}

cmox_os_io_t cmox_os_copy(int from, int to, size_t len, size_t *moved) {
#ifdef __linux__
  return outcome_of_pipes(tee(from, to, len, SPLICE_F_NONBLOCK), moved);
#else
  (void)from, (void)to, (void)len, (void)moved;
  return CMOX_OS_FAILED;
#endif
}

size_t cmox_os_waiting(int fd) {
  int waiting = 0;
  return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0 ? (size_t)waiting : 0;
}

bool cmox_os_offset(int stream, uint64_t *offset) {
  const off_t at = lseek(stream, 0, SEEK_CUR);
  *offset = at < 0 ? 0 : (uint64_t)at;
  return at >= 0;
}

bool cmox_os_set_offset(int stream, uint64_t offset) {
  return lseek(stream, (off_t)offset, SEEK_SET) >= 0;
}

cmox_os_io_t cmox_os_get_at(int stream, uint64_t offset, void *data, size_t len, size_t *moved) {
  int error;
  return outcome_of(pread(stream, data, len, (off_t)offset), false, moved, &error);
}

int cmox_os_memory_file(int *fd) {
#ifdef __linux__
  cmox_os_hold_size(); /* memory counts for that limit, too */
  *fd = cmox_os_above_streams(memfd_create("cmdmox-stdin", MFD_CLOEXEC));
  return *fd < 0 ? errno : 0;
#else
  *fd = -1;
  return ENOSYS;
#endif
}

bool cmox_os_watch(cmox_os_watch_t *watches, size_t count, uint64_t deadline) {
  struct pollfd fds[CMOX_OS_WATCHES_MAX];
  for (size_t i = 0; i < count; i++) {
    const unsigned wanted = watches[i].wanted;
    fds[i] = (struct pollfd){.fd = watches[i].fd};
    if (wanted & CMOX_OS_READ) fds[i].events |= POLLIN;
    if (wanted & CMOX_OS_WRITE) fds[i].events |= POLLOUT;
    watches[i].ready = 0;
  }
  for (;;) {
    const int left = cmox_os_remaining(deadline);
    if (left < -1) return false;
    const int got = poll(fds, (nfds_t)count, left);
    if (got < 0 && !cmox_os_again()) return false;
    if (got >= 0) break;
  }
  for (size_t i = 0; i < count; i++) {
    const short seen = fds[i].revents;
    if (fds[i].fd < 0 || !seen) continue;
    if (watches[i].wanted & CMOX_OS_READ) watches[i].ready |= CMOX_OS_READ;
    if (seen & POLLOUT) watches[i].ready |= CMOX_OS_WRITE;
    if (seen & (POLLERR | POLLNVAL | POLLHUP)) watches[i].ready |= CMOX_OS_GONE;
  }
  return true;
}
