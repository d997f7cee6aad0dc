/* CallbackService from the server's side: what a session asks of its test client.
 *
 * 1. The session wants an answer (cmox_hosted_ask): a request with the next even id goes out on the
 * link that serves the session's callbacks, and is remembered by that id.
 * 2. The response comes in (cmox_callback_response): whatever it says becomes an ANSWER, a failure
 * where it says nothing sensible.
 * 3. A link that closes fails what it has not answered; so does a session without a link.
 *
 * Deadlines are the session's: a response after that finds nobody waiting, and is dropped. */
#include "server/rpc/internal.h"

#include "cmdmox/v1/callback.pb-c.h"

struct cmox_asked {
  UT_hash_handle hh; /* in peer->asked, by id */
  bool oom;
  uint32_t id;
  cmox_hosted_t *hosted;
  uint64_t call_id;
  uint64_t question;
  bool handler;
};

static void answer(cmox_hosted_t *hosted, cmox_event_t *event) {
  event->kind = CMOX_EVENT_ANSWER;
  cmox_error_t error;
  (void)cmox_hosted_step(hosted, event, &error); /* always accepted */
  cmox_hosted_act(hosted);
}

static void fail(cmox_hosted_t *hosted, uint64_t call_id, uint64_t question, const char *why) {
  cmox_event_t event = {.call_id = call_id, .answered = {.question = question, .failure = why}};
  answer(hosted, &event);
}

/* ---- Asking ------------------------------------------------------------------ */

static cmox_code_t send_request(cmox_peer_t *peer, uint32_t id, const char *method,
                                const ProtobufCMessage *message, cmox_error_t *error) {
  enum { ENVELOPE = 96 }; /* frame, request and method around the payload, bytes */
  cmox_buf_t payload = CMOX_BUF_EMPTY;
  cmox_wire_pack(message, &payload);
  cmox_code_t code = CMOX_OK;
  if (payload.failed)
    code = cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  else if (payload.len > peer->max_frame - ENVELOPE)
    code = cmox_fail(error, CMOX_E_FRAME_TOO_LARGE,
                     "what it is to be asked does not fit into a frame: %zu bytes", payload.len);
  if (code == CMOX_OK) {
    Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
    request.method = (char *)(uintptr_t)method;
    request.payload = cmox_to_bytes(cmox_buf_span(&payload));
    Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
    frame.id = id;
    frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
    frame.request = &request;
    cmox_peer_send(peer, &frame);
  }
  cmox_buf_clear(&payload);
  return code;
}

static cmox_code_t send_match(cmox_hosted_t *hosted, const cmox_action_t *action, uint32_t id,
                              cmox_error_t *error) {
  Cmdmox__V1__MatchRequest request = CMDMOX__V1__MATCH_REQUEST__INIT;
  request.session_id = cmox_to_bytes(cmox_span(hosted->id, sizeof hosted->id));
  request.callback = action->asked.callback;
  request.value = cmox_to_bytes(action->asked.value);
  return send_request(hosted->answers, id, "cmdmox.v1.CallbackService/Match", &request.base, error);
}

static cmox_code_t send_handle(cmox_hosted_t *hosted, const cmox_action_t *action, uint32_t id,
                               cmox_error_t *error) {
  const cmox_journal_t *journal = cmox_session_journal(hosted->session);
  const cmox_call_t *call = cmox_journal_find(journal, action->call_id);
  Cmdmox__V1__HandleRequest request = CMDMOX__V1__HANDLE_REQUEST__INIT;
  request.session_id = cmox_to_bytes(cmox_span(hosted->id, sizeof hosted->id));
  request.handler = action->asked.callback;
  const cmox_span_list_t env = cmox_call_env(call); /* with what its double injects */
  request.env_block = cmox_calloc(env.count, sizeof *request.env_block);
  cmox_code_t code =
      request.env_block ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  for (size_t i = 0; code == CMOX_OK && i < env.count; i++)
    request.env_block[request.n_env_block++] = cmox_to_bytes(env.items[i]);
  if (code == CMOX_OK) code = cmox_convert_call(call, &request.invocation, error);
  if (code == CMOX_OK)
    code =
        send_request(hosted->answers, id, "cmdmox.v1.CallbackService/Handle", &request.base, error);
  cmox_convert_call_clear(request.invocation);
  cmox_free_block(request.env_block);
  return code;
}

static cmox_code_t remember(cmox_hosted_t *hosted, const cmox_action_t *action, uint32_t *id,
                            cmox_error_t *error) {
  cmox_peer_t *peer = hosted->answers;
  struct cmox_asked *asked = cmox_calloc(1, sizeof *asked);
  if (!asked) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  peer->last_asked += 2; /* even: this side accepted the link */
  *asked = (struct cmox_asked){.id = peer->last_asked,
                               .hosted = hosted,
                               .call_id = action->call_id,
                               .question = action->asked.question,
                               .handler = action->kind == CMOX_ACTION_HANDLE};
  *id = asked->id;
  HASH_ADD(hh, peer->asked, id, sizeof asked->id, asked);
  if (!asked->oom) return CMOX_OK;
  cmox_free_block(asked);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

static void forget(cmox_peer_t *peer, struct cmox_asked *asked) {
  HASH_DEL(peer->asked, asked);
  cmox_free_block(asked);
}

void cmox_hosted_ask(cmox_hosted_t *hosted, const cmox_action_t *action) {
  cmox_peer_t *peer = hosted->answers;
  cmox_error_t error;
  uint32_t id = 0;
  cmox_code_t code = CMOX_OK;
  if (!peer || !peer->link)
    code = cmox_fail(&error, CMOX_E_LINK_CLOSED, "the test client that answers it has gone");
  if (code == CMOX_OK) code = remember(hosted, action, &id, &error);
  if (code == CMOX_OK)
    code = action->kind == CMOX_ACTION_MATCH ? send_match(hosted, action, id, &error)
                                             : send_handle(hosted, action, id, &error);
  if (code == CMOX_OK) return;
  struct cmox_asked *asked = NULL;
  if (peer && id) HASH_FIND(hh, peer->asked, &id, sizeof id, asked);
  if (asked) forget(peer, asked);
  fail(hosted, action->call_id, action->asked.question, error.message);
}

/* ---- Answers ----------------------------------------------------------------- */

static const char *or_unsaid(const char *text) { return *text ? text : "it does not say why"; }

static cmox_code_t read_match(const Cmdmox__V1__MatchResponse *response, cmox_event_t *event) {
  if (*response->failure) event->answered.failure = response->failure;
  event->answered.matched = response->matched;
  event->answered.why = response->description;
  return CMOX_OK;
}

static cmox_code_t read_handle(const Cmdmox__V1__HandleResponse *response, cmox_event_t *event,
                               cmox_error_t *error) {
  switch (response->outcome_case) {
    case CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_REPLY:
      return cmox_convert_reply(response->reply,
                                &(cmox_extras_t){response->n_chunks, response->chunks,
                                                 response->n_files, response->files},
                                &event->answered.reply, error);
    case CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_FAILURE:
      event->answered.failure = or_unsaid(response->failure);
      return CMOX_OK;
    default:
      return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "its answer has neither a reply nor a failure");
  }
}

/* Message by message: the event borrows from *message, but for the reply. */
static cmox_code_t read_response(const struct cmox_asked *asked,
                                 const Cmdmox__V1__Response *response, ProtobufCMessage **message,
                                 cmox_event_t *event, cmox_error_t *error) {
  const ProtobufCMessageDescriptor *type = asked->handler ? &cmdmox__v1__handle_response__descriptor
                                                          : &cmdmox__v1__match_response__descriptor;
  if (response->result_case == CMDMOX__V1__RESPONSE__RESULT_ERROR) {
    event->answered.failure = or_unsaid(response->error->message);
    return CMOX_OK;
  }
  if (response->result_case != CMDMOX__V1__RESPONSE__RESULT_PAYLOAD)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "its answer is empty");
  cmox_code_t code = cmox_wire_unpack(type, cmox_from_bytes(response->payload), message, error);
  if (code != CMOX_OK) return cmox_wrap(error, "its answer cannot be read");
  return asked->handler ? read_handle((const Cmdmox__V1__HandleResponse *)*message, event, error)
                        : read_match((const Cmdmox__V1__MatchResponse *)*message, event);
}

void cmox_callback_response(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__Response *response) {
  struct cmox_asked *asked = NULL;
  HASH_FIND(hh, peer->asked, &id, sizeof id, asked);
  if (!asked) return; /* nobody asked, or nobody waits for it any more */
  cmox_hosted_t *hosted = asked->hosted;
  cmox_event_t event = {.call_id = asked->call_id, .answered = {.question = asked->question}};
  ProtobufCMessage *message = NULL;
  cmox_error_t error;
  if (read_response(asked, response, &message, &event, &error) != CMOX_OK)
    event.answered.failure = error.message;
  forget(peer, asked);
  answer(hosted, &event);
  cmox_reply_unref(event.answered.reply);
  cmox_wire_free(message);
}

/* ---- Ends -------------------------------------------------------------------- */

void cmox_callback_lost(cmox_peer_t *peer) {
  cmox_hosted_t *hosted, *next_hosted;
  HASH_ITER(hh, peer->rpc->sessions, hosted, next_hosted) {
    if (hosted->answers == peer) hosted->answers = NULL;
  }
  struct cmox_asked *asked, *next;
  HASH_ITER(hh, peer->asked, asked, next) {
    struct cmox_asked copy = *asked;
    forget(peer, asked);
    fail(copy.hosted, copy.call_id, copy.question,
         "the test client has closed the link on which it was asked");
  }
}

void cmox_callback_end(cmox_hosted_t *hosted) {
  for (cmox_peer_t *peer = hosted->rpc->peers; peer; peer = peer->next) {
    struct cmox_asked *asked, *next;
    HASH_ITER(hh, peer->asked, asked, next) {
      if (asked->hosted == hosted) forget(peer, asked);
    }
  }
}
