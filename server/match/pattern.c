#include "server/match/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "server/base/alloc.h"

/* Backtracking steps before a regex gives up; a hostile pattern then costs
 * milliseconds, and no pattern seen in practice comes near. */
enum { REGEX_STEPS_MAX = 200000, REGEX_HEAP_KIB_MAX = 4096, PATTERN_SHOWN_MAX = 120 };

struct cmox_pattern {
  pcre2_code *code;
  pcre2_match_data *match_data;
  pcre2_match_context *match_context;
};

static void *pattern_malloc(size_t size, void *user) {
  (void)user;
  return cmox_malloc(size);
}

static void pattern_free(void *block, void *user) {
  (void)user;
  cmox_free_block(block);
}

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "pattern: out of memory");
}

static PCRE2_SPTR text_of(cmox_span_t text) { return text.data ? text.data : (PCRE2_SPTR) ""; }

static cmox_code_t refuse(const char *what, cmox_span_t text, int number, size_t offset,
                          cmox_error_t *error) {
  enum { COMPILE_NO_MEMORY = 121 }; /* PCRE2 gives its compile errors no names for this one */
  if (number == PCRE2_ERROR_NOMEMORY || number == COMPILE_NO_MEMORY) return no_memory(error);
  char why[128];
  (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
  int shown = text.len > PATTERN_SHOWN_MAX ? PATTERN_SHOWN_MAX : (int)text.len;
  return cmox_fail(error, CMOX_E_BAD_REGEX, "invalid %s \"%.*s\" at offset %zu: %s", what, shown,
                   (const char *)text_of(text), offset, why);
}

static cmox_code_t compile(cmox_pattern_t *pattern, cmox_span_t text,
                           pcre2_general_context *general, cmox_error_t *error) {
  pcre2_compile_context *context = pcre2_compile_context_create(general);
  if (!context) return no_memory(error);
  int number = 0;
  PCRE2_SIZE offset = 0;
  pattern->code = pcre2_compile(text_of(text), text.len, 0, &number, &offset, context);
  pcre2_compile_context_free(context);
  if (!pattern->code) return refuse("regular expression", text, number, offset, error);
  pattern->match_context = pcre2_match_context_create(general);
  pattern->match_data = pcre2_match_data_create(1, general);
  if (!pattern->match_context || !pattern->match_data) return no_memory(error);
  pcre2_set_match_limit(pattern->match_context, REGEX_STEPS_MAX);
  pcre2_set_heap_limit(pattern->match_context, REGEX_HEAP_KIB_MAX);
  return CMOX_OK;
}

/* Converts a glob to a regular expression and compiles that. */
static cmox_code_t compile_glob(cmox_pattern_t *pattern, cmox_span_t text,
                                pcre2_general_context *general, cmox_error_t *error) {
  pcre2_convert_context *context = pcre2_convert_context_create(general);
  if (!context) return no_memory(error);
  PCRE2_UCHAR *regex = NULL;
  PCRE2_SIZE len = 0;
  (void)pcre2_set_glob_escape(context, '\\');
  int number = pcre2_pattern_convert(text_of(text), text.len, PCRE2_CONVERT_GLOB_NO_WILD_SEPARATOR,
                                     &regex, &len, context);
  cmox_code_t code = number ? refuse("glob", text, number, len, error)
                            : compile(pattern, cmox_span(regex, len), general, error);
  pcre2_converted_pattern_free(regex);
  pcre2_convert_context_free(context);
  return code;
}

typedef cmox_code_t (*compile_t)(cmox_pattern_t *pattern, cmox_span_t text,
                                 pcre2_general_context *general, cmox_error_t *error);

static cmox_code_t make(compile_t how, cmox_span_t text, cmox_pattern_t **out,
                        cmox_error_t *error) {
  *out = NULL;
  cmox_pattern_t *pattern = cmox_calloc(1, sizeof *pattern);
  if (!pattern) return no_memory(error);
  pcre2_general_context *general = pcre2_general_context_create(pattern_malloc, pattern_free, NULL);
  cmox_code_t code = general ? how(pattern, text, general, error) : no_memory(error);
  pcre2_general_context_free(general);
  if (code == CMOX_OK)
    *out = pattern;
  else
    cmox_pattern_free(pattern);
  return code;
}

cmox_code_t cmox_pattern_regex(cmox_span_t text, cmox_pattern_t **out, cmox_error_t *error) {
  return make(compile, text, out, error);
}

cmox_code_t cmox_pattern_glob(cmox_span_t text, cmox_pattern_t **out, cmox_error_t *error) {
  return make(compile_glob, text, out, error);
}

void cmox_pattern_free(cmox_pattern_t *pattern) {
  if (!pattern) return;
  pcre2_code_free(pattern->code);
  pcre2_match_data_free(pattern->match_data);
  pcre2_match_context_free(pattern->match_context);
  cmox_free_block(pattern);
}

cmox_accept_t cmox_pattern_accept(const cmox_pattern_t *pattern, cmox_span_t value) {
  int found = pcre2_match(pattern->code, text_of(value), value.len, 0, 0, pattern->match_data,
                          pattern->match_context);
  if (found >= 0) return CMOX_ACCEPTS;
  return found == PCRE2_ERROR_NOMATCH ? CMOX_REFUSES : CMOX_GIVES_UP;
}
