/* A step may be called when all steps before it in its sequence are satisfied and none behind it
 * has been called. Both are kept as marks that only move forward, so that a sequence of 10,000
 * steps costs a call no more than one of two. */
#include "server/match/order.h"

#include <string.h>

#include "server/base/alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

typedef struct entry {
  const cmox_expect_t *expect;
  uint32_t position;
} entry_t;

typedef struct sequence {
  UT_hash_handle hh;
  bool oom;
  entry_t *entries; /* by position, then by id */
  size_t count;
  size_t capacity;
  size_t satisfied; /* so many entries from the front are */
  size_t called;    /* one more than the index of the last entry that was called */
  size_t name_len;
  char name[];
} sequence_t;

struct cmox_order {
  sequence_t *sequences;
};

cmox_order_t *cmox_order_new(void) { return cmox_calloc(1, sizeof(cmox_order_t)); }

void cmox_order_free(cmox_order_t *order) {
  if (!order) return;
  sequence_t *sequence, *next;
  HASH_ITER(hh, order->sequences, sequence, next) {
    HASH_DEL(order->sequences, sequence);
    cmox_free_block(sequence->entries);
    cmox_free_block(sequence);
  }
  cmox_free_block(order);
}

static sequence_t *find(const cmox_order_t *order, const char *name) {
  sequence_t *sequence = NULL;
  HASH_FIND(hh, order->sequences, name, strlen(name), sequence);
  return sequence;
}

static sequence_t *ensure(cmox_order_t *order, const char *name) {
  sequence_t *sequence = find(order, name);
  if (sequence) return sequence;
  size_t len = strlen(name);
  sequence = cmox_calloc(1, sizeof *sequence + len);
  if (!sequence) return NULL;
  sequence->name_len = len;
  memcpy(sequence->name, name, len);
  HASH_ADD_KEYPTR(hh, order->sequences, sequence->name, sequence->name_len, sequence);
  if (!sequence->oom) return sequence;
  cmox_free_block(sequence);
  return NULL;
}

bool cmox_order_reserve(cmox_order_t *order, const cmox_order_facet_t *steps) {
  for (size_t i = 0; i < steps->count; i++) {
    sequence_t *sequence = ensure(order, steps->items[i].sequence);
    if (!sequence) return false;
    /* A sequence may be named by each of the steps. */
    entry_t *grown = cmox_grow(sequence->entries, &sequence->capacity,
                               sequence->count + steps->count, sizeof *grown);
    if (!grown) return false;
    sequence->entries = grown;
  }
  return true;
}

static void reset(sequence_t *sequence) {
  sequence->satisfied = 0;
  sequence->called = 0;
  for (size_t i = 0; i < sequence->count; i++)
    if (sequence->entries[i].expect->taken) sequence->called = i + 1;
}

static void drop(sequence_t *sequence, const cmox_expect_t *expect, uint32_t position) {
  for (size_t i = sequence->count; i-- > 0;) {
    if (sequence->entries[i].expect != expect || sequence->entries[i].position != position)
      continue;
    memmove(&sequence->entries[i], &sequence->entries[i + 1],
            (sequence->count - i - 1) * sizeof *sequence->entries);
    sequence->count--;
    break;
  }
}

static void insert(sequence_t *sequence, const cmox_expect_t *expect, uint32_t position) {
  size_t at = sequence->count;
  while (at > 0 && (sequence->entries[at - 1].position > position ||
                    (sequence->entries[at - 1].position == position &&
                     sequence->entries[at - 1].expect->id > expect->id)))
    at--;
  memmove(&sequence->entries[at + 1], &sequence->entries[at],
          (sequence->count - at) * sizeof *sequence->entries);
  sequence->entries[at] = (entry_t){expect, position};
  sequence->count++;
}

void cmox_order_move(cmox_order_t *order, cmox_expect_t *expect, const cmox_order_facet_t *was,
                     const cmox_order_facet_t *now) {
  for (size_t i = 0; i < was->count; i++) {
    sequence_t *sequence = find(order, was->items[i].sequence);
    drop(sequence, expect, was->items[i].position);
    reset(sequence);
  }
  for (size_t i = 0; i < now->count; i++) {
    sequence_t *sequence = find(order, now->items[i].sequence);
    insert(sequence, expect, now->items[i].position);
    if (expect->taken || sequence->satisfied || sequence->called) reset(sequence);
  }
}

void cmox_order_recount(cmox_order_t *order) {
  for (sequence_t *sequence = order->sequences; sequence; sequence = sequence->hh.next)
    reset(sequence);
}

static const cmox_expect_t *blocker_in(sequence_t *sequence, uint32_t position) {
  entry_t *entries = sequence->entries;
  while (sequence->satisfied < sequence->count &&
         cmox_expect_satisfied(entries[sequence->satisfied].expect))
    sequence->satisfied++;
  if (sequence->satisfied < sequence->count && entries[sequence->satisfied].position < position)
    return entries[sequence->satisfied].expect;
  if (sequence->called && entries[sequence->called - 1].position > position)
    return entries[sequence->called - 1].expect;
  return NULL;
}

const cmox_expect_t *cmox_order_blocker(cmox_order_t *order, const cmox_expect_t *expect) {
  const cmox_order_facet_t *facet = &expect->facets.order;
  for (size_t i = 0; i < facet->count; i++) {
    const cmox_expect_t *blocker =
        blocker_in(find(order, facet->items[i].sequence), facet->items[i].position);
    if (blocker) return blocker;
  }
  return NULL;
}

void cmox_order_taken(cmox_order_t *order, const cmox_expect_t *expect) {
  const cmox_order_facet_t *facet = &expect->facets.order;
  for (size_t i = 0; i < facet->count; i++) {
    sequence_t *sequence = find(order, facet->items[i].sequence);
    const entry_t *entries = sequence->entries;
    for (size_t at = sequence->called;
         at < sequence->count && entries[at].position <= facet->items[i].position; at++)
      if (entries[at].expect == expect) sequence->called = at + 1;
  }
}
