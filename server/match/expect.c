#include "server/match/expect.h"

#include <string.h>

#include "proto/limits.h"
#include "server/base/alloc.h"

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

bool cmox_expect_satisfied(const cmox_expect_t *expect) {
  return expect->taken >= cmox_expect_count(expect).minimum;
}

const cmox_answer_t *cmox_expect_answer(const cmox_expect_t *expect) {
  const cmox_answers_facet_t *answers = &expect->facets.answers;
  uint64_t before = expect->taken;
  for (size_t i = 0; i < answers->count; i++) {
    const cmox_answer_t *answer = &answers->items[i];
    if (answer->repeat == 0 || before < answer->repeat || i + 1 == answers->count) return answer;
    before -= answer->repeat;
  }
  return NULL;
}

cmox_stdin_policy_t cmox_expect_stdin_policy(const cmox_expect_t *expect) {
  cmox_stdin_policy_t policy = {.mode = CMOX_STDIN_IGNORE};
  if (expect->facets.has_stdin_policy) policy = expect->facets.stdin_policy;
  if (expect->facets.stdin_match.present) policy.mode = CMOX_STDIN_CAPTURE;
  if (policy.max_bytes == 0) policy.max_bytes = CMOX_STDIN_MAX_DEFAULT;
  if (policy.deadline_ms == 0) policy.deadline_ms = CMOX_STDIN_DEADLINE_DEFAULT_MS;
  return policy;
}

bool cmox_env_value(cmox_span_list_t env, const char *name, cmox_span_t *value) {
  size_t len = strlen(name);
  for (size_t i = 0; i < env.count; i++) {
    cmox_span_t entry = env.items[i];
    if (entry.len <= len || entry.data[len] != '=' || memcmp(entry.data, name, len) != 0) continue;
    *value = cmox_span(entry.data + len + 1, entry.len - len - 1);
    return true;
  }
  return false;
}

cmox_accept_t cmox_env_item_accepts(const cmox_env_item_t *item, cmox_span_list_t env,
                                    cmox_said_t *said) {
  cmox_span_t value;
  bool set = cmox_env_value(env, item->name, &value);
  if (item->absent || !set) return item->absent && !set ? CMOX_ACCEPTS : CMOX_REFUSES;
  return cmox_matchers_accept(item->matchers, item->node, value, said);
}

bool cmox_env_change_fits(const cmox_env_change_t *change, cmox_span_list_t list) {
  cmox_span_t value;
  return !change->value || !cmox_env_value(list, change->name, &value) ||
         cmox_span_equal(value, cmox_span(change->value, change->value_len));
}

/* What one part says, added to what the others said. */
static bool narrow(cmox_accept_t *whole, cmox_accept_t part) {
  if (part != CMOX_ACCEPTS) *whole = part;
  return part != CMOX_REFUSES;
}

cmox_accept_t cmox_expect_accepts_invocation(const cmox_expect_t *expect, const cmox_call_t *call) {
  const cmox_invocation_data_t *data = &call->data;
  const cmox_facets_t *facets = &expect->facets;
  cmox_accept_t whole = CMOX_ACCEPTS;
  if (facets->argv.present &&
      !narrow(&whole, cmox_argv_accepts(facets->argv.argv, cmox_call_args(data), call->said)))
    return CMOX_REFUSES;
  for (size_t i = 0; i < facets->env.count; i++)
    if (!narrow(&whole, cmox_env_item_accepts(&facets->env.items[i], data->env, call->said)))
      return CMOX_REFUSES;
  for (size_t i = 0; i < facets->injection.count; i++)
    if (!cmox_env_change_fits(&facets->injection.items[i], data->env)) return CMOX_REFUSES;
  if (facets->cwd.present &&
      !narrow(&whole,
              cmox_matchers_accept(facets->cwd.matchers, facets->cwd.node, data->cwd, call->said)))
    return CMOX_REFUSES;
  return whole;
}

cmox_accept_t cmox_expect_accepts_stdin(const cmox_expect_t *expect, const cmox_call_t *call) {
  const cmox_value_facet_t *facet = &expect->facets.stdin_match;
  if (!facet->present) return CMOX_ACCEPTS;
  /* Only a whole stdin can be compared. */
  const cmox_stream_t *stream = &call->stdin_stream;
  if (!cmox_call_stdin_whole(call)) return CMOX_REFUSES;
  cmox_span_t bytes = cmox_stream_bytes(stream);
  if (bytes.len != stream->length) return CMOX_GIVES_UP;
  cmox_accept_t answer = cmox_matchers_accept(facet->matchers, facet->node, bytes, call->said);
  cmox_stream_done(stream, bytes);
  return answer;
}
