/* The matchers of a scenario as those of the C library. */
#include <string.h>

#include "tests/conformance/c/stage.h"

/* What stands behind the name of a matcher. */
typedef enum argument { NOTHING, TEXT, ONE, MANY, TEXTS, TYPE, FLAG, FUNCTION } argument_t;

static const struct {
  const char *name;
  cmox_match_kind_t kind;
  argument_t argument;
} kinds[] = {
    {"any", CMOX_MATCH_ANY, NOTHING},
    {"unset", CMOX_MATCH_UNSET, NOTHING},
    {"starts_with", CMOX_MATCH_STARTS_WITH, TEXT},
    {"ends_with", CMOX_MATCH_ENDS_WITH, TEXT},
    {"contains", CMOX_MATCH_CONTAINS, TEXT},
    {"regex", CMOX_MATCH_REGEX, TEXT},
    {"glob", CMOX_MATCH_GLOB, TEXT},
    {"json_equals", CMOX_MATCH_JSON_EQUALS, TEXT},
    {"is_a", CMOX_MATCH_IS_A, TYPE},
    {"one_of", CMOX_MATCH_ONE_OF, TEXTS},
    {"all_of", CMOX_MATCH_ALL_OF, MANY},
    {"any_of", CMOX_MATCH_ANY_OF, MANY},
    {"not", CMOX_MATCH_NOT, ONE},
    {"rest", CMOX_MATCH_REST, ONE},
    {"any_order", CMOX_MATCH_ANY_ORDER, MANY},
    {"args_contain", CMOX_MATCH_ARGS_CONTAIN, MANY},
    {"flag", CMOX_MATCH_FLAG, FLAG},
    {"predicate", CMOX_MATCH_PREDICATE, FUNCTION},
};

static const char *const types[] = {"int", "float", "bool", "path", "json"};

static cmox_type_t type_of(stage_t *stage, const char *name) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i], name) == 0) return (cmox_type_t)(i + 1);
  stage_fail(stage, "no such type: %s", name);
}

static void one_child(stage_t *stage, cmox_matcher_t *matcher, json_t *value) {
  cmox_matcher_t *child = stage_memory(stage, 1, sizeof *child);
  *child = matcher_of(stage, value);
  matcher->children = child;
  matcher->count = 1;
}

static void fill(stage_t *stage, cmox_matcher_t *matcher, argument_t argument, json_t *value) {
  cmox_bytes_t text;
  const char *name;
  switch (argument) {
    case NOTHING:
      break;
    case TEXT:
      text = text_bytes(stage, value);
      matcher->data = text.data;
      matcher->len = text.len;
      break;
    case ONE:
      one_child(stage, matcher, value);
      break;
    case MANY:
      matcher->children = matchers_of(stage, value, &matcher->count);
      break;
    case TEXTS:
      matcher->texts = text_strings(stage, value, &matcher->count);
      break;
    case TYPE:
      matcher->type = type_of(stage, text_string(stage, value));
      break;
    case FLAG:
      stage_read(stage, value, "{s:s,s:o}", "name", &name, "value", &value);
      matcher->data = name;
      matcher->len = CMOX_TEXT_LENGTH;
      one_child(stage, matcher, value);
      break;
    case FUNCTION:
      matcher->data = text_string(stage, value);
      matcher->len = CMOX_TEXT_LENGTH;
      matcher->predicate = predicate_of(stage, matcher->data);
      break;
  }
}

cmox_matcher_t matcher_of(stage_t *stage, json_t *value) {
  const char *name = json_object_iter_key(json_object_iter(value));
  if (!name || strcmp(name, "base64") == 0 || strcmp(name, "repeat") == 0) {
    cmox_bytes_t text = text_bytes(stage, value);
    return CMOX_EQ_BYTES(text.data, text.len);
  }
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, name) != 0) continue;
    cmox_matcher_t matcher = {.kind = kinds[i].kind};
    fill(stage, &matcher, kinds[i].argument, json_object_get(value, name));
    return matcher;
  }
  stage_fail(stage, "no such matcher: %s", name);
}

cmox_matcher_t *matchers_of(stage_t *stage, json_t *list, size_t *count) {
  *count = json_array_size(list);
  cmox_matcher_t *matchers = stage_memory(stage, *count, sizeof *matchers);
  for (size_t i = 0; i < *count; i++) matchers[i] = matcher_of(stage, json_array_get(list, i));
  return matchers;
}
