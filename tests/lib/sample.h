/* Messages of any type, made from its descriptor: what is added to the schema is covered. */
#ifndef CMOX_TESTS_SAMPLE_H
#define CMOX_TESTS_SAMPLE_H

#include "tests/lib/raw.h"

typedef struct sample {
  unsigned variant;               /* which member of a oneof and which enum value is there */
  bool names_only;                /* nothing but session_id and double_id */
  const char *text;               /* of string fields; NULL: "sample" */
  ProtobufCBinaryData session_id; /* of fields of that name */
  uint64_t double_id;
} sample_t;

/* Appends a message with every field set. */
void sample_put(raw_bytes_t *out, const ProtobufCMessageDescriptor *type, const sample_t *sample);
/* Appends one field with this wire type, whatever the descriptor says, and a plausible value. */
void sample_put_wire_type(raw_bytes_t *out, uint32_t number, unsigned wire_type);

#endif
