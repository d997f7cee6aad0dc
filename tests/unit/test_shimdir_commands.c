/* What stands in a shim directory beside shims: allowed commands, and mirrors without the absent
 * ones. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "server/base/alloc.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

static char tools[64];
static char both[256]; /* PATH: tools, and the same by another name */

static void install(const char *name) {
  FILE *file = fopen(in(tools, name), "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_gt(fputs("#!/bin/sh\nexit 7\n", file), 0);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(in(tools, name), 0755), 0);
}

static void setup(void) {
  place_setup();
  scratch_directory(tools, sizeof tools);
  install("tool");
  install("other");
  char link[128];
  snprintf(link, sizeof link, "%s/twin", launchers);
  ck_assert_int_eq(symlink(tools, link), 0);
  snprintf(both, sizeof both, "%s:%s", tools, link);
}

static void teardown(void) {
  scratch_remove(tools);
  place_teardown();
}

#define TOOL cmox_span_str("tool")
#define OTHER cmox_span_str("other")

static cmox_shimdir_t *create_with(const char *path, bool contained) {
  cmox_shimdir_t *dir = create();
  cmox_error_t error = {0};
  cmox_code_t code = set_path(dir, cmox_span_str(path), contained, &error);
  ck_assert_msg(code == CMOX_OK, "%s", error.message);
  return dir;
}

static const char *path_of(const cmox_shimdir_t *dir) {
  static char text[1024];
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  cmox_shimdir_path(dir, &buf);
  ck_assert_uint_lt(buf.len, sizeof text);
  memcpy(text, buf.data, buf.len);
  text[buf.len] = '\0';
  cmox_buf_clear(&buf);
  return text;
}

START_TEST(two_names_of_a_directory_share_a_mirror) {
  cmox_shimdir_t *dir = create_with(both, false);
  ck_assert_int_eq(hide_all(dir, TOOL, NULL), CMOX_OK);
  char want[1024];
  const char *top = top_of(dir);
  snprintf(want, sizeof want, "%s/bin:%s/mirror/0:%s/mirror/0", top, top, top);
  ck_assert_str_eq(path_of(dir), want);
  ck_assert_uint_eq(mode_of(in(top, "mirror")), 0711);
  ck_assert_uint_eq(mode_of(in(top, "mirror/0")), 0711);
  ck_assert_int_ne(access(in(top, "mirror/0/tool"), F_OK), 0);
  ck_assert_int_eq(run(in(top, "mirror/0/other")), 7);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(any_umask_is_fine) {
  mode_t before = umask(0777);
  cmox_shimdir_t *dir = create_with(both, false);
  ck_assert_int_eq(hide_all(dir, TOOL, NULL), CMOX_OK);
  umask(before);
  ck_assert_int_eq(run(in(top_of(dir), "mirror/0/other")), 7);
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(a_tombstone_keeps_what_was_said_and_lets_the_rest_go) {
  install("third");
  cmox_shimdir_t *dir = create_with(tools, true);
  ck_assert_int_eq(cmox_shimdir_add(dir, TOOL, NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_allow(dir, OTHER, NULL), CMOX_OK);
  ck_assert_str_eq(path_of(dir), cmox_shimdir_bin(dir));
  char bin[128];
  snprintf(bin, sizeof bin, "%s", cmox_shimdir_bin(dir));
  ck_assert_int_eq(run(in(bin, "other")), 7);
  cmox_shimdir_entomb(dir);
  ck_assert_int_eq(run(in(bin, "tool")), 125);
  ck_assert_int_eq(run(in(bin, "other")), 7);
  ck_assert_int_ne(access(in(bin, "third"), F_OK), 0);
}
END_TEST

static void leave_one(void) {
  cmox_shimdir_t *dir = create_with(both, false);
  ck_assert_int_eq(hide_all(dir, TOOL, NULL), CMOX_OK);
  cmox_shimdir_entomb(create_with(tools, true));
  FILE *file = fopen(in(launchers, "top"), "w");
  fputs(top_of(dir), file);
  fclose(file);
  _exit(0); /* nothing is cleaned up */
}

START_TEST(what_a_dead_process_left_is_swept) {
  in_child(leave_one);
  ck_assert_uint_eq(place_count(), 2);
  ck_assert_uint_eq(cmox_shimdir_sweep(place), 2);
  ck_assert_uint_eq(place_count(), 0);
  ck_assert_int_eq(run(in(tools, "other")), 7); /* what the links led to is there */
}
END_TEST

/* Nobody else's files go with a mirror. */
START_TEST(a_file_of_somebody_else_stays) {
  in_child(leave_one);
  char top[128] = "";
  FILE *file = fopen(in(launchers, "top"), "r");
  ck_assert_ptr_nonnull(fgets(top, sizeof top, file));
  fclose(file);
  ck_assert_int_eq(close(open(in(top, "mirror/0/mine"), O_CREAT | O_WRONLY, 0600)), 0);
  ck_assert_int_eq(mkdir(in(top, "mirror/yours"), 0700), 0);
  (void)cmox_shimdir_sweep(place);
  ck_assert_int_eq(access(in(top, "mirror/0/mine"), F_OK), 0);
  ck_assert_int_eq(access(in(top, "mirror/yours"), F_OK), 0);
  ck_assert_int_ne(access(in(top, "mirror/0/other"), F_OK), 0);
  scratch_remove(top);
}
END_TEST

/* Of one that fails nothing is left, but a shim in place of the command. */
START_TEST(a_mirror_that_cannot_be_made_leaves_path_as_it_was) {
  cmox_shimdir_t *dir = create_with(both, false);
  char before[1024];
  snprintf(before, sizeof before, "%s", path_of(dir));
  char mirror[128];
  snprintf(mirror, sizeof mirror, "%s", in(top_of(dir), "mirror"));
  ck_assert_int_eq(close(open(mirror, O_CREAT | O_WRONLY, 0600)), 0); /* in its way */
  cmox_error_t error = {0};
  ck_assert_int_eq(hide_all(dir, TOOL, &error), CMOX_E_IO);
  ck_assert_ptr_nonnull(strstr(error.message, mirror));
  ck_assert_str_eq(path_of(dir), before);
  ck_assert_int_eq(run(in(top_of(dir), "bin/tool")), 125);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  ck_assert_int_eq(unlink(mirror), 0);
  cmox_shimdir_entomb(dir);
}
END_TEST

typedef cmox_code_t (*deed_t)(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error);

/* Whatever two things are said of a command, in whatever order: it does not run for real. */
START_TEST(a_contradiction_leaves_what_is_safe) {
  static const deed_t deeds[] = {cmox_shimdir_add, cmox_shimdir_allow, hide_all};
  const deed_t first = deeds[_i / 3], second = deeds[_i % 3];
  if (first == second) return;
  cmox_shimdir_t *dir = create_with(tools, true);
  ck_assert_int_eq(first(dir, TOOL, NULL), CMOX_OK);
  for (int i = 0; i < 2; i++) {
    const cmox_code_t code = second(dir, TOOL, NULL);
    ck_assert_int_eq(code, i && second == cmox_shimdir_add && first == cmox_shimdir_allow
                               ? CMOX_OK /* it has its shim by now */
                               : CMOX_E_BAD_STATE);
    const bool absent = access(in(top_of(dir), "bin/tool"), F_OK) != 0;
    ck_assert_int_eq(absent, first == hide_all);
    if (!absent) ck_assert_int_eq(run(in(top_of(dir), "bin/tool")), 125);
    ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  }
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(what_is_installed_after_it_was_made_absent_is_noticed) {
  char empty[64], path[512];
  scratch_directory(empty, sizeof empty);
  snprintf(path, sizeof path, "%s:%s", empty, tools);
  cmox_shimdir_t *dir = create_with(path, false);
  ck_assert_int_eq(hide_all(dir, TOOL, NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  char target[128];
  snprintf(target, sizeof target, "%s/tool", tools);
  ck_assert_int_eq(symlink(target, in(empty, "tool")), 0);
  cmox_error_t error = {0};
  ck_assert_int_eq(cmox_shimdir_check(dir, &error), CMOX_E_IO);
  ck_assert_ptr_nonnull(strstr(error.message, in(empty, "tool")));
  ck_assert_ptr_nonnull(strstr(error.message, "is on PATH, and tool was made absent"));
  cmox_shimdir_entomb(dir);
  scratch_remove(empty);
}
END_TEST

static bool good_or_no_memory(cmox_code_t code) {
  ck_assert_msg(code == CMOX_OK || code == CMOX_E_NO_MEMORY, "%s", cmox_code_reason(code));
  return code == CMOX_OK;
}

static void make_and_use(alloc_fault_t *fault) {
  for (int contained = 0; contained < 2; contained++) {
    cmox_shimdir_t *dir = NULL;
    cmox_error_t error = {0};
    bool good = good_or_no_memory(create_at(place, &dir, &error));
    good = good && good_or_no_memory(set_path(dir, cmox_span_str(both), contained, &error));
    bool hidden = good && good_or_no_memory(hide_all(dir, TOOL, &error));
    bool allowed = good && contained && good_or_no_memory(cmox_shimdir_allow(dir, OTHER, &error));
    if (good) (void)good_or_no_memory(cmox_shimdir_check(dir, &error));
    (void)alloc_fault_rest(fault);
    if (good) {
      const char *mirrored = in(top_of(dir), "mirror/0/tool");
      ck_assert(!hidden || (access(mirrored, F_OK) && access(in(top_of(dir), "bin/tool"), F_OK)));
      ck_assert(hidden || contained || strstr(path_of(dir), "mirror") == NULL);
      if (contained) ck_assert_int_eq(run(in(top_of(dir), "bin/other")), allowed ? 7 : 125);
      ck_assert_int_eq(cmox_shimdir_check(dir, &error), CMOX_OK);
    }
    cmox_shimdir_entomb(dir);
  }
}

START_TEST(every_allocation_may_fail) {
  cmox_shimdir_entomb(create());
  alloc_fault_sweep("contained and absent", make_and_use);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("shimdir_commands");
  TCase *all = tcase_create("commands");
  tcase_add_checked_fixture(all, setup, teardown);
  tcase_set_timeout(all, 120);
  suite_add_tcase(suite, all);
  tcase_add_test(all, two_names_of_a_directory_share_a_mirror);
  tcase_add_test(all, any_umask_is_fine);
  tcase_add_test(all, a_tombstone_keeps_what_was_said_and_lets_the_rest_go);
  tcase_add_test(all, what_a_dead_process_left_is_swept);
  tcase_add_test(all, a_file_of_somebody_else_stays);
  tcase_add_test(all, a_mirror_that_cannot_be_made_leaves_path_as_it_was);
  tcase_add_loop_test(all, a_contradiction_leaves_what_is_safe, 0, 9);
  tcase_add_test(all, what_is_installed_after_it_was_made_absent_is_noticed);
  tcase_add_test(all, every_allocation_may_fail);
  return run_suite(suite);
}
