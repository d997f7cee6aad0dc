#include "tests/lib/dying.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/broken.h"
#include "tests/lib/served.h"

static void by_segv(void) { (void)raise(SIGSEGV); }
static void by_bus(void) { (void)raise(SIGBUS); }
static void by_abort(void) { abort(); }
static void by_underscore_exit(void) { _exit(3); }
static void by_exit(void) { exit(3); }
static void by_exec(void) { (void)execl("/bin/false", "false", (char *)NULL); }

const end_t ways_to_end[] = {
    {"SIGHUP", SIGHUP, NULL},   {"SIGINT", SIGINT, NULL},
    {"SIGTERM", SIGTERM, NULL}, {"SIGKILL", SIGKILL, NULL},
    {"SIGSEGV", 0, by_segv},    {"SIGBUS", 0, by_bus},
    {"abort()", 0, by_abort},   {"_exit()", 0, by_underscore_exit},
    {"exit()", 0, by_exit},     {"exec", 0, by_exec},
};
const unsigned way_to_end_count = sizeof ways_to_end / sizeof *ways_to_end;

/* What it tells, in one write. */
typedef struct report {
  unsigned call_count;
  pid_t calls[PHASES_CALLS_MAX];
  pid_t late;
} report_t;

_Noreturn static void live(const phase_t *phase, const end_t *end, phase_scene_t *scene, int told) {
  char byte;
  report_t report = {0};
  for (unsigned i = 0; i < way_to_end_count; i++) /* a runner's handlers are not for this one */
    if (ways_to_end[i].number) (void)signal(ways_to_end[i].number, SIG_DFL);
  phase_scene_open(scene);
  phase->reach(scene);
  report.call_count = scene->call_count;
  memcpy(report.calls, scene->calls, sizeof report.calls);
  report.late = scene->late;
  if (write(told, &report, sizeof report) != sizeof report) broken("cannot tell");
  if (end->end) end->end();
  for (;;) (void)!read(scene->silent[0], &byte, 1); /* the signal comes */
}

static void judge_call(death_t *death, pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) broken("a call: %s", strerror(errno));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 125)
    death->refused++;
  else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
    death->piped++; /* its reader was the test */
  else
    broken("a call ended with wait status %#x", (unsigned)status);
}

void die(const phase_t *phase, const end_t *end, death_t *death) {
  int told[2], late[2];
  report_t report;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || pipe2(told, O_CLOEXEC) != 0 ||
      pipe2(late, O_CLOEXEC) != 0)
    broken("%s", strerror(errno));
  *death = (death_t){.err = nameless_file(), .go = late[1]};
  phase_scene_t scene = {.err = death->err, .late_in = late[0]};
  (void)fflush(NULL);
  const pid_t test = fork();
  if (test == 0) {
    (void)dup2(death->err, STDERR_FILENO);
    live(phase, end, &scene, told[1]);
  }
  (void)close(told[1]);
  (void)close(late[0]);
  if (read(told[0], &report, sizeof report) != sizeof report) broken("it did not get there");
  (void)close(told[0]);
  if (end->number) (void)kill(test, end->number);
  while (waitpid(test, &death->status, 0) < 0)
    if (errno != EINTR) broken("the test: %s", strerror(errno));
  for (unsigned i = 0; i < report.call_count; i++) judge_call(death, report.calls[i]);
  death->late = report.late;
}

int late_call(death_t *death) {
  int status = -1;
  if (death->late) {
    if (write(death->go, "\n", 1) != 1) broken("the late child: %s", strerror(errno));
    while (waitpid(death->late, &status, 0) < 0)
      if (errno != EINTR) broken("the late child: %s", strerror(errno));
  }
  (void)close(death->go);
  (void)close(death->err);
  return status;
}
