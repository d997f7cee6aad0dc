/* Each system call under a whole session fails in each of its ways: every request is answered or
 * its link ends, nothing leaks, and the next call works. */
#include <check.h>

#include "tests/lib/io_fault.h"
/* behind it */
#include "tests/lib/alloc_fault.h"
#include "tests/lib/conversation.h"
#include "tests/lib/run_suite.h"

enum { DESCRIPTORS = 256 };

static unsigned open_descriptors(void) {
  unsigned count = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

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
    {"recv", {ECONNRESET, ENOMEM, EIO}, false},
    {"send", {EINTR, EAGAIN, ENOBUFS, IO_FAULT_SHORT}, true},
    {"send", {EPIPE, ENOMEM, EIO}, false},
    {"accept4", {EINTR, EAGAIN, ECONNABORTED}, true},
    {"accept4", {EMFILE, ENFILE, ENOBUFS}, false},
    {"socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}, false},
    {"bind", {EACCES, EADDRINUSE, ENOSPC, EROFS, ENOENT}, false},
    {"listen", {EADDRINUSE, ENOBUFS}, false},
    {"getsockopt", {ENOBUFS, ENOTCONN}, false},
    {"clock_gettime", {IO_FAULT_AN_HOUR}, true},
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

int main(void) {
  Suite *suite = suite_create("io_faults");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 600);
  tcase_add_loop_test(cases, a_session_survives, 0,
                      (int)(sizeof session_ways / sizeof *session_ways));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
