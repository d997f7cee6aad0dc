/* Untrusted payloads. The first byte selects the message type (tests/lib/schema), the rest is the
 * payload. What the pre-check accepts unpacks within the memory that it estimated, and comes back
 * from packing and unpacking as the same message; what it refuses is never unpacked. The shim's
 * decoders take the same bytes. */
#include <string.h>

#include "proto/precheck.h"
#include "server/wire/wire.h"
#include "tests/fuzz/decode_shim.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/schema.h"
#include "tests/lib/tally.h"

static cmox_code_t check(const ProtobufCMessageDescriptor *type, cmox_span_t bytes, size_t memory) {
  cmox_precheck_limits_t limits = cmox_precheck_defaults;
  limits.memory = memory;
  return cmox_precheck(type, bytes.data, bytes.len, &limits, NULL);
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, cmox_span_t bytes) {
  tally_t tally = {0};
  ProtobufCAllocator allocator = {tally_alloc, tally_free, &tally};
  ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
  FUZZ_NEED(message, "%s: accepted, and protobuf-c refuses it", type->name);
  FUZZ_NEED(tally.peak <= cmox_precheck_defaults.memory, "%zu bytes", tally.peak);
  FUZZ_NEED(check(type, bytes, tally.peak - 1) == CMOX_E_TOO_COMPLEX,
            "%s takes %zu bytes, which is more than was estimated", type->name, tally.peak);
  protobuf_c_message_free_unpacked(message, &allocator);
  FUZZ_NEED(tally.now == 0, "%zu bytes leaked", tally.now);
  return protobuf_c_message_unpack(type, NULL, bytes.len, bytes.data);
}

static cmox_span_t pack(const ProtobufCMessage *message) {
  const size_t size = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = malloc(size ? size : 1);
  FUZZ_NEED(bytes, "out of memory");
  FUZZ_NEED(protobuf_c_message_pack(message, bytes) == size, "packed to another size");
  return cmox_span(bytes, size);
}

/* What was packed again is the same message: it packs to the same bytes. */
static void round_trip(const ProtobufCMessageDescriptor *type, cmox_span_t bytes) {
  ProtobufCMessage *first = unpack(type, bytes);
  FUZZ_NEED(protobuf_c_message_check(first), "%s: unpacked, and inconsistent", type->name);
  const cmox_span_t packed = pack(first);
  FUZZ_NEED(check(type, packed, cmox_precheck_defaults.memory) == CMOX_OK,
            "%s: packed again, and refused", type->name);
  ProtobufCMessage *second = unpack(type, packed);
  const cmox_span_t again = pack(second);
  FUZZ_NEED(cmox_span_equal(packed, again), "%s: not the same after packing", type->name);
  protobuf_c_message_free_unpacked(first, NULL);
  protobuf_c_message_free_unpacked(second, NULL);
  free((void *)(uintptr_t)packed.data);
  free((void *)(uintptr_t)again.data);
}

/* The way every payload comes in; `expected` is what the pre-check said. */
static void through_wire(const ProtobufCMessageDescriptor *type, cmox_span_t bytes,
                         cmox_code_t expected) {
  alloc_fault_t fault;
  cmox_error_t error;
  ProtobufCMessage *message = NULL;
  alloc_fault_install(&fault, false);
  const cmox_code_t code = cmox_wire_unpack(type, bytes, &message, &error);
  FUZZ_NEED(code == expected, "%s: %d, and the pre-check said %d", type->name, (int)code,
            (int)expected);
  FUZZ_NEED((code == CMOX_OK) == (message != NULL), "%s: no message", type->name);
  if (code != CMOX_OK) FUZZ_NEED(fault.seen == 0, "%s: refused, but it allocated", type->name);
  cmox_wire_free(message);
  FUZZ_NEED(fault.held == 0, "%ld blocks leaked", fault.held);
  cmox_alloc_set_hooks(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t count = cmox_test_types(&types);
  fuzz_in_t in = {data, size};
  const ProtobufCMessageDescriptor *type = types[fuzz_u8(&in) % count];
  const cmox_span_t bytes = cmox_span(in.data, in.len);
  const cmox_code_t code = check(type, bytes, cmox_precheck_defaults.memory);
  FUZZ_NEED(code == CMOX_OK || code == CMOX_E_BAD_PAYLOAD || code == CMOX_E_TOO_COMPLEX, "%d",
            (int)code);
  through_wire(type, bytes, code);
  if (code == CMOX_OK) round_trip(type, bytes);
  decode_as_shim(in.data, in.len);
  return 0;
}
