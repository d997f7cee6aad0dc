/* What cmox_verify() puts into cmox_message(): CMOX_REPORT, and colour on a terminal. */
#include <cmdmox/cmdmox.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/run_suite.h"

/* The report of a mock that was not called; as long as the session. */
static const char *report(cmox_t *mox) {
  (void)cmox_mock(mox, "git");
  ck_assert_msg(cmox_replay(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  return cmox_message(mox);
}

static const struct {
  const char *format;
  const char *start;
} formats[] = {
    {"", "cmdmox: verification failed: 1 problem\n"},
    {"text", "cmdmox: verification failed: 1 problem\n"},
    {"json", "{\n"},
    {"junit", "<?xml "},
    {"tap", "TAP version 14\n"},
};

START_TEST(the_format_is_that_of_the_environment) {
  ck_assert_int_eq(setenv("CMOX_REPORT", formats[_i].format, 1), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "formats"));
  const char *text = report(mox);
  ck_assert_msg(strncmp(text, formats[_i].start, strlen(formats[_i].start)) == 0, "%s", text);
  ck_assert_ptr_null(strchr(text, '\033'));
}
END_TEST

START_TEST(a_test_that_passed_is_told_too_but_not_in_text) {
  ck_assert_int_eq(setenv("CMOX_REPORT", formats[_i].format, 1), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "formats"));
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
  const bool text = formats[_i].start[0] == 'c';
  const char *start = text ? "" : formats[_i].start, *message = cmox_message(mox);
  ck_assert_msg(strncmp(message, start, strlen(start)) == 0, "%s", message);
  ck_assert_int_eq(*message == '\0', text);
}
END_TEST

START_TEST(an_unknown_format_is_an_error) {
  ck_assert_int_eq(setenv("CMOX_REPORT", "html", 1), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_INVALID_ARGUMENT);
  ck_assert_str_eq(cmox_message(mox), "CMOX_REPORT is \"html\": write text, json, junit or tap");
}
END_TEST

static const struct {
  int not_a_terminal; /* a descriptor; 0: both are */
  const char *no_color, *term;
  bool color;
} terminals[] = {
    {0, "", "xterm", true},
    {0, "1", "xterm", false},
    {0, "", "dumb", false},
    {STDOUT_FILENO, "", "xterm", false},
    {STDERR_FILENO, "", "xterm", false},
};

/* Both ends of a new terminal. */
static void open_terminal(int ends[2]) {
  ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert_int_ge(ends[0], 0);
  ck_assert_int_eq(grantpt(ends[0]) | unlockpt(ends[0]), 0);
  ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert_int_ge(ends[1], 0);
}

START_TEST(text_has_colour_on_a_terminal) {
  unsetenv("CMOX_REPORT");
  setenv("NO_COLOR", terminals[_i].no_color, 1);
  setenv("TERM", terminals[_i].term, 1);
  int ends[2], kept[3];
  open_terminal(ends);
  (void)fflush(NULL);
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
    kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int other = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(dup2(fd == terminals[_i].not_a_terminal ? other : ends[1], fd), fd);
    close(other);
  }
  cmox_t *mox = cmox_new(NULL);
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
    ck_assert_int_eq(dup2(kept[fd], fd), fd);
    close(kept[fd]);
  }
  close(ends[0]);
  close(ends[1]);
  bool color = strchr(report(mox), '\033') != NULL;
  cmox_free(mox);
  ck_assert_int_eq(color, terminals[_i].color);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("capi_reports");
  TCase *cases = tcase_create("reports");
  tcase_set_timeout(cases, 30);
  tcase_add_loop_test(cases, the_format_is_that_of_the_environment, 0,
                      (int)(sizeof formats / sizeof *formats));
  tcase_add_loop_test(cases, a_test_that_passed_is_told_too_but_not_in_text, 0,
                      (int)(sizeof formats / sizeof *formats));
  tcase_add_test(cases, an_unknown_format_is_an_error);
  tcase_add_loop_test(cases, text_has_colour_on_a_terminal, 0,
                      (int)(sizeof terminals / sizeof *terminals));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
