/* How much of a sweep a run visits. */
#ifndef CMOX_TESTS_THOROUGH_H
#define CMOX_TESTS_THOROUGH_H

#include <stddef.h>
#include <stdlib.h>

/* 1: every point. Builds with a sanitizer are many times slower and visit every 9th, unless they
 * run in their long form (CMDMOX_LONG=1). */
static inline size_t thorough_step(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (!getenv("CMDMOX_LONG")) return 9;
#endif
  return 1;
}

#endif
