/* What doubles do when they are called, and what the session does when none of them is meant,
 * through the C API: each case runs one line of shell in a directory of its own. */
#include <cmdmox/check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

typedef struct action_case {
  const char *name;
  void (*declare)(cmox_t *mox);
  const char *line;
  const char *out;   /* what the line writes to stdout */
  const char *err;   /* in what it writes to stderr; NULL: it writes nothing there */
  const char *finds; /* in verify's report; NULL: it passes */
} action_case_t;

/* ---- The default action ---------------------------------------------------- */

static void otherwise(cmox_t *mox) {
  cmox_returns(cmox_with_args(cmox_mock(mox, "git"), "push"), .out = "pushed\n");
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "default\n", .exit_code = 3);
}
static void otherwise_ordered(cmox_t *mox) {
  cmox_in_order(cmox_with_args(cmox_mock(mox, "git"), "add"),
                cmox_with_args(cmox_mock(mox, "git"), "commit"));
  cmox_default_returns(mox, .out = "default\n");
}
static void last_word(cmox_t *mox) {
  cmox_default_returns(mox, .out = "first\n");
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "last\n");
}
static void taken_back(cmox_t *mox) {
  otherwise(mox);
  cmox_default_fails(mox);
}
static void stubbed(cmox_t *mox) {
  cmox_returns(cmox_stub(mox, "git"), .out = "stub\n");
  cmox_default_returns(mox, .out = "default\n");
}
static void on_stdin(cmox_t *mox) {
  cmox_with_stdin(cmox_stub(mox, "git"), "yes");
  cmox_default_returns(mox, .out = "default\n");
}

/* ---- Chunks ------------------------------------------------------------------ */

static void chunks(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .out = "three\n", .err = "four\n", .exit_code = 2,
               .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "one\n"), CMOX_ERR_AFTER(1, "two\n"),
                                     CMOX_ERR_AFTER(0, "and "), {.delay_ms = 1}));
}
static void chunks_in_turn(cmox_t *mox) {
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns_once(git, .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(1, "once\n")));
  cmox_returns(git, .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(1, "then\n")));
  cmox_default_returns(mox, .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(1, "default\n")));
  cmox_register_command(mox, "curl");
}
static void chunks_then_death(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .signal = "SIGTERM",
               .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(1, "half")));
}
/* What comes an hour later never comes in these. */
enum { AN_HOUR = 3600000 };
static void one_chunk_now(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "now\n"),
                                                            CMOX_OUT_AFTER(AN_HOUR, "late\n")));
}
#define FIRST_LINE "mkfifo p; git >p & read -r first <p; "
#define KILL_IT "{ kill $!; wait $!; } 2>/dev/null; echo $first $?"

/* ---- Files ------------------------------------------------------------------- */

static void files(cmox_t *mox) {
  cmox_returns(cmox_stub(mox, "git"), .out = "done\n",
               .files = CMOX_FILES(CMOX_FILE("plain", "text\n"),
                                   CMOX_FILE_MODE("run", "#!/bin/sh\necho ran\n", 0751),
                                   CMOX_FILE_MODE("locked", NULL, 0400)));
}
static void late_file(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "now\n")),
               .delay_ms = AN_HOUR, .files = CMOX_FILES(CMOX_FILE("plain", "text\n")));
}
static void no_directory(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .out = "never\n",
               .files = CMOX_FILES(CMOX_FILE("first", "x"), CMOX_FILE("no/such\xff", "x"),
                                   CMOX_FILE("third", "x")));
}
static void full_disk(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .out = "never\n",
               .files = CMOX_FILES(CMOX_FILE("/dev/full", "x")));
}
static void a_pipe(cmox_t *mox) {
  cmox_returns(cmox_mock(mox, "git"), .files = CMOX_FILES(CMOX_FILE("p", "x")));
}

static const action_case_t cases[] = {
    {"y_default", otherwise, "git push; git pull; curl; echo $?", "pushed\ndefault\ndefault\n3\n",
     NULL, NULL},
    {"n_default_is_no_excess_call", otherwise, "git push; git push", "pushed\n",
     "cmdmox: one call too many: git push", "1. one call too many: git push"},
    {"n_default_keeps_the_order", otherwise_ordered, "git commit; git pull; git add", "default\n",
     "cmdmox: out of order: git commit", "out of order: git commit"},
    {"n_default_satisfies_nothing", otherwise, "git pull", "default\n", NULL,
     "never called: mock git push"},
    {"y_the_last_default_counts", last_word, "curl", "last\n", NULL, NULL},
    {"n_default_taken_back", taken_back, "git push; curl", "pushed\n",
     "cmdmox: unexpected call: curl", "unexpected call: curl"},
    {"y_doubles_before_default", stubbed, "git x", "stub\n", NULL, NULL},
    {"y_chunks", chunks, "git 2>&1; echo $?", "one\ntwo\nand three\nfour\n2\n", NULL, NULL},
    {"y_chunks_on_their_streams", chunks, "git 2>err; cat err", "one\nthree\ntwo\nand four\n", NULL,
     NULL},
    {"y_chunks_in_turn", chunks_in_turn, "git; git; curl", "once\nthen\ndefault\n", NULL, NULL},
    {"y_chunks_then_death", chunks_then_death, "{ git; } 2>/dev/null; echo $?", "half143\n", NULL,
     NULL},
    {"y_a_chunk_does_not_wait_for_the_next", one_chunk_now, FIRST_LINE KILL_IT, "now 143\n", NULL,
     NULL},
    {"y_files", files, "umask 027; git; cat plain; ./run; stat -c '%a %s' plain run locked",
     "done\ntext\nran\n640 5\n751 19\n400 0\n", NULL, NULL},
    {"y_files_where_the_call_is", files, "mkdir sub; cd sub; git; cd ..; echo sub/* *",
     "done\nsub/locked sub/plain sub/run sub\n", NULL, NULL},
    {"y_files_are_replaced", files,
     "umask 022; echo a long old text >plain; echo old >run; git; "
     "cat plain; ./run; stat -c %a run",
     "done\ntext\nran\n751\n", NULL, NULL},
    {"y_files_before_output", files, "git | (read -r line; cat plain)", "text\n", NULL, NULL},
    {"y_files_after_chunks_and_delay", late_file, FIRST_LINE "test -e plain || echo none; " KILL_IT,
     "none\nnow 143\n", NULL, NULL},
    {"n_file_without_directory", no_directory, "git; echo $?; echo *", "125\nfirst\n",
     "cmdmox: git: cannot create no/such\xff: No such file or directory\n",
     "the shim failed ($'no/such\\xff: No such file or directory') and ended "
     "with "
     "125: git"},
    {"n_file_on_a_full_disk", full_disk, "git; echo $?", "125\n",
     "cmdmox: git: cannot write /dev/full: No space left on device\n",
     "('/dev/full: No space left on device') and ended with 125: git"},
    {"n_file_is_a_pipe_that_nobody_reads", a_pipe, "mkfifo p; git; echo $?", "125\n",
     "cmdmox: git: cannot create p: No such device or address\n", "p: No such device or address"},
    {"y_default_after_stdin", on_stdin, "printf yes | git; printf no | git", "default\n", NULL,
     NULL},
};

static char scratch[64];

static void setup(void) {
  scratch_directory(scratch, sizeof scratch);
  ck_assert_int_eq(chdir(scratch), 0);
}

static void teardown(void) {
  ck_assert_int_eq(chdir("/"), 0);
  scratch_remove(scratch);
}

START_TEST(calls_are_answered_as_they_say) {
  const action_case_t *it = &cases[_i];
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = it->name));
  it->declare(mox);
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL(it->line);
  cmox_code_t code = cmox_verify(mox);
  ck_assert_msg(code == (it->finds ? CMOX_E_VERIFICATION_FAILED : CMOX_OK), "%s: %s%s", it->name,
                cmox_message(mox), run.err);
  if (it->finds)
    ck_assert_msg(strstr(cmox_message(mox), it->finds) != NULL, "%s: '%s' is not in: %s", it->name,
                  it->finds, cmox_message(mox));
  ck_assert_str_eq(run.out, it->out);
  if (it->err)
    ck_assert_msg(strstr(run.err, it->err) != NULL, "%s: '%s' is not in: %s", it->name, it->err,
                  run.err);
  else
    ck_assert_str_eq(run.err, "");
}
END_TEST

START_TEST(calls_of_the_default_action_belong_to_no_double) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  otherwise(mox);
  cmox_double_t *git = cmox_stub(mox, "ls");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git push; curl -I; ls");
  ck_assert_str_eq(run.out, "pushed\ndefault\n");
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  ck_assert_uint_eq(all->count, 3);
  ck_assert_int_eq(all->items[1].verdict, CMOX_VERDICT_ACCEPTED);
  ck_assert_str_eq(all->items[1].stdout_data.data, "default\n");
  ck_assert_int_eq(all->items[1].exit_code, 3);
  ck_assert_uint_eq(cmox_call_count(git), 1);
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(a_default_action_may_change_in_replay_and_not_after) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_register_command(mox, "curl");
  cmox_default_returns(mox, .out = "one\n");
  ck_cmox_replay(mox);
  SCOPED_RUN one = RUN_SHELL("curl");
  ck_assert_str_eq(one.out, "one\n");
  cmox_default_returns(mox, .out = "two\n", .gate = "door");
  FILE *held = popen("curl", "r");
  while (cmox_release(mox, "door") == 0) {
  }
  char text[16] = "";
  ck_assert_ptr_nonnull(fgets(text, sizeof text, held));
  ck_assert_str_eq(text, "two\n");
  ck_assert_int_eq(pclose(held), 0);
  ck_cmox_verify(mox);
  cmox_default_fails(mox);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "cmox_default_fails: the session has been"));
}
END_TEST

enum { BIG = 700000, REST = 100000 };

/* Above a window, a piece and an inline reply, with every byte in its place. */
START_TEST(large_chunks_and_files_arrive_exactly) {
  static char out[BIG + REST], err[BIG + REST], file[BIG];
  for (size_t i = 0; i < sizeof out; i++) out[i] = (char)(i % 251);
  for (size_t i = 0; i < sizeof err; i++) err[i] = (char)(i % 241);
  for (size_t i = 0; i < sizeof file; i++) file[i] = (char)(i % 239);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  const cmox_chunk_t chunks_said[] = {
      {0, out, BIG / 2, false}, {1, err, BIG, true}, {1, out + BIG / 2, BIG - BIG / 2, false}};
  const cmox_file_t files_said[] = {{"big", file, BIG, 0}, {"small", "s", 0, 0}};
  cmox_returns(cmox_mock(mox, "git"), .out = out + BIG, .out_len = REST, .err = err + BIG,
               .err_len = REST, .chunks = {3, chunks_said}, .files = {2, files_said});
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git; cat small");
  ck_assert_uint_eq(run.out_len, BIG + REST + 1);
  ck_assert_mem_eq(run.out, out, BIG + REST);
  ck_assert_uint_eq(run.err_len, BIG + REST);
  ck_assert_mem_eq(run.err, err, BIG + REST);
  FILE *made = fopen("big", "r");
  static char read_back[BIG + 1];
  ck_assert_uint_eq(fread(read_back, 1, sizeof read_back, made), BIG);
  ck_assert_mem_eq(read_back, file, BIG);
  ck_assert_int_eq(fclose(made), 0);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(mox);
  ck_assert_uint_eq(all->items[0].stdout_data.len, BIG + REST);
  ck_assert_mem_eq(all->items[0].stdout_data.data, out, BIG + REST);
  ck_assert_mem_eq(all->items[0].stderr_data.data, err, BIG + REST);
  ck_cmox_verify(mox);
}
END_TEST

/* Once in all, not once for each file: the test would run into its guard. */
START_TEST(the_delay_is_waited_for_once) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  static cmox_file_t many[200];
  for (size_t i = 0; i < sizeof many / sizeof *many; i++) many[i] = (cmox_file_t){.path = "same"};
  cmox_returns(cmox_mock(mox, "git"), .out = "done", .delay_ms = 500,
               .files = {sizeof many / sizeof *many, many});
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN_SHELL("git");
  ck_assert_str_eq(run.out, "done");
  ck_cmox_verify(mox);
}
END_TEST

START_TEST(mistakes_are_kept) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_mock(mox, "git");
  static char path[5000];
  memset(path, 'p', sizeof path - 1);
  cmox_returns(git, .chunks = {1, NULL});
  cmox_returns(git, .chunks = CMOX_CHUNKS({.len = 5}));
  cmox_returns(git, .files = {1, NULL});
  cmox_returns(git, .files = CMOX_FILES(CMOX_FILE(NULL, "x")));
  cmox_returns(git, .files = CMOX_FILES(CMOX_FILE(path, "x")));
  cmox_returns(git, .files = CMOX_FILES(CMOX_FILE_MODE("f", "x", 01777)));
  cmox_default_returns(mox, .exit_code = 256);
  cmox_default_returns_at(mox, CMOX_HERE, NULL);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  static const char *const told[] = {
      "cmox_returns: .chunks.items is NULL",
      "cmox_returns: .chunks.items[].data is NULL and .len is 5",
      "cmox_returns: .files.items is NULL",
      "cmox_returns: a file needs a path of 1 to 4095 bytes without NUL",
      "cmox_returns: the file f: mode 1777 is not within 0 to 777 (octal)",
      "cmox_default_returns: .exit_code is 256, not 0 to 255",
      "cmox_default_returns: the reply is NULL"};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++)
    ck_assert_msg(strstr(cmox_message(mox), told[i]) != NULL, "'%s' is not in: %s", told[i],
                  cmox_message(mox));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_actions");
  TCase *tests = tcase_create("actions");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_loop_test(tests, calls_are_answered_as_they_say, 0,
                      (int)(sizeof cases / sizeof *cases));
  tcase_add_test(tests, calls_of_the_default_action_belong_to_no_double);
  tcase_add_test(tests, a_default_action_may_change_in_replay_and_not_after);
  tcase_add_test(tests, large_chunks_and_files_arrive_exactly);
  tcase_add_test(tests, the_delay_is_waited_for_once);
  tcase_add_test(tests, mistakes_are_kept);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
