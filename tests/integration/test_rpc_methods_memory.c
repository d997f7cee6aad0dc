/* Memory ends at each allocation that a request makes, of every method: it gets one response or its
 * link ends, nothing leaks, and the next request works. */
#include <check.h>
#include <stdio.h>

#include "tests/lib/doors.h"
#include "tests/lib/run_suite.h"

/* True when the link ended instead of a response. */
static bool ask_without_memory(const doors_method_t *method, const raw_bytes_t *payload,
                               size_t fail_at, bool for_ever) {
  raw_link_t *link = doors_side(method);
  raw_bytes_t bytes = {0};
  uint32_t id = doors_last_id += 2;
  raw_put_request(&bytes, id, method->name, payload->data, payload->len);
  alloc_fault_arm(&doors_memory, fail_at, for_ever);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  doors_outcome_t outcome = {{0}, 0};
  bool ended = false;
  while (!ended && outcome.responses == 0) {
    Cmdmox__V1__Frame *frame = raw_read(link);
    if (!frame) ended = true;
    if (frame && frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE) {
      ck_assert_uint_eq(frame->id, id);
      doors_note(&outcome, method, frame);
    }
    raw_frame_free(frame);
  }
  return ended;
}

/* The points of one request; each on a session of its own. */
static size_t sweep(const doors_method_t *method, const raw_bytes_t *payload, bool for_ever) {
  for (size_t at = 1;; at++) {
    bool ended = ask_without_memory(method, payload, at, for_ever);
    bool failed = alloc_fault_rest(&doors_memory) > 0;
    ck_assert_msg(failed || !ended, "%s: the link ended, with memory", method->name);
    if (ended) {
      doors_end();
      doors_begin();
    }
    (void)doors_exchange(doors_side(method), method, NULL, 0); /* the next call works */
    if (!failed) return at - 1;
    if (!ended) {
      doors_end();
      doors_begin();
    }
  }
}

START_TEST(memory_ends_at_any_allocation) {
  const doors_method_t *method = &doors_methods[_i];
  for (int full = 0; full < 2; full++) {
    raw_bytes_t payload = {0};
    sample_t sample = doors_sample(1);
    sample.names_only = !full;
    sample_put(&payload, method->row->input, &sample);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
      size_t points = sweep(method, &payload, for_ever);
      ck_assert_uint_gt(points, 0);
      printf("allocation sweep: %s, %s fields, %s: %zu of %zu points\n", method->name,
             full ? "all" : "no", for_ever ? "for ever" : "once", points, points);
    }
    raw_free(&payload);
  }
  (void)fflush(stdout);
}
END_TEST

int main(void) {
  doors_list_methods();
  Suite *suite = suite_create("rpc_methods_memory");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, doors_setup, doors_teardown);
  tcase_set_timeout(cases, 600);
  tcase_add_loop_test(cases, memory_ends_at_any_allocation, 0, doors_method_count);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
