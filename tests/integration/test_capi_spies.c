/* What a test may assert about the calls of a spy, and what it is told when that is not so. */
#include <cmdmox/check.h>
#include <string.h>

#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static cmox_t *mox;
static cmox_double_t *git;

static void setup(void) {
  mox = cmox_new(CMOX_OPTIONS(.label = "spies"));
  git = cmox_spy(mox, "git");
  ck_cmox_replay(mox);
}

static void teardown(void) { ck_cmox_free(mox); }

static void told(cmox_code_t code, const char *text) {
  ck_assert_int_eq(code, CMOX_E_VERIFICATION_FAILED);
  assert_message_has(mox, text);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), __FILE__));
}

START_TEST(a_spy_that_was_not_called) {
  ck_cmox_assert_not_called(git);
  told(cmox_assert_called(git), "spy git (" __FILE__ ":");
  told(cmox_assert_called(git), "was never called");
  told(cmox_assert_called_with(git, "push"), "was never called\n   expected git push");
  told(cmox_assert_any_call(git, CMOX_CALL("push")), "was never called");
  told(cmox_assert_has_calls(git, CMOX_CALL("push")), "was never called");
  ck_assert_uint_eq(cmox_call_count(git), 0);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_spy_that_was_called) {
  SCOPED_RUN run = RUN_SHELL("git fetch; git push origin; git tag v1");
  ck_assert_int_eq(run.exit_code, 0);
  ck_assert_uint_eq(cmox_call_count(git), 3);
  ck_cmox_assert_called(git);
  ck_cmox_assert_called_with(git, "tag", "v1");
  ck_cmox_assert_last_call(git, CMOX_CALL_MATCHING(CMOX_EQ("tag"), CMOX_STARTS_WITH("v")));
  ck_cmox_assert_any_call(git, CMOX_CALL("fetch"));
  ck_cmox_assert_has_calls(git, CMOX_CALL("fetch"), CMOX_CALL("push", "origin"));
  ck_cmox_assert_has_calls(git, CMOX_CALL("push", "origin"), CMOX_CALL("tag", "v1"));
  ck_cmox_assert_has_calls_in_any_order(git, CMOX_CALL("tag", "v1"), CMOX_CALL("fetch"));
  told(cmox_assert_not_called(git), "was called 3 times\n   its calls:\n     1. git fetch\n");
  told(cmox_assert_called_with(git, "push", "origin"),
       "     ! argument 1: expected \"push\"\n                   actual   \"tag\"");
  told(cmox_assert_any_call(git, CMOX_CALL("push", "upstream")), "nearest  git push origin");
  told(cmox_assert_has_calls(git, CMOX_CALL("fetch"), CMOX_CALL("tag", "v1")),
       "number 2 of 2 is missing");
  told(cmox_assert_has_calls(git, CMOX_CALL("tag", "v1"), CMOX_CALL_NO_ARGS),
       "there is no other call");
  told(cmox_assert_has_calls_in_any_order(git, CMOX_CALL("fetch"), CMOX_CALL("fetch")),
       "there is none for number 2 of 2");
  /* They are questions: the session is what it was. */
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
  ck_cmox_assert_called(git);
}
END_TEST

/* The call that fits both patterns must go to the one that has no other. */
START_TEST(any_order_gives_each_pattern_a_call_of_its_own) {
  SCOPED_RUN run = RUN_SHELL("git a; git b");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_assert_has_calls_in_any_order(git, CMOX_CALL_MATCHING(CMOX_ANY), CMOX_CALL("a"));
  told(cmox_assert_has_calls_in_any_order(git, CMOX_CALL("a"), CMOX_CALL_MATCHING(CMOX_ANY),
                                          CMOX_CALL_MATCHING(CMOX_ANY)),
       "there is none for number 3 of 3");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_wrong_question_says_so) {
  ck_assert_int_eq(cmox_assert_any_call(git, CMOX_CALL_MATCHING(CMOX_REGEX("("))),
                   CMOX_E_BAD_REGEX);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_assert_any_call: invalid regular"));
  ck_assert_int_eq(cmox_assert_called_with(git, NULL), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(cmox_assert_called(NULL), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(cmox_assert_calls_at(git, CMOX_HERE, "f", (cmox_assertion_t)77, 0, NULL),
                   CMOX_E_UNIMPLEMENTED);
  ck_assert_int_eq(cmox_assert_calls_at(git, CMOX_HERE, "f", CMOX_ASSERT_ANY_CALL, 0, NULL),
                   CMOX_E_INVALID_ARGUMENT);
  cmox_double_t *bad = cmox_spy(mox, "a/b");
  ck_assert_int_eq(cmox_assert_called(bad), CMOX_E_BUILDER);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_spies");
  TCase *tests = tcase_create("spies");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_spy_that_was_not_called);
  tcase_add_test(tests, a_spy_that_was_called);
  tcase_add_test(tests, any_order_gives_each_pattern_a_call_of_its_own);
  tcase_add_test(tests, a_wrong_question_says_so);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
