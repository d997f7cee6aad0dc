/* Every method of every service, as the descriptors list them, whether it is built or not: whatever
 * its request holds, it gets exactly one response, and the link and the engine go on. A method
 * that is added to the schema is covered as it stands. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/descriptor_set.h"
#include "tests/lib/doors.h"
#include "tests/lib/files.h"
#include "tests/lib/messages.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/thorough.h"

#define PRECHECK_DIR CMOX_SOURCE_DIR "/fixtures/precheck"

enum { FILES_MAX = 256, VARIANTS = 8, RANDOM_PAYLOADS = 60, CUTS_MAX = 200 };

static bool is(const doors_outcome_t *outcome, const char *reason) {
  return strcmp(outcome->reason, reason) == 0;
}

/* ---- Payloads ---- */

START_TEST(an_empty_payload) {
  const doors_method_t *method = &doors_methods[_i];
  doors_outcome_t outcome = doors_exchange(doors_side(method), method, NULL, 0);
  if (method->row->input->n_fields) return;
  ck_assert_str_ne(outcome.reason, "BAD_PAYLOAD");
}
END_TEST

START_TEST(any_field_and_each_member_of_a_oneof) {
  const doors_method_t *method = &doors_methods[_i];
  for (unsigned variant = 0; variant < VARIANTS; variant++) {
    raw_bytes_t payload = {0};
    sample_t sample = doors_sample(variant);
    sample_put(&payload, method->row->input, &sample);
    size_t known = payload.len;
    doors_outcome_t outcome = doors_exchange(doors_side(method), method, payload.data, known);
    for (unsigned wire_type = 0; wire_type < 6; wire_type++)
      if (wire_type < 3 || wire_type == 5) sample_put_wire_type(&payload, 3000, wire_type);
    /* What a newer peer adds is passed over. */
    doors_outcome_t newer = doors_exchange(doors_side(method), method, payload.data, payload.len);
    if (!is(&outcome, "BAD_PAYLOAD")) ck_assert_str_ne(newer.reason, "BAD_PAYLOAD");
    ck_assert_str_ne(newer.reason, "TOO_COMPLEX");
    raw_free(&payload);
  }
}
END_TEST

START_TEST(a_message_cut_anywhere) {
  const doors_method_t *method = &doors_methods[_i];
  for (unsigned variant = 0; variant < VARIANTS; variant += 3) {
    raw_bytes_t payload = {0};
    sample_t sample = doors_sample(variant);
    sample_put(&payload, method->row->input, &sample);
    size_t step = (1 + payload.len / CUTS_MAX) * thorough_step();
    for (size_t cut = 0; cut < payload.len; cut += step)
      (void)doors_exchange(doors_side(method), method, payload.data, cut);
    raw_free(&payload);
  }
}
END_TEST

START_TEST(random_bytes) {
  const doors_method_t *method = &doors_methods[_i];
  srand(20260701u + (unsigned)_i);
  for (int round = 0; round < RANDOM_PAYLOADS; round += (int)thorough_step()) {
    uint8_t bytes[512];
    size_t len = (size_t)rand() % sizeof bytes;
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)rand();
    (void)doors_exchange(doors_side(method), method, bytes, len);
  }
}
END_TEST

static char files[FILES_MAX][128];
static size_t n_files;

START_TEST(hostile_files) {
  const doors_method_t *method = &doors_methods[_i];
  ck_assert_uint_gt(n_files, 0);
  for (size_t i = 0; i < n_files; i++) {
    char path[512];
    size_t len;
    snprintf(path, sizeof path, PRECHECK_DIR "/%s", files[i]);
    char *text = cmox_test_read_file(path);
    uint8_t *bytes = cmox_test_unhex(text, &len);
    (void)doors_exchange(doors_side(method), method, bytes, len);
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
  const doors_method_t *method = &doors_methods[_i];
  for (unsigned f = 0; f < method->row->input->n_fields; f++) {
    const ProtobufCFieldDescriptor *field = &method->row->input->fields[f];
    for (unsigned wire_type = 0; wire_type < 8; wire_type++) {
      raw_bytes_t payload = {0};
      sample_put_wire_type(&payload, field->id, wire_type);
      doors_outcome_t outcome =
          doors_exchange(doors_side(method), method, payload.data, payload.len);
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
  const doors_method_t *method = &doors_methods[_i];
  static const char *const texts[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "cut \xe2\x82"};
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    raw_bytes_t good = {0}, payload = {0};
    sample_t sample = doors_sample(0);
    sample_put(&good, method->row->input, &sample);
    sample.text = texts[t];
    sample_put(&payload, method->row->input, &sample);
    bool has_text = payload.len > 0 &&
                    (good.len != payload.len || memcmp(good.data, payload.data, good.len) != 0);
    doors_outcome_t outcome = doors_exchange(doors_side(method), method, payload.data, payload.len);
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
  const doors_method_t *method = &doors_methods[_i];
  for (int after = 0; after < 3; after++) {
    raw_bytes_t bytes = {0}, payload = {0};
    uint32_t id = doors_last_id += 2;
    sample_t sample = doors_sample(0);
    sample.names_only = true;
    sample_put(&payload, method->row->input, &sample);
    if (after == 0) put_cancel(&bytes, id); /* nobody has asked yet */
    raw_put_request(&bytes, id, method->name, payload.data, payload.len);
    for (int i = 0; i < after; i++) put_cancel(&bytes, id);
    (void)doors_exchange_bytes(doors_side(method), method, id, &bytes, 1);
    raw_free(&payload);
    raw_free(&bytes);
  }
}
END_TEST

START_TEST(an_id_used_twice_has_two_responses) {
  const doors_method_t *method = &doors_methods[_i];
  raw_bytes_t bytes = {0};
  uint32_t id = doors_last_id += 2;
  raw_put_request(&bytes, id, method->name, NULL, 0);
  raw_put_request(&bytes, id, method->name, NULL, 0);
  (void)doors_exchange_bytes(doors_side(method), method, id, &bytes, 2);
  raw_free(&bytes);
}
END_TEST

static void open_link(const doors_method_t *method, raw_link_t *link) {
  if (method->for_shims)
    doors_connect_shim(link);
  else
    doors_connect_control(link);
}

/* Sends it on a link of its own; the link ends after one frame, which is no response. */
static void assert_ends(const doors_method_t *method, bool greeted, raw_bytes_t *bytes,
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
    raw_put_request(&bytes, ids[i], doors_methods[_i].name, NULL, 0);
    assert_ends(&doors_methods[_i], true, &bytes, "BAD_FRAME");
    raw_free(&bytes);
  }
}
END_TEST

START_TEST(a_request_before_hello_ends_the_link) {
  raw_bytes_t bytes = {0};
  raw_put_request(&bytes, 1, doors_methods[_i].name, NULL, 0);
  assert_ends(&doors_methods[_i], false, &bytes, "BAD_HELLO");
  raw_free(&bytes);
}
END_TEST

START_TEST(a_wrong_role_ends_the_link) {
  const doors_method_t *method = &doors_methods[_i];
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
  const doors_method_t *method = &doors_methods[_i];
  raw_link_t *link = method->for_shims ? &doors_control : &doors_shim;
  raw_bytes_t payload = {0};
  sample_t sample = doors_sample(0);
  sample.names_only = true;
  sample_put(&payload, method->row->input, &sample);
  doors_outcome_t outcome = doors_exchange(link, method, payload.data, payload.len);
  ck_assert_msg(is(&outcome, "PERMISSION_DENIED") || is(&outcome, "UNIMPLEMENTED"), "%s: %s",
                method->name, outcome.reason);
  raw_free(&payload);
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

static int schema_methods;

static void in_service(unsigned number, const uint8_t *value, size_t size) {
  (void)value;
  (void)size;
  if (number == 2) schema_methods++; /* ServiceDescriptorProto.method */
}

static void in_file(unsigned number, const uint8_t *value, size_t size) {
  if (number == 6) each_field(value, size, in_service); /* FileDescriptorProto.service */
}

static void in_set(unsigned number, const uint8_t *value, size_t size) {
  if (number == 1) each_field(value, size, in_file); /* FileDescriptorSet.file */
}

START_TEST(every_method_of_the_schema_is_tested) {
  each_field(cmox_descriptor_set, cmox_descriptor_set_len, in_set);
  ck_assert_int_eq(schema_methods, doors_method_count);
}
END_TEST

int main(void) {
  doors_list_methods();
  n_files = cmox_test_list(PRECHECK_DIR, ".hex", files, FILES_MAX);
  Suite *suite = suite_create("rpc_methods");
  TCase *cases = tcase_create("all");
  tcase_add_checked_fixture(cases, doors_setup, doors_teardown);
  tcase_set_timeout(cases, 600);
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
                               the_other_side_is_refused};
  for (size_t i = 0; i < sizeof each / sizeof *each; i++)
    tcase_add_loop_test(cases, each[i], 0, doors_method_count);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
