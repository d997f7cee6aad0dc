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
/* Takes back the last cmox_doubles_add(), before the double took a call. */
void cmox_doubles_drop_last(cmox_doubles_t *doubles);
cmox_expect_t *cmox_doubles_find(const cmox_doubles_t *doubles, uint64_t id); /* NULL: none */
cmox_expect_list_t cmox_doubles_all(const cmox_doubles_t *doubles);
cmox_expect_list_t cmox_doubles_of(const cmox_doubles_t *doubles, cmox_span_t command);

/* Moves the facets of *facets into the double; *facets is empty then. CMOX_E_NO_MEMORY: nothing has
 * changed. CMOX_E_NOT_FOUND, CMOX_E_INVALID_ARGUMENT: "after" names no other double of these. */
cmox_code_t cmox_doubles_refine(cmox_doubles_t *doubles, cmox_expect_t *expect,
                                cmox_facets_t *facets, cmox_error_t *error);

/* Whether a double of this command may have a predicate. Then the calls need `said`; what is wanted
 * there after a lookup or a gathering must be asked, and the same be done again. */
bool cmox_doubles_ask(const cmox_doubles_t *doubles, cmox_span_t command);

/* Whether a double of this command may have the real one run, or could before. */
bool cmox_doubles_pass(const cmox_doubles_t *doubles, cmox_span_t command);

/* What the lookup says of a call. */
typedef enum cmox_lookup_kind {
  CMOX_LOOKUP_TAKEN,
  CMOX_LOOKUP_EXCESS,     /* only a saturated mock accepts it */
  CMOX_LOOKUP_ORDER,      /* a mock accepts it whose turn it is not */
  CMOX_LOOKUP_UNEXPECTED, /* nothing accepts it */
  CMOX_LOOKUP_GAVE_UP     /* a matcher that came before an answer gave up */
} cmox_lookup_kind_t;

typedef struct cmox_lookup {
  cmox_lookup_kind_t kind;
  cmox_expect_t *expect;        /* TAKEN: who takes it; EXCESS, ORDER: who refuses it; else NULL */
  const cmox_expect_t *blocker; /* ORDER: whose turn it is, or whose was after this one's */
} cmox_lookup_t;

/* In definition order: the first mock that is not saturated, accepts, and may come next by its
 * sequences; else, if a saturated mock accepts, it is refused (no stub absorbs it); else the first
 * stub or spy that accepts; else it is out of order or unexpected. Decides nothing yet. */
cmox_lookup_t cmox_doubles_lookup(cmox_doubles_t *doubles, const cmox_call_t *call);

/* The double takes one more call. */
void cmox_doubles_take(cmox_doubles_t *doubles, cmox_expect_t *expect);

/* What must be read of the call's stdin before it can be decided; mode
 * CMOX_STDIN_IGNORE when nothing. */
cmox_stdin_policy_t cmox_doubles_gather(cmox_doubles_t *doubles, const cmox_call_t *call);

#endif
