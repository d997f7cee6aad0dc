/* The base module: allocator seam, buffers, errors, spans. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/alloc.h"
#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"
#include "tests/lib/run_suite.h"

/* A heap that fails from the k-th allocation on and counts what is held. */
typedef struct heap {
  size_t left;
  size_t held;
} heap_t;

static void *heap_realloc(void *context, void *block, size_t size) {
  heap_t *heap = context;
  if (heap->left == 0) return NULL;
  heap->left--;
  void *moved = realloc(block, size);
  if (moved && !block) heap->held++;
  return moved;
}

static void heap_free(void *context, void *block) {
  heap_t *heap = context;
  heap->held--;
  free(block);
}

static heap_t heap;

static void heap_with(size_t allocations) {
  heap = (heap_t){.left = allocations};
  cmox_alloc_set_hooks(&(cmox_alloc_hooks_t){heap_realloc, heap_free, &heap});
}

static void real_heap(void) {
  cmox_alloc_set_hooks(NULL);
  ck_assert_uint_eq(heap.held, 0);
}

START_TEST(every_allocation_reports_an_empty_heap) {
  heap_with(0);
  size_t capacity = 0;
  ck_assert_ptr_null(cmox_malloc(1));
  ck_assert_ptr_null(cmox_calloc(1, 1));
  ck_assert_ptr_null(cmox_realloc(NULL, 1));
  ck_assert_ptr_null(cmox_strdup("x"));
  ck_assert_ptr_null(cmox_strndup("x", 1));
  ck_assert_ptr_null(cmox_memdup("x", 1));
  ck_assert_ptr_null(cmox_grow(NULL, &capacity, 1, 8));
  ck_assert_uint_eq(capacity, 0);
  real_heap();
}
END_TEST

START_TEST(size_zero_is_a_block) {
  void *blocks[] = {cmox_malloc(0), cmox_calloc(0, 8), cmox_realloc(NULL, 0), cmox_memdup("", 0)};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    ck_assert_ptr_nonnull(blocks[i]);
    cmox_free_block(blocks[i]);
  }
}
END_TEST

START_TEST(calloc_is_zeroed_and_refuses_overflow) {
  uint8_t *block = cmox_calloc(3, 5);
  ck_assert_ptr_nonnull(block);
  for (int i = 0; i < 15; i++) ck_assert_uint_eq(block[i], 0);
  cmox_free_block(block);
  ck_assert_ptr_null(cmox_calloc(SIZE_MAX / 2, 3));
}
END_TEST

START_TEST(duplicates_are_exact_copies) {
  char *text = cmox_strdup("git");
  char *part = cmox_strndup("a\0b!", 3);
  ck_assert_str_eq(text, "git");
  ck_assert_mem_eq(part, "a\0b", 4);
  ck_assert_ptr_null(cmox_strdup(NULL));
  cmox_free_block(text);
  cmox_free_block(part);
  cmox_free_block(NULL);
}
END_TEST

START_TEST(grow_keeps_items_and_refuses_overflow) {
  size_t capacity = 0;
  uint32_t *items = NULL;
  for (uint32_t i = 0; i < 1000; i++) {
    items = cmox_grow(items, &capacity, i + 1, sizeof *items);
    ck_assert_ptr_nonnull(items);
    ck_assert_uint_ge(capacity, i + 1);
    items[i] = i;
  }
  for (uint32_t i = 0; i < 1000; i++) ck_assert_uint_eq(items[i], i);
  size_t before = capacity;
  ck_assert_ptr_null(cmox_grow(items, &capacity, SIZE_MAX / 2, sizeof *items));
  ck_assert_ptr_null(cmox_grow(items, &capacity, SIZE_MAX, 1));
  ck_assert_uint_eq(capacity, before);
  cmox_free_block(items);
}
END_TEST

START_TEST(buffer_builds_text_and_bytes) {
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  cmox_buf_puts(&buf, "git");
  cmox_buf_putc(&buf, ' ');
  cmox_buf_append_span(&buf, cmox_span_str("push"));
  cmox_buf_printf(&buf, " %s %d", "origin", 7);
  cmox_buf_append(&buf, NULL, 0);
  ck_assert(cmox_span_equal(cmox_buf_span(&buf), cmox_span_str("git push origin 7")));
  char *text = cmox_buf_take_text(&buf);
  ck_assert_str_eq(text, "git push origin 7");
  ck_assert_ptr_null(buf.data);
  ck_assert_uint_eq(buf.len, 0);
  cmox_free_block(text);
}
END_TEST

START_TEST(buffer_gives_an_empty_text) {
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  char *text = cmox_buf_take_text(&buf);
  ck_assert_str_eq(text, "");
  cmox_free_block(text);
}
END_TEST

START_TEST(buffer_consumes_from_the_front) {
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  cmox_buf_append(&buf, "a\0bcd", 5);
  cmox_buf_consume(&buf, 2);
  ck_assert(cmox_span_equal(cmox_buf_span(&buf), cmox_span("bcd", 3)));
  cmox_buf_consume(&buf, 4);
  ck_assert_uint_eq(buf.len, 0);
  cmox_buf_puts(&buf, "again");
  ck_assert(cmox_span_equal(cmox_buf_span(&buf), cmox_span_str("again")));
  cmox_buf_clear(&buf);
}
END_TEST

/* Whichever allocation fails: no text, nothing leaked, the buffer is usable again. */
START_TEST(buffer_survives_each_failing_allocation) {
  for (size_t allocations = 0;; allocations++) {
    heap_with(allocations);
    cmox_buf_t buf = CMOX_BUF_EMPTY;
    for (int i = 0; i < 20; i++) cmox_buf_printf(&buf, "line %d\n", i);
    bool failed = buf.failed;
    size_t len = buf.len;
    char *text = cmox_buf_take_text(&buf);
    ck_assert(!failed || !text);
    ck_assert(!buf.failed);
    bool done = text != NULL;
    if (done) ck_assert_uint_eq(strlen(text), len);
    cmox_free_block(text);
    real_heap();
    if (done) {
      ck_assert_uint_gt(allocations, 1);
      return;
    }
  }
}
END_TEST

START_TEST(buffer_stays_failed_until_cleared) {
  heap_with(0);
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  cmox_buf_puts(&buf, "lost");
  ck_assert(buf.failed);
  real_heap();
  cmox_buf_puts(&buf, "ignored");
  ck_assert_uint_eq(buf.len, 0);
  cmox_buf_clear(&buf);
  cmox_buf_puts(&buf, "kept");
  ck_assert(!buf.failed);
  ck_assert_uint_eq(buf.len, 4);
  cmox_buf_clear(&buf);
}
END_TEST

START_TEST(buffer_refuses_a_length_that_wraps) {
  cmox_buf_t buf = CMOX_BUF_EMPTY;
  cmox_buf_puts(&buf, "x");
  ck_assert(!cmox_buf_reserve(&buf, SIZE_MAX));
  ck_assert(buf.failed);
  cmox_buf_clear(&buf);
}
END_TEST

START_TEST(error_carries_code_and_wrapped_message) {
  cmox_error_t error = {0};
  ck_assert_int_eq(cmox_fail(&error, CMOX_E_IO, "cannot link %s: %s", "git", "File exists"),
                   CMOX_E_IO);
  ck_assert_int_eq(cmox_wrap(&error, "replay"), CMOX_E_IO);
  ck_assert_int_eq(error.code, CMOX_E_IO);
  ck_assert_str_eq(error.message, "replay: cannot link git: File exists");
}
END_TEST

START_TEST(error_may_be_absent) {
  ck_assert_int_eq(cmox_fail(NULL, CMOX_E_NO_SERVER, "%d", 1), CMOX_E_NO_SERVER);
  ck_assert_int_ne(cmox_wrap(NULL, "prefix"), CMOX_OK);
}
END_TEST

/* One byte more than fits is the first length that ends in dots. */
START_TEST(error_message_is_cut_with_dots) {
  cmox_error_t error = {0};
  char text[sizeof error.message + 1];
  memset(text, 'x', sizeof text);
  text[sizeof error.message - 1] = '\0';
  cmox_fail(&error, CMOX_E_IO, "%s", text);
  ck_assert_str_eq(error.message, text);
  text[sizeof error.message - 1] = 'x';
  text[sizeof error.message] = '\0';
  cmox_fail(&error, CMOX_E_IO, "%s", text);
  ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
  ck_assert_str_eq(error.message + sizeof error.message - 5, "x...");
  cmox_wrap(&error, "replay");
  ck_assert_mem_eq(error.message, "replay: xxx", 11);
  ck_assert_str_eq(error.message + sizeof error.message - 4, "...");
}
END_TEST

START_TEST(spans_compare_bytes) {
  ck_assert(cmox_span_equal(cmox_span(NULL, 0), cmox_span("", 0)));
  ck_assert(cmox_span_equal(cmox_span("a\0b", 3), cmox_span("a\0b", 3)));
  ck_assert(!cmox_span_equal(cmox_span("a\0b", 3), cmox_span("a\0c", 3)));
  ck_assert(!cmox_span_equal(cmox_span_str("a"), cmox_span_str("ab")));
  ck_assert_uint_eq(cmox_span_str(NULL).len, 0);
  ck_assert(cmox_span_starts_with(cmox_span_str("git"), cmox_span_str("gi")));
  ck_assert(cmox_span_starts_with(cmox_span_str("git"), cmox_span(NULL, 0)));
  ck_assert(!cmox_span_starts_with(cmox_span_str("gi"), cmox_span_str("git")));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("base");
  TCase *alloc = tcase_create("alloc");
  tcase_add_test(alloc, every_allocation_reports_an_empty_heap);
  tcase_add_test(alloc, size_zero_is_a_block);
  tcase_add_test(alloc, calloc_is_zeroed_and_refuses_overflow);
  tcase_add_test(alloc, duplicates_are_exact_copies);
  tcase_add_test(alloc, grow_keeps_items_and_refuses_overflow);
  suite_add_tcase(suite, alloc);
  TCase *buf = tcase_create("buf");
  tcase_add_test(buf, buffer_builds_text_and_bytes);
  tcase_add_test(buf, buffer_gives_an_empty_text);
  tcase_add_test(buf, buffer_consumes_from_the_front);
  tcase_add_test(buf, buffer_survives_each_failing_allocation);
  tcase_add_test(buf, buffer_stays_failed_until_cleared);
  tcase_add_test(buf, buffer_refuses_a_length_that_wraps);
  suite_add_tcase(suite, buf);
  TCase *error = tcase_create("error");
  tcase_add_test(error, error_carries_code_and_wrapped_message);
  tcase_add_test(error, error_may_be_absent);
  tcase_add_test(error, error_message_is_cut_with_dots);
  suite_add_tcase(suite, error);
  TCase *span = tcase_create("span");
  tcase_add_test(span, spans_compare_bytes);
  suite_add_tcase(suite, span);
  return run_suite(suite);
}
