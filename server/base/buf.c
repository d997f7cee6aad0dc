#include "server/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/alloc.h"

bool cmox_buf_reserve(cmox_buf_t *buf, size_t more) {
  if (buf->failed) return false;
  if (more > SIZE_MAX - buf->len || (buf->fixed && more > buf->capacity - buf->len)) {
    buf->failed = true;
    return false;
  }
  uint8_t *grown = cmox_grow(buf->data, &buf->capacity, buf->len + more, 1);
  if (!grown && buf->len + more > 0) {
    buf->failed = true;
    return false;
  }
  buf->data = grown;
  return true;
}

void cmox_buf_append(cmox_buf_t *buf, const void *data, size_t len) {
  if (len == 0 || !cmox_buf_reserve(buf, len)) return;
  memcpy(buf->data + buf->len, data, len);
  buf->len += len;
}

void cmox_buf_append_span(cmox_buf_t *buf, cmox_span_t span) {
  cmox_buf_append(buf, span.data, span.len);
}

void cmox_buf_puts(cmox_buf_t *buf, const char *text) { cmox_buf_append(buf, text, strlen(text)); }

void cmox_buf_putc(cmox_buf_t *buf, char c) { cmox_buf_append(buf, &c, 1); }

void cmox_buf_printf(cmox_buf_t *buf, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int wanted = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (wanted >= 0 && cmox_buf_reserve(buf, (size_t)wanted + 1)) {
    (void)vsnprintf((char *)buf->data + buf->len, (size_t)wanted + 1, format, again);
    buf->len += (size_t)wanted;
  }
  va_end(again);
}

void cmox_buf_consume(cmox_buf_t *buf, size_t len) {
  if (len >= buf->len) {
    buf->len = 0;
    return;
  }
  memmove(buf->data, buf->data + len, buf->len - len);
  buf->len -= len;
}

char *cmox_buf_take_text(cmox_buf_t *buf) {
  cmox_buf_append(buf, "", 1);
  char *text = NULL;
  if (!buf->failed) {
    text = (char *)buf->data;
    buf->data = NULL;
  }
  cmox_buf_clear(buf);
  return text;
}

void cmox_buf_clear(cmox_buf_t *buf) {
  if (!buf->fixed) cmox_free_block(buf->data);
  *buf = CMOX_BUF_EMPTY;
}
