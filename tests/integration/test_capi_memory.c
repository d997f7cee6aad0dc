/* Every allocation of a session's life fails once, and from there on for ever: no
 * crash, no leak, and a code that says so. */
#include <cmdmox/cmdmox.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/alloc.h"
#include "tests/lib/run_suite.h"

/* The engine's thread allocates too. */
typedef struct fault {
  pthread_mutex_t lock;
  bool client_only; /* fail on the test's thread alone */
  bool for_ever;
  pthread_t client;
  size_t fail_at; /* from 1 */
  size_t seen;
  long held;
} fault_t;

static void *faulty_realloc(void *context, void *block, size_t size) {
  fault_t *fault = context;
  (void)pthread_mutex_lock(&fault->lock);
  bool counts = !fault->client_only || pthread_equal(fault->client, pthread_self());
  if (counts) fault->seen++;
  bool fails = counts &&
               (fault->seen == fault->fail_at || (fault->for_ever && fault->seen > fault->fail_at));
  void *result = fails ? NULL : realloc(block, size);
  if (result && !block) fault->held++;
  (void)pthread_mutex_unlock(&fault->lock);
  return result;
}

static void faulty_free(void *context, void *block) {
  fault_t *fault = context;
  (void)pthread_mutex_lock(&fault->lock);
  fault->held--;
  (void)pthread_mutex_unlock(&fault->lock);
  free(block);
}

/* Every entry point once; true when nothing failed. */
static bool live(void) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "sweep"));
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_EQ("clone"), CMOX_REGEX("^https://"), CMOX_ANY);
  cmox_with_stdin(git, "x");
  cmox_returns(git, .out = "y", .err = "z", .signal = "SIGTERM");
  cmox_times(git, 0);
  cmox_with_args(cmox_stub(mox, "ssh"), "a", "b");
  cmox_capture_stdin(cmox_spy(mox, "scp"));
  cmox_register_command(mox, "rsync");
  bool good = cmox_replay(mox) == CMOX_OK;
  cmox_code_t code = cmox_code(mox);
  ck_assert_msg(good == (code == CMOX_OK), "%s", cmox_message(mox));
  ck_assert(good || cmox_message(mox)[0] != '\0');
  good &= cmox_environ(mox) != NULL;
  cmox_invocations_t *calls = cmox_invocations(git);
  good &= calls->code == CMOX_OK;
  cmox_invocations_free(calls);
  (void)cmox_call_count(git);
  good &= cmox_verify(mox) == CMOX_OK;
  cmox_free(mox);
  return good;
}

static void sweep(bool client_only, bool for_ever) {
  fault_t fault = {.lock = PTHREAD_MUTEX_INITIALIZER,
                   .client_only = client_only,
                   .for_ever = for_ever,
                   .client = pthread_self()};
  char *path = strdup(getenv("PATH"));
  size_t failed = 0;
  size_t at = 0;
  const cmox_alloc_hooks_t hooks = {faulty_realloc, faulty_free, &fault};
  do {
    fault.fail_at = ++at;
    fault.seen = 0;
    fault.held = 0;
    cmox_alloc_set_hooks(&hooks);
    failed += !live();
    cmox_alloc_set_hooks(NULL);
    ck_assert_msg(fault.held == 0, "allocation %zu failed, and %ld blocks leaked", at, fault.held);
    ck_assert_str_eq(getenv("PATH"), path);
  } while (fault.seen >= at);
  ck_assert(live());
  printf("%zu allocations, %zu sessions failed\n", at - 1, failed);
  ck_assert_uint_gt(failed, at / 4);
  free(path);
}

START_TEST(each_allocation_of_the_client_fails_once) { sweep(true, false); }
END_TEST
START_TEST(memory_of_the_client_ends_for_good) { sweep(true, true); }
END_TEST
START_TEST(each_allocation_of_client_and_engine_fails_once) { sweep(false, false); }
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_memory");
  TCase *cases = tcase_create("memory");
  tcase_set_timeout(cases, 110);
  tcase_add_test(cases, each_allocation_of_the_client_fails_once);
  tcase_add_test(cases, memory_of_the_client_ends_for_good);
  tcase_add_test(cases, each_allocation_of_client_and_engine_fails_once);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
