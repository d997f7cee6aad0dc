/* One link of the engine.
 *
 * 1. The first frame is a Hello; its magic, role and version range are judged, and HelloReply says
 * so.
 * 2. Requests go to dispatch.c; StreamData and Notify of a shim go to shim_service.c.
 * 3. When the link closes, a shim's call is lost (unless it was done), and a
 *    client's sessions end.
 *
 * Bad framing closes the link; a bad payload fails only its request. */
#include <stdio.h>

#include "server/rpc/internal.h"
#include "server/rpc/transcript.h"

#define SOFTWARE "cmdmox/" CMDMOX_VERSION

void cmox_peer_send(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame) {
  cmox_peer_respond(peer, frame, NULL);
}

void cmox_peer_respond(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame,
                       const ProtobufCMessageDescriptor *payload) {
  if (!peer->link) return;
  cmox_buf_t body = CMOX_BUF_EMPTY;
  cmox_wire_pack(&frame->base, &body);
  if (cmox_trace_on())
    cmox_transcript(CMOX_TRACE_FRAME_OUT, peer->number, cmox_buf_span(&body), payload);
  if (body.failed)
    cmox_link_close(peer->link, CMOX_E_NO_MEMORY);
  else
    (void)cmox_link_send(peer->link, cmox_buf_span(&body));
  cmox_buf_clear(&body);
}

void cmox_peer_go_away(cmox_peer_t *peer, cmox_error_t *error) {
  cmox_rpc_note_refusal(peer, error);
  Cmdmox__V1__Status status;
  cmox_wire_status(error, &status);
  Cmdmox__V1__GoAway go_away = CMDMOX__V1__GO_AWAY__INIT;
  go_away.status = &status;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_GO_AWAY;
  frame.go_away = &go_away;
  cmox_peer_send(peer, &frame);
  if (peer->link) cmox_link_close(peer->link, error->code);
}

cmox_peer_t *cmox_peer_ref(cmox_peer_t *peer) {
  peer->references++;
  return peer;
}

void cmox_peer_unref(cmox_peer_t *peer) {
  if (--peer->references == 0) cmox_free_block(peer);
}

static void reply_hello(cmox_peer_t *peer, uint32_t version, cmox_error_t *error) {
  Cmdmox__V1__Status status;
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  Cmdmox__V1__HelloReply reply = CMDMOX__V1__HELLO_REPLY__INIT;
  if (error) {
    cmox_wire_status(error, &status);
    reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_ERROR;
    reply.error = &status;
  } else {
    ok.version = version;
    ok.software = (char *)(uintptr_t)SOFTWARE;
    ok.max_frame_bytes = CMOX_FRAME_MAX_DEFAULT;
    if (peer->hosted)
      ok.session_id = cmox_to_bytes(cmox_span(peer->hosted->id, sizeof peer->hosted->id));
    reply.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
    reply.ok = &ok;
  }
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = &reply;
  cmox_peer_send(peer, &frame);
}

static cmox_code_t judge_hello(const cmox_peer_t *peer, const Cmdmox__V1__Frame *frame,
                               uint32_t *version, cmox_error_t *error) {
  if (frame->body_case != CMDMOX__V1__FRAME__BODY_HELLO)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "the first frame must be a Hello");
  const Cmdmox__V1__Hello *hello = frame->hello;
  if (hello->magic != CMOX_MAGIC)
    return cmox_fail(error, CMOX_E_BAD_HELLO, "Hello carries the wrong magic number");
  cmox_code_t code = cmox_wire_negotiate(hello->min_version, hello->max_version, version, error);
  if (code != CMOX_OK) return code;
  if (hello->max_frame_bytes && hello->max_frame_bytes < CMOX_FRAME_MAX_LEAST)
    return cmox_fail(error, CMOX_E_BAD_HELLO,
                     "Hello accepts frames of %u bytes only; %u is the least",
                     hello->max_frame_bytes, CMOX_FRAME_MAX_LEAST);
  if (hello->role == CMDMOX__V1__ROLE__ROLE_AGENT)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not take agents");
  if (hello->role != (peer->shim ? CMDMOX__V1__ROLE__ROLE_SHIM : CMDMOX__V1__ROLE__ROLE_CONTROLLER))
    return cmox_fail(error, CMOX_E_PERMISSION_DENIED, "this address is for %s",
                     peer->shim ? "shims; test clients have an address of their own"
                                : "test clients; shims use the socket of their session");
  return CMOX_OK;
}

static void on_hello(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame) {
  cmox_error_t error;
  uint32_t version = 0;
  if (judge_hello(peer, frame, &version, &error) != CMOX_OK) {
    reply_hello(peer, 0, &error);
    if (peer->link) cmox_link_close(peer->link, error.code);
    return;
  }
  peer->greeted = true;
  peer->silence_ms = frame->hello->silence_ms;
  uint32_t accepts = frame->hello->max_frame_bytes;
  peer->max_frame = accepts && accepts < CMOX_FRAME_MAX_DEFAULT ? accepts : CMOX_FRAME_MAX_DEFAULT;
  cmox_link_established(peer->link);
  cmox_link_set_max_frame(peer->link, CMOX_FRAME_MAX_DEFAULT);
  reply_hello(peer, version, NULL);
}

static void on_request(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame) {
  if (frame->id % 2 == 1) {
    cmox_dispatch(peer, frame->id, frame->request);
    return;
  }
  cmox_error_t error;
  (void)cmox_fail(&error, CMOX_E_BAD_FRAME,
                  "a request of the connecting side needs an odd id; this one has %u", frame->id);
  cmox_peer_go_away(peer, &error);
}

static void on_body(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame) {
  switch (frame->body_case) {
    case CMDMOX__V1__FRAME__BODY_REQUEST:
      on_request(peer, frame);
      return;
    case CMDMOX__V1__FRAME__BODY_STREAM_DATA:
      if (peer->hosted) cmox_shim_stream(peer, frame->id, frame->stream_data);
      return;
    case CMDMOX__V1__FRAME__BODY_NOTIFY:
      if (peer->hosted) cmox_shim_notify(peer, frame->notify);
      return;
    case CMDMOX__V1__FRAME__BODY_RESPONSE:
      cmox_callback_response(peer, frame->id, frame->response);
      return;
    case CMDMOX__V1__FRAME__BODY_GO_AWAY:
      if (peer->link) cmox_link_close(peer->link, CMOX_OK);
      return;
    /* A cancelled request still gets its one response, and ours are quick. What is unknown is from
     * a newer peer, and ignored. */
    default:
      return;
  }
}

static void on_frame(cmox_link_t *link, cmox_span_t body) {
  cmox_peer_t *peer = cmox_link_user(link);
  cmox_error_t error;
  ProtobufCMessage *message = NULL;
  if (cmox_trace_on()) cmox_transcript(CMOX_TRACE_FRAME_IN, peer->number, body, NULL);
  if (cmox_wire_unpack(&cmdmox__v1__frame__descriptor, body, &message, &error) != CMOX_OK) {
    if (error.code == CMOX_E_BAD_PAYLOAD) error.code = CMOX_E_BAD_FRAME;
    if (peer->greeted)
      cmox_peer_go_away(peer, &error);
    else
      cmox_link_close(link, error.code);
    return;
  }
  cmox_peer_ref(peer);
  const Cmdmox__V1__Frame *frame = (const Cmdmox__V1__Frame *)message;
  if (peer->greeted)
    on_body(peer, frame);
  else
    on_hello(peer, frame);
  cmox_peer_unref(peer);
  cmox_wire_free(message);
}

static void end_sessions_of(cmox_peer_t *peer) {
  cmox_hosted_t *hosted, *next;
  HASH_ITER(hh, peer->rpc->sessions, hosted, next) {
    if (hosted->owner == peer) cmox_hosted_end(hosted);
  }
}

static void on_closed(cmox_link_t *link, cmox_code_t why) {
  cmox_peer_t *peer = cmox_link_user(link);
  CMOX_TRACE(LINK_CLOSE, cmox_trace_number(peer->number), cmox_trace_text(cmox_code_reason(why)));
  cmox_rpc_t *rpc = peer->rpc;
  peer->link = NULL;
  if (why == CMOX_E_NO_MEMORY) cmox_rpc_note_unanswered(peer);
  if (peer->shim) {
    cmox_shim_lost(peer);
  } else {
    end_sessions_of(peer);
    rpc->clients--;
    cmox_rpc_populated(rpc);
  }
  cmox_callback_lost(peer);
  if (peer->previous)
    peer->previous->next = peer->next;
  else
    rpc->peers = peer->next;
  if (peer->next) peer->next->previous = peer->previous;
  if (peer->gone) peer->gone(peer->gone_user);
  cmox_peer_unref(peer);
  cmox_rpc_check_closed(rpc);
}

static void on_drained(cmox_link_t *link) { cmox_answer_more(cmox_link_user(link)); }

static const cmox_link_events_t link_events = {
    .frame = on_frame, .closed = on_closed, .drained = on_drained};

static void refused_frame(cmox_link_t *link, cmox_span_t body) {
  (void)link;
  (void)body;
}

static void refused_closed(cmox_link_t *link, cmox_code_t why) {
  (void)link;
  (void)why;
}

static const cmox_link_events_t refused_events = {.frame = refused_frame, .closed = refused_closed};

/* NULL: memory is out, and the link is being closed. */
static cmox_peer_t *accept_link(cmox_rpc_t *rpc, cmox_hosted_t *hosted, cmox_link_t *link) {
  cmox_peer_t *peer = rpc->closing ? NULL : cmox_calloc(1, sizeof *peer);
  if (peer) {
    *peer = (cmox_peer_t){
        .rpc = rpc, .shim = hosted != NULL, .hosted = hosted, .link = link, .references = 1};
    peer->number = ++rpc->last_number;
    peer->max_frame = CMOX_FRAME_MAX_LEAST;
    if (hosted) HASH_ADD(hh, hosted->shims, number, sizeof peer->number, peer);
  }
  if (!peer || peer->oom) {
    cmox_free_block(peer);
    cmox_link_set_events(link, &refused_events, NULL);
    cmox_link_close(link, CMOX_E_NO_MEMORY);
    return NULL;
  }
  peer->next = rpc->peers;
  if (rpc->peers) rpc->peers->previous = peer;
  rpc->peers = peer;
  cmox_link_set_events(link, &link_events, peer);
  CMOX_TRACE(LINK_OPEN, cmox_trace_number(peer->number),
             cmox_trace_text(hosted ? "shim" : "control"),
             cmox_trace_text(hosted ? hosted->name : ""));
  return peer;
}

cmox_code_t cmox_rpc_accept_control(cmox_rpc_t *rpc, cmox_link_t *link, void (*gone)(void *user),
                                    void *user, cmox_error_t *error) {
  cmox_peer_t *peer = accept_link(rpc, NULL, link);
  if (!peer) return cmox_fail(error, CMOX_E_NO_MEMORY, "link: out of memory");
  peer->gone = gone;
  peer->gone_user = user;
  rpc->clients++;
  cmox_rpc_populated(rpc);
  return CMOX_OK;
}

void cmox_rpc_accept_shim(cmox_hosted_t *hosted, cmox_link_t *link) {
  (void)accept_link(hosted->rpc, hosted, link);
}
