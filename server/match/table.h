/* What a compiled table of matchers is made of; for matchers.c and describe.c alone. */
#ifndef CMOX_MATCH_TABLE_H
#define CMOX_MATCH_TABLE_H

#include "server/match/matchers.h"

typedef struct cmox_node {
  cmox_test_t test;        /* value and children point behind the nodes */
  cmox_pattern_t *pattern; /* REGEX, GLOB */
  cmox_json_t *json;       /* JSON_EQUALS */
} cmox_node_t;

struct cmox_matchers {
  size_t references;
  size_t count;
  cmox_node_t nodes[];
};

#endif
