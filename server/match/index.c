#include "server/match/index.h"

#include <string.h>

#include "server/base/alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

typedef struct place {
  UT_hash_handle hh;
  bool oom;
  uint64_t key; /* of the literals; two that share one by chance only make more candidates */
  cmox_bucket_t bucket;
} place_t;

typedef struct shape {
  cmox_literals_t literals;
  place_t *places;
} shape_t;

struct cmox_index {
  size_t count;
  shape_t shapes[CMOX_SHAPES_MAX]; /* the last one takes any double when the others are in use */
};

static const cmox_literals_t anything = {0, SIZE_MAX};

cmox_index_t *cmox_index_new(void) { return cmox_calloc(1, sizeof(cmox_index_t)); }

void cmox_index_free(cmox_index_t *index) {
  if (!index) return;
  for (size_t i = 0; i < index->count; i++) {
    place_t *place, *next;
    HASH_ITER(hh, index->shapes[i].places, place, next) {
      HASH_DEL(index->shapes[i].places, place);
      cmox_free_block(place->bucket.items);
      cmox_free_block(place);
    }
  }
  cmox_free_block(index);
}

static bool same_shape(cmox_literals_t a, cmox_literals_t b) {
  return a.places == b.places && a.exactly == b.exactly;
}

/* The shape of these literals, a new one where `add`; NULL: it is not there. */
static shape_t *find_shape(cmox_index_t *index, cmox_literals_t literals, bool add) {
  for (size_t i = 0; i < index->count; i++)
    if (same_shape(index->shapes[i].literals, literals)) return &index->shapes[i];
  /* The last one is kept for what fits nowhere else. */
  if (index->count + 1 >= CMOX_SHAPES_MAX && !same_shape(literals, anything))
    return find_shape(index, anything, add);
  if (!add) return NULL;
  shape_t *shape = &index->shapes[index->count++];
  *shape = (shape_t){.literals = literals};
  return shape;
}

/* FNV-1a, 64 bits: nobody gains by making these collide but the author of the test. */
static uint64_t mix(uint64_t hash, cmox_span_t value) {
  const uint64_t prime = UINT64_C(0x100000001b3);
  for (size_t i = 0; i < value.len; i++) hash = (hash ^ value.data[i]) * prime;
  return (hash ^ value.len) * prime;
}

#define MIX_START UINT64_C(0xcbf29ce484222325)

static uint64_t key_of_double(cmox_literals_t literals, const cmox_argv_t *argv) {
  uint64_t key = MIX_START;
  for (unsigned place = 0; place < CMOX_LITERALS_MAX; place++)
    if (literals.places & UINT64_C(1) << place) key = mix(key, cmox_argv_literal(argv, place));
  return key;
}

/* False: the call has no argument at one of the places. */
static bool key_of_call(cmox_literals_t literals, cmox_span_list_t args, uint64_t *key) {
  *key = MIX_START;
  if (literals.exactly != SIZE_MAX && literals.exactly != args.count) return false;
  for (unsigned place = 0; place < CMOX_LITERALS_MAX; place++) {
    if (!(literals.places & UINT64_C(1) << place)) continue;
    if (place >= args.count) return false;
    *key = mix(*key, args.items[place]);
  }
  return true;
}

static place_t *find_place(const shape_t *shape, uint64_t key) {
  place_t *place = NULL;
  HASH_FIND(hh, shape->places, &key, sizeof key, place);
  return place;
}

static place_t *ensure_place(shape_t *shape, uint64_t key) {
  place_t *place = find_place(shape, key);
  if (place) return place;
  place = cmox_calloc(1, sizeof *place);
  if (!place) return NULL;
  place->key = key;
  HASH_ADD(hh, shape->places, key, sizeof place->key, place);
  if (!place->oom) return place;
  cmox_free_block(place);
  return NULL;
}

bool cmox_index_add(cmox_index_t *index, cmox_expect_t *expect, const cmox_argv_t *argv) {
  shape_t *shape = find_shape(index, cmox_argv_literals(argv), true);
  place_t *place = ensure_place(shape, key_of_double(shape->literals, argv));
  if (!place) return false;
  cmox_bucket_t *bucket = &place->bucket;
  cmox_expect_t **grown =
      cmox_grow(bucket->items, &bucket->capacity, bucket->count + 1, sizeof *grown);
  if (!grown) return false;
  bucket->items = grown;
  size_t at = bucket->count++;
  for (; at > 0 && grown[at - 1]->id > expect->id; at--) grown[at] = grown[at - 1];
  grown[at] = expect;
  if (at < bucket->saturated) bucket->saturated = at;
  return true;
}

void cmox_index_remove(cmox_index_t *index, const cmox_expect_t *expect, const cmox_argv_t *argv) {
  shape_t *shape = find_shape(index, cmox_argv_literals(argv), false);
  place_t *place = find_place(shape, key_of_double(shape->literals, argv));
  cmox_bucket_t *bucket = &place->bucket;
  size_t at = bucket->count;
  while (bucket->items[at - 1] != expect) at--;
  memmove(&bucket->items[at - 1], &bucket->items[at], (bucket->count - at) * sizeof *bucket->items);
  bucket->count--;
  if (at <= bucket->saturated) bucket->saturated--;
}

void cmox_index_recount(cmox_index_t *index) {
  for (size_t i = 0; i < index->count; i++)
    for (place_t *place = index->shapes[i].places; place; place = place->hh.next)
      place->bucket.saturated = 0;
}

static bool is_closed(const cmox_expect_t *expect) {
  return expect->kind == CMOX_KIND_MOCK && cmox_expect_saturated(expect);
}

cmox_candidates_t cmox_index_find(cmox_index_t *index, cmox_span_list_t args, bool open_only) {
  cmox_candidates_t found = {.count = 0};
  for (size_t i = 0; i < index->count; i++) {
    uint64_t key;
    if (!key_of_call(index->shapes[i].literals, args, &key)) continue;
    place_t *place = find_place(&index->shapes[i], key);
    if (!place) continue;
    cmox_bucket_t *bucket = &place->bucket;
    while (bucket->saturated < bucket->count && is_closed(bucket->items[bucket->saturated]))
      bucket->saturated++;
    found.buckets[found.count] = bucket;
    found.at[found.count++] = open_only ? bucket->saturated : 0;
  }
  return found;
}

cmox_expect_t *cmox_candidates_next(cmox_candidates_t *candidates) {
  size_t first = SIZE_MAX;
  cmox_expect_t *next = NULL;
  for (size_t i = 0; i < candidates->count; i++) {
    const cmox_bucket_t *bucket = candidates->buckets[i];
    if (candidates->at[i] == bucket->count) continue;
    cmox_expect_t *expect = bucket->items[candidates->at[i]];
    if (next && next->id < expect->id) continue;
    next = expect;
    first = i;
  }
  if (next) candidates->at[first]++;
  return next;
}
