/* No pattern and no value makes a call wait: regular expressions, globs and JSON that cost without
 * end elsewhere are answered, or given up, at once. Each is asked alone and through a composite
 * that needs its answer. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/alloc.h"
#include "server/match/explain.h"
#include "tests/lib/run_suite.h"

/* Three questions of 400 ms of processor time at most; more than twice that is no accident. A
 * sanitizer's own work is no figure. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GUARD_MS = 60000, SANITIZED = 1 };
#else
enum { GUARD_MS = 3000, SANITIZED = 0 };
#endif
enum { VALUE_MAX = 8 << 20 };

static char pattern[VALUE_MAX + 1], value[VALUE_MAX + 1];

/* Appends `text` so many times. */
static void put(char *to, const char *text, size_t times) {
  size_t len = strlen(text);
  char *end = to + strlen(to);
  ck_assert_uint_lt((size_t)(end - to) + len * times, VALUE_MAX);
  for (size_t i = 0; i < times; i++, end += len) memcpy(end, text, len);
  *end = '\0';
}

typedef struct piece {
  const char *text;
  size_t times;
} piece_t;

typedef struct bound {
  const char *name;
  cmox_test_kind_t kind;
  piece_t pattern[3];
  piece_t value[3];
  cmox_accept_t answer;
} bound_t;

static const bound_t bounds[] = {
    {"nested quantifiers",
     CMOX_TEST_REGEX,
     {{"(a+)+$", 1}},
     {{"a", 10240}, {"!", 1}},
     CMOX_GIVES_UP},
    {"one quantifier on a long value",
     CMOX_TEST_REGEX,
     {{"[a-z]+[0-9]", 1}},
     {{"a", 1 << 20}},
     CMOX_GIVES_UP},
    {"one quantifier from each letter of a long value",
     CMOX_TEST_REGEX,
     {{"ax*y", 1}},
     {{"ax", 1 << 16}},
     CMOX_REFUSES},
    {"a word behind a long line",
     CMOX_TEST_REGEX,
     {{".*needle", 1}},
     {{"hay ", 1 << 15}, {"needle", 1}},
     CMOX_ACCEPTS},
    {"a word in a long log",
     CMOX_TEST_REGEX,
     {{"(?i)error: [a-z ]+ [0-9]+$", 1}},
     {{"info: nothing happened here\n", 1 << 15}, {"Error: no luck 17", 1}},
     CMOX_ACCEPTS},
    {"a value that is too long to be searched",
     CMOX_TEST_REGEX,
     {{"needle", 1}},
     {{"hay ", 1 << 20}, {"needle", 1}},
     CMOX_GIVES_UP},
    {"nested quantifiers on a short value",
     CMOX_TEST_REGEX,
     {{"^(a+)+$", 1}},
     {{"a", 60}, {"!", 1}},
     CMOX_GIVES_UP},
    {"alternatives that overlap on a short value",
     CMOX_TEST_REGEX,
     {{"^(a|b|ab)+$", 1}},
     {{"ab", 60}, {"!", 1}},
     CMOX_GIVES_UP},
    {"nested quantifiers in groups",
     CMOX_TEST_REGEX,
     {{"^((a*)*)*$", 1}},
     {{"a", 10240}, {"!", 1}},
     CMOX_GIVES_UP},
    {"alternatives that overlap",
     CMOX_TEST_REGEX,
     {{"^(a|aa)+$", 1}},
     {{"a", 10240}, {"!", 1}},
     CMOX_GIVES_UP},
    {"many optional parts",
     CMOX_TEST_REGEX,
     {{"^", 1}, {"a?", 30}, {"a{30}$", 1}},
     {{"a", 29}, {"b", 1}},
     CMOX_GIVES_UP},
    {"references back", CMOX_TEST_REGEX, {{"^(a*)*\\1b$", 1}}, {{"a", 10240}}, CMOX_GIVES_UP},
    {"a pattern that calls itself",
     CMOX_TEST_REGEX,
     {{"^(a(?1)?)+$", 1}},
     {{"a", 10240}, {"!", 1}},
     CMOX_GIVES_UP},
    {"stars one after the other",
     CMOX_TEST_REGEX,
     {{"^", 1}, {".*", 20}, {"x$", 1}},
     {{"a", 10240}},
     CMOX_GIVES_UP},
    {"a linear one on a long value",
     CMOX_TEST_REGEX,
     {{"needle$", 1}},
     {{"needle ", 100000}, {"needle", 1}},
     CMOX_ACCEPTS},
    {"a glob of many stars", CMOX_TEST_GLOB, {{"*a", 20}, {"*b", 1}}, {{"a", 10240}}, CMOX_REFUSES},
    {"a glob of stars and marks",
     CMOX_TEST_GLOB,
     {{"*?", 20}, {"z", 1}},
     {{"a", 10240}},
     CMOX_REFUSES},
    {"a glob on a long value",
     CMOX_TEST_GLOB,
     {{"*end", 1}},
     {{"a", 1000000}, {"end", 1}},
     CMOX_ACCEPTS},
    {"a text that nearly repeats",
     CMOX_TEST_CONTAINS,
     {{"a", 1000}, {"b", 1}},
     {{"a", 1000000}},
     CMOX_REFUSES},
    {"lists in lists", CMOX_TEST_JSON_EQUALS, {{"1", 1}}, {{"[", 1000000}}, CMOX_REFUSES},
    {"objects in objects", CMOX_TEST_JSON_EQUALS, {{"1", 1}}, {{"{\"a\":", 200000}}, CMOX_REFUSES},
    {"a number without end", CMOX_TEST_JSON_EQUALS, {{"1", 1}}, {{"9", 1000000}}, CMOX_REFUSES},
    {"a text above the bound",
     CMOX_TEST_JSON_EQUALS,
     {{"1", 1}},
     {{" ", CMOX_JSON_MAX}, {"1", 1}},
     CMOX_REFUSES},
};

static uint64_t now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fill(char *to, const piece_t pieces[3]) {
  *to = '\0';
  for (size_t i = 0; i < 3 && pieces[i].text; i++) put(to, pieces[i].text, pieces[i].times);
}

static cmox_matchers_t *compile(const bound_t *bound) {
  static const uint32_t zero[] = {0};
  fill(pattern, bound->pattern);
  fill(value, bound->value);
  const cmox_test_t tests[] = {{.kind = bound->kind, .value = cmox_span_str(pattern)},
                               {.kind = CMOX_TEST_NOT, .children = zero, .child_count = 1}};
  cmox_error_t error = {0};
  cmox_matchers_t *matchers;
  ck_assert_msg(cmox_matchers_compile(tests, 2, &matchers, &error) == CMOX_OK, "%s", error.message);
  return matchers;
}

START_TEST(is_answered_at_once) {
  const bound_t *bound = &bounds[_i];
  cmox_matchers_t *matchers = compile(bound);
  uint64_t start = now_ms();
  cmox_accept_t said = cmox_matchers_accept(matchers, 0, cmox_span_str(value), NULL);
  cmox_accept_t turned = cmox_matchers_accept(matchers, 1, cmox_span_str(value), NULL);
  cmox_buf_t why = CMOX_BUF_EMPTY;
  cmox_matchers_why_not(matchers, 0, cmox_span(NULL, 0), cmox_span_str(value), NULL, &why);
  uint64_t took = now_ms() - start;
  printf("bound: %s: %llu ms\n", bound->name, (unsigned long long)took);
  (void)fflush(stdout);
  /* A sanitizer makes some searches so slow that they are given up, and that is all right. */
  if (!SANITIZED || said != CMOX_GIVES_UP)
    ck_assert_msg(said == bound->answer, "%s: %d", bound->name, said);
  static const cmox_accept_t others[] = {[CMOX_REFUSES] = CMOX_ACCEPTS,
                                         [CMOX_ACCEPTS] = CMOX_REFUSES,
                                         [CMOX_GIVES_UP] = CMOX_GIVES_UP};
  if (!SANITIZED) ck_assert_msg(turned == others[said], "%s: not: %d", bound->name, turned);
  ck_assert_uint_lt(why.len, 4096);
  ck_assert_msg(took < GUARD_MS, "%s: %llu ms", bound->name, (unsigned long long)took);
  cmox_buf_clear(&why);
  cmox_matchers_unref(matchers);
}
END_TEST

/* What is too much to be compiled is refused with a word, and as fast. */
static const struct {
  cmox_test_kind_t kind;
  piece_t pattern[3];
  const char *word;
} refused[] = {
    {CMOX_TEST_REGEX, {{"(", 100000}, {"a", 1}, {")", 100000}}, "nested"},
    {CMOX_TEST_REGEX, {{"(((a{1,1000}){1,1000}){1,1000}){1,1000}", 1}}, "too large"},
    {CMOX_TEST_REGEX, {{"(?:abc){1,60000}", 30}}, "too large"},
    {CMOX_TEST_REGEX, {{"a", 1000000}}, "too large"},
    {CMOX_TEST_GLOB, {{"[a]", 100000}}, "too large"},
    {CMOX_TEST_JSON_EQUALS, {{"[", 1000000}}, "maximum parsing depth"},
    {CMOX_TEST_JSON_EQUALS, {{" ", CMOX_JSON_MAX}, {"1", 1}}, "longer than"},
};

START_TEST(is_refused_at_once) {
  fill(pattern, refused[_i].pattern);
  const cmox_test_t test = {.kind = refused[_i].kind, .value = cmox_span_str(pattern)};
  cmox_error_t error = {0};
  cmox_matchers_t *matchers;
  uint64_t start = now_ms();
  cmox_code_t code = cmox_matchers_compile(&test, 1, &matchers, &error);
  uint64_t took = now_ms() - start;
  ck_assert_msg(code != CMOX_OK, "%.40s is taken", pattern);
  ck_assert_msg(strstr(error.message, refused[_i].word) != NULL, "'%s' is not in: %s",
                refused[_i].word, error.message);
  ck_assert_uint_lt(took, GUARD_MS);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("match_bounds");
  TCase *tests = tcase_create("bounds");
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, is_answered_at_once, 0, (int)(sizeof bounds / sizeof *bounds));
  tcase_add_loop_test(tests, is_refused_at_once, 0, (int)(sizeof refused / sizeof *refused));
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
