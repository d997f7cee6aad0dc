#include "shim/bytes.h"

#include <string.h>

#include "shim/os.h"

bool cmox_bytes_reserve(cmox_bytes_t *bytes, size_t more) {
  if (more <= bytes->capacity - bytes->len) return true;
  if (more > SIZE_MAX / 4) return false;
  size_t capacity = bytes->capacity;
  while (capacity < bytes->len + more) capacity *= 2;
  uint8_t *data = cmox_os_map(capacity);
  if (!data) return false;
  memcpy(data, bytes->data, bytes->len);
  if (bytes->mapped) cmox_os_unmap(bytes->data, bytes->capacity);
  *bytes = (cmox_bytes_t){.data = data, .len = bytes->len, .capacity = capacity, .mapped = true};
  return true;
}

void cmox_bytes_consume(cmox_bytes_t *bytes, size_t len) {
  if (len == 0) return;
  bytes->len -= len;
  if (bytes->len > 0) memmove(bytes->data, bytes->data + len, bytes->len);
}
