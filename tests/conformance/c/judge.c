/* Steps that replay, verify, and ask what calls there were. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/c/stage.h"

static cmox_bytes_t told(const stage_t *stage) {
  const char *text = cmox_message(stage->mox);
  return (cmox_bytes_t){text, strlen(text)};
}

/* A call that is to fail with a reason, and did, or is not to, and did not. */
static void expect_code(stage_t *stage, json_t *fails, cmox_code_t code) {
  const char *reason;
  json_t *says = NULL;
  if (!fails && code != CMOX_OK)
    stage_fail(stage, "refused with %s: %s", cmox_code_reason(code), told(stage).data);
  if (!fails) return;
  stage_read(stage, fails, "{s:s,s?o}", "reason", &reason, "says", &says);
  if (strcmp(cmox_code_reason(code), reason) != 0)
    stage_fail(stage, "is to fail with %s, and ended with %s: %s", reason, cmox_code_reason(code),
               told(stage).data);
  if (says) text_expect_told(stage, "the message", says, told(stage));
}

static void take_replay(stage_t *stage, json_t *step) {
  json_t *unused, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "replay", &unused, "fails", &fails);
  expect_code(stage, fails, cmox_replay(stage_session(stage)));
}

/* The kinds of findings are not handed out by this client: its report has them in words. */
static void take_verify(stage_t *stage, json_t *step) {
  json_t *kinds = NULL, *text = NULL, *fails = NULL;
  const char *result = NULL;
  stage_read(stage, step, "{s:s,s?o,s?o,s?o}", "verify", &result, "findings", &kinds, "text", &text,
             "fails", &fails);
  const cmox_code_t code = cmox_verify(stage_session(stage));
  if (fails) return expect_code(stage, fails, code);
  const bool passed = code == CMOX_OK, wanted = strcmp(result, "passes") == 0;
  if ((!passed && code != CMOX_E_VERIFICATION_FAILED) || passed != wanted)
    stage_fail(stage, "verification %s was expected, and it ended with %s: %s", result,
               cmox_code_reason(code), told(stage).data);
  if (text || passed) text_expect_told(stage, "the report", text, told(stage));
}

/* ---- Assertions ---- */

static cmox_call_pattern_t pattern_of(stage_t *stage, json_t *matchers) {
  cmox_call_pattern_t pattern = {0};
  pattern.matchers = matchers_of(stage, matchers, &pattern.count);
  if (pattern.count == 0) pattern.matchers = NULL;
  return pattern;
}

static void assert_calls(stage_t *stage, json_t *step, const char *key, cmox_assertion_t kind) {
  const char *name;
  json_t *patterns = NULL, *args = NULL, *text = NULL;
  stage_read(stage, step, "{s:s,s?o,s?o,s?o}", key, &name, "args", &args, "calls", &patterns,
             "fails", &text);
  size_t count = args ? 1 : json_array_size(patterns);
  cmox_call_pattern_t *calls = stage_memory(stage, count, sizeof *calls);
  for (size_t i = 0; i < count; i++)
    calls[i] = pattern_of(stage, args ? args : json_array_get(patterns, i));
  const cmox_code_t code = cmox_assert_calls_at(stage_double(stage, name), stage_here(stage), key,
                                                kind, count, count ? calls : NULL);
  if (code != (text ? CMOX_E_VERIFICATION_FAILED : CMOX_OK))
    stage_fail(stage, "%s ended with %s: %s", key, cmox_code_reason(code), told(stage).data);
  if (text) text_expect_told(stage, key, text, told(stage));
}

#define ASSERTION(name, kind) \
  static void take_##name(stage_t *stage, json_t *step) { assert_calls(stage, step, #name, kind); }
ASSERTION(assert_called, CMOX_ASSERT_CALLED)
ASSERTION(assert_not_called, CMOX_ASSERT_NOT_CALLED)
ASSERTION(assert_called_with, CMOX_ASSERT_CALLED_WITH)
ASSERTION(assert_any_call, CMOX_ASSERT_ANY_CALL)
ASSERTION(assert_has_calls, CMOX_ASSERT_HAS_CALLS)
ASSERTION(assert_has_calls_in_any_order, CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER)

/* ---- Journal ---- */

static const char *const verdicts[] = {"none", "accepted", "unexpected", "excess", "out_of_order"};
static const char *const states[] = {"", "pending", "answered", "completed", "lost"};

static void expect_name(stage_t *stage, const char *what, json_t *wanted, const char *actual) {
  if (wanted && strcmp(json_string_value(wanted), actual ? actual : "") != 0)
    stage_fail(stage, "%s: expected %s, actual %s", what, json_string_value(wanted), actual);
}

static void expect_number(stage_t *stage, const char *what, json_t *wanted, uint64_t actual) {
  if (wanted && (uint64_t)json_integer_value(wanted) != actual)
    stage_fail(stage, "%s: expected %lld, actual %llu", what, json_integer_value(wanted),
               (unsigned long long)actual);
}

static void expect_flag(stage_t *stage, const char *what, json_t *wanted, bool actual) {
  if (wanted && json_is_true(wanted) != actual)
    stage_fail(stage, "%s: expected %s", what, actual ? "false" : "true");
}

static void expect_args(stage_t *stage, json_t *wanted, const cmox_invocation_t *call) {
  if (!wanted) return;
  size_t count;
  const cmox_bytes_t *args = text_list(stage, wanted, &count);
  const size_t actual = call->argc ? call->argc - 1 : 0;
  if (count != actual)
    stage_fail(stage, "call %d: expected %zu arguments, actual %zu", (int)call->id, count, actual);
  for (size_t i = 0; i < count; i++)
    if (!text_equal(args[i], call->argv[i + 1]))
      stage_fail(stage, "call %d, argument %zu: expected (%zu bytes) %s, actual (%zu bytes) %s",
                 (int)call->id, i + 1, args[i].len, args[i].data, call->argv[i + 1].len,
                 call->argv[i + 1].data);
}

static void expect_env(stage_t *stage, json_t *wanted, const cmox_invocation_t *call) {
  const char *name;
  json_t *value;
  json_object_foreach(wanted, name, value) {
    const char *actual = cmox_invocation_env(call, name), *expected = text_string(stage, value);
    if (!actual != !expected || (actual && strcmp(actual, expected) != 0))
      stage_fail(stage, "variable %s: expected %s, actual %s", name, expected ? expected : "none",
                 actual ? actual : "none");
  }
}

static void expect_entries(stage_t *stage, json_t *wanted, const cmox_invocation_t *call) {
  size_t i, entries;
  json_t *unused;
  if (!wanted) return;
  const cmox_bytes_t *expected = text_list(stage, wanted, &entries);
  if (call->env_count != entries)
    stage_fail(stage, "expected %zu variables, actual %zu", entries, call->env_count);
  json_array_foreach(wanted, i, unused) if (!text_equal(expected[i], call->env[i])) stage_fail(
      stage, "variable %zu: expected %s, actual %s", i + 1, expected[i].data, call->env[i].data);
}

/* Only what the scenario says is compared. */
static void expect_call(stage_t *stage, json_t *wanted, const cmox_invocation_t *call) {
  json_t *command = NULL, *args = NULL, *in = NULL, *out = NULL, *err = NULL, *exit = NULL;
  json_t *signal = NULL, *verdict = NULL, *state = NULL, *cwd = NULL, *env = NULL, *cut = NULL;
  json_t *length = NULL, *timed_out = NULL, *entries = NULL, *failure = NULL, *argc = NULL;
  stage_read(stage, wanted, "{s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o,s?o}",
             "command", &command, "args", &args, "stdin", &in, "stdout", &out, "stderr", &err,
             "exit_code", &exit, "signal", &signal, "verdict", &verdict, "state", &state, "cwd",
             &cwd, "env", &env, "stdin_truncated", &cut, "stdout_length", &length, "timed_out",
             &timed_out, "env_entries", &entries, "passthrough_failure", &failure, "argc", &argc);
  if (command) text_expect(stage, "command", command, call->command);
  expect_args(stage, args, call);
  expect_number(stage, "argc", argc, call->argc);
  if (in) text_expect(stage, "stdin", in, call->stdin_data);
  if (out) text_expect(stage, "stdout", out, call->stdout_data);
  if (err) text_expect_told(stage, "stderr", err, call->stderr_data);
  if (cwd) text_expect(stage, "cwd", cwd, call->cwd);
  expect_number(stage, "exit_code", exit, (uint64_t)call->exit_code);
  expect_name(stage, "signal", signal, call->signal);
  expect_name(stage, "verdict", verdict, verdicts[call->verdict]);
  expect_name(stage, "state", state, states[call->state]);
  expect_env(stage, env, call);
  expect_entries(stage, entries, call);
  expect_flag(stage, "stdin_truncated", cut, call->stdin_truncated);
  expect_flag(stage, "timed_out", timed_out, call->timed_out);
  expect_number(stage, "stdout_length", length, call->stdout_length);
  const char *why = call->passthrough_failure ? call->passthrough_failure : "";
  if (failure) text_expect(stage, "passthrough_failure", failure, (cmox_bytes_t){why, strlen(why)});
}

static void expect_calls(stage_t *stage, json_t *wanted, json_t *dropped,
                         cmox_invocations_t *calls) {
  if (calls->code != CMOX_OK) stage_fail(stage, "no journal: %s", cmox_code_reason(calls->code));
  expect_number(stage, "dropped", dropped, calls->dropped);
  if (json_array_size(wanted) != calls->count)
    stage_fail(stage, "expected %zu calls, actual %zu", json_array_size(wanted), calls->count);
  for (size_t i = 0; i < calls->count; i++)
    expect_call(stage, json_array_get(wanted, i), &calls->items[i]);
  cmox_invocations_free(calls);
}

static void take_journal(stage_t *stage, json_t *step) {
  json_t *calls, *dropped = NULL;
  stage_read(stage, step, "{s:o,s?o}", "journal", &calls, "dropped", &dropped);
  expect_calls(stage, calls, dropped, cmox_journal(stage_session(stage)));
}

static void take_invocations(stage_t *stage, json_t *step) {
  const char *name;
  json_t *calls;
  stage_read(stage, step, "{s:s,s:o}", "invocations", &name, "calls", &calls);
  expect_calls(stage, calls, NULL, cmox_invocations(stage_double(stage, name)));
}

static void take_call_count(stage_t *stage, json_t *step) {
  const char *name;
  json_t *calls;
  stage_read(stage, step, "{s:s,s:o}", "call_count", &name, "is", &calls);
  expect_number(stage, name, calls, cmox_call_count(stage_double(stage, name)));
}

/* The process ends with status 1 by that: run_c.c sees it. */
static void take_forget(stage_t *stage, json_t *step) {
  json_t *unused;
  stage_read(stage, step, "{s:o}", "forget", &unused);
  cmox_free(stage_session(stage));
  stage->mox = NULL;
  stage->forgotten = true;
}

const step_t judging_steps[] = {
    {"replay", take_replay},
    {"verify", take_verify},
    {"assert_called", take_assert_called},
    {"assert_not_called", take_assert_not_called},
    {"assert_called_with", take_assert_called_with},
    {"assert_any_call", take_assert_any_call},
    {"assert_has_calls", take_assert_has_calls},
    {"assert_has_calls_in_any_order", take_assert_has_calls_in_any_order},
    {"journal", take_journal},
    {"invocations", take_invocations},
    {"call_count", take_call_count},
    {"forget", take_forget},
    {NULL, NULL},
};
