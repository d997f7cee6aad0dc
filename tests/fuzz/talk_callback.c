#include "cmdmox/v1/callback.pb-c.h"
#include "tests/fuzz/talk.h"

static ProtobufCBinaryData bytes_of(fuzz_in_t *in) {
  const cmox_span_t span = fuzz_bytes(in);
  return (ProtobufCBinaryData){span.len, (uint8_t *)(uintptr_t)span.data};
}

/* The message's bytes; valid until the next call. */
static ProtobufCBinaryData packed(const ProtobufCMessage *message) {
  static uint8_t payload[1 << 16];
  if (protobuf_c_message_get_packed_size(message) > sizeof payload)
    return (ProtobufCBinaryData){0, NULL};
  return (ProtobufCBinaryData){protobuf_c_message_pack(message, payload), payload};
}

/* What a client answers to a predicate or a handler; valid until the next call. */
static ProtobufCBinaryData answer_of(fuzz_in_t *in) {
  Cmdmox__V1__MatchResponse match = CMDMOX__V1__MATCH_RESPONSE__INIT;
  Cmdmox__V1__HandleResponse handle = CMDMOX__V1__HANDLE_RESPONSE__INIT;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  const uint8_t how = fuzz_u8(in);
  if (how & 1) {
    match.matched = (how & 2) != 0;
    if (how & 4) match.description = fuzz_text(in);
    if (how >= 0xf0) match.failure = fuzz_text(in);
    return packed(&match.base);
  }
  if (how >= 0xf8) return bytes_of(in);
  if (how >= 0xf0) {
    handle.outcome_case = CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_FAILURE;
    handle.failure = fuzz_text(in);
  } else if (how < 0xe8) {
    handle.outcome_case = CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_REPLY;
    handle.reply = &reply;
    if (how & 2) reply.stdout_data = bytes_of(in);
    if (how & 4) reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
    if (how & 4) reply.exit_code = (uint32_t)fuzz_number(in);
  }
  return packed(&handle.base);
}

void talk_response(fuzz_in_t *in, Cmdmox__V1__Response *response, Cmdmox__V1__Status *error) {
  const uint8_t how = fuzz_u8(in);
  if (how >= 0xf0) return; /* empty */
  if (how >= 0xe0) {
    response->result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
    response->error = error;
    error->message = fuzz_text(in);
  } else {
    response->result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
    response->payload = answer_of(in);
  }
}
