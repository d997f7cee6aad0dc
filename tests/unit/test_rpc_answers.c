/* What a launcher gets for its call: in frames that it accepts, with the delay before the first
 * byte, and to the end although the session is over. And a report that no frame could take. */
#include <check.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/lib/bare.h"
#include "tests/lib/messages.h"
#include "tests/lib/run_suite.h"

#define CONTROL "cmdmox.v1.ControlService/"
#define SHIM "cmdmox.v1.ShimService/"

enum { DELAY_MS = 1234 };

static bare_t bare;
static raw_link_t control;
static uint32_t last_id;
static ProtobufCBinaryData session;

static void ask_ok(const char *method, const ProtobufCMessage *input) {
  Cmdmox__V1__Frame *frame = raw_ask(&control, last_id += 2, method, input);
  ck_assert_msg(strcmp(raw_reason(frame), "OK") == 0, "%s: %s", method, raw_message(frame));
  raw_frame_free(frame);
}

static void setup(void) {
  last_id = (uint32_t)-1;
  ck_assert(bare_open(&bare));
  ck_assert(bare_control(&bare, &control));
  raw_greet(&control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  ask_ok(CONTROL "CreateSession", PAYLOAD(CreateSessionRequest, create_session_request, ));
  session = (ProtobufCBinaryData){CMOX_SESSION_ID_BYTES, (uint8_t *)(uintptr_t)bare_session_id(0)};
}

static void teardown(void) {
  raw_close(&control);
  bare_close(&bare);
}

/* A stub of "git" that answers with so many bytes. */
static void answer_with(size_t out, size_t err) {
  uint8_t *bytes = malloc(out + err + 1);
  memset(bytes, 'o', out + err + 1);
  ask_ok(
      CONTROL "CreateDoubles",
      PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = session,
              LIST(doubles, Cmdmox__V1__Double *,
                   NEW(Double, double, .command = B("git"),
                       .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB,
                       .actions = NEW(
                           ActionList, action_list,
                           LIST(items, Cmdmox__V1__DoubleAction *,
                                DOUBLE_ACTION(
                                    REPLY, .reply = NEW(Reply, reply, EXIT(3), .delay_ms = DELAY_MS,
                                                        .stdout_data = {out, bytes},
                                                        .stderr_data = {err, bytes}))))))));
  free(bytes);
  ask_ok(CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = session));
}

/* A call of "git" by a launcher that takes frames up to max_frame bytes. */
static raw_link_t call(uint32_t max_frame) {
  raw_link_t link;
  raw_bytes_t bytes = {0};
  ck_assert(bare_shim(&bare, 0, &link));
  raw_put_frame(&bytes,
                FRAME(0, HELLO, hello,
                      NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1, .max_version = 1,
                          .role = CMDMOX__V1__ROLE__ROLE_SHIM, .max_frame_bytes = max_frame)));
  raw_put_call(&bytes, 1, SHIM "Invoke",
               PAYLOAD(InvokeRequest, invoke_request, .command = B("git"), BYTES(argv, B("git")),
                       .cwd = B("/"), .invocation_key = B("0123456789abcdef")));
  raw_send_all(&link, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *reply = raw_read(&link);
  ck_assert_int_eq((int)reply->body_case, CMDMOX__V1__FRAME__BODY_HELLO_REPLY);
  raw_frame_free(reply);
  return link;
}

typedef struct heard {
  size_t out, err, largest;
  uint32_t first_delay_ms, delays;
} heard_t;

static void hear_delay(heard_t *heard, uint32_t delay_ms) {
  if (delay_ms && heard->out + heard->err == 0) heard->first_delay_ms = delay_ms;
  heard->delays += delay_ms != 0;
}

/* All of the answer, up to its response. */
static heard_t hear(raw_link_t *link) {
  heard_t heard = {0};
  for (bool done = false; !done;) {
    Cmdmox__V1__Frame *frame = raw_read(link);
    ck_assert_ptr_nonnull(frame);
    const size_t size = cmdmox__v1__frame__get_packed_size(frame);
    if (size > heard.largest) heard.largest = size;
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_STREAM_DATA) {
      const Cmdmox__V1__StreamData *data = frame->stream_data;
      hear_delay(&heard, data->delay_ms);
      *(data->stream == CMDMOX__V1__STREAM__STREAM_STDOUT ? &heard.out : &heard.err) +=
          data->data.len;
    } else if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE) {
      Cmdmox__V1__InvokeResponse *response =
          (Cmdmox__V1__InvokeResponse *)raw_answer(frame, &cmdmox__v1__invoke_response__descriptor);
      const Cmdmox__V1__Reply *reply = response->action->reply;
      hear_delay(&heard, reply->delay_ms);
      heard.out += reply->stdout_data.len;
      heard.err += reply->stderr_data.len;
      ck_assert_uint_eq(reply->exit_code, 3);
      cmdmox__v1__invoke_response__free_unpacked(response, NULL);
      done = true;
    }
    raw_frame_free(frame);
  }
  return heard;
}

static const struct {
  uint32_t max_frame; /* 0: what we accept ourselves */
  size_t out, err;
} sizes[] = {
    {CMOX_FRAME_MAX_LEAST, 10, 10},         {CMOX_FRAME_MAX_LEAST, 65000, 0},
    {CMOX_FRAME_MAX_LEAST, 65300, 100},     {CMOX_FRAME_MAX_LEAST, 65536, 0},
    {CMOX_FRAME_MAX_LEAST, 65537, 0},       {CMOX_FRAME_MAX_LEAST, 600000, 300000},
    {CMOX_FRAME_MAX_LEAST + 1, 0, 262145},  {300000, 262144, 1},
    {0, CMOX_REPLY_INLINE_MAX, 0},          {0, CMOX_REPLY_INLINE_MAX, 1},
    {0, CMOX_STREAM_CHUNK_MAX + 1, 700000},
};

START_TEST(no_frame_is_larger_than_the_launcher_takes) {
  const uint32_t most = sizes[_i].max_frame ? sizes[_i].max_frame : CMOX_FRAME_MAX_DEFAULT;
  answer_with(sizes[_i].out, sizes[_i].err);
  raw_link_t link = call(sizes[_i].max_frame);
  const heard_t heard = hear(&link);
  ck_assert_uint_eq(heard.out, sizes[_i].out);
  ck_assert_uint_eq(heard.err, sizes[_i].err);
  ck_assert_uint_le(heard.largest, most);
  ck_assert_uint_eq(heard.first_delay_ms, DELAY_MS);
  ck_assert_uint_eq(heard.delays, 1);
  raw_close(&link);
}
END_TEST

START_TEST(an_answer_goes_on_when_its_session_ends_and_the_link_ends_with_it) {
  enum { LARGE = 8 << 20 };
  answer_with(LARGE, 0);
  raw_link_t link = call(0);
  ask_ok(CONTROL "DeleteSession",
         PAYLOAD(DeleteSessionRequest, delete_session_request, .session_id = session));
  ck_assert_uint_eq(hear(&link).out, LARGE);
  ck_assert_uint_eq(raw_read_to_end(&link), 0);
  raw_close(&link);
}
END_TEST

/* ---- A report that no frame could take ---- */

static void call_with_long_arguments(uint32_t number) {
  static char text[4000];
  memset(text, 'x', sizeof text);
  const ProtobufCBinaryData long_one = {sizeof text, (uint8_t *)text};
  raw_link_t link;
  ck_assert(bare_shim(&bare, 0, &link));
  raw_greet(&link, CMDMOX__V1__ROLE__ROLE_SHIM);
  char key[17];
  (void)snprintf(key, sizeof key, "%016u", number);
  raw_frame_free(raw_ask(&link, 1, SHIM "Invoke",
                         PAYLOAD(InvokeRequest, invoke_request, .command = B("git"),
                                 BYTES(argv, B("git"), long_one, long_one, B(key)), .cwd = B("/"),
                                 .invocation_key = {16, (uint8_t *)key})));
  raw_close(&link);
}

START_TEST(a_report_beyond_a_frame_is_cut) {
  enum { CALLS = 1500 };
  ask_ok(CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = session));
  for (uint32_t i = 0; i < CALLS; i++) call_with_long_arguments(i);
  Cmdmox__V1__Frame *frame = raw_ask(&control, last_id += 2, CONTROL "Verify",
                                     PAYLOAD(VerifyRequest, verify_request, .session_id = session));
  Cmdmox__V1__VerifyResponse *response =
      (Cmdmox__V1__VerifyResponse *)raw_answer(frame, &cmdmox__v1__verify_response__descriptor);
  ck_assert(!response->passed);
  ck_assert_uint_lt(cmdmox__v1__verify_response__get_packed_size(response),
                    CMOX_FRAME_MAX_DEFAULT / 2 + 1);
  ck_assert_uint_gt(response->n_findings, 100);
  ck_assert_uint_lt(response->n_findings, CALLS);
  ck_assert_ptr_nonnull(strstr(response->text, "verification failed: 1500 problems"));
  ck_assert_ptr_nonnull(strstr(response->text, "more, which this report leaves out"));
  ck_assert_ptr_nonnull(strstr(response->text, "xxx... (80"));
  cmdmox__v1__verify_response__free_unpacked(response, NULL);
  raw_frame_free(frame);
  frame = raw_ask(&control, last_id += 2, CONTROL "Verify",
                  PAYLOAD(VerifyRequest, verify_request, .session_id = session,
                          .format = CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JSON));
  response =
      (Cmdmox__V1__VerifyResponse *)raw_answer(frame, &cmdmox__v1__verify_response__descriptor);
  ck_assert_ptr_nonnull(strstr(response->text, "\"left_out\": "));
  cmdmox__v1__verify_response__free_unpacked(response, NULL);
  raw_frame_free(frame);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("answers");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_loop_test(cases, no_frame_is_larger_than_the_launcher_takes, 0,
                      (int)(sizeof sizes / sizeof *sizes));
  tcase_add_test(cases, an_answer_goes_on_when_its_session_ends_and_the_link_ends_with_it);
  tcase_add_test(cases, a_report_beyond_a_frame_is_cut);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
