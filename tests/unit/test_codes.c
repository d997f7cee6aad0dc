/* The error table: unique numbers and reasons, and no error that reads as success. */
#include <check.h>
#include <ctype.h>
#include <string.h>

#include <cmdmox/codes.h>

#include "tests/lib/run_suite.h"

typedef struct row {
  int number;
  const char *name;
  const char *reason;
  unsigned grpc;
  int exit_status;
  const char *text;
} row_t;

static const row_t rows[] = {
#define CMOX_ERROR(number, name, reason, grpc, exit_status, text) \
  {(number), #name, (reason), (grpc), (exit_status), (text)},
#include <cmdmox/errors.def>
#undef CMOX_ERROR
};
#define ROWS (sizeof rows / sizeof *rows)

START_TEST(numbers_and_reasons_are_unique) {
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t k = 0; k < i; k++) {
      ck_assert_int_ne(rows[i].number, rows[k].number);
      ck_assert_str_ne(rows[i].reason, rows[k].reason);
    }
  }
}
END_TEST

START_TEST(rows_are_well_formed) {
  const row_t *row = &rows[_i];
  ck_assert_int_gt(row->number, 0);
  ck_assert_str_eq(row->name, row->reason);
  for (const char *c = row->reason; *c; c++) ck_assert(isupper((unsigned char)*c) || *c == '_');
  ck_assert(row->grpc >= 1 && row->grpc <= 16);
  ck_assert(row->exit_status >= 1 && row->exit_status <= 5);
  ck_assert_uint_gt(strlen(row->text), 0);
}
END_TEST

START_TEST(rows_are_found) {
  const row_t *row = &rows[_i];
  const cmox_code_t code = (cmox_code_t)row->number;
  ck_assert_str_eq(cmox_code_reason(code), row->reason);
  ck_assert_str_eq(cmox_code_text(code), row->text);
  ck_assert_uint_eq(cmox_code_grpc(code), row->grpc);
  ck_assert_int_eq(cmox_code_exit_status(code), row->exit_status);
  ck_assert_int_eq(cmox_code_from_reason(row->reason), code);
}
END_TEST

START_TEST(success_and_the_unknown) {
  ck_assert_str_eq(cmox_code_reason(CMOX_OK), "OK");
  ck_assert_uint_eq(cmox_code_grpc(CMOX_OK), 0);
  ck_assert_int_eq(cmox_code_exit_status(CMOX_OK), 0);
  const cmox_code_t unknown = (cmox_code_t)9999;
  ck_assert_str_eq(cmox_code_reason(unknown), "UNKNOWN");
  ck_assert_uint_eq(cmox_code_grpc(unknown), 2);
  ck_assert_int_ne(cmox_code_exit_status(unknown), 0);
  ck_assert_int_eq(cmox_code_from_reason(NULL), CMOX_E_INTERNAL);
  ck_assert_int_eq(cmox_code_from_reason(""), CMOX_E_INTERNAL);
  ck_assert_int_eq(cmox_code_from_reason("OK"), CMOX_E_INTERNAL);
  ck_assert_int_eq(cmox_code_from_reason("FROM_THE_FUTURE"), CMOX_E_INTERNAL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("codes");
  TCase *cases = tcase_create("table");
  tcase_add_test(cases, numbers_and_reasons_are_unique);
  tcase_add_loop_test(cases, rows_are_well_formed, 0, ROWS);
  tcase_add_loop_test(cases, rows_are_found, 0, ROWS);
  tcase_add_test(cases, success_and_the_unknown);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
