/* What a double answers. */
#include <string.h>

#include "client/lib/refine.h"
#include "server/base/alloc.h"

/* What a caller of the first release knows. */
#define REPLY_LEAST (offsetof(cmox_reply_t, delay_ms) + sizeof(((cmox_reply_t *)NULL)->delay_ms))

/* Both names are those of the caller's fields. */
static cmox_code_t bytes(const char *name, const char *data, const char *len_name, size_t len,
                         ProtobufCBinaryData *out, cmox_error_t *error) {
  if (!data && len)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, ".%s is NULL and .%s is %zu", name, len_name,
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

void cmox_reply_action_clear(cmox_reply_action_t *action) {
  cmox_free_block(action->message.gate);
  cmox_free_block(action->message.handler_name);
  cmox_free_block(action->chunks);
  cmox_free_block(action->files);
  if (action->reply.end_case == CMDMOX__V1__REPLY__END_SIGNAL)
    cmox_free_block(action->reply.signal);
}

static cmox_code_t put_chunks(cmox_reply_action_t *action, const cmox_chunks_t *said,
                              cmox_error_t *error) {
  if (said->count && !said->items)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, ".chunks.items is NULL");
  action->chunks = cmox_calloc(said->count, sizeof *action->chunks + sizeof(void *));
  if (!action->chunks) return cmox_out_of_memory(error);
  action->message.chunks = (Cmdmox__V1__TimedChunk **)(void *)(action->chunks + said->count);
  action->message.n_chunks = said->count;
  for (size_t i = 0; i < said->count; i++) {
    const cmox_chunk_t *from = &said->items[i];
    Cmdmox__V1__TimedChunk *to = action->message.chunks[i] = &action->chunks[i];
    cmdmox__v1__timed_chunk__init(to);
    to->delay_ms = from->delay_ms;
    to->to_stderr = from->to_stderr;
    cmox_code_t code = bytes("chunks.items[].data", from->data, "len", from->len, &to->data, error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

static cmox_code_t put_files(cmox_reply_action_t *action, const cmox_files_t *said,
                             cmox_error_t *error) {
  if (said->count && !said->items)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, ".files.items is NULL");
  action->files = cmox_calloc(said->count, sizeof *action->files + sizeof(void *));
  if (!action->files) return cmox_out_of_memory(error);
  action->message.files = (Cmdmox__V1__FileEffect **)(void *)(action->files + said->count);
  action->message.n_files = said->count;
  for (size_t i = 0; i < said->count; i++) {
    const cmox_file_t *from = &said->items[i];
    Cmdmox__V1__FileEffect *to = action->message.files[i] = &action->files[i];
    cmdmox__v1__file_effect__init(to);
    to->mode = from->mode;
    cmox_code_t code = bytes("files.items[].path", from->path, "", 0, &to->path, error);
    if (code == CMOX_OK)
      code = bytes("files.items[].content", from->content, "content_len", from->content_len,
                   &to->content, error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

static cmox_code_t put_reply(cmox_reply_action_t *action, const cmox_reply_t *said,
                             cmox_error_t *error) {
  Cmdmox__V1__Reply *reply = &action->reply;
  reply->delay_ms = said->delay_ms;
  cmox_code_t code = bytes("out", said->out, "out_len", said->out_len, &reply->stdout_data, error);
  if (code == CMOX_OK)
    code = bytes("err", said->err, "err_len", said->err_len, &reply->stderr_data, error);
  return code == CMOX_OK ? how_it_ends(said, reply, error) : code;
}

cmox_code_t cmox_reply_action_make(cmox_reply_action_t *action, const cmox_reply_t *said,
                                   cmox_error_t *error) {
  *action = (cmox_reply_action_t){.message = CMDMOX__V1__DOUBLE_ACTION__INIT,
                                  .reply = CMDMOX__V1__REPLY__INIT};
  action->message.gate = action->message.handler_name = NULL;
  cmox_reply_t wanted;
  if (!said || !cmox_copy_sized(&wanted, sizeof wanted, REPLY_LEAST, said))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the reply is NULL, or its .size is not sizeof(cmox_reply_t)");
  action->message.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  action->message.reply = &action->reply;
  cmox_code_t code = put_reply(action, &wanted, error);
  if (code == CMOX_OK) code = put_chunks(action, &wanted.chunks, error);
  if (code == CMOX_OK) code = put_files(action, &wanted.files, error);
  if (code != CMOX_OK) return code;
  action->message.gate = cmox_utf8_copy(wanted.gate);
  action->message.handler_name = cmox_utf8_copy(NULL);
  bool complete = action->message.gate && action->message.handler_name;
  return complete ? CMOX_OK : cmox_out_of_memory(error);
}

/* ---- Of a double ----------------------------------------------------------- */

cmox_code_t cmox_add_action(cmox_double_t *dbl, Cmdmox__V1__DoubleAction *action,
                            cmox_error_t *error) {
  Cmdmox__V1__DoubleAction *actions[] = {action};
  Cmdmox__V1__ActionList facet = CMDMOX__V1__ACTION_LIST__INIT;
  facet.append = 1;
  facet.n_items = 1;
  facet.items = actions;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.actions = &facet;
  return cmox_update(dbl, &patch, error);
}

typedef struct turn {
  uint64_t times; /* 0: for ever */
  const cmox_reply_t *reply;
} turn_t;

static cmox_code_t answer(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const turn_t *turn = arguments;
  cmox_reply_action_t action;
  cmox_code_t code = cmox_reply_action_make(&action, turn->reply, error);
  action.message.repeat = turn->times;
  if (code == CMOX_OK) code = cmox_add_action(dbl, &action.message, error);
  cmox_reply_action_clear(&action);
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
  bool complete = action.gate && action.handler_name;
  code = complete ? cmox_add_action(dbl, &action, error) : cmox_out_of_memory(error);
  cmox_free_block(action.gate);
  cmox_free_block(action.handler_name);
  return code;
}

cmox_double_t *cmox_runs_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                            const char *name, cmox_handler_t handler, void *context) {
  const handled_t handled = {times, name, {NULL, handler, context}};
  return cmox_refine(dbl, where, "cmox_runs", have_handled, &handled);
}

/* ---- Of the session ---------------------------------------------------------- */

cmox_code_t cmox_set_default(cmox_t *mox, Cmdmox__V1__DoubleAction *action, cmox_error_t *error) {
  Cmdmox__V1__SetDefaultActionRequest request = CMDMOX__V1__SET_DEFAULT_ACTION_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.action = action;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "SetDefaultAction", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

void cmox_default_returns_at(cmox_t *mox, cmox_location_t where, const cmox_reply_t *reply) {
  if (cmox_enter(mox) != CMOX_OK) return;
  cmox_note_declared(mox, where);
  cmox_error_t error;
  cmox_reply_action_t action;
  cmox_code_t code = cmox_reply_action_make(&action, reply, &error);
  if (code == CMOX_OK) code = cmox_set_default(mox, &action.message, &error);
  if (code != CMOX_OK) cmox_keep_problem(mox, where, "cmox_default_returns", &error);
  cmox_reply_action_clear(&action);
  cmox_leave(mox);
}

void cmox_default_fails_at(cmox_t *mox, cmox_location_t where) {
  if (cmox_enter(mox) != CMOX_OK) return;
  cmox_note_declared(mox, where);
  cmox_error_t error;
  if (cmox_set_default(mox, NULL, &error) != CMOX_OK)
    cmox_keep_problem(mox, where, "cmox_default_fails", &error);
  cmox_leave(mox);
}
