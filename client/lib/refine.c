/* Refining a double: each function here builds a patch with one facet and sends
 * it as one UpdateDouble. What is wrong with it, here or on the server, is kept
 * with the place where the test said it, and the next call goes on. */
#include <inttypes.h>
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

#define REPLY_LEAST (offsetof(cmox_reply_t, delay_ms) + sizeof(((cmox_reply_t *)NULL)->delay_ms))

static cmox_code_t out_of_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

static cmox_code_t update(cmox_double_t *dbl, Cmdmox__V1__Double *patch, cmox_error_t *error) {
  if (dbl->id == 0) return CMOX_OK; /* the server never took it, and that is kept already */
  Cmdmox__V1__UpdateDoubleRequest request = CMDMOX__V1__UPDATE_DOUBLE_REQUEST__INIT;
  request.session_id = cmox_session_id(dbl->mox);
  request.double_id = dbl->id;
  request.patch = patch;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(dbl->mox, "UpdateDouble", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

/* What a refinement does with its arguments, while the session is entered. */
typedef cmox_code_t (*refinement_t)(cmox_double_t *dbl, const void *arguments, cmox_error_t *error);

static cmox_double_t *refine(cmox_double_t *dbl, cmox_location_t where, const char *function,
                             refinement_t act, const void *arguments) {
  if (!dbl) return &cmox_poison_double;
  cmox_t *mox = dbl->mox;
  if (cmox_enter(mox) != CMOX_OK) return dbl;
  cmox_error_t error = {.code = CMOX_OK};
  if (act(dbl, arguments, &error) != CMOX_OK) cmox_keep_problem(mox, where, function, &error);
  cmox_leave(mox);
  return dbl;
}

/* ---- Matchers --------------------------------------------------------- */

static cmox_code_t to_node(const cmox_matcher_t *matcher, Cmdmox__V1__MatcherNode *node,
                           cmox_error_t *error) {
  cmdmox__v1__matcher_node__init(node);
  if (matcher->kind == CMOX_MATCH_ANY) {
    node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_ANY;
    node->any = 1;
    return CMOX_OK;
  }
  if (!matcher->data && matcher->len != 0)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the text to compare with is NULL");
  size_t len = matcher->len == CMOX_TEXT_LENGTH ? strlen(matcher->data) : matcher->len;
  ProtobufCBinaryData data = {.len = len, .data = (uint8_t *)matcher->data};
  switch (matcher->kind) {
    case CMOX_MATCH_EQUALS:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_EQUALS;
      node->equals = data;
      return CMOX_OK;
    case CMOX_MATCH_STARTS_WITH:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_STARTS_WITH;
      node->starts_with = data;
      return CMOX_OK;
    case CMOX_MATCH_CONTAINS:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_CONTAINS;
      node->contains = data;
      return CMOX_OK;
    case CMOX_MATCH_REGEX:
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_REGEX;
      node->regex = data;
      return CMOX_OK;
    case CMOX_MATCH_ANY:
      break;
  }
  return cmox_fail(error, CMOX_E_BAD_MATCHER, "there is no kind %d of matchers",
                   (int)matcher->kind);
}

typedef struct list {
  size_t count;
  const cmox_matcher_t *matchers;
} list_t;

/* One matcher and what the schema needs around it. */
typedef struct position {
  Cmdmox__V1__MatcherNode node;
  Cmdmox__V1__ArgvItem item;
} position_t;

static cmox_code_t fill(position_t *positions, const list_t *list, cmox_error_t *error) {
  for (size_t i = 0; i < list->count; i++) {
    cmox_code_t code = to_node(&list->matchers[i], &positions[i].node, error);
    if (code != CMOX_OK) return cmox_wrap(error, "argument %zu", i + 1);
    cmdmox__v1__argv_item__init(&positions[i].item);
    positions[i].item.kind_case = CMDMOX__V1__ARGV_ITEM__KIND_ONE;
    positions[i].item.one = (uint32_t)i;
  }
  return CMOX_OK;
}

static cmox_code_t send_list(cmox_double_t *dbl, const list_t *list, position_t *positions,
                             Cmdmox__V1__MatcherNode **nodes, Cmdmox__V1__ArgvItem **items,
                             cmox_error_t *error) {
  for (size_t i = 0; i < list->count; i++) {
    nodes[i] = &positions[i].node;
    items[i] = &positions[i].item;
  }
  Cmdmox__V1__ArgvMatcher argv = CMDMOX__V1__ARGV_MATCHER__INIT;
  argv.n_items = list->count;
  argv.items = items;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.n_matchers = list->count;
  patch.matchers = nodes;
  patch.argv = &argv;
  return update(dbl, &patch, error);
}

static cmox_code_t match_argv(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const list_t *list = arguments;
  if (list->count && !list->matchers)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of matchers is NULL");
  position_t *positions = cmox_calloc(list->count, sizeof *positions);
  Cmdmox__V1__MatcherNode **nodes = cmox_calloc(list->count, sizeof *nodes);
  Cmdmox__V1__ArgvItem **items = cmox_calloc(list->count, sizeof *items);
  cmox_code_t code;
  if (positions && nodes && items) {
    code = fill(positions, list, error);
    if (code == CMOX_OK) code = send_list(dbl, list, positions, nodes, items, error);
  } else {
    code = out_of_memory(error);
  }
  cmox_free_block(positions);
  cmox_free_block(nodes);
  cmox_free_block(items);
  return code;
}

cmox_double_t *cmox_with_matching_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                          const cmox_matcher_t *matchers) {
  const list_t list = {count, matchers};
  return refine(dbl, where, "cmox_with_matching_args", match_argv, &list);
}

typedef struct texts {
  size_t count;
  const char *const *items;
} texts_t;

static cmox_code_t match_texts(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const texts_t *texts = arguments;
  if (texts->count && !texts->items)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the list of arguments is NULL");
  cmox_matcher_t *matchers = cmox_calloc(texts->count, sizeof *matchers);
  if (!matchers) return out_of_memory(error);
  for (size_t i = 0; i < texts->count; i++) matchers[i] = CMOX_EQ(texts->items[i]);
  const list_t list = {texts->count, matchers};
  cmox_code_t code = match_argv(dbl, &list, error);
  cmox_free_block(matchers);
  return code;
}

cmox_double_t *cmox_with_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                 const char *const *args) {
  const texts_t texts = {count, args};
  return refine(dbl, where, "cmox_with_args", match_texts, &texts);
}

/* ---- stdin ------------------------------------------------------------ */

static cmox_code_t match_stdin(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  Cmdmox__V1__MatcherNode node;
  cmox_code_t code = to_node(arguments, &node, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__MatcherNode *nodes[] = {&node};
  Cmdmox__V1__StdinMatcher facet = CMDMOX__V1__STDIN_MATCHER__INIT;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.n_matchers = 1;
  patch.matchers = nodes;
  patch.stdin_match = &facet;
  return update(dbl, &patch, error);
}

cmox_double_t *cmox_with_matching_stdin_at(cmox_double_t *dbl, cmox_location_t where,
                                           cmox_matcher_t matcher) {
  return refine(dbl, where, "cmox_with_stdin", match_stdin, &matcher);
}

static cmox_code_t capture(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  (void)arguments;
  Cmdmox__V1__StdinPolicy facet = CMDMOX__V1__STDIN_POLICY__INIT;
  facet.mode = CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.stdin_policy = &facet;
  return update(dbl, &patch, error);
}

cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where) {
  return refine(dbl, where, "cmox_capture_stdin", capture, NULL);
}

/* ---- The answer and the count ------------------------------------------ */

static cmox_code_t stream(const char *name, const char *data, size_t len, ProtobufCBinaryData *out,
                          cmox_error_t *error) {
  if (!data && len)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, ".%s is NULL and .%s_len is %zu", name, name,
                     len);
  *out = (ProtobufCBinaryData){.len = data && !len ? strlen(data) : len, .data = (uint8_t *)data};
  return CMOX_OK;
}

static cmox_code_t how_it_ends(const cmox_reply_t *wanted, Cmdmox__V1__Reply *reply,
                               cmox_error_t *error) {
  if (wanted->exit_code < 0 || wanted->exit_code > 255)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, ".exit_code is %d, not 0 to 255",
                     wanted->exit_code);
  if (!wanted->signal) {
    reply->end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
    reply->exit_code = (uint32_t)wanted->exit_code;
    return CMOX_OK;
  }
  if (wanted->exit_code)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a command that dies by .signal has no .exit_code");
  reply->end_case = CMDMOX__V1__REPLY__END_SIGNAL;
  reply->signal = cmox_utf8_copy(wanted->signal);
  return reply->signal ? CMOX_OK : out_of_memory(error);
}

static cmox_code_t answer(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  cmox_reply_t wanted;
  if (!arguments || !cmox_copy_sized(&wanted, sizeof wanted, REPLY_LEAST, arguments))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the reply is NULL, or its .size is not sizeof(cmox_reply_t)");
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.delay_ms = wanted.delay_ms;
  cmox_code_t code = stream("out", wanted.out, wanted.out_len, &reply.stdout_data, error);
  if (code == CMOX_OK) code = stream("err", wanted.err, wanted.err_len, &reply.stderr_data, error);
  if (code == CMOX_OK) code = how_it_ends(&wanted, &reply, error);
  if (code != CMOX_OK) return code;
  Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
  action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  action.reply = &reply;
  Cmdmox__V1__DoubleAction *actions[] = {&action};
  Cmdmox__V1__ActionList facet = CMDMOX__V1__ACTION_LIST__INIT;
  facet.n_items = 1;
  facet.items = actions;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.actions = &facet;
  code = update(dbl, &patch, error);
  if (reply.end_case == CMDMOX__V1__REPLY__END_SIGNAL) cmox_free_block(reply.signal);
  return code;
}

cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                               const cmox_reply_t *reply) {
  return refine(dbl, where, "cmox_returns", answer, reply);
}

static cmox_code_t expect_count(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const uint64_t *count = arguments;
  if (dbl->kind != CMOX_MOCK)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a %s may be called any number of times; make it a mock to demand %" PRIu64,
                     dbl->kind == CMOX_STUB ? "stub" : "spy", *count);
  Cmdmox__V1__Count facet = CMDMOX__V1__COUNT__INIT;
  facet.minimum = *count;
  facet.upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM;
  facet.maximum = *count;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.count = &facet;
  return update(dbl, &patch, error);
}

cmox_double_t *cmox_times_at(cmox_double_t *dbl, cmox_location_t where, uint64_t count) {
  return refine(dbl, where, "cmox_times", expect_count, &count);
}
