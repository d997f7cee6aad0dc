/* Where streams go that are too long for memory. The engine's core knows no files: the host gives
 * this door, and what stands behind it is its business. */
#ifndef CMOX_MODEL_SPILL_H
#define CMOX_MODEL_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/span.h"

typedef struct cmox_spill cmox_spill_t;

struct cmox_spill {
  /* A place for one stream, from 1; 0: there is none. */
  uint32_t (*begin)(cmox_spill_t *spill);
  /* Writes behind the `at` bytes that are there; false: they cannot be kept. */
  bool (*append)(cmox_spill_t *spill, uint32_t place, uint64_t at, cmox_span_t bytes);
  /* The first `len` bytes, until unmap; data NULL: they cannot be had. */
  cmox_span_t (*map)(cmox_spill_t *spill, uint32_t place, size_t len);
  void (*unmap)(cmox_spill_t *spill, cmox_span_t bytes);
  /* Nobody needs the place and the `len` bytes in it any more. */
  void (*end)(cmox_spill_t *spill, uint32_t place, uint64_t len);
};

#endif
