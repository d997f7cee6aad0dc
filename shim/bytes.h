/* Borrowed bytes, and a buffer that grows only as it is filled. */
#ifndef CMOX_SHIM_BYTES_H
#define CMOX_SHIM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cmox_view {
  const uint8_t *data; /* NULL: absent */
  size_t len;
} cmox_view_t;

/* For buffers that most calls do not touch, or only at the start: behind everything that
 * every call touches, which then lies on few pages. A page touched first costs
 * more than a system call. What begins a comment for the assembler ends the section's line. */
#if defined(__ELF__) && defined(__aarch64__)
#define CMOX_COLD __attribute__((section(".cold_bss,\"aw\",%nobits//")))
#elif defined(__ELF__)
#define CMOX_COLD __attribute__((section(".cold_bss,\"aw\",@nobits#")))
#else
#define CMOX_COLD
#endif

/* Starts on static storage, which serves the common call; moves to mapped
 * pages when that is full. */
typedef struct cmox_bytes {
  uint8_t *data;
  size_t len, capacity;
  bool mapped;
} cmox_bytes_t;

/* Makes room for more bytes behind len; false when memory is out. */
bool cmox_bytes_reserve(cmox_bytes_t *bytes, size_t more);
/* Drops bytes at the front. */
void cmox_bytes_consume(cmox_bytes_t *bytes, size_t len);

#endif
