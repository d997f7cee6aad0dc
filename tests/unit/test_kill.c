/* kill -9 in front of each system call that a session makes on disk: its directory, its shims, what
 * hides a command and what allows one, a stream that is spilled, their end. Whatever was there, the
 * next start removes it. */
#include <check.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/lib/io_fault.h"
/* behind it */
#include "proto/limits.h"
#include "server/host/spill.h"
#include "server/model/stream.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

static void spill_a_stream(const cmox_shimdir_t *dir) {
  static const uint8_t piece[CMOX_STREAM_CHUNK_MAX];
  cmox_spill_file_t file;
  cmox_spill_file_init(&file, cmox_shimdir_socket(dir));
  cmox_stream_t stream = {.spill = &file.door};
  while (stream.length <= 2 * CMOX_STREAM_MEMORY_MAX)
    if (!cmox_stream_append(&stream, cmox_span(piece, sizeof piece))) _exit(2);
  if (!cmox_stream_whole(&stream)) _exit(3);
  cmox_span_t bytes = cmox_stream_bytes(&stream);
  if (bytes.len != stream.length) _exit(4);
  cmox_stream_done(&stream, bytes);
  cmox_stream_clear(&stream);
  cmox_spill_file_close(&file);
}

/* On its PATH are two programs. */
static void setup(void) {
  place_setup();
  for (const char *const *name = (const char *const[]){"ls", "cp", NULL}; *name; name++)
    ck_assert_int_eq(symlink("/bin/true", in(launchers, *name)), 0);
}

static void one_session(bool contained) {
  cmox_shimdir_t *dir = create();
  const cmox_span_t ls = cmox_span_str("ls"), cp = cmox_span_str("cp");
  if (set_path(dir, cmox_span_str(launchers), contained, NULL) != CMOX_OK) _exit(7);
  if (hide_all(dir, ls, NULL) != CMOX_OK) _exit(8);
  if (contained && cmox_shimdir_allow(dir, cp, NULL) != CMOX_OK) _exit(9);
  if (cmox_shimdir_add(dir, git, NULL) != CMOX_OK) _exit(5);
  if (cmox_shimdir_check(dir, NULL) != CMOX_OK) _exit(6);
  FILE *socket_file = fopen(cmox_shimdir_socket(dir), "w");
  (void)fclose(socket_file);
  spill_a_stream(dir);
  cmox_shimdir_entomb(dir);
}

/* The first session makes what the second links to; the end of the process removes both. */
static void live(io_fault_t fault) {
  io_fault = fault;
  io_fault.function = IO_FAULT_ANY;
  one_session(false);
  one_session(true);
}

/* True when it was killed; false when it lived to its end. */
static bool is_killed_at(size_t at) {
  int status;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    live((io_fault_t){.error = IO_FAULT_KILL, .fail_at = at});
    exit(0);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (status == 0) return false;
  ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "wait status %#x",
                (unsigned)status);
  while (waitpid(-1, NULL, 0) > 0)
    continue; /* a shim that it was trying: it has the lock until the
                 kernel has loaded it */
  return true;
}

START_TEST(the_next_start_removes_what_a_killed_one_has_left) {
  size_t at = 1, littered = 0;
  ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  for (; is_killed_at(at); at += thorough_step()) {
    littered += place_count() > 0;
    (void)cmox_shimdir_sweep(place); /* as the next start does */
    ck_assert_msg(place_count() == 0, "killed in front of its call %zu: something is left", at);
  }
  ck_assert_uint_eq(place_count(), 0);
  printf("kill -9 in front of %zu system calls; %zu times something was left for the next start\n",
         (at - 1) / thorough_step(), littered);
  ck_assert_uint_gt(littered, 10);
}
END_TEST

/* The start of another session, at any moment of this one. */
static void sweep(void) { (void)cmox_shimdir_sweep(place); }

static size_t swept_at;
static bool *over; /* told by a child */

static void live_while_swept(void) {
  live((io_fault_t){.error = IO_FAULT_MEET, .meets = sweep, .fail_at = swept_at});
  *over = io_fault.failed == 0;
}

START_TEST(a_start_removes_nothing_that_lives) {
  over = mmap(NULL, sizeof *over, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(over, MAP_FAILED);
  for (swept_at = 1; !*over; swept_at += thorough_step()) {
    in_child(live_while_swept); /* everything in it works */
    ck_assert_uint_eq(place_count(), 0);
  }
  printf("a sweep in front of %zu system calls\n", (swept_at - 1) / thorough_step());
  ck_assert_uint_gt(swept_at, 50);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kill");
  TCase *all = tcase_create("kill");
  tcase_add_checked_fixture(all, setup, place_teardown);
  tcase_set_timeout(all, 600);
  tcase_add_test(all, the_next_start_removes_what_a_killed_one_has_left);
  tcase_add_test(all, a_start_removes_nothing_that_lives);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
