#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <utime.h>

#include "proto/limits.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

static const mode_t umasks[] = {0, 022, 0777};

START_TEST(the_layout_under_any_umask) {
  mode_t before = umask(umasks[_i]);
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(cmox_shimdir_add(dir, git, NULL), CMOX_OK);
  ck_assert_uint_eq(umask(before), umasks[_i]);
  const char *top = top_of(dir);
  ck_assert_uint_eq(mode_of(top), 0711);
  ck_assert_uint_eq(mode_of(in(top, "bin")), 0711);
  ck_assert_uint_eq(mode_of(in(top, "priv")), 0700);
  ck_assert_uint_eq(mode_of(in(top, "cmdmox-shim")), 0755);
  ck_assert_uint_eq(mode_of(in(top, "endpoint")), 0644);
  ck_assert_uint_eq(mode_of(in(top, "lock")), 0600);
  char text[32] = {0};
  ck_assert_int_eq(readlink(in(top, "bin/git"), text, sizeof text), 14);
  ck_assert_str_eq(text, "../cmdmox-shim");
  ck_assert_str_eq(cmox_shimdir_socket(dir), in(top, "priv/s"));
  FILE *file = fopen(in(top, "endpoint"), "r");
  ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
  fclose(file);
  ck_assert_str_eq(text, "unix:priv/s");
  ck_assert_int_eq(run(in(top, "bin/git")), 125);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(a_second_session_links_the_first_ones_files) {
  cmox_shimdir_t *first = create();
  char top[128];
  snprintf(top, sizeof top, "%s", top_of(first));
  cmox_shimdir_entomb(first);
  cmox_shimdir_t *second = create();
  struct stat a;
  struct stat b;
  ck_assert_int_eq(stat(in(top, "cmdmox-shim"), &a), 0);
  ck_assert_int_eq(stat(in(top_of(second), "cmdmox-shim"), &b), 0);
  ck_assert_uint_eq(a.st_ino, b.st_ino);
  /* A changed launcher is not the one that has answered. */
  put_launcher(good_launcher, sizeof good_launcher - 1, 0755);
  cmox_shimdir_t *third = create();
  ck_assert_int_eq(stat(in(top_of(third), "cmdmox-shim"), &b), 0);
  ck_assert_uint_ne(a.st_ino, b.st_ino);
  cmox_shimdir_entomb(second);
  cmox_shimdir_entomb(third);
}
END_TEST

START_TEST(a_vanished_first_session_does_no_harm) {
  cmox_shimdir_t *first = create();
  ck_assert_int_eq(unlink(in(top_of(first), "cmdmox-shim")), 0);
  cmox_shimdir_t *second = create();
  ck_assert_int_eq(cmox_shimdir_add(second, git, NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_check(second, NULL), CMOX_OK);
  cmox_shimdir_entomb(first);
  cmox_shimdir_entomb(second);
}
END_TEST

static const struct {
  const char *bytes;
  size_t len;
} bad_names[] = {{"", 0},   {"/", 1},    {"a/b", 3}, {"../x", 4},   {".", 1},
                 {"..", 2}, {"a\0b", 3}, {"\0", 1},  {"/bin/ls", 7}};

START_TEST(bad_command_names_are_refused) {
  cmox_shimdir_t *dir = create();
  cmox_error_t error;
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span(bad_names[_i].bytes, bad_names[_i].len), &error),
                   CMOX_E_BAD_COMMAND_NAME);
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(odd_command_names_work) {
  char name[257];
  memset(name, 'n', sizeof name);
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span(name, 255), NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span(name, 256), NULL), CMOX_E_BAD_COMMAND_NAME);
  static const char *const odd[] = {"[", "...", "a b", "-rf", "\xff\xfe", "g++", "new\nline"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span_str(odd[i]), NULL), CMOX_OK);
    ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span_str(odd[i]), NULL), CMOX_OK);
    ck_assert_int_eq(run(in(cmox_shimdir_bin(dir), odd[i])), 125);
  }
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  cmox_shimdir_entomb(dir);
}
END_TEST

/* Each breaks one thing a lookup along PATH depends on. */
static void delete_link(const char *top) { ck_assert_int_eq(unlink(in(top, "bin/git")), 0); }

static void redirect_link(const char *top) {
  delete_link(top);
  ck_assert_int_eq(symlink("/bin/true", in(top, "bin/git")), 0);
}

static void replace_launcher(const char *top) {
  ck_assert_int_eq(rename(launcher, in(top, "cmdmox-shim")), 0);
}

static void forbid_launcher(const char *top) {
  ck_assert_int_eq(chmod(in(top, "cmdmox-shim"), 0644), 0);
}

static void rewrite_launcher(const char *top) {
  FILE *file = fopen(in(top, "cmdmox-shim"), "a");
  fputs("#", file);
  fclose(file);
}

static void close_bin(const char *top) { ck_assert_int_eq(chmod(in(top, "bin"), 0700), 0); }

static void close_top(const char *top) { ck_assert_int_eq(chmod(top, 0700), 0); }

static void move_away(const char *top) { ck_assert_int_eq(rename(top, in(place, "elsewhere")), 0); }

static void swap_directory(const char *top) {
  move_away(top);
  ck_assert_int_eq(symlink("elsewhere", top), 0);
}

static void swap_bin(const char *top) {
  ck_assert_int_eq(rename(in(top, "bin"), in(top, "bin2")), 0);
  ck_assert_int_eq(symlink("bin2", in(top, "bin")), 0);
}

static void (*const attacks[])(const char *) = {
    delete_link, redirect_link, replace_launcher, forbid_launcher, rewrite_launcher,
    close_bin,   close_top,     move_away,        swap_directory,  swap_bin};

START_TEST(check_notices_whatever_lets_the_real_command_run) {
  cmox_shimdir_t *dir = create();
  cmox_error_t error = {0};
  ck_assert_int_eq(cmox_shimdir_add(dir, git, NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  attacks[_i](top_of(dir));
  ck_assert_int_ne(cmox_shimdir_check(dir, &error), CMOX_OK);
  ck_assert_str_ne(error.message, "");
  cmox_shimdir_entomb(dir);
}
END_TEST

START_TEST(a_link_of_somebody_else_is_not_taken_for_ours) {
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(symlink("/bin/true", in(cmox_shimdir_bin(dir), "git")), 0);
  ck_assert_int_eq(cmox_shimdir_add(dir, git, NULL), CMOX_E_IO);
  cmox_shimdir_entomb(dir);
}
END_TEST

/* ---- Places ---- */

static void expect_refused(const char *where, cmox_code_t want, const char *text) {
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {0};
  cmox_code_t code = create_at(where, &dir, &error);
  ck_assert_msg(code == want, "%s: %s: %s", where, cmox_code_reason(code), error.message);
  ck_assert_ptr_null(dir);
  ck_assert_msg(strstr(error.message, text) != NULL, "%s", error.message);
}

START_TEST(a_place_that_others_may_write_to_is_refused) {
  ck_assert_int_eq(chmod(place, 0777), 0);
  expect_refused(place, CMOX_E_UNSAFE_DIRECTORY, place);
  ck_assert_int_eq(chmod(place, 0770), 0);
  expect_refused(place, CMOX_E_UNSAFE_DIRECTORY, "sticky");
  ck_assert_uint_eq(place_count(), 0);
  ck_assert_int_eq(chmod(place, 01777), 0);
  cmox_shimdir_entomb(create());
}
END_TEST

START_TEST(a_symlinked_place_is_judged_by_its_end) {
  char link[96];
  snprintf(link, sizeof link, "%s/link", launchers);
  ck_assert_int_eq(symlink(place, link), 0);
  cmox_shimdir_t *dir;
  ck_assert_int_eq(create_at(link, &dir, NULL), CMOX_OK);
  ck_assert_int_eq(strncmp(cmox_shimdir_bin(dir), place, strlen(place)), 0);
  cmox_shimdir_entomb(dir);
  ck_assert_int_eq(chmod(place, 0777), 0);
  expect_refused(link, CMOX_E_UNSAFE_DIRECTORY, "others may write");
}
END_TEST

START_TEST(a_foreign_place_is_refused) {
  if (geteuid() != 0) {
    fprintf(stderr, "SKIP: needs root to give a directory away\n");
    return;
  }
  ck_assert_int_eq(chown(place, 65534, 65534), 0);
  expect_refused(place, CMOX_E_UNSAFE_DIRECTORY, "another user");
}
END_TEST

START_TEST(every_directory_on_the_way_is_judged) {
  char above[80];
  char where[96];
  snprintf(above, sizeof above, "%s/up", place);
  snprintf(where, sizeof where, "%s/up/in", place);
  ck_assert_int_eq(mkdir(above, 0755), 0);
  ck_assert_int_eq(mkdir(where, 0700), 0);
  ck_assert_int_eq(chmod(above, 0777), 0);
  expect_refused(where, CMOX_E_UNSAFE_DIRECTORY, above);
  ck_assert_int_eq(chmod(above, 0755), 0);
  ck_assert_int_eq(chmod(place, 0757), 0); /* not only the nearest */
  expect_refused(where, CMOX_E_UNSAFE_DIRECTORY, "may be written to by others");
  ck_assert_int_eq(chmod(place, 01777), 0);
  cmox_shimdir_t *dir;
  ck_assert_int_eq(create_at(where, &dir, NULL), CMOX_OK);
  cmox_shimdir_entomb(dir);
  ck_assert_int_eq(chmod(place, 0755), 0);
  ck_assert_int_eq(chmod(above, 0775), 0); /* my own group */
  ck_assert_int_eq(create_at(where, &dir, NULL), CMOX_OK);
  cmox_shimdir_entomb(dir);
  if (geteuid() != 0) {
    fprintf(stderr, "SKIP: needs root to give a directory away\n");
    return;
  }
  ck_assert_int_eq(chown(above, 0, 65534), 0);
  ck_assert_int_eq(chmod(above, 0775), 0);
  expect_refused(where, CMOX_E_UNSAFE_DIRECTORY, "may be written to by others");
  ck_assert_int_eq(chmod(above, 0755), 0);
  ck_assert_int_eq(chown(above, 65534, 0), 0);
  expect_refused(where, CMOX_E_UNSAFE_DIRECTORY, "another user");
}
END_TEST

START_TEST(a_place_that_is_no_place) {
  expect_refused(in(place, "missing"), CMOX_E_TEMP_DIRECTORY, "No such file");
  expect_refused(launcher, CMOX_E_TEMP_DIRECTORY, "Not a directory");
  expect_refused("/proc", CMOX_E_TEMP_DIRECTORY, "/proc");
}
END_TEST

START_TEST(a_place_that_path_would_split_is_refused) {
  char where[96];
  char link[96];
  snprintf(where, sizeof where, "%s/a:b", launchers);
  snprintf(link, sizeof link, "%s/link", launchers);
  ck_assert_int_eq(mkdir(where, 0700), 0);
  ck_assert_int_eq(symlink(where, link), 0);
  expect_refused(where, CMOX_E_UNSAFE_DIRECTORY, "PATH");
  expect_refused(link, CMOX_E_UNSAFE_DIRECTORY, "CMOX_TMPDIR");
  ck_assert_int_eq(rmdir(where), 0); /* it is empty */
}
END_TEST

START_TEST(path_lengths_around_the_limit) {
  char where[256];
  size_t longest = CMOX_SOCKET_PATH_MAX - 21; /* "/cmdmox-XXXXXX/priv/s" */
  for (size_t len = longest - 1; len <= 200; len = len > longest + 1 ? 200 : len + 1) {
    memset(where, 'p', sizeof where);
    memcpy(where, place, strlen(place));
    where[strlen(place)] = '/';
    where[len] = '\0';
    ck_assert_int_eq(mkdir(where, 0700), 0);
    if (len > longest) {
      expect_refused(where, CMOX_E_PATH_TOO_LONG, "107");
    } else {
      cmox_shimdir_t *dir;
      ck_assert_int_eq(create_at(where, &dir, NULL), CMOX_OK);
      ck_assert_uint_eq(strlen(cmox_shimdir_socket(dir)), len + 21);
      cmox_shimdir_entomb(dir);
    }
    if (len == 200) break;
  }
}
END_TEST

/* ---- Launchers ---- */

static const char *const scripts[][2] = {
    {"#!/bin/sh\necho 'cmdmox-shim 9.0 protocol 7-9'\n", "7-9"},
    {"#!/bin/sh\necho hello\n", "not a shim's"},
    {"#!/bin/sh\nexit 3\n", "status 3"},
    {"#!/bin/sh\nkill -SEGV $$\n", "signal 11"},
    {"#!/nonexistent/interpreter\n", "No such file"},
    {"no program at all\n", "Exec format error"},
    {"", "Exec format error"},
    {"#!/bin/sh\necho 'cmdmox-shim 0.1 protocol 1-1 and more'\n", "not a shim's"},
};

START_TEST(a_launcher_that_does_not_run_is_named) {
  put_launcher(scripts[_i][0], strlen(scripts[_i][0]), 0755);
  expect_refused(place, _i == 0 ? CMOX_E_SHIM_VERSION : CMOX_E_SHIM_BROKEN, scripts[_i][1]);
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

START_TEST(a_launcher_of_another_architecture) {
  unsigned char elf[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  elf[16] = 2;    /* executable */
  elf[18] = 0x2a; /* SuperH */
  put_launcher(elf, sizeof elf, 0755);
  expect_refused(place, CMOX_E_SHIM_BROKEN, launcher);
}
END_TEST

START_TEST(a_launcher_with_the_wrong_mode_or_kind) {
  put_launcher(good_launcher, sizeof good_launcher - 1, 0644);
  expect_refused(place, CMOX_E_SHIM_BROKEN, "not executable");
  ck_assert_int_eq(unlink(launcher), 0);
  expect_refused(place, CMOX_E_SHIM_MISSING, launcher);
  ck_assert_int_eq(mkdir(launcher, 0755), 0);
  expect_refused(place, CMOX_E_SHIM_BROKEN, "no file");
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

static const char *const hanging[] = {
    "#!/bin/sh\nexec sleep 60\n",
    "#!/bin/sh\nexec >&- 2>&-\nexec sleep 60\n",
};

START_TEST(a_launcher_that_hangs_is_bounded) {
  put_launcher(hanging[_i], strlen(hanging[_i]), 0755);
  cmox_shimdir_settings_t settings = {
      .shim = launcher, .temporary_directory = place, .probe_ms = 50};
  cmox_shimdir_t *dir;
  cmox_error_t error;
  ck_assert_int_eq(cmox_shimdir_create(&settings, &dir, &error), CMOX_E_SHIM_BROKEN);
  ck_assert_ptr_nonnull(strstr(error.message, "in time"));
  ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

START_TEST(a_process_that_reaps_everything_can_use_it) {
  ck_assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
  cmox_shimdir_entomb(create());
  (void)signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(blocked_and_ignored_signals_do_not_reach_the_launcher) {
  /* glibc's posix_spawn ignores its own 32 and 33 */
  static const char script[] =
      "#!/bin/sh\n"
      "while read -r key value; do case $key=$value in\n"
      "SigBlk:=*[1-9a-f]*) exit 4 ;;\n"
      "SigIgn:=*[08]0000000) ;;\n"
      "SigIgn:=*) exit 5 ;;\n"
      "esac; done </proc/$$/status\n"
      "echo 'cmdmox-shim 0.1 protocol 1-1'\n";
  put_launcher(script, sizeof script - 1, 0755);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  (void)signal(SIGPIPE, SIG_IGN);
  ck_assert_int_eq(sigprocmask(SIG_SETMASK, &all, &before), 0);
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
  cmox_shimdir_entomb(dir);
}
END_TEST

/* ---- Settings ---- */

START_TEST(the_environment_is_read_once) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_options_t options = {.shim = "relative/shim"};
  char cwd[512];
  char want[600];
  ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
  setenv("CMOX_SHIM", launcher, 1);
  setenv("CMOX_TMPDIR", place, 1);
  ck_assert_int_eq(cmox_shimdir_settings_read(NULL, &settings, NULL), CMOX_OK);
  unsetenv("CMOX_SHIM");
  setenv("CMOX_TMPDIR", "", 1);
  cmox_shimdir_t *dir;
  ck_assert_int_eq(cmox_shimdir_create(&settings, &dir, NULL), CMOX_OK);
  ck_assert_int_eq(strncmp(cmox_shimdir_bin(dir), place, strlen(place)), 0);
  cmox_shimdir_entomb(dir);
  cmox_shimdir_settings_clear(&settings);
  ck_assert_int_eq(cmox_shimdir_settings_read(&options, &settings, NULL), CMOX_OK);
  snprintf(want, sizeof want, "%s/relative/shim", cwd);
  ck_assert_str_eq(settings.shim, want);
  ck_assert_ptr_null(settings.temporary_directory); /* empty is unset */
  cmox_shimdir_settings_clear(&settings);
}
END_TEST

/* ---- Memory and descriptors ---- */

static unsigned open_descriptors(void) {
  unsigned count = 0;
  for (int fd = 0; fd < 256; fd++)
    if (fcntl(fd, F_GETFD) >= 0) count++;
  return count;
}

static unsigned open_at_start;

static void make_and_use(alloc_fault_t *fault) {
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {0};
  cmox_code_t code = create_at(place, &dir, &error);
  ck_assert(code == CMOX_OK || code == CMOX_E_NO_MEMORY);
  if (!code) {
    code = cmox_shimdir_add(dir, git, &error);
    ck_assert(code == CMOX_OK || code == CMOX_E_NO_MEMORY);
    code = cmox_shimdir_check(dir, &error);
    ck_assert(code == CMOX_OK || code == CMOX_E_NO_MEMORY);
  }
  (void)alloc_fault_rest(fault);
  cmox_shimdir_entomb(dir);
  ck_assert_uint_eq(open_descriptors(), open_at_start);
}

START_TEST(every_allocation_may_fail) {
  cmox_shimdir_entomb(create()); /* the process's own lock stays open */
  open_at_start = open_descriptors();
  alloc_fault_sweep("shim directory", make_and_use);
}
END_TEST

#define ADD_LOOP(name, table) tcase_add_loop_test(all, name, 0, (int)(sizeof table / sizeof *table))

int main(void) {
  Suite *suite = suite_create("shimdir");
  TCase *all = tcase_create("shimdir");
  tcase_add_checked_fixture(all, place_setup, place_teardown);
  tcase_set_timeout(all, 60);
  suite_add_tcase(suite, all);
  ADD_LOOP(the_layout_under_any_umask, umasks);
  tcase_add_test(all, a_second_session_links_the_first_ones_files);
  tcase_add_test(all, a_vanished_first_session_does_no_harm);
  ADD_LOOP(bad_command_names_are_refused, bad_names);
  tcase_add_test(all, odd_command_names_work);
  ADD_LOOP(check_notices_whatever_lets_the_real_command_run, attacks);
  tcase_add_test(all, a_link_of_somebody_else_is_not_taken_for_ours);
  tcase_add_test(all, a_place_that_others_may_write_to_is_refused);
  tcase_add_test(all, a_symlinked_place_is_judged_by_its_end);
  tcase_add_test(all, a_foreign_place_is_refused);
  tcase_add_test(all, every_directory_on_the_way_is_judged);
  tcase_add_test(all, a_place_that_is_no_place);
  tcase_add_test(all, a_place_that_path_would_split_is_refused);
  tcase_add_test(all, path_lengths_around_the_limit);
  ADD_LOOP(a_launcher_that_does_not_run_is_named, scripts);
  tcase_add_test(all, a_launcher_of_another_architecture);
  tcase_add_test(all, a_launcher_with_the_wrong_mode_or_kind);
  ADD_LOOP(a_launcher_that_hangs_is_bounded, hanging);
  tcase_add_test(all, a_process_that_reaps_everything_can_use_it);
  tcase_add_test(all, blocked_and_ignored_signals_do_not_reach_the_launcher);
  tcase_add_test(all, the_environment_is_read_once);
  tcase_add_test(all, every_allocation_may_fail);
  return run_suite(suite);
}
