/* Each system call that makes and uses shim directories fails in each of its ways: there is a
 * directory whose shims answer, or an error that says why and nothing that is left behind. */
#include <check.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/lib/io_fault.h"
/* behind it */
#include "tests/lib/alloc_fault.h"
#include "tests/lib/place.h"
#include "tests/lib/run_suite.h"

enum { DESCRIPTORS = 256 };

typedef struct way {
  const char *function;
  int errors[10]; /* 0 behind the last */
} way_t;

static void install_allowed(void) {
  FILE *file = fopen(in(launchers, "allowed"), "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_gt(fputs("#!/bin/sh\nexit 7\n", file), 0);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(in(launchers, "allowed"), 0755), 0);
}

/* Each directory may hold its own lock; nothing else stays open. */
static unsigned without_locks(void) {
  unsigned count = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    char link[64], target[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target - 1);
    if (len < 0) continue;
    target[len] = '\0';
    bool lock = strstr(target, "/lock") && !strstr(target, "/lock.new"); /* not yet one */
    count += !lock;
  }
  return count;
}

/* Makes one, uses it, and leaves it as a tombstone. True: it is one. */
static bool make_and_use(bool contained) {
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {0};
  cmox_code_t code = create_at(place, &dir, &error);
  bool made = code == CMOX_OK;
  if (!code) code = set_path(dir, cmox_span_str(launchers), contained, &error);
  if (!code) code = cmox_shimdir_add(dir, git, &error);
  if (!code && contained) code = cmox_shimdir_allow(dir, cmox_span_str("allowed"), &error);
  if (!code) code = hide_all(dir, cmox_span_str("l"), &error);
  if (!code) code = cmox_shimdir_check(dir, &error);
  if (code) {
    ck_assert_msg(io_fault.failed > 0, "%s", error.message);
    ck_assert_str_ne(error.message, "");
    ck_assert_msg(strstr(error.message, strerror(0)) == NULL, "%s", error.message);
  } else { /* what it calls good answers calls */
    const char *function = io_fault.function;
    io_fault.function = NULL;
    ck_assert_int_eq(run(in(cmox_shimdir_bin(dir), "git")), 125);
    if (contained) ck_assert_int_eq(run(in(cmox_shimdir_bin(dir), "allowed")), 7);
    ck_assert_int_ne(access(in(cmox_shimdir_bin(dir), "l"), F_OK), 0);
    ck_assert_int_ne(access(in(top_of(dir), "mirror/0/l"), F_OK), 0);
    io_fault.function = function;
  }
  cmox_shimdir_entomb(dir);
  return made;
}

static io_fault_t *told;    /* by a child */
static const char *watched; /* in the child, and not before: libuv has a handler at fork, which ends
                               the process when a call of its fails */

/* The first directory of a process proves its launcher; the second links to it. */
static void first_and_second(void) {
  io_fault.function = watched;
  alloc_fault_t memory;
  unsigned before = without_locks(), made = 0;
  alloc_fault_install(&memory, false);
  made += make_and_use(false);
  made += make_and_use(true);
  (void)io_fault_rest();
  alloc_fault_remove(&memory);
  ck_assert_uint_eq(without_locks(), before);
  ck_assert_msg(place_count() == made, "%u directories for %u sessions", place_count(), made);
  cmox_shimdir_entomb(create()); /* the next one works */
  *told = io_fault;
}

static void in_fresh_process(void) {
  watched = io_fault.function;
  io_fault.function = NULL;
  in_child(first_and_second);
  io_fault = *told;
  ck_assert_uint_eq(place_count(), 0); /* and takes everything with it */
}

static const way_t directory_ways[] = {
    {"openat", {EINTR, EMFILE, ENFILE, ENOMEM, EACCES, ENOSPC, ELOOP}},
    {"open", {EINTR, EMFILE, ENFILE, ENOMEM, EACCES}},
    {"mkdirat", {EACCES, EEXIST, ENOSPC, EROFS, EMLINK}},
    {"symlinkat", {EACCES, EEXIST, ENOSPC, EROFS, EIO}},
    {"linkat", {EPERM, EXDEV, EMLINK, ENOSPC, EEXIST}},
    {"read", {EINTR, EIO, IO_FAULT_SHORT}},
    {"write", {EINTR, EIO, ENOSPC, EDQUOT, IO_FAULT_SHORT}},
    {"fchmod", {EPERM, EROFS, EIO}},
    {"fstat", {EIO, EOVERFLOW}},
    {"fstatat", {EIO, ENOENT, ELOOP}},
    {"faccessat", {EACCES, EIO}},
    {"flock", {EINTR, EWOULDBLOCK, ENOLCK}},
    {"pipe2", {EMFILE, ENFILE}},
    {"poll", {EINTR, ENOMEM}},
    {"posix_spawn", {EAGAIN, ENOMEM, E2BIG, ETXTBSY, ENOEXEC}},
};

START_TEST(a_shim_directory_is_whole_or_refused) {
  const way_t *way = &directory_ways[_i];
  told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(told, MAP_FAILED);
  place_setup();
  install_allowed();
  (void)io_fault_sweep("shim directory", way->function, way->errors, in_fresh_process);
  place_teardown();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("shimdir_faults");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 600);
  tcase_add_loop_test(cases, a_shim_directory_is_whole_or_refused, 0,
                      (int)(sizeof directory_ways / sizeof *directory_ways));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
