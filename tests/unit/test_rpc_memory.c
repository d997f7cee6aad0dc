/* Memory ends at each allocation of a whole session over sockets, test client and launchers: no
 * crash, no leak, and the next call on the same server works. */
#include <check.h>
#include <string.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/conversation.h"
#include "tests/lib/run_suite.h"

static void whole_session(alloc_fault_t *fault) {
  bare_t bare;
  if (!bare_open(&bare)) return;
  raw_bytes_t out[CONVERSATION_LINKS] = {{0}};
  conversation_play(&bare, NULL, NULL, out);
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) raw_free(&out[i]);
  if (alloc_fault_rest(fault) > 0) conversation_assert_next_call_works(&bare);
  bare_close(&bare);
}

START_TEST(any_failed_allocation_of_a_session_is_survived) {
  alloc_fault_sweep("session over sockets", whole_session);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("rpc_memory");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 600);
  tcase_add_test(cases, any_failed_allocation_of_a_session_is_survived);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
