#include "client/program/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { KILL_AFTER_MS = 5000 };

extern char **environ;

/* ---- In the child ------------------------------------------------------------ */

static int execute(const cmox_child_t *child) {
  if (!child->environment) return execvp(child->command[0], child->command);
  if (!child->on_its_path) return execvpe(child->command[0], child->command, child->environment);
  environ = (char **)(uintptr_t)child->environment;
  return execvp(child->command[0], child->command);
}

_Noreturn static void become(const cmox_child_t *child, const sigset_t *mask, pid_t parent,
                             int why_fd) {
#ifdef __linux__
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (getppid() != parent) _exit(CMOX_BY_SIGNAL + SIGKILL); /* it was killed before that */
  if (child->input >= 0) (void)dup2(child->input, STDIN_FILENO);
  (void)sigprocmask(SIG_SETMASK, mask, NULL);
  (void)execute(child);
  const int why = errno;
  (void)!write(why_fd, &why, sizeof why);
  _exit(CMOX_NOT_FOUND);
}

/* ---- Beside it --------------------------------------------------------------- */

static int64_t now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sent by a process, and not by the kernel: those of the terminal reach the command by themselves.
 */
static bool is_sent(const siginfo_t *info) { return info->si_code <= 0; }

/* Stops as the command did: whoever started us sees that, and lets us go on. */
static void stop_too(pid_t command) {
  (void)kill(getpid(), SIGSTOP);
  (void)kill(command, SIGCONT);
}

typedef struct patience {
  int64_t deadline; /* 0: none */
  bool out;         /* TERM was sent */
} patience_t;

/* Waits for a signal: its number, or 0 when none came in time. */
static int next_signal(const patience_t *patience, siginfo_t *info) {
  sigset_t all;
  (void)sigfillset(&all);
  if (patience->deadline == 0) return sigwaitinfo(&all, info);
  int64_t left = patience->deadline - now_ms();
  if (left < 0) left = 0;
  const struct timespec wait = {.tv_sec = (time_t)(left / 1000),
                                .tv_nsec = (long)(left % 1000) * 1000000};
  const int number = sigtimedwait(&all, info, &wait);
  return number < 0 && errno == EAGAIN ? 0 : number;
}

/* The time is up: asked to end first, then killed. One that is stopped hears nothing else. */
static void end_it(pid_t command, patience_t *patience) {
  (void)kill(command, patience->out ? SIGKILL : SIGTERM);
  (void)kill(command, SIGCONT);
  patience->deadline = patience->out ? 0 : now_ms() + KILL_AFTER_MS;
  patience->out = true;
}

/* All signals are blocked. Those that others send us are for the command. */
static cmox_child_end_t accompany(pid_t command, uint32_t timeout_ms) {
  patience_t patience = {.deadline = timeout_ms ? now_ms() + timeout_ms : 0};
  for (;;) {
    int status = 0;
    const pid_t changed = waitpid(command, &status, WNOHANG | WUNTRACED);
    if (changed < 0 && errno != EINTR)
      return (cmox_child_end_t){.error = errno, .status = CMOX_CANNOT_EXECUTE};
    if (changed > 0 && !WIFSTOPPED(status))
      return (cmox_child_end_t){
          .status = WIFSIGNALED(status) ? CMOX_BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status),
          .timed_out = patience.out};
    if (changed > 0) {
      stop_too(command);
      continue;
    }
    siginfo_t info;
    const int number = next_signal(&patience, &info);
    if (number == 0) end_it(command, &patience);
    if (number > 0 && number != SIGCHLD && is_sent(&info)) (void)kill(command, number);
  }
}

/* What became says before it ends; 0: it has become the command. */
static int read_why(int fd) {
  int why = 0;
  ssize_t got;
  do {
    got = read(fd, &why, sizeof why);
  } while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof why ? why : 0;
}

static cmox_child_end_t not_run(int why) {
  const bool found = why != ENOENT && why != ENOTDIR;
  return (cmox_child_end_t){.error = why, .status = found ? CMOX_CANNOT_EXECUTE : CMOX_NOT_FOUND};
}

cmox_child_end_t cmox_child_run(const cmox_child_t *child) {
  sigset_t all;
  sigset_t mask;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, &mask);
  const pid_t self = getpid();
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0)
    return (cmox_child_end_t){.error = errno, .status = CMOX_CANNOT_EXECUTE};
  void (*on_child)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status away */
  const pid_t pid = fork();
  if (pid == 0) (void)signal(SIGCHLD, on_child);
  if (pid == 0) become(child, &mask, self, pipe_fds[1]);
  int why = pid < 0 ? errno : 0;
  (void)close(pipe_fds[1]);
  if (pid > 0) why = read_why(pipe_fds[0]);
  (void)close(pipe_fds[0]);
  if (pid < 0) return (cmox_child_end_t){.error = why, .status = CMOX_CANNOT_EXECUTE};
  const cmox_child_end_t end = accompany(pid, child->timeout_ms);
  return why ? not_run(why) : end;
}
