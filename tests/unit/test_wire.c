/* The bytes of every interesting frame, as files in fixtures/wire: protobuf-c
 * and nanopb write exactly these and read them back. CMOX_UPDATE_GOLDEN=1
 * rewrites the files; a difference in a released file is a broken protocol. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "proto/precheck.h"
#include "tests/lib/files.h"
#include "tests/lib/nanopb_round.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/schema.h"
#include "tests/lib/wire_cases.h"

#define WIRE_DIR CMOX_SOURCE_DIR "/fixtures/wire"
#define ROOM 8192

static ProtobufCBinaryData *payload_of(Cmdmox__V1__Frame *frame) {
  switch (frame->body_case) {
    case CMDMOX__V1__FRAME__BODY_REQUEST:
      return &frame->request->payload;
    case CMDMOX__V1__FRAME__BODY_RESPONSE:
      return frame->response->result_case == CMDMOX__V1__RESPONSE__RESULT_PAYLOAD
                 ? &frame->response->payload
                 : NULL;
    case CMDMOX__V1__FRAME__BODY_NOTIFY:
      return &frame->notify->payload;
    default:
      return NULL;
  }
}

/* The frame as it goes over the wire, its prefix in front. */
static size_t encode(const wire_case_t *c, uint8_t *out) {
  static uint8_t payload[ROOM];
  Cmdmox__V1__Frame frame = *c->frame;
  if (c->payload) {
    const size_t len = protobuf_c_message_pack(c->payload, payload);
    *payload_of(&frame) = (ProtobufCBinaryData){len, payload};
  }
  const size_t body = cmdmox__v1__frame__get_packed_size(&frame);
  ck_assert_uint_lt(body + CMOX_FRAME_PREFIX_MAX, ROOM);
  const size_t prefix = cmox_prefix_write(out, (uint32_t)body);
  cmdmox__v1__frame__pack(&frame, out + prefix);
  return prefix + body;
}

static uint8_t *load(const char *name, size_t *len) {
  char path[512];
  snprintf(path, sizeof path, WIRE_DIR "/%s.hex", name);
  char *text = cmox_test_read_file(path);
  uint8_t *bytes = cmox_test_unhex(text, len);
  free(text);
  return bytes;
}

/* The frame of a file; the caller frees it. */
static Cmdmox__V1__Frame *load_frame(const char *name, const uint8_t *wire, size_t len) {
  size_t prefix_len = 0;
  uint32_t body_len = 0;
  ck_assert_int_eq(cmox_prefix_read(wire, len, ROOM, &prefix_len, &body_len), CMOX_PREFIX_OK);
  ck_assert_uint_eq(prefix_len + body_len, len);
  Cmdmox__V1__Frame *frame = cmdmox__v1__frame__unpack(NULL, body_len, wire + prefix_len);
  ck_assert_msg(frame != NULL, "%s does not decode", name);
  return frame;
}

START_TEST(encodes_to_the_file) {
  const wire_case_t *c = &cmox_test_wire_cases[_i];
  static uint8_t wire[ROOM];
  const size_t len = encode(c, wire);
  if (getenv("CMOX_UPDATE_GOLDEN")) {
    char path[512];
    snprintf(path, sizeof path, WIRE_DIR "/%s.hex", c->name);
    cmox_test_write_hex(path, c->comment, wire, len);
  }
  size_t want_len;
  uint8_t *want = load(c->name, &want_len);
  ck_assert_msg(len == want_len && memcmp(wire, want, len) == 0, "%s has changed", c->name);
  free(want);
}
END_TEST

static void check_payload(const wire_case_t *c, const ProtobufCBinaryData *payload) {
  static uint8_t again[ROOM];
  const ProtobufCMessageDescriptor *type = c->payload->descriptor;
  const char *why;
  ck_assert_msg(
      cmox_precheck(type, payload->data, payload->len, &cmox_precheck_defaults, &why) == CMOX_OK,
      "%s: %s", c->name, why);
  ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, payload->len, payload->data);
  ck_assert_ptr_nonnull(message);
  ck_assert_uint_eq(protobuf_c_message_pack(message, again), payload->len);
  if (payload->len) ck_assert_mem_eq(again, payload->data, payload->len);
  protobuf_c_message_free_unpacked(message, NULL);
}

START_TEST(file_reads_back_the_same) {
  const wire_case_t *c = &cmox_test_wire_cases[_i];
  size_t len;
  uint8_t *wire = load(c->name, &len);
  Cmdmox__V1__Frame *frame = load_frame(c->name, wire, len);
  static uint8_t again[ROOM];
  const size_t body = cmdmox__v1__frame__pack(frame, again);
  ck_assert_uint_le(body, len);
  ck_assert_mem_eq(again, wire + len - body, body);
  const char *why;
  ck_assert_msg(cmox_precheck(&cmdmox__v1__frame__descriptor, again, body, &cmox_precheck_defaults,
                              &why) == CMOX_OK,
                "%s: %s", c->name, why);
  if (c->payload) check_payload(c, payload_of(frame));
  cmdmox__v1__frame__free_unpacked(frame, NULL);
  free(wire);
}
END_TEST

static void forget_status(Cmdmox__V1__Status *status) {
  if (status) status->n_details = 0;
}

/* What the launcher does not look at (type:FT_IGNORE). Shallow: the frame must
 * be thrown away without being freed. */
static void forget_ignored(Cmdmox__V1__Frame *frame) {
  static char empty[] = "";
  if (frame->body_case == CMDMOX__V1__FRAME__BODY_HELLO) frame->hello->n_features = 0;
  if (frame->body_case == CMDMOX__V1__FRAME__BODY_CANCEL) frame->cancel->reason = empty;
  if (frame->body_case == CMDMOX__V1__FRAME__BODY_GO_AWAY) forget_status(frame->go_away->status);
  if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE &&
      frame->response->result_case == CMDMOX__V1__RESPONSE__RESULT_ERROR)
    forget_status(frame->response->error);
  if (frame->body_case != CMDMOX__V1__FRAME__BODY_HELLO_REPLY) return;
  if (frame->hello_reply->result_case == CMDMOX__V1__HELLO_REPLY__RESULT_ERROR) {
    forget_status(frame->hello_reply->error);
  } else {
    frame->hello_reply->ok->software = empty;
    frame->hello_reply->ok->n_features = 0;
    frame->hello_reply->ok->session_id.len = 0;
  }
}

static void *arena_alloc(void *arena, size_t size) {
  size_t *used = arena;
  static _Alignas(max_align_t) uint8_t block[1 << 16];
  void *out = block + *used;
  *used += (size + 15) / 16 * 16;
  return *used <= sizeof block ? out : NULL;
}

static void arena_free(void *arena, void *block) {
  (void)arena;
  (void)block;
}

/* nanopb decodes each frame and writes it again: the same bytes, less what it
 * is told to ignore. */
START_TEST(nanopb_agrees) {
  const wire_case_t *c = &cmox_test_wire_cases[_i];
  size_t len, used = 0;
  uint8_t *wire = load(c->name, &len);
  size_t prefix_len = 0;
  uint32_t body_len = 0;
  ck_assert_int_eq(cmox_prefix_read(wire, len, ROOM, &prefix_len, &body_len), CMOX_PREFIX_OK);
  ProtobufCAllocator arena = {arena_alloc, arena_free, &used};
  Cmdmox__V1__Frame *frame = cmdmox__v1__frame__unpack(&arena, body_len, wire + prefix_len);
  ck_assert_ptr_nonnull(frame);
  forget_ignored(frame);

  static uint8_t want[ROOM], got[ROOM];
  const size_t want_len = cmdmox__v1__frame__pack(frame, want);
  const size_t got_len =
      cmox_test_nanopb_round("cmdmox.v1.Frame", wire + prefix_len, body_len, got, sizeof got);
  ck_assert_msg(got_len == want_len && memcmp(got, want, want_len) == 0, "%s differs", c->name);

  const ProtobufCBinaryData *payload = payload_of(frame);
  if (payload && c->payload && cmox_test_nanopb_knows(c->payload->descriptor->name)) {
    const size_t n = cmox_test_nanopb_round(c->payload->descriptor->name, payload->data,
                                            payload->len, got, sizeof got);
    ck_assert_msg(n == payload->len && (n == 0 || memcmp(got, payload->data, n) == 0),
                  "payload of %s differs", c->name);
  }
  free(wire);
}
END_TEST

/* A file that no case writes would never be checked. */
START_TEST(every_file_has_a_case) {
  static char names[256][128];
  const size_t n = cmox_test_list(WIRE_DIR, ".hex", names, 256);
  ck_assert_uint_eq(n, cmox_test_wire_case_count);
}
END_TEST

int main(void) {
  const int n = (int)cmox_test_wire_case_count;
  Suite *suite = suite_create("wire");
  TCase *cases = tcase_create("golden");
  tcase_add_loop_test(cases, encodes_to_the_file, 0, n);
  tcase_add_loop_test(cases, file_reads_back_the_same, 0, n);
  tcase_add_loop_test(cases, nanopb_agrees, 0, n);
  tcase_add_test(cases, every_file_has_a_case);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
