/* Random doubles and random calls: the session agrees with a slow model of its rules, which asks
 * every double in turn and keeps no index and no marks. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run_suite.h"
#include "tests/lib/scenario.h"

static scenario_t s;

static void setup(void) {
  scenario_open(&s);
  ck_assert_ptr_nonnull(s.session);
}

static void teardown(void) { scenario_close(&s); }

enum {
  ROUNDS = 400,
  DOUBLES_MAX = 24,
  CALLS = 40,
  ARGS_MAX = 3,
  LETTERS = 3,
  SEQUENCES = 2,
  ANSWERS_MAX = 3
};

/* An expected argument: a letter, anything, or the regex of the first two letters. */
enum { ARG_ANY = LETTERS, ARG_REGEX, ARG_KINDS };

typedef struct model_double {
  cmox_double_kind_t kind;
  const char *command;
  int count;          /* of args; -1: any arguments */
  int args[ARGS_MAX]; /* a letter's number, or ARG_ANY, ARG_REGEX */
  uint64_t minimum, maximum;
  int sequence; /* -1: none */
  uint32_t position;
  int after; /* index of a double; -1: none */
  uint64_t repeats[ANSWERS_MAX];
  size_t answers;  /* 0: the default answer */
  unsigned passes; /* bit i: of answer i the real command runs */
  uint64_t taken;
} model_double_t;

typedef struct model_call {
  const char *command;
  int count;
  int args[ARGS_MAX];
} model_call_t;

static model_double_t doubles[DOUBLES_MAX];
static int double_count;
static bool otherwise; /* there is a default action */

static int below(int bound) { return rand() % bound; }

static const char *some_command(void) { return below(2) ? "git" : "ls"; }

static bool model_accepts(const model_double_t *it, const model_call_t *call) {
  if (strcmp(it->command, call->command) != 0) return false;
  if (it->count < 0) return true;
  if (it->count != call->count) return false;
  for (int i = 0; i < it->count; i++) {
    int want = it->args[i];
    bool fits = want == ARG_ANY || (want == ARG_REGEX ? call->args[i] < 2 : call->args[i] == want);
    if (!fits) return false;
  }
  return true;
}

static bool model_may_come(const model_double_t *it) {
  if (it->after >= 0 && doubles[it->after].taken < doubles[it->after].minimum) return false;
  if (it->sequence < 0) return true;
  for (int i = 0; i < double_count; i++) {
    const model_double_t *other = &doubles[i];
    if (other->sequence != it->sequence) continue;
    if (other->position < it->position && other->taken < other->minimum) return false;
    if (other->position > it->position && other->taken > 0) return false;
  }
  return true;
}

/* What the lookup order of the design says, written down naively. */
static cmox_verdict_t model_decide(const model_call_t *call, model_double_t **taker) {
  bool excess = false;
  bool blocked = false;
  *taker = NULL;
  for (int i = 0; i < double_count; i++) {
    model_double_t *it = &doubles[i];
    if (it->kind != CMOX_KIND_MOCK || !model_accepts(it, call)) continue;
    bool saturated = it->taken >= it->maximum;
    if (!saturated && model_may_come(it)) {
      *taker = it;
      return CMOX_VERDICT_ACCEPTED;
    }
    excess |= saturated;
    blocked |= !saturated;
  }
  if (excess) return blocked ? CMOX_VERDICT_OUT_OF_ORDER : CMOX_VERDICT_EXCESS;
  for (int i = 0; i < double_count; i++) {
    if (doubles[i].kind == CMOX_KIND_MOCK || !model_accepts(&doubles[i], call)) continue;
    *taker = &doubles[i];
    return CMOX_VERDICT_ACCEPTED;
  }
  if (blocked) return CMOX_VERDICT_OUT_OF_ORDER;
  return otherwise ? CMOX_VERDICT_ACCEPTED : CMOX_VERDICT_UNEXPECTED;
}

static char model_answer(const model_double_t *it) {
  uint64_t before = it->taken;
  for (size_t i = 0; i < it->answers; i++) {
    if (it->repeats[i] == 0 || before < it->repeats[i] || i + 1 == it->answers)
      return (char)('0' + i);
    before -= it->repeats[i];
  }
  return '\0';
}

/* ---- Random things, for the model and the session alike ------------------- */

static void random_args(model_double_t *it, char *text) {
  static const char *const words[ARG_KINDS] = {"a", "b", "c", "*", "~^[ab]$"};
  it->count = below(ARGS_MAX + 1);
  *text = '\0';
  for (int i = 0; i < it->count; i++) {
    it->args[i] = below(ARG_KINDS);
    if (i) strcat(text, " ");
    strcat(text, words[it->args[i]]);
  }
}

static void random_count(model_double_t *it, uint64_t id) {
  it->minimum = (uint64_t)below(3);
  it->maximum = it->minimum + (uint64_t)below(3);
  ck_assert_int_eq(scenario_times(&s, id, it->minimum, it->maximum), CMOX_OK);
}

static void random_order(model_double_t *it, int index) {
  static const char *const names[SEQUENCES] = {"", "second"};
  uint64_t id = (uint64_t)index + 1;
  it->sequence = below(SEQUENCES + 1) - 1;
  it->position = (uint32_t)below(4);
  const char *name = it->sequence < 0 ? NULL : names[it->sequence];
  ck_assert_int_eq(scenario_order(&s, id, name, it->position), CMOX_OK);
  if (index == 0 || it->after >= 0 || below(4)) return;
  it->after = below(index);
  ck_assert_int_eq(scenario_after(&s, id, (uint64_t)it->after + 1), CMOX_OK);
}

static void random_answers(model_double_t *it, uint64_t id) {
  it->answers = (size_t)below(ANSWERS_MAX + 1);
  for (size_t i = 0; i < it->answers; i++)
    it->repeats[i] = i + 1 == it->answers ? (uint64_t)below(2) : 1 + (uint64_t)below(2);
  it->passes = (unsigned)below(1 << ANSWERS_MAX);
  if (it->answers)
    ck_assert_int_eq(scenario_answers(&s, id, it->repeats, it->answers, it->passes), CMOX_OK);
}

static void declare(int index) {
  model_double_t *it = &doubles[index];
  *it = (model_double_t){.kind = (cmox_double_kind_t)(1 + below(4)), .after = -1, .sequence = -1};
  if (it->kind > CMOX_KIND_SPY) it->kind = CMOX_KIND_MOCK; /* they have more rules */
  it->command = some_command();
  char text[64];
  random_args(it, text);
  bool any = below(6) == 0;
  if (any) it->count = -1;
  uint64_t id = scenario_double(&s, it->kind, it->command, any ? NULL : text);
  ck_assert_uint_eq(id, (uint64_t)index + 1);
  double_count = index + 1;
  random_answers(it, id);
  if (it->kind != CMOX_KIND_MOCK) return;
  it->minimum = it->maximum = 1;
  if (below(2)) random_count(it, id);
  if (below(2)) random_order(it, index);
}

/* What a test may still say in mid-replay. */
static void refine(void) {
  int index = below(double_count);
  model_double_t *it = &doubles[index];
  uint64_t id = (uint64_t)index + 1;
  char text[64];
  switch (below(3)) {
    case 0:
      random_args(it, text);
      ck_assert_int_eq(scenario_args(&s, id, text), CMOX_OK);
      return;
    case 1:
      if (it->kind == CMOX_KIND_MOCK) random_count(it, id);
      return;
    default:
      if (it->kind == CMOX_KIND_MOCK) random_order(it, index);
  }
}

static model_call_t random_call(char *line) {
  model_call_t call = {.command = some_command(), .count = below(ARGS_MAX + 1)};
  strcpy(line, call.command);
  for (int i = 0; i < call.count; i++) {
    call.args[i] = below(LETTERS);
    strcat(line, (const char[]){' ', (char)('a' + call.args[i]), '\0'});
  }
  return call;
}

/* ---- Real commands ----------------------------------------------------------- */

/* What the last call's shim does once it was told to run the real command: nothing yet, all of it,
 * or it is killed; or it is lost before it was told, and asks again. */
static cmox_call_state_t pass(uint64_t call, uint8_t key, const char *line) {
  const int how = below(4);
  if (how == 0) return CMOX_CALL_PENDING;
  ck_assert_int_eq(scenario_piece(&s, call, CMOX_PIECE_STDOUT, "lost"), CMOX_OK);
  if (how == 3) {
    const uint64_t link = s.last_link;
    if (below(2)) scenario_lost(&s, call, link); /* or nobody has seen that yet */
    ck_assert_uint_eq(scenario_call(&s, line, key), call);
    ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_PASSTHROUGH);
    scenario_lost(&s, call, link);
    ck_assert_int_eq(scenario_piece(&s, call, CMOX_PIECE_STDOUT, "lost"), CMOX_OK);
  }
  if (how == 1) {
    scenario_lost(&s, call, s.last_link);
    return CMOX_CALL_LOST;
  }
  const cmox_passed_report_t report = {
      .exited = true, .exit_code = 3, .stdout_bytes = strlen("lost"), .failure = ""};
  ck_assert_int_eq(scenario_passed(&s, call, &report), CMOX_OK);
  scenario_completed(&s, call, s.last_link);
  ck_assert_uint_eq(scenario_journal(&s, call)->passed->out.length, strlen("lost"));
  return CMOX_CALL_COMPLETED;
}

static void answered(const model_double_t *taker, const cmox_call_t *call, uint8_t key,
                     const char *line) {
  const char answer = model_answer(taker);
  if (answer && taker->passes >> (answer - '0') & 1) {
    ck_assert_ptr_null(call->reply);
    ck_assert_int_eq(s.actions.items[0].kind, CMOX_ACTION_PASSTHROUGH);
    const cmox_call_state_t state = pass(call->id, key, line);
    ck_assert_int_eq(call->state, state);
    return;
  }
  ck_assert_ptr_null(call->passed);
  ck_assert_uint_eq(call->reply->out.len, answer ? 1 : 0);
  if (answer) ck_assert_int_eq(call->reply->out.data[0], answer);
}

START_TEST(random_sessions_agree_with_the_model) {
  srand((unsigned)_i + 1);
  int wanted = 1 + below(DOUBLES_MAX - 4);
  otherwise = false;
  for (int i = 0; i < wanted; i++) declare(i);
  ck_assert_int_eq(scenario_event(&s, CMOX_EVENT_REPLAY), CMOX_OK);
  for (int c = 0; c < CALLS; c++) {
    if (below(5) == 0) refine();
    if (below(10) == 0) {
      otherwise = !otherwise;
      ck_assert_int_eq(scenario_default(&s, otherwise ? "default" : NULL), CMOX_OK);
    }
    if (below(12) == 0 && double_count < DOUBLES_MAX) declare(double_count);
    char line[64];
    model_call_t wished = random_call(line);
    model_double_t *taker;
    cmox_verdict_t verdict = model_decide(&wished, &taker);
    const uint8_t key = (uint8_t)(c + 1);
    const cmox_call_t *call = scenario_journal(&s, scenario_call(&s, line, key));
    ck_assert_msg(call->verdict == verdict, "seed %d, call %d (%s): verdict %d, the model says %d",
                  _i + 1, c, line, call->verdict, verdict);
    if (!taker && verdict == CMOX_VERDICT_ACCEPTED) {
      ck_assert_uint_eq(call->double_id, 0);
      ck_assert_uint_eq(call->reply->out.len, strlen("default"));
    }
    if (!taker) continue;
    ck_assert_uint_eq(call->double_id, (uint64_t)(taker - doubles) + 1);
    answered(taker, call, key, line);
    taker->taken++;
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("session_model");
  TCase *model = tcase_create("model");
  tcase_add_checked_fixture(model, setup, teardown);
  tcase_add_loop_test(model, random_sessions_agree_with_the_model, 0, ROUNDS);
  suite_add_tcase(suite, model);
  return run_suite(suite);
}
