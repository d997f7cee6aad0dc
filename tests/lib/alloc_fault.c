#include "tests/lib/alloc_fault.h"

#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/thorough.h"

/* Decides about one allocation. */
static bool fails(alloc_fault_t *fault) {
  if (!fault->counting) return false;
  if (fault->own_thread && !pthread_equal(fault->owner, pthread_self())) return false;
  fault->seen++;
  if (fault->fail_at == 0 || fault->seen < fault->fail_at) return false;
  if (fault->seen > fault->fail_at && !fault->for_ever) return false;
  fault->failed++;
  return true;
}

static void *faulty_realloc(void *context, void *block, size_t size) {
  alloc_fault_t *fault = context;
  void *result = NULL;
  (void)pthread_mutex_lock(&fault->lock);
  if (!fails(fault)) {
    size_t before = block ? malloc_usable_size(block) : 0;
    result = realloc(block, size);
    if (result && !block) fault->held++;
    if (result) fault->bytes += malloc_usable_size(result) - before;
    if (fault->bytes > fault->peak) fault->peak = fault->bytes;
  }
  (void)pthread_mutex_unlock(&fault->lock);
  return result;
}

static void faulty_free(void *context, void *block) {
  alloc_fault_t *fault = context;
  (void)pthread_mutex_lock(&fault->lock);
  fault->held--;
  fault->bytes -= malloc_usable_size(block);
  (void)pthread_mutex_unlock(&fault->lock);
  free(block);
}

void alloc_fault_install(alloc_fault_t *fault, bool own_thread) {
  *fault = (alloc_fault_t){.lock = PTHREAD_MUTEX_INITIALIZER,
                           .own_thread = own_thread,
                           .owner = pthread_self(),
                           .counting = true};
  cmox_alloc_set_hooks(&(cmox_alloc_hooks_t){faulty_realloc, faulty_free, fault});
}

void alloc_fault_arm(alloc_fault_t *fault, size_t fail_at, bool for_ever) {
  (void)pthread_mutex_lock(&fault->lock);
  fault->fail_at = fail_at;
  fault->for_ever = for_ever;
  fault->seen = fault->failed = 0;
  fault->counting = true;
  fault->peak = fault->bytes;
  (void)pthread_mutex_unlock(&fault->lock);
}

size_t alloc_fault_rest(alloc_fault_t *fault) {
  (void)pthread_mutex_lock(&fault->lock);
  fault->counting = false;
  size_t failed = fault->failed;
  (void)pthread_mutex_unlock(&fault->lock);
  return failed;
}

void alloc_fault_remove(alloc_fault_t *fault) {
  cmox_alloc_set_hooks(NULL);
  ck_assert_msg(fault->held == 0, "allocation %zu%s failed, and %ld blocks leaked", fault->fail_at,
                fault->for_ever ? " and all after it" : "", fault->held);
}

static size_t locked(alloc_fault_t *fault, const size_t *member) {
  (void)pthread_mutex_lock(&fault->lock);
  size_t value = *member;
  (void)pthread_mutex_unlock(&fault->lock);
  return value;
}

size_t alloc_fault_peak(alloc_fault_t *fault) { return locked(fault, &fault->peak); }
size_t alloc_fault_bytes(alloc_fault_t *fault) { return locked(fault, &fault->bytes); }

/* One run with its allocation `at` failing; returns whether there was one. */
static bool visit_point(alloc_fault_body_t body, bool own_thread, size_t at, bool for_ever,
                        size_t *seen) {
  alloc_fault_t fault;
  alloc_fault_install(&fault, own_thread);
  alloc_fault_arm(&fault, at, for_ever);
  body(&fault);
  alloc_fault_remove(&fault);
  *seen = fault.seen;
  return fault.failed > 0;
}

/* The points are those of a run in which nothing fails. Where threads take turns a run may have a
 * few more or less: those beyond are visited too, and one that a run did not come to is tried
 * again. */
static void visit(const char *scenario, alloc_fault_body_t body, bool own_thread, bool for_ever) {
  enum { NONE = 1000000, TRIES = 20 };
  const size_t step = thorough_step();
  size_t visited = 0, points, seen;
  (void)visit_point(body, own_thread, NONE, for_ever, &points);
  ck_assert_msg(points > 0 && points < NONE, "%s: none or no end of allocations", scenario);
  for (size_t at = 1; at <= points; at += step) {
    unsigned tries = 1;
    while (!visit_point(body, own_thread, at, for_ever, &seen) && tries < TRIES) tries++;
    ck_assert_msg(tries < TRIES, "%s: %u runs did not come to allocation %zu of %zu", scenario,
                  tries, at, points);
    visited++;
  }
  for (size_t at = points + 1; visit_point(body, own_thread, at, for_ever, &seen); at += step) {
    points++;
    visited++;
  }
  printf("allocation sweep: %s, %s: %zu of %zu points\n", scenario, for_ever ? "for ever" : "once",
         visited, points);
  (void)fflush(stdout);
}

void alloc_fault_sweep(const char *scenario, alloc_fault_body_t body) {
  visit(scenario, body, false, false);
  visit(scenario, body, false, true);
}

void alloc_fault_sweep_own_thread(const char *scenario, alloc_fault_body_t body) {
  visit(scenario, body, true, false);
  visit(scenario, body, true, true);
}
