#include "server/match/pattern.h"

#include <ctype.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "server/base/alloc.h"

/* What a search may cost before it gives up: milliseconds, and no pattern seen in practice comes
 * near. PCRE2 counts backtracking steps anew wherever in the value it begins, so they are shared
 * out among those places; and it does not count at all how far a repeat runs on, so that a long
 * value is searched in pieces with an eye on the clock. */
enum {
  STEPS_MAX = 200000,         /* from one place */
  STEPS_LEAST = 64,           /* which does for most words */
  STEPS_TOTAL_MAX = 20000000, /* from all of them */
  VALUE_MAX = 4 << 20,        /* bytes; a longer value is given up at once */
  AT_ONCE_MAX = 1 << 26,      /* places times bytes that are searched without a look at the clock */
  PIECE_MAX = 1 << 24,        /* the same of one piece of a long search */
  CPU_MAX_MS = 400,
  LOOK_EVERY = 16, /* pieces */
  CHEAP_MS = 2,    /* for so many; then they are made larger, up to a bound */
  LARGER_MAX = 4,
  REGEX_HEAP_KIB_MAX = 4096,
  PATTERN_SHOWN_MAX = 120
};

struct cmox_pattern {
  pcre2_code *code;
  pcre2_match_data *match_data;
  pcre2_match_context *match_context;
  bool anchored;   /* a match begins at the start of the value only */
  bool first[256]; /* a match may begin with this byte */
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

static void note_beginnings(cmox_pattern_t *pattern) {
  uint32_t options = 0, type = 0, unit = 0;
  const uint8_t *bits = NULL;
  (void)pcre2_pattern_info(pattern->code, PCRE2_INFO_ALLOPTIONS, &options);
  (void)pcre2_pattern_info(pattern->code, PCRE2_INFO_FIRSTCODETYPE, &type);
  (void)pcre2_pattern_info(pattern->code, PCRE2_INFO_FIRSTCODEUNIT, &unit);
  (void)pcre2_pattern_info(pattern->code, PCRE2_INFO_FIRSTBITMAP, &bits);
  pattern->anchored = options & PCRE2_ANCHORED;
  /* Of one first letter it is not told whether its case counts. */
  for (unsigned byte = 0; byte < 256; byte++)
    pattern->first[byte] = type == 1 ? byte == unit || (isalpha((int)unit) && byte == (unit ^ 0x20))
                                     : !bits || (bits[byte / 8] >> byte % 8 & 1);
}

static cmox_code_t compile(cmox_pattern_t *pattern, cmox_span_t text,
                           pcre2_general_context *general, cmox_error_t *error) {
  pcre2_compile_context *context = pcre2_compile_context_create(general);
  if (!context) return no_memory(error);
  int number = 0;
  PCRE2_SIZE offset = 0;
  pattern->code =
      pcre2_compile(text_of(text), text.len, PCRE2_USE_OFFSET_LIMIT, &number, &offset, context);
  pcre2_compile_context_free(context);
  if (!pattern->code) return refuse("regular expression", text, number, offset, error);
  pattern->match_context = pcre2_match_context_create(general);
  pattern->match_data = pcre2_match_data_create(1, general);
  if (!pattern->match_context || !pattern->match_data) return no_memory(error);
  note_beginnings(pattern);
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

/* At how many places a match may begin. */
static size_t places(const cmox_pattern_t *pattern, cmox_span_t value) {
  size_t count = 1;
  if (pattern->anchored) return count;
  for (size_t i = 0; i < value.len; i++) count += pattern->first[value.data[i]];
  return count;
}

static uint32_t steps_for(size_t count) {
  size_t each = STEPS_TOTAL_MAX / count;
  return (uint32_t)(each < STEPS_LEAST ? STEPS_LEAST : each > STEPS_MAX ? STEPS_MAX : each);
}

static int search(const cmox_pattern_t *pattern, cmox_span_t value, size_t begin, size_t last) {
  (void)pcre2_set_offset_limit(pattern->match_context, last);
  return pcre2_match(pattern->code, text_of(value), value.len, begin, 0, pattern->match_data,
                     pattern->match_context);
}

static uint64_t cpu_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int search_in_pieces(const cmox_pattern_t *pattern, cmox_span_t value) {
  const size_t least = value.len < PIECE_MAX ? PIECE_MAX / value.len : 1;
  uint64_t last_ms = cpu_ms();
  const uint64_t end_ms = last_ms + CPU_MAX_MS;
  size_t begin = 0, each = least;
  for (size_t piece = 1; begin <= value.len; piece++) {
    while (begin < value.len && !pattern->first[value.data[begin]]) begin++;
    int found = search(pattern, value, begin, begin + each - 1);
    if (found != PCRE2_ERROR_NOMATCH) return found;
    begin += each;
    if (piece % LOOK_EVERY != 0) continue;
    const uint64_t now_ms = cpu_ms();
    if (now_ms > end_ms) return PCRE2_ERROR_MATCHLIMIT;
    if (now_ms - last_ms < CHEAP_MS && each < least * LARGER_MAX) each *= 2;
    last_ms = now_ms;
  }
  return PCRE2_ERROR_NOMATCH;
}

cmox_accept_t cmox_pattern_accept(const cmox_pattern_t *pattern, cmox_span_t value) {
  if (value.len > VALUE_MAX) return CMOX_GIVES_UP;
  const size_t count = places(pattern, value);
  (void)pcre2_set_match_limit(pattern->match_context, steps_for(count));
  int found = pattern->anchored || count * value.len <= AT_ONCE_MAX
                  ? search(pattern, value, 0, PCRE2_UNSET)
                  : search_in_pieces(pattern, value);
  if (found >= 0) return CMOX_ACCEPTS;
  return found == PCRE2_ERROR_NOMATCH ? CMOX_REFUSES : CMOX_GIVES_UP;
}
