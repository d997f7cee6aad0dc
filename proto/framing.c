#include "proto/framing.h"

#include "proto/limits.h"

cmox_prefix_result_t cmox_prefix_read(const uint8_t *data, size_t len, uint32_t max_body,
                                      size_t *prefix_len, uint32_t *body_len) {
  uint32_t value = 0;
  for (size_t i = 0; i < CMOX_FRAME_PREFIX_MAX; i++) {
    if (i == len) return CMOX_PREFIX_MORE;
    const uint8_t byte = data[i];
    /* The fifth byte holds the last 4 of 32 bits and ends the prefix. */
    if (i == CMOX_FRAME_PREFIX_MAX - 1 && byte > 0x0f) return CMOX_PREFIX_MALFORMED;
    value |= (uint32_t)(byte & 0x7f) << (7 * i);
    if (byte & 0x80) continue;
    if (byte == 0 && i > 0) return CMOX_PREFIX_MALFORMED;
    if (value > max_body) return CMOX_PREFIX_TOO_LARGE;
    *prefix_len = i + 1;
    *body_len = value;
    return CMOX_PREFIX_OK;
  }
  return CMOX_PREFIX_MALFORMED;
}

size_t cmox_prefix_write(uint8_t out[5], uint32_t body_len) {
  size_t len = 0;
  for (; body_len > 0x7f; body_len >>= 7) out[len++] = (uint8_t)(body_len | 0x80);
  out[len++] = (uint8_t)body_len;
  return len;
}
