/* A message to JSON. Matchers stand where they are referred to when reading that gives the table
 * that is there: each is referred to once, children before their parents, and the references are
 * met in the order of the table. Else the table is written, and the numbers. */
#include <string.h>

#include "cmdmox/v1/matcher.pb-c.h"
#include "server/base/quote.h"
#include "server/json/internal.h"

/* Beyond it numbers are written as texts: JavaScript's end there. */
#define EXACT_MAX (UINT64_C(1) << 53)
enum { MATCHERS_DEPTH_MAX = 16 }; /* in one another, written where they are referred to */

/* ---- Fields of a message ---------------------------------------------------- */

static const void *at_offset(const ProtobufCMessage *message, unsigned offset) {
  return (const uint8_t *)message + offset;
}

static size_t slot_size(const cmox_field_t *field) {
  switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
      return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
      return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
      return sizeof(protobuf_c_boolean);
    default:
      return sizeof(uint32_t);
  }
}

static uint64_t number_at(const cmox_field_t *field, const void *slot) {
  if (field->type == PROTOBUF_C_TYPE_UINT64) return *(const uint64_t *)slot;
  if (field->type == PROTOBUF_C_TYPE_BOOL) return *(const protobuf_c_boolean *)slot != 0;
  return *(const uint32_t *)slot;
}

static const ProtobufCMessage *message_at(const void *slot) {
  return *(const ProtobufCMessage *const *)slot;
}

static bool is_default(const cmox_field_t *field, const void *slot) {
  switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
      return ((const ProtobufCBinaryData *)slot)->len == 0;
    case PROTOBUF_C_TYPE_STRING:
      return !*(const char *const *)slot || !**(const char *const *)slot;
    case PROTOBUF_C_TYPE_MESSAGE:
      return !message_at(slot);
    default:
      return number_at(field, slot) == 0;
  }
}

/* How often the field is there, and the first of its values. A reference that has no presence is
 * always there. */
static size_t values_of(const ProtobufCMessage *message, const cmox_field_t *field,
                        const void **first) {
  *first = at_offset(message, field->offset);
  if (cmox_is_repeated(field)) {
    *first = *(const void *const *)*first;
    return *(const size_t *)at_offset(message, field->quantifier_offset);
  }
  if (cmox_in_oneof(field))
    return *(const uint32_t *)at_offset(message, field->quantifier_offset) == field->id;
  return !is_default(field, *first) || cmox_is_reference(message->descriptor, field);
}

static const void *value_at(const cmox_field_t *field, const void *first, size_t i) {
  return (const uint8_t *)first + i * slot_size(field);
}

/* ---- The table of matchers -------------------------------------------------- */

typedef struct table {
  const ProtobufCMessage *const *nodes;
  size_t count;
  bool in_place; /* they are written where they are referred to */
} table_t;

typedef struct walk {
  const table_t *table;
  size_t next;
  unsigned depth;
} walk_t;

static bool walk_message(walk_t *walk, const ProtobufCMessage *message);

static bool walk_reference(walk_t *walk, uint64_t index) {
  if (index >= walk->table->count || walk->depth == MATCHERS_DEPTH_MAX) return false;
  walk->depth++;
  const bool inner = walk_message(walk, walk->table->nodes[index]);
  walk->depth--;
  return inner && index == walk->next++;
}

/* In the order of reading. */
static bool walk_message(walk_t *walk, const ProtobufCMessage *message) {
  const cmox_type_t *type = message->descriptor;
  for (unsigned f = 0; f < type->n_fields; f++) {
    const cmox_field_t *field = &type->fields[f];
    const void *first;
    const size_t count = values_of(message, field, &first);
    for (size_t i = 0; i < count && field != cmox_table_field(type); i++) {
      const void *slot = value_at(field, first, i);
      if (cmox_is_reference(type, field) && !walk_reference(walk, number_at(field, slot)))
        return false;
      if (field->type == PROTOBUF_C_TYPE_MESSAGE && !walk_message(walk, message_at(slot)))
        return false;
    }
  }
  return true;
}

static table_t table_of(const ProtobufCMessage *message, const cmox_field_t *field) {
  table_t table = {0};
  const void *first;
  table.count = values_of(message, field, &first);
  table.nodes = first;
  walk_t walk = {.table = &table};
  table.in_place = walk_message(&walk, message) && walk.next == table.count;
  return table;
}

/* ---- Values ----------------------------------------------------------------- */

static json_t *write_message(const table_t *table, const ProtobufCMessage *message);

static json_t *write_bytes(cmox_span_t bytes) {
  if (cmox_is_utf8(bytes))
    return json_stringn(bytes.len ? (const char *)bytes.data : "", bytes.len);
  cmox_buf_t base64 = CMOX_BUF_EMPTY;
  cmox_base64_encode(bytes, &base64);
  json_t *object = NULL;
  if (!base64.failed) object = json_pack("{s:s%}", "base64", (const char *)base64.data, base64.len);
  cmox_buf_clear(&base64);
  return object;
}

static json_t *write_number(uint64_t number) {
  if (number <= EXACT_MAX) return json_integer((json_int_t)number);
  return json_sprintf("%llu", (unsigned long long)number);
}

static json_t *write_enum(const ProtobufCEnumDescriptor *type, int number) {
  const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
  if (!value) return json_integer(number);
  char name[CMOX_NAME_MAX];
  cmox_short_name(type, value->name, name);
  return json_string(name);
}

static bool is_equals(const ProtobufCMessage *node) {
  const Cmdmox__V1__MatcherNode *matcher = (const Cmdmox__V1__MatcherNode *)node;
  return matcher->test_case == CMDMOX__V1__MATCHER_NODE__TEST_EQUALS && !matcher->callback_name[0];
}

static json_t *write_reference(const table_t *table, uint64_t index) {
  if (!table || !table->in_place) return write_number(index);
  const ProtobufCMessage *node = table->nodes[index];
  if (!is_equals(node)) return write_message(table, node);
  const ProtobufCBinaryData bytes = ((const Cmdmox__V1__MatcherNode *)node)->equals;
  return write_bytes(cmox_span(bytes.data, bytes.len));
}

static json_t *write_value(const table_t *table, const cmox_type_t *type, const cmox_field_t *field,
                           const void *slot) {
  if (cmox_is_reference(type, field)) return write_reference(table, number_at(field, slot));
  switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES: {
      const ProtobufCBinaryData *bytes = slot;
      return write_bytes(cmox_span(bytes->data, bytes->len));
    }
    case PROTOBUF_C_TYPE_STRING: {
      const char *text = *(const char *const *)slot;
      return json_string(text ? text : "");
    }
    case PROTOBUF_C_TYPE_MESSAGE:
      return write_message(table, message_at(slot));
    case PROTOBUF_C_TYPE_BOOL:
      return json_boolean(number_at(field, slot));
    case PROTOBUF_C_TYPE_ENUM:
      return write_enum(field->descriptor, *(const int *)slot);
    default:
      return write_number(number_at(field, slot));
  }
}

static json_t *write_list(const table_t *table, const cmox_type_t *type, const cmox_field_t *field,
                          const void *first, size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; array && i < count; i++) {
    if (json_array_append_new(array, write_value(table, type, field, value_at(field, first, i))) ==
        0)
      continue;
    json_decref(array);
    array = NULL;
  }
  return array;
}

/* ---- Messages --------------------------------------------------------------- */

/* Whether nothing but this field is there. */
static bool is_alone(const ProtobufCMessage *message, const cmox_field_t *field) {
  const cmox_type_t *type = message->descriptor;
  for (unsigned i = 0; i < type->n_fields; i++) {
    const void *first;
    if (&type->fields[i] != field && values_of(message, &type->fields[i], &first) > 0) return false;
  }
  return true;
}

/* The matcher that stands for the whole message; NULL with *failed false: none does. One that says
 * nothing would read as a message that says nothing. */
static json_t *write_bare(const table_t *table, const ProtobufCMessage *message, bool *failed) {
  const cmox_field_t *field = cmox_bare_reference(message->descriptor);
  const void *first = NULL;
  if (!field || values_of(message, field, &first) == 0 || !is_alone(message, field)) return NULL;
  const bool in_place = table && table->in_place;
  if (!in_place && message->descriptor->n_fields > 1) return NULL; /* a number says too little */
  json_t *value = write_reference(table, number_at(field, first));
  *failed = !value;
  if (!value || !json_is_object(value) || json_object_size(value) > 0) return value;
  json_decref(value);
  return NULL;
}

static json_t *write_members(const table_t *table, const ProtobufCMessage *message) {
  const cmox_type_t *type = message->descriptor;
  json_t *object = json_object();
  for (unsigned i = 0; object && i < type->n_fields; i++) {
    const cmox_field_t *field = &type->fields[i];
    const void *first;
    const size_t count = values_of(message, field, &first);
    if (count == 0 || (table && table->in_place && field == cmox_table_field(type))) continue;
    json_t *value = cmox_is_repeated(field) ? write_list(table, type, field, first, count)
                                            : write_value(table, type, field, first);
    if (json_object_set_new(object, field->name, value) == 0) continue;
    json_decref(object);
    object = NULL;
  }
  return object;
}

/* NULL: memory is out. */
static json_t *write_message(const table_t *table, const ProtobufCMessage *message) {
  const cmox_type_t *type = message->descriptor;
  const cmox_field_t *own = cmox_table_field(type);
  table_t opened;
  if (own) {
    opened = table_of(message, own);
    table = &opened;
  }
  const cmox_field_t *list = cmox_list_field(type);
  if (list && is_alone(message, list)) {
    const void *first;
    const size_t count = values_of(message, list, &first);
    return write_list(table, type, list, first, count);
  }
  bool failed = false;
  json_t *bare = write_bare(table, message, &failed);
  return bare || failed ? bare : write_members(table, message);
}

static int append(const char *data, size_t len, void *out) {
  cmox_buf_append(out, data, len);
  return ((cmox_buf_t *)out)->failed ? -1 : 0;
}

bool cmox_message_to_json(const ProtobufCMessage *message, bool pretty, cmox_buf_t *out) {
  json_t *document = write_message(NULL, message);
  const bool written =
      document &&
      json_dump_callback(document, append, out,
                         JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT)) == 0;
  json_decref(document);
  if (pretty && written) cmox_buf_putc(out, '\n');
  return written && !out->failed;
}
