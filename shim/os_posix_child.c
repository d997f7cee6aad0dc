/* POSIX side of shim/os.h: the real command's process.
 *
 * Signals are blocked while it runs, and read from a descriptor: nothing of this process's
 * dispositions changes that a child could inherit, and no handler runs in memory that vfork shares.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#endif

#include "shim/bytes.h"
#include "shim/os.h"
#include "shim/os_posix.h"

static int running;         /* the child that dies with us; 0: none */
static sigset_t caller_set; /* what the caller had blocked */
static bool reaps;          /* the caller ignores SIGCHLD, and the child shall inherit that */

/* This program's file: by the path it was started by, since asking /proc is dearer than all else
 * that finding a command costs, and under valgrind gives another program. */
static const struct stat *own_file(void) {
  static CMOX_COLD struct stat own;
  static bool known;
  const char *path = cmox_os_started_as();
  if (!known) known = (path && stat(path, &own) == 0) || stat("/proc/self/exe", &own) == 0;
  return known ? &own : NULL;
}

/* Another file of this program, such as `cmdmox isolate` puts in place of others. */
static bool same_build(const char *path, const struct stat *info, const struct stat *own) {
#ifdef __linux__
  extern const char __ehdr_start[]; /* where the first bytes of its file are */
  char start[1024];
  size_t len = 0;
  return own->st_size == info->st_size && cmox_os_read_file(path, start, sizeof start, &len) == 0 &&
         memcmp(start, __ehdr_start, len) == 0;
#else
  (void)path;
  (void)info;
  (void)own;
  return false;
#endif
}

/* The endpoint beside the file that link of /proc leads to. */
static bool find_endpoint(const char *link, struct stat *info) {
  static const char name[] = "endpoint";
  static CMOX_COLD char file[CMOX_OS_PATH_MAX + sizeof name];
  ssize_t len = readlink(link, file, CMOX_OS_PATH_MAX);
  while (len > 0 && file[len - 1] != '/') len--;
  if (len <= 0) return false;
  memcpy(file + len, name, sizeof name);
  return stat(file, info) == 0;
}

/* The sessions of a process share one launcher by hard links: which session a link of it stands for
 * is said by the endpoint beside it. One without is taken for this one. */
static bool is_of_another_session(const char *path) {
  static const char descriptors[] = "/proc/self/fd/";
  char room[sizeof descriptors + 10] = ""; /* a number has ten digits at most */
  char *link = room + sizeof room - 1;
  struct stat ours, theirs;
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return false;
  for (int rest = fd; rest > 0; rest /= 10) *--link = (char)('0' + rest % 10);
  link -= sizeof descriptors - 1;
  memcpy(link, descriptors, sizeof descriptors - 1);
  const bool found = find_endpoint(link, &theirs) && find_endpoint("/proc/self/exe", &ours);
  close(fd);
  return found && (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
}

cmox_os_found_t cmox_os_look_at(const char *path, int *error) {
  struct stat info;
  if (stat(path, &info) != 0) {
    *error = errno;
    return cmox_os_is_missing(*error) ? CMOX_OS_IS_NOTHING : CMOX_OS_IS_REFUSED;
  }
  const struct stat *own = own_file();
  if (!own) {
    *error = errno;
    return CMOX_OS_IS_REFUSED; /* it may be this program */
  }
  const bool same = own->st_dev == info.st_dev && own->st_ino == info.st_ino;
  if ((same || same_build(path, &info, own)) && !is_of_another_session(path))
    return CMOX_OS_IS_SELF;
  *error = EACCES;
  return S_ISREG(info.st_mode) && access(path, X_OK) == 0 ? CMOX_OS_IS_PROGRAM : CMOX_OS_IS_REFUSED;
}

bool cmox_os_is_missing(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
}

int cmox_os_become(const char *path, char **argv, char **environment) {
  static char sh[] = "/bin/sh";
  cmox_os_release();
  execve(path, argv, environment);
  const int error = errno;
  if (error != ENOEXEC) return error;
  size_t count = 0;
  while (argv[count]) count++;
  char **words = cmox_os_map((count + 3) * sizeof *words);
  if (!words) return ENOMEM;
  words[0] = sh;
  words[1] = (char *)(uintptr_t)path;
  for (size_t i = 1; i < count; i++) words[i + 1] = argv[i];
  execve(sh, words, environment);
  return error;
}

/* In the child, whose memory is its parent's until it becomes the command. */
_Noreturn static void be_child(const cmox_os_child_t *child, const int streams[3], int parent,
                               const char *path, char **argv, char **environment) {
#ifdef __linux__
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) *child->exec_error = errno;
#endif
  const pid_t current = getppid(); /* 0: in another namespace of processes */
  if (parent > 0 && current > 0 && current != parent) _exit(1); /* it ended before that */
  for (int i = 0; i < 3; i++)
    if (streams[i] >= 0 && dup2(streams[i], i) < 0) *child->exec_error = errno;
  if (reaps && cmox_os_ignore(SIGCHLD, true) < 0) *child->exec_error = errno;
  if (sigprocmask(SIG_SETMASK, &caller_set, NULL) != 0) *child->exec_error = errno;
  if (*child->exec_error == 0) *child->exec_error = cmox_os_become(path, argv, environment);
  _exit(1);
}

static int take_signals(cmox_os_child_t *child) {
#ifdef __linux__
  sigset_t all;
  memset(&all, 0xff, sizeof all); /* sigfillset of musl leaves some out */
  const int ignored = cmox_os_ignore(SIGCHLD, false);
  if (ignored < 0) return errno;
  reaps = ignored > 0;
  if (sigprocmask(SIG_SETMASK, &all, &caller_set) != 0) return errno;
  child->signals = cmox_os_above_streams(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  return child->signals < 0 ? errno : 0;
#else
  (void)child;
  return ENOSYS; /* nothing is captured on this system yet */
#endif
}

int cmox_os_child_start(cmox_os_child_t *child, const int streams[3], const char *path, char **argv,
                        char **environment) {
  child->exec_error = mmap(NULL, sizeof *child->exec_error, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (child->exec_error == MAP_FAILED) return errno;
  const int error = take_signals(child);
  if (error != 0) return error;
  const int parent = getpid();
  /* Not fork, which copies tables that exec throws away, nor posix_spawn, which knows no parent's
   * death; be_child only becomes the command. */
  // NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork): as just said
  const pid_t pid = vfork();
  if (pid == 0) be_child(child, streams, parent, path, argv, environment);
  // NOLINTEND(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork): as just said
  if (pid < 0) return errno;
  child->pid = pid;
  running = child->pid;
  return 0;
}

void cmox_os_child_kill(void) {
  if (running <= 0) return;
  /* One that we may not kill, of another user, is not waited for. */
  const bool killed = kill(running, SIGKILL) == 0;
  while (killed && waitpid(running, NULL, 0) < 0 && cmox_os_again()) continue;
  running = 0;
}

void cmox_os_child_end(const cmox_os_child_t *child, bool at_once) {
  kill(child->pid, at_once ? SIGKILL : SIGTERM);
  kill(child->pid, SIGCONT); /* one that is stopped would not notice */
}

void cmox_os_child_stop_too(const cmox_os_child_t *child) {
  kill(getpid(), SIGSTOP);
  kill(child->pid, SIGCONT);
}

#ifdef __linux__
/* To all of a terminal's processes, the command among them; but a hangup to a session's leader
 * alone. */
static bool is_of_terminal(int number) {
  static const unsigned char all[] = {SIGINT,  SIGQUIT, SIGTSTP,  SIGHUP,
                                      SIGTTIN, SIGTTOU, SIGWINCH, SIGCONT};
  return memchr(all, number, sizeof all) && (number != SIGHUP || getsid(0) != getpid());
}

/* Who is to have what came to us; 0: nobody. What the kernel sends for a timer or a limit was set
 * before by the one that became us, and would have outlived becoming the command. */
static pid_t receiver(const cmox_os_child_t *child, const struct signalfd_siginfo *came) {
  const int number = (int)came->ssi_signo;
  if (number == SIGCHLD) return 0;
  if (came->ssi_code > 0) return is_of_terminal(number) ? 0 : child->pid;
  if (came->ssi_pid == (uint32_t)getpid()) return 0; /* a SIGPIPE of ours is its news, too */
  if (came->ssi_pid != (uint32_t)child->pid) return child->pid;
  /* Its parent would be ours; one in another group was not meant by a signal to its own group. */
  const pid_t parent = getppid();
  return getpgid(parent) == getpgid(0) ? parent : 0;
}
#endif

static void send_on(const cmox_os_child_t *child) {
#ifdef __linux__
  struct signalfd_siginfo came[8];
  ssize_t got;
  do {
    got = read(child->signals, came, sizeof came);
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *came; i++) {
      const pid_t to = receiver(child, &came[i]);
      if (to > 0) kill(to, (int)came[i].ssi_signo);
    }
  } while (got == (ssize_t)sizeof came);
#else
  (void)child;
#endif
}

cmox_os_state_t cmox_os_child_attend(cmox_os_child_t *child, cmox_os_end_t *end) {
  int status = 0;
  send_on(child);
  pid_t got;
  do got = waitpid(child->pid, &status, WNOHANG | WUNTRACED);
  while (got < 0 && cmox_os_again());
  if (got == 0) return CMOX_OS_RUNS;
  if (got > 0 && WIFSTOPPED(status)) return CMOX_OS_STOPPED;
  *end = (cmox_os_end_t){.error = got < 0 ? errno : *child->exec_error};
  if (got < 0) return CMOX_OS_LOST;
  running = 0;
  if (WIFSIGNALED(status))
    cmox_os_signal_name(WTERMSIG(status), end->signal, sizeof end->signal);
  else
    end->exit_code = WEXITSTATUS(status);
  cmox_os_end(&child->signals);
  cmox_os_hold_pipe(); /* one may be pending */
  sigprocmask(SIG_SETMASK, &caller_set, NULL);
  return CMOX_OS_ENDED;
}

/* On Linux past libc: its locks and handlers for threads that are not there would be 2 KiB. */
bool cmox_os_linger(void) {
#ifdef __linux__
  if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) != 0) return false;
#else
  if (fork() != 0) return false;
#endif
  /* What is sent to the caller's group, or to its terminal, is not for us. */
  sigset_t all;
  memset(&all, 0xff, sizeof all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  return true;
}

void cmox_os_let_go_but(const int *kept, size_t count) {
  enum { MOST = 1024 }; /* the limit that a process usually has */
  for (int fd = 0; fd < MOST; fd++) {
    bool keeps = false;
    for (size_t i = 0; i < count; i++) keeps = keeps || kept[i] == fd;
    if (!keeps) close(fd);
  }
}
