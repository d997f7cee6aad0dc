/* An expectation: what one double accepts, how often, and what it answers. */
#ifndef CMOX_MATCH_EXPECT_H
#define CMOX_MATCH_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/match/argv.h"
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

/* Facets: each may be absent, and a refinement replaces those it carries. Each owns what it points
 * at. */
typedef struct cmox_argv_facet {
  bool present;
  cmox_argv_t *argv;
} cmox_argv_facet_t;

/* One value, of stdin or of the working directory. */
typedef struct cmox_value_facet {
  bool present;
  cmox_matchers_t *matchers;
  uint32_t node;
} cmox_value_facet_t;

typedef struct cmox_env_item {
  char *name;
  bool absent;               /* it must not be set; else node is asked for its value */
  cmox_matchers_t *matchers; /* NULL: absent */
  uint32_t node;
} cmox_env_item_t;

typedef struct cmox_env_facet {
  bool present;
  bool append; /* in a refinement: add to what was said before; so below */
  cmox_env_item_t *items;
  size_t count;
} cmox_env_facet_t;

/* Variables that the call is to have: one with another value is a mismatch, a missing one is set.
 * What is to be removed is removed whatever its value. */
typedef struct cmox_injection_facet {
  bool present;
  bool append;
  cmox_env_change_t *items;
  size_t count;
} cmox_injection_facet_t;

/* What it answers: the first action for its first `repeat` calls, and so on; the last one for all
 * that are left. */
typedef struct cmox_answer {
  cmox_reply_data_t *reply; /* NULL: a handler makes it, or the real command runs */
  uint64_t handler;         /* by which the test knows it */
  char *handler_name;       /* for people, maybe empty; NULL: no handler */
  bool passes;              /* the real command runs, as passthrough says */
  cmox_passthrough_t passthrough;
  char *program;   /* runs in place of the real command; NULL: none does */
  char *gate;      /* NULL: answered at once */
  uint64_t repeat; /* calls; 0: for ever */
} cmox_answer_t;

void cmox_answer_clear(cmox_answer_t *answer); /* frees what it holds */
/* Whether it says anything: a reply, a handler that makes one, or that the real command runs. */
static inline bool cmox_answer_is_said(const cmox_answer_t *answer) {
  return answer->reply || answer->handler_name || answer->passes;
}

typedef struct cmox_answers_facet {
  bool present;
  bool append; /* those with a repeat before the one that goes on for ever, which a new one replaces
                */
  cmox_answer_t *items;
  size_t count;
} cmox_answers_facet_t;

/* Its places in named sequences, and the doubles that must be satisfied before it may be called. */
typedef struct cmox_step {
  char *sequence;
  uint32_t position;
} cmox_step_t;

typedef struct cmox_order_facet {
  bool present;
  bool append;
  cmox_step_t *items;
  size_t count;
} cmox_order_facet_t;

typedef struct cmox_after_facet {
  bool present;
  bool append;
  uint64_t *items;
  size_t count;
} cmox_after_facet_t;

typedef struct cmox_facets {
  cmox_argv_facet_t argv;
  cmox_value_facet_t stdin_match;
  cmox_value_facet_t cwd;
  cmox_env_facet_t env;
  cmox_injection_facet_t injection;
  cmox_answers_facet_t answers;
  cmox_order_facet_t order;
  cmox_after_facet_t after;
  bool has_count;
  cmox_count_t count;
  bool has_stdin_policy;
  cmox_stdin_policy_t stdin_policy;
} cmox_facets_t;

/* Whether a predicate has to be asked to know what is accepted. */
bool cmox_facets_ask(const cmox_facets_t *facets);

/* Whether one of the answers is that the real command runs. */
bool cmox_facets_pass(const cmox_facets_t *facets);

void cmox_facets_clear(cmox_facets_t *facets);
/* Makes *from what is to stand in *into after all: what is to be added to is copied into it, so
 * that cmox_facets_apply() cannot fail. CMOX_E_NO_MEMORY: *from is as good as gone. */
cmox_code_t cmox_facets_complete(const cmox_facets_t *into, cmox_facets_t *from,
                                 cmox_error_t *error);
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
bool cmox_expect_satisfied(const cmox_expect_t *expect);
/* What it answers to the next call that it takes; NULL: nothing was said. */
const cmox_answer_t *cmox_expect_answer(const cmox_expect_t *expect);
cmox_stdin_policy_t cmox_expect_stdin_policy(const cmox_expect_t *expect);

/* The value of a variable, the first one as getenv() has it; false: not set. */
bool cmox_env_value(cmox_span_list_t env, const char *name, cmox_span_t *value);

cmox_accept_t cmox_env_item_accepts(const cmox_env_item_t *item, cmox_span_list_t env,
                                    cmox_said_t *said);
bool cmox_env_change_fits(const cmox_env_change_t *change, cmox_span_list_t list);

/* Whether the call is accepted; the first leaves stdin out (it may not have been read). What
 * predicates said of it is in call->said. */
cmox_accept_t cmox_expect_accepts_invocation(const cmox_expect_t *expect, const cmox_call_t *call);
cmox_accept_t cmox_expect_accepts_stdin(const cmox_expect_t *expect, const cmox_call_t *call);

#endif
