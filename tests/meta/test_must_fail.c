/* What looks after the tests is tested itself: each of these must fail, and say why. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

typedef struct bad_case {
  const char *name;
  const char *says;  /* in its output; NULL: it passes */
  const char *names; /* there too; NULL: nothing more */
} bad_case_t;

static const bad_case_t programs[] = {
    {"leaks_a_descriptor", "leaks_a_descriptor:0: the test leaves descriptor ", "(/dev/zero)"},
    {"closes_a_descriptor", "closes_a_descriptor:0: the test closed descriptor 0 (", NULL},
    {"leaves_a_process", "leaves_a_process:0: the test leaves process ", "(sleep 61)"},
    {"leaves_a_grandchild", "leaves_a_grandchild:0: the test leaves process ", "(sleep 62)"},
    {"does_not_wait", "does_not_wait:0: the test did not wait for process ", NULL},
    {"leaves_a_daemon", "after all tests: the suite leaves process ", "(sleep 63)"},
    {"leaves_a_file", "leaves_a_file:0: the test leaves ", "/forgotten"},
    {"crashes", "crashes:0: (after this point) Received signal 6", NULL},
    {"hangs", "hangs:0: (after this point) Test timeout expired", NULL},
    {"leaves_a_file_on_purpose", NULL, NULL},
    {"is_good", NULL, NULL},
};

static bool has(const run_t *run, const char *text) {
  return !text || strstr(run->out, text) || strstr(run->err, text);
}

static void judge(const run_t *run, const bad_case_t *bad) {
  const bool failed = run->exit_code != 0;
  ck_assert_msg(failed == (bad->says != NULL) && has(run, bad->says) && has(run, bad->names),
                "%s: status %d, expected \"%s\" and \"%s\" in:\n%s%s", bad->name, run->exit_code,
                bad->says ? bad->says : "", bad->names ? bad->names : "", run->out, run->err);
}

START_TEST(a_bad_test_fails_and_says_why) {
  ck_assert_int_eq(setenv("CK_RUN_CASE", programs[_i].name, 1), 0);
  SCOPED_RUN run = RUN(CMOX_TEST_BAD);
  judge(&run, &programs[_i]);
}
END_TEST

START_TEST(leaked_memory_is_found_where_the_build_can) {
  if (!strstr(CMOX_TEST_SANITIZE, "address")) return; /* only that build can */
  ck_assert_int_eq(setenv("CK_RUN_CASE", "leaks_memory", 1), 0);
  SCOPED_RUN run = RUN(CMOX_TEST_BAD);
  judge(&run,
        &(bad_case_t){"leaks_memory", "4321 byte(s) leaked in 1 allocation(s)", "leaks_memory:0:"});
}
END_TEST

static const bad_case_t scripts[] = {
    {"Bad.test_leaks_a_descriptor", "the test leaves descriptor ", "(/dev/zero)"},
    {"Bad.test_closes_a_descriptor", "the test closed descriptor 0 (", NULL},
    {"Bad.test_leaves_a_process", "the test leaves process ", "(sleep 64)"},
    {"Bad.test_leaves_a_daemon", "the test leaves process ", "(sleep 65)"},
    {"Bad.test_does_not_wait", "the test did not wait for process ", NULL},
    {"Bad.test_leaves_a_file", "the test leaves ", "/forgotten"},
    {"Bad.test_crashes", "Fatal Python error: Aborted", "test_crashes"},
    {"Hanging.test_hangs", "Timeout", "test_hangs"},
    {"Bad.test_leaves_a_file_on_purpose", NULL, NULL},
    {"Bad.test_is_good", NULL, NULL},
};

START_TEST(a_bad_script_fails_and_says_why) {
  SCOPED_RUN run = RUN(CMOX_TEST_PYTHON, CMOX_TEST_BAD_PYTHON, scripts[_i].name);
  judge(&run, &scripts[_i]);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("must_fail");
  TCase *all = tcase_create("must_fail");
  tcase_set_timeout(all, 60);
  tcase_add_loop_test(all, a_bad_test_fails_and_says_why, 0, sizeof programs / sizeof *programs);
  tcase_add_test(all, leaked_memory_is_found_where_the_build_can);
  tcase_add_loop_test(all, a_bad_script_fails_and_says_why, 0, sizeof scripts / sizeof *scripts);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
