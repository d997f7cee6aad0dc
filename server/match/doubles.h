/* The session's doubles: by id, and by command in the order of definition. */
#ifndef CMOX_MATCH_DOUBLES_H
#define CMOX_MATCH_DOUBLES_H

#include "server/match/expect.h"

typedef struct cmox_doubles cmox_doubles_t;

typedef struct cmox_expect_list {
  cmox_expect_t *const *items;
  size_t count;
} cmox_expect_list_t;

cmox_doubles_t *cmox_doubles_new(void);
void cmox_doubles_free(cmox_doubles_t *doubles);

/* A new double under the next id; NULL when memory is out. */
cmox_expect_t *cmox_doubles_add(cmox_doubles_t *doubles, cmox_span_t command,
                                cmox_double_kind_t kind, cmox_source_t source);
cmox_expect_t *cmox_doubles_find(const cmox_doubles_t *doubles, uint64_t id); /* NULL: none */
cmox_expect_list_t cmox_doubles_all(const cmox_doubles_t *doubles);
cmox_expect_list_t cmox_doubles_of(const cmox_doubles_t *doubles, cmox_span_t command);

/* What the lookup says of a call. */
typedef enum cmox_lookup_kind {
  CMOX_LOOKUP_TAKEN,
  CMOX_LOOKUP_EXCESS,     /* only a saturated mock accepts it */
  CMOX_LOOKUP_UNEXPECTED, /* nothing accepts it */
  CMOX_LOOKUP_GAVE_UP     /* a matcher that came before an answer gave up */
} cmox_lookup_kind_t;

typedef struct cmox_lookup {
  cmox_lookup_kind_t kind;
  cmox_expect_t *expect; /* TAKEN: who takes it; EXCESS: who refuses it; else NULL */
} cmox_lookup_t;

/* In definition order: the first mock that is not saturated and accepts;
 * else, if a saturated mock accepts, excess (no stub absorbs it); else the first
 * stub or spy that accepts; else unexpected. Changes nothing. */
cmox_lookup_t cmox_doubles_lookup(const cmox_doubles_t *doubles, const cmox_call_t *call);

/* What must be read of the call's stdin before it can be decided; mode
 * CMOX_STDIN_IGNORE when nothing. */
cmox_stdin_policy_t cmox_doubles_gather(const cmox_doubles_t *doubles, const cmox_call_t *call);

#endif
