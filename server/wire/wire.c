#include "server/wire/wire.h"

#include "proto/framing.h"
#include "proto/limits.h"
#include "proto/precheck.h"
#include "server/base/alloc.h"
#include "server/base/quote.h"

/* The pieces of one unpacked message: protobuf-c makes several for each field, so
 * they are cut from a few blocks and freed at once. The message itself is the
 * first piece of the first block; that is how cmox_wire_free() finds the blocks. */
typedef struct block {
  struct block *next;
  uint8_t *free;
  size_t left;
  uint64_t pieces[];
} block_t;

typedef struct arena {
  ProtobufCAllocator allocator;
  block_t *first, *last;
  size_t next_size;
  size_t budget; /* bytes one unpacking may still allocate */
} arena_t;

#if defined(__has_feature) /* Clang's way of saying it */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
/* A block for each piece, so that reading past one is seen. */
static size_t block_size(arena_t *arena, size_t piece) {
  (void)arena;
  return piece;
}
#else
static size_t block_size(arena_t *arena, size_t piece) {
  const size_t most = 64u << 10;
  size_t size = arena->next_size < most ? arena->next_size : most;
  arena->next_size *= 2;
  return piece > size ? piece : size;
}
#endif

static bool add_block(arena_t *arena, size_t size) {
  size_t wanted = block_size(arena, size);
  block_t *block = cmox_malloc(sizeof *block + wanted);
  if (!block) return false;
  *block = (block_t){.free = (uint8_t *)block->pieces, .left = wanted};
  if (arena->last)
    arena->last->next = block;
  else
    arena->first = block;
  arena->last = block;
  return true;
}

static void *arena_alloc(void *context, size_t size) {
  arena_t *arena = context;
  if (size > arena->budget) return NULL;
  arena->budget -= size;
  size = (size + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
  if ((!arena->last || arena->last->left < size) && !add_block(arena, size)) return NULL;
  void *piece = arena->last->free;
  arena->last->free += size;
  arena->last->left -= size;
  return piece;
}

static void arena_free(void *context, void *piece) {
  (void)context;
  (void)piece;
}

static void free_blocks(block_t *block) {
  while (block) {
    block_t *next = block->next;
    cmox_free_block(block);
    block = next;
  }
}

cmox_code_t cmox_wire_unpack(const ProtobufCMessageDescriptor *type, cmox_span_t bytes,
                             ProtobufCMessage **out, cmox_error_t *error) {
  *out = NULL;
  const char *why = "";
  cmox_code_t code = cmox_precheck(type, bytes.data, bytes.len, &cmox_precheck_defaults, &why);
  if (code != CMOX_OK) return cmox_fail(error, code, "%s: %s", type->name, why);
  arena_t arena = {.budget = cmox_precheck_defaults.memory};
  arena.next_size = 512 + type->sizeof_message + bytes.len + bytes.len / 4;
  arena.allocator = (ProtobufCAllocator){arena_alloc, arena_free, &arena};
  ProtobufCMessage *message =
      protobuf_c_message_unpack(type, &arena.allocator, bytes.len, bytes.data);
  if (message && (void *)message == (void *)arena.first->pieces) {
    *out = message;
    return CMOX_OK;
  }
  free_blocks(arena.first);
  if (message) return cmox_fail(error, CMOX_E_INTERNAL, "%s: unpacked oddly", type->name);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "%s: out of memory", type->name);
}

void cmox_wire_free(ProtobufCMessage *message) {
  if (message) free_blocks((block_t *)((uint8_t *)message - offsetof(block_t, pieces)));
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
