/* Makes the n-th allocation fail, and counts the blocks and bytes that are held. */
#ifndef CMOX_TESTS_ALLOC_FAULT_H
#define CMOX_TESTS_ALLOC_FAULT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <malloc/malloc.h>
#define malloc_usable_size malloc_size
#else
#include <malloc.h>
#endif

#include "server/base/alloc.h"

typedef struct alloc_fault {
  unsigned fail_at; /* 1 is the next one; 0: none */
  unsigned seen;
  long held;
  size_t bytes, peak; /* held now, and at most */
} alloc_fault_t;

static void *alloc_fault_realloc(void *context, void *block, size_t size) {
  alloc_fault_t *fault = context;
  if (++fault->seen == fault->fail_at) return NULL;
  const size_t before = block ? malloc_usable_size(block) : 0;
  void *result = realloc(block, size);
  if (!result) return NULL;
  if (!block) fault->held++;
  fault->bytes += malloc_usable_size(result) - before;
  if (fault->bytes > fault->peak) fault->peak = fault->bytes;
  return result;
}

static void alloc_fault_free(void *context, void *block) {
  alloc_fault_t *fault = context;
  fault->held--;
  fault->bytes -= malloc_usable_size(block);
  free(block);
}

static inline void alloc_fault_install(alloc_fault_t *fault, unsigned fail_at) {
  *fault = (alloc_fault_t){.fail_at = fail_at};
  cmox_alloc_set_hooks(&(cmox_alloc_hooks_t){alloc_fault_realloc, alloc_fault_free, fault});
}

/* Runs `body` once per allocation it makes, with that one failing; then nothing may be
 * held. Says how many points it visited. */
static inline void alloc_fault_sweep(void (*body)(void)) {
  alloc_fault_t fault;
  unsigned at = 0;
  do {
    alloc_fault_install(&fault, ++at);
    body();
    cmox_alloc_set_hooks(NULL);
    ck_assert_msg(fault.held == 0, "allocation %u failed, and %ld blocks leaked", at, fault.held);
  } while (fault.seen >= at);
  printf("allocation sweep: %u points\n", at - 1);
}

#endif
