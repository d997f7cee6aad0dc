/* Every method of every service, as the descriptors list them, whether it is built or not: whatever
 * its request holds, and even when memory ends, it gets exactly one response, and the link and the
 * engine go on. A method that is added to the schema is covered as it stands. */
#include <check.h>
#include <cmdmox/engine.h>
#include <cmdmox/v1/control.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/descriptor_set.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/files.h"
#include "tests/lib/messages.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/sample.h"
#include "tests/lib/schema.h"

#define CONTROL "cmdmox.v1.ControlService/"
#define PRECHECK_DIR CMOX_SOURCE_DIR "/fixtures/precheck"

enum { METHODS_MAX = 256, FILES_MAX = 256, VARIANTS = 8, RANDOM_PAYLOADS = 60, CUTS_MAX = 200 };

typedef struct method {
  char name[128];
  const ProtobufCMethodDescriptor *row;
  bool for_shims;
} method_t;

static method_t methods[METHODS_MAX];
static int n_methods;

static void list_methods(void) {
  for (size_t s = 0; s < sizeof cmox_test_services / sizeof *cmox_test_services; s++)
    for (unsigned m = 0; m < cmox_test_services[s]->n_methods && n_methods < METHODS_MAX; m++) {
      method_t *method = &methods[n_methods++];
      method->row = &cmox_test_services[s]->methods[m];
      method->for_shims = strcmp(cmox_test_services[s]->name, "cmdmox.v1.ShimService") == 0;
      snprintf(method->name, sizeof method->name, "%s/%s", cmox_test_services[s]->name,
               method->row->name);
    }
}

/* ---- An engine with a session in replay ---- */

static alloc_fault_t fault;
static cmox_engine_t *engine;
static raw_link_t control, shim;
static uint32_t last_id;
static uint8_t session[16];
static char socket_path[128];

static sample_t plain(unsigned variant) {
  return (sample_t){.variant = variant, .session_id = {sizeof session, session}, .double_id = 1};
}

static void connect_control(raw_link_t *link) {
  *link = (raw_link_t){.fd = -1};
  ck_assert_int_eq(cmox_engine_connect(engine, &link->fd, NULL, 0), CMOX_OK);
}

static void connect_shim(raw_link_t *link) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  ck_assert_uint_lt(strlen(socket_path), sizeof address.sun_path);
  strcpy(address.sun_path, socket_path);
  *link = (raw_link_t){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ck_assert_int_eq(connect(link->fd, (const struct sockaddr *)&address, sizeof address), 0);
}

static void must(const char *method, const ProtobufCMessage *input) {
  Cmdmox__V1__Frame *frame = raw_ask(&control, last_id += 2, method, input);
  ck_assert_msg(strcmp(raw_reason(frame), "OK") == 0, "%s: %s", method, raw_message(frame));
  raw_frame_free(frame);
}

static void create_session(void) {
  Cmdmox__V1__Frame *frame =
      raw_ask(&control, last_id += 2, CONTROL "CreateSession",
              PAYLOAD(CreateSessionRequest, create_session_request, .label = T("generic")));
  ProtobufCMessage *answer = raw_answer(frame, &cmdmox__v1__create_session_response__descriptor);
  const Cmdmox__V1__CreateSessionResponse *made = (const Cmdmox__V1__CreateSessionResponse *)answer;
  ck_assert_uint_eq(made->session_id.len, sizeof session);
  memcpy(session, made->session_id.data, sizeof session);
  static const char key[] = "CMOX_IPC_SOCKET=unix:";
  for (size_t i = 0; i < made->n_env_block; i++)
    if (made->env_block[i].len > strlen(key) &&
        memcmp(made->env_block[i].data, key, strlen(key)) == 0)
      snprintf(socket_path, sizeof socket_path, "%.*s", (int)(made->env_block[i].len - strlen(key)),
               (const char *)made->env_block[i].data + strlen(key));
  protobuf_c_message_free_unpacked(answer, NULL);
  raw_frame_free(frame);
}

static void begin(void) {
  connect_control(&control);
  raw_greet(&control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  create_session();
  const ProtobufCBinaryData id = {sizeof session, session};
  must(CONTROL "CreateDoubles",
       PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = id,
               LIST(doubles, Cmdmox__V1__Double *,
                    NEW(Double, double, .command = B("git"),
                        .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB))));
  must(CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = id));
  connect_shim(&shim);
  raw_greet(&shim, CMDMOX__V1__ROLE__ROLE_SHIM);
}

static void end(void) {
  raw_close(&shim);
  raw_close(&control);
}

static void setup(void) {
  alloc_fault_install(&fault, false);
  (void)alloc_fault_rest(&fault);
  const cmox_engine_options_t options = {.size = sizeof options, .shim = CMOX_TEST_LAUNCHER};
  char why[512];
  ck_assert_msg(cmox_engine_start(&options, &engine, why, sizeof why) == CMOX_OK, "%s", why);
  last_id = (uint32_t)-1;
  begin();
}

static void teardown(void) {
  end();
  cmox_engine_stop(engine);
  alloc_fault_remove(&fault);
}

/* ---- Exchanges ---- */

/* Two fences: what is asked now is answered after all that was asked before, also by
 * methods that wait for a drain. Their ids; each is answered in its own way. */
static uint32_t send_fence(raw_link_t *link, bool drained) {
  raw_bytes_t bytes = {0};
  uint32_t id = last_id += 2;
  if (link != &control)
    raw_put_request(&bytes, id, "cmdmox.v1.ShimService/NoSuchMethod", NULL, 0);
  else if (drained)
    raw_put_request(&bytes, id, CONTROL "GetCallCount", NULL, 0);
  else
    raw_put_request(&bytes, id, CONTROL "Ping", "\x0a\x02hi", 4);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  return id;
}

static const char *fence_reason(const raw_link_t *link, bool drained) {
  if (link != &control) return "UNIMPLEMENTED";
  return drained ? "NOT_FOUND" : "OK";
}

typedef struct outcome {
  char reason[64];
  unsigned responses;
} outcome_t;

static void note(outcome_t *outcome, const method_t *method, const Cmdmox__V1__Frame *frame) {
  outcome->responses++;
  snprintf(outcome->reason, sizeof outcome->reason, "%s", raw_reason(frame));
  ck_assert_str_ne(outcome->reason, "INTERNAL");
  if (strcmp(outcome->reason, "OK") != 0) return;
  ProtobufCMessage *answer = raw_answer(frame, method->row->output);
  protobuf_c_message_free_unpacked(answer, NULL);
}

/* Reads until this many responses have come, and the fence. */
static void collect(raw_link_t *link, const method_t *method, uint32_t id, unsigned wanted,
                    bool drained, outcome_t *outcome) {
  uint32_t fence = send_fence(link, drained);
  for (bool fenced = false; !fenced || outcome->responses < wanted;) {
    Cmdmox__V1__Frame *frame = raw_read(link);
    ck_assert_msg(frame != NULL, "%s: the link was closed", method->name);
    ck_assert_msg(frame->body_case != CMDMOX__V1__FRAME__BODY_GO_AWAY, "%s: GoAway: %s",
                  method->name, raw_message(frame));
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE) {
      ck_assert_msg(frame->id == id || frame->id == fence, "%s: a response to nothing",
                    method->name);
      if (frame->id == id) note(outcome, method, frame);
      if (frame->id == fence) {
        ck_assert_str_eq(raw_reason(frame), fence_reason(link, drained));
        fenced = true;
      }
    }
    raw_frame_free(frame);
  }
}

/* Sends bytes that hold requests with this id; asserts that each has one response and that
 * the link goes on. */
static outcome_t exchange_bytes(raw_link_t *link, const method_t *method, uint32_t id,
                                raw_bytes_t *bytes, unsigned requests) {
  outcome_t outcome = {{0}, 0};
  raw_send_all(link, bytes);
  collect(link, method, id, requests, false, &outcome);
  collect(link, method, id, requests, true, &outcome);
  ck_assert_msg(outcome.responses == requests, "%s: %u responses to %u requests", method->name,
                outcome.responses, requests);
  return outcome;
}

static raw_link_t *side_of(const method_t *method) { return method->for_shims ? &shim : &control; }

static outcome_t exchange(raw_link_t *link, const method_t *method, const void *payload,
                          size_t len) {
  raw_bytes_t bytes = {0};
  uint32_t id = last_id += 2;
  raw_put_request(&bytes, id, method->name, payload, len);
  outcome_t outcome = exchange_bytes(link, method, id, &bytes, 1);
  raw_free(&bytes);
  return outcome;
}

static bool is(const outcome_t *outcome, const char *reason) {
  return strcmp(outcome->reason, reason) == 0;
}

/* ---- Payloads ---- */

START_TEST(an_empty_payload) {
  const method_t *method = &methods[_i];
  outcome_t outcome = exchange(side_of(method), method, NULL, 0);
  if (method->row->input->n_fields) return;
  ck_assert_str_ne(outcome.reason, "BAD_PAYLOAD");
}
END_TEST

START_TEST(any_field_and_each_member_of_a_oneof) {
  const method_t *method = &methods[_i];
  for (unsigned variant = 0; variant < VARIANTS; variant++) {
    raw_bytes_t payload = {0};
    sample_t sample = plain(variant);
    sample_put(&payload, method->row->input, &sample);
    size_t known = payload.len;
    outcome_t outcome = exchange(side_of(method), method, payload.data, known);
    for (unsigned wire_type = 0; wire_type < 6; wire_type++)
      if (wire_type < 3 || wire_type == 5) sample_put_wire_type(&payload, 3000, wire_type);
    /* What a newer peer adds is passed over. */
    outcome_t newer = exchange(side_of(method), method, payload.data, payload.len);
    if (!is(&outcome, "BAD_PAYLOAD")) ck_assert_str_ne(newer.reason, "BAD_PAYLOAD");
    ck_assert_str_ne(newer.reason, "TOO_COMPLEX");
    raw_free(&payload);
  }
}
END_TEST

START_TEST(a_message_cut_anywhere) {
  const method_t *method = &methods[_i];
  for (unsigned variant = 0; variant < VARIANTS; variant += 3) {
    raw_bytes_t payload = {0};
    sample_t sample = plain(variant);
    sample_put(&payload, method->row->input, &sample);
    size_t step = 1 + payload.len / CUTS_MAX;
    for (size_t cut = 0; cut < payload.len; cut += step)
      (void)exchange(side_of(method), method, payload.data, cut);
    raw_free(&payload);
  }
}
END_TEST

START_TEST(random_bytes) {
  const method_t *method = &methods[_i];
  srand(20260701u + (unsigned)_i);
  for (int round = 0; round < RANDOM_PAYLOADS; round++) {
    uint8_t bytes[512];
    size_t len = (size_t)rand() % sizeof bytes;
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)rand();
    (void)exchange(side_of(method), method, bytes, len);
  }
}
END_TEST

static char files[FILES_MAX][128];
static size_t n_files;

START_TEST(hostile_files) {
  const method_t *method = &methods[_i];
  ck_assert_uint_gt(n_files, 0);
  for (size_t i = 0; i < n_files; i++) {
    char path[512];
    size_t len;
    snprintf(path, sizeof path, PRECHECK_DIR "/%s", files[i]);
    char *text = cmox_test_read_file(path);
    uint8_t *bytes = cmox_test_unhex(text, &len);
    (void)exchange(side_of(method), method, bytes, len);
    free(bytes);
    free(text);
  }
}
END_TEST

static bool is_delimited(const ProtobufCFieldDescriptor *field) {
  return field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING ||
         field->type == PROTOBUF_C_TYPE_BYTES;
}

START_TEST(wrong_wire_types) {
  const method_t *method = &methods[_i];
  for (unsigned f = 0; f < method->row->input->n_fields; f++) {
    const ProtobufCFieldDescriptor *field = &method->row->input->fields[f];
    for (unsigned wire_type = 0; wire_type < 8; wire_type++) {
      raw_bytes_t payload = {0};
      sample_put_wire_type(&payload, field->id, wire_type);
      outcome_t outcome = exchange(side_of(method), method, payload.data, payload.len);
      bool wrong = wire_type == 3 || wire_type == 4 || wire_type > 5 ||
                   (is_delimited(field) && wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
      bool refused_by_name = is(&outcome, "UNIMPLEMENTED");
      if (wrong && !refused_by_name) ck_assert_str_eq(outcome.reason, "BAD_PAYLOAD");
      raw_free(&payload);
    }
  }
}
END_TEST

START_TEST(text_that_is_not_utf8) {
  const method_t *method = &methods[_i];
  static const char *const texts[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "cut \xe2\x82"};
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    raw_bytes_t good = {0}, payload = {0};
    sample_t sample = plain(0);
    sample_put(&good, method->row->input, &sample);
    sample.text = texts[t];
    sample_put(&payload, method->row->input, &sample);
    bool has_text = good.len != payload.len || memcmp(good.data, payload.data, good.len) != 0;
    outcome_t outcome = exchange(side_of(method), method, payload.data, payload.len);
    if (has_text && !is(&outcome, "UNIMPLEMENTED")) ck_assert_str_eq(outcome.reason, "BAD_PAYLOAD");
    raw_free(&good);
    raw_free(&payload);
  }
}
END_TEST

/* ---- Envelopes ---- */

static void put_cancel(raw_bytes_t *bytes, uint32_t id) {
  raw_put_frame(bytes, FRAME(id, CANCEL, cancel, NEW(Cancel, cancel, .reason = T("not wanted"))));
}

START_TEST(a_cancelled_request_has_one_response) {
  const method_t *method = &methods[_i];
  for (int after = 0; after < 3; after++) {
    raw_bytes_t bytes = {0}, payload = {0};
    uint32_t id = last_id += 2;
    sample_t sample = plain(0);
    sample.names_only = true;
    sample_put(&payload, method->row->input, &sample);
    if (after == 0) put_cancel(&bytes, id); /* nobody has asked yet */
    raw_put_request(&bytes, id, method->name, payload.data, payload.len);
    for (int i = 0; i < after; i++) put_cancel(&bytes, id);
    (void)exchange_bytes(side_of(method), method, id, &bytes, 1);
    raw_free(&payload);
    raw_free(&bytes);
  }
}
END_TEST

START_TEST(an_id_used_twice_has_two_responses) {
  const method_t *method = &methods[_i];
  raw_bytes_t bytes = {0};
  uint32_t id = last_id += 2;
  raw_put_request(&bytes, id, method->name, NULL, 0);
  raw_put_request(&bytes, id, method->name, NULL, 0);
  (void)exchange_bytes(side_of(method), method, id, &bytes, 2);
  raw_free(&bytes);
}
END_TEST

static void open_link(const method_t *method, raw_link_t *link) {
  if (method->for_shims)
    connect_shim(link);
  else
    connect_control(link);
}

/* Sends it on a link of its own; the link ends after one frame, which is no response. */
static void assert_ends(const method_t *method, bool greeted, raw_bytes_t *bytes,
                        const char *reason) {
  raw_link_t link;
  open_link(method, &link);
  if (greeted)
    raw_greet(&link,
              method->for_shims ? CMDMOX__V1__ROLE__ROLE_SHIM : CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  raw_send_all(&link, bytes);
  Cmdmox__V1__Frame *frame = raw_read(&link);
  ck_assert_str_eq(raw_reason(frame), reason);
  ck_assert_int_eq((int)frame->body_case,
                   greeted ? CMDMOX__V1__FRAME__BODY_GO_AWAY : CMDMOX__V1__FRAME__BODY_HELLO_REPLY);
  raw_frame_free(frame);
  ck_assert_uint_eq(raw_read_to_end(&link), 0);
  raw_close(&link);
}

START_TEST(ids_of_the_other_side_end_the_link) {
  static const uint32_t ids[] = {0, 2, 0xfffffffe};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    raw_bytes_t bytes = {0};
    raw_put_request(&bytes, ids[i], methods[_i].name, NULL, 0);
    assert_ends(&methods[_i], true, &bytes, "BAD_FRAME");
    raw_free(&bytes);
  }
}
END_TEST

START_TEST(a_request_before_hello_ends_the_link) {
  raw_bytes_t bytes = {0};
  raw_put_request(&bytes, 1, methods[_i].name, NULL, 0);
  assert_ends(&methods[_i], false, &bytes, "BAD_HELLO");
  raw_free(&bytes);
}
END_TEST

START_TEST(a_wrong_role_ends_the_link) {
  const method_t *method = &methods[_i];
  for (int role = 0; role < 6; role++) {
    if (role ==
        (method->for_shims ? CMDMOX__V1__ROLE__ROLE_SHIM : CMDMOX__V1__ROLE__ROLE_CONTROLLER))
      continue;
    raw_bytes_t bytes = {0};
    raw_put_hello(&bytes, (Cmdmox__V1__Role)role, 1, 1);
    raw_put_request(&bytes, 1, method->name, NULL, 0);
    assert_ends(method, false, &bytes,
                role == CMDMOX__V1__ROLE__ROLE_AGENT ? "UNIMPLEMENTED" : "PERMISSION_DENIED");
    raw_free(&bytes);
  }
}
END_TEST

START_TEST(the_other_side_is_refused) {
  const method_t *method = &methods[_i];
  raw_link_t *link = method->for_shims ? &control : &shim;
  raw_bytes_t payload = {0};
  sample_t sample = plain(0);
  sample.names_only = true;
  sample_put(&payload, method->row->input, &sample);
  outcome_t outcome = exchange(link, method, payload.data, payload.len);
  ck_assert_msg(is(&outcome, "PERMISSION_DENIED") || is(&outcome, "UNIMPLEMENTED"), "%s: %s",
                method->name, outcome.reason);
  raw_free(&payload);
}
END_TEST

/* ---- Out of memory ---- */

/* True when the link ended instead of a response. */
static bool ask_without_memory(const method_t *method, const raw_bytes_t *payload, size_t fail_at,
                               bool for_ever) {
  raw_link_t *link = side_of(method);
  raw_bytes_t bytes = {0};
  uint32_t id = last_id += 2;
  raw_put_request(&bytes, id, method->name, payload->data, payload->len);
  alloc_fault_arm(&fault, fail_at, for_ever);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  outcome_t outcome = {{0}, 0};
  bool ended = false;
  while (!ended && outcome.responses == 0) {
    Cmdmox__V1__Frame *frame = raw_read(link);
    if (!frame) ended = true;
    if (frame && frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE) {
      ck_assert_uint_eq(frame->id, id);
      note(&outcome, method, frame);
    }
    raw_frame_free(frame);
  }
  return ended;
}

/* The points of one request; each on a session of its own. */
static size_t sweep(const method_t *method, const raw_bytes_t *payload, bool for_ever) {
  for (size_t at = 1;; at++) {
    bool ended = ask_without_memory(method, payload, at, for_ever);
    bool failed = alloc_fault_rest(&fault) > 0;
    ck_assert_msg(failed || !ended, "%s: the link ended, with memory", method->name);
    if (ended) {
      end();
      begin();
    }
    (void)exchange(side_of(method), method, NULL, 0); /* the next call works */
    if (!failed) return at - 1;
    if (!ended) {
      end();
      begin();
    }
  }
}

START_TEST(memory_ends_at_any_allocation) {
  const method_t *method = &methods[_i];
  for (int full = 0; full < 2; full++) {
    raw_bytes_t payload = {0};
    sample_t sample = plain(1);
    sample.names_only = !full;
    sample_put(&payload, method->row->input, &sample);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
      size_t points = sweep(method, &payload, for_ever);
      ck_assert_uint_gt(points, 0);
      printf("allocation sweep: %s, %s fields, %s: %zu of %zu points\n", method->name,
             full ? "all" : "no", for_ever ? "for ever" : "once", points, points);
    }
    raw_free(&payload);
  }
  (void)fflush(stdout);
}
END_TEST

/* ---- The list itself ---- */

/* Calls back for each field with wire type LEN. */
static void each_field(const uint8_t *data, size_t len,
                       void (*found)(unsigned number, const uint8_t *value, size_t size)) {
  for (size_t at = 0; at < len;) {
    uint64_t parts[2] = {0, 0};
    for (int part = 0; part < 2; part++) /* the tag, then the length or the value */
      for (unsigned shift = 0;; shift += 7) {
        ck_assert_uint_lt(at, len);
        parts[part] |= (uint64_t)(data[at] & 0x7f) << shift;
        if (data[at++] < 0x80) break;
      }
    if ((parts[0] & 7) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) continue; /* else a varint */
    found((unsigned)(parts[0] >> 3), data + at, (size_t)parts[1]);
    at += (size_t)parts[1];
  }
}

static int methods_in_schema;

static void in_service(unsigned number, const uint8_t *value, size_t size) {
  (void)value;
  (void)size;
  if (number == 2) methods_in_schema++; /* ServiceDescriptorProto.method */
}

static void in_file(unsigned number, const uint8_t *value, size_t size) {
  if (number == 6) each_field(value, size, in_service); /* FileDescriptorProto.service */
}

static void in_set(unsigned number, const uint8_t *value, size_t size) {
  if (number == 1) each_field(value, size, in_file); /* FileDescriptorSet.file */
}

START_TEST(every_method_of_the_schema_is_tested) {
  each_field(cmox_descriptor_set, cmox_descriptor_set_len, in_set);
  ck_assert_int_eq(methods_in_schema, n_methods);
}
END_TEST

int main(void) {
  list_methods();
  n_files = cmox_test_list(PRECHECK_DIR, ".hex", files, FILES_MAX);
  Suite *suite = suite_create("rpc_methods");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_set_timeout(cases, 60);
  tcase_add_test(cases, every_method_of_the_schema_is_tested);
  const TTest *const each[] = {an_empty_payload,
                               any_field_and_each_member_of_a_oneof,
                               a_message_cut_anywhere,
                               random_bytes,
                               hostile_files,
                               wrong_wire_types,
                               text_that_is_not_utf8,
                               a_cancelled_request_has_one_response,
                               an_id_used_twice_has_two_responses,
                               ids_of_the_other_side_end_the_link,
                               a_request_before_hello_ends_the_link,
                               a_wrong_role_ends_the_link,
                               the_other_side_is_refused,
                               memory_ends_at_any_allocation};
  for (size_t i = 0; i < sizeof each / sizeof *each; i++)
    tcase_add_loop_test(cases, each[i], 0, n_methods);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
