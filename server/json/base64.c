#include <string.h>

#include "server/json/internal.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 64: it is not of the alphabet. */
static uint32_t digit(uint8_t c) {
  if (c == '-') return 62;
  if (c == '_') return 63;
  const char *found = c ? strchr(alphabet, c) : NULL;
  return found ? (uint32_t)(found - alphabet) : 64;
}

bool cmox_base64_decode(cmox_span_t text, cmox_buf_t *out) {
  size_t len = text.len;
  while (len > 0 && text.data[len - 1] == '=') len--;
  const size_t padding = text.len - len;
  if (len % 4 == 1 || (padding && (padding > 2 || text.len % 4 != 0))) return false;
  uint32_t bits = 0;
  for (size_t i = 0; i < len; i++) {
    const uint32_t value = digit(text.data[i]);
    if (value == 64) return false;
    bits = bits << 6 | value;
    if (i % 4 > 0) cmox_buf_putc(out, (char)(bits >> (6 - 2 * (i % 4))));
  }
  /* What is left over of the last digit stands for nothing. */
  const uint32_t rest = len % 4 == 2 ? 0xf : len % 4 == 3 ? 0x3 : 0;
  return (bits & rest) == 0 && !out->failed;
}

void cmox_base64_encode(cmox_span_t bytes, cmox_buf_t *out) {
  for (size_t i = 0; i < bytes.len; i += 3) {
    const size_t left = bytes.len - i;
    uint32_t bits = (uint32_t)bytes.data[i] << 16;
    if (left > 1) bits |= (uint32_t)bytes.data[i + 1] << 8;
    if (left > 2) bits |= bytes.data[i + 2];
    const char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                          (char)(left > 1 ? alphabet[bits >> 6 & 63] : '='),
                          (char)(left > 2 ? alphabet[bits & 63] : '=')};
    cmox_buf_append(out, four, sizeof four);
  }
}
