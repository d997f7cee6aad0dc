/* Where the shim directory stands: mounts and users. Mounts are made in a
 * mount namespace of a child's own, so nothing is left behind. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

static bool root_or_skip(const char *what) {
  if (geteuid() == 0) return true;
  fprintf(stderr, "SKIP %s: needs root\n", what);
  return false;
}

enum { SKIPPED = 77 };

/* Runs body in a child with its own mounts; true when it could be run. */
static bool with_mounts(const char *what, void (*body)(void)) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
      _exit(SKIPPED);
    body();
    exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (status == SKIPPED << 8) {
    fprintf(stderr, "SKIP %s: mounting is not allowed here\n", what);
    return false;
  }
  ck_assert_int_eq(status, 0);
  return true;
}

static void mount_at(const char *where, unsigned long flags) {
  if (mount("tmpfs", where, "tmpfs", flags, "mode=1777") < 0) _exit(SKIPPED);
}

static void noexec_named(void) {
  mount_at(place, MS_NOEXEC);
  cmox_shimdir_t *dir;
  cmox_error_t error = {0};
  ck_assert_int_eq(create_at(place, &dir, &error), CMOX_E_NOT_EXECUTABLE);
  ck_assert_ptr_nonnull(strstr(error.message, place));
  ck_assert_ptr_nonnull(strstr(error.message, "noexec"));
  ck_assert_ptr_nonnull(strstr(error.message, "CMOX_TMPDIR"));
  ck_assert_uint_eq(place_count(), 0);
}

START_TEST(a_noexec_place_is_refused) {
  if (root_or_skip("noexec")) (void)with_mounts("noexec", noexec_named);
}
END_TEST

/* launcher stands below /tmp: what is mounted over /tmp must not hide it. */
static void use_moved_launcher(cmox_shimdir_settings_t *settings) {
  static char copy[128];
  snprintf(copy, sizeof copy, "/dev/shm/cmdmox-test-launcher-%d", (int)getpid());
  mount_at("/dev/shm", 0);
  FILE *file = fopen(copy, "w");
  ck_assert_ptr_nonnull(file);
  fputs(good_launcher, file);
  fclose(file);
  ck_assert_int_eq(chmod(copy, 0755), 0);
  *settings = (cmox_shimdir_settings_t){.shim = copy, .tmpdir = NULL};
}

static void noexec_tmp(void) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_t *dir;
  cmox_error_t error = {0};
  use_moved_launcher(&settings);
  mount_at("/tmp", MS_NOEXEC);
  cmox_code_t code = cmox_shimdir_create(&settings, &dir, &error);
  ck_assert_msg(code == CMOX_OK, "%s", error.message);
  ck_assert_ptr_eq(strstr(cmox_shimdir_bin(dir), "/var/tmp/"), cmox_shimdir_bin(dir));
  cmox_shimdir_entomb(dir);
}

START_TEST(the_next_usual_place_is_taken) {
  if (root_or_skip("fallback")) (void)with_mounts("fallback", noexec_tmp);
}
END_TEST

static void nowhere(void) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_t *dir;
  cmox_error_t error = {0};
  use_moved_launcher(&settings);
  mount_at("/tmp", MS_NOEXEC);
  mount_at("/var/tmp", MS_RDONLY);
  ck_assert_int_eq(cmox_shimdir_create(&settings, &dir, &error), CMOX_E_TEMP_DIRECTORY);
  ck_assert_ptr_nonnull(strstr(error.message, "/tmp"));
  ck_assert_ptr_nonnull(strstr(error.message, "/var/tmp: cannot make"));
}

START_TEST(no_place_at_all_names_every_place) {
  if (root_or_skip("nowhere")) (void)with_mounts("nowhere", nowhere);
}
END_TEST

static void remounted(void) {
  mount_at(place, 0);
  cmox_shimdir_t *dir = create();
  cmox_error_t error = {0};
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span_str("git"), NULL), CMOX_OK);
  ck_assert_int_eq(cmox_shimdir_check(dir, NULL), CMOX_OK);
  ck_assert_int_eq(mount(NULL, place, NULL, MS_REMOUNT | MS_NOEXEC, NULL), 0);
  ck_assert_int_eq(cmox_shimdir_check(dir, &error), CMOX_E_NOT_EXECUTABLE);
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span_str("tar"), NULL), CMOX_E_NOT_EXECUTABLE);
  cmox_shimdir_entomb(dir);
}

START_TEST(a_place_that_becomes_noexec_is_noticed) {
  if (root_or_skip("remount")) (void)with_mounts("remount", remounted);
}
END_TEST

static void full(void) {
  if (mount("tmpfs", place, "tmpfs", 0, "mode=1777,nr_inodes=4") < 0) _exit(SKIPPED);
  cmox_shimdir_t *dir;
  cmox_error_t error = {0};
  ck_assert_int_eq(create_at(place, &dir, &error), CMOX_E_TEMP_DIRECTORY);
  ck_assert_ptr_nonnull(strstr(error.message, "No space"));
  ck_assert_uint_eq(place_count(), 0);
}

START_TEST(a_full_place_is_named_and_left_clean) {
  if (root_or_skip("full")) (void)with_mounts("full", full);
}
END_TEST

START_TEST(another_user_meets_the_shim_and_not_the_socket) {
  if (!root_or_skip("another user")) return;
  ck_assert_int_eq(chmod(place, 0755), 0);
  cmox_shimdir_t *dir = create();
  ck_assert_int_eq(cmox_shimdir_add(dir, cmox_span_str("true"), NULL), CMOX_OK);
  pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) < 0) _exit(1);
    if (access(cmox_shimdir_socket(dir), F_OK) == 0 || errno != EACCES) _exit(2);
    char path[256];
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", cmox_shimdir_bin(dir));
    setenv("PATH", path, 1);
    execlp("true", "true", (char *)NULL); /* the real one would give 0 */
    _exit(3);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 125 << 8);
  cmox_shimdir_entomb(dir);
}
END_TEST

static int layout_as_nobody(void) {
  if (setuid(65534) < 0) return 1;
  umask(0777);
  cmox_shimdir_t *dir = create();
  if (cmox_shimdir_add(dir, cmox_span_str("git"), NULL) != CMOX_OK) return 2;
  if (cmox_shimdir_check(dir, NULL) != CMOX_OK) return 3;
  cmox_shimdir_entomb(dir);
  return 0;
}

START_TEST(an_ordinary_user_with_the_strictest_umask) {
  if (!root_or_skip("umask")) return;
  ck_assert_int_eq(chown(place, 65534, 65534), 0);
  ck_assert_int_eq(chmod(launchers, 0755), 0);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) exit(layout_as_nobody());
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_uint_eq(place_count(), 0); /* and it went with the process */
}
END_TEST

static int first_of_its_namespace(void (*body)(void)) {
  if (unshare(CLONE_NEWPID) < 0) return SKIPPED;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (getpid() != 1) _exit(9);
    body();
    exit(0);
  }
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 10;
}

static cmox_shimdir_t *inherited;

static void entomb_inherited(void) { cmox_shimdir_entomb(inherited); }

static void own_and_fork(void) {
  inherited = create();
  FILE *file = fopen(cmox_shimdir_socket(inherited), "w");
  fclose(file);
  int status = first_of_its_namespace(entomb_inherited);
  if (status != 0) _exit(status);
  if (place_count() != 1) _exit(2);
  if (access(cmox_shimdir_socket(inherited), F_OK) < 0) _exit(3);
  cmox_shimdir_entomb(inherited);
}

START_TEST(a_child_with_the_same_pid_removes_nothing) {
  if (!root_or_skip("same pid")) return;
#if defined(__SANITIZE_ADDRESS__)
  /* LeakSanitizer cannot look at a process whose pid is not the one /proc knows. */
  fprintf(stderr, "SKIP same pid: not under AddressSanitizer\n");
  return;
#endif
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) _exit(first_of_its_namespace(own_and_fork));
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (status == SKIPPED << 8)
    fprintf(stderr, "SKIP same pid: namespaces are not allowed here\n");
  else
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("directory");
  TCase *all = tcase_create("directory");
  tcase_add_checked_fixture(all, place_setup, place_teardown);
  tcase_set_timeout(all, 30);
  suite_add_tcase(suite, all);
  tcase_add_test(all, a_noexec_place_is_refused);
  tcase_add_test(all, the_next_usual_place_is_taken);
  tcase_add_test(all, no_place_at_all_names_every_place);
  tcase_add_test(all, a_place_that_becomes_noexec_is_noticed);
  tcase_add_test(all, a_full_place_is_named_and_left_clean);
  tcase_add_test(all, another_user_meets_the_shim_and_not_the_socket);
  tcase_add_test(all, a_child_with_the_same_pid_removes_nothing);
  tcase_add_test(all, an_ordinary_user_with_the_strictest_umask);
  return run_suite(suite);
}
