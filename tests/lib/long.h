/* How much a test does: little each time, a lot with CMDMOX_LONG=1. */
#ifndef CMOX_TESTS_LONG_H
#define CMOX_TESTS_LONG_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_long(void) {
  const char *value = getenv("CMDMOX_LONG");
  return value && strcmp(value, "1") == 0;
}

#define QUICK_OR_LONG(quick, much) (is_long() ? (much) : (quick))

/* The memory of a process says something about it only without a sanitizer's own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_COUNTS = 0 };
#else
enum { MEMORY_COUNTS = 1 };
#endif

#endif
