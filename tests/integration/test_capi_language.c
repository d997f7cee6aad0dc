/* The language of expectations through the C API: each case declares doubles, runs one line of
 * shell against them, and says what verify must find. */
#include <cmdmox/check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

typedef struct language_case {
  const char *name;
  void (*declare)(cmox_t *mox);
  const char *line;
  const char *out;   /* what the line writes to stdout */
  const char *finds; /* in verify's report; NULL: it passes */
} language_case_t;

static cmox_double_t *mock(cmox_t *mox) { return cmox_mock(mox, "git"); }

static void globs(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_EQ("add"), CMOX_GLOB("src/*.c"), CMOX_ENDS_WITH(".h"));
}
static void types(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_IS_A(CMOX_INT), CMOX_IS_A(CMOX_FLOAT),
                          CMOX_IS_A(CMOX_BOOL), CMOX_IS_A(CMOX_PATH), CMOX_IS_A(CMOX_JSON));
}
static void documents(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_JSON_EQ("{\"a\": [1], \"b\": null}"));
}
static void composed(cmox_t *mox) {
  cmox_with_matching_args(
      mock(mox),
      CMOX_ALL_OF(CMOX_STARTS_WITH("v"), CMOX_NOT(CMOX_ANY_OF(CMOX_EQ("v1"), CMOX_EQ("v2")))),
      CMOX_ONE_OF("alpha", "beta"));
}
static void rest(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_EQ("rm"), CMOX_REST(CMOX_NOT(CMOX_STARTS_WITH("-"))));
}
static void any_order(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_ANY_ORDER(CMOX_EQ("-a"), CMOX_EQ("-b")), CMOX_EQ("x"));
}
static void contains(cmox_t *mox) {
  cmox_with_matching_args(mock(mox), CMOX_EQ("run"),
                          CMOX_ARGS_CONTAIN(CMOX_EQ("-v"), CMOX_STARTS_WITH("--name=")));
}
static void flag(cmox_t *mox) {
  cmox_with_matching_args(cmox_times(mock(mox), 2), CMOX_FLAG("--depth", CMOX_IS_A(CMOX_INT)),
                          CMOX_EQ("url"));
}
static void variables(cmox_t *mox) {
  cmox_double_t *git = mock(mox);
  cmox_with_matching_env(git, "COLOR", CMOX_ONE_OF("always", "never"));
  cmox_with_matching_env(git, "PAGER", CMOX_UNSET);
}
static void injected(cmox_t *mox) { cmox_with_env(mock(mox), "LEVEL", "3"); }
static void directory(cmox_t *mox) { cmox_with_cwd(mock(mox), "/"); }
static void at_least(cmox_t *mox) { cmox_at_least(mock(mox), 2); }
static void at_most(cmox_t *mox) { cmox_at_most(mock(mox), 1); }
static void between(cmox_t *mox) { cmox_between(mock(mox), 1, 2); }
static void never(cmox_t *mox) {
  cmox_never(cmox_with_args(mock(mox), "push"));
  cmox_stub(mox, "git");
}
static void any_times(cmox_t *mox) { cmox_any_times(mock(mox)); }
static void turns(cmox_t *mox) {
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns(git, .out = "then\n");
  cmox_returns_once(git, .out = "first\n");
  cmox_returns_times(git, 2, .out = "second\n");
}
static void last_turn(cmox_t *mox) {
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns_once(git, .out = "a\n");
  cmox_returns_once(git, .out = "b\n");
}
static void ordered(cmox_t *mox) {
  cmox_in_order(cmox_with_args(mock(mox), "add"), cmox_with_args(mock(mox), "commit"),
                cmox_mock(mox, "ssh"));
}
static void two_sequences(cmox_t *mox) {
  cmox_double_t *a = cmox_with_args(mock(mox), "a");
  cmox_double_t *b = cmox_with_args(mock(mox), "b");
  cmox_double_t *c = cmox_with_args(mock(mox), "c");
  cmox_in_sequence("first", a, c);
  cmox_in_sequence("second", b, c);
}
static void repeated_step(cmox_t *mox) {
  cmox_in_order(cmox_at_least(cmox_with_args(mock(mox), "poll"), 1),
                cmox_with_args(mock(mox), "done"));
}
static void freed(cmox_t *mox) {
  cmox_double_t *a = cmox_with_args(mock(mox), "a");
  cmox_double_t *b = cmox_with_args(mock(mox), "b");
  cmox_in_order(a, b);
  cmox_any_order(b);
}
static void after(cmox_t *mox) {
  cmox_double_t *login = cmox_with_args(cmox_at_least(mock(mox), 1), "login");
  cmox_after(cmox_with_args(mock(mox), "push"), login);
}

static const language_case_t cases[] = {
    {"y_globs", globs, "git add src/a/b.c x.h", "", NULL},
    {"n_globs", globs, "git add src/a.o x.h", "", "expected like \"src/*.c\""},
    {"y_types", types, "git -5 1e3 Yes /x '{\"a\":1}'", "", NULL},
    {"n_types", types, "git five 1e3 Yes /x '{}'", "", "actual   \"five\" (not an integer)"},
    {"y_documents", documents, "git '{ \"b\":null, \"a\":[ 1 ] }'", "", NULL},
    {"n_documents", documents, "git '{\"b\":null,\"a\":[2]}'", "",
     "($.a[0]: expected 1, actual 2)"},
    {"y_composed", composed, "git v3 beta", "", NULL},
    {"n_composed", composed, "git v2 beta", "", "(it is (\"v1\" or \"v2\"))"},
    {"y_rest", rest, "git rm a b c", "", NULL},
    {"n_rest", rest, "git rm a -f c", "", "argument 3: expected not (starting with \"-\")"},
    {"y_any_order", any_order, "git -b -a x", "", NULL},
    {"n_any_order", any_order, "git -b -b x", "", "arguments 1 to 2: expected in any order"},
    {"y_contains", contains, "git run --rm --name=x img -v", "", NULL},
    {"n_contains", contains, "git run --rm img -v", "", "expected among others, in any order"},
    {"y_flag", flag, "git --depth 1 url; git --depth=2 url", "", NULL},
    {"n_flag", flag, "git --depth x url", "", "arguments 1 to 2: expected --depth an integer"},
    {"y_variables", variables, "unset PAGER; COLOR=never git", "", NULL},
    {"n_variables", variables, "unset PAGER; COLOR=maybe git", "",
     "environment COLOR: expected (\"always\" or \"never\")"},
    {"n_variable_set", variables, "COLOR=never PAGER=less git", "",
     "environment PAGER: expected (not set)"},
    {"n_variable_missing", variables, "unset PAGER COLOR; git", "", "actual   (not set)"},
    {"y_injected_missing", injected, "unset LEVEL; git", "", NULL},
    {"y_injected_same", injected, "LEVEL=3 git", "", NULL},
    {"n_injected_other", injected, "LEVEL=4 git", "", "environment LEVEL: expected \"3\""},
    {"y_directory", directory, "cd / && git", "", NULL},
    {"n_directory", directory, "cd /tmp && git", "", "working directory: expected \"/\""},
    {"y_at_least", at_least, "git; git; git", "", NULL},
    {"n_at_least", at_least, "git", "", "expected at least 2 calls"},
    {"y_at_most_none", at_most, ":", "", NULL},
    {"n_at_most", at_most, "git; git", "", "which takes at most 1 call"},
    {"y_between", between, "git; git", "", NULL},
    {"n_between", between, ":", "", "expected between 1 and 2 calls"},
    {"y_never", never, "git pull", "", NULL},
    {"n_never", never, "git push", "", "which must not be called"},
    {"y_any_times", any_times, ":", "", NULL},
    {"y_turns", turns, "git; git; git; git; git", "first\nsecond\nsecond\nthen\nthen\n", NULL},
    {"y_last_turn", last_turn, "git; git; git", "a\nb\nb\n", NULL},
    {"y_ordered", ordered, "git add; git commit; ssh", "", NULL},
    {"n_ordered", ordered, "git add; ssh; git commit", "",
     "out of order: ssh: mock git commit (tests/integration/test_capi_language.c:"},
    {"n_ordered_again", ordered, "git add; git commit; git add; ssh", "",
     "one call too many: git add"},
    {"y_two_sequences", two_sequences, "git b; git a; git c", "", NULL},
    {"n_two_sequences", two_sequences, "git a; git c; git b", "",
     "out of order: git c: mock git b"},
    {"y_repeated_step", repeated_step, "git poll; git poll; git done", "", NULL},
    {"n_repeated_step", repeated_step, "git poll; git done; git poll", "",
     "comes after it and has already been called"},
    {"y_freed", freed, "git b; git a", "", NULL},
    {"y_after", after, "git login; git login; git push; git login", "", NULL},
    {"n_after", after, "git push; git login", "", "must be called first"},
};

START_TEST(doubles_take_what_they_say) {
  const language_case_t *it = &cases[_i];
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = it->name));
  it->declare(mox);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL(it->line);
  cmox_code_t code = cmox_verify(mox);
  if (!it->finds) {
    ck_assert_msg(code == CMOX_OK, "%s: %s%s", it->name, cmox_message(mox), run.err);
  } else {
    ck_assert_msg(code == CMOX_E_VERIFICATION_FAILED, "%s: passed", it->name);
    ck_assert_msg(strstr(cmox_message(mox), it->finds) != NULL, "%s: '%s' is not in: %s", it->name,
                  it->finds, cmox_message(mox));
  }
  ck_assert_str_eq(run.out, it->out);
}
END_TEST

START_TEST(a_gate_holds_calls_until_it_is_released) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_times(cmox_mock(mox, "git"), 2), .out = "late\n", .gate = "door");
  ck_cmox_replay(mox);
  ck_assert_uint_eq(cmox_release(mox, "door"), 0);
  FILE *calls = popen("git & git & wait", "r");
  ck_assert_ptr_nonnull(calls);
  for (uint64_t released = 0; released < 2;) released += cmox_release(mox, "door");
  char text[32] = "";
  size_t len = fread(text, 1, sizeof text - 1, calls);
  text[len] = '\0';
  ck_assert_int_eq(pclose(calls), 0);
  ck_assert_str_eq(text, "late\nlate\n");
  ck_cmox_verify(mox);
}
END_TEST

/* What a test says wrongly is told by replay, each with its reason. */
START_TEST(mistakes_are_kept) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = mock(mox);
  cmox_double_t *stub = cmox_stub(mox, "ls");
  cmox_between(git, 3, 2);
  cmox_with_matching_args(git, CMOX_REST(CMOX_ANY), CMOX_ANY);
  cmox_with_matching_stdin(git, CMOX_REST(CMOX_ANY));
  cmox_with_matching_args(git, CMOX_JSON_EQ("{"));
  cmox_with_matching_args(git, CMOX_GLOB("["));
  cmox_with_matching_args(git, CMOX_NOT(CMOX_EQ(NULL)));
  cmox_with_matching_args(git, CMOX_IS_A((cmox_type_t)77));
  cmox_with_env(git, "A=B", "1");
  cmox_with_matching_env(git, NULL, CMOX_ANY);
  cmox_returns_times(git, 0, .out = "x");
  cmox_returns(git, .hang = true, .exit_code = 1);
  cmox_in_order(git, stub);
  cmox_after(git, git);
  cmox_after(git, NULL);
  cmox_in_order(git, NULL);
  cmox_double_t *first = cmox_mock(mox, "git"), *then = cmox_mock(mox, "git");
  cmox_double_t *last = cmox_after(cmox_mock(mox, "git"), cmox_after(then, first));
  cmox_after(first, last);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  static const char *const told[] = {
      "cmox_between: the least number of calls, 3, is above the greatest, 2",
      "cmox_with_matching_args: argument item 1: what takes all that is left must come last",
      "cmox_with_stdin: CMOX_REST stands only in the list of cmox_with_matching_args()",
      "cmox_with_matching_args: invalid JSON at line 1, column 1",
      "cmox_with_matching_args: invalid glob \"[\"",
      "cmox_with_matching_args: argument 1: the text to compare with is NULL",
      "cmox_with_matching_args: this server does not know value type 77",
      "cmox_with_env: a variable needs a name, not NULL, not empty and without '='",
      "cmox_with_matching_env: a variable needs a name, not NULL, not empty and without '='",
      "cmox_returns_times: an answer to 0 calls would never be given",
      "cmox_returns: a command that hangs has neither .exit_code nor .signal",
      "cmox_in_order: an order belongs to mocks: stubs and spies may be called at any time",
      "cmox_after: after: a double cannot wait for itself",
      "cmox_after: the doubles belong to two sessions",
      "cmox_in_order: double 2 of the list is NULL",
      "cmox_after: after: what the double is to wait for waits for the double itself"};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++)
    ck_assert_msg(strstr(cmox_message(mox), told[i]) != NULL, "'%s' is not in: %s", told[i],
                  cmox_message(mox));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_language");
  TCase *tests = tcase_create("language");
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, doubles_take_what_they_say, 0, (int)(sizeof cases / sizeof *cases));
  tcase_add_test(tests, a_gate_holds_calls_until_it_is_released);
  tcase_add_test(tests, mistakes_are_kept);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
