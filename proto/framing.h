/* Varint-delimited frames (protobuf's writeDelimitedTo). Pure: works on bytes
 * in memory, allocates nothing, so that launcher and server share it. */
#ifndef CMOX_PROTO_FRAMING_H
#define CMOX_PROTO_FRAMING_H

#include <stddef.h>
#include <stdint.h>

typedef enum cmox_prefix_result {
  CMOX_PREFIX_OK,
  CMOX_PREFIX_MORE,      /* the prefix is not complete */
  CMOX_PREFIX_MALFORMED, /* over-long, not canonical, or above 32 bits */
  CMOX_PREFIX_TOO_LARGE  /* declares more than max_body */
} cmox_prefix_result_t;

/* Reads the length prefix at the start of data[0..len).
 * On CMOX_PREFIX_OK *prefix_len is 1..5 and *body_len <= max_body; otherwise
 * both are untouched. Decides as early as the bytes allow: a declared length
 * is refused before any of the body is there. A zero-length body is OK. */
cmox_prefix_result_t cmox_prefix_read(const uint8_t *data, size_t len, uint32_t max_body,
                                      size_t *prefix_len, uint32_t *body_len);

/* Writes the prefix for body_len; returns its length, 1..5 bytes. */
size_t cmox_prefix_write(uint8_t out[5], uint32_t body_len);

#endif
