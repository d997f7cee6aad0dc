/* A process's end shows at its pidfd where the system has those; elsewhere it is asked for every
 * ASK_MS. Signals and the engine's news of its clients wake the wait by a pipe. */
#include "client/program/guard.h"

#include "client/lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { ASK_MS = 200 };

static int wake_pipe[2] = {-1, -1};
static atomic_int signalled; /* number; 0: none */
static atomic_size_t clients_now;
static atomic_size_t sessions_now;
static atomic_uint changes;

static void wake(void) {
  const int before = errno;
  (void)!write(wake_pipe[1], "", 1); /* full: it is awake already */
  errno = before;
}

static void on_signal(int number) {
  atomic_store(&signalled, number);
  wake();
}

void cmox_guard_populated(void *user, size_t clients, size_t sessions) {
  (void)user;
  atomic_store(&clients_now, clients);
  atomic_store(&sessions_now, sessions);
  atomic_fetch_add(&changes, 1);
  wake();
}

/* ---- The process ------------------------------------------------------------ */

/* One descriptor per held call. Only this program does that: children inherit the limit. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* A core of this program would hold the environment and the arguments of every call. */
static void leave_no_core(void) {
  const struct rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  /* A core_pattern that is a pipe does not ask for the limit, but it gets no memory (Linux). */
  FILE *filter = fopen("/proc/self/coredump_filter", "we");
  if (!filter) return;
  (void)fputs("0", filter);
  (void)fclose(filter);
}

bool cmox_guard_begin(const char *verb) {
  static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
  bool made = pipe(wake_pipe) == 0;
  for (int i = 0; i < 2 && made; i++)
    made = fcntl(wake_pipe[i], F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(wake_pipe[i], F_SETFL, O_NONBLOCK) == 0;
  if (!made) {
    (void)fprintf(stderr,
                  "cmdmox %s: cannot make a pipe: %s; close some files, or raise the limit (ulimit "
                  "-n)\n",
                  verb, strerror(errno));
    return false;
  }
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  (void)sigemptyset(&action.sa_mask);
  sigset_t ours;
  (void)sigemptyset(&ours);
  for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
    struct sigaction before;
    const bool nohup = sigaction(ending[i], NULL, &before) == 0 && ending[i] == SIGHUP &&
                       before.sa_handler == SIG_IGN;
    if (!nohup) (void)sigaction(ending[i], &action, NULL);
    (void)sigaddset(&ours, ending[i]);
  }
  (void)sigprocmask(SIG_UNBLOCK, &ours, NULL);
  (void)signal(SIGPIPE, SIG_IGN); /* a reader of stdout that is gone is an error, not the end */
  raise_descriptor_limit();
  leave_no_core();
  return true;
}

/* ---- Another process ----------------------------------------------------------- */

static int open_pidfd(pid_t pid) {
#if defined(__linux__) && defined(SYS_pidfd_open)
  return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec */
#else
  (void)pid;
  errno = ENOSYS;
  return -1;
#endif
}

static bool is_gone(pid_t pid) { return kill(pid, 0) != 0 && errno == ESRCH; }

bool cmox_guard_watch(cmox_guard_t *guard, const char *verb, pid_t parent) {
  guard->parent = parent;
  guard->parent_fd = -1;
  if (parent == 0) return true;
  guard->parent_fd = open_pidfd(parent);
  if (guard->parent_fd >= 0 || !is_gone(parent)) return true;
  (void)fprintf(stderr, "cmdmox %s: --parent %ld: there is no such process\n", verb, (long)parent);
  return false;
}

void cmox_guard_clear(cmox_guard_t *guard) {
  if (guard->parent_fd >= 0) (void)close(guard->parent_fd);
  guard->parent_fd = -1;
  guard->parent = 0;
}

#ifdef __linux__
/* What a process is: a fork is the same image as its parent, at the same addresses; who has
 * executed a program since is at others. */
typedef struct image {
  pid_t parent;
  unsigned long start_code, start_stack, arguments;
} image_t;

static bool read_image(pid_t pid, image_t *image) {
  enum { FIRST = 3, PARENT = 4, START_CODE = 26, START_STACK = 28, ARGUMENTS = 48 }; /* proc(5) */
  char path[64];
  char text[2048];
  (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
  FILE *file = fopen(path, "re");
  if (!file) return false;
  const size_t got = fread(text, 1, sizeof text - 1, file);
  (void)fclose(file);
  text[got] = '\0';
  char *at = strrchr(text, ')'); /* the name may hold anything */
  if (!at) return false;
  *image = (image_t){0};
  char *rest = NULL;
  at = strtok_r(at + 1, " ", &rest);
  for (int field = FIRST; at; field++, at = strtok_r(NULL, " ", &rest)) {
    if (field == PARENT) image->parent = (pid_t)strtol(at, NULL, 10);
    if (field == START_CODE) image->start_code = strtoul(at, NULL, 10);
    if (field == START_STACK) image->start_stack = strtoul(at, NULL, 10);
    if (field == ARGUMENTS) image->arguments = strtoul(at, NULL, 10);
  }
  return image->start_stack != 0 && image->arguments != 0; /* else it is not for our eyes */
}

static size_t read_words(pid_t pid, char *words, size_t size) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
  FILE *file = fopen(path, "re");
  const size_t len = file ? fread(words, 1, size, file) : 0;
  if (file) (void)fclose(file);
  return len;
}

/* Where addresses are not random, only its words tell a program that was executed from a fork. */
static bool have_same_words(pid_t a, pid_t b) {
  char first[4096];
  char second[sizeof first];
  const size_t len = read_words(a, first, sizeof first);
  return read_words(b, second, sizeof second) == len && memcmp(first, second, len) == 0;
}

static bool is_fork_of(const image_t *child, const image_t *parent) {
  return child->start_code == parent->start_code && child->start_stack == parent->start_stack &&
         child->arguments == parent->arguments;
}
#endif

pid_t cmox_guard_shell(void) {
  pid_t shell = getppid();
#ifdef __linux__
  image_t image;
  image_t above;
  if (!read_image(shell, &image)) return shell;
  while (image.parent > 1 && read_image(image.parent, &above) && is_fork_of(&image, &above) &&
         have_same_words(shell, image.parent)) {
    shell = image.parent;
    image = above;
  }
#endif
  return shell;
}

/* ---- Waiting -------------------------------------------------------------------- */

static void drain_wakes(void) {
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof bytes) > 0) {
  }
}

/* Waits for news, or for `most` ms (-1: for ever); true: the watched process is gone. */
static bool look(const cmox_guard_t *guard, int64_t most) {
  struct pollfd fds[2] = {{.fd = wake_pipe[0], .events = POLLIN},
                          {.fd = guard->parent_fd, .events = POLLIN}};
  const bool asks = guard->parent != 0 && guard->parent_fd < 0;
  if (asks && (most < 0 || most > ASK_MS)) most = ASK_MS;
  if (most > INT32_MAX) most = INT32_MAX;
  if (poll(fds, 2, (int)most) < 0) return false;
  if (fds[0].revents) drain_wakes();
  return asks ? is_gone(guard->parent) : guard->parent != 0 && fds[1].revents != 0;
}

static bool is_needed(const cmox_guard_t *guard) {
  if (atomic_load(&sessions_now) > 0) return true;
  return !guard->needs_session && atomic_load(&clients_now) > 0;
}

cmox_end_t cmox_guard_wait(const cmox_guard_t *guard, int *number) {
  const int64_t idle = guard->needs_session ? 0 : (int64_t)guard->idle_ms;
  const bool may_idle = guard->needs_session || guard->idle_ms > 0;
  unsigned seen = atomic_load(&changes);
  int64_t since = cmox_now_ms();
  for (;;) {
    *number = atomic_load(&signalled);
    if (*number) return CMOX_END_SIGNAL;
    const unsigned now_seen = atomic_load(&changes);
    if (now_seen != seen) {
      seen = now_seen;
      since = cmox_now_ms();
    }
    const int64_t left = since + idle - cmox_now_ms();
    const bool waits_idly = may_idle && !is_needed(guard);
    if (waits_idly && left <= 0) return CMOX_END_IDLE;
    if (look(guard, waits_idly ? left : -1)) return CMOX_END_PARENT;
  }
}

void cmox_guard_wait_gone(cmox_guard_t *guard, int most_ms) {
  const int64_t until = most_ms < 0 ? INT64_MAX : cmox_now_ms() + most_ms;
  const int64_t ask_ms = most_ms < 0 ? ASK_MS : ASK_MS / 10;
  for (int64_t left; guard->parent && (left = until - cmox_now_ms()) > 0;) {
    struct pollfd fd = {.fd = guard->parent_fd, .events = POLLIN};
    const int64_t pause = guard->parent_fd < 0 && left > ask_ms ? ask_ms : left;
    if (poll(&fd, guard->parent_fd >= 0, pause > INT32_MAX ? -1 : (int)pause) > 0) return;
    if (guard->parent_fd < 0 && is_gone(guard->parent)) return;
  }
}
