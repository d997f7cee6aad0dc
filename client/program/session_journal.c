/* cmdmox journal: the calls of a session of a shell, page by page. */
#include <cmdmox/codes.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/program/session.h"
#include "server/base/quote.h"
#include "server/json/json.h"
#include "server/model/mask.h"

static const char *verdict_of(const Cmdmox__V1__Invocation *call) {
  switch (call->verdict) {
    case CMDMOX__V1__CALL_VERDICT__CALL_VERDICT_ACCEPTED:
      return "accepted";
    case CMDMOX__V1__CALL_VERDICT__CALL_VERDICT_UNEXPECTED:
      return "unexpected";
    case CMDMOX__V1__CALL_VERDICT__CALL_VERDICT_EXCESS:
      return "excess";
    case CMDMOX__V1__CALL_VERDICT__CALL_VERDICT_OUT_OF_ORDER:
      return "out of order";
    default:
      return "undecided";
  }
}

static void put_end(cmox_buf_t *out, const Cmdmox__V1__Invocation *call) {
  if (call->end_case == CMDMOX__V1__INVOCATION__END_EXIT_CODE)
    cmox_buf_printf(out, "%" PRIu32, call->exit_code);
  else if (call->end_case == CMDMOX__V1__INVOCATION__END_SIGNAL)
    cmox_buf_puts(out, call->signal);
  else
    cmox_buf_puts(out, "-");
}

/* Number, verdict, status, and the call as a line of shell with its secrets masked; tabs between
 * them. */
static void put_line(cmox_buf_t *out, const Cmdmox__V1__Invocation *call) {
  cmox_buf_printf(out, "%" PRIu64 "\t%s\t", call->invocation_id, verdict_of(call));
  put_end(out, call);
  cmox_buf_putc(out, '\t');
  cmox_quote_shell(out, cmox_from_bytes(call->command), CMOX_QUOTE_ALL);
  const size_t count = call->n_argv ? call->n_argv - 1 : 0;
  cmox_span_t *items = calloc(count + 1, sizeof *items);
  for (size_t i = 0; items && i < count; i++) items[i] = cmox_from_bytes(call->argv[i + 1]);
  const cmox_span_list_t args = {items, items ? count : 0};
  out->failed |= !items;
  for (size_t i = 0; i < args.count; i++) {
    cmox_buf_t masked = CMOX_BUF_EMPTY;
    const bool secret = cmox_mask_argument(args, i, &masked);
    cmox_buf_putc(out, ' ');
    cmox_quote_shell(out, secret ? cmox_buf_span(&masked) : items[i], CMOX_QUOTE_ALL);
    cmox_buf_clear(&masked);
  }
  free(items);
  cmox_buf_putc(out, '\n');
}

static int print_page(const Cmdmox__V1__ListInvocationsResponse *page, bool json) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  for (size_t i = 0; i < page->n_invocations; i++) {
    if (!json) {
      put_line(&out, page->invocations[i]);
      continue;
    }
    out.failed |= !cmox_message_to_json(&page->invocations[i]->base, false, &out);
    if (out.len && out.data[out.len - 1] != '\n') cmox_buf_putc(&out, '\n');
  }
  const int status = out.failed ? cmox_no_memory() : 0;
  cmox_print(&out);
  cmox_buf_clear(&out);
  return status;
}

static void say_dropped(uint64_t dropped) {
  if (dropped)
    (void)fprintf(stderr, "(%" PRIu64 " before these were not kept: --max-journal-entries)\n",
                  dropped);
}

static int print_calls(cmox_shell_session_t *session, const cmox_arguments_t *arguments) {
  const bool json = cmox_given(arguments, CMOX_JOURNAL_JSON) != NULL;
  uint8_t token[64];
  Cmdmox__V1__ListInvocationsRequest request = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  if (arguments->word_count) request.command = cmox_to_bytes(cmox_span_str(arguments->words[0]));
  bool first = true;
  for (;;) {
    ProtobufCMessage *answer = NULL;
    int status = cmox_shell_call(session, "ListInvocations", &request.base, &answer);
    if (status) return status;
    const Cmdmox__V1__ListInvocationsResponse *page =
        (const Cmdmox__V1__ListInvocationsResponse *)answer;
    if (first) say_dropped(page->dropped);
    first = false;
    status = print_page(page, json);
    const size_t len = page->next_page_token.len;
    if (len && len <= sizeof token) memcpy(token, page->next_page_token.data, len);
    request.page_token = (ProtobufCBinaryData){len <= sizeof token ? len : 0, token};
    cmox_wire_free(answer);
    if (status || request.page_token.len == 0) return status;
  }
}

int cmox_verb_journal(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  if (status == 0) status = print_calls(&session, arguments);
  cmox_shell_close(&session);
  const int written = cmox_finish_output();
  return status ? status : written;
}
