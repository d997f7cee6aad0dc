/* What a double answers, how often and in which order it may be called. What this server cannot do
 * yet is refused by name, never ignored. */
#include "server/rpc/internal.h"

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "double: out of memory");
}

/* ---- Actions --------------------------------------------------------------- */

static cmox_code_t convert_action(const Cmdmox__V1__DoubleAction *from, cmox_answer_t *out,
                                  cmox_error_t *error) {
  const bool handler = from->kind_case == CMDMOX__V1__DOUBLE_ACTION__KIND_HANDLER;
  out->passes = from->kind_case == CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  const bool reply = from->kind_case == CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  if ((!handler && !out->passes && !reply) || from->record)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                     "this server knows only replies, handlers and passthrough as actions yet");
  if (!reply && (from->n_chunks || from->n_files))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "chunks and files belong to a reply: a handler answers with its own, and a "
                     "real command does what it does");
  out->repeat = from->repeat;
  if (from->gate[0] && !(out->gate = cmox_strdup(from->gate))) return no_memory(error);
  if (out->passes) return cmox_convert_passthrough(from->passthrough, out, error);
  if (reply)
    return cmox_convert_reply(
        from->reply, &(cmox_extras_t){from->n_chunks, from->chunks, from->n_files, from->files},
        &out->reply, error);
  out->handler = from->handler;
  out->handler_name = cmox_strdup(from->handler_name);
  return out->handler_name ? CMOX_OK : no_memory(error);
}

cmox_code_t cmox_convert_default(const Cmdmox__V1__DoubleAction *from, cmox_answer_t *out,
                                 cmox_error_t *error) {
  if (from->repeat)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the default action answers all calls that no double accepts: give it no "
                     "repeat");
  return convert_action(from, out, error);
}

static cmox_code_t convert_actions(const Cmdmox__V1__ActionList *from, cmox_answers_facet_t *out,
                                   cmox_error_t *error) {
  out->present = true;
  out->append = from->append;
  out->items = cmox_calloc(from->n_items, sizeof *out->items);
  if (!out->items) return no_memory(error);
  for (size_t i = 0; i < from->n_items; i++) {
    if (from->items[i]->repeat == 0 && i + 1 < from->n_items)
      return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                       "action %zu of %zu goes on for ever, so the next would never be taken: "
                       "give it a repeat",
                       i + 1, from->n_items);
    out->count = i + 1;
    cmox_code_t code = convert_action(from->items[i], &out->items[i], error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

/* ---- stdin, counts, order --------------------------------------------------- */

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
  out->max_bytes = from->max_bytes;
  out->deadline_ms = from->deadline_ms;
  return CMOX_OK;
}

static cmox_code_t convert_order(const Cmdmox__V1__SequenceList *from, cmox_order_facet_t *out,
                                 cmox_error_t *error) {
  *out = (cmox_order_facet_t){.present = true, .append = from->append};
  out->items = cmox_calloc(from->n_steps, sizeof *out->items);
  if (!out->items) return no_memory(error);
  for (size_t i = 0; i < from->n_steps; i++) {
    for (size_t other = 0; other < i; other++)
      if (strcmp(from->steps[i]->sequence, from->steps[other]->sequence) == 0)
        return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                         "a double has one place in the sequence \"%.80s\", not two",
                         from->steps[i]->sequence);
    out->items[i].position = from->steps[i]->position;
    out->items[i].sequence = cmox_strdup(from->steps[i]->sequence);
    if (!out->items[i].sequence) return no_memory(error);
    out->count = i + 1;
  }
  return CMOX_OK;
}

static cmox_code_t convert_after(const Cmdmox__V1__Predecessors *from, cmox_after_facet_t *out,
                                 cmox_error_t *error) {
  out->items = cmox_memdup(from->double_ids, from->n_double_ids * sizeof *from->double_ids);
  if (!out->items) return no_memory(error);
  out->present = true;
  out->append = from->append;
  out->count = from->n_double_ids;
  return CMOX_OK;
}

/* ---- Environment ------------------------------------------------------------- */

cmox_code_t cmox_convert_env_name(ProtobufCBinaryData name, char **out, cmox_error_t *error) {
  if (name.len == 0 || memchr(name.data, '=', name.len) || memchr(name.data, 0, name.len))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "an environment variable needs a name without '=' and NUL");
  *out = cmox_strndup(name.data, name.len);
  return *out ? CMOX_OK : no_memory(error);
}

static cmox_code_t convert_injection(const Cmdmox__V1__EnvInjection *from,
                                     cmox_injection_facet_t *out, cmox_error_t *error) {
  *out = (cmox_injection_facet_t){.present = true, .append = from->append};
  out->items = cmox_calloc(from->n_changes, sizeof *out->items);
  if (!out->items) return no_memory(error);
  for (size_t i = 0; i < from->n_changes; i++) {
    const Cmdmox__V1__EnvChange *change = from->changes[i];
    cmox_env_change_t *to = &out->items[i];
    cmox_code_t code = cmox_convert_env_name(change->name, &to->name, error);
    if (code != CMOX_OK) return code;
    out->count = i + 1;
    if (change->change_case != CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE) continue;
    if (change->value.len && memchr(change->value.data, 0, change->value.len))
      return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the value of the variable %.80s has a NUL",
                       to->name);
    to->value_len = change->value.len;
    to->value = cmox_strndup(change->value.data, change->value.len);
    if (!to->value) return no_memory(error);
  }
  return CMOX_OK;
}

/* ---- All of it ---------------------------------------------------------------- */

static cmox_code_t convert_rest(const Cmdmox__V1__Double *from, cmox_facets_t *out,
                                cmox_error_t *error) {
  cmox_code_t code = CMOX_OK;
  if (from->actions) code = convert_actions(from->actions, &out->answers, error);
  if (code == CMOX_OK && from->stdin_policy) {
    out->has_stdin_policy = true;
    code = convert_stdin_policy(from->stdin_policy, &out->stdin_policy, error);
  }
  if (code == CMOX_OK && from->sequences) code = convert_order(from->sequences, &out->order, error);
  if (code == CMOX_OK && from->after) code = convert_after(from->after, &out->after, error);
  if (code == CMOX_OK && from->env_injection)
    code = convert_injection(from->env_injection, &out->injection, error);
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
  cmox_code_t code = cmox_convert_matching(from, out, error);
  if (code == CMOX_OK) code = convert_rest(from, out, error);
  if (code != CMOX_OK) cmox_facets_clear(out);
  return code;
}
