/* Each system call of a spilled stream fails in each of its ways: of what is kept every byte is
 * right, length and digest are those of the whole stream, and the next stream is kept whole. */
#include <check.h>

#include "tests/lib/io_fault.h"
/* behind it */
#include "proto/limits.h"
#include "server/host/spill.h"
#include "server/model/stream.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/run_suite.h"

enum { LENGTH = 3 * CMOX_STREAM_MEMORY_MAX };

static char place[64];
static char beside[80];
static uint8_t bytes[LENGTH];
static uint8_t digest[CMOX_DIGEST_BYTES];

static void setup(void) {
  scratch_directory(place, sizeof place);
  (void)snprintf(beside, sizeof beside, "%s/s", place);
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31 % 253);
  cmox_digest(cmox_span(bytes, sizeof bytes), digest);
}

static void teardown(void) { scratch_remove(place); }

static void fill(cmox_stream_t *stream) {
  for (size_t at = 0; at < sizeof bytes; at += CMOX_STREAM_CHUNK_MAX) {
    const size_t left = sizeof bytes - at;
    const size_t len = left < CMOX_STREAM_CHUNK_MAX ? left : CMOX_STREAM_CHUNK_MAX;
    ck_assert(cmox_stream_append(stream, cmox_span(bytes + at, len)));
  }
}

static void expect_right(const cmox_stream_t *stream) {
  uint8_t found[CMOX_DIGEST_BYTES];
  ck_assert_uint_eq(stream->length, sizeof bytes);
  cmox_stream_digest(stream, found);
  ck_assert_mem_eq(found, digest, sizeof digest);
  const cmox_span_t kept = cmox_stream_bytes(stream);
  if (kept.data) {
    ck_assert_uint_eq(kept.len, stream->kept);
    ck_assert_mem_eq(kept.data, bytes, kept.len);
  }
  cmox_stream_done(stream, kept);
}

static void two_streams(void) {
  cmox_spill_file_t file;
  cmox_spill_file_init(&file, beside);
  for (int i = 0; i < 2; i++) {
    cmox_stream_t stream = {.spill = &file.door};
    fill(&stream);
    expect_right(&stream);
    ck_assert(cmox_stream_whole(&stream) || io_fault.failed > 0);
    cmox_stream_clear(&stream);
  }
  (void)io_fault_rest();
  cmox_stream_t next = {.spill = &file.door};
  fill(&next);
  expect_right(&next);
  ck_assert(cmox_stream_whole(&next));
  cmox_stream_clear(&next);
  ck_assert_uint_eq(file.bytes, 0);
  cmox_spill_file_close(&file);
}

static const struct {
  const char *function;
  int errors[8]; /* 0 behind the last */
} ways[] = {
    {"mkostemp", {EACCES, EMFILE, ENFILE, ENOSPC, EROFS}},
    {"unlink", {EIO, EROFS, EACCES}},
    {"pwrite", {ENOSPC, EDQUOT, EFBIG, EIO, EINTR, IO_FAULT_SHORT}},
#ifndef __SANITIZE_THREAD__
    {"mmap", {ENOMEM, ENODEV, EAGAIN}},
#endif
};

START_TEST(what_is_kept_is_right) {
  (void)io_fault_sweep("spill", ways[_i].function, ways[_i].errors, two_streams);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("spill_faults");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 120);
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_loop_test(cases, what_is_kept_is_right, 0, (int)(sizeof ways / sizeof *ways));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
