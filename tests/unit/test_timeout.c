#include <check.h>
#include <stddef.h>

#include "proto/limits.h"
#include "proto/timeout.h"
#include "tests/lib/run_suite.h"

typedef struct good_case {
  const char *text;
  uint32_t ms;
} good_case_t;

static const good_case_t good[] = {
    {NULL, CMOX_TIMEOUT_DEFAULT_MS},
    {"none", 0},
    {"5", 5000},
    {"0.5", 500},
    {".5", 500},
    {"5.", 5000},
    {"007", 7000},
    {"0.001", 1},
    {"0.0001", 1},
    {"0.0000000000000000000000000000000001", 1},
    {"1.0001", 1001},
    {"1.9999", 2000},
    {"1.0000", 1000},
    {"12.345", 12345},
    {"86399.9999", 86400000},
    {"86400", 86400000},
    {"86400.0000000", 86400000},
    {"000000000000000000000000000000000086400", 86400000},
};

START_TEST(accepted) {
  uint32_t ms = 42;
  ck_assert_msg(cmox_timeout_parse(good[_i].text, &ms), "%s", good[_i].text);
  ck_assert_uint_eq(ms, good[_i].ms);
}
END_TEST

static const char *const bad[] = {
    "",
    "0",
    ".",
    "0.0",
    "0.",
    ".0",
    "-1",
    "+1",
    "1e3",
    "nan",
    "inf",
    " 5",
    "5 ",
    "None",
    "NONE",
    "none ",
    "1.2.3",
    "1,5",
    "0x10",
    "5s",
    "\xd9\xa5",
    "5\n",
    "1..",
    "..1",
    "86401",
    "86400.001",
    "86400.0001",
    "99999999999999999999999999",
    "4294967.297",
    "4294967296",
};

START_TEST(refused) {
  uint32_t ms = 42;
  ck_assert_msg(!cmox_timeout_parse(bad[_i], &ms), "%s", bad[_i]);
  ck_assert_uint_eq(ms, 42);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("timeout");
  TCase *cases = tcase_create("parse");
  tcase_add_loop_test(cases, accepted, 0, sizeof good / sizeof *good);
  tcase_add_loop_test(cases, refused, 0, sizeof bad / sizeof *bad);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
