#include "tests/lib/sample.h"

#include <string.h>

static void put_tag(raw_bytes_t *out, uint32_t number, unsigned wire_type) {
  raw_put_varint(out, (uint64_t)number << 3 | wire_type);
}

void sample_put_wire_type(raw_bytes_t *out, uint32_t number, unsigned wire_type) {
  put_tag(out, number, wire_type);
  switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
      raw_put_varint(out, 1);
      break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
      raw_put(out, "12345678", 8);
      break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
      raw_put(out, "\x02\x08\x01", 3);
      break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
      raw_put(out, "1234", 4);
      break;
    default: /* groups, and two numbers that mean nothing */
      break;
  }
}

/* Whether a member of a oneof is the one that this variant sets. */
static bool is_set(const ProtobufCMessageDescriptor *type, unsigned index, unsigned variant) {
  const ProtobufCFieldDescriptor *field = &type->fields[index];
  if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) return true;
  unsigned members = 0, own = 0;
  for (unsigned i = 0; i < type->n_fields; i++) {
    const ProtobufCFieldDescriptor *other = &type->fields[i];
    if (!(other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
        other->quantifier_offset != field->quantifier_offset)
      continue;
    if (i == index) own = members;
    members++;
  }
  return own == variant % members;
}

static uint64_t number_of(const ProtobufCFieldDescriptor *field, const sample_t *sample) {
  if (field->type == PROTOBUF_C_TYPE_ENUM) {
    const ProtobufCEnumDescriptor *type = field->descriptor;
    return (uint64_t)type->values[sample->variant % type->n_values].value;
  }
  if (strcmp(field->name, "double_id") == 0) return sample->double_id;
  return field->type == PROTOBUF_C_TYPE_BOOL ? 1 : sample->variant + 1;
}

static void put_value(raw_bytes_t *out, const ProtobufCFieldDescriptor *field,
                      const sample_t *sample) {
  const char *text = sample->text ? sample->text : "sample";
  raw_bytes_t inner = {0};
  switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
      sample_put(&inner, field->descriptor, sample);
      raw_put_field(out, field->id, inner.data, inner.len);
      raw_free(&inner);
      break;
    case PROTOBUF_C_TYPE_STRING:
      raw_put_field(out, field->id, text, strlen(text));
      break;
    case PROTOBUF_C_TYPE_BYTES:
      if (strcmp(field->name, "session_id") == 0)
        raw_put_field(out, field->id, sample->session_id.data, sample->session_id.len);
      else
        raw_put_field(out, field->id, "sample", 6);
      break;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      sample_put_wire_type(out, field->id, PROTOBUF_C_WIRE_TYPE_32BIT);
      break;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      sample_put_wire_type(out, field->id, PROTOBUF_C_WIRE_TYPE_64BIT);
      break;
    default:
      put_tag(out, field->id, PROTOBUF_C_WIRE_TYPE_VARINT);
      raw_put_varint(out, number_of(field, sample));
      break;
  }
}

static bool is_name(const ProtobufCFieldDescriptor *field) {
  return strcmp(field->name, "session_id") == 0 || strcmp(field->name, "double_id") == 0;
}

void sample_put(raw_bytes_t *out, const ProtobufCMessageDescriptor *type, const sample_t *sample) {
  for (unsigned i = 0; i < type->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &type->fields[i];
    if (sample->names_only && !is_name(field)) continue;
    if (!is_set(type, i, sample->variant)) continue;
    put_value(out, field, sample);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) put_value(out, field, sample);
  }
}
