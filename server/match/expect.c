#include "server/match/expect.h"

#include "proto/limits.h"
#include "server/base/alloc.h"

static void clear_argv(cmox_argv_facet_t *facet) {
  cmox_matchers_unref(facet->matchers);
  cmox_free_block(facet->nodes);
}

static void clear_answer(cmox_answer_t *answer) {
  cmox_reply_unref(answer->reply);
  cmox_free_block(answer->gate);
}

void cmox_facets_clear(cmox_facets_t *facets) {
  clear_argv(&facets->argv);
  cmox_matchers_unref(facets->stdin_match.matchers);
  clear_answer(&facets->answer);
  *facets = (cmox_facets_t){0};
}

void cmox_facets_apply(cmox_facets_t *into, cmox_facets_t *from) {
  if (from->argv.present) {
    clear_argv(&into->argv);
    into->argv = from->argv;
  }
  if (from->stdin_match.present) {
    cmox_matchers_unref(into->stdin_match.matchers);
    into->stdin_match = from->stdin_match;
  }
  if (from->answer.present) {
    clear_answer(&into->answer);
    into->answer = from->answer;
  }
  if (from->has_count) {
    into->has_count = true;
    into->count = from->count;
  }
  if (from->has_stdin_policy) {
    into->has_stdin_policy = true;
    into->stdin_policy = from->stdin_policy;
  }
  *from = (cmox_facets_t){0};
}

void cmox_expect_free(cmox_expect_t *expect) {
  if (!expect) return;
  cmox_facets_clear(&expect->facets);
  cmox_free_block(expect->source.file);
  cmox_free_block((void *)(uintptr_t)expect->command.data);
  cmox_free_block(expect);
}

cmox_count_t cmox_expect_count(const cmox_expect_t *expect) {
  if (expect->kind != CMOX_KIND_MOCK) return (cmox_count_t){0, CMOX_COUNT_UNBOUNDED};
  if (!expect->facets.has_count) return (cmox_count_t){1, 1};
  return expect->facets.count;
}

bool cmox_expect_saturated(const cmox_expect_t *expect) {
  return expect->taken >= cmox_expect_count(expect).maximum;
}

cmox_stdin_policy_t cmox_expect_stdin_policy(const cmox_expect_t *expect) {
  cmox_stdin_policy_t policy = {CMOX_STDIN_IGNORE, 0, 0};
  if (expect->facets.has_stdin_policy) policy = expect->facets.stdin_policy;
  if (expect->facets.stdin_match.present) policy.mode = CMOX_STDIN_CAPTURE;
  if (policy.max_bytes == 0) policy.max_bytes = CMOX_STDIN_MAX_DEFAULT;
  if (policy.deadline_ms == 0) policy.deadline_ms = CMOX_STDIN_DEADLINE_DEFAULT_MS;
  return policy;
}

cmox_accept_t cmox_expect_accepts_invocation(const cmox_expect_t *expect,
                                             const cmox_invocation_data_t *data) {
  const cmox_argv_facet_t *argv = &expect->facets.argv;
  if (!argv->present) return CMOX_ACCEPTS;
  cmox_span_list_t args = cmox_call_args(data);
  if (args.count != argv->count) return CMOX_REFUSES;
  cmox_accept_t whole = CMOX_ACCEPTS;
  for (size_t i = 0; i < args.count; i++) {
    cmox_accept_t one = cmox_matchers_accept(argv->matchers, argv->nodes[i], args.items[i]);
    if (one == CMOX_REFUSES) return CMOX_REFUSES;
    if (one == CMOX_GIVES_UP) whole = CMOX_GIVES_UP;
  }
  return whole;
}

cmox_accept_t cmox_expect_accepts_stdin(const cmox_expect_t *expect, const cmox_call_t *call) {
  const cmox_stdin_facet_t *facet = &expect->facets.stdin_match;
  if (!facet->present) return CMOX_ACCEPTS;
  /* Only a whole stdin can be compared. */
  if (call->stdin_end != CMOX_STDIN_EOF) return CMOX_REFUSES;
  return cmox_matchers_accept(facet->matchers, facet->node, cmox_buf_span(&call->stdin_data));
}
