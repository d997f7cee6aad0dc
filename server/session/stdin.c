/* stdin that a call is decided by: the shim is told to read it, its pieces come in, and when it is
 * all here the call goes on. Pieces of what a real command reads and writes go to passthrough.c. */
#include "server/session/internal.h"
#include "server/session/tell.h"

cmox_code_t cmox_ask_stdin(cmox_call_t *call, cmox_stdin_policy_t policy, cmox_actions_t *actions,
                           cmox_error_t *error) {
  cmox_action_t *action = cmox_action_add(actions, CMOX_ACTION_READ_STDIN, call);
  if (!action) return cmox_session_no_memory(error);
  action->stdin_policy = policy;
  cmox_tell_stdin(call, policy);
  call->asked = policy;
  call->stdin_end = CMOX_STDIN_NOT_READ;
  cmox_stream_clear(&call->stdin_stream);
  return CMOX_OK;
}

/* The call an event speaks of, when it comes from the call's own connection and
 * the call is in a state for it. */
static cmox_call_t *reading_call(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_error_t *error) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (call && call->link == event->link && call->verdict == CMOX_VERDICT_NONE &&
      call->asked.mode != CMOX_STDIN_IGNORE)
    return call;
  (void)cmox_fail(error, CMOX_E_BAD_STATE, "stdin: this call was not asked for it");
  return NULL;
}

static cmox_code_t on_stdin(cmox_session_t *session, const cmox_event_t *event,
                            cmox_error_t *error) {
  cmox_call_t *call = reading_call(session, event, error);
  if (!call) return CMOX_E_BAD_STATE;
  if (call->asked.mode == CMOX_STDIN_DRAIN ||
      event->bytes.len > call->asked.max_bytes - call->stdin_stream.length)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "stdin: more bytes than were asked for");
  return cmox_stream_append(&call->stdin_stream, event->bytes) ? CMOX_OK
                                                               : cmox_session_no_memory(error);
}

cmox_code_t cmox_on_piece(cmox_session_t *session, const cmox_event_t *event, cmox_error_t *error) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (call && call->link == event->link && cmox_call_is_passing(call))
    return cmox_pass_piece(call, event, error);
  if (event->piece == CMOX_PIECE_STDIN) return on_stdin(session, event, error);
  return cmox_fail(error, CMOX_E_BAD_STATE, "a stream of a call that runs no real command");
}

cmox_code_t cmox_on_continue(cmox_session_t *session, const cmox_event_t *event,
                             cmox_actions_t *actions, cmox_error_t *error) {
  cmox_call_t *call = reading_call(session, event, error);
  if (!call) return CMOX_E_BAD_STATE;
  if (call->asked.mode == CMOX_STDIN_DRAIN) call->stdin_stream.length = event->continued.bytes;
  call->stdin_end = event->continued.end;
  call->told_ns = event->now_ns;
  cmox_code_t code = cmox_call_proceed(session, call, actions, error);
  if (code != CMOX_OK) call->unexpected_why = "memory was out when it was decided";
  return code;
}
