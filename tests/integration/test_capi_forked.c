/* A process that owns a session forks, and the child lives on without executing anything: when the
 * owner is killed, launchers notice it although the child has inherited all that was open. */
#include <cmdmox/cmdmox.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run_suite.h"

/* What the owner tells the test, in writes that no reader sees in part. */
typedef struct place {
  char shim[256];
} place_t;

typedef struct owner {
  pid_t pid;
  int says;
  place_t place;
} owner_t;

static void wait_for_a_call(cmox_t *mox) {
  for (size_t count = 0; count == 0;) {
    cmox_invocations_t *calls = cmox_journal(mox);
    count = calls->count;
    cmox_invocations_free(calls);
  }
}

/* A session whose calls wait for their stdin; once there is a call, a child that only lives. */
_Noreturn static void own(int out) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  place_t place;
  cmox_capture_stdin(cmox_stub(mox, "git"));
  if (cmox_replay(mox) != CMOX_OK) _exit(90);
  (void)snprintf(place.shim, sizeof place.shim, "%s/git", cmox_shim_directory(mox));
  if (write(out, &place, sizeof place) != sizeof place) _exit(91);
  wait_for_a_call(mox);
  const pid_t child = fork();
  if (child == 0) {
    close(out);
    for (;;) pause();
  }
  if (write(out, &child, sizeof child) != sizeof child) _exit(92);
  for (;;) pause();
}

static owner_t start_owner(void) {
  int pipes[2];
  ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
  owner_t owner = {.pid = fork(), .says = pipes[0]};
  if (owner.pid == 0) own(pipes[1]);
  close(pipes[1]);
  ck_assert_int_eq(read(owner.says, &owner.place, sizeof owner.place), sizeof owner.place);
  return owner;
}

/* Starts a call with a stdin that stays silent; its stderr is the file. */
static pid_t start_call(const char *shim, int in, FILE *err) {
  char patience[] = "CMOX_IPC_TIMEOUT=20";
  char *const environment[] = {patience, NULL};
  const pid_t pid = fork();
  if (pid != 0) return pid;
  dup2(in, 0);
  dup2(fileno(err), 2);
  execle(shim, "git", (char *)NULL, environment);
  _exit(98);
}

static void ended_with(pid_t pid, FILE *err, const char *why) {
  char line[512] = "";
  int status;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  rewind(err);
  ck_assert_ptr_nonnull(fgets(line, sizeof line, err));
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 125, "wait status %#x: %s",
                (unsigned)status, line);
  ck_assert_msg(strstr(line, why) != NULL, "'%s' is not in: %s", why, line);
  fclose(err);
}

START_TEST(a_child_of_fork_does_not_hide_the_death_of_its_parent) {
  leaves(LEAVES_FILES, "a killed owner leaves its directory to the next one");
  int silent[2];
  pid_t child;
  FILE *first = tmpfile(), *second = tmpfile();
  ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
  owner_t owner = start_owner();
  const pid_t caught = start_call(owner.place.shim, silent[0], first);
  ck_assert_int_eq(read(owner.says, &child, sizeof child), sizeof child);
  kill(owner.pid, SIGKILL);
  ck_assert_int_eq(waitpid(owner.pid, NULL, 0), owner.pid);

  ended_with(caught, first, "the server closed the connection");
  ended_with(start_call(owner.place.shim, silent[0], second), second, "the session is over");
  ck_assert_msg(kill(child, 0) == 0, "the child was to live on");
  kill(child, SIGKILL);
  close(silent[0]);
  close(silent[1]);
  close(owner.says);
}
END_TEST

/* The child closes its copies, not the connections. */
START_TEST(the_parents_calls_go_on_after_fork) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_capture_stdin(cmox_mock(mox, "git")), .out = "ok");
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  int pipes[2];
  ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
  FILE *err = tmpfile();
  char shim[256];
  (void)snprintf(shim, sizeof shim, "%s/git", cmox_shim_directory(mox));
  const pid_t call = start_call(shim, pipes[0], err);
  wait_for_a_call(mox);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  ck_assert_int_eq(write(pipes[1], "in", 2), 2);
  close(pipes[1]);
  int status;
  ck_assert_int_eq(waitpid(call, &status, 0), call);
  ck_assert_int_eq(status, 0);
  close(pipes[0]);
  ck_assert_msg(cmox_verify(mox) == CMOX_OK, "%s", cmox_message(mox));
  fclose(err);
}
END_TEST

static size_t descriptors(void) {
  size_t count = 0;
  for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

/* Descriptors of links and listeners that have ended may mean something else by the time of the
 * fork, and the child keeps that. */
START_TEST(a_forked_child_keeps_what_took_the_place_of_ended_links) {
  enum { FILES = 64, GUARD_MS = 60000 };
  CMOX_SCOPED cmox_t *keeper = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  ck_assert_int_eq(cmox_replay(keeper), CMOX_OK); /* the engine stays */
  const size_t before = descriptors();
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_stub(mox, "git");
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  char command[300];
  (void)snprintf(command, sizeof command, "%s/git", cmox_shim_directory(mox));
  for (int i = 0; i < 3; i++) ck_assert_int_eq(system(command), 0);
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
  cmox_free(mox);
  for (int ms = 0; descriptors() > before && ms < GUARD_MS; ms++) (void)poll(NULL, 0, 1);
  int files[FILES];
  for (int i = 0; i < FILES; i++) files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < FILES; i++)
      if (fcntl(files[i], F_GETFD) < 0) _exit(1);
    _exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(status == 0, "the child has lost a file of its parent");
  for (int i = 0; i < FILES; i++) close(files[i]);
  ck_assert_int_eq(cmox_verify(keeper), CMOX_OK);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_forked");
  TCase *tests = tcase_create("all");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_child_of_fork_does_not_hide_the_death_of_its_parent);
  tcase_add_test(tests, the_parents_calls_go_on_after_fork);
  tcase_add_test(tests, a_forked_child_keeps_what_took_the_place_of_ended_links);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
