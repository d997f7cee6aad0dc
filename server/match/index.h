/* Which doubles of one command may accept a call, found by the literals they expect.
 *
 * Doubles that expect literals at the same places are of one shape, and each shape has a hash table
 * over those literals (tuple space search: Srinivasan, Suri, Varghese, "Packet Classification using
 * Tuple Space Search", SIGCOMM 1999). A call is looked up once per shape, and tests have few shapes
 * however many doubles they have. What is found is a candidate, no more: it must still be asked. */
#ifndef CMOX_MATCH_INDEX_H
#define CMOX_MATCH_INDEX_H

#include "server/match/expect.h"

typedef struct cmox_index cmox_index_t;

cmox_index_t *cmox_index_new(void);        /* NULL when memory is out */
void cmox_index_free(cmox_index_t *index); /* NULL is fine */

/* Enters a double under these arguments (NULL: any). False when memory is out; nothing has changed
 * then. */
bool cmox_index_add(cmox_index_t *index, cmox_expect_t *expect, const cmox_argv_t *argv);
/* Takes out what was entered under these arguments. */
void cmox_index_remove(cmox_index_t *index, const cmox_expect_t *expect, const cmox_argv_t *argv);
/* A count has been changed: doubles that were passed over as saturated are looked at again. */
void cmox_index_recount(cmox_index_t *index);

/* The doubles that share a place, in the order of definition. */
typedef struct cmox_bucket {
  cmox_expect_t **items;
  size_t count;
  size_t capacity;
  size_t saturated; /* so many from the front are saturated mocks */
} cmox_bucket_t;

#define CMOX_SHAPES_MAX 16u /* above that a walk over all doubles is as good */

/* The candidates of a call, walked in the order of definition. */
typedef struct cmox_candidates {
  cmox_bucket_t *buckets[CMOX_SHAPES_MAX];
  size_t at[CMOX_SHAPES_MAX];
  size_t count;
} cmox_candidates_t;

/* With `open_only` the saturated mocks at the front of each place are left out. */
cmox_candidates_t cmox_index_find(cmox_index_t *index, cmox_span_list_t args, bool open_only);
cmox_expect_t *cmox_candidates_next(cmox_candidates_t *candidates); /* NULL: that was all */

#endif
