/* An expectation: what one double accepts, how often, and what it answers. */
#ifndef CMOX_MATCH_EXPECT_H
#define CMOX_MATCH_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/match/matchers.h"
#include "server/model/call.h"
#include "server/model/reply.h"

typedef enum cmox_double_kind {
  CMOX_KIND_STUB = 1,
  CMOX_KIND_MOCK,
  CMOX_KIND_SPY
} cmox_double_kind_t;

#define CMOX_COUNT_UNBOUNDED UINT64_MAX

typedef struct cmox_count {
  uint64_t minimum;
  uint64_t maximum; /* CMOX_COUNT_UNBOUNDED: none */
} cmox_count_t;

/* Facets: each may be absent, and a refinement replaces those it carries. */
typedef struct cmox_argv_facet {
  bool present;
  cmox_matchers_t *matchers;
  uint32_t *nodes; /* owned; one per argument after argv[0] */
  size_t count;
} cmox_argv_facet_t;

typedef struct cmox_stdin_facet {
  bool present;
  cmox_matchers_t *matchers;
  uint32_t node;
} cmox_stdin_facet_t;

typedef struct cmox_answer {
  bool present;
  cmox_reply_data_t *reply;
  char *gate; /* owned; NULL: answered at once */
} cmox_answer_t;

typedef struct cmox_facets {
  cmox_argv_facet_t argv;
  cmox_stdin_facet_t stdin_match;
  cmox_answer_t answer;
  bool has_count;
  cmox_count_t count;
  bool has_stdin_policy;
  cmox_stdin_policy_t stdin_policy;
} cmox_facets_t;

void cmox_facets_clear(cmox_facets_t *facets);
/* Moves the facets that are present in *from into *into; *from is empty then. */
void cmox_facets_apply(cmox_facets_t *into, cmox_facets_t *from);

typedef struct cmox_source {
  char *file; /* owned; NULL: not known */
  uint32_t line;
} cmox_source_t;

typedef struct cmox_expect {
  uint64_t id; /* from 1, in the order of definition */
  cmox_double_kind_t kind;
  cmox_span_t command; /* owned */
  cmox_source_t source;
  cmox_facets_t facets;
  uint64_t taken;  /* calls it accepted */
  uint64_t excess; /* calls it refused since it had had all of its own */
} cmox_expect_t;

void cmox_expect_free(cmox_expect_t *expect); /* NULL is fine */

cmox_count_t cmox_expect_count(const cmox_expect_t *expect);
bool cmox_expect_saturated(const cmox_expect_t *expect);
cmox_stdin_policy_t cmox_expect_stdin_policy(const cmox_expect_t *expect);

/* Whether the call is accepted; the first leaves stdin out (it may not have been read). */
cmox_accept_t cmox_expect_accepts_invocation(const cmox_expect_t *expect,
                                             const cmox_invocation_data_t *data);
cmox_accept_t cmox_expect_accepts_stdin(const cmox_expect_t *expect, const cmox_call_t *call);

#endif
