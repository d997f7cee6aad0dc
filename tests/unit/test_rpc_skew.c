/* Peers of another version: their ranges of protocol versions, and whatever they say that is newer
 * than this server. It is passed over, or refused by name; never misunderstood. */
#include <check.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/lib/bare.h"
#include "tests/lib/messages.h"
#include "tests/lib/run_suite.h"

#define CONTROL "cmdmox.v1.ControlService/"
#define SHIM "cmdmox.v1.ShimService/"

static bare_t bare;
static raw_link_t control;
static uint32_t last_id;
static ProtobufCBinaryData session;

static void setup(void) {
  ck_assert(bare_open(&bare));
  ck_assert(bare_control(&bare, &control));
  raw_greet(&control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  last_id = (uint32_t)-1;
  Cmdmox__V1__Frame *frame =
      raw_ask(&control, last_id += 2, CONTROL "CreateSession",
              PAYLOAD(CreateSessionRequest, create_session_request, .label = T("skew")));
  ck_assert_str_eq(raw_reason(frame), "OK");
  raw_frame_free(frame);
  session = (ProtobufCBinaryData){CMOX_SESSION_ID_BYTES, (uint8_t *)(uintptr_t)bare_session_id(0)};
}

static void teardown(void) {
  raw_close(&control);
  bare_close(&bare);
}

/* ---- Ranges ---- */

static const struct {
  uint32_t min, max;
  bool meets;
} ranges[] = {
    {CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX, true},
    {0, CMOX_PROTOCOL_MIN, true},
    {0, UINT32_MAX, true},
    {CMOX_PROTOCOL_MAX, CMOX_PROTOCOL_MAX + 8, true},
    {CMOX_PROTOCOL_MAX + 1, CMOX_PROTOCOL_MAX + 1, false},
    {CMOX_PROTOCOL_MAX + 1, UINT32_MAX, false},
    {UINT32_MAX, UINT32_MAX, false},
    {0, CMOX_PROTOCOL_MIN - 1, false},
    {CMOX_PROTOCOL_MAX + 1, CMOX_PROTOCOL_MIN, false}, /* the wrong way round */
};

static void assert_negotiated(raw_link_t *link, Cmdmox__V1__Role role, uint32_t min, uint32_t max,
                              bool meets) {
  raw_bytes_t bytes = {0};
  char ours[32], theirs[32];
  snprintf(ours, sizeof ours, "%u to %u", CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX);
  snprintf(theirs, sizeof theirs, "%u to %u", min, max);
  raw_put_hello(&bytes, role, min, max);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *frame = raw_read(link);
  if (meets) {
    ck_assert_str_eq(raw_reason(frame), "OK");
    ck_assert_uint_eq(frame->hello_reply->ok->version, CMOX_PROTOCOL_MAX);
  } else {
    ck_assert_str_eq(raw_reason(frame), "VERSION_MISMATCH");
    ck_assert_msg(strstr(raw_message(frame), ours) && strstr(raw_message(frame), theirs), "%s",
                  raw_message(frame));
    ck_assert_uint_eq(raw_read_to_end(link), 0);
  }
  raw_frame_free(frame);
  raw_close(link);
}

START_TEST(a_common_version_or_both_ranges_by_name) {
  raw_link_t link;
  ck_assert(bare_control(&bare, &link));
  assert_negotiated(&link, CMDMOX__V1__ROLE__ROLE_CONTROLLER, ranges[_i].min, ranges[_i].max,
                    ranges[_i].meets);
  ck_assert(bare_shim(&bare, 0, &link));
  assert_negotiated(&link, CMDMOX__V1__ROLE__ROLE_SHIM, ranges[_i].min, ranges[_i].max,
                    ranges[_i].meets);
}
END_TEST

/* ---- Newer fields of the envelope ---- */

/* A field 3000 with this value, put where a message ends. */
static void put_newer(raw_bytes_t *bytes) { raw_put_field(bytes, 3000, "newer", 5); }

static void send_body(raw_link_t *link, const raw_bytes_t *body) {
  raw_bytes_t bytes = {0};
  raw_put_varint(&bytes, body->len);
  raw_put(&bytes, body->data, body->len);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
}

START_TEST(newer_fields_of_hello_request_and_frame_are_passed_over) {
  raw_link_t link;
  ck_assert(bare_control(&bare, &link));
  raw_bytes_t inner = {0}, body = {0};
  raw_put_message(&inner, PAYLOAD(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1,
                                  .max_version = 1, .software = T("newer"),
                                  LIST(features, char *, T("telepathy"), T("time travel")),
                                  .role = CMDMOX__V1__ROLE__ROLE_CONTROLLER));
  put_newer(&inner);
  raw_put_field(&body, 2, inner.data, inner.len); /* Frame.hello */
  put_newer(&body);
  send_body(&link, &body);
  Cmdmox__V1__Frame *frame = raw_read(&link);
  ck_assert_str_eq(raw_reason(frame), "OK");
  ck_assert_uint_eq(frame->hello_reply->ok->n_features, 0); /* none in common */
  raw_frame_free(frame);

  inner.len = body.len = 0;
  raw_put_message(&inner, PAYLOAD(Request, request, .method = T(CONTROL "Ping")));
  put_newer(&inner);
  raw_put(&body, "\x08\x05", 2);                  /* Frame.id */
  raw_put_field(&body, 4, inner.data, inner.len); /* Frame.request */
  put_newer(&body);
  send_body(&link, &body);
  frame = raw_read(&link);
  ck_assert_str_eq(raw_reason(frame), "OK");
  ck_assert_uint_eq(frame->id, 5);
  raw_frame_free(frame);
  raw_free(&inner);
  raw_free(&body);
  raw_close(&link);
}
END_TEST

START_TEST(newer_frames_and_topics_are_passed_over) {
  raw_bytes_t body = {0}, bytes = {0};
  put_newer(&body); /* a body that is none of ours */
  send_body(&control, &body);
  raw_put_frame(&bytes, NOTIFY("cmdmox.v1.Newer"));
  raw_put_frame(&bytes, RESPONSE(2));
  raw_put_frame(
      &bytes, FRAME(1, STREAM_DATA, stream_data,
                    NEW(StreamData, stream_data, .stream = (Cmdmox__V1__Stream)9, .data = B("x"))));
  raw_send_all(&control, &bytes);
  Cmdmox__V1__Frame *frame = raw_ask(&control, last_id += 2, CONTROL "Ping",
                                     PAYLOAD(PingRequest, ping_request, .payload = B("p")));
  ck_assert_str_eq(raw_reason(frame), "OK");
  raw_frame_free(frame);
  raw_free(&body);
  raw_free(&bytes);
}
END_TEST

static const char *const newer_methods[] = {"cmdmox.v1.ControlService/Newer",
                                            "cmdmox.v1.NewerService/Ping",
                                            "cmdmox.v2.ControlService/Ping",
                                            "cmdmox.v1.ControlService/",
                                            "cmdmox.v1.ControlService",
                                            "Ping",
                                            "/",
                                            "",
                                            "cmdmox.v1.ControlService/Ping/",
                                            "cmdmox.v1.ControlService/ping"};

START_TEST(newer_methods_are_refused_by_name) {
  for (size_t i = 0; i < sizeof newer_methods / sizeof *newer_methods; i++) {
    Cmdmox__V1__Frame *frame = raw_ask(&control, last_id += 2, newer_methods[i],
                                       PAYLOAD(PingRequest, ping_request, .payload = B("p")));
    ck_assert_msg(strcmp(raw_reason(frame), "UNIMPLEMENTED") == 0, "%s", newer_methods[i]);
    ck_assert_ptr_nonnull(strstr(raw_message(frame), newer_methods[i]));
    raw_frame_free(frame);
  }
}
END_TEST

/* ---- Newer kinds inside a double ---- */

#define DOUBLE(...)                                                                           \
  NEW(Double, double, .command = B("git"), .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB, \
      __VA_ARGS__)
/* A message that holds nothing but field 77. */
#define NEWER(Type, type) \
  (&(Cmdmox__V1__##Type){.base = {&cmdmox__v1__##type##__descriptor, 1, &newer_field}})
static ProtobufCMessageUnknownField newer_field = {
    .tag = 77,
    .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
    .len = 2,
    .data = (uint8_t *)"\x01x"};

static const struct {
  const Cmdmox__V1__Double *wanted;
  const char *reason, *says;
} doubles[] = {
    {NEW(Double, double, .command = B("git"), .kind = (Cmdmox__V1__DoubleKind)9), "UNIMPLEMENTED",
     "double kind 9"},
    {NEW(Double, double, .command = B("git")), "INVALID_ARGUMENT", "needs a kind"},
    {DOUBLE(LIST(matchers, Cmdmox__V1__MatcherNode *, NEWER(MatcherNode, matcher_node))),
     "UNIMPLEMENTED", "matcher kind 77"},
    {DOUBLE(LIST(matchers, Cmdmox__V1__MatcherNode *, NODE(_NOT_SET, .equals = {0, NULL}))),
     "BAD_MATCHER", "without a test"},
    {DOUBLE(
         LIST(matchers, Cmdmox__V1__MatcherNode *, NODE(IS_A, .is_a = (Cmdmox__V1__ValueType)77))),
     "UNIMPLEMENTED", "value type 77"},
    {DOUBLE(.argv = NEW(ArgvMatcher, argv_matcher,
                        LIST(items, Cmdmox__V1__ArgvItem *, NEWER(ArgvItem, argv_item)))),
     "UNIMPLEMENTED", "argument item kind 77"},
    {DOUBLE(.argv = NEW(ArgvMatcher, argv_matcher,
                        LIST(items, Cmdmox__V1__ArgvItem *, ITEM(_NOT_SET, .one = 0)))),
     "BAD_MATCHER", "without a kind"},
    {DOUBLE(.actions =
                NEW(ActionList, action_list,
                    LIST(items, Cmdmox__V1__DoubleAction *, NEWER(DoubleAction, double_action)))),
     "UNIMPLEMENTED", "only replies"},
    {DOUBLE(.actions = NEW(ActionList, action_list,
                           LIST(items, Cmdmox__V1__DoubleAction *,
                                DOUBLE_ACTION(REPLY, .reply = NEWER(Reply, reply))))),
     "UNIMPLEMENTED", "end 77 of a reply"},
    {DOUBLE(.stdin_policy = NEW(StdinPolicy, stdin_policy, .mode = (Cmdmox__V1__StdinMode)9)),
     "UNIMPLEMENTED", "stdin mode 9"},
};

START_TEST(newer_kinds_of_a_double_are_refused_by_name) {
  Cmdmox__V1__Frame *frame =
      raw_ask(&control, last_id += 2, CONTROL "CreateDoubles",
              PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = session,
                      LIST(doubles, Cmdmox__V1__Double *,
                           (Cmdmox__V1__Double *)(uintptr_t)doubles[_i].wanted)));
  ck_assert_str_eq(raw_reason(frame), doubles[_i].reason);
  ck_assert_msg(strstr(raw_message(frame), doubles[_i].says), "%s", raw_message(frame));
  raw_frame_free(frame);
}
END_TEST

/* ---- Newer launchers ---- */

START_TEST(a_newer_way_for_stdin_to_end_is_no_end_of_file) {
  Cmdmox__V1__Frame *frame = raw_ask(
      &control, last_id += 2, CONTROL "CreateDoubles",
      PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = session,
              LIST(doubles, Cmdmox__V1__Double *,
                   DOUBLE(LIST(matchers, Cmdmox__V1__MatcherNode *, NODE(EQUALS, .equals = B("x"))),
                          .stdin_match = NEW(StdinMatcher, stdin_matcher, .node = 0)))));
  ck_assert_str_eq(raw_reason(frame), "OK");
  raw_frame_free(frame);
  frame = raw_ask(&control, last_id += 2, CONTROL "Replay",
                  PAYLOAD(ReplayRequest, replay_request, .session_id = session));
  ck_assert_str_eq(raw_reason(frame), "OK");
  raw_frame_free(frame);

  raw_link_t shim;
  raw_bytes_t bytes = {0};
  ck_assert(bare_shim(&bare, 0, &shim));
  raw_greet(&shim, CMDMOX__V1__ROLE__ROLE_SHIM);
  raw_frame_free(raw_ask(&shim, 1, SHIM "Invoke",
                         PAYLOAD(InvokeRequest, invoke_request, .command = B("git"),
                                 .invocation_key = B("0123456789abcdef"))));
  raw_put_frame(&bytes, FRAME(1, STREAM_DATA, stream_data,
                              NEW(StreamData, stream_data, .data = B("x"),
                                  .stream = CMDMOX__V1__STREAM__STREAM_STDIN)));
  raw_send_all(&shim, &bytes);
  raw_free(&bytes);
  frame = raw_ask(&shim, 3, SHIM "ContinueInvoke",
                  PAYLOAD(ContinueInvokeRequest, continue_invoke_request, .call_id = 1,
                          .stdin_bytes = 1, .stdin_end = (Cmdmox__V1__StdinEnd)9));
  ProtobufCMessage *answer = raw_answer(frame, &cmdmox__v1__continue_invoke_response__descriptor);
  const Cmdmox__V1__Action *action = ((Cmdmox__V1__ContinueInvokeResponse *)answer)->action;
  ck_assert_int_eq((int)action->kind_case, CMDMOX__V1__ACTION__KIND_REPLY);
  ck_assert_uint_eq(action->reply->exit_code, CMOX_EXIT_SHIM_FAILURE);
  protobuf_c_message_free_unpacked(answer, NULL);
  raw_frame_free(frame);
  raw_close(&shim);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("rpc_skew");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_set_timeout(cases, 30);
  tcase_add_loop_test(cases, a_common_version_or_both_ranges_by_name, 0,
                      (int)(sizeof ranges / sizeof *ranges));
  tcase_add_test(cases, newer_fields_of_hello_request_and_frame_are_passed_over);
  tcase_add_test(cases, newer_frames_and_topics_are_passed_over);
  tcase_add_test(cases, newer_methods_are_refused_by_name);
  tcase_add_loop_test(cases, newer_kinds_of_a_double_are_refused_by_name, 0,
                      (int)(sizeof doubles / sizeof *doubles));
  tcase_add_test(cases, a_newer_way_for_stdin_to_end_is_no_end_of_file);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
