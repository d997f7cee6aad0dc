/* One message per interesting frame; fixtures/wire holds the bytes of each. */
#ifndef CMOX_TESTS_WIRE_CASES_H
#define CMOX_TESTS_WIRE_CASES_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include <cmdmox/v1/frame.pb-c.h>

typedef struct wire_case {
  const char *name;
  const char *comment;
  const Cmdmox__V1__Frame *frame;  /* without its payload */
  const ProtobufCMessage *payload; /* NULL when the body has none */
} wire_case_t;

extern const wire_case_t cmox_test_wire_cases[];
extern const size_t cmox_test_wire_case_count;

#endif
