/* ControlService/ListInvocations, the journal page by page, and ReadCallStdin. */
#include "server/rpc/internal.h"

enum { PAGE_SIZE_DEFAULT = 256, PAGE_BYTES_MAX = 4u << 20 };

typedef Cmdmox__V1__ListInvocationsRequest request_t;
typedef Cmdmox__V1__ListInvocationsResponse response_t;

static bool is_asked_for(const cmox_call_t *call, const request_t *input) {
  if (input->double_id &&
      (call->double_id != input->double_id || call->verdict != CMOX_VERDICT_ACCEPTED))
    return false;
  return input->command.len == 0 ||
         cmox_span_equal(call->data.command, cmox_from_bytes(input->command));
}

enum { TOKEN_BYTES = 8 };

/* The page token is the id of the next call, little-endian; empty: from the beginning. */
static uint64_t token_read(ProtobufCBinaryData token) {
  uint64_t id = 0;
  for (size_t i = 0; i < token.len; i++) id |= (uint64_t)token.data[i] << (8 * i);
  return id;
}

static void token_write(uint64_t id, uint8_t token[TOKEN_BYTES]) {
  for (size_t i = 0; i < TOKEN_BYTES; i++) token[i] = (uint8_t)(id >> (8 * i));
}

/* Those there were, less those in the list. */
static uint64_t count_dropped(const cmox_session_t *session, const request_t *input) {
  const cmox_journal_t *journal = cmox_session_journal(session);
  size_t all = cmox_journal_count(journal);
  size_t listed = cmox_journal_listed(journal);
  if (listed == 0 && all == cmox_journal_total(journal, CMOX_ANY_COMMAND)) return 0;
  uint64_t count =
      cmox_session_call_count(session, input->double_id, cmox_from_bytes(input->command));
  for (size_t i = listed; i < all; i++) count -= is_asked_for(cmox_journal_at(journal, i), input);
  return count;
}

/* Fills the page from `index` on; where it stopped, or SIZE_MAX with the error of the call set. */
static size_t fill_page(const cmox_journal_t *journal, size_t index, size_t page,
                        response_t *response, cmox_rpc_call_t *call) {
  const request_t *input = (const request_t *)call->input;
  size_t bytes = 0;
  for (size_t all = cmox_journal_count(journal); index < all && response->n_invocations < page;
       index++) {
    const cmox_call_t *entry = cmox_journal_at(journal, index);
    if (!is_asked_for(entry, input)) continue;
    Cmdmox__V1__Invocation *view = NULL;
    if (cmox_convert_call(entry, &view, &call->error) != CMOX_OK) return SIZE_MAX;
    if (cmox_convert_line(view, &call->error) != CMOX_OK) {
      cmox_convert_call_clear(view);
      return SIZE_MAX;
    }
    bytes += cmdmox__v1__invocation__get_packed_size(view);
    if (response->n_invocations && bytes > PAGE_BYTES_MAX) {
      cmox_convert_call_clear(view);
      break;
    }
    response->invocations[response->n_invocations++] = view;
  }
  return index;
}

/* The session that is asked of; NULL, with the error of the call set: the request is wrong. */
static cmox_hosted_t *check_list(cmox_rpc_call_t *call, const request_t *input) {
  cmox_hosted_t *hosted = cmox_hosted_find(call->peer, input->session_id, &call->error);
  if (!hosted ||
      cmox_session_check_double(hosted->session, input->double_id, &call->error) != CMOX_OK)
    return NULL;
  if (input->page_token.len == 0 || input->page_token.len == TOKEN_BYTES) return hosted;
  (void)cmox_fail(&call->error, CMOX_E_INVALID_ARGUMENT,
                  "page_token: send back next_page_token of the page before, as it is");
  return NULL;
}

void cmox_list_now(cmox_rpc_call_t *call) {
  const request_t *input = (const request_t *)call->input;
  cmox_hosted_t *hosted = check_list(call, input);
  if (!hosted) {
    cmox_rpc_fail(call);
    return;
  }
  const cmox_journal_t *journal = cmox_session_journal(hosted->session);
  Cmdmox__V1__Invocation *shown[PAGE_SIZE_DEFAULT];
  response_t response = CMDMOX__V1__LIST_INVOCATIONS_RESPONSE__INIT;
  response.invocations = shown;
  response.dropped = count_dropped(hosted->session, input);
  bool smaller = input->page_size && input->page_size < PAGE_SIZE_DEFAULT;
  size_t index = cmox_journal_from(journal, token_read(input->page_token));
  if (index < cmox_journal_listed(journal)) index = cmox_journal_listed(journal);
  index =
      fill_page(journal, index, smaller ? input->page_size : PAGE_SIZE_DEFAULT, &response, call);
  uint8_t token[TOKEN_BYTES];
  if (index < cmox_journal_count(journal)) {
    token_write(cmox_journal_at(journal, index)->id, token);
    response.next_page_token = cmox_to_bytes(cmox_span(token, sizeof token));
  }
  if (index == SIZE_MAX)
    cmox_rpc_fail(call);
  else
    cmox_rpc_answer(&response.base, call);
  for (size_t i = 0; i < response.n_invocations; i++) cmox_convert_call_clear(shown[i]);
}

/* ---- stdin of one call -------------------------------------------------------- */

static const cmox_call_t *find_read_call(cmox_rpc_call_t *call) {
  const Cmdmox__V1__ReadCallStdinRequest *input =
      (const Cmdmox__V1__ReadCallStdinRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_find(call->peer, input->session_id, &call->error);
  if (!hosted) return NULL;
  const cmox_call_t *found =
      cmox_journal_find(cmox_session_journal(hosted->session), input->call_id);
  if (!found) {
    (void)cmox_fail(&call->error, CMOX_E_NOT_FOUND,
                    "the journal has no call %llu: it never was, or max_journal_entries did not "
                    "keep it",
                    (unsigned long long)input->call_id);
  } else if (!cmox_call_stdin_over(found) || found->asked.mode == CMOX_STDIN_DRAIN) {
    (void)cmox_fail(&call->error, CMOX_E_BAD_STATE,
                    "stdin of call %llu was not read to its end: it belongs to the caller, unless "
                    "the double captures or matches it",
                    (unsigned long long)input->call_id);
    return NULL;
  }
  return found;
}

void cmox_read_stdin_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__ReadCallStdinRequest *input =
      (const Cmdmox__V1__ReadCallStdinRequest *)call->input;
  const cmox_call_t *found = find_read_call(call);
  if (!found) {
    cmox_rpc_fail(call);
    return;
  }
  const cmox_stream_t *stream = &found->stdin_stream;
  Cmdmox__V1__ReadCallStdinResponse response = CMDMOX__V1__READ_CALL_STDIN_RESPONSE__INIT;
  response.stdin_end = (Cmdmox__V1__StdinEnd)found->stdin_end;
  response.length = stream->length;
  cmox_span_t bytes = cmox_stream_bytes(stream);
  if (input->offset < bytes.len) {
    size_t len = bytes.len - (size_t)input->offset;
    size_t most = call->peer->max_frame / 2; /* of a frame that the peer takes */
    if (len > most) len = most;
    if (input->max_bytes && len > input->max_bytes) len = (size_t)input->max_bytes;
    response.data = cmox_to_bytes(cmox_span(bytes.data + input->offset, len));
  }
  cmox_rpc_answer(&response.base, call);
  cmox_stream_done(stream, bytes);
}
