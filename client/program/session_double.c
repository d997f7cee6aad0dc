/* cmdmox mock, stub and spy: one double of a session of a shell. */
#include <cmdmox/codes.h>
#include <stdlib.h>
#include <string.h>

#include "client/program/session.h"

/* A double as the words and options say it; borrowed from them. */
typedef struct wish {
  Cmdmox__V1__Double message;
  Cmdmox__V1__Location location;
  Cmdmox__V1__ArgvMatcher argv;
  Cmdmox__V1__DoubleAction action, *action_list[1];
  Cmdmox__V1__ActionList actions;
  Cmdmox__V1__Reply reply;
  Cmdmox__V1__Count count;
  Cmdmox__V1__MatcherNode *nodes, **node_list;
  Cmdmox__V1__ArgvItem *items, **item_list;
} wish_t;

static ProtobufCBinaryData bytes_of(const char *text) { return cmox_to_bytes(cmox_span_str(text)); }

static bool put_arguments(wish_t *wish, char **words, size_t count, bool none) {
  if (count == 0 && !none) return true;
  wish->nodes = calloc(count + 1, sizeof *wish->nodes);
  wish->node_list = calloc(count + 1, sizeof *wish->node_list);
  wish->items = calloc(count + 1, sizeof *wish->items);
  wish->item_list = calloc(count + 1, sizeof *wish->item_list);
  if (!wish->nodes || !wish->node_list || !wish->items || !wish->item_list) return false;
  for (size_t i = 0; i < count; i++) {
    cmdmox__v1__matcher_node__init(&wish->nodes[i]);
    wish->nodes[i].test_case = CMDMOX__V1__MATCHER_NODE__TEST_EQUALS;
    wish->nodes[i].equals = bytes_of(words[i]);
    wish->node_list[i] = &wish->nodes[i];
    cmdmox__v1__argv_item__init(&wish->items[i]);
    wish->items[i].kind_case = CMDMOX__V1__ARGV_ITEM__KIND_ONE;
    wish->items[i].one = (uint32_t)i;
    wish->item_list[i] = &wish->items[i];
  }
  wish->message.n_matchers = count;
  wish->message.matchers = wish->node_list;
  cmdmox__v1__argv_matcher__init(&wish->argv);
  wish->argv.n_items = count;
  wish->argv.items = wish->item_list;
  wish->message.argv = &wish->argv;
  return true;
}

static bool put_answer(const cmox_verb_t *verb, const cmox_arguments_t *arguments, wish_t *wish) {
  uint64_t exit_code = 0;
  uint64_t times = 0;
  if (!cmox_given_number(verb, arguments, CMOX_DOUBLE_EXIT, 0, 255, 0, &exit_code) ||
      !cmox_given_number(verb, arguments, CMOX_DOUBLE_TIMES, 0, UINT32_MAX, 0, &times))
    return false;
  const char *out = cmox_given(arguments, CMOX_DOUBLE_OUT);
  const char *err = cmox_given(arguments, CMOX_DOUBLE_ERR);
  cmdmox__v1__reply__init(&wish->reply);
  if (out) wish->reply.stdout_data = bytes_of(out);
  if (err) wish->reply.stderr_data = bytes_of(err);
  wish->reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  wish->reply.exit_code = (uint32_t)exit_code;
  cmdmox__v1__double_action__init(&wish->action);
  wish->action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  wish->action.reply = &wish->reply;
  wish->action_list[0] = &wish->action;
  cmdmox__v1__action_list__init(&wish->actions);
  wish->actions.n_items = 1;
  wish->actions.items = wish->action_list;
  wish->message.actions = &wish->actions;
  if (!cmox_given(arguments, CMOX_DOUBLE_TIMES)) return true;
  cmdmox__v1__count__init(&wish->count);
  wish->count.minimum = wish->count.maximum = times;
  wish->count.upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM;
  wish->message.count = &wish->count;
  return true;
}

static int declare(const cmox_verb_t *verb, const cmox_arguments_t *arguments, wish_t *wish,
                   Cmdmox__V1__DoubleKind kind) {
  cmdmox__v1__double__init(&wish->message);
  wish->message.kind = kind;
  wish->message.command = bytes_of(arguments->words[0]);
  if (!put_answer(verb, arguments, wish)) return CMOX_EXIT_USAGE;
  if (!put_arguments(wish, arguments->words + 1, arguments->word_count - 1,
                     cmox_given(arguments, CMOX_DOUBLE_NO_ARGS) != NULL)) {
    const cmox_error_t error = {CMOX_E_NO_MEMORY, "out of memory"};
    return cmox_shell_fail(verb->name, &error);
  }
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__Double *doubles[] = {&wish->message};
  Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  request.n_doubles = 1;
  request.doubles = doubles;
  if (status == 0) status = cmox_shell_do(&session, "CreateDoubles", &request.base);
  cmox_shell_close(&session);
  return status;
}

int cmox_verb_double(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  const Cmdmox__V1__DoubleKind kind =
      strcmp(verb->name, "mock") == 0   ? CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_MOCK
      : strcmp(verb->name, "stub") == 0 ? CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB
                                        : CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_SPY;
  wish_t wish = {0};
  const int status = declare(verb, arguments, &wish, kind);
  free(wish.nodes);
  free(wish.node_list);
  free(wish.items);
  free(wish.item_list);
  return status;
}
