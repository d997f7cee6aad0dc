/* Messages into the engine's nouns. What this server cannot do yet is refused
 * by name, never ignored. */
#include "server/rpc/internal.h"

/* ---- Invocations ----------------------------------------------------------- */

static bool list_from(const ProtobufCBinaryData *items, size_t count, cmox_span_list_t *out) {
  cmox_span_t *spans = cmox_malloc(count * sizeof *spans);
  if (!spans) return false;
  for (size_t i = 0; i < count; i++) spans[i] = cmox_from_bytes(items[i]);
  *out = (cmox_span_list_t){spans, count};
  return true;
}

cmox_code_t cmox_convert_invocation(const Cmdmox__V1__InvokeRequest *request,
                                    cmox_invocation_data_t *out, cmox_error_t *error) {
  if (request->invocation_key.len != CMOX_INVOCATION_KEY_BYTES)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "Invoke needs an invocation key of %u bytes",
                     CMOX_INVOCATION_KEY_BYTES);
  if (request->command.len == 0 || request->command.len > CMOX_COMMAND_NAME_MAX)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "Invoke needs a command of 1 to %u bytes",
                     CMOX_COMMAND_NAME_MAX);
  out->command = cmox_from_bytes(request->command);
  out->cwd = cmox_from_bytes(request->cwd);
  out->pid = request->pid;
  out->ppid = request->ppid;
  out->tty_mask = request->tty_mask;
  memcpy(out->key, request->invocation_key.data, CMOX_INVOCATION_KEY_BYTES);
  if (list_from(request->argv, request->n_argv, &out->argv) &&
      list_from(request->env_block, request->n_env_block, &out->env))
    return CMOX_OK;
  cmox_convert_invocation_clear(out);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "Invoke: out of memory");
}

void cmox_convert_invocation_clear(cmox_invocation_data_t *data) {
  cmox_free_block((void *)(uintptr_t)data->argv.items);
  cmox_free_block((void *)(uintptr_t)data->env.items);
  data->argv = data->env = (cmox_span_list_t){NULL, 0};
}

/* ---- Facets ---------------------------------------------------------------- */

/* Where one of several must be set and none is: the number of the one that a newer client has
 * set; 0: it has set none. */
static unsigned newer_kind(const ProtobufCMessage *message) {
  return message->n_unknown_fields ? message->unknown_fields[0].tag : 0;
}

static cmox_code_t convert_test(const Cmdmox__V1__MatcherNode *node, cmox_test_t *out,
                                cmox_error_t *error) {
  unsigned kind = node->test_case ? (unsigned)node->test_case : newer_kind(&node->base);
  if (!kind) return cmox_fail(error, CMOX_E_BAD_MATCHER, "a matcher without a test");
  switch (node->test_case) {
    case CMDMOX__V1__MATCHER_NODE__TEST_EQUALS:
      *out = (cmox_test_t){CMOX_TEST_EQUALS, cmox_from_bytes(node->equals)};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_ANY:
      *out = (cmox_test_t){CMOX_TEST_ANY, {NULL, 0}};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_STARTS_WITH:
      *out = (cmox_test_t){CMOX_TEST_STARTS_WITH, cmox_from_bytes(node->starts_with)};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_CONTAINS:
      *out = (cmox_test_t){CMOX_TEST_CONTAINS, cmox_from_bytes(node->contains)};
      return CMOX_OK;
    case CMDMOX__V1__MATCHER_NODE__TEST_REGEX:
      *out = (cmox_test_t){CMOX_TEST_REGEX, cmox_from_bytes(node->regex)};
      return CMOX_OK;
    default:
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know matcher kind %u yet",
                       kind);
  }
}

static cmox_code_t convert_table(const Cmdmox__V1__Double *from, cmox_matchers_t **out,
                                 cmox_error_t *error) {
  cmox_test_t *tests = cmox_calloc(from->n_matchers, sizeof *tests);
  if (!tests) return cmox_fail(error, CMOX_E_NO_MEMORY, "matchers: out of memory");
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < from->n_matchers && code == CMOX_OK; i++)
    code = convert_test(from->matchers[i], &tests[i], error);
  if (code == CMOX_OK) code = cmox_matchers_compile(tests, from->n_matchers, out, error);
  cmox_free_block(tests);
  return code;
}

static cmox_code_t check_node(const cmox_matchers_t *table, uint32_t node, cmox_error_t *error) {
  if (node < cmox_matchers_count(table)) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_MATCHER, "matcher %u is not in the table of %zu", node,
                   cmox_matchers_count(table));
}

static cmox_code_t convert_argv(const Cmdmox__V1__ArgvMatcher *from, cmox_matchers_t *table,
                                cmox_argv_facet_t *out, cmox_error_t *error) {
  uint32_t *nodes = cmox_calloc(from->n_items, sizeof *nodes);
  if (!nodes) return cmox_fail(error, CMOX_E_NO_MEMORY, "arguments: out of memory");
  *out = (cmox_argv_facet_t){true, cmox_matchers_ref(table), nodes, from->n_items};
  for (size_t i = 0; i < from->n_items; i++) {
    const Cmdmox__V1__ArgvItem *item = from->items[i];
    unsigned kind = item->kind_case ? (unsigned)item->kind_case : newer_kind(&item->base);
    if (!kind) return cmox_fail(error, CMOX_E_BAD_MATCHER, "an argument item without a kind");
    if (kind != CMDMOX__V1__ARGV_ITEM__KIND_ONE)
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                       "this server does not know argument item kind %u yet", kind);
    cmox_code_t code = check_node(table, item->one, error);
    if (code != CMOX_OK) return code;
    nodes[i] = item->one;
  }
  return CMOX_OK;
}

static cmox_code_t convert_reply(const Cmdmox__V1__Reply *from, cmox_reply_data_t **out,
                                 cmox_error_t *error) {
  cmox_reply_data_t content = {.out = cmox_from_bytes(from->stdout_data),
                               .err = cmox_from_bytes(from->stderr_data),
                               .delay_ms = from->delay_ms};
  switch (from->end_case) {
    case CMDMOX__V1__REPLY__END_SIGNAL:
      if (!cmox_signal_name_ok(cmox_span_str(from->signal)))
        return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                         "\"%.40s\" is not the name of a signal; write it like SIGTERM",
                         from->signal);
      content.signal = from->signal;
      break;
    case CMDMOX__V1__REPLY__END_HANG:
      content.hang = from->hang;
      break;
    case CMDMOX__V1__REPLY__END_EXIT_CODE:
      if (from->exit_code > 255)
        return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "exit code %u is not within 0 to 255",
                         from->exit_code);
      content.exit_code = from->exit_code;
      break;
    default: /* none: exit code 0 */
      if (!newer_kind(&from->base)) break;
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know end %u of a reply",
                       newer_kind(&from->base));
  }
  *out = cmox_reply_new(&content);
  return *out ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "reply: out of memory");
}

static cmox_code_t convert_actions(const Cmdmox__V1__ActionList *from, cmox_answer_t *out,
                                   cmox_error_t *error) {
  if (from->n_items != 1)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                     "this server takes exactly one action for a double yet, not %zu",
                     from->n_items);
  const Cmdmox__V1__DoubleAction *action = from->items[0];
  if (action->kind_case != CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY || action->repeat ||
      action->n_chunks || action->n_files || action->record)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                     "this server knows only plain replies as actions yet");
  out->present = true;
  if (action->gate[0] && !(out->gate = cmox_strdup(action->gate)))
    return cmox_fail(error, CMOX_E_NO_MEMORY, "gate: out of memory");
  return convert_reply(action->reply, &out->reply, error);
}

static cmox_code_t convert_stdin_policy(const Cmdmox__V1__StdinPolicy *from,
                                        cmox_stdin_policy_t *out, cmox_error_t *error) {
  switch (from->mode) {
    case CMDMOX__V1__STDIN_MODE__STDIN_MODE_UNSPECIFIED:
    case CMDMOX__V1__STDIN_MODE__STDIN_MODE_IGNORE:
      out->mode = CMOX_STDIN_IGNORE;
      break;
    case CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE:
      out->mode = CMOX_STDIN_CAPTURE;
      break;
    case CMDMOX__V1__STDIN_MODE__STDIN_MODE_DRAIN:
      out->mode = CMOX_STDIN_DRAIN;
      break;
    default:
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know stdin mode %d",
                       (int)from->mode);
  }
  if (out->mode == CMOX_STDIN_CAPTURE && from->max_bytes > CMOX_STDIN_MAX_DEFAULT)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "stdin: at most %u bytes can be captured",
                     CMOX_STDIN_MAX_DEFAULT);
  out->max_bytes = from->max_bytes;
  out->deadline_ms = from->deadline_ms;
  return CMOX_OK;
}

static cmox_code_t refuse_unknown(const Cmdmox__V1__Double *from, cmox_error_t *error) {
  const char *what = from->env_match       ? "matching the environment"
                     : from->cwd_match     ? "matching the working directory"
                     : from->sequences     ? "sequences"
                     : from->env_injection ? "injecting environment variables"
                                           : NULL;
  if (!what) return CMOX_OK;
  return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know %s yet", what);
}

static cmox_code_t convert_with_table(const Cmdmox__V1__Double *from, cmox_matchers_t *table,
                                      cmox_facets_t *out, cmox_error_t *error) {
  cmox_code_t code = CMOX_OK;
  if (from->argv) code = convert_argv(from->argv, table, &out->argv, error);
  if (code == CMOX_OK && from->stdin_match) {
    code = check_node(table, from->stdin_match->node, error);
    if (code == CMOX_OK)
      out->stdin_match =
          (cmox_stdin_facet_t){true, cmox_matchers_ref(table), from->stdin_match->node};
  }
  if (code == CMOX_OK && from->actions) code = convert_actions(from->actions, &out->answer, error);
  if (code == CMOX_OK && from->stdin_policy) {
    out->has_stdin_policy = true;
    code = convert_stdin_policy(from->stdin_policy, &out->stdin_policy, error);
  }
  if (code == CMOX_OK && from->count) {
    bool bounded = from->count->upper_case == CMDMOX__V1__COUNT__UPPER_MAXIMUM;
    out->has_count = true;
    out->count =
        (cmox_count_t){from->count->minimum, bounded ? from->count->maximum : CMOX_COUNT_UNBOUNDED};
  }
  return code;
}

cmox_code_t cmox_convert_facets(const Cmdmox__V1__Double *from, cmox_facets_t *out,
                                cmox_error_t *error) {
  *out = (cmox_facets_t){0};
  cmox_matchers_t *table = NULL;
  cmox_code_t code = refuse_unknown(from, error);
  if (code == CMOX_OK) code = convert_table(from, &table, error);
  if (code == CMOX_OK) code = convert_with_table(from, table, out, error);
  cmox_matchers_unref(table);
  if (code != CMOX_OK) cmox_facets_clear(out);
  return code;
}
