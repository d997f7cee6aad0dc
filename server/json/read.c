/* JSON to a message, by way of the wire: the document is parsed (Jansson), what the descriptor
 * makes of it is written as protobuf, and that is checked and unpacked like any payload, with its
 * bounds of depth, elements and memory (server/wire). Fields are read in the order of their
 * numbers, whatever the order in the document.
 *
 * References to matchers: a message with a table (Double) opens one. Its explicit entries are read
 * first, because `matchers` has a lower number than all that refers to it; what stands in place of
 * a number is appended. A matcher within an explicit entry goes in front of it, since children have
 * lower indexes: numbers in the document count explicit entries, and are translated. */
#include <string.h>

#include "server/base/alloc.h"
#include "server/base/nearest.h"
#include "server/json/internal.h"
#include "server/wire/wire.h"

typedef struct table {
  const cmox_field_t *field;
  cmox_buf_t nodes;
  uint32_t count;
  uint32_t *given; /* where the explicit entries have come to be */
  size_t given_count, given_capacity;
} table_t;

/* What is read, and where to. */
typedef struct step {
  table_t *table; /* NULL: none around */
  const json_t *value;
  const cmox_place_t *place;
  cmox_buf_t *out;
} step_t;

static cmox_code_t read_message(const cmox_reader_t *reader, const cmox_type_t *type, step_t step);

static cmox_code_t no_memory(const cmox_reader_t *reader) {
  return cmox_fail(reader->error, CMOX_E_NO_MEMORY, "%s: out of memory",
                   reader->name ? reader->name : "JSON");
}

/* ---- Names ------------------------------------------------------------------ */

static void see_names(const cmox_type_t *type, cmox_nearest_t *nearest, cmox_buf_t *list) {
  for (unsigned i = 0; i < type->n_fields; i++) {
    cmox_nearest_see(nearest, type->fields[i].name);
    cmox_buf_printf(list, "%s%s", list->len ? ", " : "", type->fields[i].name);
  }
}

static cmox_code_t unknown_name(const cmox_reader_t *reader, const cmox_type_t *type,
                                const char *key, const cmox_place_t *place) {
  cmox_nearest_t nearest = cmox_nearest_to(key);
  cmox_buf_t list = CMOX_BUF_EMPTY;
  see_names(type, &nearest, &list);
  if (cmox_bare_reference(type)) see_names(cmox_matcher_type(), &nearest, &list);
  const cmox_place_t member = cmox_member(place, key);
  cmox_code_t code;
  if (nearest.best)
    code = cmox_fail_at_name(reader, &member, "there is no such name here; did you mean \"%s\"?",
                             nearest.best);
  else
    code = cmox_fail_at_name(reader, &member, "there is no such name here; known are: %.*s",
                             (int)list.len, list.data ? (const char *)list.data : "");
  cmox_buf_clear(&list);
  return code;
}

/* The member that is for this field, NULL when there is none; *key is its name there. */
static const json_t *member_of(const json_t *object, const cmox_field_t *field, const char **key,
                               char camel[CMOX_NAME_MAX]) {
  const json_t *value = json_object_get(object, field->name);
  *key = field->name;
  if (!value || json_is_null(value)) {
    cmox_camel_name(field->name, camel);
    const json_t *other = json_object_get(object, camel);
    if (other) *key = camel;
    if (other) value = other;
  }
  return json_is_null(value) ? NULL : value;
}

static cmox_code_t check_names(const cmox_reader_t *reader, const cmox_type_t *type,
                               const step_t *step) {
  json_t *object = (json_t *)(uintptr_t)step->value; /* Jansson's iterators are not const */
  for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
    const char *key = json_object_iter_key(at);
    const cmox_field_t *field = cmox_field_named(type, key);
    if (!field) return unknown_name(reader, type, key, step->place);
    const cmox_place_t member = cmox_member(step->place, key);
    if (strcmp(key, field->name) != 0 && json_object_get(object, field->name))
      return cmox_fail_at_name(reader, &member, "it is there twice, as \"%s\" too: leave one out",
                               field->name);
  }
  return CMOX_OK;
}

/* Of the members of a oneof there is one. */
static cmox_code_t check_oneof(const cmox_reader_t *reader, const cmox_type_t *type, unsigned index,
                               const char *key, const step_t *step) {
  const cmox_field_t *field = &type->fields[index];
  for (unsigned i = 0; cmox_in_oneof(field) && i < index; i++) {
    const cmox_field_t *other = &type->fields[i];
    const char *other_key;
    char camel[CMOX_NAME_MAX];
    if (!cmox_in_oneof(other) || other->quantifier_offset != field->quantifier_offset ||
        !member_of(step->value, other, &other_key, camel))
      continue;
    const cmox_place_t member = cmox_member(step->place, key);
    return cmox_fail_at_name(reader, &member, "\"%s\" and \"%s\" exclude each other: leave one out",
                             other_key, key);
  }
  return CMOX_OK;
}

/* ---- Matchers --------------------------------------------------------------- */

/* Whether an object is a matcher in the place of a message that begins with a reference. Where a
 * name belongs to both, as `contains` does, it is the matcher's when its value is bytes. */
static bool is_matcher(const cmox_type_t *type, const json_t *value) {
  if (cmox_is_bytes(value)) return true;
  json_t *object = (json_t *)(uintptr_t)value;
  for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
    const char *key = json_object_iter_key(at);
    const cmox_field_t *outer = cmox_field_named(type, key);
    const cmox_field_t *inner = cmox_field_named(cmox_matcher_type(), key);
    const bool clash = outer && outer->type == PROTOBUF_C_TYPE_MESSAGE &&
                       cmox_is_bytes(json_object_iter_value(at));
    if (inner && (!outer || clash)) return true;
  }
  return false;
}

/* The matcher at step, on the wire, without a tag. */
static cmox_code_t read_matcher(const cmox_reader_t *reader, step_t step) {
  if (!cmox_is_bytes(step.value)) return read_message(reader, cmox_matcher_type(), step);
  cmox_buf_t bytes = CMOX_BUF_EMPTY;
  cmox_code_t code = cmox_read_bytes(reader, step.value, step.place, &bytes);
  if (code == CMOX_OK)
    cmox_put_bytes(step.out, cmox_field_named(cmox_matcher_type(), "equals"),
                   cmox_buf_span(&bytes));
  step.out->failed |= bytes.failed;
  cmox_buf_clear(&bytes);
  return code;
}

/* Reads a matcher and appends it to the table; *index is where it is then. */
static cmox_code_t add_matcher(const cmox_reader_t *reader, step_t step, uint32_t *index) {
  cmox_buf_t node = CMOX_BUF_EMPTY;
  step.out = &node;
  cmox_code_t code = read_matcher(reader, step);
  if (code == CMOX_OK && !node.failed) {
    cmox_put_bytes(&step.table->nodes, step.table->field, cmox_buf_span(&node));
    *index = step.table->count++;
  }
  step.table->nodes.failed |= node.failed;
  cmox_buf_clear(&node);
  return code;
}

static cmox_code_t read_reference(const cmox_reader_t *reader, const cmox_field_t *field,
                                  step_t step) {
  uint32_t index = 0;
  if (json_is_integer(step.value)) {
    const json_int_t number = json_integer_value(step.value);
    const size_t most = step.table ? step.table->given_count : (size_t)UINT32_MAX + 1;
    if (number < 0 || (uint64_t)number >= most)
      return cmox_fail_at(reader, step.place,
                          "there is no such matcher: a number is the index of one that stands "
                          "before this in \"matchers\"");
    index = step.table ? step.table->given[number] : (uint32_t)number;
  } else if (!json_is_string(step.value) && !json_is_object(step.value)) {
    return cmox_fail_at(reader, step.place, "expected a matcher: a text, an object or an index");
  } else if (!step.table) {
    return cmox_fail_at(reader, step.place,
                        "expected the index of a matcher: there is no table of matchers around it");
  } else {
    cmox_code_t code = add_matcher(reader, step, &index);
    if (code != CMOX_OK) return code;
  }
  cmox_put_number(step.out, field, index);
  return CMOX_OK;
}

/* An entry of the table itself. */
static cmox_code_t read_entry(const cmox_reader_t *reader, step_t step) {
  table_t *table = step.table;
  uint32_t index = 0;
  if (!json_is_string(step.value) && !json_is_object(step.value))
    return cmox_fail_at(reader, step.place, "expected a matcher: a text or an object");
  cmox_code_t code = add_matcher(reader, step, &index);
  if (code != CMOX_OK) return code;
  uint32_t *grown =
      cmox_grow(table->given, &table->given_capacity, table->given_count + 1, sizeof *grown);
  if (!grown) return no_memory(reader);
  table->given = grown;
  table->given[table->given_count++] = index;
  return CMOX_OK;
}

/* ---- Messages --------------------------------------------------------------- */

static cmox_code_t read_value(const cmox_reader_t *reader, const cmox_type_t *type,
                              const cmox_field_t *field, step_t step) {
  if (step.table && field == step.table->field) return read_entry(reader, step);
  if (cmox_is_reference(type, field)) return read_reference(reader, field, step);
  if (field->type != PROTOBUF_C_TYPE_MESSAGE)
    return cmox_read_scalar(reader, field, step.value, step.place, step.out);
  cmox_buf_t *out = step.out;
  cmox_buf_t inner = CMOX_BUF_EMPTY;
  step.out = &inner;
  cmox_code_t code = read_message(reader, field->descriptor, step);
  if (code == CMOX_OK) cmox_put_bytes(out, field, cmox_buf_span(&inner));
  out->failed |= inner.failed;
  cmox_buf_clear(&inner);
  return code;
}

static cmox_code_t read_field(const cmox_reader_t *reader, const cmox_type_t *type,
                              const cmox_field_t *field, step_t step) {
  if (!cmox_is_repeated(field)) return read_value(reader, type, field, step);
  if (!json_is_array(step.value)) return cmox_fail_at(reader, step.place, "expected an array");
  const cmox_place_t *array_place = step.place;
  const json_t *array = step.value;
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < json_array_size(array) && code == CMOX_OK; i++) {
    const cmox_place_t place = cmox_element(array_place, i);
    step.place = &place;
    step.value = json_array_get(array, i);
    code = read_value(reader, type, field, step);
  }
  return code;
}

static cmox_code_t read_members(const cmox_reader_t *reader, const cmox_type_t *type, step_t step) {
  cmox_code_t code = check_names(reader, type, &step);
  const json_t *object = step.value;
  const cmox_place_t *place = step.place;
  for (unsigned i = 0; i < type->n_fields && code == CMOX_OK; i++) {
    const cmox_field_t *field = &type->fields[i];
    const char *key;
    char camel[CMOX_NAME_MAX];
    const json_t *value = member_of(object, field, &key, camel);
    const cmox_place_t member = cmox_member(place, key);
    if (!value) {
      /* What is not there is 0, and no index by mistake. */
      if (cmox_is_reference(type, field) && !cmox_is_repeated(field) && !cmox_in_oneof(field))
        code = cmox_fail_at(reader, place, "\"%s\" is missing: say which matcher", field->name);
      continue;
    }
    code = check_oneof(reader, type, i, key, &(step_t){NULL, object, place, NULL});
    if (code == CMOX_OK)
      code = read_field(reader, type, field, (step_t){step.table, value, &member, step.out});
  }
  return code;
}

/* A message in any of its forms. */
static cmox_code_t read_form(const cmox_reader_t *reader, const cmox_type_t *type, step_t step) {
  const cmox_field_t *list = cmox_list_field(type);
  if (list && json_is_array(step.value)) return read_field(reader, type, list, step);
  const cmox_field_t *reference = cmox_bare_reference(type);
  if (reference) {
    const bool alone = type->n_fields == 1 && json_is_integer(step.value);
    if (alone || is_matcher(type, step.value)) return read_reference(reader, reference, step);
    if (!json_is_object(step.value))
      return cmox_fail_at(reader, step.place, "expected a text (\"3\" and not 3) or an object");
  }
  if (json_is_object(step.value)) return read_members(reader, type, step);
  return cmox_fail_at(reader, step.place,
                      list ? "expected an array or an object" : "expected an object");
}

static cmox_code_t read_message(const cmox_reader_t *reader, const cmox_type_t *type, step_t step) {
  if (step.place->depth > CMOX_DOCUMENT_DEPTH_MAX)
    return cmox_fail_at(reader, step.place, "nested too deeply: %u levels are the most",
                        CMOX_DOCUMENT_DEPTH_MAX);
  table_t table = {.field = cmox_table_field(type)};
  if (!table.field) return read_form(reader, type, step);
  step.table = &table;
  cmox_code_t code = read_form(reader, type, step);
  if (code == CMOX_OK) cmox_buf_append_span(step.out, cmox_buf_span(&table.nodes));
  step.out->failed |= table.nodes.failed;
  cmox_buf_clear(&table.nodes);
  cmox_free_block(table.given);
  return code;
}

static cmox_code_t read_document(const cmox_reader_t *reader, const cmox_type_t *type,
                                 const json_t *document, ProtobufCMessage **out) {
  const cmox_place_t top = {0};
  cmox_buf_t wire = CMOX_BUF_EMPTY;
  cmox_code_t code = read_message(reader, type, (step_t){NULL, document, &top, &wire});
  if (code == CMOX_OK && wire.failed) code = no_memory(reader);
  if (code == CMOX_OK) {
    code = cmox_wire_unpack(type, cmox_buf_span(&wire), out, reader->error);
    if (code != CMOX_OK && reader->name) (void)cmox_wrap(reader->error, "%s", reader->name);
  }
  cmox_buf_clear(&wire);
  return code;
}

cmox_code_t cmox_message_from_json(const ProtobufCMessageDescriptor *type, const char *name,
                                   cmox_span_t text, ProtobufCMessage **out, cmox_error_t *error) {
  *out = NULL;
  const cmox_reader_t reader = {name, text, error};
  if (text.len > CMOX_DOCUMENT_MAX)
    return cmox_fail(error, CMOX_E_TOO_COMPLEX, "%s%sit is longer than %u MiB", name ? name : "",
                     name ? ": " : "", CMOX_DOCUMENT_MAX >> 20);
  json_error_t why;
  json_t *document = json_loadb(text.len ? (const char *)text.data : "", text.len,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
  if (!document)
    return json_error_code(&why) == json_error_out_of_memory ? no_memory(&reader)
                                                             : cmox_fail_syntax(&reader, &why);
  const cmox_code_t code = read_document(&reader, type, document, out);
  json_decref(document);
  return code;
}
