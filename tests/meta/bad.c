/* Tests that behave badly, each in a case of its own for CK_RUN_CASE; test_must_fail.c runs them
 * and looks at how they fail. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run_suite.h"

static void *volatile lost;

START_TEST(leaks_memory) {
  lost = malloc(4321);
  memset(lost, 1, 4321);
  lost = NULL;
}
END_TEST

START_TEST(leaks_a_descriptor) { ck_assert_int_ge(open("/dev/zero", O_RDONLY | O_CLOEXEC), 0); }
END_TEST

START_TEST(closes_a_descriptor) { ck_assert_int_eq(close(STDIN_FILENO), 0); }
END_TEST

static void start(const char *line, bool away) {
  pid_t child = fork();
  if (child != 0) return;
  if (away) (void)setsid();
  (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
  _exit(127);
}

START_TEST(leaves_a_process) { start("exec sleep 61", false); }
END_TEST

START_TEST(leaves_a_grandchild) {
  start("sleep 62 & exit 0", false);
  ck_assert_int_gt(wait(NULL), 0);
}
END_TEST

START_TEST(does_not_wait) { start("exit 3", false); }
END_TEST

/* Its parent ends: neither the parentage nor the group leads to the test. */
START_TEST(leaves_a_daemon) {
  start("setsid sleep 63 & exit 0", true);
  ck_assert_int_gt(wait(NULL), 0);
}
END_TEST

static void leave_a_file(void) {
  char path[96];
  (void)snprintf(path, sizeof path, "%s/forgotten", scratch_place());
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  (void)fclose(file);
}

START_TEST(leaves_a_file) { leave_a_file(); }
END_TEST

START_TEST(leaves_a_file_on_purpose) {
  leaves(LEAVES_FILES, "to see that this passes");
  leave_a_file();
}
END_TEST

START_TEST(crashes) { abort(); }
END_TEST

START_TEST(hangs) {
  for (;;) (void)pause();
}
END_TEST

START_TEST(is_good) {
  start("exit 0", false);
  ck_assert_int_gt(wait(NULL), 0);
}
END_TEST

int main(void) {
  static const struct rlimit none;
  (void)setrlimit(RLIMIT_CORE, &none);
  const TTest *const tests[] = {leaks_memory,
                                leaks_a_descriptor,
                                closes_a_descriptor,
                                leaves_a_process,
                                leaves_a_grandchild,
                                does_not_wait,
                                leaves_a_daemon,
                                leaves_a_file,
                                leaves_a_file_on_purpose,
                                crashes,
                                hangs,
                                is_good};
  Suite *suite = suite_create("bad");
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    TCase *one = tcase_create(tests[i]->name);
    if (tests[i] == hangs) tcase_set_timeout(one, 0.3);
    tcase_add_test(one, tests[i]);
    suite_add_tcase(suite, one);
  }
  return run_suite(suite);
}
