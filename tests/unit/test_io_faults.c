/* Each system call under a whole session fails in each of its ways: every request is answered or
 * its link ends, nothing leaks, and the next call works. */
#include <check.h>
#include <sys/wait.h>

#include "tests/lib/io_fault.h"
/* behind it */
#include "tests/lib/alloc_fault.h"
#include "tests/lib/conversation.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

enum { HOUR = 3600, DESCRIPTORS = 256 };

static unsigned open_descriptors(void) {
  unsigned count = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

/* ---- A session over sockets ---- */

static raw_bytes_t reference[CONVERSATION_LINKS];
static bool must_be_the_same; /* as without the fault */

static void whole_session(void) {
  const char *function = io_fault.function;
  alloc_fault_t memory;
  bare_t bare;
  raw_bytes_t out[CONVERSATION_LINKS] = {{0}};
  unsigned before = open_descriptors();
  alloc_fault_install(&memory, false);
  io_fault.function = NULL; /* the loop itself is made by libuv */
  ck_assert(bare_open(&bare));
  io_fault.function = function;
  conversation_play(&bare, NULL, NULL, out);
  if (io_fault_rest()) conversation_assert_next_call_works(&bare);
  bare_close(&bare);
  alloc_fault_remove(&memory);
  ck_assert_uint_eq(open_descriptors(), before);
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) {
    if (must_be_the_same) {
      ck_assert_uint_eq(out[i].len, reference[i].len);
      if (out[i].len) ck_assert_mem_eq(out[i].data, reference[i].data, out[i].len);
    }
    raw_free(&out[i]);
  }
}

typedef struct way {
  const char *function;
  int errors[10]; /* 0 behind the last */
  bool harmless;  /* nobody may notice */
} way_t;

static const way_t session_ways[] = {
    {"recv", {EINTR, EAGAIN, IO_FAULT_SHORT}, true},
    {"recv", {ECONNRESET, ENOMEM, ENOBUFS, EIO, EBADF}, false},
    {"send", {EINTR, EAGAIN, ENOBUFS, IO_FAULT_SHORT}, true},
    {"send", {EPIPE, ECONNRESET, ENOMEM, EIO}, false},
    {"accept4", {EINTR, EAGAIN, ECONNABORTED}, true},
    {"accept4", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM}, false},
    {"socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}, false},
    {"bind", {EACCES, EADDRINUSE, ENOSPC, EROFS, ENOENT}, false},
    {"listen", {EADDRINUSE, ENOBUFS}, false},
    {"getsockopt", {ENOBUFS, ENOTCONN}, false},
    {"clock_gettime", {HOUR}, true},
};

START_TEST(a_session_survives) {
  const way_t *way = &session_ways[_i];
  bare_t bare;
  ck_assert(bare_open(&bare));
  conversation_play(&bare, NULL, NULL, reference);
  bare_close(&bare);
  must_be_the_same = way->harmless;
  (void)io_fault_sweep("session over sockets", way->function, way->errors, whole_session);
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) raw_free(&reference[i]);
}
END_TEST

/* ---- A shim directory ---- */

static unsigned open_at_start;

static void make_and_use(void) {
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {0};
  alloc_fault_t memory;
  alloc_fault_install(&memory, false);
  cmox_code_t code = create_at(place, &dir, &error);
  if (!code) code = cmox_shimdir_add(dir, git, &error);
  if (!code) code = cmox_shimdir_check(dir, &error);
  if (code) {
    ck_assert_msg(io_fault.failed > 0, "%s", error.message);
    ck_assert_str_ne(error.message, "");
  } else {
    /* What it called good answers calls. */
    (void)io_fault_rest();
    ck_assert_int_eq(run(in(cmox_shimdir_bin(dir), "git")), 125);
  }
  cmox_shimdir_entomb(dir);
  (void)io_fault_rest();
  alloc_fault_remove(&memory);
  ck_assert_uint_eq(open_descriptors(), open_at_start);
  cmox_shimdir_entomb(create()); /* the next one works */
}

static const way_t directory_ways[] = {
    {"openat", {EINTR, EMFILE, ENFILE, ENOMEM, EACCES, ENOSPC, ELOOP}, false},
    {"open", {EINTR, EMFILE, ENFILE, ENOMEM, EACCES}, false},
    {"mkdirat", {EACCES, EEXIST, ENOSPC, EROFS, EMLINK}, false},
    {"symlinkat", {EACCES, EEXIST, ENOSPC, EROFS, EIO}, false},
    {"linkat", {EPERM, EXDEV, EMLINK, ENOSPC, EEXIST}, false},
    {"read", {EINTR, EIO, IO_FAULT_SHORT}, false},
    {"write", {EINTR, EIO, ENOSPC, EDQUOT, IO_FAULT_SHORT}, false},
    {"fchmod", {EPERM, EROFS, EIO}, false},
    {"fstat", {EIO, EOVERFLOW}, false},
    {"fstatat", {EIO, ENOENT, ELOOP}, false},
    {"faccessat", {EACCES, EIO}, false},
    {"flock", {EINTR, EWOULDBLOCK, ENOLCK}, false},
    {"pipe2", {EMFILE, ENFILE}, false},
    {"poll", {EINTR, ENOMEM}, false},
    {"posix_spawn", {EAGAIN, ENOMEM, E2BIG, ETXTBSY, ENOEXEC}, false},
};

START_TEST(a_shim_directory_is_whole_or_refused) {
  const way_t *way = &directory_ways[_i];
  place_setup();
  cmox_shimdir_entomb(create()); /* the process's own lock stays open */
  open_at_start = open_descriptors();
  (void)io_fault_sweep("shim directory", way->function, way->errors, make_and_use);
  place_teardown();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("io_faults");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 100);
  tcase_add_loop_test(cases, a_session_survives, 0,
                      (int)(sizeof session_ways / sizeof *session_ways));
  tcase_add_loop_test(cases, a_shim_directory_is_whole_or_refused, 0,
                      (int)(sizeof directory_ways / sizeof *directory_ways));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
