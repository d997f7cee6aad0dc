/* Contained sessions, allowed and absent commands, from C; and PATH, which is as before afterwards.
 */
#include <cmdmox/check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/message.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static char tools[64]; /* a directory that is first on PATH */
static char path[4096];

static void install_in(const char *directory, const char *name) {
  char file[128];
  (void)snprintf(file, sizeof file, "%s/%s", directory, name);
  FILE *script = fopen(file, "w");
  ck_assert_ptr_nonnull(script);
  ck_assert_int_gt(fprintf(script, "#!/bin/sh\necho real %s\n", name), 0);
  ck_assert_int_eq(fclose(script), 0);
  ck_assert_int_eq(chmod(file, 0755), 0);
}

static void install(const char *name) { install_in(tools, name); }

static void setup(void) {
  scratch_directory(tools, sizeof tools);
  ck_assert_int_eq(chmod(tools, 0755), 0);
  install("tool");
  install("other");
  (void)snprintf(path, sizeof path, "%s:%s", tools, getenv("PATH"));
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

static void teardown(void) {
  ck_assert_str_eq(getenv("PATH"), path); /* whatever the session was */
  scratch_remove(tools);
}

START_TEST(contained_runs_nothing_that_was_not_said) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_returns(cmox_mock(mox, "tool"), .out = "mocked\n");
  cmox_allow(mox, "cat", "other");
  ck_cmox_replay(mox);
  ck_assert_str_eq(getenv("PATH"), cmox_shim_directory(mox));
  SCOPED_RUN fine = RUN_SHELL("tool | cat; other");
  ck_assert_str_eq(fine.out, "mocked\nreal other\n");
  SCOPED_RUN refused = RUN_SHELL("ls -l");
  ck_assert_int_eq(refused.exit_code, 125);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  assert_message_has(mox, "unexpected call: ls -l (the session is contained");
  assert_message_has(mox, "or allow the real one: cmox_allow(mox, \"ls\");");
  ck_assert_ptr_null(strstr(cmox_message(mox), "AllowCommands"));
  ck_assert_ptr_null(strstr(cmox_message(mox), "other"));
}
END_TEST

START_TEST(contained_gives_the_same_to_an_environment_of_its_own) {
  CMOX_SCOPED cmox_t *mox =
      cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE, .contained = true));
  cmox_allow(mox, "other");
  ck_cmox_replay(mox);
  ck_assert_str_eq(getenv("PATH"), path);
  const char *const line[] = {"/bin/sh", "-c", "other; tool", NULL};
  SCOPED_RUN run = run_program(line, NULL, 0, cmox_environ(mox));
  ck_assert_str_eq(run.out, "real other\n");
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
}
END_TEST

START_TEST(contained_passes_through_to_the_real_command) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_double_t *tool = cmox_spy(mox, "tool");
  cmox_passthrough(tool);
  cmox_allow(mox, "cat");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("tool | cat");
  ck_assert_str_eq(run.out, "real tool\n");
  ck_cmox_verify(mox);
  ck_assert_uint_eq(cmox_call_count(tool), 1);
}
END_TEST

START_TEST(absent_is_not_found_and_the_rest_is) {
  const bool contained = _i;
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = contained));
  cmox_absent(mox, "tool");
  cmox_absent(mox, "ls");
  cmox_returns(cmox_stub(mox, "git"), .out = "mocked\n");
  if (contained) cmox_allow(mox, "other");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("command -v tool || command -v ls || { git; other; tool; }");
  ck_assert_str_eq(run.out, "mocked\nreal other\n");
  ck_assert_int_eq(run.exit_code, 127);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(mistakes_are_told_with_their_lines) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_mock(mox, "tool");
  const char *here = __FILE__;
  cmox_allow(mox, "other");
  cmox_absent(mox, "tool");
  cmox_absent(mox, NULL);
  cmox_absent(mox, "a/b");
  cmox_absent(mox, "other");
  cmox_stub(mox, "other");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  assert_message_has(mox, here);
  static const char *const told[] = {
      "cmox_allow: other: only a contained session",
      "cmox_absent: tool cannot be absent: it has a double",
      "cmox_absent: the command is NULL",
      "cmox_absent: command name \"a/b\"",
      "cmox_stub: other cannot be mocked: it was made absent",
  };
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) assert_message_has(mox, told[i]);
}
END_TEST

/* Between cmox_absent() and cmox_replay(), or while the test runs. */
START_TEST(what_is_installed_meanwhile_is_not_absent) {
  const bool early = _i;
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_absent(mox, "new");
  if (early) install("new");
  ck_assert_int_eq(cmox_replay(mox), early ? CMOX_E_IO : CMOX_OK);
  if (!early) install("new");
  ck_assert_int_eq(cmox_verify(mox), early ? CMOX_E_IO : CMOX_E_VERIFICATION_FAILED);
  assert_message_has(mox, "new is on PATH, and new was made absent");
}
END_TEST

/* For tests that go on though their replay has failed. */
START_TEST(an_allowed_command_with_a_double_does_not_run_for_real) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_allow(mox, "tool");
  cmox_mock(mox, "tool");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  SCOPED_RUN run = RUN_SHELL("tool");
  ck_assert_int_eq(run.exit_code, 125);
}
END_TEST

START_TEST(each_mistake_of_one_allow_is_told) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_mock(mox, "tool");
  cmox_allow(mox, "cmdmox-one", "tool", "other", "cmdmox-two", NULL, "a/b");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  static const char *const told[] = {"cmdmox-one: no program of this name is on PATH",
                                     "tool cannot be allowed: it has a double",
                                     "cmdmox-two: no program", "the command is NULL", "\"a/b\""};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) assert_message_has(mox, told[i]);
  ck_assert_ptr_null(strstr(cmox_message(mox), "other"));
}
END_TEST

/* What could not be seen when the shims were made, and is on PATH all the same. */
START_TEST(allowed_is_what_was_installed_since_and_what_cannot_be_listed) {
  if (_i) ck_assert_int_eq(chmod(tools, 0111), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  if (!_i) install("new");
  cmox_allow(mox, _i ? "tool" : "new");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("/bin/sh", "-c", "$0", _i ? "tool" : "new");
  ck_assert_str_eq(run.out, _i ? "real tool\n" : "real new\n");
  ck_cmox_verify(mox);
  if (_i) ck_assert_int_eq(chmod(tools, 0755), 0);
}
END_TEST

START_TEST(absent_comes_before_replay) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_cmox_replay(mox);
  cmox_absent(mox, "tool");
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
  assert_message_has(mox, "cmox_absent: absent: say it before replay");
}
END_TEST

/* A plain session goes along with PATH; one that is made for a certain PATH says so, and its shims
 * are there all the same for a test that goes on. */
START_TEST(a_path_that_changes_before_replay) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = _i == 0));
  cmox_mock(mox, "other");
  if (_i == 1) cmox_absent(mox, "tool");
  char changed[8192];
  (void)snprintf(changed, sizeof changed, "/nowhere:%s", path);
  ck_assert_int_eq(setenv("PATH", changed, 1), 0);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(cmox_replay(mox), CMOX_E_BAD_STATE);
    assert_message_has(mox, "PATH has changed since cmox_new()");
    SCOPED_RUN met = RUN_SHELL("other");
    ck_assert_int_eq(met.exit_code, 125);
    SCOPED_RUN hidden = RUN_SHELL("tool");
    ck_assert_int_eq(hidden.exit_code, _i ? 127 : 125);
  }
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BAD_STATE);
  cmox_free(mox);
  ck_assert_str_eq(getenv("PATH"), changed);
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
}
END_TEST

START_TEST(an_environment_for_a_path_that_has_changed_holds_the_shims) {
  CMOX_SCOPED cmox_t *plain = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  CMOX_SCOPED cmox_t *mox =
      cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE, .contained = true));
  ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
  ck_assert_ptr_nonnull(cmox_environ(plain));
  const char *const line[] = {"/bin/sh", "-c", "ls", NULL};
  SCOPED_RUN run = run_program(line, NULL, 0, cmox_environ(mox));
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  assert_message_has(mox, "cmox_environ: PATH has changed since cmox_new()");
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
}
END_TEST

/* What PATH has changed to are the shims of the first. */
/* The one that the code under test would find is not that of cmox_new(). */
START_TEST(passing_through_looks_along_the_path_of_replay) {
  char later[64];
  scratch_directory(later, sizeof later);
  ck_assert_int_eq(chmod(later, 0755), 0);
  install_in(later, "new");
  char file[128], changed[8192];
  (void)snprintf(file, sizeof file, "%s/new", later);
  char there[128];
  (void)snprintf(there, sizeof there, "%s/tool", later);
  ck_assert_int_eq(rename(file, there), 0);
  (void)snprintf(changed, sizeof changed, "%s:/usr/bin:/bin", later);
  cmox_t *mox =
      cmox_new(CMOX_OPTIONS(.environment = _i ? CMOX_ENVIRONMENT_NONE : CMOX_ENVIRONMENT_PROCESS));
  cmox_passthrough(cmox_mock(mox, "tool"));
  ck_assert_int_eq(setenv("PATH", changed, 1), 0);
  ck_cmox_replay(mox);
  const char *const line[] = {"/bin/sh", "-c", "tool", NULL};
  SCOPED_RUN run = run_program(line, NULL, 0, cmox_environ(mox));
  ck_assert_str_eq(run.out, "real new\n");
  ck_cmox_verify(mox);
  cmox_free(mox);
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
  scratch_remove(later);
}
END_TEST

START_TEST(of_two_contained_sessions_the_second_is_told_who_is_there) {
  cmox_t *first = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_t *second = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_mock(first, "tool");
  ck_cmox_replay(first);
  ck_assert_int_eq(cmox_replay(second), CMOX_E_ENVIRONMENT_BUSY);
  assert_message_has(second, "the session declared at " __FILE__);
  SCOPED_RUN run = RUN_SHELL("tool");
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(first);
  cmox_free(second);
  cmox_free(first);
}
END_TEST

START_TEST(a_relative_entry_of_path_has_no_mirror) {
  ck_assert_int_eq(setenv("PATH", "bin:/usr/bin:/bin", 1), 0);
  cmox_t *mox = cmox_new(NULL);
  cmox_absent(mox, "ls");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  assert_message_has(mox, "PATH has the relative entry \"bin\"");
  SCOPED_RUN run = RUN_SHELL("ls");
  ck_assert_int_eq(run.exit_code, 125); /* not the real one */
  cmox_free(mox);
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_commands");
  TCase *cases = tcase_create("commands");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, contained_runs_nothing_that_was_not_said);
  tcase_add_test(cases, contained_gives_the_same_to_an_environment_of_its_own);
  tcase_add_test(cases, contained_passes_through_to_the_real_command);
  tcase_add_loop_test(cases, absent_is_not_found_and_the_rest_is, 0, 2);
  tcase_add_test(cases, mistakes_are_told_with_their_lines);
  tcase_add_loop_test(cases, what_is_installed_meanwhile_is_not_absent, 0, 2);
  tcase_add_test(cases, an_allowed_command_with_a_double_does_not_run_for_real);
  tcase_add_test(cases, each_mistake_of_one_allow_is_told);
  tcase_add_loop_test(cases, allowed_is_what_was_installed_since_and_what_cannot_be_listed, 0, 2);
  tcase_add_test(cases, absent_comes_before_replay);
  tcase_add_loop_test(cases, a_path_that_changes_before_replay, 0, 2);
  tcase_add_test(cases, an_environment_for_a_path_that_has_changed_holds_the_shims);
  tcase_add_loop_test(cases, passing_through_looks_along_the_path_of_replay, 0, 2);
  tcase_add_test(cases, of_two_contained_sessions_the_second_is_told_who_is_there);
  tcase_add_test(cases, a_relative_entry_of_path_has_no_mirror);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
