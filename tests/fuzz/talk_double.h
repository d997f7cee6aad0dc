/* A Double built from fuzzed decisions. */
#ifndef CMOX_TESTS_TALK_DOUBLE_H
#define CMOX_TESTS_TALK_DOUBLE_H

#include "cmdmox/v1/double.pb-c.h"
#include "tests/fuzz/fuzz.h"

enum { NODES_MAX = 6, ARGS_MAX = 6, CONTEXT_MAX = 2 };

/* A Double with all that it points to. */
typedef struct double_parts {
  Cmdmox__V1__Double message;
  Cmdmox__V1__Location location;
  Cmdmox__V1__MatcherNode nodes[NODES_MAX], *node_list[NODES_MAX];
  Cmdmox__V1__ArgvMatcher argv;
  Cmdmox__V1__ArgvItem items[ARGS_MAX], *item_list[ARGS_MAX];
  Cmdmox__V1__StdinMatcher stdin_match;
  Cmdmox__V1__Count count;
  Cmdmox__V1__ActionList actions;
  Cmdmox__V1__DoubleAction action, *action_list[2];
  Cmdmox__V1__Reply reply;
  Cmdmox__V1__Passthrough passthrough;
  Cmdmox__V1__TimedChunk chunk, *chunk_list[2];
  Cmdmox__V1__FileEffect file, *file_list[2];
  Cmdmox__V1__StdinPolicy stdin_policy;
  Cmdmox__V1__EnvMatcher env_match;
  Cmdmox__V1__EnvMatcherItem env_items[CONTEXT_MAX], *env_list[CONTEXT_MAX];
  Cmdmox__V1__CwdMatcher cwd_match;
  Cmdmox__V1__EnvInjection injection;
  Cmdmox__V1__EnvChange changes[CONTEXT_MAX], *change_list[CONTEXT_MAX];
  Cmdmox__V1__SequenceList sequences;
  Cmdmox__V1__SequenceStep steps[CONTEXT_MAX], *step_list[CONTEXT_MAX];
  Cmdmox__V1__Predecessors after;
  uint64_t before[CONTEXT_MAX];
} double_parts_t;

Cmdmox__V1__Double *talk_fill_double(fuzz_in_t *in, double_parts_t *parts);
/* Only parts->action, as an answer. */
void talk_fill_reply(fuzz_in_t *in, double_parts_t *parts);

#endif
