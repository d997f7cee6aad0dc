/* An allocator for protobuf-c that says how much was held. */
#ifndef CMOX_TESTS_TALLY_H
#define CMOX_TESTS_TALLY_H

#include <stddef.h>
#include <stdlib.h>

/* Counts the bytes that are held, and the most that ever were. */
typedef struct tally {
  size_t now;
  size_t peak;
} tally_t;

static inline void *tally_alloc(void *context, size_t size) {
  tally_t *tally = context;
  size_t *block = malloc(size + 16);
  if (!block) abort(); /* no ck_assert: fuzz targets have no Check */
  *block = size;
  tally->now += size;
  if (tally->now > tally->peak) tally->peak = tally->now;
  return block + 2;
}

static inline void tally_free(void *context, void *data) {
  if (!data) return;
  tally_t *tally = context;
  size_t *block = (size_t *)data - 2;
  tally->now -= *block;
  free(block);
}

#endif
