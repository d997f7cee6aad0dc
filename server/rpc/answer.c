/* The answer to a shim's call.
 *
 * A small reply leaves in its response. Of a large one the streams go ahead as StreamData, no more
 * of them than the link has room for: the rest stays in the reply, which all calls share, until the
 * link has drained. So a shim that does not read costs a window and a piece, whatever its reply is.
 *
 * The end of the session does not cut off a reply that is on its way; the end of the link does. */
#include "server/rpc/internal.h"

void cmox_answer_action(cmox_peer_t *peer, Cmdmox__V1__Action *action) {
  cmox_rpc_call_t *call = peer->waiting;
  peer->waiting = NULL;
  if (!call) return;
  if (call->method->output == &cmdmox__v1__invoke_response__descriptor) {
    Cmdmox__V1__InvokeResponse response = CMDMOX__V1__INVOKE_RESPONSE__INIT;
    response.action = action;
    cmox_rpc_answer(&response.base, call);
  } else {
    Cmdmox__V1__ContinueInvokeResponse response = CMDMOX__V1__CONTINUE_INVOKE_RESPONSE__INIT;
    response.action = action;
    cmox_rpc_answer(&response.base, call);
  }
}

/* No more than `most`, and than its peer takes in one frame beside what every response has. */
static size_t fitting(const cmox_peer_t *peer, size_t most) {
  const size_t room = peer->max_frame - 2 * CMOX_ENVELOPE_MAX;
  return most < room ? most : room;
}

static bool is_inline(const cmox_peer_t *peer, const cmox_reply_data_t *content) {
  return content->out.len + content->err.len <= fitting(peer, CMOX_REPLY_INLINE_MAX);
}

static void respond(cmox_peer_t *peer, const cmox_reply_data_t *content) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  if (is_inline(peer, content)) {
    reply.stdout_data = cmox_to_bytes(content->out);
    reply.stderr_data = cmox_to_bytes(content->err);
    reply.delay_ms = content->delay_ms;
  }
  if (content->signal) {
    reply.end_case = CMDMOX__V1__REPLY__END_SIGNAL;
    reply.signal = (char *)(uintptr_t)content->signal;
  } else if (content->hang) {
    reply.end_case = CMDMOX__V1__REPLY__END_HANG;
    reply.hang = true;
  } else {
    reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
    reply.exit_code = content->exit_code;
  }
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  action.call_id = peer->call_id;
  action.kind_case = CMDMOX__V1__ACTION__KIND_REPLY;
  action.reply = &reply;
  cmox_answer_action(peer, &action);
}

/* The next piece: of stdout, and of stderr when that is through. */
static void send_piece(cmox_peer_t *peer, const cmox_reply_data_t *content) {
  const bool out = peer->streamed < content->out.len;
  const cmox_span_t *stream = out ? &content->out : &content->err;
  const size_t at = out ? peer->streamed : peer->streamed - content->out.len;
  const size_t left = stream->len - at;
  const size_t most = fitting(peer, CMOX_STREAM_CHUNK_MAX);
  const size_t len = left < most ? left : most;
  Cmdmox__V1__StreamData data = CMDMOX__V1__STREAM_DATA__INIT;
  data.stream = out ? CMDMOX__V1__STREAM__STREAM_STDOUT : CMDMOX__V1__STREAM__STREAM_STDERR;
  data.data = cmox_to_bytes(cmox_span(stream->data + at, len));
  data.delay_ms = peer->streamed == 0 ? content->delay_ms : 0;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = peer->invoke_id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = &data;
  peer->streamed += len;
  cmox_peer_send(peer, &frame);
}

void cmox_answer_more(cmox_peer_t *peer) {
  cmox_reply_data_t *content = peer->streaming;
  if (!content) return;
  while (peer->streamed < content->out.len + content->err.len) {
    if (!peer->link || cmox_link_queued(peer->link) >= CMOX_REPLY_WINDOW) return;
    send_piece(peer, content);
  }
  respond(peer, content);
  cmox_answer_drop(peer);
  if (!peer->hosted && peer->link) cmox_link_close(peer->link, CMOX_OK);
}

void cmox_answer_reply(cmox_peer_t *peer, cmox_reply_data_t *content) {
  if (is_inline(peer, content)) {
    respond(peer, content);
    return;
  }
  peer->streaming = cmox_reply_ref(content);
  peer->streamed = 0;
  cmox_answer_more(peer);
}

void cmox_answer_drop(cmox_peer_t *peer) {
  cmox_reply_unref(peer->streaming);
  peer->streaming = NULL;
}
