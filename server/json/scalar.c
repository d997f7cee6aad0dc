/* Values that are no messages, from JSON to the wire. */
#include <string.h>

#include "server/base/nearest.h"
#include "server/json/internal.h"

enum { ENUM_VALUES_MAX = 64 };

/* ---- The wire --------------------------------------------------------------- */

static void put_varint(cmox_buf_t *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) cmox_buf_putc(out, (char)(value | 0x80));
  cmox_buf_putc(out, (char)value);
}

void cmox_put_number(cmox_buf_t *out, const cmox_field_t *field, uint64_t value) {
  if (field->type == PROTOBUF_C_TYPE_FIXED32) {
    put_varint(out, (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_32BIT);
    for (unsigned bits = 0; bits < 32; bits += 8) cmox_buf_putc(out, (char)(value >> bits));
    return;
  }
  put_varint(out, (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_VARINT);
  put_varint(out, value);
}

void cmox_put_bytes(cmox_buf_t *out, const cmox_field_t *field, cmox_span_t bytes) {
  put_varint(out, (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
  put_varint(out, bytes.len);
  cmox_buf_append_span(out, bytes);
}

/* ---- Numbers ---------------------------------------------------------------- */

/* Digits and nothing else. */
static bool number_of_text(const char *text, size_t len, uint64_t *out) {
  uint64_t value = 0;
  for (size_t i = 0; i < len; i++) {
    const uint64_t digit = (uint64_t)(uint8_t)text[i] - '0';
    if (digit > 9 || value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return len > 0;
}

static cmox_code_t read_number(const cmox_reader_t *reader, const cmox_field_t *field,
                               const json_t *value, const cmox_place_t *place, cmox_buf_t *out) {
  const uint64_t most = field->type == PROTOBUF_C_TYPE_UINT64 ? UINT64_MAX : UINT32_MAX;
  uint64_t number = 0;
  bool is = json_is_integer(value) && json_integer_value(value) >= 0;
  if (is) number = (uint64_t)json_integer_value(value);
  if (json_is_string(value))
    is = number_of_text(json_string_value(value), json_string_length(value), &number);
  if (!is || number > most)
    return cmox_fail_at(reader, place, "expected a whole number from 0 to %llu",
                        (unsigned long long)most);
  cmox_put_number(out, field, number);
  return CMOX_OK;
}

/* ---- Names of enums --------------------------------------------------------- */

static cmox_code_t unknown_value(const cmox_reader_t *reader, const ProtobufCEnumDescriptor *type,
                                 const char *word, const cmox_place_t *place) {
  char names[ENUM_VALUES_MAX][CMOX_NAME_MAX];
  size_t count = 0;
  cmox_nearest_t nearest = cmox_nearest_to(word);
  cmox_buf_t list = CMOX_BUF_EMPTY;
  for (unsigned i = 0; i < type->n_values && count < ENUM_VALUES_MAX; i++) {
    if (type->values[i].value == 0) continue; /* nobody means "unspecified" */
    cmox_short_name(type, type->values[i].name, names[count]);
    cmox_nearest_see(&nearest, names[count]);
    cmox_buf_printf(&list, "%s\"%s\"", count ? ", " : "", names[count]);
    count++;
  }
  cmox_code_t code;
  if (nearest.best)
    code =
        cmox_fail_at(reader, place, "there is no such value; did you mean \"%s\"?", nearest.best);
  else
    code = cmox_fail_at(reader, place, "expected one of %.*s", (int)list.len,
                        list.data ? (const char *)list.data : "");
  cmox_buf_clear(&list);
  return code;
}

static cmox_code_t read_enum(const cmox_reader_t *reader, const cmox_field_t *field,
                             const json_t *value, const cmox_place_t *place, cmox_buf_t *out) {
  const ProtobufCEnumDescriptor *type = field->descriptor;
  if (json_is_integer(value)) { /* perhaps of a newer schema */
    const json_int_t number = json_integer_value(value);
    if (number < INT32_MIN || number > INT32_MAX)
      return cmox_fail_at(reader, place, "expected a number of 32 bits, or a name");
    cmox_put_number(out, field, (uint64_t)number);
    return CMOX_OK;
  }
  const char *word = json_is_string(value) ? json_string_value(value) : "";
  for (unsigned i = 0; i < type->n_values; i++) {
    char name[CMOX_NAME_MAX];
    cmox_short_name(type, type->values[i].name, name);
    const bool is = strcmp(word, type->values[i].name) == 0 || strcmp(word, name) == 0;
    if (!is || strlen(word) != json_string_length(value)) continue;
    cmox_put_number(out, field, (uint64_t)(int64_t)type->values[i].value);
    return CMOX_OK;
  }
  return unknown_value(reader, type, word, place);
}

/* ---- Bytes and texts -------------------------------------------------------- */

static const json_t *base64_of(const json_t *value) {
  if (json_object_size(value) != 1) return NULL;
  const json_t *text = json_object_get(value, "base64");
  return json_is_string(text) ? text : NULL;
}

bool cmox_is_bytes(const json_t *value) { return json_is_string(value) || base64_of(value); }

static cmox_span_t text_of(const json_t *value) {
  return cmox_span(json_string_value(value), json_string_length(value));
}

cmox_code_t cmox_read_bytes(const cmox_reader_t *reader, const json_t *value,
                            const cmox_place_t *place, cmox_buf_t *out) {
  if (json_is_string(value)) {
    cmox_buf_append_span(out, text_of(value));
    return CMOX_OK;
  }
  const json_t *base64 = base64_of(value);
  if (!base64)
    return cmox_fail_at(reader, place, "expected a text, or {\"base64\": \"...\"} for other bytes");
  const cmox_place_t inside = cmox_member(place, "base64");
  if (!cmox_base64_decode(text_of(base64), out) && !out->failed)
    return cmox_fail_at(reader, &inside, "expected base64: A-Z a-z 0-9 + / and = at the end");
  return CMOX_OK;
}

static cmox_code_t read_text(const cmox_reader_t *reader, const cmox_field_t *field,
                             const json_t *value, const cmox_place_t *place, cmox_buf_t *out) {
  if (!json_is_string(value)) return cmox_fail_at(reader, place, "expected a text");
  const cmox_span_t text = text_of(value);
  if (text.len && memchr(text.data, 0, text.len))
    return cmox_fail_at(reader, place, "no NUL (\\u0000) may be in this text");
  cmox_put_bytes(out, field, text);
  return CMOX_OK;
}

cmox_code_t cmox_read_scalar(const cmox_reader_t *reader, const cmox_field_t *field,
                             const json_t *value, const cmox_place_t *place, cmox_buf_t *out) {
  cmox_buf_t bytes = CMOX_BUF_EMPTY;
  cmox_code_t code = CMOX_OK;
  switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT64:
      return read_number(reader, field, value, place, out);
    case PROTOBUF_C_TYPE_BOOL:
      if (!json_is_boolean(value)) return cmox_fail_at(reader, place, "expected true or false");
      cmox_put_number(out, field, json_is_true(value));
      return CMOX_OK;
    case PROTOBUF_C_TYPE_ENUM:
      return read_enum(reader, field, value, place, out);
    case PROTOBUF_C_TYPE_STRING:
      return read_text(reader, field, value, place, out);
    case PROTOBUF_C_TYPE_BYTES:
      code = cmox_read_bytes(reader, value, place, &bytes);
      if (code == CMOX_OK && !bytes.failed) cmox_put_bytes(out, field, cmox_buf_span(&bytes));
      out->failed |= bytes.failed;
      cmox_buf_clear(&bytes);
      return code;
    default: /* a test sees that the schema has no others */
      return cmox_fail_at(reader, place, "values of this type cannot be written as JSON yet");
  }
}
