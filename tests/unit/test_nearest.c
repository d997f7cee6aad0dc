/* "did you mean": the distance of words, and which of several is meant. */
#include <check.h>

#include "server/base/nearest.h"
#include "tests/lib/run_suite.h"

static const struct {
  const char *a;
  const char *b;
  size_t distance;
} cases[] = {
    {"", "", 0},
    {"", "abc", 3},
    {"abc", "", 3},
    {"serve", "serve", 0},
    {"serv", "serve", 1},
    {"sreve", "serve", 1},
    {"searve", "serve", 1},
    {"sorve", "serve", 1},
    {"kitten", "sitting", 3},
    {"ab", "ba", 1},
    {"ca", "abc", 3},
    {"--lisen", "--listen", 1},
};

START_TEST(the_distance_is_that_of_changes_and_swaps) {
  ck_assert_uint_eq(cmox_edit_distance(cases[_i].a, cases[_i].b), cases[_i].distance);
  ck_assert_uint_eq(cmox_edit_distance(cases[_i].b, cases[_i].a), cases[_i].distance);
}
END_TEST

START_TEST(a_long_word_is_far_from_all) {
  static const char word[] = "0123456789012345678901234567890123456789012345678901234567890123";
  static const char longer[] = "0123456789012345678901234567890123456789012345678901234567890123x";
  ck_assert_uint_eq(cmox_edit_distance(word, word), 0);
  ck_assert_uint_eq(cmox_edit_distance(word, longer), (size_t)-1);
}
END_TEST

START_TEST(the_nearest_is_meant_and_the_first_of_equals) {
  static const char *const names[] = {"stub", "mock", "spy", "session"};
  cmox_nearest_t nearest = cmox_nearest_to("mok");
  for (size_t i = 0; i < 4; i++) cmox_nearest_see(&nearest, names[i]);
  ck_assert_str_eq(nearest.best, "mock");
  nearest = cmox_nearest_to("xxxxx");
  for (size_t i = 0; i < 4; i++) cmox_nearest_see(&nearest, names[i]);
  ck_assert_ptr_null(nearest.best);
  nearest = cmox_nearest_to("ab");
  cmox_nearest_see(&nearest, "ac");
  cmox_nearest_see(&nearest, "aa");
  ck_assert_str_eq(nearest.best, "ac");
}
END_TEST

int main(void) {
  TCase *words = tcase_create("words");
  tcase_add_loop_test(words, the_distance_is_that_of_changes_and_swaps, 0,
                      sizeof cases / sizeof *cases);
  tcase_add_test(words, a_long_word_is_far_from_all);
  tcase_add_test(words, the_nearest_is_meant_and_the_first_of_equals);
  Suite *suite = suite_create("nearest");
  suite_add_tcase(suite, words);
  return run_suite(suite);
}
