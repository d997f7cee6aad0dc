/* What a peer declares and what it nests costs the server nothing: lengths that never come, frames
 * and payloads at, below and above every bound of proto/limits.h. */
#include <check.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/bare.h"
#include "tests/lib/messages.h"
#include "tests/lib/run_suite.h"

#define CONTROL "cmdmox.v1.ControlService/"
#define SHIM "cmdmox.v1.ShimService/"

enum { GROWTH_MAX = 64 << 10 }; /* bytes */

static alloc_fault_t fault;
static bare_t bare;
static raw_link_t control;
static uint32_t last_id; /* of the control link */
static ProtobufCBinaryData session;

static Cmdmox__V1__Frame *ask(const char *method, const ProtobufCMessage *input) {
  return raw_ask(&control, last_id += 2, method, input);
}

static const char *reason_of(const char *method, const ProtobufCMessage *input) {
  Cmdmox__V1__Frame *frame = ask(method, input);
  const char *reason = raw_reason(frame);
  raw_frame_free(frame);
  return reason;
}

static const char *reason_of_raw(const char *method, const raw_bytes_t *payload) {
  raw_bytes_t bytes = {0};
  raw_put_request(&bytes, last_id += 2, method, payload->data, payload->len);
  raw_send_all(&control, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *frame = raw_read(&control);
  ck_assert(!frame || frame->body_case != CMDMOX__V1__FRAME__BODY_RESPONSE || frame->id == last_id);
  const char *reason = raw_reason(frame);
  raw_frame_free(frame);
  return reason;
}

static void assert_alive(void) {
  ck_assert_str_eq(
      reason_of(CONTROL "Ping", PAYLOAD(PingRequest, ping_request, .payload = B("still there"))),
      "OK");
}

static void setup(void) {
  alloc_fault_install(&fault, false);
  ck_assert(bare_open(&bare));
  ck_assert(bare_control(&bare, &control));
  raw_greet(&control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  last_id = (uint32_t)-1;
  ck_assert_str_eq(
      reason_of(CONTROL "CreateSession",
                PAYLOAD(CreateSessionRequest, create_session_request, .label = T("limits"))),
      "OK");
  session = (ProtobufCBinaryData){CMOX_SESSION_ID_BYTES, (uint8_t *)(uintptr_t)bare_session_id(0)};
  ck_assert_str_eq(
      reason_of(CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = session)),
      "OK");
}

static void teardown(void) {
  raw_close(&control);
  bare_close(&bare);
  alloc_fault_remove(&fault);
}

/* ---- Declared lengths ---- */

static const struct {
  const char *name;
  const char *bytes;
  size_t len;
} lengths[] = {
#define LENGTH(name, bytes) \
  { name, bytes, sizeof(bytes) - 1 }
    LENGTH("2^63", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    LENGTH("2^64 - 1", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    LENGTH("2^32", "\x80\x80\x80\x80\x10"),
    LENGTH("2^32 - 1", "\xff\xff\xff\xff\x0f"),
    LENGTH("2^31", "\x80\x80\x80\x80\x08"),
    LENGTH("cap + 1", "\x81\x80\x80\x08"),
    LENGTH("an over-long varint", "\x85\x80\x80\x80\x80\x80\x00"),
    LENGTH("eleven bytes", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static const enum { STRANGER, CLIENT, LAUNCHER } stages[] = {STRANGER, CLIENT, LAUNCHER};

static raw_link_t link_at(int stage) {
  raw_link_t link;
  if (stage == LAUNCHER) {
    ck_assert(bare_shim(&bare, 0, &link));
    raw_greet(&link, CMDMOX__V1__ROLE__ROLE_SHIM);
  } else {
    ck_assert(bare_control(&bare, &link));
    if (stage == CLIENT) raw_greet(&link, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  }
  return link;
}

/* The link ends because of those bytes alone: nothing follows them and no deadline passes. */
START_TEST(a_frame_of_a_forbidden_length_ends_the_link) {
  for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
    raw_link_t link = link_at((int)stages[s]);
    alloc_fault_arm(&fault, 0, false);
    size_t before = alloc_fault_bytes(&fault);
    raw_send(&link, lengths[_i].bytes, lengths[_i].len);
    ck_assert_uint_eq(raw_read_to_end(&link), 0);
    size_t growth = alloc_fault_peak(&fault) - before;
    ck_assert_msg(growth < GROWTH_MAX, "%s: %zu bytes", lengths[_i].name, growth);
    raw_close(&link);
  }
  assert_alive();
}
END_TEST

/* 4 KiB are all that is heard of somebody who has not said who it is. */
START_TEST(a_stranger_may_not_say_much) {
  for (uint32_t len = CMOX_FRAME_MAX_HELLO - 1; len <= CMOX_FRAME_MAX_HELLO + 1; len++) {
    raw_link_t link = link_at(STRANGER);
    Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
    Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
    char software[CMOX_FRAME_MAX_HELLO + 1] = "";
    frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
    frame.hello = &hello;
    hello.magic = CMOX_MAGIC;
    hello.min_version = hello.max_version = CMOX_PROTOCOL_MAX;
    hello.role = CMDMOX__V1__ROLE__ROLE_CONTROLLER;
    hello.software = software;
    memset(software, 'x', len - 100);
    memset(software, 'x', len - 100 + (len - cmdmox__v1__frame__get_packed_size(&frame)));
    ck_assert_uint_eq(cmdmox__v1__frame__get_packed_size(&frame), len);
    raw_bytes_t bytes = {0};
    raw_put_frame(&bytes, &frame);
    raw_send_all(&link, &bytes);
    raw_free(&bytes);
    Cmdmox__V1__Frame *reply = raw_read(&link);
    ck_assert_str_eq(raw_reason(reply), len > CMOX_FRAME_MAX_HELLO ? "NONE" : "OK");
    raw_frame_free(reply);
    raw_close(&link);
  }
}
END_TEST

/* A prefix within the bound, and the body never comes. */
START_TEST(an_announced_frame_costs_nothing_until_it_comes) {
  raw_link_t link = link_at(CLIENT);
  alloc_fault_arm(&fault, 0, false);
  size_t before = alloc_fault_bytes(&fault);
  raw_send(&link, "\x80\x80\x80\x08half", 8); /* 16 MiB */
  bare_settle(&bare);
  ck_assert_uint_lt(alloc_fault_peak(&fault) - before, GROWTH_MAX);
  ck_assert(!raw_receive(&link) && !link.ended);
  raw_close(&link);
}
END_TEST

/* Where a payload declares a length: a sub-message, bytes, a packed array, an unknown field. */
static const struct {
  const char *method;
  const char *tags; /* each opens the next */
} places[] = {
    {CONTROL "CreateDoubles", "\x12"},             /* doubles */
    {CONTROL "CreateDoubles", "\x0a"},             /* session_id */
    {CONTROL "CreateDoubles", "\x12\x2a\x52\x0a"}, /* doubles, matchers, all_of, indexes: packed */
    {CONTROL "CreateDoubles", "\x12\x5a\x0a\x12"}, /* doubles, actions, items, reply */
    {CONTROL "Ping", "\x0a"},
    {CONTROL "Ping", "\x7a"},         /* unknown */
    {CONTROL "ReleaseCalls", "\x12"}, /* a string */
};

static void put_place(raw_bytes_t *payload, const char *tags, const char *length, size_t len) {
  raw_bytes_t inner = {0};
  size_t last = strlen(tags) - 1;
  raw_put(&inner, &tags[last], 1);
  raw_put(&inner, length, len);
  for (size_t i = last; i-- > 0;) {
    raw_bytes_t outer = {0};
    raw_put_field(&outer, (uint8_t)tags[i] >> 3, inner.data, inner.len);
    raw_free(&inner);
    inner = outer;
  }
  *payload = inner;
}

START_TEST(a_nested_length_fails_its_request_only) {
  for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
    raw_bytes_t payload = {0};
    put_place(&payload, places[p].tags, lengths[_i].bytes, lengths[_i].len);
    alloc_fault_arm(&fault, 0, false);
    size_t before = alloc_fault_bytes(&fault);
    ck_assert_str_eq(reason_of_raw(places[p].method, &payload), "BAD_PAYLOAD");
    size_t growth = alloc_fault_peak(&fault) - before;
    ck_assert_msg(growth < GROWTH_MAX, "%s: %zu bytes", lengths[_i].name, growth);
    raw_free(&payload);
    assert_alive();
  }
}
END_TEST

/* Inside the envelope itself nobody knows whose id it is: the link ends, with a word. */
START_TEST(a_nested_length_in_the_envelope_ends_the_link) {
  for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
    raw_link_t link = link_at((int)stages[s]);
    raw_bytes_t body = {0}, bytes = {0};
    put_place(&body, "\x22\x12", lengths[_i].bytes, lengths[_i].len); /* request, payload */
    raw_put_varint(&bytes, body.len);
    raw_put(&bytes, body.data, body.len);
    alloc_fault_arm(&fault, 0, false);
    size_t before = alloc_fault_bytes(&fault);
    raw_send_all(&link, &bytes);
    Cmdmox__V1__Frame *last = raw_read(&link);
    ck_assert_str_eq(raw_reason(last), stages[s] == STRANGER ? "NONE" : "BAD_FRAME");
    if (last) ck_assert_int_eq((int)last->body_case, CMDMOX__V1__FRAME__BODY_GO_AWAY);
    raw_frame_free(last);
    ck_assert_uint_eq(raw_read_to_end(&link), 0);
    ck_assert_uint_lt(alloc_fault_peak(&fault) - before, GROWTH_MAX);
    raw_free(&body);
    raw_free(&bytes);
    raw_close(&link);
  }
}
END_TEST

/* ---- Bounds of a payload ---- */

/* A payload of this many elements of field 2, each empty. */
static void put_elements(raw_bytes_t *payload, size_t count) {
  raw_put_field(payload, 1, session.data, session.len);
  for (size_t i = 0; i < count; i++) raw_put(payload, "\x12\x01x", 3);
}

static void assert_peak(void) {
  size_t peak = alloc_fault_peak(&fault);
  ck_assert_msg(peak <= CMOX_DECODE_MEMORY_MAX, "%zu bytes", peak);
}

START_TEST(elements_around_their_bound) {
  for (size_t n = CMOX_DECODE_ELEMENTS_MAX - 1; n <= CMOX_DECODE_ELEMENTS_MAX + 1; n++) {
    raw_bytes_t payload = {0};
    put_elements(&payload, n);
    alloc_fault_arm(&fault, 0, false);
    ck_assert_str_eq(reason_of_raw(CONTROL "RegisterCommands", &payload),
                     n > CMOX_DECODE_ELEMENTS_MAX ? "TOO_COMPLEX" : "OK");
    assert_peak();
    raw_free(&payload);
    assert_alive();
  }
}
END_TEST

/* Every repeated field of every request, and unknown fields, count alike. */
START_TEST(too_many_elements_of_any_field) {
  for (unsigned m = 0; m < cmdmox__v1__control_service__descriptor.n_methods; m++) {
    const ProtobufCMethodDescriptor *method = &cmdmox__v1__control_service__descriptor.methods[m];
    char name[128];
    snprintf(name, sizeof name, CONTROL "%s", method->name);
    for (unsigned f = 0; f <= method->input->n_fields; f++) {
      bool unknown = f == method->input->n_fields;
      if (!unknown && method->input->fields[f].label != PROTOBUF_C_LABEL_REPEATED) continue;
      raw_bytes_t payload = {0};
      for (size_t i = 0; i <= CMOX_DECODE_ELEMENTS_MAX; i++)
        raw_put_field(&payload, unknown ? 2000 : method->input->fields[f].id, NULL, 0);
      alloc_fault_arm(&fault, 0, false);
      const char *reason = reason_of_raw(name, &payload);
      ck_assert_msg(strcmp(reason, "TOO_COMPLEX") == 0 || strcmp(reason, "UNIMPLEMENTED") == 0,
                    "%s, field %u: %s", name, f, reason);
      assert_peak();
      raw_free(&payload);
      assert_alive();
    }
  }
}
END_TEST

/* 29 KB, each byte pair one level deeper: what crashes protobuf-c on its own. */
START_TEST(a_nesting_bomb_fails_its_request_only) {
  enum { LEVELS = 10000, BOMB_MAX = 29000 };
  static const struct {
    const char *method;
    uint8_t number;
  } fields[] = {{CONTROL "CreateDoubles", 2},
                {CONTROL "UpdateDouble", 3},
                {CONTROL "Ping", 9},
                {CONTROL "CreateDoubles", 11}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    raw_bytes_t bomb = {0};
    for (int level = 0; level < LEVELS && bomb.len < BOMB_MAX; level++) {
      raw_bytes_t outer = {0};
      raw_put_field(&outer, fields[i].number, bomb.data, bomb.len);
      raw_free(&bomb);
      bomb = outer;
    }
    alloc_fault_arm(&fault, 0, false);
    const char *reason = reason_of_raw(fields[i].method, &bomb);
    ck_assert_str_ne(reason, "NONE");
    if (fields[i].number < 9) ck_assert_str_ne(reason, "OK");
    assert_peak();
    raw_free(&bomb);
    /* The same with groups, which have no length. */
    for (int level = 0; level < BOMB_MAX; level++) raw_put(&bomb, "\x13", 1);
    ck_assert_str_eq(reason_of_raw(fields[i].method, &bomb), "BAD_PAYLOAD");
    raw_free(&bomb);
    assert_alive();
  }
}
END_TEST

/* Less on the wire than a frame may hold, more in memory than a payload may take: each double with
 * ten messages inside it. */
START_TEST(amplification_stops_at_the_bound_of_memory) {
  static const uint8_t facets[] = {3, 6, 7, 8, 9, 10, 11, 12, 13, 14}; /* each empty */
  raw_bytes_t payload = {0}, wanted = {0};
  char label[100];
  memset(label, 'x', sizeof label);
  raw_put_field(&wanted, 4, label, sizeof label);
  for (size_t i = 0; i < sizeof facets; i++) raw_put_field(&wanted, facets[i], NULL, 0);
  for (size_t i = 0; i < CMOX_DECODE_ELEMENTS_MAX; i++)
    raw_put_field(&payload, 2, wanted.data, wanted.len);
  alloc_fault_arm(&fault, 0, false);
  ck_assert_str_eq(reason_of_raw(CONTROL "CreateDoubles", &payload), "TOO_COMPLEX");
  assert_peak();
  raw_free(&wanted);
  raw_free(&payload);
  assert_alive();
}
END_TEST

/* ---- The other bounds: one below, at, one above ---- */

/* 0 is within, 1 at, 2 above. */
typedef const char *(*bound_t)(size_t n);

static const char *frame_of(size_t n) {
  raw_bytes_t payload = {0};
  uint8_t *filler = calloc(1, n);
  raw_put_field(&payload, 9, filler, n - 100);
  Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = last_id += 2;
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &request;
  request.method = T(CONTROL "Ping");
  request.payload = (ProtobufCBinaryData){payload.len, payload.data};
  size_t more = n - cmdmox__v1__frame__get_packed_size(&frame);
  payload.len = 0;
  raw_put_field(&payload, 9, filler, n - 100 + more);
  request.payload = (ProtobufCBinaryData){payload.len, payload.data};
  ck_assert_uint_eq(cmdmox__v1__frame__get_packed_size(&frame), n);
  raw_bytes_t bytes = {0};
  raw_put_frame(&bytes, &frame);
  raw_send_all(&control, &bytes);
  raw_free(&bytes);
  raw_free(&payload);
  free(filler);
  Cmdmox__V1__Frame *reply = raw_read(&control);
  const char *reason = raw_reason(reply);
  raw_frame_free(reply);
  return reason;
}

static const char *accepted_frame(size_t n) {
  raw_link_t link = link_at(STRANGER);
  raw_bytes_t bytes = {0};
  raw_put_frame(&bytes, FRAME(0, HELLO, hello,
                              NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1,
                                  .max_version = 1, .role = CMDMOX__V1__ROLE__ROLE_CONTROLLER,
                                  .max_frame_bytes = (uint32_t)n)));
  raw_send_all(&link, &bytes);
  raw_free(&bytes);
  Cmdmox__V1__Frame *reply = raw_read(&link);
  const char *reason = raw_reason(reply);
  raw_frame_free(reply);
  raw_close(&link);
  return reason;
}

static const char *invoke(size_t command, size_t key) {
  raw_link_t link = link_at(LAUNCHER);
  uint8_t *bytes = malloc(command + key + 1);
  memset(bytes, 'k', command + key + 1);
  Cmdmox__V1__Frame *reply =
      raw_ask(&link, 1, SHIM "Invoke",
              PAYLOAD(InvokeRequest, invoke_request, .command = {command, bytes},
                      .invocation_key = {key, bytes}));
  const char *reason = raw_reason(reply);
  raw_frame_free(reply);
  free(bytes);
  raw_close(&link);
  return reason;
}

static const char *command_of(size_t n) { return invoke(n, CMOX_INVOCATION_KEY_BYTES); }
static const char *key_of(size_t n) { return invoke(3, n); }

static const char *exit_code(size_t n) {
  return reason_of(
      CONTROL "CreateDoubles",
      PAYLOAD(
          CreateDoublesRequest, create_doubles_request, .session_id = session,
          LIST(doubles, Cmdmox__V1__Double *,
               NEW(Double, double, .command = B("cat"),
                   .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB,
                   .actions = NEW(ActionList, action_list,
                                  LIST(items, Cmdmox__V1__DoubleAction *,
                                       DOUBLE_ACTION(REPLY, .reply = NEW(Reply, reply,
                                                                         EXIT((uint32_t)n)))))))));
}

static const struct {
  const char *name;
  bound_t ask;
  size_t bound;
  const char *below, *at, *above; /* reasons */
} bounds[] = {
    {"frame", frame_of, CMOX_FRAME_MAX_DEFAULT, "OK", "OK", "NONE"},
    {"frames a peer accepts", accepted_frame, CMOX_FRAME_MAX_LEAST, "BAD_HELLO", "OK", "OK"},
    {"command name", command_of, CMOX_COMMAND_NAME_MAX, "OK", "OK", "BAD_PAYLOAD"},
    {"invocation key", key_of, CMOX_INVOCATION_KEY_BYTES, "BAD_PAYLOAD", "OK", "BAD_PAYLOAD"},
    {"exit code", exit_code, 255, "OK", "OK", "INVALID_ARGUMENT"},
};

START_TEST(around_each_bound) {
  ck_assert_str_eq(bounds[_i].ask(bounds[_i].bound - 1), bounds[_i].below);
  ck_assert_str_eq(bounds[_i].ask(bounds[_i].bound), bounds[_i].at);
  ck_assert_str_eq(bounds[_i].ask(bounds[_i].bound + 1), bounds[_i].above);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("rpc_limits");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_set_timeout(cases, 60);
  tcase_add_loop_test(cases, a_frame_of_a_forbidden_length_ends_the_link, 0, LENGTHS);
  tcase_add_test(cases, a_stranger_may_not_say_much);
  tcase_add_test(cases, an_announced_frame_costs_nothing_until_it_comes);
  tcase_add_loop_test(cases, a_nested_length_fails_its_request_only, 0, LENGTHS);
  tcase_add_loop_test(cases, a_nested_length_in_the_envelope_ends_the_link, 0, LENGTHS);
  tcase_add_test(cases, elements_around_their_bound);
  tcase_add_test(cases, too_many_elements_of_any_field);
  tcase_add_test(cases, a_nesting_bomb_fails_its_request_only);
  tcase_add_test(cases, amplification_stops_at_the_bound_of_memory);
  tcase_add_loop_test(cases, around_each_bound, 0, (int)(sizeof bounds / sizeof *bounds));
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
