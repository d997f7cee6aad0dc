/* Steps that declare: the session, doubles, orders, what is on PATH. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/c/stage.h"

void session_begin(stage_t *stage, json_t *options) {
  cmox_options_t how = {.size = sizeof how};
  int contained = 0, deadline = 0;
  json_int_t entries = 0;
  const char *label = NULL, *report = NULL;
  if (options)
    stage_read(stage, options, "{s?b,s?i,s?I,s?s,s?s}", "contained", &contained,
               "callback_deadline_ms", &deadline, "max_journal_entries", &entries, "label", &label,
               "report", &report);
  if (stage->mox) stage_fail(stage, "the session has already begun");
  how.address = stage->address;
  how.contained = contained;
  how.callback_deadline_ms = (uint32_t)deadline;
  how.max_journal_entries = entries;
  how.label = label;
  if (report) (void)setenv("CMOX_REPORT", report, 1);
  stage->mox = cmox_new(&how);
  (void)unsetenv("CMOX_REPORT");
}

/* ---- Refinements ---- */

static cmox_double_t *count(stage_t *stage, cmox_double_t *dbl, const char *name, json_t *value) {
  const cmox_location_t where = stage_here(stage);
  json_int_t most = 0, least = json_integer_value(value);
  if (strcmp(name, "times") == 0)
    return cmox_count_at(dbl, where, "cmox_times", (uint64_t)least, (uint64_t)least);
  if (strcmp(name, "never") == 0) return cmox_count_at(dbl, where, "cmox_never", 0, 0);
  if (strcmp(name, "at_least") == 0)
    return cmox_count_at(dbl, where, "cmox_at_least", (uint64_t)least, CMOX_UNBOUNDED);
  if (strcmp(name, "at_most") == 0)
    return cmox_count_at(dbl, where, "cmox_at_most", 0, (uint64_t)least);
  if (strcmp(name, "any_times") == 0)
    return cmox_count_at(dbl, where, "cmox_any_times", 0, CMOX_UNBOUNDED);
  if (strcmp(name, "between") != 0) return NULL;
  stage_read(stage, value, "[I,I]", &least, &most);
  return cmox_count_at(dbl, where, "cmox_between", (uint64_t)least, (uint64_t)most);
}

static cmox_double_t *arguments(stage_t *stage, cmox_double_t *dbl, const char *name,
                                json_t *value) {
  size_t items;
  if (strcmp(name, "with_args") == 0) {
    const char *const *texts = text_strings(stage, value, &items);
    return cmox_with_args_at(dbl, stage_here(stage), items, texts);
  }
  if (strcmp(name, "with_matching_args") != 0) return NULL;
  const cmox_matcher_t *matchers = matchers_of(stage, value, &items);
  return cmox_with_matching_args_at(dbl, stage_here(stage), items, matchers);
}

static cmox_double_t *variables(stage_t *stage, cmox_double_t *dbl, const char *name,
                                json_t *values) {
  const bool given = strcmp(name, "with_env") == 0;
  if (!given && strcmp(name, "with_matching_env") != 0) return NULL;
  const char *variable;
  json_t *value;
  json_object_foreach(values, variable, value) {
    if (given)
      cmox_with_env_at(dbl, stage_here(stage), variable, text_string(stage, value));
    else
      cmox_with_matching_env_at(dbl, stage_here(stage), variable, matcher_of(stage, value));
  }
  return dbl;
}

static cmox_double_t *context(stage_t *stage, cmox_double_t *dbl, const char *name, json_t *value) {
  const cmox_location_t where = stage_here(stage);
  int bytes = 0, deadline = 0;
  if (strcmp(name, "with_stdin") == 0)
    return cmox_with_matching_stdin_at(dbl, where, matcher_of(stage, value));
  if (strcmp(name, "with_cwd") == 0)
    return cmox_with_matching_cwd_at(dbl, where, matcher_of(stage, value));
  if (strcmp(name, "any_order") == 0) return cmox_any_order_at(dbl, where);
  if (strcmp(name, "after") == 0)
    return cmox_after_at(dbl, where, stage_double(stage, text_string(stage, value)));
  if (strcmp(name, "drain_stdin") == 0) return cmox_drain_stdin_at(dbl, where);
  if (strcmp(name, "capture_stdin") != 0) return NULL;
  stage_read(stage, value, "{s?i,s?i}", "max_bytes", &bytes, "deadline_ms", &deadline);
  if (!bytes && !deadline) return cmox_capture_stdin_at(dbl, where);
  return cmox_capture_stdin_up_to_at(dbl, where, (uint64_t)bytes, (uint32_t)deadline);
}

static void refine(stage_t *stage, cmox_double_t *dbl, json_t *refinements) {
  size_t i;
  json_t *refinement, *value;
  json_array_foreach(refinements, i, refinement) {
    const char *name;
    json_object_foreach(refinement, name, value) {
      if (!count(stage, dbl, name, value) && !arguments(stage, dbl, name, value) &&
          !variables(stage, dbl, name, value) && !context(stage, dbl, name, value) &&
          !refine_answer(stage, dbl, name, value))
        stage_fail(stage, "no such refinement: %s", name);
    }
  }
}

/* ---- Steps ---- */

static void take_session(stage_t *stage, json_t *step) {
  json_t *options, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "session", &options, "fails", &fails);
  session_begin(stage, options);
  stage_declared(stage, fails);
}

static void declare(stage_t *stage, json_t *step, const char *key, cmox_kind_t kind) {
  json_t *command, *refinements = NULL, *fails = NULL;
  const char *name = NULL;
  stage_read(stage, step, "{s:o,s?s,s?o,s?o}", key, &command, "as", &name, "that", &refinements,
             "fails", &fails);
  if (stage->double_count == NAMES_MAX) stage_fail(stage, "more doubles than a scenario may have");
  const char *text = text_string(stage, command);
  cmox_double_t *dbl = cmox_double_at(stage_session(stage), kind, text, stage_here(stage));
  stage->doubles[stage->double_count].name = name ? name : text;
  stage->doubles[stage->double_count++].dbl = dbl;
  refine(stage, dbl, refinements);
  stage_declared(stage, fails);
}

static void take_mock(stage_t *stage, json_t *step) { declare(stage, step, "mock", CMOX_MOCK); }
static void take_stub(stage_t *stage, json_t *step) { declare(stage, step, "stub", CMOX_STUB); }
static void take_spy(stage_t *stage, json_t *step) { declare(stage, step, "spy", CMOX_SPY); }

static void take_refine(stage_t *stage, json_t *step) {
  const char *name;
  json_t *refinements, *fails = NULL;
  stage_read(stage, step, "{s:s,s:o,s?o}", "refine", &name, "that", &refinements, "fails", &fails);
  refine(stage, stage_double(stage, name), refinements);
  stage_declared(stage, fails);
}

static void sequence(stage_t *stage, const char *name, json_t *names) {
  const size_t count = json_array_size(names);
  cmox_double_t **doubles = stage_memory(stage, count, sizeof(cmox_double_t *));
  for (size_t i = 0; i < count; i++)
    doubles[i] = stage_double(stage, json_string_value(json_array_get(names, i)));
  cmox_in_sequence_at(stage_here(stage), name, count, doubles);
}

static void take_in_order(stage_t *stage, json_t *step) {
  json_t *names, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "in_order", &names, "fails", &fails);
  sequence(stage, "", names);
  stage_declared(stage, fails);
}

static void take_in_sequence(stage_t *stage, json_t *step) {
  const char *name;
  json_t *names, *fails = NULL;
  stage_read(stage, step, "{s:s,s:o,s?o}", "in_sequence", &name, "doubles", &names, "fails",
             &fails);
  sequence(stage, name, names);
  stage_declared(stage, fails);
}

static void take_register(stage_t *stage, json_t *step) {
  json_t *command, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "register", &command, "fails", &fails);
  cmox_register_command_at(stage_session(stage), text_string(stage, command), stage_here(stage));
  stage_declared(stage, fails);
}

static void take_allow(stage_t *stage, json_t *step) {
  json_t *command, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "allow", &command, "fails", &fails);
  const char *name = text_string(stage, command);
  cmox_allow_at(stage_session(stage), stage_here(stage), 1, &name);
  stage_declared(stage, fails);
}

static void take_absent(stage_t *stage, json_t *step) {
  json_t *command, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "absent", &command, "fails", &fails);
  cmox_absent_at(stage_session(stage), text_string(stage, command), stage_here(stage));
  stage_declared(stage, fails);
}

static void take_default(stage_t *stage, json_t *step) {
  json_t *answer, *fails = NULL;
  stage_read(stage, step, "{s:o,s?o}", "default", &answer, "fails", &fails);
  default_answer(stage, answer);
  stage_declared(stage, fails);
}

const step_t declaring_steps[] = {
    {"session", take_session},   {"mock", take_mock},
    {"stub", take_stub},         {"spy", take_spy},
    {"refine", take_refine},     {"in_order", take_in_order},
    {"register", take_register}, {"in_sequence", take_in_sequence},
    {"allow", take_allow},       {"absent", take_absent},
    {"default", take_default},   {NULL, NULL},
};
