/* What a double answers. */
#include <string.h>

#include "client/lib/refine.h"
#include "server/base/alloc.h"

/* What a caller of the first release knows. */
#define REPLY_LEAST (offsetof(cmox_reply_t, delay_ms) + sizeof(((cmox_reply_t *)NULL)->delay_ms))

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
  if (wanted->hang) {
    if (wanted->signal || wanted->exit_code)
      return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                       "a command that hangs has neither .exit_code nor .signal");
    reply->end_case = CMDMOX__V1__REPLY__END_HANG;
    reply->hang = 1;
    return CMOX_OK;
  }
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
  return reply->signal ? CMOX_OK : cmox_out_of_memory(error);
}

cmox_code_t cmox_reply_message(const cmox_reply_t *given, Cmdmox__V1__Reply *reply,
                               const char **gate, cmox_error_t *error) {
  cmox_reply_t wanted;
  if (!given || !cmox_copy_sized(&wanted, sizeof wanted, REPLY_LEAST, given))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the reply is NULL, or its .size is not sizeof(cmox_reply_t)");
  reply->delay_ms = wanted.delay_ms;
  *gate = wanted.gate;
  cmox_code_t code = stream("out", wanted.out, wanted.out_len, &reply->stdout_data, error);
  if (code == CMOX_OK) code = stream("err", wanted.err, wanted.err_len, &reply->stderr_data, error);
  if (code == CMOX_OK) code = how_it_ends(&wanted, reply, error);
  return code;
}

void cmox_reply_message_clear(Cmdmox__V1__Reply *reply) {
  if (reply->end_case == CMDMOX__V1__REPLY__END_SIGNAL) cmox_free_block(reply->signal);
}

/* Adds the action to the double's; takes over its texts. */
static cmox_code_t add_action(cmox_double_t *dbl, Cmdmox__V1__DoubleAction *action,
                              cmox_error_t *error) {
  Cmdmox__V1__DoubleAction *actions[] = {action};
  Cmdmox__V1__ActionList facet = CMDMOX__V1__ACTION_LIST__INIT;
  facet.append = 1;
  facet.n_items = 1;
  facet.items = actions;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.actions = &facet;
  bool complete = action->gate && action->handler_name;
  cmox_code_t code = complete ? cmox_update(dbl, &patch, error) : cmox_out_of_memory(error);
  cmox_free_block(action->gate);
  cmox_free_block(action->handler_name);
  return code;
}

typedef struct turn {
  uint64_t times; /* 0: for ever */
  const cmox_reply_t *reply;
} turn_t;

static cmox_code_t answer(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const turn_t *turn = arguments;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  const char *gate = NULL;
  cmox_code_t code = cmox_reply_message(turn->reply, &reply, &gate, error);
  if (code == CMOX_OK) {
    Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
    action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
    action.reply = &reply;
    action.repeat = turn->times;
    action.gate = cmox_utf8_copy(gate);
    action.handler_name = cmox_utf8_copy(NULL);
    code = add_action(dbl, &action, error);
  }
  cmox_reply_message_clear(&reply);
  return code;
}

cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                               const cmox_reply_t *reply) {
  const turn_t turn = {0, reply};
  return cmox_refine(dbl, where, "cmox_returns", answer, &turn);
}

static cmox_code_t answer_times(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  if (((const turn_t *)arguments)->times > 0) return answer(dbl, arguments, error);
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "an answer to 0 calls would never be given");
}

cmox_double_t *cmox_returns_times_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                                     const cmox_reply_t *reply) {
  const turn_t turn = {times, reply};
  return cmox_refine(dbl, where, "cmox_returns_times", answer_times, &turn);
}

/* ---- Handlers ------------------------------------------------------------- */

typedef struct handled {
  uint64_t times; /* 0: for ever */
  const char *name;
  cmox_callback_t callback;
} handled_t;

static cmox_code_t have_handled(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const handled_t *handled = arguments;
  if (!handled->callback.handler)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the handler is NULL");
  Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
  action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_HANDLER;
  action.repeat = handled->times;
  cmox_code_t code = cmox_callbacks_add(dbl->mox, &handled->callback, &action.handler, error);
  if (code != CMOX_OK) return code;
  action.gate = cmox_utf8_copy(NULL);
  action.handler_name = cmox_utf8_copy(handled->name);
  return add_action(dbl, &action, error);
}

cmox_double_t *cmox_runs_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                            const char *name, cmox_handler_t handler, void *context) {
  const handled_t handled = {times, name, {NULL, handler, context}};
  return cmox_refine(dbl, where, "cmox_runs", have_handled, &handled);
}
