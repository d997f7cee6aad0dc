#include "client/program/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/program/descendants.h"

#include "client/lib/clock.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { KILL_AFTER_MS = 5000, SAY_AFTER_MS = 1000, LOOK_AGAIN_MS = 50 };

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

/* Sent by a process, and not by the kernel: those of the terminal reach the command by themselves.
 */
static bool is_sent(const siginfo_t *info) { return info->si_code <= 0; }

/* Stops as the command did: whoever started us sees that, and lets us go on. */
static void stop_too(pid_t command) {
  (void)kill(getpid(), SIGSTOP);
  (void)kill(command, SIGCONT);
}

typedef struct patience {
  const cmox_child_t *child;
  pid_t command;
  unsigned long long since; /* when it was started */
  int64_t deadline;         /* 0: none */
  int next;                 /* the signal that ends it then; 0: they have all been sent */
  bool timed_out;
} patience_t;

/* Waits for a signal, at most so long: its number, or 0 when none came; -1: wait once more. */
static int next_signal(int64_t deadline, siginfo_t *info) {
  sigset_t all;
  (void)sigfillset(&all);
  if (deadline == 0) return sigwaitinfo(&all, info);
  int64_t left = deadline - cmox_now_ms();
  if (left < 0) left = 0;
  const struct timespec wait = {.tv_sec = (time_t)(left / 1000),
                                .tv_nsec = (long)(left % 1000) * 1000000};
  const int number = sigtimedwait(&all, info, &wait);
  return number < 0 && errno == EAGAIN ? 0 : number;
}

/* The time is up, or we are to end: asked to end first, then killed, with all that it started. One
 * that is stopped hears nothing else. */
static void end_it(patience_t *patience) {
  const int number = patience->next;
  if (number != 0 && cmox_descendants(patience->since, patience->timed_out, number) == 0) {
    (void)kill(patience->command, number); /* no /proc */
    (void)kill(patience->command, SIGCONT);
  }
  patience->deadline = number ? cmox_now_ms() + KILL_AFTER_MS : 0;
  patience->next = number == SIGTERM ? SIGKILL : 0;
}

/* Whether anything is to be found that it has left running. */
static bool gathers(const cmox_child_t *child) { return child->timeout_ms || child->waits; }

/* All signals are blocked. Those that others send us are for the command. */
static cmox_child_end_t accompany(patience_t *patience) {
  const pid_t whom = gathers(patience->child) ? -1 : patience->command;
  for (;;) {
    int status = 0;
    const pid_t changed = waitpid(whom, &status, WNOHANG | WUNTRACED);
    if (changed < 0 && errno != EINTR)
      return (cmox_child_end_t){.error = errno, .status = CMOX_CANNOT_EXECUTE};
    if (changed > 0 && changed != patience->command) continue; /* one that has become ours */
    if (changed > 0 && !WIFSTOPPED(status))
      return (cmox_child_end_t){.status = WIFSIGNALED(status) ? CMOX_BY_SIGNAL + WTERMSIG(status)
                                                              : WEXITSTATUS(status)};
    if (changed > 0) {
      stop_too(patience->command);
      continue;
    }
    siginfo_t info;
    const int number = next_signal(patience->deadline, &info);
    if (number == 0) {
      patience->timed_out = true;
      end_it(patience);
    }
    if (number > 0 && number != SIGCHLD && is_sent(&info)) (void)kill(patience->command, number);
  }
}

static bool ends_us(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/* After the command: until nothing of it runs that is waited for, or does not heed KILL. */
static void wait_for_rest(patience_t *patience) {
  const int64_t said_at = cmox_now_ms() + SAY_AFTER_MS;
  bool ending = patience->timed_out;
  bool said = ending;
  size_t left;
  while ((left = cmox_descendants(patience->since, patience->timed_out, 0)) > 0) {
    if (!said && cmox_now_ms() >= said_at) {
      (void)fprintf(stderr,
                    "cmdmox %s: waiting for %zu process%s that the command has left running; "
                    "Ctrl-C ends %s\n",
                    patience->child->waits, left, left == 1 ? "" : "es", left == 1 ? "it" : "them");
      said = true;
    }
    siginfo_t info;
    const int number = next_signal(cmox_now_ms() + LOOK_AGAIN_MS, &info);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    if (number == SIGTSTP) (void)kill(getpid(), SIGSTOP);
    const bool asked = !ending && ends_us(number);
    ending |= asked;
    const bool due = ending && cmox_now_ms() >= patience->deadline;
    if (due && !asked && patience->next == 0) break;
    if (asked || due) end_it(patience);
    if (ending && patience->next == 0) /* also those that have come since */
      (void)cmox_descendants(patience->since, patience->timed_out, SIGKILL);
  }
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
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

/* Those that came meanwhile were for the command, such as the terminal's. */
static void unblock(const sigset_t *mask) {
  const struct timespec at_once = {0};
  sigset_t all;
  (void)sigfillset(&all);
  while (sigtimedwait(&all, NULL, &at_once) > 0) continue;
  (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

static cmox_child_end_t see_it_through(const cmox_child_t *child, pid_t command) {
  patience_t patience = {.child = child,
                         .command = command,
                         .since = cmox_started(command),
                         .deadline = child->timeout_ms ? cmox_now_ms() + child->timeout_ms : 0,
                         .next = SIGTERM};
  cmox_child_end_t end = accompany(&patience);
  if (patience.timed_out || child->waits) wait_for_rest(&patience);
  end.timed_out = patience.timed_out;
  return end;
}

static cmox_child_end_t start_and_see(const cmox_child_t *child, const sigset_t *mask) {
  const pid_t self = getpid();
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0)
    return (cmox_child_end_t){.error = errno, .status = CMOX_CANNOT_EXECUTE};
  void (*on_child)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status away */
  const pid_t pid = fork();
  if (pid == 0) (void)signal(SIGCHLD, on_child);
  if (pid == 0) become(child, mask, self, pipe_fds[1]);
  int why = pid < 0 ? errno : 0;
  (void)close(pipe_fds[1]);
  if (pid > 0) why = read_why(pipe_fds[0]);
  (void)close(pipe_fds[0]);
  if (pid < 0) return (cmox_child_end_t){.error = why, .status = CMOX_CANNOT_EXECUTE};
  const cmox_child_end_t end = see_it_through(child, pid);
  return why ? not_run(why) : end;
}

cmox_child_end_t cmox_child_run(const cmox_child_t *child) {
  sigset_t all;
  sigset_t mask;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, &mask);
  if (gathers(child)) cmox_gather_orphans(true);
  const cmox_child_end_t end = start_and_see(child, &mask);
  if (gathers(child)) cmox_gather_orphans(false);
  unblock(&mask);
  return end;
}
