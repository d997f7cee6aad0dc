/* Random doubles and random calls: the session agrees with a slow model of its rules. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

static scenario_t s;

static void setup(void) {
  scenario_open(&s);
  ck_assert_ptr_nonnull(s.session);
}

static void teardown(void) { scenario_close(&s); }

enum { MODEL_DOUBLES = 6, MODEL_CALLS = 12 };

typedef struct model_double {
  cmox_double_kind_t kind;
  int arg; /* -1: any */
  uint64_t maximum;
  uint64_t taken;
} model_double_t;

/* What the lookup order of the design says, written down naively. Returns the index of the
 * taker, -1 for unexpected, -2 for excess. */
static int model_lookup(model_double_t *doubles, int arg) {
  for (int i = 0; i < MODEL_DOUBLES; i++)
    if (doubles[i].kind == CMOX_KIND_MOCK && doubles[i].taken < doubles[i].maximum &&
        (doubles[i].arg < 0 || doubles[i].arg == arg))
      return i;
  for (int i = 0; i < MODEL_DOUBLES; i++)
    if (doubles[i].kind == CMOX_KIND_MOCK && (doubles[i].arg < 0 || doubles[i].arg == arg))
      return -2;
  for (int i = 0; i < MODEL_DOUBLES; i++)
    if (doubles[i].kind != CMOX_KIND_MOCK && (doubles[i].arg < 0 || doubles[i].arg == arg))
      return i;
  return -1;
}

START_TEST(random_sessions_agree_with_the_model) {
  srand((unsigned)_i + 1);
  model_double_t doubles[MODEL_DOUBLES];
  for (int i = 0; i < MODEL_DOUBLES; i++) {
    doubles[i] = (model_double_t){.kind = (cmox_double_kind_t)(1 + rand() % 3),
                                  .arg = rand() % 4 - 1,
                                  .maximum = (uint64_t)(rand() % 3)};
    char arg[16];
    (void)snprintf(arg, sizeof arg, "%d", doubles[i].arg);
    uint64_t id = scenario_double(&s, doubles[i].kind, "git", doubles[i].arg < 0 ? NULL : arg);
    ck_assert_uint_eq(id, (uint64_t)i + 1);
    if (doubles[i].kind == CMOX_KIND_MOCK)
      ck_assert_int_eq(scenario_times(&s, id, 0, doubles[i].maximum), CMOX_OK);
  }
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_REPLAY), CMOX_OK);
  for (int c = 0; c < MODEL_CALLS; c++) {
    int arg = rand() % 4;
    char line[16];
    (void)snprintf(line, sizeof line, "git %d", arg);
    int expected = model_lookup(doubles, arg);
    if (expected >= 0) doubles[expected].taken++;
    const cmox_call_t *call = scenario_journal(&s, scenario_call(&s, line, 0));
    cmox_verdict_t verdict = expected >= 0    ? CMOX_VERDICT_ACCEPTED
                             : expected == -2 ? CMOX_VERDICT_EXCESS
                                              : CMOX_VERDICT_UNEXPECTED;
    ck_assert_int_eq(call->verdict, verdict);
    if (expected >= 0) ck_assert_uint_eq(call->double_id, (uint64_t)expected + 1);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("session_model");
  TCase *model = tcase_create("model");
  tcase_add_checked_fixture(model, setup, teardown);
  tcase_add_loop_test(model, random_sessions_agree_with_the_model, 0, 300);
  suite_add_tcase(suite, model);
  return run_suite(suite);
}
