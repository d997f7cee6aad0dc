/* A request's payload comes from anybody who can connect; protobuf-c trusts it.
 *
 * The walk reads one field at a time: tag, descriptor of the field, wire type,
 * value. A sub-message opens a level whose end is known; a level that has
 * reached its end is closed. Along the way it adds up what protobuf-c is going
 * to allocate: structs, arrays, copies, and the slabs in which it remembers
 * the fields it has scanned.
 *
 * Failures: malformed bytes stop the walk at once with CMOX_E_BAD_PAYLOAD, a
 * limit with CMOX_E_TOO_COMPLEX. Stricter than protobuf asks: a tag and a length have at most
 * five bytes, and a sub-message that is not repeated comes once, because
 * protobuf-c merges the two in quadratic time and refuses some valid pairs. */
#include "proto/precheck.h"

#include <stdbool.h>
#include <string.h>

#include "proto/limits.h"

#define LEVELS_MAX 32u
#define TAG_MAX 0xffffffffu

/* protobuf-c remembers 16 fields of a message on its stack and further ones in
 * slabs of 32, 64, 128, ... times 32 bytes: never more than 64 bytes for each
 * field of a message that has more than 16. */
#define SCANNED_ON_STACK 16u
#define SCANNED_BYTES 64u
#define REQUIRED_ON_STACK 128u /* fields whose presence bits fit its stack */

const cmox_precheck_limits_t cmox_precheck_defaults = {
    CMOX_DECODE_DEPTH_MAX, CMOX_DECODE_ELEMENTS_MAX, CMOX_DECODE_MEMORY_MAX};

typedef struct level {
  const ProtobufCMessageDescriptor *type;
  const uint8_t *end;
  uint64_t seen; /* bit n: sub-message field n was there (a lint keeps us under 64 fields) */
  uint32_t scanned;
  unsigned last; /* index of the field found last */
} level_t;

typedef struct walk {
  const uint8_t *at;
  const cmox_precheck_limits_t *limits;
  size_t memory;
  uint32_t elements;
  uint32_t depth;
  cmox_code_t code;
  const char *why;
  level_t levels[LEVELS_MAX];
} walk_t;

static bool stop(walk_t *walk, cmox_code_t code, const char *why) {
  walk->code = code;
  walk->why = why;
  return false;
}

static bool bad(walk_t *walk, const char *why) { return stop(walk, CMOX_E_BAD_PAYLOAD, why); }

static bool charge(walk_t *walk, size_t bytes) {
  if (bytes > walk->limits->memory - walk->memory)
    return stop(walk, CMOX_E_TOO_COMPLEX, "needs too much memory");
  walk->memory += bytes;
  return true;
}

static bool count(walk_t *walk, size_t elements) {
  if (elements > walk->limits->elements - walk->elements)
    return stop(walk, CMOX_E_TOO_COMPLEX, "too many elements");
  walk->elements += (uint32_t)elements;
  return true;
}

static bool charge_scan(walk_t *walk, uint32_t scanned) {
  if (scanned <= SCANNED_ON_STACK) return true;
  const uint32_t fields = scanned == SCANNED_ON_STACK + 1 ? scanned : 1;
  return charge(walk, (size_t)fields * SCANNED_BYTES);
}

/* Reads a varint of at most `most` bytes. */
static bool varint(walk_t *walk, const uint8_t *end, unsigned most, uint64_t *out) {
  uint64_t value = 0;
  for (unsigned i = 0; i < most; i++) {
    if (walk->at == end) return bad(walk, "truncated varint");
    const uint8_t byte = *walk->at++;
    if (i == 9 && byte > 1) return bad(walk, "over-long varint");
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *out = value;
      return true;
    }
  }
  return bad(walk, "over-long varint");
}

static bool fixed(walk_t *walk, const uint8_t *end, size_t size) {
  if ((size_t)(end - walk->at) < size) return bad(walk, "truncated fixed-size value");
  walk->at += size;
  return true;
}

/* Length of the valid sequence that starts with the non-ASCII byte at p, 0 if there is none. */
static size_t sequence(const uint8_t *p, size_t left) {
  const uint8_t lead = p[0];
  const size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || left < len) return 0;
  uint8_t low = 0x80, high = 0xbf; /* of the second byte: no over-long forms, no surrogates */
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  return len;
}

static bool text(walk_t *walk, const uint8_t *p, size_t len) {
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
  while (len > 0) {
    uint64_t word;
    if (len >= sizeof word) {
      memcpy(&word, p, sizeof word);
      if (!((word | (word - ones)) & tops)) { /* eight bytes of 1..127 */
        p += sizeof word;
        len -= sizeof word;
        continue;
      }
    }
    if (*p == 0) return bad(walk, "NUL in a string");
    const size_t step = *p < 0x80 ? 1 : sequence(p, len);
    if (step == 0) return bad(walk, "a string is not UTF-8");
    p += step;
    len -= step;
  }
  return true;
}

static ProtobufCWireType wire_type(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
      return PROTOBUF_C_WIRE_TYPE_VARINT;
  }
}

/* Bytes an element of this type takes in the array of a repeated field. */
static size_t slot(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
      return sizeof(void *);
    default:
      return 8;
  }
}

/* Fields are sorted by number; most messages hold them in that order, so the
 * last one and its successor are tried first. */
static const ProtobufCFieldDescriptor *find(level_t *level, uint32_t number) {
  const ProtobufCFieldDescriptor *fields = level->type->fields;
  const unsigned n = level->type->n_fields;
  for (unsigned i = level->last; i < n && i < level->last + 2; i++)
    if (fields[i].id == number) {
      level->last = i;
      return &fields[i];
    }
  unsigned low = 0, high = n;
  while (low < high) {
    const unsigned middle = low + (high - low) / 2;
    if (fields[middle].id < number)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == n || fields[low].id != number) return NULL;
  level->last = low;
  return &fields[low];
}

static bool open_level(walk_t *walk, const ProtobufCMessageDescriptor *type, const uint8_t *end) {
  if (walk->depth == walk->limits->depth || walk->depth == LEVELS_MAX)
    return stop(walk, CMOX_E_TOO_COMPLEX, "nested too deeply");
  const size_t presence = type->n_fields > REQUIRED_ON_STACK ? type->n_fields : 0;
  walk->levels[walk->depth++] = (level_t){.type = type, .end = end};
  return charge(walk, type->sizeof_message + presence);
}

static bool packed(walk_t *walk, ProtobufCType type, const uint8_t *end) {
  const ProtobufCWireType wire = wire_type(type);
  size_t n = 0;
  for (; walk->at < end; n++) {
    uint64_t value;
    bool ok;
    if (type == PROTOBUF_C_TYPE_BOOL) { /* protobuf-c takes it for one byte, 0 or 1 */
      ok = *walk->at++ <= 1 || bad(walk, "bad packed bool");
    } else if (wire == PROTOBUF_C_WIRE_TYPE_VARINT) {
      ok = varint(walk, end, 10, &value);
    } else {
      ok = fixed(walk, end, wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8);
    }
    if (!ok) return false;
  }
  return count(walk, n) && charge(walk, n * slot(type));
}

/* The value of a known field with wire type LEN. */
static bool delimited(walk_t *walk, level_t *level, const ProtobufCFieldDescriptor *field,
                      const uint8_t *end) {
  const size_t len = (size_t)(end - walk->at);
  switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
      if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        const uint64_t bit = UINT64_C(1) << (level->last & 63);
        if (level->seen & bit) return bad(walk, "a single sub-message comes twice");
        level->seen |= bit;
      }
      return open_level(walk, field->descriptor, end);
    case PROTOBUF_C_TYPE_STRING:
      if (!charge(walk, len + 1) || !text(walk, walk->at, len)) return false;
      break;
    default:
      if (!charge(walk, len)) return false;
  }
  walk->at = end;
  return true;
}

static bool value_of(walk_t *walk, level_t *level, const ProtobufCFieldDescriptor *field,
                     ProtobufCWireType wire) {
  const bool repeated = field && field->label == PROTOBUF_C_LABEL_REPEATED;
  const bool is_packed = repeated && wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
                         wire_type(field->type) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
  if (field && wire != wire_type(field->type) && !is_packed) return bad(walk, "wrong wire type");
  if ((repeated && !is_packed) || !field)
    if (!count(walk, 1) ||
        !charge(walk, field ? slot(field->type) : sizeof(ProtobufCMessageUnknownField)))
      return false;

  const uint8_t *start = walk->at, *end = level->end;
  uint64_t value;
  switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
      if (!varint(walk, end, 10, &value)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
      if (!fixed(walk, end, 8)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
      if (!fixed(walk, end, 4)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
      if (!varint(walk, end, 5, &value)) return false;
      if (value > (uint64_t)(end - walk->at)) return bad(walk, "longer than what holds it");
      if (is_packed) return packed(walk, field->type, walk->at + value);
      if (field) return delimited(walk, level, field, walk->at + value);
      walk->at += value;
      break;
    default:
      return bad(walk, "group or unknown wire type");
  }
  return field || charge(walk, (size_t)(walk->at - start));
}

static bool field_at(walk_t *walk, level_t *level) {
  uint64_t tag;
  if (!varint(walk, level->end, 5, &tag)) return false;
  if (tag > TAG_MAX || tag >> 3 == 0) return bad(walk, "bad field number");
  if (!charge_scan(walk, ++level->scanned)) return false;
  return value_of(walk, level, find(level, (uint32_t)(tag >> 3)), (ProtobufCWireType)(tag & 7));
}

cmox_code_t cmox_precheck(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
                          const cmox_precheck_limits_t *limits, const char **why) {
  static const uint8_t nothing[1];
  walk_t walk; /* the levels are set when they are opened */
  walk.at = len ? data : nothing;
  walk.limits = limits;
  walk.memory = 0;
  walk.elements = 0;
  walk.depth = 0;
  walk.code = CMOX_OK;
  walk.why = NULL;

  bool going = open_level(&walk, type, walk.at + len);
  while (going && walk.depth > 0) {
    level_t *level = &walk.levels[walk.depth - 1];
    if (walk.at == level->end)
      walk.depth--;
    else
      going = field_at(&walk, level);
  }
  if (why) *why = walk.why;
  return walk.code;
}
