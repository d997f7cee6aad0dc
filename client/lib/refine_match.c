/* What a double accepts. */
#include <string.h>

#include "client/lib/matching.h"

/* ---- Arguments ---------------------------------------------------------- */

typedef struct list {
  size_t count;
  const cmox_matcher_t *matchers; /* NULL: texts */
  const char *const *texts;
} list_t;

static cmox_code_t match_argv(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const list_t *list = arguments;
  cmox_pattern_t pattern;
  cmox_code_t code =
      list->matchers ? cmox_pattern_of_args(dbl->mox, &pattern, list->matchers, list->count, error)
                     : cmox_pattern_of_texts(dbl->mox, &pattern, list->texts, list->count, error);
  if (code == CMOX_OK) code = cmox_update(dbl, &pattern.message, error);
  cmox_pattern_clear(&pattern);
  return code;
}

cmox_double_t *cmox_with_matching_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                          const cmox_matcher_t *matchers) {
  const list_t list = {count, matchers, NULL};
  return cmox_refine(dbl, where, "cmox_with_matching_args", match_argv, &list);
}

cmox_double_t *cmox_with_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                 const char *const *args) {
  const list_t list = {count, NULL, args};
  return cmox_refine(dbl, where, "cmox_with_args", match_argv, &list);
}

/* ---- One value: stdin, the working directory, a variable ------------------- */

typedef struct value {
  const char *name; /* of a variable */
  cmox_matcher_t matcher;
} value_t;

/* node is that of the one facet that the patch has; it becomes the root of the matcher. */
static cmox_code_t match_value(cmox_double_t *dbl, const cmox_matcher_t *matcher,
                               const Cmdmox__V1__Double *patch, uint32_t *node,
                               cmox_error_t *error) {
  cmox_pattern_t pattern;
  cmox_code_t code = cmox_pattern_of_value(dbl->mox, &pattern, matcher, node, error);
  pattern.message.stdin_match = patch->stdin_match;
  pattern.message.cwd_match = patch->cwd_match;
  pattern.message.env_match = patch->env_match;
  if (code == CMOX_OK) code = cmox_update(dbl, &pattern.message, error);
  cmox_pattern_clear(&pattern);
  return code;
}

static cmox_code_t match_stdin(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  Cmdmox__V1__StdinMatcher facet = CMDMOX__V1__STDIN_MATCHER__INIT;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.stdin_match = &facet;
  return match_value(dbl, arguments, &patch, &facet.node, error);
}

cmox_double_t *cmox_with_matching_stdin_at(cmox_double_t *dbl, cmox_location_t where,
                                           cmox_matcher_t matcher) {
  return cmox_refine(dbl, where, "cmox_with_stdin", match_stdin, &matcher);
}

static cmox_code_t match_cwd(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  Cmdmox__V1__CwdMatcher facet = CMDMOX__V1__CWD_MATCHER__INIT;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.cwd_match = &facet;
  return match_value(dbl, arguments, &patch, &facet.node, error);
}

cmox_double_t *cmox_with_matching_cwd_at(cmox_double_t *dbl, cmox_location_t where,
                                         cmox_matcher_t matcher) {
  return cmox_refine(dbl, where, "cmox_with_cwd", match_cwd, &matcher);
}

static cmox_code_t check_name(const char *name, cmox_error_t *error) {
  if (name && *name && !strchr(name, '=')) return CMOX_OK;
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                   "a variable needs a name, not NULL, not empty and without '='");
}

static cmox_code_t match_variable(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const value_t *value = arguments;
  cmox_code_t code = check_name(value->name, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__EnvMatcherItem item = CMDMOX__V1__ENV_MATCHER_ITEM__INIT;
  Cmdmox__V1__EnvMatcherItem *items[] = {&item};
  Cmdmox__V1__EnvMatcher facet = CMDMOX__V1__ENV_MATCHER__INIT;
  facet.append = 1;
  facet.n_items = 1;
  facet.items = items;
  item.name = (ProtobufCBinaryData){strlen(value->name), (uint8_t *)value->name};
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.env_match = &facet;
  if (value->matcher.kind != CMOX_MATCH_UNSET) {
    item.test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_NODE;
    return match_value(dbl, &value->matcher, &patch, &item.node, error);
  }
  item.test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_ABSENT;
  item.absent = 1;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_with_matching_env_at(cmox_double_t *dbl, cmox_location_t where,
                                         const char *name, cmox_matcher_t matcher) {
  const value_t value = {name, matcher};
  return cmox_refine(dbl, where, "cmox_with_matching_env", match_variable, &value);
}

typedef struct variable {
  const char *name;
  const char *value; /* NULL: removed */
} variable_t;

static cmox_code_t inject(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const variable_t *variable = arguments;
  cmox_code_t code = check_name(variable->name, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__EnvChange change = CMDMOX__V1__ENV_CHANGE__INIT;
  change.name = (ProtobufCBinaryData){strlen(variable->name), (uint8_t *)variable->name};
  if (variable->value) {
    change.change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
    change.value = (ProtobufCBinaryData){strlen(variable->value), (uint8_t *)variable->value};
  }
  Cmdmox__V1__EnvChange *changes[] = {&change};
  Cmdmox__V1__EnvInjection facet = CMDMOX__V1__ENV_INJECTION__INIT;
  facet.append = 1;
  facet.n_changes = 1;
  facet.changes = changes;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.env_injection = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_with_env_at(cmox_double_t *dbl, cmox_location_t where, const char *name,
                                const char *value) {
  const variable_t variable = {name, value};
  return cmox_refine(dbl, where, "cmox_with_env", inject, &variable);
}

/* ---- What is read ----------------------------------------------------------- */

typedef struct reading {
  Cmdmox__V1__StdinMode mode;
  uint64_t max_bytes;
  uint32_t deadline_ms;
} reading_t;

static cmox_code_t read_stdin(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const reading_t *reading = arguments;
  Cmdmox__V1__StdinPolicy policy = CMDMOX__V1__STDIN_POLICY__INIT;
  policy.mode = reading->mode;
  policy.max_bytes = reading->max_bytes;
  policy.deadline_ms = reading->deadline_ms;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.stdin_policy = &policy;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where) {
  const reading_t reading = {CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE, 0, 0};
  return cmox_refine(dbl, where, "cmox_capture_stdin", read_stdin, &reading);
}

cmox_double_t *cmox_capture_stdin_up_to_at(cmox_double_t *dbl, cmox_location_t where,
                                           uint64_t max_bytes, uint32_t deadline_ms) {
  const reading_t reading = {CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE, max_bytes, deadline_ms};
  return cmox_refine(dbl, where, "cmox_capture_stdin_up_to", read_stdin, &reading);
}

cmox_double_t *cmox_drain_stdin_at(cmox_double_t *dbl, cmox_location_t where) {
  const reading_t reading = {CMDMOX__V1__STDIN_MODE__STDIN_MODE_DRAIN, 0, 0};
  return cmox_refine(dbl, where, "cmox_drain_stdin", read_stdin, &reading);
}
