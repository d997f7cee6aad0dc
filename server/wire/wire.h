/* Frames and payloads between bytes and messages. Everything that comes in is
 * pre-checked, then unpacked with a budget: protobuf-c has no limits of its own. */
#ifndef CMOX_WIRE_H
#define CMOX_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "cmdmox/v1/frame.pb-c.h"
#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"

/* Unpacks untrusted bytes. *out is owned by the caller (cmox_wire_free).
 * CMOX_E_BAD_PAYLOAD, CMOX_E_TOO_COMPLEX, CMOX_E_NO_MEMORY; the message names the type. */
cmox_code_t cmox_wire_unpack(const ProtobufCMessageDescriptor *type, cmox_span_t bytes,
                             ProtobufCMessage **out, cmox_error_t *error);
void cmox_wire_free(ProtobufCMessage *message); /* NULL is fine */

/* Appends the packed message; out->failed says whether memory was out. */
void cmox_wire_pack(const ProtobufCMessage *message, cmox_buf_t *out);

/* The same with the length prefix of a frame in front. CMOX_E_FRAME_TOO_LARGE above
 * max_body bytes, with nothing appended. */
cmox_code_t cmox_wire_pack_frame(const Cmdmox__V1__Frame *frame, uint32_t max_body, cmox_buf_t *out,
                                 cmox_error_t *error);

/* Fills a Status with an error; it borrows from *error, whose message becomes
 * valid UTF-8 first (other languages refuse anything else). */
void cmox_wire_status(cmox_error_t *error, Cmdmox__V1__Status *out);

/* The error that a Status brings; the message is cut to fit. */
void cmox_wire_error(const Cmdmox__V1__Status *status, cmox_error_t *out);

/* Protocol versions: picks the highest both speak. CMOX_E_VERSION_MISMATCH names both ranges. */
cmox_code_t cmox_wire_negotiate(uint32_t peer_min, uint32_t peer_max, uint32_t *version,
                                cmox_error_t *error);

static inline cmox_span_t cmox_from_bytes(ProtobufCBinaryData data) {
  return cmox_span(data.data, data.len);
}

/* protobuf-c's bytes are not const; packing never writes to them. */
static inline ProtobufCBinaryData cmox_to_bytes(cmox_span_t span) {
  return (ProtobufCBinaryData){span.len, (uint8_t *)(uintptr_t)span.data};
}

#endif
