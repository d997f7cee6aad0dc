/* The pre-check against files, against protobuf-c, and against its own promise
 * about memory. fixtures/precheck: y_* is accepted, n_* refused with the code
 * and the reason in its header. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/precheck.h"
#include "tests/lib/files.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/schema.h"
#include "tests/lib/tally.h"
#include "tests/lib/wire_cases.h"

#define PRECHECK_DIR CMOX_SOURCE_DIR "/fixtures/precheck"
#define FILES_MAX 256
#define MESSAGE_MAX 4096
#define ROUNDS 60000

static char files[FILES_MAX][128];
static size_t n_files;

/* Unpacks from a block of exactly this length, so that a sanitizer sees reads
 * beyond it. Returns whether protobuf-c accepts, and the peak. */
static bool unpacks(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
                    size_t *peak) {
  tally_t tally = {0};
  ProtobufCAllocator allocator = {tally_alloc, tally_free, &tally};
  ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, len, data);
  *peak = tally.peak;
  const bool ok = message != NULL;
  protobuf_c_message_free_unpacked(message, &allocator);
  ck_assert_uint_eq(tally.now, 0);
  return ok;
}

static cmox_code_t check_with_memory(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                     size_t len, size_t memory) {
  cmox_precheck_limits_t limits = cmox_precheck_defaults;
  limits.memory = memory;
  return cmox_precheck(type, data, len, &limits, NULL);
}

typedef struct sample {
  const ProtobufCMessageDescriptor *type;
  uint8_t *data; /* exactly len bytes */
  size_t len;
  cmox_precheck_limits_t limits;
  char code[64];
  char why[64];
} sample_t;

static sample_t load(const char *name) {
  char path[512], value[128];
  snprintf(path, sizeof path, PRECHECK_DIR "/%s", name);
  char *text = cmox_test_read_file(path);
  sample_t sample = {.limits = cmox_precheck_defaults};
  cmox_test_header(text, "type", value, sizeof value);
  sample.type = cmox_test_type(value);
  ck_assert_msg(sample.type != NULL, "%s: no type %s", name, value);
  cmox_test_header(text, "code", sample.code, sizeof sample.code);
  cmox_test_header(text, "why", sample.why, sizeof sample.why);
  cmox_test_header(text, "depth", value, sizeof value);
  if (*value) sample.limits.depth = (uint32_t)atoi(value);
  cmox_test_header(text, "elements", value, sizeof value);
  if (*value) sample.limits.elements = (uint32_t)atoi(value);
  cmox_test_header(text, "memory", value, sizeof value);
  if (*value) sample.limits.memory = (size_t)atoi(value);
  uint8_t *bytes = cmox_test_unhex(text, &sample.len);
  sample.data = malloc(sample.len);
  if (sample.len) memcpy(sample.data, bytes, sample.len);
  free(bytes);
  free(text);
  return sample;
}

START_TEST(file) {
  const char *name = files[_i];
  sample_t sample = load(name);
  const char *why = "untouched";
  const cmox_code_t code =
      cmox_precheck(sample.type, sample.data, sample.len, &sample.limits, &why);
  if (name[0] == 'y') {
    size_t peak;
    ck_assert_msg(code == CMOX_OK, "%s: %s", name, why);
    ck_assert_ptr_null(why);
    ck_assert_msg(unpacks(sample.type, sample.data, sample.len, &peak), "%s", name);
  } else {
    ck_assert_msg(strcmp(cmox_code_reason(code), sample.code) == 0, "%s: %s", name,
                  cmox_code_reason(code));
    ck_assert_str_eq(why, sample.why);
  }
  free(sample.data);
}
END_TEST

START_TEST(why_may_be_null) {
  const uint8_t bad[] = {0x00};
  const ProtobufCMessageDescriptor *type = cmox_test_type("cmdmox.v1.Progress");
  ck_assert_int_eq(cmox_precheck(type, bad, 1, &cmox_precheck_defaults, NULL), CMOX_E_BAD_PAYLOAD);
  ck_assert_int_eq(cmox_precheck(type, NULL, 0, &cmox_precheck_defaults, NULL), CMOX_OK);
}
END_TEST

/* Two megabytes of empty sub-messages are 178 MB for protobuf-c. */
START_TEST(amplification_is_refused) {
  const size_t len = 2u << 20;
  uint8_t *data = malloc(len);
  ck_assert_ptr_nonnull(data);
  for (size_t i = 0; i < len; i += 2) {
    data[i] = 0x0a;
    data[i + 1] = 0x00;
  }
  const ProtobufCMessageDescriptor *type = cmox_test_type("cmdmox.v1.ActionList");
  ck_assert_int_eq(cmox_precheck(type, data, len, &cmox_precheck_defaults, NULL),
                   CMOX_E_TOO_COMPLEX);
  free(data);
}
END_TEST

/* Every length that is no frame's whole is either refused or decodes. */
START_TEST(every_truncation) {
  const wire_case_t *c = &cmox_test_wire_cases[_i];
  const ProtobufCMessage *message = c->payload ? c->payload : &c->frame->base;
  uint8_t whole[MESSAGE_MAX];
  const size_t len = protobuf_c_message_pack(message, whole);
  for (size_t cut = 0; cut <= len; cut++) {
    uint8_t *part = malloc(cut);
    if (cut) memcpy(part, whole, cut);
    size_t peak;
    const cmox_code_t code =
        cmox_precheck(message->descriptor, part, cut, &cmox_precheck_defaults, NULL);
    ck_assert(code == CMOX_OK || code == CMOX_E_BAD_PAYLOAD);
    if (cut == len) ck_assert_int_eq(code, CMOX_OK);
    if (code == CMOX_OK) ck_assert(unpacks(message->descriptor, part, cut, &peak));
    free(part);
  }
}
END_TEST

static size_t below(size_t n) { return (size_t)rand() % n; }

/* One random change: a byte, a bit, a piece removed, doubled or moved. */
static size_t mutate(uint8_t *data, size_t len) {
  static const uint8_t favourites[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x1a, 0x08};
  const size_t at = len ? below(len) : 0, span = len ? 1 + below(len - at) : 0;
  switch (below(6)) {
    case 0:
      if (len) data[at] = (uint8_t)rand();
      return len;
    case 1:
      if (len) data[at] ^= (uint8_t)(1u << below(8));
      return len;
    case 2:
      if (len) data[at] = favourites[below(sizeof favourites)];
      return len;
    case 3:
      memmove(data + at, data + at + span, len - at - span);
      return len - span;
    case 4:
      if (len + span > MESSAGE_MAX) return len;
      memmove(data + at + span, data + at, len - at);
      return len + span;
    default:
      if (len + 1 > MESSAGE_MAX) return len;
      memmove(data + at + 1, data + at, len - at);
      data[at] = favourites[below(sizeof favourites)];
      return len + 1;
  }
}

/* What the pre-check accepts, protobuf-c accepts, within the memory that was
 * allowed: with one byte less than it really took, the answer must be no. */
START_TEST(mutations) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n_types = cmox_test_types(&types);
  size_t accepted = 0;
  srand(20240602u + (unsigned)_i);
  for (int round = 0; round < ROUNDS; round++) {
    const wire_case_t *c = &cmox_test_wire_cases[below(cmox_test_wire_case_count)];
    const ProtobufCMessage *message = c->payload ? c->payload : &c->frame->base;
    uint8_t buffer[MESSAGE_MAX];
    size_t len = protobuf_c_message_pack(message, buffer);
    for (size_t changes = below(4); changes > 0; changes--) len = mutate(buffer, len);
    const ProtobufCMessageDescriptor *type = below(4) ? message->descriptor : types[below(n_types)];

    uint8_t *data = malloc(len);
    if (len) memcpy(data, buffer, len);
    if (cmox_precheck(type, data, len, &cmox_precheck_defaults, NULL) == CMOX_OK) {
      size_t peak;
      accepted++;
      ck_assert_msg(unpacks(type, data, len, &peak), "%s: protobuf-c refuses", type->name);
      ck_assert_int_eq(check_with_memory(type, data, len, peak - 1), CMOX_E_TOO_COMPLEX);
    }
    free(data);
  }
  ck_assert_uint_gt(accepted, ROUNDS / 10);
}
END_TEST

/* A real environment must not look like an attack. */
START_TEST(large_call_is_accepted) {
  const size_t entries = 20000;
  const ProtobufCMessageDescriptor *type = cmox_test_type("cmdmox.v1.InvokeRequest");
  uint8_t *data = malloc(entries * 34);
  ck_assert_ptr_nonnull(data);
  for (size_t i = 0; i < entries; i++) {
    data[i * 34] = 0x12;
    data[i * 34 + 1] = 32;
    memset(data + i * 34 + 2, 'x', 32);
  }
  size_t peak;
  ck_assert_int_eq(cmox_precheck(type, data, entries * 34, &cmox_precheck_defaults, NULL), CMOX_OK);
  ck_assert(unpacks(type, data, entries * 34, &peak));
  ck_assert_int_eq(check_with_memory(type, data, entries * 34, 2 * peak), CMOX_OK);
  free(data);
}
END_TEST

int main(void) {
  n_files = cmox_test_list(PRECHECK_DIR, ".hex", files, FILES_MAX);
  Suite *suite = suite_create("precheck");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 60);
  tcase_add_loop_test(cases, file, 0, (int)n_files);
  tcase_add_test(cases, why_may_be_null);
  tcase_add_test(cases, amplification_is_refused);
  tcase_add_loop_test(cases, every_truncation, 0, (int)cmox_test_wire_case_count);
  tcase_add_loop_test(cases, mutations, 0, 4);
  tcase_add_test(cases, large_call_is_accepted);
  suite_add_tcase(suite, cases);
  return run_suite(suite) || n_files == 0;
}
