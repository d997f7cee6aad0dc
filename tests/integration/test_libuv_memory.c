/* libuv takes its memory past our seam, and ends the process where its table of descriptors cannot
 * grow. So the engine has all of libuv's memory before the first call: calls ask for none. */
#include <check.h>
#include <cmdmox/cmdmox.h>
#include <cmdmox/engine.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static atomic_uint asked; /* how often libuv wanted memory */
static unsigned fail_at;  /* 0: never */

static bool fails(void) { return atomic_fetch_add(&asked, 1) + 1 == fail_at; }
static void *counted_malloc(size_t size) { return fails() ? NULL : malloc(size); }
static void *counted_calloc(size_t n, size_t size) { return fails() ? NULL : calloc(n, size); }
static void *counted_realloc(void *block, size_t size) {
  return fails() ? NULL : realloc(block, size);
}

/* Leaves only descriptors above those that a small table would hold. */
static void use_up_low_descriptors(void) {
  leaves(LEAVES_DESCRIPTORS, "they are in use until the end");
  for (int i = 0; i < 300; i++) ck_assert_int_ge(fcntl(0, F_DUPFD_CLOEXEC, 3), 0);
}

START_TEST(calls_ask_libuv_for_no_memory) {
  struct rlimit limit = {1024, 1024};
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_stdin(git, "x");
  cmox_times(git, 20);
  ck_assert_msg(cmox_replay(mox) == CMOX_OK, "%s", cmox_message(mox));
  use_up_low_descriptors();
  unsigned before = atomic_load(&asked);
  ck_assert_uint_gt(before, 0);
  for (int i = 0; i < 20; i++) {
    SCOPED_RUN run = RUN_SHELL("printf x | git status");
    ck_assert_int_eq(run.exit_code, 0);
  }
  ck_assert_msg(cmox_verify(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_uint_eq(atomic_load(&asked), before);
  cmox_free(mox);
}
END_TEST

/* Starts an engine with this allocation of libuv failing. Exit status 0: it started; 1: it said
 * why it did not; 2: it failed without a word. */
static int start_engine(void) {
  char why[512] = "";
  cmox_engine_t *engine;
  atomic_store(&asked, 0);
  if (cmox_engine_start(NULL, &engine, why, sizeof why) != CMOX_OK) return why[0] ? 1 : 2;
  bool met = atomic_load(&asked) >= fail_at;
  cmox_engine_stop(engine);
  return met ? 0 : 3;
}

START_TEST(without_memory_for_libuv_an_engine_does_not_start) {
  unsigned refused = 0, ended = 0;
  for (fail_at = 1;; fail_at++) {
    ck_assert_uint_lt(fail_at, 1000);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      const struct rlimit no_core = {0, 0};
      (void)setrlimit(RLIMIT_CORE, &no_core);
      _exit(start_engine());
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) break;
    if (WIFSIGNALED(status)) ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    if (WIFEXITED(status)) ck_assert_int_eq(WEXITSTATUS(status), 1);
    ended += WIFSIGNALED(status);
    refused += WIFEXITED(status);
  }
  printf("allocation sweep: libuv at start: %u of %u points; %u refused, %u end the process\n",
         fail_at - 1, fail_at - 1, refused, ended);
  (void)fflush(stdout);
}
END_TEST

int main(void) {
  if (uv_replace_allocator(counted_malloc, counted_realloc, counted_calloc, free) != 0) return 2;
  Suite *suite = suite_create("libuv_memory");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 60);
  tcase_add_test(cases, calls_ask_libuv_for_no_memory);
  tcase_add_test(cases, without_memory_for_libuv_an_engine_does_not_start);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
