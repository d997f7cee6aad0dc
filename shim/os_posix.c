/* POSIX side of shim/os.h: the process, memory, time, files, streams and the
 * end. The link is in os_posix_link.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#endif

#include "shim/os.h"
#include "shim/os_posix.h"

/* In a row, over all calls: milliseconds. Thousands of launchers that share a non-blocking pipe
 * wake each other in vain quite often, while nothing healthy interrupts a process without handlers.
 */
enum { FUTILE_MAX = 10000, FUTILE_INTERRUPTED = 10 };
static unsigned futile;

bool cmox_os_again(void) {
  if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) return false;
  futile += errno == EINTR ? FUTILE_INTERRUPTED : 1;
  return futile <= FUTILE_MAX;
}

void cmox_os_progress(void) { futile = 0; }

#ifndef __linux__
extern char **environ;
#endif

const char *cmox_os_error_text(int error) { return strerror(error); }

char **cmox_os_environment(void) { return environ; }

void cmox_os_describe(cmox_os_process_t *out) {
  out->environment = environ;
  out->cwd_len = getcwd(out->cwd, sizeof out->cwd) ? strlen(out->cwd) : 0;
  out->pid = (uint32_t)getpid();
  out->ppid = (uint32_t)getppid();
  out->tty_mask = 0;
  for (int fd = 0; fd < 3; fd++)
    if (isatty(fd)) out->tty_mask |= 1u << fd;
}

const char *cmox_os_started_as(void) {
#ifdef __linux__
  const char *path = (const char *)getauxval(AT_EXECFN);
  /* fexecve leaves the descriptor here, not a name. */
  if (path && strncmp(path, "/dev/fd/", 8) != 0) return path;
#endif
  return NULL;
}

bool cmox_os_program_path(char *out, size_t size) {
  const ssize_t len = readlink("/proc/self/exe", out, size - 1);
  if (len <= 0 || (size_t)len >= size - 1) return false;
  out[len] = '\0';
  return out[0] == '/';
}

const char *cmox_os_variable(const char *name) { return getenv(name); }

bool cmox_os_absolute(const char *path, size_t len) { return len > 0 && path[0] == '/'; }

int cmox_os_random(void *out, size_t len) {
#ifdef __linux__
  ssize_t got;
  do got = getrandom(out, len, 0);
  while (got < 0 && cmox_os_again());
  if (got >= 0 && (size_t)got == len) return 0;
  return got < 0 ? errno : EIO;
#else
  return getentropy(out, len) == 0 ? 0 : errno;
#endif
}

void *cmox_os_map(size_t size) {
  void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? NULL : block;
}

void cmox_os_unmap(void *block, size_t size) { munmap(block, size); }

/* For a handful of readings the system call is cheaper than finding and paging in the vDSO. On
 * 32-bit systems the call of that name has another time in its struct. */
uint64_t cmox_os_now_us(void) {
  struct timespec now;
#if defined(__linux__) && LONG_MAX > INT32_MAX
  if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0) return 0;
#else
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
#endif
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t cmox_os_now(void) { return cmox_os_now_us() / 1000; }

enum { FOR_EVER = -1, NO_CLOCK = -2 };

int cmox_os_remaining(uint64_t deadline) {
  if (deadline == CMOX_OS_FOREVER) return FOR_EVER;
  if (deadline == 0) return 0;
  const uint64_t now = cmox_os_now();
  if (now == 0) return NO_CLOCK;
  if (now >= deadline) return 0;
  return deadline - now > INT32_MAX ? INT32_MAX : (int)(deadline - now);
}

bool cmox_os_sleep_until(uint64_t deadline) {
  for (int left; (left = cmox_os_remaining(deadline)) != 0;)
    if (left == NO_CLOCK || (poll(NULL, 0, left) < 0 && !cmox_os_again())) return false;
  return true;
}

int cmox_os_read_file(const char *path, void *out, size_t size, size_t *len) {
  /* Closed again before anything could inherit it: close-on-exec would be one call more. */
  const int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? CMOX_OS_MISSING : errno;
  int error = 0;
  size_t total = 0;
  while (total < size) {
    const ssize_t got = read(fd, (char *)out + total, size - total);
    if (got < 0 && errno == EINTR && cmox_os_again()) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    total += (size_t)got;
    if (total < size) break; /* a short read of a file is its end */
  }
  close(fd);
  *len = total;
  return error;
}

unsigned cmox_os_wait(cmox_os_socket_t socket, unsigned wanted, uint64_t deadline) {
  struct pollfd fds[2] = {{.fd = (int)socket}, {.fd = STDIN_FILENO, .events = POLLIN}};
  if (wanted & CMOX_OS_READ) fds[0].events |= POLLIN;
  if (wanted & CMOX_OS_WRITE) fds[0].events |= POLLOUT;
  const nfds_t count = wanted & CMOX_OS_STDIN ? 2 : 1;
  for (;;) {
    const int left = cmox_os_remaining(deadline);
    if (left == NO_CLOCK) return CMOX_OS_ERROR;
    const int got = poll(fds, count, left);
    if (got < 0 && !cmox_os_again()) return CMOX_OS_ERROR;
    if (got < 0) continue;
    if (got == 0 && (left < 0 || cmox_os_remaining(deadline) != 0)) continue;
    if (got == 0) return 0;
    unsigned ready = 0;
    if (fds[0].revents & ~POLLOUT) ready |= CMOX_OS_READ;
    if (fds[0].revents & ~POLLIN) ready |= CMOX_OS_WRITE;
    if (count == 2 && fds[1].revents) ready |= CMOX_OS_STDIN;
    ready &= wanted;
    return ready ? ready : CMOX_OS_ERROR;
  }
}

static cmox_os_io_t read_outcome(ssize_t got, size_t *moved) {
  if (got > 0) {
    cmox_os_progress();
    *moved = (size_t)got;
    return CMOX_OS_DONE;
  }
  if (got == 0) return CMOX_OS_CLOSED;
  return cmox_os_again() ? CMOX_OS_AGAIN : CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_read_stdin(void *data, size_t len, size_t *moved) {
  return read_outcome(read(STDIN_FILENO, data, len), moved);
}

cmox_os_io_t cmox_os_more_stdin(void) {
  int waiting = 0;
  if (ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 0) return CMOX_OS_DONE;
  char byte;
  size_t moved;
  return read_outcome(read(STDIN_FILENO, &byte, 1), &moved);
}

/* Nothing here has a handler. On Linux past libc, whose part for handlers would be half a KiB. */
int cmox_os_ignore(int number, bool ignores) {
#if defined(__linux__) && !defined(__mips__)
  void (*words[16])(int) = {ignores ? SIG_IGN : SIG_DFL}, (*was[16])(int);
  if (syscall(SYS_rt_sigaction, number, words, was, 8) != 0) return -1;
  return was[0] == SIG_IGN;
#else
  struct sigaction action, was;
  memset(&action, 0, sizeof action);
  action.sa_handler = ignores ? SIG_IGN : SIG_DFL;
  if (sigaction(number, &action, &was) != 0) return -1;
  return was.sa_handler == SIG_IGN;
#endif
}

/* What SIGPIPE would have done, learnt before the first write; the launcher must outlive it to
 * tell the server. The same of a file that is too large. */
typedef struct held {
  bool held, was_ignored;
} held_t;
static held_t of_pipe, of_size;

static void hold(int number, held_t *held) {
  if (held->held) return;
  const int was = cmox_os_ignore(number, true);
  *held = (held_t){was >= 0, was > 0};
}

void cmox_os_hold_pipe(void) { hold(SIGPIPE, &of_pipe); }
void cmox_os_hold_size(void) { hold(SIGXFSZ, &of_size); }

void cmox_os_release(void) {
  if (of_pipe.held) cmox_os_ignore(SIGPIPE, of_pipe.was_ignored);
  if (of_size.held) cmox_os_ignore(SIGXFSZ, of_size.was_ignored);
}

cmox_os_io_t cmox_os_write(int stream, const void *data, size_t len, size_t *moved, int *error) {
  if (len > 0) cmox_os_hold_pipe();
  *moved = 0;
  while (*moved < len) {
    const ssize_t put = write(stream, (const char *)data + *moved, len - *moved);
    if (put >= 0) {
      cmox_os_progress();
      *moved += (size_t)put;
      continue;
    }
    *error = errno;
    if (*error == EPIPE) return CMOX_OS_CLOSED;
    if (!cmox_os_again()) return CMOX_OS_FAILED;
    struct pollfd fd = {.fd = stream, .events = POLLOUT};
    if (*error != EINTR && poll(&fd, 1, -1) < 0 && !cmox_os_again()) return CMOX_OS_FAILED;
  }
  return CMOX_OS_DONE;
}

bool cmox_os_write_line(int stream, const void *data, size_t len) {
  enum { PATIENCE_MS = 1000 };
  struct pollfd fd = {.fd = stream, .events = POLLOUT};
  cmox_os_hold_pipe();
  int ready;
  do ready = poll(&fd, 1, PATIENCE_MS);
  while (ready < 0 && cmox_os_again());
  /* Where the system cannot wait, a line that may block is better than none. */
  ssize_t put;
  do put = ready != 0 ? write(stream, data, len) : 0;
  while (put < 0 && errno == EINTR && cmox_os_again());
  return put > 0 && (size_t)put == len;
}

/* exit and not _exit: the instrumented builds write their counts there. */
void cmox_os_exit(int status) {
  cmox_os_child_kill();
  exit(status);
}

static void die_by(int number) {
  cmox_os_ignore(number, false);
  /* Not SIG_UNBLOCK of the one: musl's sets refuse SIGRTMIN, but leave it out of what they tell. */
  sigset_t blocked;
  sigemptyset(&blocked); /* what it stays when the system does not tell */
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  sigdelset(&blocked, number);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  raise(number);
}

bool cmox_os_pipe_kills(void) {
  sigset_t blocked;
  if (!of_pipe.held || of_pipe.was_ignored) return false;
  return sigprocmask(SIG_SETMASK, NULL, &blocked) != 0 || !sigismember(&blocked, SIGPIPE);
}

/* The signals that end a process. Those that stop or continue it, or are ignored, are no end. */
static const struct {
  char name[8];
  unsigned char number;
} signals[] = {
#define SIGNAL(name) \
  { #name, SIG##name }
    SIGNAL(HUP),    SIGNAL(INT),  SIGNAL(QUIT),   SIGNAL(ILL),  SIGNAL(TRAP),
    SIGNAL(ABRT),   SIGNAL(BUS),  SIGNAL(FPE),    SIGNAL(KILL), SIGNAL(USR1),
    SIGNAL(SEGV),   SIGNAL(USR2), SIGNAL(PIPE),   SIGNAL(ALRM), SIGNAL(TERM),
    SIGNAL(XCPU),   SIGNAL(XFSZ), SIGNAL(VTALRM), SIGNAL(PROF), SIGNAL(SYS),
#ifdef SIGSTKFLT
    SIGNAL(STKFLT),
#endif
#ifdef SIGPOLL
    SIGNAL(POLL),   SIGNAL(IO),
#endif
#ifdef SIGPWR
    SIGNAL(PWR),
#endif
#ifdef SIGIOT
    SIGNAL(IOT),
#endif
#undef SIGNAL
};

/* Real-time signals count from where glibc counts, whatever libc this is: the programs that watch
 * the launcher die are built with it. */
enum { REALTIME_FIRST = 34, REALTIME_LAST = 64 };

static int realtime(const char *name, size_t len) {
  const bool from_first = len >= 5 && memcmp(name, "RTMIN", 5) == 0;
  const bool from_last = len >= 5 && memcmp(name, "RTMAX", 5) == 0;
  if (!from_first && !from_last) return 0;
  int offset = 0;
  if (len > 5) {
    if (len > 8 || len < 7 || name[5] != (from_first ? '+' : '-')) return 0;
    for (size_t i = 6; i < len; i++) {
      if (name[i] < '0' || name[i] > '9') return 0;
      offset = offset * 10 + (name[i] - '0');
    }
  }
  if (offset > REALTIME_LAST - REALTIME_FIRST) return 0;
  return from_first ? REALTIME_FIRST + offset : REALTIME_LAST - offset;
}

static int signal_number(const char *name, size_t len) {
  if (len < 4 || memcmp(name, "SIG", 3) != 0) return 0;
  name += 3;
  len -= 3;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (strlen(signals[i].name) == len && memcmp(signals[i].name, name, len) == 0)
      return signals[i].number;
  return realtime(name, len);
}

void cmox_os_signal_name(int number, char *out, size_t size) {
  char *end = out + size - 1;
  const char *name = "RTMIN";
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (signals[i].number == number) {
      name = signals[i].name;
      number = REALTIME_FIRST;
      break;
    }
  for (const char *at = "SIG"; *at && out < end;) *out++ = *at++;
  while (*name && out < end) *out++ = *name++;
  const int offset = number - REALTIME_FIRST;
  if (offset > 0 && end - out >= 3) {
    *out++ = '+';
    if (offset >= 10) *out++ = (char)('0' + offset / 10);
    *out++ = (char)('0' + offset % 10);
  }
  *out = '\0';
}

bool cmox_os_signal_known(const char *name, size_t len) { return signal_number(name, len) != 0; }

void cmox_os_end_by_signal(const char *name, size_t len) {
#ifdef __linux__
  prctl(PR_SET_DUMPABLE, 0); /* a limit of 0 would not keep a core_pattern that is a pipe quiet */
#else
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
#endif
  die_by(signal_number(name, len));
}

void cmox_os_hang(void) {
  for (;;) pause();
}
