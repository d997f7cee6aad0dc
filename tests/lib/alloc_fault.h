/* Makes the n-th allocation behind the seam fail, once or with all that follow; counts the blocks
 * and bytes that are held. One fault is installed at a time; any thread may allocate meanwhile. */
#ifndef CMOX_TESTS_ALLOC_FAULT_H
#define CMOX_TESTS_ALLOC_FAULT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/base/alloc.h"

typedef struct alloc_fault {
  pthread_mutex_t lock;
  bool own_thread; /* only the allocations of the installing thread are counted and fail */
  pthread_t owner;
  bool counting;
  bool for_ever;
  size_t fail_at; /* 1 is the first one counted; 0: none */
  size_t seen;    /* counted so far */
  size_t failed;
  long held; /* blocks */
  size_t bytes, peak;
} alloc_fault_t;

/* Counts from here on; nothing fails before alloc_fault_arm(). */
void alloc_fault_install(alloc_fault_t *fault, bool own_thread);
void alloc_fault_arm(alloc_fault_t *fault, size_t fail_at, bool for_ever); /* counts anew */
/* Nothing fails or is counted from here on, but for what is held. Returns how many failed. */
size_t alloc_fault_rest(alloc_fault_t *fault);
/* The C library's allocator again; fails the test when a block is still held. */
void alloc_fault_remove(alloc_fault_t *fault);
size_t alloc_fault_peak(alloc_fault_t *fault); /* bytes held at most since the last arm */
size_t alloc_fault_bytes(alloc_fault_t *fault);

/* What a sweep runs. It may call alloc_fault_rest() once what is swept is over. */
typedef void (*alloc_fault_body_t)(alloc_fault_t *fault);

/* Runs body once for each allocation that it makes, with that one failing, and again with that one
 * and all after it failing; each time nothing may stay held. Prints the points
 * it visited and how many there are: all of them, but for sanitized builds (thorough.h). */
void alloc_fault_sweep(const char *scenario, alloc_fault_body_t body);
/* The same for a body of several threads, whose failing allocations are those of the calling one.
 */
void alloc_fault_sweep_own_thread(const char *scenario, alloc_fault_body_t body);

#endif
