#include "server/wire/wire.h"

#include "proto/framing.h"
#include "proto/limits.h"
#include "proto/precheck.h"
#include "server/base/alloc.h"
#include "server/base/quote.h"

/* Bytes one unpacking may still allocate. */
typedef struct budget {
  ProtobufCAllocator allocator;
  size_t left;
} budget_t;

static void *budget_alloc(void *context, size_t size) {
  budget_t *budget = context;
  if (size > budget->left) return NULL;
  budget->left -= size;
  return cmox_malloc(size);
}

static void budget_free(void *context, void *block) {
  (void)context;
  cmox_free_block(block);
}

cmox_code_t cmox_wire_unpack(const ProtobufCMessageDescriptor *type, cmox_span_t bytes,
                             ProtobufCMessage **out, cmox_error_t *error) {
  *out = NULL;
  const char *why = "";
  cmox_code_t code = cmox_precheck(type, bytes.data, bytes.len, &cmox_precheck_defaults, &why);
  if (code != CMOX_OK) return cmox_fail(error, code, "%s: %s", type->name, why);
  budget_t budget = {.left = cmox_precheck_defaults.memory};
  budget.allocator = (ProtobufCAllocator){budget_alloc, budget_free, &budget};
  *out = protobuf_c_message_unpack(type, &budget.allocator, bytes.len, bytes.data);
  if (*out) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NO_MEMORY, "%s: out of memory", type->name);
}

void cmox_wire_free(ProtobufCMessage *message) {
  ProtobufCAllocator allocator = {budget_alloc, budget_free, NULL};
  if (message) protobuf_c_message_free_unpacked(message, &allocator);
}

void cmox_wire_pack(const ProtobufCMessage *message, cmox_buf_t *out) {
  size_t size = protobuf_c_message_get_packed_size(message);
  if (size == 0 || !cmox_buf_reserve(out, size)) return;
  out->len += protobuf_c_message_pack(message, out->data + out->len);
}

cmox_code_t cmox_wire_pack_frame(const Cmdmox__V1__Frame *frame, uint32_t max_body, cmox_buf_t *out,
                                 cmox_error_t *error) {
  size_t size = cmdmox__v1__frame__get_packed_size(frame);
  if (size > max_body)
    return cmox_fail(error, CMOX_E_FRAME_TOO_LARGE,
                     "a message of %zu bytes is above the limit of %u", size, max_body);
  uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
  cmox_buf_append(out, prefix, cmox_prefix_write(prefix, (uint32_t)size));
  cmox_wire_pack(&frame->base, out);
  return out->failed ? cmox_fail(error, CMOX_E_NO_MEMORY, "frame: out of memory") : CMOX_OK;
}

void cmox_wire_status(cmox_error_t *error, Cmdmox__V1__Status *out) {
  cmox_span_t rest = cmox_span_str(error->message);
  while (rest.len) {
    size_t len = cmox_utf8_length(rest);
    if (len == 0) *(char *)(uintptr_t)rest.data = '?';
    rest = cmox_span(rest.data + (len ? len : 1), rest.len - (len ? len : 1));
  }
  cmdmox__v1__status__init(out);
  out->code = cmox_code_grpc(error->code);
  out->reason = (char *)(uintptr_t)cmox_code_reason(error->code);
  out->message = (char *)(uintptr_t)error->message;
}

void cmox_wire_error(const Cmdmox__V1__Status *status, cmox_error_t *out) {
  cmox_code_t code = cmox_code_from_reason(status->reason);
  (void)cmox_fail(out, code, "%s", status->message[0] ? status->message : cmox_code_text(code));
}

cmox_code_t cmox_wire_negotiate(uint32_t peer_min, uint32_t peer_max, uint32_t *version,
                                cmox_error_t *error) {
  if (peer_min > peer_max || peer_min > CMOX_PROTOCOL_MAX || peer_max < CMOX_PROTOCOL_MIN)
    return cmox_fail(error, CMOX_E_VERSION_MISMATCH,
                     "this side speaks protocol versions %u to %u, the other %u to %u: install the "
                     "same version of cmdmox on both",
                     CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX, peer_min, peer_max);
  *version = peer_max < CMOX_PROTOCOL_MAX ? peer_max : CMOX_PROTOCOL_MAX;
  return CMOX_OK;
}
