/* What the files of this folder share. */
#ifndef CMOX_JSON_INTERNAL_H
#define CMOX_JSON_INTERNAL_H

#include <jansson.h>

#include "server/json/json.h"

/* ---- Names and rules, from the descriptors (rules.c) ------------------------ */

typedef ProtobufCMessageDescriptor cmox_type_t;
typedef ProtobufCFieldDescriptor cmox_field_t;

enum { CMOX_NAME_MAX = 64 }; /* bytes of a name of the schema, with its NUL */

/* "exit_code" as "exitCode". */
void cmox_camel_name(const char *name, char out[CMOX_NAME_MAX]);
/* The field of that name, in either spelling; NULL: none. */
const cmox_field_t *cmox_field_named(const cmox_type_t *type, const char *name);

/* Whether its numbers are indexes of matchers. */
bool cmox_is_reference(const cmox_type_t *type, const cmox_field_t *field);
/* The table to which the references below a message of this type lead; NULL: not in this one. */
const cmox_field_t *cmox_table_field(const cmox_type_t *type);
const cmox_type_t *cmox_matcher_type(void);
/* The one list of a message that may be a bare array; NULL: it may not. */
const cmox_field_t *cmox_list_field(const cmox_type_t *type);
/* The reference that may stand for the whole message; NULL: none may. */
const cmox_field_t *cmox_bare_reference(const cmox_type_t *type);

/* "DOUBLE_KIND_MOCK" as "mock". */
void cmox_short_name(const ProtobufCEnumDescriptor *type, const char *name,
                     char out[CMOX_NAME_MAX]);

static inline bool cmox_is_repeated(const cmox_field_t *field) {
  return field->label == PROTOBUF_C_LABEL_REPEATED;
}

static inline bool cmox_in_oneof(const cmox_field_t *field) {
  return field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

/* ---- Bytes (base64.c) ------------------------------------------------------- */

/* Standard or URL alphabet, with its padding or without any. False: it is not base64, or memory is
 * out (out->failed). */
bool cmox_base64_decode(cmox_span_t text, cmox_buf_t *out);
void cmox_base64_encode(cmox_span_t bytes, cmox_buf_t *out);

/* ---- Where in the document (place.c) ---------------------------------------- */

/* The way to a value, from the inside out. */
typedef struct cmox_place {
  const struct cmox_place *up; /* NULL: the document itself */
  const char *key;             /* of a member; NULL: of an element, which index tells */
  size_t index;
  unsigned depth;
} cmox_place_t;

typedef struct cmox_reader {
  const char *name;
  cmox_span_t text;
  cmox_error_t *error;
} cmox_reader_t;

static inline cmox_place_t cmox_member(const cmox_place_t *up, const char *key) {
  return (cmox_place_t){up, key, 0, up->depth + 1};
}

static inline cmox_place_t cmox_element(const cmox_place_t *up, size_t index) {
  return (cmox_place_t){up, NULL, index, up->depth + 1};
}

/* The error of a value: where it is, what is wrong, and what to do. CMOX_E_BAD_DOCUMENT. */
cmox_code_t cmox_fail_at(const cmox_reader_t *reader, const cmox_place_t *place, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));
/* The same of the name of a member and not of its value. */
cmox_code_t cmox_fail_at_name(const cmox_reader_t *reader, const cmox_place_t *place,
                              const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A text that is no JSON, in Jansson's words. */
cmox_code_t cmox_fail_syntax(const cmox_reader_t *reader, const json_error_t *why);

/* ---- Values (scalar.c) ------------------------------------------------------ */

void cmox_put_number(cmox_buf_t *out, const cmox_field_t *field, uint64_t value);
void cmox_put_bytes(cmox_buf_t *out, const cmox_field_t *field, cmox_span_t bytes);

/* A text, or an object of nothing but base64. */
bool cmox_is_bytes(const json_t *value);
/* Appends the field as it is on the wire; of every type but messages. */
cmox_code_t cmox_read_scalar(const cmox_reader_t *reader, const cmox_field_t *field,
                             const json_t *value, const cmox_place_t *place, cmox_buf_t *out);
/* Appends what the bytes are. */
cmox_code_t cmox_read_bytes(const cmox_reader_t *reader, const json_t *value,
                            const cmox_place_t *place, cmox_buf_t *out);

#endif
