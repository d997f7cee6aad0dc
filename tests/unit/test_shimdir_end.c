/* How shim directories end: tombstones, forks, sweeps of what dead processes left. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <utime.h>

#include "proto/limits.h"
#include "server/host/shimdir_internal.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

/* ---- The end ---- */

static char noted[128];

static void make_and_leave(void) {
  static cmox_shimdir_t *open_one; /* no leak */
  cmox_shimdir_t *dir = create();
  open_one = create();
  (void)cmox_shimdir_add(dir, git, NULL);
  (void)cmox_shimdir_add(open_one, git, NULL);
  FILE *socket_file = fopen(cmox_shimdir_socket(dir), "w");
  fclose(socket_file);
  snprintf(noted, sizeof noted, "%s", top_of(dir));
  cmox_shimdir_entomb(dir);
  if (access(in(noted, "priv/s"), F_OK) == 0) _exit(7);
  if (run(in(noted, "bin/git")) != 125) _exit(8); /* a late child */
}

START_TEST(tombstones_answer_until_the_process_ends) {
  in_child(make_and_leave);
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

static char bin_noted[128];

static void call_at_exit(void) {
  if (run(in(bin_noted, "git")) != 125) _exit(8);
}

static void register_early(void) {
  if (atexit(call_at_exit) != 0) _exit(7);
  cmox_shimdir_t *dir = create();
  (void)cmox_shimdir_add(dir, git, NULL);
  snprintf(bin_noted, sizeof bin_noted, "%s", cmox_shimdir_bin(dir));
  cmox_shimdir_entomb(dir);
}

START_TEST(an_exit_handler_from_before_the_session_meets_the_shim) {
  in_child(register_early);
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

static void do_nothing(void) {}

static cmox_shimdir_t *inherited;

static void entomb_in_child(void) { cmox_shimdir_entomb(inherited); }

static void use_in_child(void) { cmox_shimdir_entomb(create()); }

START_TEST(a_forked_child_removes_only_its_own) {
  cmox_shimdir_t *dir = create();
  FILE *file = fopen(cmox_shimdir_socket(dir), "w");
  fclose(file);
  inherited = dir;
  in_child(do_nothing);
  in_child(entomb_in_child);
  ck_assert_int_eq(access(cmox_shimdir_socket(dir), F_OK), 0);
  ck_assert_uint_eq(place_count(), 1);
  in_child(use_in_child);
  ck_assert_uint_eq(place_count(), 1);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 0); /* the lock is held still */
  cmox_shimdir_entomb(dir);
}
END_TEST

static void bury_many(void) {
  for (unsigned i = 0; i < CMOX_TOMBSTONES_MAX + 10; i++) cmox_shimdir_entomb(create());
  if (place_count() != CMOX_TOMBSTONES_MAX) _exit(9);
}

START_TEST(tombstones_are_capped_and_cost_no_descriptor) {
  in_child(bury_many);
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

/* ---- Sweep ---- */

static void leave_litter(void) {
  int ready[2];
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    cmox_shimdir_t *dir = create();
    (void)cmox_shimdir_add(dir, git, NULL);
    cmox_shimdir_entomb(create());
    (void)!write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte;
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  ck_assert_uint_eq(place_count(), 2);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 0); /* alive */
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  close(ready[0]);
  close(ready[1]);
}

START_TEST(what_a_killed_process_left_is_swept) {
  leave_litter();
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 2);
  ck_assert_uint_eq(place_count(), 0);
  leave_litter();
  cmox_shimdir_entomb(create()); /* the first of a process sweeps */
  ck_assert_uint_eq(place_count(), 1);
}
END_TEST

/* A `sh` that has the directory on its PATH; it calls git when told, and exits by git's status. */
typedef struct follower {
  pid_t pid;
  int go;
} follower_t;

static follower_t follow(const char *bin) {
  int go[2];
  char path[160];
  ck_assert_int_eq(pipe(go), 0);
  snprintf(path, sizeof path, "PATH=%s:/usr/bin:/bin", bin);
  char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"read go; git; exit $?"}, NULL};
  char *env[] = {path, NULL};
  follower_t follower = {.pid = fork(), .go = go[1]};
  if (follower.pid == 0) {
    (void)dup2(go[0], 0);
    close(go[0]);
    close(go[1]);
    execve("/bin/sh", argv, env);
    _exit(99);
  }
  close(go[0]);
  return follower;
}

static int let_go(follower_t follower) {
  int status;
  ck_assert_int_eq(write(follower.go, "\n", 1), 1);
  close(follower.go);
  ck_assert_int_eq(waitpid(follower.pid, &status, 0), follower.pid);
  return WEXITSTATUS(status);
}

static int wait_for_environment(pid_t pid, const char *bin) {
  char path[64];
  char bytes[512] = {0};
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  FILE *file = fopen(path, "r");
  size_t len = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
  if (file) fclose(file);
  return len > 0 && strstr(bytes, bin) != NULL;
}

static void outlive(int how) {
  int told[2];
  int end[2];
  char bin[128] = {0};
  ck_assert_int_eq(pipe(told), 0);
  ck_assert_int_eq(pipe(end), 0);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    cmox_shimdir_t *dir = create();
    if (cmox_shimdir_add(dir, git, NULL) != CMOX_OK) _exit(1);
    (void)!write(told[1], cmox_shimdir_bin(dir), strlen(cmox_shimdir_bin(dir)));
    if (!how) cmox_shimdir_entomb(dir);
    if (read(end[0], &byte, 1) == 1 && how) (void)raise(how);
    exit(0);
  }
  ck_assert_int_gt(read(told[0], bin, sizeof bin - 1), 0);
  follower_t follower = follow(bin);
  while (!wait_for_environment(follower.pid, bin)) (void)sched_yield();
  int status;
  ck_assert_int_eq(write(end[1], "x", 1), 1);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, how);
  ck_assert_uint_eq(place_count(), 1);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 0);
  cmox_shimdir_entomb(create()); /* the first of a process sweeps */
  ck_assert_int_eq(access(bin, F_OK), 0);
  ck_assert_int_eq(let_go(follower), 125);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 1);
  ck_assert_int_ne(access(bin, F_OK), 0);
  for (int i = 0; i < 2; i++) {
    close(told[i]);
    close(end[i]);
  }
}

START_TEST(what_outlives_a_killed_owner_still_meets_the_shim) { outlive(SIGKILL); }
END_TEST

START_TEST(what_outlives_an_owner_that_exits_still_meets_the_shim) { outlive(0); }
END_TEST

typedef struct program {
  char *const *argv;
  char *const *env;
  int in;
} program_t;

static int become(void *argument) {
  const program_t *program = argument;
  const struct sched_param none = {0};
  (void)sched_setscheduler(0, SCHED_IDLE, &none);
  (void)dup2(program->in, 0);
  (void)execve(program->argv[0], program->argv, program->env);
  return 99;
}

/* On one processor, and only while nobody else wants it: it is loaded once the test waits. As
 * posix_spawn() does, this returns when the program has begun to take the place of this one. */
static pid_t start_slowly(program_t program) {
  static _Alignas(16) char stack[64 << 10];
  return clone(become, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &program);
}

/* The kernel lets whoever starts a program go on before its environment can be seen. */
START_TEST(what_was_started_this_moment_counts) {
  enum { TIMES = 30 };
  cmox_shimdir_t *dir = create();
  char path[160];
  snprintf(path, sizeof path, "PATH=%s:/usr/bin:/bin", cmox_shimdir_bin(dir));
  char *argv[] = {(char[]){"/bin/cat"}, NULL};
  char *env[] = {path, NULL};
  int silent[2];
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((unsigned)sched_getcpu(), &one);
  ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
  ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
  for (int i = 0; i < TIMES; i++) {
    cmox_litter_t litter = {.used = false};
    memcpy(litter.name, strrchr(top_of(dir), '/') + 1, CMOX_SHIMDIR_NAME_LEN);
    const pid_t child = start_slowly((program_t){argv, env, silent[0]});
    ck_assert(cmox_litter_mark(&litter, 1));
    ck_assert_msg(litter.used, "start %d is not seen", i);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
  }
  (void)close(silent[0]);
  (void)close(silent[1]);
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(a_sweep_touches_only_what_is_ours) {
  char dir[128];
  char other[128];
  snprintf(other, sizeof other, "%s/keep", launchers);
  snprintf(dir, sizeof dir, "%s/cmdmox-abc123", place);
  ck_assert_int_eq(mkdir(dir, 0711), 0);
  FILE *file = fopen(in(dir, "lock"), "w");
  fclose(file);
  ck_assert_int_eq(mkdir(other, 0700), 0);
  file = fopen(in(other, "s"), "w");
  fclose(file);
  file = fopen(in(dir, "a letter"), "w");
  fclose(file);
  ck_assert_int_eq(symlink(other, in(dir, "priv")), 0); /* leads outside */
  ck_assert_int_eq(symlink(other, in(dir, "bin")), 0);
  ck_assert_int_eq(symlink(other, in(place, "cmdmox-abc124")), 0);
  ck_assert_int_eq(mkdir(in(place, "cmdmox-longer-name"), 0700), 0);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 0);
  ck_assert_int_eq(access(in(other, "s"), F_OK), 0);
  ck_assert_int_eq(access(in(dir, "a letter"), F_OK), 0);
  ck_assert_uint_eq(place_count(), 3);
}
END_TEST

static void leave_a_redirected_link(void) {
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(cmox_shimdir_add(dir, git, NULL), CMOX_OK);
  const char *link = in(cmox_shimdir_bin(dir), "git");
  ck_assert_int_eq(unlink(link), 0);
  ck_assert_int_eq(symlink("/bin/true", link), 0);
  cmox_shimdir_entomb(dir);
}

START_TEST(a_link_that_was_redirected_is_removed_too) {
  in_child(leave_a_redirected_link);
  ck_assert_uint_eq(place_count(), 0);
  ck_assert_int_eq(access("/bin/true", X_OK), 0);
}
END_TEST

START_TEST(a_directory_without_a_lock_is_litter_unless_it_is_held) {
  char dir[128];
  snprintf(dir, sizeof dir, "%s/cmdmox-abc123", place);
  ck_assert_int_eq(mkdir(dir, 0711), 0);
  const int held = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0); /* as while it is made */
  const struct utimbuf old = {1000, 1000};
  ck_assert_int_eq(utime(dir, &old), 0);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 0);
  ck_assert_int_eq(close(held), 0);
  ck_assert_int_eq(utime(dir, NULL), 0);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 1);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("shimdir_end");
  TCase *all = tcase_create("shimdir_end");
  tcase_add_checked_fixture(all, place_setup, place_teardown);
  tcase_set_timeout(all, 60);
  suite_add_tcase(suite, all);
  tcase_add_test(all, tombstones_answer_until_the_process_ends);
  tcase_add_test(all, an_exit_handler_from_before_the_session_meets_the_shim);
  tcase_add_test(all, a_forked_child_removes_only_its_own);
  tcase_add_test(all, tombstones_are_capped_and_cost_no_descriptor);
  tcase_add_test(all, what_a_killed_process_left_is_swept);
  tcase_add_test(all, what_outlives_a_killed_owner_still_meets_the_shim);
  tcase_add_test(all, what_outlives_an_owner_that_exits_still_meets_the_shim);
  tcase_add_test(all, what_was_started_this_moment_counts);
  tcase_add_test(all, a_sweep_touches_only_what_is_ours);
  tcase_add_test(all, a_link_that_was_redirected_is_removed_too);
  tcase_add_test(all, a_directory_without_a_lock_is_litter_unless_it_is_held);
  return run_suite(suite);
}
