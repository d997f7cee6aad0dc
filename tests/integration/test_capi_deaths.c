/* Clean-up under fire: a test dies, or its server does, in any phase and in any way. Its calls end
 * with 125, what runs on meets a shim and not the real command, and the next start leaves nothing
 * on disk. */
#include <cmdmox/cmdmox.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/dying.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/message.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/served.h"

static unsigned entries(void) {
  DIR *dir = opendir(scratch_place());
  unsigned count = 0;
  ck_assert_ptr_nonnull(dir);
  for (const struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  (void)closedir(dir);
  return count;
}

/* A session of a new process, to its end. */
static void start_next(void) {
  (void)fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    cmox_t *mox = cmox_new(NULL);
    cmox_stub(mox, "git");
    const bool fine = cmox_replay(mox) == CMOX_OK && cmox_verify(mox) == CMOX_OK;
    cmox_free(mox);
    exit(fine ? 0 : 1);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}

/* ---- The test dies -------------------------------------------------------------------- */

static void expect_no_children(const char *what) {
  const pid_t pid = waitpid(-1, NULL, WNOHANG);
  ck_assert_msg(pid < 0 && errno == ECHILD, "%s: process %d is left", what, (int)pid);
}

static void one_death(const phase_t *phase, const end_t *end) {
  char what[128];
  death_t death;
  (void)snprintf(what, sizeof what, "%s, %s", phase->name, end->name);
  die(phase, end, &death);
  ck_assert_msg(death.status != 0, "%s: it passes", what);
  if (end->number) ck_assert_msg(WTERMSIG(death.status) == end->number, "%s", what);
  const bool runs_on = death.late != 0;
  start_next();
  ck_assert_msg(!runs_on || entries() == 1, "%s: the shims of what runs on are gone", what);
  const int status = late_call(&death);
  if (runs_on) ck_assert_msg(status == 125 << 8, "%s: wait status %#x", what, (unsigned)status);
  start_next();
  ck_assert_msg(entries() == 0, "%s: something is left", what);
  expect_no_children(what);
}

START_TEST(a_test_that_dies_leaves_nothing) {
  for (unsigned i = 0; i < phase_count; i++) one_death(&phases[i], &ways_to_end[_i]);
}
END_TEST

/* ---- The server dies ------------------------------------------------------------------ */

static pid_t start_server(char *address, size_t size) {
  char line[16] = "";
  int ready[2];
  (void)snprintf(address, size, "unix:%s/s", scratch_place());
  ck_assert_int_eq(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    (void)dup2(ready[1], STDOUT_FILENO);
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)execl(CMOX_TEST_PROGRAM, "cmdmox", "serve", "--listen", address, (char *)NULL);
    _exit(127);
  }
  (void)close(ready[1]);
  ck_assert_int_gt(read(ready[0], line, sizeof line), 0);
  (void)close(ready[0]);
  return pid;
}

/* True when it ended with 125; false when its reader was gone first. */
static bool is_refused(pid_t call, const char *what) {
  int status;
  ck_assert_int_eq(waitpid(call, &status, 0), call);
  ck_assert_msg(status == 125 << 8 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE),
                "%s: a call ended with wait status %#x", what, (unsigned)status);
  return WIFEXITED(status);
}

static void expect_told(const phase_scene_t *scene, const char *what) {
  for (int i = 0; i < PHASES_SESSIONS && scene->sessions[i]; i++) {
    cmox_t *mox = scene->sessions[i];
    (void)cmox_replay(mox);
    ck_assert_msg(cmox_verify(mox) != CMOX_OK, "%s: %s", what, cmox_message(mox));
    assert_message_has(mox, "the server");
  }
}

/* Each call that was refused has a line of its own. */
static void expect_lines(int err, unsigned refused, const char *what) {
  char text[8192] = "";
  (void)pread(err, text, sizeof text - 1, 0);
  for (const char *at = text; *at; at = strchr(at, '\n') + 1, refused--)
    ck_assert_msg(strncmp(at, "cmdmox: git: ", 13) == 0 && strchr(at, '\n'), "%s: %s", what, at);
  ck_assert_msg(refused == 0, "%s: %u lines are missing in: %s", what, refused, text);
  (void)close(err);
}

static void one_server_death(const phase_t *phase, int number, bool tidy) {
  char address[128];
  int late[2], status;
  unsigned refused = 0;
  char *path = strdup(getenv("PATH"));
  const pid_t server = start_server(address, sizeof address);
  ck_assert_int_eq(pipe(late), 0);
  phase_scene_t scene = {.address = address, .err = nameless_file(), .late_in = late[0]};
  phase_scene_open(&scene);
  phase->reach(&scene);
  ck_assert_int_eq(kill(server, number), 0);
  ck_assert_int_eq(waitpid(server, &status, 0), server);
  (void)close(scene.unread[0]);
  scene.unread[0] = -1;
  for (unsigned i = 0; i < scene.call_count; i++)
    refused += is_refused(scene.calls[i], phase->name);
  expect_told(&scene, phase->name);
  ck_assert_str_eq(getenv("PATH"), path);
  phase_scene_close(&scene);
  start_next();
  if (scene.late) {
    ck_assert_int_eq(write(late[1], "\n", 1), 1);
    ck_assert(is_refused(scene.late, phase->name));
  }
  expect_lines(scene.err, refused + (scene.late != 0), phase->name);
  (void)close(late[0]);
  (void)close(late[1]);
  start_next();
  /* Its own socket is at an address that the user has chosen: a next server there tells of it. */
  ck_assert_int_eq(unlink(address + strlen("unix:")), tidy ? -1 : 0);
  ck_assert_msg(entries() == 0, "%s: %u entries are left", phase->name, entries());
  free(path);
}

static const struct {
  int number;
  bool tidy; /* it removes what it has made itself */
} server_ends[] = {
    {SIGINT, true}, {SIGTERM, true}, {SIGKILL, false}, {SIGSEGV, false}, {SIGABRT, false}};

START_TEST(a_server_that_dies_leaves_nothing_and_is_told) {
  for (unsigned i = 0; i < phase_count; i++)
    one_server_death(&phases[i], server_ends[_i].number, server_ends[_i].tidy);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_deaths");
  TCase *all = tcase_create("deaths");
  tcase_set_timeout(all, 120);
  tcase_add_loop_test(all, a_test_that_dies_leaves_nothing, 0, (int)way_to_end_count);
  tcase_add_loop_test(all, a_server_that_dies_leaves_nothing_and_is_told, 0,
                      sizeof server_ends / sizeof *server_ends);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
