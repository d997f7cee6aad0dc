/* Servers that are absent, silent, slow, rude or gone. */
#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/fake_server.h"
#include "tests/lib/run_suite.h"

static fake_server_t *fake;

static cmox_t *connect_to_fake(void) {
  return cmox_new(CMOX_OPTIONS(.address = fake_address(fake)));
}

static void teardown(void) {
  if (fake) fake_stop(fake);
  fake = NULL;
}

static void expect_failure(cmox_t *mox, cmox_code_t code, const char *part) {
  ck_assert_msg(cmox_code(mox) == code, "%s: %s", cmox_code_reason(cmox_code(mox)),
                cmox_message(mox));
  ck_assert_msg(strstr(cmox_message(mox), part), "%s", cmox_message(mox));
  ck_assert_int_eq(cmox_replay(mox), code);
  ck_assert_int_eq(cmox_verify(mox), code);
  ck_assert_ptr_null(cmox_environ(mox));
}

static double seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Addresses --------------------------------------------------------- */

typedef struct address_case {
  const char *address;
  cmox_code_t code;
  const char *part;
} address_case_t;

static const address_case_t addresses[] = {
    {"unix:/nonexistent/s", CMOX_E_NO_SERVER, "no server at /nonexistent/s: there is no such"},
    {"/nonexistent/s", CMOX_E_NO_SERVER, "/nonexistent/s"},
    {"unix:/etc/passwd", CMOX_E_NO_SERVER, "no server at /etc/passwd: nobody listens"},
    {"tcp:127.0.0.1:1", CMOX_E_UNSUPPORTED_SCHEME, "tcp:127.0.0.1:1"},
    {"pipe:cmox", CMOX_E_UNSUPPORTED_SCHEME, "unix:"},
    {"http://x", CMOX_E_UNSUPPORTED_SCHEME, "http://x"},
    {"", CMOX_E_BAD_ADDRESS, "malformed address"},
    {"unix:", CMOX_E_BAD_ADDRESS, "unix:"},
};

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

START_TEST(unusable_addresses_say_why) {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = addresses[_i].address));
  expect_failure(mox, addresses[_i].code, addresses[_i].part);
}
END_TEST

START_TEST(a_long_socket_path_is_refused_not_cut) {
  char address[256] = "unix:/";
  memset(address + 6, 'x', CMOX_SOCKET_PATH_MAX - 1);
  CMOX_SCOPED cmox_t *longest = cmox_new(CMOX_OPTIONS(.address = address));
  expect_failure(longest, CMOX_E_NO_SERVER, address + 5);
  address[6 + CMOX_SOCKET_PATH_MAX - 1] = 'x';
  CMOX_SCOPED cmox_t *too_long = cmox_new(CMOX_OPTIONS(.address = address));
  expect_failure(too_long, CMOX_E_PATH_TOO_LONG, "107");
}
END_TEST

static const char *const bad_timeouts[] = {"", "0", "-1", "5s", "nan", "inf", "1e3", " 5"};

START_TEST(a_bad_timeout_is_named) {
  ck_assert_int_eq(setenv("CMOX_IPC_TIMEOUT", bad_timeouts[_i], 1), 0);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  ck_assert_int_eq(unsetenv("CMOX_IPC_TIMEOUT"), 0);
  char part[64];
  (void)snprintf(part, sizeof part, "CMOX_IPC_TIMEOUT is \"%s\"", bad_timeouts[_i]);
  expect_failure(mox, CMOX_E_BAD_TIMEOUT, part);
}
END_TEST

/* ---- Answers ----------------------------------------------------------- */

static bool never_answer_replay(fake_server_t *server, const char *method,
                                const Cmdmox__V1__Frame *frame) {
  (void)server;
  (void)frame;
  return strcmp(method, "Replay") == 0;
}

START_TEST(silence_is_bounded_by_the_timeout) {
  fake = fake_start(never_answer_replay);
  ck_assert_int_eq(setenv("CMOX_IPC_TIMEOUT", "0.2", 1), 0);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  ck_assert_int_eq(unsetenv("CMOX_IPC_TIMEOUT"), 0);
  double start = seconds();
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_DEADLINE_EXCEEDED);
  double took = seconds() - start;
  ck_assert_msg(took >= 0.19 && took < 5, "%f s", took);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "Replay: the server was silent for 200 ms"));
  cmox_mock(mox, "git");
  cmox_mock(mox, "ssh");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_DEADLINE_EXCEEDED);
  ck_assert_ptr_null(strstr(cmox_message(mox), "\n"));
  ck_assert_uint_eq(fake_count(fake, "CreateDoubles"), 0);
}
END_TEST

static void send_progress(fake_server_t *server, const Cmdmox__V1__Frame *frame) {
  Cmdmox__V1__Notify notify = CMDMOX__V1__NOTIFY__INIT;
  notify.topic = (char *)"cmdmox.v1.Progress";
  Cmdmox__V1__Frame news = CMDMOX__V1__FRAME__INIT;
  news.body_case = CMDMOX__V1__FRAME__BODY_NOTIFY;
  news.notify = &notify;
  (void)frame;
  fake_send(server, &news);
}

static bool work_slowly(fake_server_t *server, const char *method, const Cmdmox__V1__Frame *frame) {
  if (strcmp(method, "Replay") != 0) return false;
  for (int i = 0; i < 6; i++) {
    const struct timespec pause = {.tv_nsec = 100000000};
    (void)nanosleep(&pause, NULL); /* being slow is the point */
    send_progress(server, frame);
  }
  return false;
}

START_TEST(news_restart_the_wait) {
  fake = fake_start(work_slowly);
  ck_assert_int_eq(setenv("CMOX_IPC_TIMEOUT", "0.4", 1), 0);
  CMOX_SCOPED cmox_t *mox =
      cmox_new(CMOX_OPTIONS(.address = fake_address(fake), .environment = CMOX_ENVIRONMENT_NONE));
  ck_assert_int_eq(unsetenv("CMOX_IPC_TIMEOUT"), 0);
  ck_assert_msg(cmox_replay(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
}
END_TEST

static bool hang_up_at_replay(fake_server_t *server, const char *method,
                              const Cmdmox__V1__Frame *frame) {
  (void)frame;
  if (strcmp(method, "Replay") != 0) return false;
  fake_hang_up(server);
  return true;
}

static bool hang_up_at_verify(fake_server_t *server, const char *method,
                              const Cmdmox__V1__Frame *frame) {
  (void)frame;
  if (strcmp(method, "Verify") != 0) return false;
  fake_hang_up(server);
  return true;
}

START_TEST(a_server_that_dies_is_told_once_and_restores_the_environment) {
  fake = fake_start(hang_up_at_replay);
  char *before = strdup(getenv("PATH"));
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  cmox_mock(mox, "git");
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_LINK_CLOSED);
  ck_assert(starts_with(getenv("PATH"), "/fake/bin:"));
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_LINK_CLOSED);
  ck_assert_str_eq(getenv("PATH"), before);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_journal(mox);
  ck_assert_int_eq(calls->code, CMOX_E_LINK_CLOSED);
  free(before);
}
END_TEST

static uint32_t refused_id;

static bool ask_back(fake_server_t *server, const char *method, const Cmdmox__V1__Frame *frame) {
  if (strcmp(method, "(response)") == 0) {
    if (frame->response->result_case == CMDMOX__V1__RESPONSE__RESULT_ERROR &&
        strcmp(frame->response->error->reason, "UNIMPLEMENTED") == 0)
      refused_id = frame->id;
    return true;
  }
  if (strcmp(method, "Replay") != 0) return false;
  Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
  request.method = (char *)"cmdmox.v1.CallbackService/Handle";
  Cmdmox__V1__Frame callback = CMDMOX__V1__FRAME__INIT;
  callback.id = 42;
  callback.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  callback.request = &request;
  fake_send(server, &callback);
  return false;
}

START_TEST(callbacks_are_refused_and_the_call_goes_on) {
  fake = fake_start(ask_back);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  ck_assert_msg(cmox_replay(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK); /* the server has read the refusal by now */
  ck_assert_uint_eq(refused_id, 42);
}
END_TEST

static const struct {
  const char *bytes;
  size_t len;
  cmox_code_t code;
} rude[] = {
    {"\xff\xff\xff\xff\xff\x01", 6, CMOX_E_BAD_FRAME},
    {"\x80\x80\x80\x10", 4, CMOX_E_FRAME_TOO_LARGE},
    {"\x02\x2a\x05", 3, CMOX_E_BAD_PAYLOAD},
    {"\x04\x4a\x02\x0a\x00", 5, CMOX_E_INTERNAL}, /* GoAway without a reason */
};

static size_t rude_index;

static bool be_rude(fake_server_t *server, const char *method, const Cmdmox__V1__Frame *frame) {
  (void)frame;
  if (strcmp(method, "Replay") != 0) return false;
  fake_send_raw(server, rude[rude_index].bytes, rude[rude_index].len);
  return true;
}

START_TEST(what_is_no_answer_breaks_the_link) {
  rude_index = (size_t)_i;
  fake = fake_start(be_rude);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  ck_assert_msg(cmox_replay(mox) == rude[_i].code, "%s", cmox_message(mox));
  ck_assert_int_eq(cmox_replay(mox), rude[_i].code);
}
END_TEST

static bool dribble(fake_server_t *server, const char *method, const Cmdmox__V1__Frame *frame) {
  if (strcmp(method, "Verify") != 0) return false;
  static uint8_t frame_bytes[8192 + 32];
  static char text[8192];
  memset(text, 'r', sizeof text - 1);
  Cmdmox__V1__VerifyResponse answer = CMDMOX__V1__VERIFY_RESPONSE__INIT;
  answer.text = text;
  uint8_t payload[8192 + 16];
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  response.payload.len = cmdmox__v1__verify_response__pack(&answer, payload);
  response.payload.data = payload;
  Cmdmox__V1__Frame reply = CMDMOX__V1__FRAME__INIT;
  reply.id = frame->id;
  reply.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  reply.response = &response;
  size_t body = cmdmox__v1__frame__pack(&reply, frame_bytes + 2);
  frame_bytes[0] = (uint8_t)(body | 0x80);
  frame_bytes[1] = (uint8_t)(body >> 7);
  for (size_t i = 0; i < body + 2; i += 1 + i / 64)
    fake_send_raw(server, frame_bytes + i, i + 1 + i / 64 > body + 2 ? body + 2 - i : 1 + i / 64);
  return true;
}

START_TEST(an_answer_in_pieces_is_put_together) {
  fake = fake_start(dribble);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  ck_assert_uint_eq(strlen(cmox_message(mox)), 8191);
}
END_TEST

START_TEST(a_request_above_the_frame_cap_is_refused_and_the_link_lives) {
  fake = fake_start(NULL);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  size_t len = CMOX_FRAME_MAX_DEFAULT;
  char *out = calloc(1, len);
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .out = out, .out_len = len);
  free(out);
  ck_assert_int_eq(cmox_code(mox), CMOX_E_FRAME_TOO_LARGE);
  cmox_returns(git, .out = "small");
  ck_assert_uint_eq(fake_count(fake, "UpdateDouble"), 1);
}
END_TEST

/* ---- Threads and processes ---------------------------------------------- */

static void *declare_many(void *argument) {
  for (int i = 0; i < 50; i++) cmox_returns(cmox_stub((cmox_t *)argument, "git"), .out = "x");
  return NULL;
}

START_TEST(threads_take_turns) {
  fake = fake_start(NULL);
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  pthread_t threads[4];
  for (size_t i = 0; i < 4; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, declare_many, mox), 0);
  for (size_t i = 0; i < 4; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ck_assert_msg(cmox_code(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_uint_eq(fake_count(fake, "UpdateDouble"), 200);
}
END_TEST

static int use_in_child(cmox_t *mox, cmox_double_t *git) {
  if (cmox_replay(mox) != CMOX_E_FORKED) return 1;
  if (cmox_verify(mox) != CMOX_E_FORKED) return 2;
  if (cmox_code(mox) != CMOX_E_FORKED) return 3;
  char expected[200];
  (void)snprintf(expected, sizeof expected,
                 "this session was made in process %ld, and is used in process %ld after fork(); "
                 "make the session in the process that uses it",
                 (long)getppid(), (long)getpid());
  if (strcmp(cmox_message(mox), expected) != 0) return 4;
  cmox_invocations_t *calls = cmox_invocations(git);
  if (calls->code != CMOX_E_FORKED) return 5;
  cmox_invocations_free(calls);
  cmox_returns(git, .exit_code = 1000);
  cmox_mock(mox, "ssh");
  cmox_register_command(mox, "scp");
  if (cmox_call_count(git) != 0) return 6;
  if (!starts_with(getenv("PATH"), "/fake/bin:")) return 7;
  char *const *block = cmox_environ(mox);
  if (!block || !starts_with(block[0], "PATH=/fake/bin:")) return 8;
  cmox_free(mox);
  if (!starts_with(getenv("PATH"), "/fake/bin:")) return 9;
  return 0;
}

START_TEST(a_handle_across_fork_says_so_and_leaves_the_parent_alone) {
  fake = fake_start(NULL);
  char *before = strdup(getenv("PATH"));
  CMOX_SCOPED cmox_t *mox = connect_to_fake();
  cmox_double_t *git = cmox_mock(mox, "git");
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  pid_t child = fork();
  if (child == 0) _exit(use_in_child(mox, git));
  int status;
  while (waitpid(child, &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
  ck_assert_int_eq(status, 0);
  cmox_returns(git, .out = "still served");
  ck_assert_msg(cmox_verify(mox) == CMOX_OK, "%s", cmox_message(mox));
  ck_assert_str_eq(getenv("PATH"), before);
  free(before);
}
END_TEST

START_TEST(free_is_silent_when_verify_has_told_of_a_dead_server) {
  fake = fake_start(hang_up_at_verify);
  FILE *err = tmpfile();
  int before = dup(2);
  cmox_t *mox = connect_to_fake();
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_LINK_CLOSED);
  ck_assert_int_eq(dup2(fileno(err), 2), 2);
  cmox_free(mox);
  ck_assert_int_eq(dup2(before, 2), 2);
  (void)close(before);
  ck_assert_int_eq(fseek(err, 0, SEEK_END), 0);
  ck_assert_int_eq(ftell(err), 0);
  (void)fclose(err);
}
END_TEST

START_TEST(free_does_what_was_left_undone) {
  fake = fake_start(NULL);
  char *before = strdup(getenv("PATH"));
  cmox_t *mox = connect_to_fake();
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  cmox_free(mox);
  ck_assert_str_eq(getenv("PATH"), before);
  ck_assert_uint_eq(fake_count(fake, "Verify"), 1);
  ck_assert_uint_eq(fake_count(fake, "DeleteSession"), 1);
  ck_assert(cmox_check_forgotten_(NULL, NULL));
  free(before);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_link");
  TCase *cases = tcase_create("link");
  tcase_add_checked_fixture(cases, NULL, teardown);
  tcase_add_loop_test(cases, unusable_addresses_say_why, 0, sizeof addresses / sizeof *addresses);
  tcase_add_test(cases, a_long_socket_path_is_refused_not_cut);
  tcase_add_loop_test(cases, a_bad_timeout_is_named, 0, sizeof bad_timeouts / sizeof(char *));
  tcase_add_test(cases, silence_is_bounded_by_the_timeout);
  tcase_add_test(cases, news_restart_the_wait);
  tcase_add_test(cases, a_server_that_dies_is_told_once_and_restores_the_environment);
  tcase_add_test(cases, callbacks_are_refused_and_the_call_goes_on);
  tcase_add_loop_test(cases, what_is_no_answer_breaks_the_link, 0, sizeof rude / sizeof *rude);
  tcase_add_test(cases, an_answer_in_pieces_is_put_together);
  tcase_add_test(cases, a_request_above_the_frame_cap_is_refused_and_the_link_lives);
  tcase_add_test(cases, threads_take_turns);
  tcase_add_test(cases, a_handle_across_fork_says_so_and_leaves_the_parent_alone);
  tcase_add_test(cases, free_is_silent_when_verify_has_told_of_a_dead_server);
  tcase_add_test(cases, free_does_what_was_left_undone);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
