/* Tests at once: in processes beside each other, in threads of one process, with calls from many
 * threads and processes. Nobody meets anybody else, no call is lost or doubled. */
#include <cmdmox/cmdmox.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/seen_close.h"
#include "tests/lib/served.h"
#include "tests/lib/thorough.h"

enum { THREADS = 8 };

/* Fewer where each is many times slower. */
static unsigned rounds(unsigned count) { return thorough_step() == 1 ? count : count / 4; }

/* `git NUMBER` in the session's environment; its exit status. */
static int call_git(cmox_t *mox, unsigned number, int out) {
  char program[320], name[] = "git", text[16];
  char *const argv[] = {name, text, NULL};
  int status = -1;
  (void)snprintf(program, sizeof program, "%s/git", cmox_shim_directory(mox));
  (void)snprintf(text, sizeof text, "%u", number);
  const pid_t pid = spawn_to(program, argv, cmox_environ(mox), -1, out, -1);
  while (waitpid(pid, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

typedef struct worker {
  pthread_t thread;
  cmox_t *mox;
  unsigned number;
  unsigned wrong;
} worker_t;

static void run_workers(worker_t *workers, cmox_t *mox, void *(*work)(void *)) {
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (worker_t){.mox = mox, .number = i};
    ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    ck_assert_msg(workers[i].wrong == 0, "thread %u: %u rounds went wrong", i, workers[i].wrong);
  }
}

/* ---- Several sessions in one process ------------------------------------------------- */

static bool one_session(unsigned thread, unsigned round) {
  char out[32];
  const int code = (int)(thread * 16 + round % 16);
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  (void)snprintf(out, sizeof out, "%u %u\n", thread, round);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .out = out, .exit_code = code);
  bool right = cmox_replay(mox) == CMOX_OK;
  const int file = nameless_file();
  right = right && call_git(mox, round, file) == code;
  char said[32] = "";
  right = right && pread(file, said, sizeof said - 1, 0) > 0 && strcmp(said, out) == 0;
  (void)close(file);
  right = right && cmox_verify(mox) == CMOX_OK && cmox_call_count(git) == 1;
  if (!right) (void)fprintf(stderr, "thread %u, round %u: %s\n", thread, round, cmox_message(mox));
  cmox_free(mox);
  return right;
}

static void *sessions_of_its_own(void *argument) {
  worker_t *worker = argument;
  for (unsigned i = 0; i < rounds(20); i++) worker->wrong += !one_session(worker->number, i);
  return NULL;
}

START_TEST(each_thread_has_sessions_of_its_own) {
  worker_t workers[THREADS];
  run_workers(workers, NULL, sessions_of_its_own);
}
END_TEST

/* ---- One session, many callers --------------------------------------------------------- */

static void *calls_of_one_session(void *argument) {
  worker_t *worker = argument;
  for (unsigned i = 0; i < rounds(40); i++)
    worker->wrong += call_git(worker->mox, worker->number, -1) != (int)worker->number;
  return NULL;
}

START_TEST(calls_from_many_threads_are_counted_one_by_one) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *doubles[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    char number[16];
    (void)snprintf(number, sizeof number, "%u", i);
    doubles[i] = cmox_mock(mox, "git");
    cmox_times(cmox_with_args(doubles[i], number), rounds(40));
    cmox_returns(doubles[i], .exit_code = (int)i);
  }
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  worker_t workers[THREADS];
  run_workers(workers, mox, calls_of_one_session);
  ck_assert_msg(cmox_verify(mox) == CMOX_OK, "%s", cmox_message(mox));
  for (unsigned i = 0; i < THREADS; i++) ck_assert_uint_eq(cmox_call_count(doubles[i]), rounds(40));
}
END_TEST

/* One slot for each call, and one call more: exactly one is refused, whoever comes last. */
START_TEST(the_last_slot_is_taken_once) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  const unsigned count = rounds(200);
  cmox_double_t *git = cmox_times(cmox_mock(mox, "git"), count);
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  char line[160];
  (void)snprintf(line, sizeof line,
                 "i=0; while [ $i -le %u ]; do { git $i 2>/dev/null || echo $?; } & i=$((i+1)); "
                 "done; wait",
                 count);
  SCOPED_RUN run = RUN_SHELL(line);
  ck_assert_str_eq(run.out, "125\n");
  ck_assert_uint_eq(cmox_call_count(git), count);
  assert_told(mox, "one call too many");
}
END_TEST

static void *declares_and_asks(void *argument) {
  worker_t *worker = argument;
  char command[16];
  (void)snprintf(command, sizeof command, "tool%u", worker->number);
  for (unsigned i = 0; i < rounds(40); i++) {
    cmox_double_t *tool = cmox_stub(worker->mox, command);
    cmox_returns(tool, .exit_code = (int)i);
    worker->wrong += cmox_call_count(tool) != 0;
    CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_journal(worker->mox);
    worker->wrong += calls->code != CMOX_OK;
    worker->wrong += call_git(worker->mox, worker->number, -1) != 9;
  }
  return NULL;
}

START_TEST(threads_share_a_session) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns(git, .exit_code = 9);
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  worker_t workers[THREADS];
  run_workers(workers, mox, declares_and_asks);
  ck_assert_uint_eq(cmox_call_count(git), THREADS * rounds(40));
  ck_assert_msg(cmox_verify(mox) == CMOX_OK, "%s", cmox_message(mox));
}
END_TEST

/* ---- Tests in processes beside each other ------------------------------------------------ */

/* Every third is killed in the middle: what it leaves must not harm those beside it. */
static int one_process(unsigned number) {
  cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .exit_code = (int)(number % 100));
  bool right = cmox_replay(mox) == CMOX_OK;
  const int status = right ? system("git") : -1;
  right = right && WEXITSTATUS(status) == (int)(number % 100);
  if (number % 3 == 0) (void)kill(getpid(), SIGKILL);
  right = right && cmox_verify(mox) == CMOX_OK;
  if (!right) (void)fprintf(stderr, "process %u: %s\n", number, cmox_message(mox));
  cmox_free(mox);
  return right ? 0 : 1;
}

static unsigned entries(void) {
  DIR *dir = opendir(scratch_place());
  unsigned count = 0;
  ck_assert_ptr_nonnull(dir);
  for (const struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  (void)closedir(dir);
  return count;
}

START_TEST(tests_in_processes_beside_each_other) {
  enum { AT_ONCE = 8 };
  const unsigned count = rounds(120);
  unsigned running = 0, wrong = 0;
  (void)fflush(NULL);
  for (unsigned started = 0; started < count || running > 0;) {
    if (started < count && running < AT_ONCE) {
      started++, running++;
      if (fork() == 0) exit(one_process(started));
      continue;
    }
    int status;
    ck_assert_int_gt(wait(&status), 0);
    running--;
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    wrong += status != 0 && !killed;
  }
  ck_assert_uint_eq(wrong, 0);
  if (fork() == 0) exit(one_process(1));
  int status;
  ck_assert_int_gt(wait(&status), 0);
  ck_assert_int_eq(status, 0);
  ck_assert_uint_eq(entries(), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_parallel");
  TCase *all = tcase_create("parallel");
  tcase_set_timeout(all, 120);
  tcase_add_test(all, each_thread_has_sessions_of_its_own);
  tcase_add_test(all, calls_from_many_threads_are_counted_one_by_one);
  tcase_add_test(all, the_last_slot_is_taken_once);
  tcase_add_test(all, threads_share_a_session);
  tcase_add_test(all, tests_in_processes_beside_each_other);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
