/* Predicates and handlers of a C test: which thread runs them, what they may do, and what becomes
 * of the call when one of them fails. */
#include <cmdmox/check.h>
#include <cmdmox/engine.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

enum { SHORT_MS = 300 }; /* of a deadline that is to pass */

static bool is_even(cmox_bytes_t value, void *context) {
  (void)context;
  return atoi(value.data) % 2 == 0;
}

/* ---- Handlers ---------------------------------------------------------------- */

static void build(cmox_handling_t *call, void *context) {
  (void)context;
  cmox_replies(call,
               .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "50 %\n"), CMOX_ERR_AFTER(10, "slow\n")),
               .files = CMOX_FILES(CMOX_FILE_MODE("handled.txt", "made\n", 0600)), .out = "done\n");
}

START_TEST(a_handler_answers_in_chunks_and_makes_files) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_runs(cmox_mock(mox, "git"), build, NULL);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL(
      "cd \"$(mktemp -d)\" && git && cat handled.txt && rm handled.txt && "
      "rmdir \"$PWD\"");
  ck_assert_str_eq(run.out, "50 %\ndone\nmade\n");
  ck_assert_str_eq(run.err, "slow\n");
  ck_cmox_verify(mox);
}
END_TEST

static void shout(cmox_handling_t *call, void *context) {
  const cmox_invocation_t *made = cmox_handled_call(call);
  char text[64];
  (void)snprintf(text, sizeof text, "%s%s!\n", (const char *)context, made->argv[1].data);
  cmox_replies(call, .out = text, .err = "loud\n", .exit_code = 3);
  memset(text, 'x', sizeof text - 1); /* it was copied */
}

START_TEST(a_handler_answers) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  char greeting[] = "hey ";
  cmox_double_t *git = cmox_runs(cmox_mock(mox, "git"), shout, greeting);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git you");
  ck_assert_int_eq(run.exit_code, 3);
  ck_assert_str_eq(run.out, "hey you!\n");
  ck_assert_str_eq(run.err, "loud\n");
  ck_cmox_verify(mox);
  cmox_invocations_t *calls = cmox_invocations(git);
  ck_assert_str_eq(calls->items[0].stdout_data.data, "hey you!\n");
  cmox_invocations_free(calls);
}
END_TEST

static void looks(cmox_handling_t *call, void *context) {
  const cmox_invocation_t *made = cmox_handled_call(call);
  char *seen = context;
  int len = snprintf(seen, 256, "%s|%zu|%s|%s|", made->command.data, made->argc, made->cwd.data,
                     made->stdin_data.data);
  for (size_t i = 0; i < made->env_count; i++)
    if (strncmp(made->env[i].data, "CASE_", 5) == 0)
      len += snprintf(seen + len, 256 - (size_t)len, "%s|", made->env[i].data);
}

START_TEST(a_handler_sees_the_call_with_what_is_injected) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  char seen[256] = "";
  cmox_double_t *git = cmox_capture_stdin(cmox_mock(mox, "git"));
  cmox_with_env(cmox_with_env(git, "CASE_SET", "1"), "CASE_GONE", NULL);
  cmox_runs(git, looks, seen);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("cd / && printf in | CASE_KEPT=2 CASE_GONE=3 git a b");
  ck_cmox_verify(mox);
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_str_eq(seen, "git|3|/|in|CASE_KEPT=2|CASE_SET=1|");
}
END_TEST

static void counts(cmox_handling_t *call, void *context) {
  char text[16];
  (void)snprintf(text, sizeof text, "%d\n", ++*(int *)context);
  cmox_replies(call, .out = text);
}

START_TEST(handlers_take_turns_with_replies) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  int count = 0;
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns(git, .out = "then\n");
  cmox_runs_times(git, 2, counts, &count);
  cmox_returns_once(git, .out = "between\n");
  cmox_runs_once(git, counts, &count);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git; git; git; git; git; git");
  ck_assert_str_eq(run.out, "1\n2\nbetween\n3\nthen\nthen\n");
  ck_cmox_verify(mox);
}
END_TEST

static void nests(cmox_handling_t *call, void *context) {
  cmox_double_t *const *doubles = context;
  const cmox_invocation_t *made = cmox_handled_call(call);
  int depth = atoi(made->argv[1].data);
  char line[64];
  (void)snprintf(line, sizeof line, "git %d", depth - 1);
  run_t run = depth ? RUN_SHELL(line) : RUN_SHELL("ssh");
  char text[256];
  (void)snprintf(text, sizeof text, "%d %s", depth, run.out);
  /* The session may be used meanwhile. */
  if (cmox_call_count(doubles[0]) == 0) cmox_handler_fails(call, "not counted");
  cmox_replies(call, .out = text);
  run_clear(&run);
}

START_TEST(a_handler_may_run_mocked_commands) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_with_matching_args(git, CMOX_ANY_OF(CMOX_PREDICATE(is_even, NULL), CMOX_ANY));
  cmox_runs(git, nests, &git);
  cmox_returns(cmox_mock(mox, "ssh"), .out = "end\n");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git 4");
  ck_assert_str_eq(run.out, "4 3 2 1 0 end\n");
  ck_cmox_verify(mox);
}
END_TEST

static void meets(cmox_handling_t *call, void *context) {
  (void)call;
  (void)pthread_barrier_wait(context);
}

START_TEST(handlers_of_calls_at_the_same_time_run_at_the_same_time) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  pthread_barrier_t barrier;
  ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, 3), 0);
  cmox_runs(cmox_times(cmox_mock(mox, "git"), 3), meets, &barrier);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git & git & git & wait");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(mox);
  (void)pthread_barrier_destroy(&barrier);
}
END_TEST

static void notes_signals(cmox_handling_t *call, void *context) {
  (void)call;
  (void)pthread_sigmask(SIG_SETMASK, NULL, context);
}

START_TEST(signals_are_blocked_as_they_were_for_the_test) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  sigset_t only, seen;
  sigfillset(&seen);
  sigemptyset(&only);
  sigaddset(&only, SIGUSR1);
  ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &only, NULL), 0);
  cmox_runs(cmox_mock(mox, "git"), notes_signals, &seen);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  ck_cmox_verify(mox);
  ck_assert(sigismember(&seen, SIGUSR1));
  ck_assert(!sigismember(&seen, SIGTERM));
  ck_assert(!sigismember(&seen, SIGPIPE));
}
END_TEST

/* ---- Failures ------------------------------------------------------------------ */

static void gives_up(cmox_handling_t *call, void *context) {
  (void)context;
  cmox_handler_fails(call, "no %s left", "paper");
  cmox_handler_fails(call, "second");
  cmox_replies(call, .out = "ignored");
}

START_TEST(a_handler_that_fails_fails_the_call_and_the_test) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_runs(cmox_mock(mox, "git"), gives_up, NULL);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git push");
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_str_eq(run.out, "");
  ck_assert_ptr_nonnull(strstr(run.err, "cmdmox: the handler gives_up failed: no paper left: git"));
  assert_told(mox,
              "1. the handler gives_up failed: no paper left: git push\n   it matches mock git");
}
END_TEST

static void replies_wrongly(cmox_handling_t *call, void *context) {
  const cmox_reply_t *reply = context;
  cmox_replies_at(call, CMOX_HERE, reply);
}

static const struct {
  cmox_reply_t reply;
  const char *told;
} wrong[] = {{{.size = sizeof(cmox_reply_t), .exit_code = 256}, ".exit_code is 256, not 0 to 255"},
             {{.size = sizeof(cmox_reply_t), .gate = "g"}, "waits at no .gate"},
             {{.size = 1}, ".size is not sizeof(cmox_reply_t)"},
             {{.size = sizeof(cmox_reply_t), .signal = "TERM"}, "is not the name of a signal"},
             {{.size = sizeof(cmox_reply_t), .out_len = 3}, ".out is NULL and .out_len is 3"}};

START_TEST(a_wrong_reply_says_what_is_wrong) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_runs(cmox_mock(mox, "git"), replies_wrongly, (void *)(uintptr_t)&wrong[_i].reply);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  ck_assert_int_eq(run.exit_code, 125);
  assert_told(mox, "the handler replies_wrongly failed: ");
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), wrong[_i].told));
}
END_TEST

static void replies_hugely(cmox_handling_t *call, void *context) {
  (void)context;
  const size_t len = (size_t)17 << 20;
  char *data = malloc(len);
  memset(data, 'x', len);
  cmox_replies(call, .out = data, .out_len = len);
  free(data);
}

START_TEST(a_reply_beyond_a_frame_is_an_error) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_runs(cmox_stub(mox, "git"), replies_hugely, NULL);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  ck_assert_int_eq(run.exit_code, 125);
  assert_told(mox, "is above the limit of");
}
END_TEST

static void ends_the_session(cmox_handling_t *call, void *context) {
  cmox_t *mox = context;
  char text[64];
  (void)snprintf(text, sizeof text, "%d %d", cmox_replay(mox), cmox_verify(mox));
  cmox_free(mox);
  cmox_replies(call, .out = text);
}

START_TEST(a_handler_cannot_end_its_session) {
  cmox_t *mox = cmox_new(NULL);
  cmox_runs(cmox_mock(mox, "git"), ends_the_session, mox);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  char want[64];
  (void)snprintf(want, sizeof want, "%d %d", CMOX_E_BAD_STATE, CMOX_E_BAD_STATE);
  ck_assert_str_eq(run.out, want);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_free: a handler or a predicate may not"));
  cmox_free(mox);
}
END_TEST

static void waits(cmox_handling_t *call, void *context) {
  atomic_int *gate = context;
  (void)call;
  while (atomic_load(gate) == 0) (void)usleep(1000);
}

START_TEST(a_handler_that_hangs_fails_its_call_in_time) {
  atomic_int gate = 0;
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.callback_deadline_ms = SHORT_MS));
  cmox_runs(cmox_mock(mox, "git"), waits, &gate);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  ck_assert_int_eq(run.exit_code, 125);
  assert_told(mox, "the handler waits failed: it has not answered within 300 ms");
  atomic_store(&gate, 1);
  cmox_free(mox);
}
END_TEST

/* What such a handler uses may not be freed under it: the session's memory is left to it. */
static int free_beside_a_handler(void) {
  static atomic_int gate;
  static cmox_t *mox; /* what is left to the handler is no leak */
  mox = cmox_new(CMOX_OPTIONS(.callback_deadline_ms = SHORT_MS));
  cmox_runs(cmox_mock(mox, "git"), waits, &gate);
  if (cmox_replay(mox) != CMOX_OK) return 1;
  run_t run = RUN_SHELL("git");
  if (run.exit_code != 125 || cmox_verify(mox) != CMOX_E_VERIFICATION_FAILED) return 2;
  run_clear(&run);
  cmox_free(mox);
  atomic_store(&gate, 1);
  return 0;
}

START_TEST(a_handler_that_never_ends_does_not_hold_the_test) {
  SCOPED_RUN run = run_child(free_beside_a_handler);
  ck_assert_msg(run.exit_code == 0, "%d: %s", run.exit_code, run.err);
  ck_assert_msg(strstr(run.err, "a handler or a predicate of it still runs") != NULL, "%s",
                run.err);
}
END_TEST

START_TEST(mistakes_are_kept) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_PREDICATE(NULL, NULL));
  cmox_runs(git, NULL, NULL);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  ck_assert_ptr_nonnull(
      strstr(cmox_message(mox), "cmox_with_matching_args: argument 1: the predicate is NULL"));
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_runs: the handler is NULL"));
}
END_TEST

/* ---- Other servers, other processes, little memory ------------------------------- */

START_TEST(a_server_at_an_address_asks_too) {
  char address[] = "unix:/tmp/callbacks-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(address + 5));
  char socket[64];
  (void)snprintf(socket, sizeof socket, "%s/s", address);
  cmox_engine_t *engine;
  char error[256];
  ck_assert_int_eq(cmox_engine_start(NULL, &engine, error, sizeof error), CMOX_OK);
  ck_assert_int_eq(cmox_engine_listen(engine, socket, error, sizeof error), CMOX_OK);
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = socket));
  char greeting[] = "";
  cmox_runs(cmox_mock(mox, "git"), shout, greeting);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git x");
  ck_assert_str_eq(run.out, "x!\n");
  ck_cmox_verify(mox);
  cmox_free(mox);
  cmox_engine_stop(engine);
  (void)unlink(socket + 5);
  ck_assert_int_eq(rmdir(address + 5), 0);
}
END_TEST

static cmox_t *inherited;

static int free_in_a_child(void) {
  if (cmox_verify(inherited) != CMOX_E_FORKED) return 1;
  cmox_free(inherited);
  _exit(0); /* the engine's memory is left where it is: its thread is not here */
}

START_TEST(a_child_of_fork_leaves_the_parents_callbacks_alone) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  char greeting[] = "";
  cmox_runs(cmox_times(cmox_mock(mox, "git"), 2), shout, greeting);
  ck_cmox_replay(mox);
  SCOPED_RUN before = RUN_SHELL("git 1");
  inherited = mox;
  SCOPED_RUN child = run_child(free_in_a_child);
  ck_assert_msg(child.exit_code == 0, "%d: %s", child.exit_code, child.err);
  SCOPED_RUN after = RUN_SHELL("git 2");
  ck_assert_str_eq(after.out, "2!\n");
  ck_cmox_verify(mox);
}
END_TEST

/* One call through a predicate and a handler. Whatever fails: it ends, with the answer or with 125,
 * and in the second case the test hears of it. */
static void live(alloc_fault_t *fault) {
  cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_PREDICATE(is_even, NULL));
  char greeting[] = "";
  cmox_runs(git, shout, greeting);
  bool good = cmox_replay(mox) == CMOX_OK;
  run_t run = {0};
  if (good) {
    run = RUN_SHELL("git 4");
    bool answered = run.exit_code == 3 && strcmp(run.out, "4!\n") == 0;
    ck_assert_msg(answered || run.exit_code == 125, "%d: %s", run.exit_code, run.err);
    good = cmox_verify(mox) == CMOX_OK;
    ck_assert_msg(answered || !good, "the call failed and the test passed: %s", run.err);
  }
  cmox_free(mox);
  run_clear(&run);
  (void)alloc_fault_rest(fault);
}

START_TEST(each_allocation_of_a_callback_fails) {
  alloc_fault_sweep("C client with callbacks", live);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_callbacks");
  TCase *tests = tcase_create("callbacks");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_handler_answers);
  tcase_add_test(tests, a_handler_answers_in_chunks_and_makes_files);
  tcase_add_test(tests, a_handler_sees_the_call_with_what_is_injected);
  tcase_add_test(tests, handlers_take_turns_with_replies);
  tcase_add_test(tests, a_handler_may_run_mocked_commands);
  tcase_add_test(tests, handlers_of_calls_at_the_same_time_run_at_the_same_time);
  tcase_add_test(tests, signals_are_blocked_as_they_were_for_the_test);
  tcase_add_test(tests, a_handler_that_fails_fails_the_call_and_the_test);
  tcase_add_loop_test(tests, a_wrong_reply_says_what_is_wrong, 0,
                      (int)(sizeof wrong / sizeof *wrong));
  tcase_add_test(tests, a_reply_beyond_a_frame_is_an_error);
  tcase_add_test(tests, a_handler_cannot_end_its_session);
  tcase_add_test(tests, a_handler_that_hangs_fails_its_call_in_time);
  tcase_add_test(tests, a_handler_that_never_ends_does_not_hold_the_test);
  tcase_add_test(tests, mistakes_are_kept);
  tcase_add_test(tests, a_server_at_an_address_asks_too);
  tcase_add_test(tests, a_child_of_fork_leaves_the_parents_callbacks_alone);
  suite_add_tcase(suite, tests);
  TCase *memory = tcase_create("memory");
  tcase_set_timeout(memory, 600);
  tcase_add_test(memory, each_allocation_of_a_callback_fails);
  suite_add_tcase(suite, memory);
  return run_suite(suite);
}
