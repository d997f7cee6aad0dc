/* A growable byte buffer. A failed append marks the buffer and later appends
 * do nothing, so a long text is built without a check per line and asked once. */
#ifndef CMOX_BASE_BUF_H
#define CMOX_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/span.h"

typedef struct cmox_buf {
  uint8_t *data; /* owned */
  size_t len;
  size_t capacity;
  bool failed; /* an append ran out of memory */
  bool fixed;  /* data is the caller's: it neither grows nor is freed */
} cmox_buf_t;

#define CMOX_BUF_EMPTY ((cmox_buf_t){0})
/* Over storage of the caller; what does not fit fails as if memory were out. Not for
 * cmox_buf_take_text. */
#define CMOX_BUF_OVER(room, size) ((cmox_buf_t){.data = (room), .capacity = (size), .fixed = true})

bool cmox_buf_reserve(cmox_buf_t *buf, size_t more); /* room for that many more bytes */
void cmox_buf_append(cmox_buf_t *buf, const void *data, size_t len);
void cmox_buf_append_span(cmox_buf_t *buf, cmox_span_t span);
void cmox_buf_puts(cmox_buf_t *buf, const char *text);
void cmox_buf_putc(cmox_buf_t *buf, char c);
void cmox_buf_printf(cmox_buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cmox_buf_consume(cmox_buf_t *buf, size_t len); /* drops bytes at the front */
/* The text, NUL-terminated and owned by the caller; NULL when an append
 * failed. The buffer is empty afterwards either way. */
char *cmox_buf_take_text(cmox_buf_t *buf);
void cmox_buf_clear(cmox_buf_t *buf); /* frees; the buffer can be used again */

static inline cmox_span_t cmox_buf_span(const cmox_buf_t *buf) {
  return cmox_span(buf->data, buf->len);
}

#endif
