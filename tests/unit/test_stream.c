/* Streams around the bounds of memory and disk, and what a full disk leaves of them. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/limits.h"
#include "server/host/spill.h"
#include "server/model/stream.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/run_suite.h"

static cmox_spill_file_t file;
static char place[] = "/tmp/cmox-spill-XXXXXX";
static char beside[sizeof place + 2];

static void setup(void) {
  ck_assert_ptr_nonnull(mkdtemp(place));
  (void)snprintf(beside, sizeof beside, "%s/s", place);
  cmox_spill_file_init(&file, beside);
}

static void teardown(void) {
  cmox_spill_file_close(&file);
  ck_assert_int_eq(rmdir(place), 0); /* nothing has a name there */
}

/* The byte at each place of every stream here. */
static uint8_t byte_at(uint64_t at) { return (uint8_t)(at * 31 % 253); }

/* Appends up to `length` in uneven pieces; false: memory was out. */
static bool fill(cmox_stream_t *stream, uint64_t length) {
  static uint8_t piece[CMOX_STREAM_CHUNK_MAX];
  bool fine = true;
  for (uint64_t at = stream->length; at < length && fine;) {
    size_t len = at % 3 ? sizeof piece : sizeof piece - 1;
    if (len > length - at) len = (size_t)(length - at);
    for (size_t i = 0; i < len; i++) piece[i] = byte_at(at + i);
    fine = cmox_stream_append(stream, cmox_span(piece, len));
    if (fine) at += len;
  }
  return fine;
}

static void expect_digest(const cmox_stream_t *stream) {
  SHA2_CTX context;
  SHA256Init(&context);
  for (uint64_t at = 0; at < stream->length; at++) {
    uint8_t byte = byte_at(at);
    SHA256Update(&context, &byte, 1);
  }
  uint8_t expected[CMOX_DIGEST_BYTES], digest[CMOX_DIGEST_BYTES];
  SHA256Final(expected, &context);
  cmox_stream_digest(stream, digest);
  ck_assert_mem_eq(digest, expected, sizeof digest);
  cmox_stream_digest(stream, digest); /* asking is free */
  ck_assert_mem_eq(digest, expected, sizeof digest);
}

static void expect_kept(const cmox_stream_t *stream, uint64_t kept) {
  ck_assert_uint_eq(stream->kept, kept);
  cmox_span_t bytes = cmox_stream_bytes(stream);
  ck_assert_uint_eq(bytes.len, kept);
  for (size_t i = 0; i < bytes.len; i++)
    if (bytes.data[i] != byte_at(i)) ck_abort_msg("byte %zu is another one", i);
  cmox_stream_done(stream, bytes);
}

START_TEST(known_digests) {
  uint8_t digest[CMOX_DIGEST_BYTES];
  static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
  static const uint8_t none[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14};
  cmox_digest(cmox_span_str("abc"), digest);
  ck_assert_mem_eq(digest, abc, sizeof abc);
  cmox_digest(cmox_span(NULL, 0), digest);
  ck_assert_mem_eq(digest, none, sizeof none);
}
END_TEST

static const struct {
  uint64_t length;
  bool on_disk;
  uint64_t kept;
} bounds[] = {
    {0, false, 0},
    {1, false, 1},
    {CMOX_STREAM_MEMORY_MAX - 1, false, CMOX_STREAM_MEMORY_MAX - 1},
    {CMOX_STREAM_MEMORY_MAX, false, CMOX_STREAM_MEMORY_MAX},
    {CMOX_STREAM_MEMORY_MAX + 1, true, CMOX_STREAM_MEMORY_MAX + 1},
    {CMOX_SPILL_STREAM_MAX - 1, true, CMOX_SPILL_STREAM_MAX - 1},
    {CMOX_SPILL_STREAM_MAX, true, CMOX_SPILL_STREAM_MAX},
    {CMOX_SPILL_STREAM_MAX + 1, true, CMOX_SPILL_STREAM_MAX},
};

START_TEST(around_each_bound) {
  cmox_stream_t stream = {.spill = &file.door};
  ck_assert(fill(&stream, bounds[_i].length));
  ck_assert_uint_eq(stream.length, bounds[_i].length);
  ck_assert_int_eq(stream.place != 0, bounds[_i].on_disk);
  ck_assert(!bounds[_i].on_disk || stream.memory.capacity == 0);
  ck_assert_int_eq(cmox_stream_whole(&stream), bounds[_i].kept == bounds[_i].length);
  expect_kept(&stream, bounds[_i].kept);
  if (bounds[_i].length <= CMOX_STREAM_MEMORY_MAX + 1) expect_digest(&stream);
  cmox_stream_clear(&stream);
  ck_assert_uint_eq(file.bytes, 0);
}
END_TEST

START_TEST(streams_lie_beside_each_other_and_places_come_back) {
  enum { STREAMS = 5 };
  const uint64_t length = CMOX_STREAM_MEMORY_MAX + 4321;
  cmox_stream_t streams[STREAMS] = {{0}};
  for (uint64_t step = 1; step <= 4; step++)
    for (size_t i = 0; i < STREAMS; i++) {
      streams[i].spill = &file.door;
      ck_assert(fill(&streams[i], length * step / 4 + i));
    }
  for (size_t i = 0; i < STREAMS; i++) expect_kept(&streams[i], length + i);
  ck_assert_uint_eq(file.places, STREAMS);
  cmox_stream_clear(&streams[1]);
  ck_assert(fill(&streams[1], length));
  ck_assert_uint_eq(file.places, STREAMS);
  expect_kept(&streams[1], length);
  for (size_t i = 0; i < STREAMS; i++) cmox_stream_clear(&streams[i]);
}
END_TEST

START_TEST(without_a_disk_the_beginning_is_kept) {
  cmox_stream_t stream = {0};
  ck_assert(fill(&stream, 3 * CMOX_STREAM_MEMORY_MAX));
  ck_assert(!cmox_stream_whole(&stream));
  ck_assert_uint_gt(stream.kept, CMOX_STREAM_MEMORY_MAX / 2);
  expect_kept(&stream, stream.kept);
  expect_digest(&stream);
  cmox_stream_clear(&stream);
  cmox_spill_file_close(&file);
  cmox_spill_file_init(&file, "/nowhere/at/all");
  stream.spill = &file.door;
  ck_assert(fill(&stream, 3 * CMOX_STREAM_MEMORY_MAX));
  ck_assert(!cmox_stream_whole(&stream));
  cmox_stream_clear(&stream);
}
END_TEST

/* A limit of the file's size fails as a full disk does. */
START_TEST(a_full_disk_ends_what_is_kept_and_nothing_else) {
  (void)signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {2 * CMOX_STREAM_MEMORY_MAX, RLIM_INFINITY};
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cmox_stream_t stream = {.spill = &file.door};
  ck_assert(fill(&stream, 4 * CMOX_STREAM_MEMORY_MAX));
  ck_assert(!cmox_stream_whole(&stream));
  ck_assert_uint_gt(stream.kept, CMOX_STREAM_MEMORY_MAX);
  ck_assert_uint_le(stream.kept, 2 * CMOX_STREAM_MEMORY_MAX);
  expect_kept(&stream, stream.kept);
  expect_digest(&stream);
  cmox_stream_clear(&stream);
}
END_TEST

START_TEST(a_session_has_so_much_disk_and_no_more) {
  cmox_stream_t stream = {.spill = &file.door};
  file.bytes = CMOX_SPILL_SESSION_MAX - 2 * CMOX_STREAM_MEMORY_MAX; /* of others */
  ck_assert(fill(&stream, 3 * CMOX_STREAM_MEMORY_MAX));
  ck_assert(!cmox_stream_whole(&stream));
  ck_assert_uint_le(file.bytes, CMOX_SPILL_SESSION_MAX);
  expect_kept(&stream, stream.kept);
  cmox_stream_clear(&stream);
  ck_assert_uint_eq(file.bytes, CMOX_SPILL_SESSION_MAX - 2 * CMOX_STREAM_MEMORY_MAX);
}
END_TEST

static void one_long_stream(alloc_fault_t *fault) {
  (void)fault;
  cmox_spill_file_t own;
  cmox_spill_file_init(&own, beside);
  cmox_stream_t stream = {.spill = &own.door};
  bool filled = fill(&stream, CMOX_STREAM_MEMORY_MAX + 100000);
  expect_kept(&stream, stream.kept);
  if (filled) ck_assert_uint_eq(stream.length, CMOX_STREAM_MEMORY_MAX + 100000);
  cmox_stream_clear(&stream);
  cmox_spill_file_close(&own);
}

START_TEST(any_failed_allocation_is_survived) {
  alloc_fault_sweep("a long stream", one_long_stream);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("stream");
  TCase *cases = tcase_create("stream");
  tcase_set_timeout(cases, 60);
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, known_digests);
  tcase_add_loop_test(cases, around_each_bound, 0, sizeof bounds / sizeof *bounds);
  tcase_add_test(cases, streams_lie_beside_each_other_and_places_come_back);
  tcase_add_test(cases, without_a_disk_the_beginning_is_kept);
  tcase_add_test(cases, a_full_disk_ends_what_is_kept_and_nothing_else);
  tcase_add_test(cases, a_session_has_so_much_disk_and_no_more);
  tcase_add_test(cases, any_failed_allocation_is_survived);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
