/* Makes the n-th call of a system function fail, or do less than it was asked to, or the clock
 * jump.
 *
 * The functions are defined here, in front of the C library's: a test program that includes this
 * has them for itself, for the engine inside it and for the libraries that it loads (libuv). One
 * file of a program only. Single-threaded bodies only: a count must mean the same call each time.
 */
#ifndef CMOX_TESTS_IO_FAULT_H
#define CMOX_TESTS_IO_FAULT_H

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/thorough.h"

/* Instead of an errno: one byte is moved; the process is killed before the call; something else
 * happens before it; the monotonic clock jumps from that call on. */
enum { IO_FAULT_SHORT = -1, IO_FAULT_KILL = -2, IO_FAULT_MEET = -3, IO_FAULT_AN_HOUR = 3600 };
#define IO_FAULT_ANY "*" /* as the function: each of them */

typedef struct io_fault {
  const char *function; /* NULL: none is watched */
  int error;            /* an errno, or one of the above */
  size_t fail_at;       /* from 1 */
  size_t seen, failed;
  void (*meets)(void); /* what happens */
  time_t jumped;       /* the monotonic clock is that many seconds ahead */
} io_fault_t;

static io_fault_t io_fault;

static inline bool io_fault_hits(const char *function) {
  if (!io_fault.function ||
      (strcmp(io_fault.function, IO_FAULT_ANY) != 0 && strcmp(io_fault.function, function) != 0))
    return false;
  if (++io_fault.seen != io_fault.fail_at) return false;
  io_fault.failed++;
  if (io_fault.error == IO_FAULT_KILL) (void)kill(getpid(), SIGKILL);
  if (io_fault.error == IO_FAULT_MEET) {
    function = io_fault.function;
    io_fault.function = NULL;
    io_fault.meets();
    io_fault.function = function;
    return false;
  }
  errno = io_fault.error > 0 ? io_fault.error : 0;
  return true;
}

static inline bool io_fault_is_socket(int fd) {
  int type;
  socklen_t size = sizeof type;
  int saved = errno;
  bool is = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  errno = saved;
  return is;
}

#define IO_FAULT_EXPORT __attribute__((visibility("default")))
#define IO_FAULT_REAL(type, name, parameters) \
  static type(*real) parameters;              \
  if (!real) *(void **)(&real) = dlsym(RTLD_NEXT, name)
#define IO_FAULT_WRAP(type, name, parameters, arguments)     \
  IO_FAULT_EXPORT type name parameters;                      \
  IO_FAULT_EXPORT type name parameters {                     \
    IO_FAULT_REAL(type, #name, parameters);                  \
    return io_fault_hits(#name) ? (type)-1 : real arguments; \
  }

/* ---- Bytes: of sockets as "recv" and "send", of files as "read" and "write" ---- */

IO_FAULT_EXPORT ssize_t read(int fd, void *data, size_t size) {
  IO_FAULT_REAL(ssize_t, "read", (int, void *, size_t));
  if (!io_fault.function || size == 0) return real(fd, data, size);
  if (!io_fault_hits(io_fault_is_socket(fd) ? "recv" : "read")) return real(fd, data, size);
  return io_fault.error == IO_FAULT_SHORT ? real(fd, data, 1) : -1;
}

IO_FAULT_EXPORT ssize_t write(int fd, const void *data, size_t size) {
  IO_FAULT_REAL(ssize_t, "write", (int, const void *, size_t));
  if (!io_fault.function || size == 0) return real(fd, data, size);
  if (!io_fault_hits(io_fault_is_socket(fd) ? "send" : "write")) return real(fd, data, size);
  return io_fault.error == IO_FAULT_SHORT ? real(fd, data, 1) : -1;
}

IO_FAULT_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
  IO_FAULT_REAL(ssize_t, "writev", (int, const struct iovec *, int));
  if (!io_fault.function || !io_fault_is_socket(fd) || !io_fault_hits("send"))
    return real(fd, parts, count);
  if (io_fault.error != IO_FAULT_SHORT) return -1;
  return real(fd, &(struct iovec){parts[0].iov_base, 1}, 1);
}

/* ---- Sockets ---- */

IO_FAULT_EXPORT int socket(int domain, int type, int protocol) {
  IO_FAULT_REAL(int, "socket", (int, int, int));
  /* The engine's do not block, the test's own do. */
  if ((type & SOCK_NONBLOCK) && io_fault_hits("socket")) return -1;
  return real(domain, type, protocol);
}

IO_FAULT_WRAP(int, bind, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size))
IO_FAULT_WRAP(int, listen, (int fd, int backlog), (fd, backlog))
IO_FAULT_WRAP(int, accept4,
              (int fd, struct sockaddr *restrict name, socklen_t *restrict size, int flags),
              (fd, name, size, flags))

IO_FAULT_EXPORT int getsockopt(int fd, int level, int name, void *restrict value,
                               socklen_t *restrict size) {
  IO_FAULT_REAL(int, "getsockopt", (int, int, int, void *restrict, socklen_t *restrict));
  if (name == SO_PEERCRED && io_fault_hits("getsockopt")) return -1;
  return real(fd, level, name, value, size);
}

/* ---- Files ---- */

IO_FAULT_EXPORT int open(const char *path, int flags, ...) {
  IO_FAULT_REAL(int, "open", (const char *, int, ...));
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return io_fault_hits("open") ? -1 : real(path, flags, mode);
}

IO_FAULT_EXPORT int openat(int at, const char *path, int flags, ...) {
  IO_FAULT_REAL(int, "openat", (int, const char *, int, ...));
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return io_fault_hits("openat") ? -1 : real(at, path, flags, mode);
}

IO_FAULT_WRAP(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
IO_FAULT_WRAP(int, symlinkat, (const char *target, int at, const char *path), (target, at, path))
IO_FAULT_WRAP(int, linkat, (int from_at, const char *from, int at, const char *path, int flags),
              (from_at, from, at, path, flags))
IO_FAULT_WRAP(int, renameat, (int from_at, const char *from, int at, const char *path),
              (from_at, from, at, path))
IO_FAULT_WRAP(int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
IO_FAULT_WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
IO_FAULT_WRAP(int, fchmodat, (int at, const char *path, mode_t mode, int flags),
              (at, path, mode, flags))
IO_FAULT_WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
IO_FAULT_WRAP(int, faccessat, (int at, const char *path, int mode, int flags),
              (at, path, mode, flags))
IO_FAULT_WRAP(int, flock, (int fd, int operation), (fd, operation))
IO_FAULT_WRAP(int, fstat, (int fd, struct stat *info), (fd, info))
IO_FAULT_WRAP(int, lstat, (const char *restrict path, struct stat *restrict info), (path, info))
IO_FAULT_WRAP(int, fstatat,
              (int at, const char *restrict path, struct stat *restrict info, int flags),
              (at, path, info, flags))
IO_FAULT_WRAP(ssize_t, readlinkat,
              (int at, const char *restrict path, char *restrict out, size_t size),
              (at, path, out, size))

IO_FAULT_WRAP(int, unlink, (const char *path), (path))
IO_FAULT_WRAP(int, mkostemp, (char *name, int flags), (name, flags))

IO_FAULT_EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  IO_FAULT_REAL(ssize_t, "pwrite", (int, const void *, size_t, off_t));
  if (!io_fault_hits("pwrite")) return real(fd, data, size, at);
  return io_fault.error == IO_FAULT_SHORT ? real(fd, data, 1, at) : -1;
}

#ifndef __SANITIZE_THREAD__ /* it maps its memory by this name before there is a dlsym() */
/* Of files only: memory is tests/lib/alloc_fault.h. */
IO_FAULT_EXPORT void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t at) {
  IO_FAULT_REAL(void *, "mmap", (void *, size_t, int, int, int, off_t));
  if (fd >= 0 && io_fault_hits("mmap")) return MAP_FAILED;
  return real(where, size, protection, flags, fd, at);
}
#endif

/* ---- Processes ---- */

IO_FAULT_WRAP(int, pipe2, (int fds[2], int flags), (fds, flags))
IO_FAULT_WRAP(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))

IO_FAULT_EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path,
                                const posix_spawn_file_actions_t *actions,
                                const posix_spawnattr_t *restrict attributes,
                                char *const argv[restrict], char *const envp[restrict]) {
  IO_FAULT_REAL(int, "posix_spawn",
                (pid_t *restrict, const char *restrict, const posix_spawn_file_actions_t *,
                 const posix_spawnattr_t *restrict, char *const[restrict], char *const[restrict]));
  if (io_fault_hits("posix_spawn")) return io_fault.error;
  return real(pid, path, actions, attributes, argv, envp);
}

/* ---- Time ---- */

IO_FAULT_EXPORT int clock_gettime(clockid_t clock, struct timespec *now) {
  IO_FAULT_REAL(int, "clock_gettime", (clockid_t, struct timespec *));
  if (io_fault_hits("clock_gettime")) io_fault.jumped = io_fault.error;
  int result = real(clock, now);
  now->tv_sec += io_fault.jumped;
  return result;
}

/* ---- Sweeps ---- */

/* Runs body with each call of the function that it makes failing in turn. body calls
 * io_fault_rest() once what is swept is over. Prints the points; returns how many. */
static inline size_t io_fault_sweep(const char *scenario, const char *function, const int *errors,
                                    void (*body)(void)) {
  size_t points = 0;
  for (; *errors; errors++) {
    size_t visited = 0;
    for (size_t at = 1;; at += thorough_step()) {
      memset(&io_fault, 0, sizeof io_fault);
      io_fault.error = *errors;
      io_fault.fail_at = at;
      io_fault.function = function;
      body();
      io_fault.function = NULL;
      if (io_fault.failed == 0) break;
      visited++;
      ck_assert_msg(at < 100000, "%s: no end of calls of %s", scenario, function);
    }
    /* A child that answers in pieces may take a call more or less. */
    size_t all = visited > io_fault.seen ? visited : io_fault.seen;
    if (thorough_step() == 1) ck_assert_uint_eq(visited, all);
    printf("system call sweep: %s, %s, %s: %zu of %zu points\n", scenario, function,
           *errors == IO_FAULT_SHORT     ? "one byte"
           : *errors == IO_FAULT_AN_HOUR ? "an hour ahead"
                                         : strerror(*errors),
           visited, all);
    points += visited;
  }
  (void)fflush(stdout);
  ck_assert_msg(points > 0, "%s: nobody calls %s", scenario, function);
  return points;
}

/* Nothing fails from here on; true when something did. */
static inline bool io_fault_rest(void) {
  io_fault.function = NULL;
  io_fault.jumped = 0;
  return io_fault.failed > 0;
}

#endif
