/* JSON for people. fixtures/json: y_NAME.json is read, and written as y_NAME.out, which reads as
 * the same message; n_NAME.json is refused with the words of n_NAME.err. CMOX_UPDATE_GOLDEN=1
 * writes both anew. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmdmox/v1/document.pb-c.h"
#include "server/json/internal.h"
#include "server/json/json.h"
#include "server/wire/wire.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/files.h"
#include "tests/lib/run_suite.h"

#define JSON_DIR CMOX_SOURCE_DIR "/fixtures/json"
#define FILES_MAX 128

static char files[FILES_MAX][128];
static size_t n_files;

static char *read_fixture(const char *name) {
  char path[512];
  (void)snprintf(path, sizeof path, JSON_DIR "/%s", name);
  return cmox_test_read_file(path);
}

static void check_golden(const char *file, const char *suffix, const char *actual) {
  char path[512];
  (void)snprintf(path, sizeof path, JSON_DIR "/%.*s%s", (int)strcspn(file, "."), file, suffix);
  if (getenv("CMOX_UPDATE_GOLDEN")) {
    FILE *out = fopen(path, "we");
    ck_assert_ptr_nonnull(out);
    (void)fputs(actual, out);
    ck_assert_int_eq(fclose(out), 0);
  }
  char *expected = cmox_test_read_file(path);
  ck_assert_msg(strcmp(expected, actual) == 0, "%s:\n%s", file, actual);
  free(expected);
}

static cmox_code_t read_as_document(const char *name, cmox_span_t text, ProtobufCMessage **out,
                                    cmox_error_t *error) {
  return cmox_message_from_json(&cmdmox__v1__document__descriptor, name, text, out, error);
}

static ProtobufCMessage *read_text(const char *text) {
  ProtobufCMessage *message;
  cmox_error_t error = {.message = ""};
  const cmox_code_t code = read_as_document(NULL, cmox_span_str(text), &message, &error);
  ck_assert_msg(code == CMOX_OK, "%s\n%s", error.message, text);
  return message;
}

/* Owned by the caller. */
static char *written(const ProtobufCMessage *message, bool pretty) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  ck_assert(cmox_message_to_json(message, pretty, &out));
  return cmox_buf_take_text(&out);
}

static void assert_same(const ProtobufCMessage *a, const ProtobufCMessage *b) {
  cmox_buf_t left = CMOX_BUF_EMPTY, right = CMOX_BUF_EMPTY;
  cmox_wire_pack(a, &left);
  cmox_wire_pack(b, &right);
  ck_assert_uint_eq(left.len, right.len);
  if (left.len) ck_assert_mem_eq(left.data, right.data, left.len);
  cmox_buf_clear(&left);
  cmox_buf_clear(&right);
}

static void accepted(const char *file) {
  char *text = read_fixture(file);
  ProtobufCMessage *message = read_text(text);
  for (int pretty = 0; pretty < 2; pretty++) {
    char *again = written(message, pretty);
    if (pretty) check_golden(file, ".out", again);
    ProtobufCMessage *reread = read_text(again);
    assert_same(message, reread);
    cmox_wire_free(reread);
    cmox_free_block(again);
  }
  cmox_wire_free(message);
  free(text);
}

static void refused(const char *file) {
  char *text = read_fixture(file);
  ProtobufCMessage *message;
  cmox_error_t error = {.message = ""};
  const cmox_code_t code = read_as_document(file, cmox_span_str(text), &message, &error);
  ck_assert_msg(code == CMOX_E_BAD_DOCUMENT, "%s: %s", file, cmox_code_reason(code));
  ck_assert_ptr_null(message);
  char line[sizeof error.message + 1];
  (void)snprintf(line, sizeof line, "%s\n", error.message);
  check_golden(file, ".err", line);
  free(text);
}

START_TEST(case_of_a_file) {
  if (files[_i][0] == 'y')
    accepted(files[_i]);
  else
    refused(files[_i]);
}
END_TEST

/* What is wrong in the last line of a large document is found there. */
START_TEST(a_place_far_down) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_puts(&text, "{\"doubles\": [\n");
  for (int i = 0; i < 20000; i++)
    cmox_buf_puts(&text, "  {\"command\": \"a \\\"]}\", \"argv\": [{\"any\": true}, \"[{\"]},\n");
  cmox_buf_puts(&text, "  {\"command\": 1}\n]}\n");
  ProtobufCMessage *message;
  cmox_error_t error;
  ck_assert_int_eq(read_as_document(NULL, cmox_buf_span(&text), &message, &error),
                   CMOX_E_BAD_DOCUMENT);
  ck_assert_str_eq(error.message,
                   "line 20002, column 15: doubles[20000].command: expected a text, or "
                   "{\"base64\": \"...\"} for other bytes");
  cmox_buf_clear(&text);
}
END_TEST

/* ---- Bounds ----------------------------------------------------------------- */

static cmox_code_t code_of(cmox_span_t text, cmox_error_t *error) {
  ProtobufCMessage *message;
  const cmox_code_t code = read_as_document("f", text, &message, error);
  cmox_wire_free(message);
  return code;
}

START_TEST(length_at_its_bound) {
  char *text = malloc(CMOX_DOCUMENT_MAX + 1);
  memset(text, ' ', CMOX_DOCUMENT_MAX + 1);
  text[0] = '{', text[1] = '}';
  cmox_error_t error;
  ck_assert_int_eq(code_of(cmox_span(text, CMOX_DOCUMENT_MAX), &error), CMOX_OK);
  ck_assert_int_eq(code_of(cmox_span(text, CMOX_DOCUMENT_MAX + 1), &error), CMOX_E_TOO_COMPLEX);
  ck_assert_str_eq(error.message, "f: it is longer than 16 MiB");
  free(text);
}
END_TEST

static cmox_code_t of_nested(unsigned matchers) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_puts(&text, "{\"doubles\": [{\"argv\": [");
  for (unsigned i = 0; i < matchers; i++) cmox_buf_puts(&text, "{\"not\": ");
  cmox_buf_puts(&text, "{\"any\": true}");
  for (unsigned i = 0; i < matchers; i++) cmox_buf_puts(&text, "}");
  cmox_buf_puts(&text, "]}]}");
  cmox_error_t error;
  const cmox_code_t code = code_of(cmox_buf_span(&text), &error);
  cmox_buf_clear(&text);
  return code;
}

START_TEST(depth_at_its_bound) {
  const unsigned around = 4; /* doubles, its element, argv, its element */
  ck_assert_int_eq(of_nested(CMOX_DOCUMENT_DEPTH_MAX - around), CMOX_OK);
  ck_assert_int_eq(of_nested(CMOX_DOCUMENT_DEPTH_MAX - around + 1), CMOX_E_BAD_DOCUMENT);
  ck_assert_int_eq(of_nested(2000), CMOX_E_BAD_DOCUMENT);
  ck_assert_int_eq(of_nested(1000000), CMOX_E_BAD_DOCUMENT); /* the parser's own bound */
}
END_TEST

START_TEST(elements_at_their_bound) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_puts(&text, "{\"allow\": [\"\"");
  for (int i = 1; i < 100000; i++) cmox_buf_puts(&text, ",\"\"");
  cmox_error_t error;
  const size_t len = text.len;
  cmox_buf_puts(&text, "]}");
  ck_assert_int_eq(code_of(cmox_buf_span(&text), &error), CMOX_OK);
  text.len = len;
  cmox_buf_puts(&text, ",\"\"]}");
  ck_assert_int_eq(code_of(cmox_buf_span(&text), &error), CMOX_E_TOO_COMPLEX);
  ck_assert_str_eq(error.message, "f: cmdmox.v1.Document: too many elements");
  cmox_buf_clear(&text);
}
END_TEST

START_TEST(base64_of_every_length) {
  static const uint8_t bytes[] = {0xff, 0, 0x10, 0x83, 0x3e, 0xfb, 0xf0};
  static const char *const texts[] = {"",         "/w==",     "/wA=",     "/wAQ",
                                      "/wAQgw==", "/wAQgz4=", "/wAQgz77", "/wAQgz778A=="};
  for (size_t len = 0; len <= sizeof bytes; len++) {
    cmox_buf_t text = CMOX_BUF_EMPTY, back = CMOX_BUF_EMPTY;
    cmox_base64_encode(cmox_span(bytes, len), &text);
    ck_assert(cmox_span_equal(cmox_buf_span(&text), cmox_span_str(texts[len])));
    ck_assert(cmox_base64_decode(cmox_buf_span(&text), &back));
    ck_assert(cmox_span_equal(cmox_buf_span(&back), cmox_span(bytes, len)));
    cmox_buf_clear(&text);
    cmox_buf_clear(&back);
  }
}
END_TEST

START_TEST(what_is_no_base64) {
  static const char *const texts[] = {"=",     "====",  "A",          "A===",     "AA=",
                                      "AA===", "AAA==", "A=AA",       "AA==AA==", "AA A",
                                      "AB==",  "AAB=",  "\xc3\xa9==", "AA\n=="};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    cmox_buf_t back = CMOX_BUF_EMPTY;
    ck_assert_msg(!cmox_base64_decode(cmox_span_str(texts[i]), &back), "%s", texts[i]);
    cmox_buf_clear(&back);
  }
}
END_TEST

/* ---- Memory ----------------------------------------------------------------- */

static void *for_jansson(size_t size) { return cmox_malloc(size); }

static const char *swept;

static void read_and_write(alloc_fault_t *fault) {
  (void)fault;
  ProtobufCMessage *message;
  cmox_error_t error = {.code = CMOX_OK};
  const cmox_code_t code = read_as_document("f", cmox_span_str(swept), &message, &error);
  ck_assert_msg(code == CMOX_OK || code == CMOX_E_NO_MEMORY || code == CMOX_E_BAD_DOCUMENT, "%s",
                error.message);
  ck_assert(code == error.code && (code == CMOX_OK) == (message != NULL));
  cmox_buf_t out = CMOX_BUF_EMPTY;
  if (message) (void)cmox_message_to_json(message, true, &out);
  cmox_buf_clear(&out);
  cmox_wire_free(message);
}

START_TEST(any_allocation_may_fail) {
  static const char *const names[] = {"y_everything.json", "y_inline_in_table.json", "y_bytes.json",
                                      "n_unknown_escaped.json", "n_unknown_far.json"};
  json_set_alloc_funcs(for_jansson, cmox_free_block);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *text = read_fixture(names[i]);
    swept = text;
    alloc_fault_sweep(names[i], read_and_write);
    free(text);
  }
}
END_TEST

int main(void) {
  n_files = cmox_test_list(JSON_DIR, ".json", files, FILES_MAX);
  Suite *suite = suite_create("json");
  TCase *cases = tcase_create("json");
  tcase_set_timeout(cases, 120);
  tcase_add_loop_test(cases, case_of_a_file, 0, (int)n_files);
  tcase_add_test(cases, a_place_far_down);
  tcase_add_test(cases, length_at_its_bound);
  tcase_add_test(cases, depth_at_its_bound);
  tcase_add_test(cases, elements_at_their_bound);
  tcase_add_test(cases, base64_of_every_length);
  tcase_add_test(cases, what_is_no_base64);
  tcase_add_test(cases, any_allocation_may_fail);
  suite_add_tcase(suite, cases);
  return run_suite(suite) || n_files == 0;
}
