/* Every allocation of a session's life fails once, and from there on for ever: no
 * crash, no leak, and a code that says so. */
#include <cmdmox/cmdmox.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/run_suite.h"

/* The rest of the expectation language. */
static void say_everything(cmox_t *mox) {
  cmox_double_t *tar = cmox_mock(mox, "tar");
  cmox_with_matching_args(tar, CMOX_FLAG("-f", CMOX_GLOB("*.tar")),
                          CMOX_ANY_ORDER(CMOX_IS_A(CMOX_INT), CMOX_NOT(CMOX_ENDS_WITH("x"))),
                          CMOX_REST(CMOX_ONE_OF("a", "b")));
  cmox_with_matching_stdin(tar, CMOX_JSON_EQ("{\"a\": [1]}"));
  cmox_with_matching_env(tar, "LEVEL", CMOX_ALL_OF(CMOX_CONTAINS("1"), CMOX_ANY));
  cmox_with_matching_env(tar, "DEBUG", CMOX_UNSET);
  cmox_with_env(tar, "LANG", "C");
  cmox_with_cwd(tar, "/");
  cmox_at_most(tar, 2);
  cmox_returns_once(tar, .out = "first");
  cmox_returns(tar, .exit_code = 2, .gate = "gate");
  cmox_double_t *later = cmox_any_times(cmox_mock(mox, "zip"));
  cmox_in_order(tar, later);
  cmox_after(later, tar);
  cmox_double_t *spy = cmox_spy(mox, "cat");
  cmox_passthrough_once(spy, .timeout_ms = 5, .gate = "gate");
  cmox_default_passthrough(mox, .uncaptured = true);
  (void)cmox_assert_not_called(spy);
  (void)cmox_assert_has_calls(spy, CMOX_CALL("a"),
                              CMOX_CALL_MATCHING(CMOX_ARGS_CONTAIN(CMOX_EQ("b"))));
  (void)cmox_release(mox, "gate");
}

/* Every entry point once; true when nothing failed. */
static bool live(void) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "sweep", .contained = true));
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_EQ("clone"), CMOX_REGEX("^https://"), CMOX_ANY);
  cmox_with_stdin(git, "x");
  cmox_returns(git, .out = "y", .err = "z", .signal = "SIGTERM");
  cmox_times(git, 0);
  cmox_with_args(cmox_stub(mox, "ssh"), "a", "b");
  say_everything(mox);
  cmox_capture_stdin(cmox_spy(mox, "scp"));
  cmox_register_command(mox, "rsync");
  cmox_allow(mox, "tool");
  cmox_absent(mox, "other");
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

static char tools[64];

/* A small PATH: each program on it is an allocation of the contained session. */
static void setup(void) {
  scratch_directory(tools, sizeof tools);
  static const char *const names[] = {"tool", "other"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char file[128];
    (void)snprintf(file, sizeof file, "%s/%s", tools, names[i]);
    ck_assert_int_eq(close(open(file, O_CREAT | O_WRONLY, 0755)), 0);
  }
  ck_assert_int_eq(setenv("PATH", tools, 1), 0);
}

static void teardown(void) { scratch_remove(tools); }

static size_t lives, failures;

static void live_once(alloc_fault_t *fault) {
  char *path = strdup(getenv("PATH"));
  lives++;
  failures += !live();
  ck_assert_str_eq(getenv("PATH"), path);
  free(path);
  (void)alloc_fault_rest(fault);
  ck_assert_msg(live(), "the session after it failed too");
}

static void assert_failures_were_told(void) { ck_assert_uint_gt(failures, lives / 4); }

START_TEST(each_allocation_of_the_client_fails) {
  alloc_fault_sweep_own_thread("C client", live_once);
  assert_failures_were_told();
}
END_TEST

START_TEST(each_allocation_of_client_and_engine_fails) {
  alloc_fault_sweep("C client with its engine", live_once);
  assert_failures_were_told();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_memory");
  TCase *cases = tcase_create("memory");
  tcase_set_timeout(cases, 600);
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, each_allocation_of_the_client_fails);
  tcase_add_test(cases, each_allocation_of_client_and_engine_fails);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
