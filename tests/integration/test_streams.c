/* Processes that were started with stdin, stdout or stderr closed. */
#include <check.h>
#include <cmdmox/cmdmox.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run_suite.h"

/* A session with one call, where that descriptor is closed; 0 when all went well. */
static int use_without(int closed) {
  (void)close(closed);
  cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .exit_code = 7);
  if (cmox_replay(mox) != CMOX_OK) return 1;
  int status = system("git status");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) return 2;
  if (cmox_verify(mox) != CMOX_OK) return 3;
  cmox_free(mox);
  /* It is closed again: what was borrowed has been given back. */
  return fcntl(closed, F_GETFD) == -1 ? 0 : 4;
}

START_TEST(a_session_works_without_one_of_them) {
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) exit(use_without(_i));
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
  ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("streams");
  TCase *all = tcase_create("streams");
  tcase_add_loop_test(all, a_session_works_without_one_of_them, 0, 3);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
