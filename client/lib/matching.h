/* Matchers of <cmdmox/cmdmox.h> as messages. One that is made of others becomes a table in which
 * children stand before their parents. */
#ifndef CMOX_CLIENT_MATCHING_H
#define CMOX_CLIENT_MATCHING_H

#include "client/lib/refine.h"

typedef struct cmox_table {
  cmox_t *mox;        /* whose predicates they are */
  size_t count, room; /* nodes */
  size_t index_count; /* children of all nodes */
  Cmdmox__V1__MatcherNode *nodes;
  Cmdmox__V1__MatcherNode **pointers;
  Cmdmox__V1__IndexList *lists;
  uint32_t *indexes;
} cmox_table_t;

/* A message with a table of its own; to be cleared whether it could be filled or not. */
typedef struct cmox_pattern {
  Cmdmox__V1__Double message;
  cmox_table_t table;
  Cmdmox__V1__ArgvMatcher argv;
  struct cmox_pattern_item *items;
  Cmdmox__V1__ArgvItem **pointers;
  size_t count;
} cmox_pattern_t;

void cmox_pattern_clear(cmox_pattern_t *pattern);

/* Expects these arguments, in a session that is entered. The pattern borrows the matchers' texts.
 */
cmox_code_t cmox_pattern_of_args(cmox_t *mox, cmox_pattern_t *pattern,
                                 const cmox_matcher_t *matchers, size_t count, cmox_error_t *error);
/* The same with texts that must be equal. */
cmox_code_t cmox_pattern_of_texts(cmox_t *mox, cmox_pattern_t *pattern, const char *const *texts,
                                  size_t count, cmox_error_t *error);
/* Holds one matcher and no facet; *root is its node. */
cmox_code_t cmox_pattern_of_value(cmox_t *mox, cmox_pattern_t *pattern,
                                  const cmox_matcher_t *matcher, uint32_t *root,
                                  cmox_error_t *error);

#endif
