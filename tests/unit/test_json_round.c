/* Every message of the schema comes back from its JSON as it was: with all of its fields, and with
 * random ones. References to matchers are to some of the table around them, as the engine wants
 * them; sometimes in the order in which they can be written in place. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/alloc.h"
#include "server/json/internal.h"
#include "server/wire/wire.h"
#include "tests/lib/raw.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/schema.h"

enum { ROUNDS = 400, LIST_MAX = 4 };

typedef struct maker {
  uint64_t state;
  uint32_t known; /* matchers that may be referred to */
  bool in_turn;   /* each reference is to the next matcher */
  uint32_t next;
} maker_t;

static uint64_t roll(maker_t *maker, uint64_t below) {
  maker->state ^= maker->state << 13;
  maker->state ^= maker->state >> 7;
  maker->state ^= maker->state << 17;
  return below ? maker->state % below : maker->state;
}

static void make(maker_t *maker, const cmox_type_t *type, raw_bytes_t *out);

static uint64_t number_for(maker_t *maker, const cmox_type_t *type, const cmox_field_t *field) {
  static const uint64_t numbers[] = {
      0, 1, 7, UINT32_MAX, UINT64_C(1) << 53, (UINT64_C(1) << 53) + 1, INT64_MAX, UINT64_MAX};
  if (cmox_is_reference(type, field))
    return maker->in_turn && maker->next < maker->known ? maker->next++ : roll(maker, maker->known);
  if (field->type == PROTOBUF_C_TYPE_BOOL) return roll(maker, 2);
  if (field->type == PROTOBUF_C_TYPE_ENUM) {
    const ProtobufCEnumDescriptor *values = field->descriptor;
    if (roll(maker, 8) == 0) return 4711; /* of a newer schema */
    return (uint64_t)values->values[roll(maker, values->n_values)].value;
  }
  const uint64_t number = numbers[roll(maker, sizeof numbers / sizeof *numbers)];
  return field->type == PROTOBUF_C_TYPE_UINT64 ? number : (uint32_t)number;
}

static cmox_span_t bytes_for(maker_t *maker, bool text) {
  static const char *const all[] = {
      "",       "git",      "a \"b\" \\ / \n\t\x01", "h\xc3\xa9\xf0\x9f\x98\x80",
      "base64", "\xff\xfe", "\xed\xa0\x80",          "a\0b"};
  const size_t which = roll(maker, text ? 5 : 8);
  return which == 7 ? cmox_span("a\0b", 3) : cmox_span_str(all[which]);
}

static void make_value(maker_t *maker, const cmox_type_t *type, const cmox_field_t *field,
                       raw_bytes_t *out) {
  if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
    raw_bytes_t inner = {0};
    make(maker, field->descriptor, &inner);
    raw_put_field(out, field->id, inner.data, inner.len);
    raw_free(&inner);
  } else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
    const cmox_span_t bytes = bytes_for(maker, field->type == PROTOBUF_C_TYPE_STRING);
    raw_put_field(out, field->id, bytes.data, bytes.len);
  } else if (field->type == PROTOBUF_C_TYPE_FIXED32) {
    raw_put_varint(out, (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_32BIT);
    raw_put(out, "\x01\x02\x03\xff", 4);
  } else {
    raw_put_varint(out, (uint64_t)field->id << 3);
    raw_put_varint(out, number_for(maker, type, field));
  }
}

/* Matchers refer to those before them. */
static void make_table(maker_t *maker, const cmox_field_t *field, raw_bytes_t *out) {
  const uint32_t count = 1 + (uint32_t)roll(maker, LIST_MAX);
  maker->in_turn = roll(maker, 2) == 0;
  maker->next = 0;
  for (maker->known = 0; maker->known < count; maker->known++) {
    raw_bytes_t node = {0};
    if (maker->known == 0 || maker->in_turn) /* a plain one */
      raw_put_field(&node, 1 + 2 * (uint32_t)roll(maker, 2), "x", 1);
    else
      make(maker, cmox_matcher_type(), &node);
    raw_put_field(out, field->id, node.data, node.len);
    raw_free(&node);
  }
}

/* Whether this member of a oneof is the one; the choice is made at its first member. */
static bool is_chosen(const cmox_type_t *type, const cmox_field_t *field, uint64_t choice) {
  if (!cmox_in_oneof(field)) return true;
  uint64_t members = 1, own = 0; /* 0: none */
  for (unsigned i = 0; i < type->n_fields; i++) {
    const cmox_field_t *other = &type->fields[i];
    if (!cmox_in_oneof(other) || other->quantifier_offset != field->quantifier_offset) continue;
    if (other == field) own = members;
    members++;
  }
  return choice % members == own;
}

static void make(maker_t *maker, const cmox_type_t *type, raw_bytes_t *out) {
  const uint64_t choice = roll(maker, 0) >> 8;
  const cmox_field_t *table = cmox_table_field(type);
  if (table) make_table(maker, table, out);
  for (unsigned i = 0; i < type->n_fields; i++) {
    const cmox_field_t *field = &type->fields[i];
    const bool needs = cmox_is_reference(type, field) && !cmox_in_oneof(field);
    if (field == table || !is_chosen(type, field, choice)) continue;
    if (!needs && !cmox_in_oneof(field) && roll(maker, 3) == 0) continue;
    const uint64_t count = cmox_is_repeated(field) ? roll(maker, LIST_MAX) : 1;
    for (uint64_t n = 0; n < count; n++) make_value(maker, type, field, out);
  }
}

/* What has come back, in the one way in which protobuf-c packs it. */
static void assert_comes_back(const cmox_type_t *type, const ProtobufCMessage *message,
                              bool pretty) {
  cmox_buf_t json = CMOX_BUF_EMPTY, before = CMOX_BUF_EMPTY, after = CMOX_BUF_EMPTY;
  ck_assert(cmox_message_to_json(message, pretty, &json));
  ProtobufCMessage *again = NULL;
  cmox_error_t error = {.message = ""};
  const cmox_code_t code = cmox_message_from_json(type, NULL, cmox_buf_span(&json), &again, &error);
  ck_assert_msg(code == CMOX_OK, "%s: %s\n%.*s", type->name, error.message, (int)json.len,
                (const char *)json.data);
  cmox_wire_pack(message, &before);
  cmox_wire_pack(again, &after);
  ck_assert_msg(cmox_span_equal(cmox_buf_span(&before), cmox_buf_span(&after)), "%s\n%.*s",
                type->name, (int)json.len, (const char *)json.data);
  cmox_wire_free(again);
  cmox_buf_clear(&json);
  cmox_buf_clear(&before);
  cmox_buf_clear(&after);
}

START_TEST(every_message_comes_back) {
  const cmox_type_t *const *types;
  const size_t count = cmox_test_types(&types);
  for (size_t t = 0; t < count; t++)
    for (uint64_t round = 1; round <= ROUNDS; round++) {
      maker_t maker = {.state = round * UINT64_C(0x9e3779b97f4a7c15) + t, .known = 1000};
      raw_bytes_t wire = {0};
      make(&maker, types[t], &wire);
      ProtobufCMessage *message;
      cmox_error_t error;
      ck_assert_msg(
          cmox_wire_unpack(types[t], cmox_span(wire.data, wire.len), &message, &error) == CMOX_OK,
          "%s", error.message);
      assert_comes_back(types[t], message, round % 2);
      cmox_wire_free(message);
      raw_free(&wire);
    }
}
END_TEST

/* Both ways of writing matchers are seen. */
START_TEST(tables_are_written_in_both_ways) {
  const cmox_type_t *type = cmox_test_type("cmdmox.v1.Double");
  int in_place = 0, as_table = 0;
  for (uint64_t round = 1; round <= ROUNDS; round++) {
    maker_t maker = {.state = round * 77777, .known = 0};
    raw_bytes_t wire = {0};
    make(&maker, type, &wire);
    ProtobufCMessage *message;
    cmox_error_t error;
    ck_assert_int_eq(cmox_wire_unpack(type, cmox_span(wire.data, wire.len), &message, &error),
                     CMOX_OK);
    cmox_buf_t json = CMOX_BUF_EMPTY;
    ck_assert(cmox_message_to_json(message, false, &json));
    char *text = cmox_buf_take_text(&json);
    *(strstr(text, "\"matchers\"") ? &as_table : &in_place) += 1;
    cmox_free_block(text);
    cmox_wire_free(message);
    raw_free(&wire);
  }
  ck_assert_int_gt(in_place, ROUNDS / 50);
  ck_assert_int_gt(as_table, ROUNDS / 4);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("json_round");
  TCase *cases = tcase_create("round");
  tcase_set_timeout(cases, 300);
  tcase_add_test(cases, every_message_comes_back);
  tcase_add_test(cases, tables_are_written_in_both_ways);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
