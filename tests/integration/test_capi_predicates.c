/* Predicates of a C test: they judge values of a call while it waits. */
#include <cmdmox/check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static bool is_even(cmox_bytes_t value, void *context) {
  (void)context;
  return atoi(value.data) % 2 == 0;
}

static bool has_length(cmox_bytes_t value, void *context) {
  return value.len == *(const size_t *)context && value.data[value.len] == '\0';
}

START_TEST(predicates_decide) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  size_t three = 3;
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_PREDICATE(is_even, NULL),
                          CMOX_ALL_OF(CMOX_STARTS_WITH("a"), CMOX_PREDICATE(has_length, &three)));
  cmox_with_matching_stdin(git, CMOX_PREDICATE(has_length, &three));
  cmox_with_matching_env(git, "LEVEL", CMOX_NOT(CMOX_PREDICATE(is_even, NULL)));
  cmox_returns(git, .out = "taken\n");
  cmox_returns(cmox_stub(mox, "git"), .out = "other\n");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL(
      "export LEVEL=3; printf 'i\\0n' | git 3 abc; printf 'i\\0n' | git 4 abcd; "
      "printf 'i\\0n' | LEVEL=4 git 4 abc; printf 'i\\0n' | git 4 abc");
  ck_assert_str_eq(run.out, "other\nother\nother\ntaken\n");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_report_names_the_predicate) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_matching_args(cmox_mock(mox, "git"), CMOX_PREDICATE(is_even, NULL));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git 3");
  ck_assert_int_eq(run.exit_code, 125);
  assert_told(mox,
              "argument 1: expected accepted by is_even\n"
              "                   actual   \"3\" (is_even refused it)");
}
END_TEST

static bool notes_thread(cmox_bytes_t value, void *context) {
  (void)value;
  *(pthread_t *)context = pthread_self();
  return true;
}

START_TEST(predicates_share_one_thread_that_is_not_the_tests) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  pthread_t ran[2] = {pthread_self(), pthread_self()};
  cmox_with_matching_args(cmox_mock(mox, "git"), CMOX_PREDICATE(notes_thread, &ran[0]),
                          CMOX_PREDICATE(notes_thread, &ran[1]));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git a b");
  ck_cmox_verify(mox);
  ck_assert(pthread_equal(ran[0], ran[1]));
  ck_assert(!pthread_equal(ran[0], pthread_self()));
}
END_TEST

static bool ends_in_x(cmox_bytes_t value, void *context) {
  *(size_t *)context = value.len;
  return value.len && value.data[value.len - 1] == 'x';
}

/* So long a stdin is not in the engine's memory between the question and the answer. */
START_TEST(a_predicate_judges_a_long_stdin) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  size_t len = 0;
  cmox_with_matching_stdin(cmox_mock(mox, "git"), CMOX_PREDICATE(ends_in_x, &len));
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("{ head -c 3000000 /dev/zero; printf x; } | git");
  ck_assert_msg(run.exit_code == 0, "%s", run.err);
  ck_cmox_verify(mox);
  ck_assert_uint_eq(len, 3000001);
}
END_TEST

START_TEST(a_predicate_cannot_be_asked_in_an_assertion) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_spy(mox, "git");
  ck_cmox_replay(mox);
  ck_assert_int_eq(cmox_assert_any_call(git, CMOX_CALL_MATCHING(CMOX_PREDICATE(is_even, NULL))),
                   CMOX_E_INVALID_ARGUMENT);
  ck_cmox_verify(mox);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("predicates");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, predicates_decide);
  tcase_add_test(tests, a_report_names_the_predicate);
  tcase_add_test(tests, predicates_share_one_thread_that_is_not_the_tests);
  tcase_add_test(tests, a_predicate_judges_a_long_stdin);
  tcase_add_test(tests, a_predicate_cannot_be_asked_in_an_assertion);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
