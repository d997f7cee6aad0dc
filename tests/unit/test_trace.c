/* The trace: where it goes, what a line looks like, and that its table is documented. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/trace.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/files.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/trace_file.h"

static void one_line(void) {
  CMOX_TRACE(SHIMDIR_ADD, cmox_trace_text("git"), cmox_trace_text("OK"));
}

/* ---- The sink ---- */

START_TEST(is_off_without_a_value) {
  static const char *const values[] = {NULL, "", "0"};
  cmox_trace_hold(values[_i]);
  ck_assert(!cmox_trace_on());
  one_line();
  cmox_trace_release();
}
END_TEST

START_TEST(appends_to_a_file_of_this_user_alone) {
  struct stat info;
  mode_t mask = umask(0);
  for (int i = 0; i < 2; i++) {
    cmox_trace_hold(trace_path);
    ck_assert(cmox_trace_on());
    one_line();
    cmox_trace_release();
  }
  (void)umask(mask);
  ck_assert(!cmox_trace_on());
  ck_assert_int_eq(stat(trace_path, &info), 0);
  ck_assert_uint_eq(info.st_mode & 07777, 0600);
  char *text = cmox_test_read_file(trace_path);
  unsigned seconds, micro, lines = 0;
  long pid;
  char rest[64];
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"), lines++) {
    ck_assert_msg(sscanf(at, "%u.%6u engine %ld %63[^\n]", &seconds, &micro, &pid, rest) == 4, "%s",
                  at);
    ck_assert_int_eq(pid, getpid());
    ck_assert_str_eq(rest, "shimdir.add command=git result=OK");
  }
  ck_assert_uint_eq(lines, 2);
  free(text);
}
END_TEST

START_TEST(the_last_holder_closes_it) {
  int before = dup(0);
  (void)close(before);
  cmox_trace_hold(trace_path);
  cmox_trace_hold("relative/of/a/later/holder");
  cmox_trace_release();
  ck_assert(cmox_trace_on());
  cmox_trace_release();
  int after = dup(0);
  ck_assert_int_eq(after, before);
  (void)close(after);
}
END_TEST

START_TEST(never_takes_the_place_of_a_standard_stream) {
  int saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
  (void)close(1);
  cmox_trace_hold(trace_path);
  one_line();
  bool taken = fcntl(1, F_GETFD) >= 0;
  cmox_trace_release();
  (void)dup2(saved, 1);
  (void)close(saved);
  ck_assert(!taken);
}
END_TEST

static const char *wanted;

static int hold_twice(void) {
  for (int i = 0; i < 2; i++) {
    cmox_trace_hold(wanted);
    one_line();
    cmox_trace_release();
  }
  return 0;
}

static void assert_complaint(const char *value, const char *why) {
  wanted = value;
  SCOPED_RUN run = run_child(hold_twice);
  char line[512];
  (void)snprintf(line, sizeof line, "cmdmox: CMOX_TRACE=%s: %s; no trace is written\n", value, why);
  ck_assert_str_eq(run.err, line);
}

START_TEST(says_once_what_cannot_be_opened) {
  assert_complaint("trace.txt", "give the absolute path of a file, 1 for stderr, or 0 for none");
  assert_complaint(trace_folder, "Is a directory");
  assert_complaint("/nowhere/trace.txt", "No such file or directory");
  ck_assert_int_eq(symlink("elsewhere", trace_path), 0);
  assert_complaint(trace_path, "it is a symbolic link");
  (void)unlink(trace_path);
  ck_assert_int_eq(mkfifo(trace_path, 0600), 0);
  assert_complaint(trace_path, "nobody reads this pipe"); /* and nothing hangs */
}
END_TEST

static int write_to_nobody(void) {
  int reader = open(wanted, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  cmox_trace_hold(wanted);
  one_line();
  (void)close(reader);
  one_line();
  cmox_trace_release();
  return 7;
}

START_TEST(a_reader_that_leaves_does_not_end_the_process) {
  ck_assert_int_eq(mkfifo(trace_path, 0600), 0);
  wanted = trace_path;
  SCOPED_RUN run = run_child(write_to_nobody);
  ck_assert_int_eq(run.exit_code, 7);
  ck_assert_str_eq(run.err, "");
}
END_TEST

START_TEST(a_full_disk_is_said_once) {
  wanted = "/dev/full";
  SCOPED_RUN run = run_child(hold_twice);
  ck_assert_str_eq(run.err,
                   "cmdmox: CMOX_TRACE: No space left on device; lines are missing in the trace\n");
}
END_TEST

START_TEST(goes_to_stderr) {
  wanted = "1";
  SCOPED_RUN run = run_child(hold_twice);
  char *second = strchr(run.err, '\n');
  ck_assert_ptr_nonnull(strstr(run.err, " engine "));
  ck_assert_ptr_nonnull(second);
  ck_assert_ptr_nonnull(strstr(second, "shimdir.add command=git result=OK\n"));
}
END_TEST

enum { WRITERS = 4, LINES = 500 };

static void *write_lines(void *unused) {
  (void)unused;
  char text[200];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  for (int i = 0; i < LINES; i++)
    CMOX_TRACE(SHIMDIR_ADD, cmox_trace_text(text), cmox_trace_text("OK"));
  return NULL;
}

START_TEST(lines_of_threads_and_processes_stay_whole) {
  pthread_t threads[WRITERS];
  pid_t children[WRITERS];
  for (int i = 0; i < WRITERS; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    cmox_trace_hold(trace_path);
    (void)write_lines(NULL);
    _exit(0);
  }
  cmox_trace_hold(trace_path);
  for (int i = 0; i < WRITERS; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
  for (int i = 0; i < WRITERS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < WRITERS; i++) ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
  cmox_trace_release();
  char *text = cmox_test_read_file(trace_path);
  unsigned whole = 0;
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"), whole++)
    ck_assert_msg(strlen(strstr(at, " result=OK") ? strstr(at, " result=OK") : "") == 10 &&
                      strchr(at, 'x') && strspn(strchr(at, 'x'), "x") == 199,
                  "%s", at);
  ck_assert_uint_eq(whole, 2 * WRITERS * LINES);
  free(text);
}
END_TEST

/* ---- Lines ---- */

/* What the next line holds behind the process id. Static. */
static const char *line_of(cmox_trace_event_t event, const cmox_trace_value_t *values,
                           size_t count) {
  static char rest[CMOX_TRACE_LINE_MAX + 1];
  (void)unlink(trace_path);
  cmox_trace_hold(trace_path);
  cmox_trace(event, values, count);
  cmox_trace_release();
  char *text = cmox_test_read_file(trace_path);
  ck_assert_uint_le(strlen(text), CMOX_TRACE_LINE_MAX);
  ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
  const char *at = text;
  for (int words = 0; words < 3; words++) at = strchr(at, ' ') + 1;
  (void)snprintf(rest, sizeof rest, "%s", at);
  rest[strlen(rest) - 1] = '\0';
  free(text);
  return rest;
}

static const char *gate_line(cmox_span_t gate) {
  const cmox_trace_value_t values[] = {cmox_trace_number(UINT64_MAX), cmox_trace_bytes(gate)};
  return line_of(CMOX_TRACE_SESSION_HOLD, values, 2);
}

static const struct {
  const char *text;
  size_t len;
  const char *shown;
} texts[] = {
    {"a/b-c_d.e:f=g@h%i+j,k", 21, "a/b-c_d.e:f=g@h%i+j,k"},
    {"", 0, "\"\""},
    {"two words", 9, "\"two words\""},
    {"a\nb\x1b\"\\\0", 7, "\"a\\nb\\x1b\\\"\\\\\\x00\""},
    {"\xc3\xa9\xff", 3, "\"\xc3\xa9\\xff\""},
};

START_TEST(values_are_quoted_where_they_must_be) {
  char line[128];
  (void)snprintf(line, sizeof line, "session.hold call=18446744073709551615 gate=%s",
                 texts[_i].shown);
  ck_assert_str_eq(gate_line(cmox_span(texts[_i].text, texts[_i].len)), line);
}
END_TEST

START_TEST(what_is_long_is_cut) {
  static char text[CMOX_TRACE_TEXT_MAX + 1];
  memset(text, 'x', sizeof text);
  const char *line = gate_line(cmox_span(text, CMOX_TRACE_TEXT_MAX));
  ck_assert_ptr_null(strstr(line, "..."));
  line = gate_line(cmox_span(text, CMOX_TRACE_TEXT_MAX + 1));
  ck_assert_str_eq(line + strlen(line) - 18, "xx\"... (513 bytes)");
  memset(text, 1, sizeof text); /* four bytes each when quoted */
  cmox_trace_value_t values[5];
  for (int i = 0; i < 5; i++) values[i] = cmox_trace_bytes(cmox_span(text, sizeof text));
  line = line_of(CMOX_TRACE_SESSION_MATCH, values, 5);
  ck_assert_str_eq(line + strlen(line) - 8, "\\x01 ...");
}
END_TEST

START_TEST(a_line_allocates_nothing_and_keeps_errno) {
  alloc_fault_t fault;
  alloc_fault_install(&fault, false);
  cmox_trace_hold(trace_path);
  errno = EDOM;
  one_line();
  ck_assert_int_eq(errno, EDOM);
  cmox_trace_release();
  cmox_alloc_set_hooks(NULL);
  ck_assert_uint_eq(fault.seen, 0);
}
END_TEST

/* ---- The table ---- */

static const struct {
  const char *side, *name, *keys, *sentence;
} rows[] = {
#define CMOX_TRACE_EVENT(side, NAME, name, keys, sentence) {#side, name, keys, sentence},
#include "proto/trace.def"
#undef CMOX_TRACE_EVENT
};

START_TEST(documented_events) {
  char *text = cmox_test_read_file(CMOX_SOURCE_DIR "/docs/trace.md");
  size_t shown_rows = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char row[512];
    (void)snprintf(row, sizeof row, "| `%s` | `%s` | %s |", rows[i].name, rows[i].keys,
                   rows[i].sentence);
    ck_assert_msg(strstr(text, row) != NULL, "docs/trace.md has no row \"%s\"", row);
  }
  for (char *at = text; (at = strstr(at, "\n| `")); at++) {
    int end = 0; /* "| `name` | `keys` |": the other tables have words in their second column */
    (void)sscanf(at, "\n| `%*[a-z._]` | `%n", &end);
    shown_rows += end > 0;
  }
  ck_assert_uint_eq(shown_rows, sizeof rows / sizeof *rows);
  free(text);
}
END_TEST

START_TEST(events_are_named_by_their_side) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t len = strcspn(rows[i].name, ".");
    bool of_engine = strcmp(rows[i].side, "engine") == 0;
    bool same = strlen(rows[i].side) == len && memcmp(rows[i].side, rows[i].name, len) == 0;
    bool other = memcmp(rows[i].name, "shim.", 5) == 0 || memcmp(rows[i].name, "client.", 7) == 0;
    ck_assert_msg(of_engine ? !other : same, "%s", rows[i].name);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("trace");
  TCase *all = tcase_create("trace");
  tcase_set_timeout(all, 60);
  tcase_add_checked_fixture(all, trace_file_open, trace_file_close);
  tcase_add_loop_test(all, is_off_without_a_value, 0, 3);
  tcase_add_test(all, appends_to_a_file_of_this_user_alone);
  tcase_add_test(all, the_last_holder_closes_it);
  tcase_add_test(all, never_takes_the_place_of_a_standard_stream);
  tcase_add_test(all, says_once_what_cannot_be_opened);
  tcase_add_test(all, a_reader_that_leaves_does_not_end_the_process);
  tcase_add_test(all, a_full_disk_is_said_once);
  tcase_add_test(all, goes_to_stderr);
  tcase_add_test(all, lines_of_threads_and_processes_stay_whole);
  tcase_add_loop_test(all, values_are_quoted_where_they_must_be, 0,
                      (int)(sizeof texts / sizeof *texts));
  tcase_add_test(all, what_is_long_is_cut);
  tcase_add_test(all, a_line_allocates_nothing_and_keeps_errno);
  tcase_add_test(all, documented_events);
  tcase_add_test(all, events_are_named_by_their_side);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
