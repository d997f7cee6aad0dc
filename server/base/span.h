/* Borrowed bytes. User data is never NUL-terminated, decoded or joined. */
#ifndef CMOX_BASE_SPAN_H
#define CMOX_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct cmox_span {
  const uint8_t *data; /* may be NULL when len is 0 */
  size_t len;          /* bytes */
} cmox_span_t;

static inline cmox_span_t cmox_span(const void *data, size_t len) {
  return (cmox_span_t){data, len};
}

static inline cmox_span_t cmox_span_str(const char *text) {
  return (cmox_span_t){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool cmox_span_equal(cmox_span_t a, cmox_span_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool cmox_span_starts_with(cmox_span_t text, cmox_span_t prefix) {
  return text.len >= prefix.len &&
         (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* A borrowed list of byte strings. */
typedef struct cmox_span_list {
  const cmox_span_t *items;
  size_t count;
} cmox_span_list_t;

#endif
