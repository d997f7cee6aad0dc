/* Length prefixes: a table, every split, every bound, and a slow model. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "tests/lib/run_suite.h"

#define UNTOUCHED 77u

static cmox_prefix_result_t read_prefix(const uint8_t *data, size_t len, uint32_t max,
                                        size_t *prefix_len, uint32_t *body_len) {
  *prefix_len = UNTOUCHED;
  *body_len = UNTOUCHED;
  const cmox_prefix_result_t result = cmox_prefix_read(data, len, max, prefix_len, body_len);
  if (result != CMOX_PREFIX_OK) {
    ck_assert_uint_eq(*prefix_len, UNTOUCHED);
    ck_assert_uint_eq(*body_len, UNTOUCHED);
  }
  return result;
}

typedef struct prefix_case {
  const char *bytes;
  size_t len;
  uint32_t max;
  cmox_prefix_result_t result;
  uint32_t body_len;
} prefix_case_t;

#define BYTES(text) text, sizeof(text) - 1

static const prefix_case_t cases[] = {
    {BYTES(""), 10, CMOX_PREFIX_MORE, 0},
    {BYTES("\x00"), 10, CMOX_PREFIX_OK, 0},
    {BYTES("\x00"), 0, CMOX_PREFIX_OK, 0},
    {BYTES("\x7f"), 127, CMOX_PREFIX_OK, 127},
    {BYTES("\x7f"), 126, CMOX_PREFIX_TOO_LARGE, 0},
    {BYTES("\x80"), 1000, CMOX_PREFIX_MORE, 0},
    {BYTES("\x80\x01"), 1000, CMOX_PREFIX_OK, 128},
    {BYTES("\x80\x00"), 1000, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\x81\x80\x00"), 1000, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\x80\x80\x80\x80\x00"), 1000, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\xff\xff\xff\xff"), UINT32_MAX, CMOX_PREFIX_MORE, 0},
    {BYTES("\xff\xff\xff\xff\x0f"), UINT32_MAX, CMOX_PREFIX_OK, UINT32_MAX},
    {BYTES("\xff\xff\xff\xff\x0f"), UINT32_MAX - 1, CMOX_PREFIX_TOO_LARGE, 0},
    {BYTES("\xff\xff\xff\xff\x10"), UINT32_MAX, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\xff\xff\xff\xff\x7f"), UINT32_MAX, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\x80\x80\x80\x80\x80\x01"), UINT32_MAX, CMOX_PREFIX_MALFORMED, 0},
    {BYTES("\x03"
           "abc"),
     10, CMOX_PREFIX_OK, 3},
};

START_TEST(table) {
  const prefix_case_t *c = &cases[_i];
  size_t prefix_len;
  uint32_t body_len;
  const cmox_prefix_result_t result =
      read_prefix((const uint8_t *)c->bytes, c->len, c->max, &prefix_len, &body_len);
  ck_assert_int_eq(result, c->result);
  if (result == CMOX_PREFIX_OK) ck_assert_uint_eq(body_len, c->body_len);
}
END_TEST

static const uint32_t bounds[] = {
    0x7f,
    0x3fff,
    0x1fffff,
    0xfffffff,
    CMOX_FRAME_MAX_HELLO,
    CMOX_FRAME_MAX_LEAST,
    CMOX_STREAM_CHUNK_MAX,
    CMOX_FRAME_MAX_DEFAULT,
};

static size_t expected_length(uint32_t value) {
  return value < 1u << 7    ? 1
         : value < 1u << 14 ? 2
         : value < 1u << 21 ? 3
         : value < 1u << 28 ? 4
                            : 5;
}

/* At n-1, n and n+1: what is written is read back, from every split of it. */
START_TEST(around_bounds) {
  for (int delta = -1; delta <= 1; delta++) {
    const uint32_t value = bounds[_i] + (uint32_t)delta;
    uint8_t bytes[5];
    const size_t len = cmox_prefix_write(bytes, value);
    ck_assert_uint_eq(len, expected_length(value));

    size_t prefix_len;
    uint32_t body_len;
    for (size_t part = 0; part < len; part++)
      ck_assert_int_eq(read_prefix(bytes, part, UINT32_MAX, &prefix_len, &body_len),
                       CMOX_PREFIX_MORE);
    ck_assert_int_eq(read_prefix(bytes, len, UINT32_MAX, &prefix_len, &body_len), CMOX_PREFIX_OK);
    ck_assert_uint_eq(prefix_len, len);
    ck_assert_uint_eq(body_len, value);
    ck_assert_int_eq(read_prefix(bytes, len, bounds[_i], &prefix_len, &body_len),
                     delta > 0 ? CMOX_PREFIX_TOO_LARGE : CMOX_PREFIX_OK);
  }
}
END_TEST

/* Frames in one stream are found at the same places however it is cut. */
START_TEST(every_split_of_a_stream) {
  static const uint32_t lengths[] = {0, 1, 127, 128, 300, 0, 5};
  uint8_t stream[1024];
  size_t total = 0;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    total += cmox_prefix_write(stream + total, lengths[i]);
    memset(stream + total, 0xff, lengths[i]);
    total += lengths[i];
  }
  for (size_t cut = 0; cut <= total; cut++) {
    size_t at = 0, frames = 0, available = cut;
    while (at < total) {
      size_t prefix_len;
      uint32_t body_len;
      const cmox_prefix_result_t result =
          read_prefix(stream + at, available - at, 1000, &prefix_len, &body_len);
      if (result == CMOX_PREFIX_MORE || available - at < prefix_len + body_len) {
        ck_assert_uint_lt(available, total);
        available = total; /* the rest arrives */
        continue;
      }
      ck_assert_int_eq(result, CMOX_PREFIX_OK);
      ck_assert_uint_eq(body_len, lengths[frames++]);
      at += prefix_len + body_len;
    }
    ck_assert_uint_eq(frames, sizeof lengths / sizeof *lengths);
  }
}
END_TEST

/* The definition, spelled out: shortest form only, 32 bits. */
static cmox_prefix_result_t model(const uint8_t *data, size_t len, uint32_t max, uint32_t *body) {
  size_t n = 0;
  while (n < len && data[n] >= 0x80) n++;
  if (n == len) return len >= 5 ? CMOX_PREFIX_MALFORMED : CMOX_PREFIX_MORE;
  if (n >= 5) return CMOX_PREFIX_MALFORMED;
  unsigned long long value = 0;
  for (size_t i = n + 1; i-- > 0;) value = value * 128 + data[i] % 128;
  if (n > 0 && data[n] == 0) return CMOX_PREFIX_MALFORMED;
  if (value > UINT32_MAX) return CMOX_PREFIX_MALFORMED;
  if (value > max) return CMOX_PREFIX_TOO_LARGE;
  *body = (uint32_t)value;
  return CMOX_PREFIX_OK;
}

START_TEST(agrees_with_the_model) {
  static const uint8_t favourites[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0x0f, 0x10};
  srand(20240601);
  for (int round = 0; round < 200000; round++) {
    uint8_t bytes[7];
    const size_t len = (size_t)rand() % (sizeof bytes + 1);
    for (size_t i = 0; i < len; i++)
      bytes[i] = rand() % 2 ? (uint8_t)rand() : favourites[(size_t)rand() % sizeof favourites];
    const uint32_t max = rand() % 2 ? UINT32_MAX : bounds[rand() % 8];
    uint32_t expected = 0, body_len;
    size_t prefix_len;
    const cmox_prefix_result_t want = model(bytes, len, max, &expected);
    const cmox_prefix_result_t got = read_prefix(bytes, len, max, &prefix_len, &body_len);
    ck_assert_int_eq(got, want);
    if (got == CMOX_PREFIX_OK) ck_assert_uint_eq(body_len, expected);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("framing");
  TCase *cases_ = tcase_create("prefix");
  tcase_add_loop_test(cases_, table, 0, sizeof cases / sizeof *cases);
  tcase_add_loop_test(cases_, around_bounds, 0, sizeof bounds / sizeof *bounds);
  tcase_add_test(cases_, every_split_of_a_stream);
  tcase_add_test(cases_, agrees_with_the_model);
  suite_add_tcase(suite, cases_);
  return run_suite(suite);
}
