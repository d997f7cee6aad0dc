/* Checks untrusted protobuf bytes against a descriptor before protobuf-c sees
 * them. protobuf-c has no recursion limit and amplifies memory 41 to 89 times;
 * this walk is iterative, allocates nothing and bounds both. */
#ifndef CMOX_PROTO_PRECHECK_H
#define CMOX_PROTO_PRECHECK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include <cmdmox/codes.h>

typedef struct cmox_precheck_limits {
  uint32_t depth;    /* nested messages; the outermost is level 1; at most 32 */
  uint32_t elements; /* elements of repeated fields, unknown fields too, whole message */
  size_t memory;     /* estimated bytes that protobuf-c will allocate */
} cmox_precheck_limits_t;

/* The limits of proto/limits.h. */
extern const cmox_precheck_limits_t cmox_precheck_defaults;

/* CMOX_OK when data[0..len) is a well-formed message of this type within the
 * limits and every string field is valid UTF-8 without NUL (protobuf-c cuts at NUL);
 * CMOX_E_BAD_PAYLOAD for malformed bytes, CMOX_E_TOO_COMPLEX above a limit.
 * Unknown fields are skipped but counted; groups, wire-type mismatches and a
 * second copy of a sub-message that is not repeated are malformed.
 * *why (static text, may be NULL) says what was wrong. */
cmox_code_t cmox_precheck(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
                          const cmox_precheck_limits_t *limits, const char **why);

#endif
