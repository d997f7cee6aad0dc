#include "client/program/double_flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmdmox/codes.h>

#include "client/program/double_options.h"
#include "client/program/files.h"
#include "server/base/alloc.h"

/* ---- Pieces of the message -------------------------------------------------- */

static void *message_new(const ProtobufCMessageDescriptor *type) {
  ProtobufCMessage *message = calloc(1, type->sizeof_message);
  if (message) protobuf_c_message_init(type, message);
  return message;
}

/* Appends a message, which it takes over, to a repeated field. False: memory is out. */
static bool append(void *list, size_t *count, void *message) {
  void **items = NULL;
  memcpy(&items, list, sizeof items);
  void **grown = message ? realloc(items, (*count + 1) * sizeof *grown) : NULL;
  if (!grown) {
    if (message) protobuf_c_message_free_unpacked(message, NULL);
    return false;
  }
  grown[(*count)++] = message;
  memcpy(list, &grown, sizeof grown);
  return true;
}

/* A field of bytes: text, and `tail` behind it. */
static bool set_bytes(ProtobufCBinaryData *bytes, const char *text, size_t len, const char *tail) {
  free(bytes->data);
  bytes->len = len + strlen(tail);
  bytes->data = malloc(bytes->len + 1);
  if (!bytes->data) return false;
  if (len) memcpy(bytes->data, text, len);
  memcpy(bytes->data + len, tail, strlen(tail) + 1);
  return true;
}

/* As echo would write it. */
static bool set_line(ProtobufCBinaryData *bytes, const char *text) {
  const size_t len = strlen(text);
  return set_bytes(bytes, text, len, len == 0 || text[len - 1] == '\n' ? "" : "\n");
}

/* Appends a node, to be filled; its index is the last one. NULL: memory is out. */
static Cmdmox__V1__MatcherNode *add_node(Cmdmox__V1__Double *to) {
  Cmdmox__V1__MatcherNode *node = message_new(&cmdmox__v1__matcher_node__descriptor);
  return append(&to->matchers, &to->n_matchers, node) ? node : NULL;
}

static bool add_equals(Cmdmox__V1__Double *to, const char *text, size_t len) {
  Cmdmox__V1__MatcherNode *node = add_node(to);
  if (!node) return false;
  node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_EQUALS;
  return set_bytes(&node->equals, text, len, "");
}

/* Appends an item of argv that refers to the last node. */
static Cmdmox__V1__ArgvItem *add_item(Cmdmox__V1__Double *to) {
  if (!to->argv) to->argv = message_new(&cmdmox__v1__argv_matcher__descriptor);
  Cmdmox__V1__ArgvItem *item = to->argv ? message_new(&cmdmox__v1__argv_item__descriptor) : NULL;
  if (!item) return NULL;
  item->kind_case = CMDMOX__V1__ARGV_ITEM__KIND_ONE;
  item->one = (uint32_t)to->n_matchers - 1;
  return append(&to->argv->items, &to->argv->n_items, item) ? item : NULL;
}

static bool add_argument(Cmdmox__V1__Double *to, const char *word) {
  return add_equals(to, word, strlen(word)) && add_item(to);
}

static Cmdmox__V1__DoubleAction *action_of(Cmdmox__V1__Double *to) {
  if (!to->actions) to->actions = message_new(&cmdmox__v1__action_list__descriptor);
  if (!to->actions) return NULL;
  if (to->actions->n_items == 0 && !append(&to->actions->items, &to->actions->n_items,
                                           message_new(&cmdmox__v1__double_action__descriptor)))
    return NULL;
  return to->actions->items[0];
}

static Cmdmox__V1__Reply *reply_of(Cmdmox__V1__Double *to) {
  Cmdmox__V1__DoubleAction *action = action_of(to);
  if (!action) return NULL;
  if (!action->kind_case) {
    action->reply = message_new(&cmdmox__v1__reply__descriptor);
    if (action->reply) action->kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  }
  return action->reply;
}

static Cmdmox__V1__Count *count_of(Cmdmox__V1__Double *to) {
  if (!to->count) to->count = message_new(&cmdmox__v1__count__descriptor);
  return to->count;
}

/* ---- Flags ------------------------------------------------------------------ */

static bool set_stdin(Cmdmox__V1__Double *to, const char *text, size_t len) {
  to->stdin_match = message_new(&cmdmox__v1__stdin_matcher__descriptor);
  if (!to->stdin_match || !add_equals(to, text, len)) return false;
  to->stdin_match->node = (uint32_t)to->n_matchers - 1;
  return true;
}

static bool set_stdin_line(Cmdmox__V1__Double *to, const char *text) {
  return set_stdin(to, text, strlen(text)) &&
         set_line(&to->matchers[to->stdin_match->node]->equals, text);
}

static int set_stdin_file(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const char *path) {
  cmox_buf_t bytes = CMOX_BUF_EMPTY;
  int status = cmox_file_read(verb, path, &bytes);
  if (status == 0 && !set_stdin(to, (const char *)bytes.data, bytes.len)) status = cmox_no_memory();
  cmox_buf_clear(&bytes);
  return status;
}

static bool set_cwd(Cmdmox__V1__Double *to, const char *directory) {
  to->cwd_match = message_new(&cmdmox__v1__cwd_matcher__descriptor);
  if (!to->cwd_match || !add_equals(to, directory, strlen(directory))) return false;
  to->cwd_match->node = (uint32_t)to->n_matchers - 1;
  return true;
}

static bool add_variable(Cmdmox__V1__Double *to, const char *entry) {
  const size_t len = strcspn(entry, "=");
  if (!to->env_injection) to->env_injection = message_new(&cmdmox__v1__env_injection__descriptor);
  Cmdmox__V1__EnvChange *change =
      to->env_injection ? message_new(&cmdmox__v1__env_change__descriptor) : NULL;
  if (!change || !append(&to->env_injection->changes, &to->env_injection->n_changes, change))
    return false;
  change->change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
  return set_bytes(&change->name, entry, len, "") &&
         set_bytes(&change->value, entry + len + 1, strlen(entry + len + 1), "");
}

/* program: NULL: the real command. */
static bool set_passthrough(Cmdmox__V1__Double *to, const char *program) {
  Cmdmox__V1__DoubleAction *action = action_of(to);
  if (!action) return false;
  action->passthrough = message_new(&cmdmox__v1__passthrough__descriptor);
  if (!action->passthrough) return false;
  action->kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  action->passthrough->capture_stdout = action->passthrough->capture_stderr = true;
  return !program || set_bytes(&action->passthrough->program, program, strlen(program), "");
}

/* A path from here is made one from everywhere: calls come from other directories. */
static int take_program(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const char *path) {
  if (!*path) return cmox_usage_error(verb, "--program: say which file is to run");
  cmox_buf_t whole = CMOX_BUF_EMPTY;
  char *here = *path == '/' ? NULL : getcwd(NULL, 0);
  if (*path != '/' && !here)
    return cmox_usage_error(verb, "--program %s: the directory we are in has no path: %s", path,
                            strerror(errno));
  if (here) cmox_buf_printf(&whole, "%s/", here);
  cmox_buf_puts(&whole, path);
  free(here);
  char *text = cmox_buf_take_text(&whole);
  const bool done = text && set_passthrough(to, text);
  cmox_free_block(text);
  return done ? 0 : cmox_no_memory();
}

static bool read_stdin(Cmdmox__V1__Double *to, Cmdmox__V1__StdinMode mode) {
  to->stdin_policy = message_new(&cmdmox__v1__stdin_policy__descriptor);
  if (to->stdin_policy) to->stdin_policy->mode = mode;
  return to->stdin_policy != NULL;
}

static int set_out_file(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const char *path) {
  cmox_buf_t bytes = CMOX_BUF_EMPTY;
  int status = cmox_file_read(verb, path, &bytes);
  Cmdmox__V1__Reply *reply = status == 0 ? reply_of(to) : NULL;
  if (status == 0 &&
      (!reply || !set_bytes(&reply->stdout_data, (const char *)bytes.data, bytes.len, "")))
    status = cmox_no_memory();
  cmox_buf_clear(&bytes);
  return status;
}

static bool set_signal(Cmdmox__V1__Reply *reply, const char *name) {
  const bool whole = strncmp(name, "SIG", 3) == 0;
  char *text = malloc(strlen(name) + 4);
  if (!text) return false;
  (void)sprintf(text, "%s%s", whole ? "" : "SIG", name);
  reply->signal = text;
  reply->end_case = CMDMOX__V1__REPLY__END_SIGNAL;
  return true;
}

static bool set_exit(Cmdmox__V1__Reply *reply, uint64_t number) {
  reply->exit_code = (uint32_t)number;
  reply->end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  return true;
}

static bool set_minimum(Cmdmox__V1__Double *to, uint64_t number) {
  Cmdmox__V1__Count *count = count_of(to);
  if (count) count->minimum = number;
  return count != NULL;
}

static bool set_maximum(Cmdmox__V1__Double *to, uint64_t number) {
  Cmdmox__V1__Count *count = count_of(to);
  if (!count) return false;
  count->upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM;
  count->maximum = number;
  return true;
}

static int take_number(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const cmox_given_t *given) {
  const int id = given->option->id;
  const uint64_t most = id == EXIT ? 255 : id == DELAY ? UINT32_MAX : UINT64_MAX;
  uint64_t number = 0;
  if (!cmox_number_read(verb, given, 0, most, &number)) return CMOX_EXIT_USAGE;
  Cmdmox__V1__Reply *reply = id == EXIT || id == DELAY ? reply_of(to) : NULL;
  bool done = true;
  if (id == EXIT) done = reply && set_exit(reply, number);
  if (id == DELAY && reply) reply->delay_ms = (uint32_t)number;
  if (id == DELAY) done = reply != NULL;
  if (id == TIMES || id == AT_LEAST) done = set_minimum(to, number);
  if (id == TIMES || id == AT_MOST) done = done && set_maximum(to, number);
  return done ? 0 : cmox_no_memory();
}

static int take_variable(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const char *entry) {
  if (*entry == '=' || !strchr(entry, '='))
    return cmox_usage_error(verb, "--env %s: write NAME=VALUE", entry);
  return add_variable(to, entry) ? 0 : cmox_no_memory();
}

static int take_text(Cmdmox__V1__Double *to, const cmox_given_t *given) {
  const char *value = given->value;
  Cmdmox__V1__Reply *reply;
  bool done = true;
  switch (given->option->id) {
    case ARG:
      done = add_argument(to, value);
      break;
    case STDIN:
      done = set_stdin_line(to, value);
      break;
    case CWD:
      done = set_cwd(to, value);
      break;
    case OUT:
      done = (reply = reply_of(to)) && set_line(&reply->stdout_data, value);
      break;
    case ERR:
      done = (reply = reply_of(to)) && set_line(&reply->stderr_data, value);
      break;
    case PASSTHROUGH:
      done = set_passthrough(to, NULL);
      break;
    case CAPTURE_STDIN:
      done = read_stdin(to, CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE);
      break;
    case DRAIN_STDIN:
      done = read_stdin(to, CMDMOX__V1__STDIN_MODE__STDIN_MODE_DRAIN);
      break;
    case NEVER:
      done = set_minimum(to, 0) && set_maximum(to, 0);
      break;
    case ANY_TIMES:
      done = set_minimum(to, 0);
      break;
    default: /* what the end looks at: how its arguments are meant, and its place */
      break;
  }
  return done ? 0 : cmox_no_memory();
}

static int take_signal(Cmdmox__V1__Double *to, const cmox_verb_t *verb, const char *name) {
  if (!*name || name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-")])
    return cmox_usage_error(verb, "--signal %s: write a name such as TERM", name);
  Cmdmox__V1__Reply *reply = reply_of(to);
  return reply && set_signal(reply, name) ? 0 : cmox_no_memory();
}

int cmox_draft_take(cmox_draft_t *draft, const cmox_verb_t *verb, const cmox_given_t *given) {
  const int id = given->option->id;
  int status = cmox_double_check_flag(verb, draft->given, id);
  if (status != 0) return status;
  draft->given |= CMOX_DOUBLE_BIT(id);
  if (id == ENV) return take_variable(draft->message, verb, given->value);
  if (id == SIGNAL) return take_signal(draft->message, verb, given->value);
  if (id == STDIN_FILE) return set_stdin_file(draft->message, verb, given->value);
  if (id == PROGRAM) return take_program(draft->message, verb, given->value);
  if (id == OUT_FILE) return set_out_file(draft->message, verb, given->value);
  if (id == EXIT || id == DELAY || id == TIMES || id == AT_LEAST || id == AT_MOST)
    return take_number(draft->message, verb, given);
  return take_text(draft->message, given);
}

/* ---- The double ------------------------------------------------------------- */

int cmox_draft_begin(cmox_draft_t *draft, const cmox_verb_t *verb, Cmdmox__V1__DoubleKind kind,
                     char *const *words, size_t count) {
  if (count == 0 || !*words[0]) return cmox_usage_error(verb, "say which command is meant");
  *draft = (cmox_draft_t){.message = message_new(&cmdmox__v1__double__descriptor)};
  Cmdmox__V1__Double *message = draft->message;
  if (!message || !set_bytes(&message->command, words[0], strlen(words[0]), ""))
    return cmox_no_memory();
  message->kind = kind;
  for (size_t i = 1; i < count; i++)
    if (!add_argument(message, words[i])) return cmox_no_memory();
  return 0;
}

/* A glob and a regular expression are bytes, as the word is that they come from. */
static void make_patterns(Cmdmox__V1__Double *message, bool glob) {
  for (size_t i = 0; message->argv && i < message->argv->n_items; i++) {
    Cmdmox__V1__MatcherNode *node = message->matchers[message->argv->items[i]->one];
    const ProtobufCBinaryData word = node->equals;
    node->test_case =
        glob ? CMDMOX__V1__MATCHER_NODE__TEST_GLOB : CMDMOX__V1__MATCHER_NODE__TEST_REGEX;
    if (glob)
      node->glob = word;
    else
      node->regex = word;
  }
}

static bool accept_rest(Cmdmox__V1__Double *message) {
  Cmdmox__V1__MatcherNode *node = add_node(message);
  if (!node) return false;
  node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_ANY;
  node->any = true;
  Cmdmox__V1__ArgvItem *item = add_item(message);
  if (!item) return false;
  item->kind_case = CMDMOX__V1__ARGV_ITEM__KIND_REST;
  item->rest = (uint32_t)message->n_matchers - 1;
  return true;
}

static bool put_in_order(Cmdmox__V1__Double *message, uint32_t position) {
  message->sequences = message_new(&cmdmox__v1__sequence_list__descriptor);
  Cmdmox__V1__SequenceStep *step =
      message->sequences ? message_new(&cmdmox__v1__sequence_step__descriptor) : NULL;
  if (!step || !append(&message->sequences->steps, &message->sequences->n_steps, step))
    return false;
  step->position = position;
  return true;
}

int cmox_draft_finish(cmox_draft_t *draft, const cmox_verb_t *verb, uint32_t position) {
  Cmdmox__V1__Double *message = draft->message;
  const Cmdmox__V1__Count *count = message->count;
  if (count && count->upper_case && count->minimum > count->maximum)
    return cmox_usage_error(verb, "--at-least is more than --at-most");
  if (draft->given & CMOX_DOUBLE_BIT(NO_ARGS) && message->argv)
    return cmox_usage_error(verb, "--no-args, and yet there are arguments");
  const bool runs = draft->given & (CMOX_DOUBLE_BIT(PASSTHROUGH) | CMOX_DOUBLE_BIT(PROGRAM));
  if (draft->given & CMOX_DOUBLE_BIT(UNCAPTURED)) {
    if (!runs) return cmox_usage_error(verb, "--uncaptured goes with --passthrough or --program");
    Cmdmox__V1__Passthrough *how = message->actions->items[0]->passthrough;
    how->capture_stdout = how->capture_stderr = false;
  }
  if (draft->given & (CMOX_DOUBLE_BIT(GLOB) | CMOX_DOUBLE_BIT(REGEX)))
    make_patterns(message, draft->given & CMOX_DOUBLE_BIT(GLOB));
  bool done = true;
  if (draft->given & CMOX_DOUBLE_BIT(NO_ARGS))
    done = (message->argv = message_new(&cmdmox__v1__argv_matcher__descriptor));
  if (draft->given & CMOX_DOUBLE_BIT(ARGS_ANY) && message->argv) done = accept_rest(message);
  if (draft->given & CMOX_DOUBLE_BIT(IN_ORDER)) done = done && put_in_order(message, position);
  return done ? 0 : cmox_no_memory();
}

int cmox_draft_hold(cmox_draft_t *draft, const char *gate) {
  Cmdmox__V1__DoubleAction *action = reply_of(draft->message) ? action_of(draft->message) : NULL;
  char *name = action ? strdup(gate) : NULL;
  if (!name) return cmox_no_memory();
  action->gate = name;
  return 0;
}

bool cmox_draft_in_order(const cmox_draft_t *draft) {
  return draft->given & CMOX_DOUBLE_BIT(IN_ORDER);
}

void cmox_draft_clear(cmox_draft_t *draft) {
  if (draft->message) cmdmox__v1__double__free_unpacked(draft->message, NULL);
  *draft = (cmox_draft_t){0};
}
