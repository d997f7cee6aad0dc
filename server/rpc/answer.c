/* The answer to a shim's call.
 *
 * A small reply leaves in its response. Chunks, files, and the streams of a large one go ahead as
 * StreamData, no more of them than the link has room for: the rest stays in the reply, which all
 * calls share, until the link has drained. So a shim that does not read costs a window
 * and a piece, whatever its reply is.
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

/* Behind the chunks. */
static cmox_span_t rest_of(cmox_span_t stream, size_t begin) {
  return cmox_span(stream.data + begin, stream.len - begin);
}

static bool rest_is_inline(const cmox_peer_t *peer, const cmox_reply_data_t *content,
                           const cmox_cursor_t *at) {
  return content->out.len - at->out + content->err.len - at->err <=
         fitting(peer, CMOX_REPLY_INLINE_MAX);
}

/* Nothing goes ahead of the response. */
static bool is_inline(const cmox_peer_t *peer, const cmox_reply_data_t *content) {
  static const cmox_cursor_t begin = {0};
  return !content->chunk_count && !content->file_count && rest_is_inline(peer, content, &begin);
}

static void respond(cmox_peer_t *peer, const cmox_reply_data_t *content, const cmox_cursor_t *at) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  if (rest_is_inline(peer, content, at)) {
    reply.stdout_data = cmox_to_bytes(rest_of(content->out, at->out));
    reply.stderr_data = cmox_to_bytes(rest_of(content->err, at->err));
  }
  if (!at->delayed) reply.delay_ms = content->delay_ms;
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

typedef struct part {
  Cmdmox__V1__Stream stream;
  cmox_span_t bytes;
  uint32_t delay_ms;
  const cmox_reply_file_t *file; /* NULL: of a stream */
} part_t;

/* False: all that goes ahead of the response has been sent. */
static bool part_at(const cmox_peer_t *peer, const cmox_reply_data_t *content, part_t *out) {
  const cmox_cursor_t *at = &peer->sent;
  *out = (part_t){.delay_ms = at->delayed ? 0 : content->delay_ms};
  size_t index = at->part;
  if (index < content->chunk_count) {
    const cmox_reply_chunk_t *chunk = &content->chunks[index];
    const uint8_t *data =
        chunk->to_stderr ? content->err.data + at->err : content->out.data + at->out;
    out->stream =
        chunk->to_stderr ? CMDMOX__V1__STREAM__STREAM_STDERR : CMDMOX__V1__STREAM__STREAM_STDOUT;
    out->bytes = cmox_span(data, chunk->len);
    out->delay_ms = chunk->delay_ms;
    return true;
  }
  index -= content->chunk_count;
  if (index < content->file_count) {
    out->stream = CMDMOX__V1__STREAM__STREAM_FILE;
    out->file = &content->files[index];
    out->bytes = out->file->content;
    return true;
  }
  index -= content->file_count;
  if (index > 1 || rest_is_inline(peer, content, at)) return false;
  out->stream = index ? CMDMOX__V1__STREAM__STREAM_STDERR : CMDMOX__V1__STREAM__STREAM_STDOUT;
  out->bytes = index ? rest_of(content->err, at->err) : rest_of(content->out, at->out);
  return true;
}

static void step_over(const cmox_reply_data_t *content, cmox_cursor_t *at) {
  if (at->part < content->chunk_count) {
    const cmox_reply_chunk_t *chunk = &content->chunks[at->part];
    *(chunk->to_stderr ? &at->err : &at->out) += chunk->len;
  } else {
    at->delayed = true;
  }
  at->part++;
  at->offset = 0;
}

/* One frame of the part. */
static void send_piece(cmox_peer_t *peer, const part_t *part) {
  cmox_cursor_t *at = &peer->sent;
  const size_t left = part->bytes.len - at->offset;
  const size_t path_len = part->file && at->offset == 0 ? part->file->path.len : 0;
  const size_t most = fitting(peer, CMOX_STREAM_CHUNK_MAX + path_len) - path_len;
  const size_t len = left < most ? left : most;
  Cmdmox__V1__StreamData data = CMDMOX__V1__STREAM_DATA__INIT;
  data.stream = part->stream;
  data.data = cmox_to_bytes(cmox_span(part->bytes.data + at->offset, len));
  if (at->offset == 0) data.delay_ms = part->delay_ms;
  if (path_len) {
    data.path = cmox_to_bytes(part->file->path);
    data.mode = part->file->mode;
  }
  data.eof = part->file && len == left;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = peer->invoke_id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = &data;
  at->offset += len;
  cmox_peer_send(peer, &frame);
}

void cmox_answer_more(cmox_peer_t *peer) {
  cmox_reply_data_t *content = peer->streaming;
  if (!content) return;
  part_t part;
  while (part_at(peer, content, &part)) {
    if (!peer->link || cmox_link_queued(peer->link) >= CMOX_REPLY_WINDOW) return;
    send_piece(peer, &part);
    if (peer->sent.offset == part.bytes.len) step_over(content, &peer->sent);
  }
  respond(peer, content, &peer->sent);
  cmox_answer_drop(peer);
  if (!peer->hosted && peer->link) cmox_link_close(peer->link, CMOX_OK);
}

void cmox_answer_reply(cmox_peer_t *peer, cmox_reply_data_t *content) {
  cmox_answer_drop(peer);
  peer->sent = (cmox_cursor_t){0};
  if (is_inline(peer, content)) {
    respond(peer, content, &peer->sent);
    return;
  }
  peer->streaming = cmox_reply_ref(content);
  cmox_answer_more(peer);
}

void cmox_answer_drop(cmox_peer_t *peer) {
  cmox_reply_unref(peer->streaming);
  peer->streaming = NULL;
}
