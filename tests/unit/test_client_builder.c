/* Mistakes while declaring, and what the builders say on the wire. */
#include <cmdmox/cmdmox.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/fake_server.h"
#include "tests/lib/run_suite.h"

static fake_server_t *fake;
static cmox_t *mox;

static bool refuse_some(fake_server_t *server, const char *method, const Cmdmox__V1__Frame *frame) {
  if (strcmp(method, "CreateDoubles") == 0) {
    Cmdmox__V1__CreateDoublesRequest *request = cmdmox__v1__create_doubles_request__unpack(
        NULL, frame->request->payload.len, frame->request->payload.data);
    bool bad = request->doubles[0]->command.len == 0 || request->doubles[0]->command.data[0] == '/';
    cmdmox__v1__create_doubles_request__free_unpacked(request, NULL);
    if (bad) fake_error(server, frame, CMOX_E_BAD_COMMAND_NAME, "invalid command name: no slash");
    return bad;
  }
  if (strcmp(method, "UpdateDouble") == 0) {
    Cmdmox__V1__UpdateDoubleRequest *request = cmdmox__v1__update_double_request__unpack(
        NULL, frame->request->payload.len, frame->request->payload.data);
    const Cmdmox__V1__Double *patch = request->patch;
    bool bad =
        patch->n_matchers && patch->matchers[0]->test_case == CMDMOX__V1__MATCHER_NODE__TEST_REGEX;
    cmdmox__v1__update_double_request__free_unpacked(request, NULL);
    if (bad) fake_error(server, frame, CMOX_E_BAD_REGEX, "invalid regular expression: missing )");
    return bad;
  }
  return false;
}

static cmox_t *connect_to(fake_server_t *server) {
  return cmox_new(CMOX_OPTIONS(.address = fake_address(server)));
}

static void setup(void) {
  fake = fake_start(refuse_some);
  mox = connect_to(fake);
  ck_assert_msg(cmox_code(mox) == CMOX_OK, "%s", cmox_message(mox));
}

static void teardown(void) {
  cmox_free(mox);
  fake_stop(fake);
}

START_TEST(a_session_greets_and_creates_in_one_write) {
  ck_assert(fake_greeted_in_one_write(fake));
  ck_assert_str_eq(cmox_shim_directory(mox), "/fake/bin");
  ck_assert_str_eq(cmox_message(mox), "");
}
END_TEST

START_TEST(every_mistake_is_listed_with_its_place) {
  unsigned first = __LINE__ + 1;
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_REGEX("("));
  cmox_returns(git, .exit_code = 256);
  cmox_with_args(git, "a", NULL, "c");
  cmox_double_t *stub = cmox_stub(mox, "ssh");
  cmox_times(stub, 2);
  cmox_mock(mox, "/bin/ls");
  cmox_mock(mox, NULL);
  cmox_register_command(mox, NULL);
  cmox_returns(stub, .signal = "SIGTERM", .exit_code = 1);
  cmox_returns(stub, .out_len = 3);
  cmox_with_stdin(stub, NULL);
  cmox_with_matching_stdin(
      stub, ((cmox_matcher_t){.kind = (cmox_match_kind_t)99, .data = "x", .len = 1}));
  ck_assert_int_eq(cmox_code(mox), CMOX_E_BAD_REGEX);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
  ck_assert_int_eq(cmox_code(mox), CMOX_E_BUILDER);
  static const struct {
    unsigned line;
    const char *text;
  } expected[] = {
      {1, "cmox_with_matching_args: invalid regular expression: missing )"},
      {2, "cmox_returns: .exit_code is 256, not 0 to 255"},
      {3, "cmox_with_args: argument 2: the text to compare with is NULL"},
      {5,
       "cmox_times: a stub may be called any number of times; make it a mock to count its calls"},
      {6, "cmox_mock: invalid command name: no slash"},
      {7, "cmox_mock: the command is NULL"},
      {8, "cmox_register_command: the command is NULL"},
      {9, "cmox_returns: a command that dies by .signal has no .exit_code"},
      {10, "cmox_returns: .out is NULL and .out_len is 3"},
      {11, "cmox_with_stdin: the text to compare with is NULL"},
      {12, "cmox_with_stdin: there is no kind 99 of matchers"},
  };
  char whole[4096] = "";
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    (void)snprintf(whole + strlen(whole), sizeof whole - strlen(whole), "%s%s:%u: %s",
                   i ? "\n" : "", __FILE__, first + expected[i].line, expected[i].text);
  ck_assert_str_eq(cmox_message(mox), whole);
  ck_assert_uint_eq(fake_count(fake, "Replay"), 1); /* which says that it failed */
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_BUILDER);
  ck_assert_str_eq(cmox_message(mox), whole);
}
END_TEST

START_TEST(a_refused_double_takes_further_words) {
  cmox_double_t *refused = cmox_mock(mox, "");
  cmox_with_args(refused, "x");
  cmox_returns(refused, .out = "y");
  ck_assert_uint_eq(cmox_call_count(refused), 0);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(refused);
  ck_assert_uint_eq(calls->count, 0);
  ck_assert_uint_eq(fake_count(fake, "UpdateDouble"), 0);
  cmox_returns(cmox_mock(mox, "git"), .out = "z");
  ck_assert_uint_eq(fake_count(fake, "UpdateDouble"), 1);
  ck_assert_int_eq(cmox_replay(mox), CMOX_E_BUILDER);
}
END_TEST

START_TEST(null_handles_are_answered) {
  ck_assert_int_eq(cmox_replay(NULL), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(cmox_verify(NULL), CMOX_E_INVALID_ARGUMENT);
  ck_assert_int_eq(cmox_code(NULL), CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(cmox_message(NULL), "NULL"));
  ck_assert_ptr_null(cmox_environ(NULL));
  ck_assert_ptr_null(cmox_shim_directory(NULL));
  cmox_free(NULL);
  cmox_register_command(NULL, "git");
  cmox_double_t *dbl = cmox_mock(NULL, "git");
  ck_assert_ptr_nonnull(dbl);
  cmox_times(cmox_returns(cmox_capture_stdin(cmox_with_args(dbl, "a")), .out = "b"), 3);
  ck_assert_ptr_nonnull(cmox_with_matching_args(NULL, CMOX_ANY));
  ck_assert_ptr_nonnull(cmox_with_stdin(NULL, "x"));
  ck_assert_uint_eq(cmox_call_count(NULL), 0);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *calls = cmox_invocations(NULL);
  ck_assert_int_eq(calls->code, CMOX_E_INVALID_ARGUMENT);
  CMOX_SCOPED_INVOCATIONS cmox_invocations_t *all = cmox_journal(NULL);
  ck_assert_int_eq(all->code, CMOX_E_INVALID_ARGUMENT);
  cmox_invocations_free(NULL);
}
END_TEST

static Cmdmox__V1__UpdateDoubleRequest *last_update(void) {
  ProtobufCMessage *message = fake_last(fake, "UpdateDouble");
  ck_assert_ptr_nonnull(message);
  return (Cmdmox__V1__UpdateDoubleRequest *)message;
}

static void expect_bytes(ProtobufCBinaryData data, const char *bytes, size_t len) {
  ck_assert_uint_eq(data.len, len);
  ck_assert_mem_eq(data.data, bytes, len);
}

START_TEST(a_double_tells_kind_command_and_place) {
  unsigned line = __LINE__ + 1;
  cmox_spy(mox, "ssh-\xff");
  Cmdmox__V1__CreateDoublesRequest *request =
      (Cmdmox__V1__CreateDoublesRequest *)fake_last(fake, "CreateDoubles");
  const Cmdmox__V1__Double *wanted = request->doubles[0];
  expect_bytes(wanted->command, "ssh-\xff", 5);
  ck_assert_int_eq(wanted->kind, CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_SPY);
  ck_assert_str_eq(wanted->location->file, __FILE__);
  ck_assert_uint_eq(wanted->location->line, line);
  ck_assert_str_eq(wanted->location->function, __func__);
  cmdmox__v1__create_doubles_request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(places_that_are_no_utf8_are_made_so) {
  cmox_double_at(mox, CMOX_STUB, "git", (cmox_location_t){"d\xc3\xa9j\xe0/\xf4\x90x.c", "f", 1});
  ck_assert_msg(cmox_code(mox) == CMOX_OK, "%s", cmox_message(mox));
  Cmdmox__V1__CreateDoublesRequest *request =
      (Cmdmox__V1__CreateDoublesRequest *)fake_last(fake, "CreateDoubles");
  ck_assert_str_eq(request->doubles[0]->location->file, "d\xc3\xa9j?/??x.c");
  cmdmox__v1__create_doubles_request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(each_refinement_is_one_facet) {
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_with_matching_args(git, CMOX_EQ_BYTES("a\0b", 3), CMOX_ANY, CMOX_STARTS_WITH("s"),
                          CMOX_CONTAINS(""));
  Cmdmox__V1__UpdateDoubleRequest *update = last_update();
  const Cmdmox__V1__Double *patch = update->patch;
  ck_assert_uint_eq(update->double_id, 1);
  ck_assert_uint_eq(patch->n_matchers, 4);
  expect_bytes(patch->matchers[0]->equals, "a\0b", 3);
  ck_assert(patch->matchers[1]->any);
  expect_bytes(patch->matchers[2]->starts_with, "s", 1);
  ck_assert_int_eq(patch->matchers[3]->test_case, CMDMOX__V1__MATCHER_NODE__TEST_CONTAINS);
  ck_assert_uint_eq(patch->argv->n_items, 4);
  for (size_t i = 0; i < 4; i++) ck_assert_uint_eq(patch->argv->items[i]->one, i);
  ck_assert(!patch->stdin_match && !patch->actions && !patch->count && !patch->stdin_policy);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);

  cmox_with_no_args(git);
  update = last_update();
  ck_assert_ptr_nonnull(update->patch->argv);
  ck_assert_uint_eq(update->patch->argv->n_items, 0);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);

  cmox_with_stdin_bytes(git, "\0\n", 2);
  update = last_update();
  ck_assert(!update->patch->argv);
  ck_assert_uint_eq(update->patch->stdin_match->node, 0);
  expect_bytes(update->patch->matchers[0]->equals, "\0\n", 2);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);

  cmox_capture_stdin(git);
  update = last_update();
  ck_assert_int_eq(update->patch->stdin_policy->mode, CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);

  cmox_times(git, 0);
  update = last_update();
  ck_assert_uint_eq(update->patch->count->minimum, 0);
  ck_assert_int_eq(update->patch->count->upper_case, CMDMOX__V1__COUNT__UPPER_MAXIMUM);
  ck_assert_uint_eq(update->patch->count->maximum, 0);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);
}
END_TEST

START_TEST(answers_are_bytes_status_signal_and_delay) {
  cmox_double_t *git = cmox_mock(mox, "git");
  cmox_returns(git, .out = "\0\xff", .out_len = 2, .err = "oops", .exit_code = 255, .delay_ms = 7);
  Cmdmox__V1__UpdateDoubleRequest *update = last_update();
  ck_assert_uint_eq(update->patch->actions->n_items, 1);
  ck_assert_uint_eq(update->patch->actions->items[0]->repeat, 0);
  const Cmdmox__V1__Reply *reply = update->patch->actions->items[0]->reply;
  expect_bytes(reply->stdout_data, "\0\xff", 2);
  expect_bytes(reply->stderr_data, "oops", 4);
  ck_assert_uint_eq(reply->exit_code, 255);
  ck_assert_uint_eq(reply->delay_ms, 7);
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);
  cmox_returns(git, .signal = "SIGKILL");
  update = last_update();
  ck_assert_str_eq(update->patch->actions->items[0]->reply->signal, "SIGKILL");
  cmdmox__v1__update_double_request__free_unpacked(update, NULL);
  ck_assert_int_eq(cmox_code(mox), CMOX_OK);
}
END_TEST

START_TEST(structs_of_another_size_are_refused_or_read) {
  CMOX_SCOPED cmox_t *none = cmox_new(&(cmox_options_t){.label = "x"});
  ck_assert_int_eq(cmox_code(none), CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(cmox_message(none), "CMOX_OPTIONS"));
  struct {
    cmox_options_t known;
    long later;
  } newer = {.known = {.size = sizeof newer, .address = fake_address(fake)}, .later = 1};
  CMOX_SCOPED cmox_t *unknown = cmox_new(&newer.known);
  ck_assert_int_eq(cmox_code(unknown), CMOX_E_INVALID_ARGUMENT);
  cmox_returns_at(cmox_stub(mox, "git"), CMOX_HERE, &(cmox_reply_t){.out = "x"});
  ck_assert_int_eq(cmox_code(mox), CMOX_E_INVALID_ARGUMENT);
}
END_TEST

START_TEST(options_that_contradict_are_refused) {
  CMOX_SCOPED cmox_t *both =
      cmox_new(CMOX_OPTIONS(.address = fake_address(fake), .shim = "/bin/true"));
  ck_assert_int_eq(cmox_code(both), CMOX_E_INVALID_ARGUMENT);
  CMOX_SCOPED cmox_t *odd = cmox_new(CMOX_OPTIONS(.environment = 7));
  ck_assert_int_eq(cmox_code(odd), CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_eq(cmox_mock(odd, "git"), cmox_mock(NULL, "git"));
  ck_assert_int_eq(cmox_replay(odd), CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_null(cmox_environ(odd));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_builder");
  TCase *cases = tcase_create("builder");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, a_session_greets_and_creates_in_one_write);
  tcase_add_test(cases, every_mistake_is_listed_with_its_place);
  tcase_add_test(cases, a_refused_double_takes_further_words);
  tcase_add_test(cases, null_handles_are_answered);
  tcase_add_test(cases, a_double_tells_kind_command_and_place);
  tcase_add_test(cases, places_that_are_no_utf8_are_made_so);
  tcase_add_test(cases, each_refinement_is_one_facet);
  tcase_add_test(cases, answers_are_bytes_status_signal_and_delay);
  tcase_add_test(cases, structs_of_another_size_are_refused_or_read);
  tcase_add_test(cases, options_that_contradict_are_refused);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
