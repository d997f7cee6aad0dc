/* What a double expects of a list of arguments. */
#ifndef CMOX_MATCH_ARGV_H
#define CMOX_MATCH_ARGV_H

#include "server/match/matchers.h"

typedef enum cmox_item_kind {
  CMOX_ITEM_ONE,       /* one argument; node */
  CMOX_ITEM_REST,      /* all that is left, each accepted by node; last only */
  CMOX_ITEM_ANY_ORDER, /* as many as nodes, next to each other, in any order */
  CMOX_ITEM_CONTAINS,  /* all that is left: each of nodes accepts another one of it; last only */
  CMOX_ITEM_FLAG       /* "NAME VALUE" or "NAME=VALUE"; node is asked for the value */
} cmox_item_kind_t;

#define CMOX_ANY_ORDER_MAX 64u /* nodes of ANY_ORDER and CONTAINS */

typedef struct cmox_argv_item {
  cmox_item_kind_t kind;
  uint32_t node;
  const uint32_t *nodes;
  size_t count;
  cmox_span_t name; /* FLAG */
} cmox_argv_item_t;

typedef struct cmox_argv {
  cmox_matchers_t *matchers; /* one reference */
  size_t count;
  cmox_argv_item_t items[];
} cmox_argv_t;

/* A copy of the items, with a reference to the table. CMOX_E_BAD_MATCHER says which item is wrong
 * and why; CMOX_E_NO_MEMORY. */
cmox_code_t cmox_argv_new(cmox_matchers_t *matchers, const cmox_argv_item_t *items, size_t count,
                          cmox_argv_t **out, cmox_error_t *error);
void cmox_argv_free(cmox_argv_t *argv); /* NULL is fine */

cmox_accept_t cmox_argv_accepts(const cmox_argv_t *argv, cmox_span_list_t args, cmox_said_t *said);

/* How many arguments item `item` takes from `at` on; never more than there are. */
size_t cmox_argv_width(const cmox_argv_t *argv, size_t item, cmox_span_list_t args, size_t at);

/* Whether item `item` accepts the arguments `at` to `at + width`. */
cmox_accept_t cmox_argv_item_accepts(const cmox_argv_t *argv, size_t item, cmox_span_list_t args,
                                     size_t at, size_t width, cmox_said_t *said);

/* The literals that are expected at fixed places, by which doubles are indexed. */
#define CMOX_LITERALS_MAX 64u

typedef struct cmox_literals {
  uint64_t places; /* bit n: argument n must be a literal */
  size_t exactly;  /* how many arguments there must be; SIZE_MAX: any number */
} cmox_literals_t;

cmox_literals_t cmox_argv_literals(const cmox_argv_t *argv); /* NULL: accepts anything */
/* The literal at a place of cmox_argv_literals(). */
cmox_span_t cmox_argv_literal(const cmox_argv_t *argv, unsigned place);

#endif
