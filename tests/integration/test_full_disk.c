/* The disk is full, or files may not grow: of a long stdin the beginning is kept and the call is
 * answered; a session that cannot be made says what and where; the test's process lives. */
#include <cmdmox/cmdmox.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "proto/limits.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

enum { SKIPPED = 77, LENGTH = 4 << 20, ROOM = 1 << 20 /* for the shim and a bit of a stream */ };

/* What went wrong, for a child that has no assertions of its own. */
static int fails(const char *what, const cmox_t *mox) {
  (void)fprintf(stderr, "%s: %s\n", what, mox ? cmox_message((cmox_t *)(uintptr_t)mox) : "");
  return 1;
}

/* A call with a long stdin, in this process. */
static int call_with_a_long_stdin(void) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.temporary_directory = place));
  cmox_double_t *sort = cmox_capture_stdin(cmox_mock(mox, "sort"));
  cmox_returns(sort, .out = "sorted\n", .exit_code = 7);
  if (cmox_replay(mox) != CMOX_OK) return fails("replay", mox);
  char line[128];
  (void)snprintf(line, sizeof line, "head -c %d /dev/zero | sort >/dev/null", LENGTH);
  const int status = system(line);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) return fails("the call", NULL);
  if (cmox_verify(mox) != CMOX_OK) return fails("verify", mox);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(sort);
  if (calls->count != 1) return fails("the journal", mox);
  const cmox_invocation_t *call = &calls->items[0];
  if (call->stdin_length != LENGTH) return fails("its length", NULL);
  if (!call->stdin_truncated || call->stdin_data.len >= LENGTH) return fails("all is kept", NULL);
  if (call->stdin_digest.len != 32) return fails("its digest", NULL);
  cmox_free(mox);
  return 0;
}

/* No room even for the shim. */
static int start_in_vain(const char *why) {
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.temporary_directory = place));
  const char *text = cmox_message(mox);
  if (cmox_code(mox) == CMOX_OK) return fails("it was made", NULL);
  if (!strstr(text, why) || !strstr(text, place)) return fails("told", mox);
  cmox_free(mox);
  return place_count() == 0 ? 0 : fails("something is left", NULL);
}

static void limit_files(rlim_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(9);
  limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(9);
}

static int long_stdin_where_files_may_not_grow(void) {
  limit_files(ROOM);
  return call_with_a_long_stdin();
}

static int start_where_files_may_not_grow(void) {
  limit_files(4096);
  return start_in_vain("File too large");
}

static void mount_small(const char *options) {
  if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount("tmpfs", place, "tmpfs", 0, options) < 0)
    _exit(SKIPPED);
}

static int long_stdin_on_a_full_disk(void) {
  mount_small("mode=1777,size=1m");
  return call_with_a_long_stdin();
}

static int start_on_a_full_disk(void) {
  mount_small("mode=1777,size=16k");
  return start_in_vain("No space left on device");
}

static int (*const cases[])(void) = {long_stdin_where_files_may_not_grow,
                                     start_where_files_may_not_grow, long_stdin_on_a_full_disk,
                                     start_on_a_full_disk};

START_TEST(a_full_disk_is_survived_and_told) {
  (void)fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    const int ended = cases[_i]();
    limit_files(RLIM_INFINITY); /* what counts lines writes at the exit */
    exit(ended);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (status == SKIPPED << 8) {
    (void)fprintf(stderr, "SKIP a full disk: mounting is not allowed here\n");
    return;
  }
  ck_assert_msg(status == 0, "wait status %#x", (unsigned)status);
  ck_assert_uint_eq(place_count(), 0);
}
END_TEST

int main(void) {
  (void)unsetenv("CMOX_TRACE"); /* its file would meet the limit of files first */
  Suite *suite = suite_create("full_disk");
  TCase *all = tcase_create("full_disk");
  tcase_add_checked_fixture(all, place_setup, place_teardown);
  tcase_set_timeout(all, 60);
  tcase_add_loop_test(all, a_full_disk_is_survived_and_told, 0, sizeof cases / sizeof *cases);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
