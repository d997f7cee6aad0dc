/* A frame in words: `id=1 request={method=... payload={command=git argv=git argv=status ...}}`.
 *
 * The bytes are walked beside their descriptor, without unpacking: nothing is allocated (but to
 * mask an argument), and what is malformed is shown up to where it is. The payload of a request is
 * read as the method's input, that of a notification as what its topic names.
 *
 * It fails closed: only the fields of these two lists are shown as text, arguments masked as
 * reports mask them. Of all others, and of whatever the schema gains, only the length or
 * the count is. So streams, environments, matchers, reports and tokens are never there. */
#include "server/rpc/transcript.h"

#include <inttypes.h>

#include "cmdmox/v1/callback.pb-c.h"
#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"
#include "server/base/quote.h"
#include "server/model/mask.h"

enum { DEPTH_MAX = 8, SHOWN_MAX = 80, SESSION_SHOWN = 4 };

static const char *const shown_bytes[] = {
    "command", "commands", "argv", "cwd", "shim_directory", "temporary_directory", "program"};
static const char *const shown_strings[] = {"method", "topic",  "reason", "software", "features",
                                            "file",   "signal", "gate",   "label",    "dialect"};

typedef struct walk {
  cmox_buf_t *out;
  const ProtobufCMessageDescriptor *payload; /* what the next payload holds; NULL: not known */
  unsigned depth;
} walk_t;

/* One field as it stands on the wire. */
typedef struct item {
  const ProtobufCFieldDescriptor *field; /* NULL: newer than this engine */
  uint32_t number;
  unsigned wire;
  uint64_t value;
  cmox_span_t bytes; /* of a length-delimited one */
} item_t;

enum { WIRE_VARINT, WIRE_FIXED64, WIRE_DELIMITED, WIRE_FIXED32 = 5 };

static bool take_varint(cmox_span_t *rest, uint64_t *out) {
  *out = 0;
  for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
    uint8_t byte = *rest->data;
    *rest = cmox_span(rest->data + 1, rest->len - 1);
    *out |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

static bool take_bytes(cmox_span_t *rest, uint64_t len, cmox_span_t *out) {
  if (len > rest->len) return false;
  *out = cmox_span(rest->data, (size_t)len);
  *rest = cmox_span(rest->data + len, rest->len - (size_t)len);
  return true;
}

static bool take_item(const ProtobufCMessageDescriptor *type, cmox_span_t *rest, item_t *item) {
  uint64_t tag = 0;
  uint64_t len = 0;
  *item = (item_t){0};
  if (!take_varint(rest, &tag) || tag >> 3 > UINT32_MAX) return false;
  item->number = (uint32_t)(tag >> 3);
  item->wire = tag & 7;
  item->field = protobuf_c_message_descriptor_get_field(type, item->number);
  switch (item->wire) {
    case WIRE_VARINT:
      return take_varint(rest, &item->value);
    case WIRE_DELIMITED:
      return take_varint(rest, &len) && take_bytes(rest, len, &item->bytes);
    case WIRE_FIXED64:
    case WIRE_FIXED32:
      len = item->wire == WIRE_FIXED64 ? 8 : 4;
      if (!take_bytes(rest, len, &item->bytes)) return false;
      for (size_t i = (size_t)len; i-- > 0;) item->value = item->value << 8 | item->bytes.data[i];
      return true;
    default:
      return false;
  }
}

static bool is_in(const char *const *list, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i], name) == 0) return true;
  return false;
}

static bool is_shown(const ProtobufCFieldDescriptor *field) {
  if (field->type == PROTOBUF_C_TYPE_STRING)
    return is_in(shown_strings, sizeof shown_strings / sizeof *shown_strings, field->name);
  return field->type == PROTOBUF_C_TYPE_BYTES &&
         is_in(shown_bytes, sizeof shown_bytes / sizeof *shown_bytes, field->name);
}

/* ---- Types of payloads ---- */

static const ProtobufCMessageDescriptor *input_of(cmox_span_t method) {
  static const ProtobufCServiceDescriptor *const services[] = {
      &cmdmox__v1__shim_service__descriptor, &cmdmox__v1__control_service__descriptor,
      &cmdmox__v1__callback_service__descriptor};
  for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
    cmox_span_t service = cmox_span_str(services[i]->name);
    if (!cmox_span_starts_with(method, service) || method.len <= service.len) continue;
    cmox_span_t name =
        cmox_span(method.data + service.len + 1, method.len - service.len - 1); /* behind '/' */
    for (unsigned m = 0; m < services[i]->n_methods; m++)
      if (cmox_span_equal(cmox_span_str(services[i]->methods[m].name), name))
        return services[i]->methods[m].input;
  }
  return NULL;
}

static const ProtobufCMessageDescriptor *type_of(cmox_span_t topic) {
  static const ProtobufCMessageDescriptor *const types[] = {&cmdmox__v1__completed__descriptor,
                                                            &cmdmox__v1__progress__descriptor};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (cmox_span_equal(cmox_span_str(types[i]->name), topic)) return types[i];
  return NULL;
}

/* ---- Words ---- */

static void show_text(cmox_buf_t *out, cmox_span_t before, cmox_span_t text) {
  cmox_span_t pair[] = {before, text};
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  if (cmox_mask_argument((cmox_span_list_t){pair, 2}, 1, &masked))
    text = masked.failed ? cmox_span_str("***") : cmox_buf_span(&masked);
  cmox_quote_value(out, text, SHOWN_MAX);
  cmox_buf_clear(&masked);
}

static void show_session(cmox_buf_t *out, cmox_span_t id) {
  for (size_t i = 0; i < id.len && i < SESSION_SHOWN; i++) cmox_buf_printf(out, "%02x", id.data[i]);
}

/* Numbers in one field; all that the schema packs are varints. */
static void show_packed(cmox_buf_t *out, cmox_span_t bytes) {
  uint64_t number = 0;
  const char *comma = "";
  while (bytes.len > 0 && !out->failed && take_varint(&bytes, &number)) {
    cmox_buf_printf(out, "%s%" PRIu64, comma, number);
    comma = ",";
  }
}

static void show_message(walk_t *walk, const ProtobufCMessageDescriptor *type, cmox_span_t bytes);

static void show_nested(walk_t *walk, const ProtobufCMessageDescriptor *type, cmox_span_t bytes) {
  if (!type || walk->depth == DEPTH_MAX) {
    cmox_buf_printf(walk->out, "<%zu bytes>", bytes.len);
    return;
  }
  walk->depth++;
  cmox_buf_putc(walk->out, '{');
  show_message(walk, type, bytes);
  cmox_buf_putc(walk->out, '}');
  walk->depth--;
}

static void show_delimited(walk_t *walk, const item_t *item, cmox_span_t before) {
  const ProtobufCFieldDescriptor *field = item->field;
  if (field->type == PROTOBUF_C_TYPE_MESSAGE)
    show_nested(walk, field->descriptor, item->bytes);
  else if (strcmp(field->name, "payload") == 0)
    show_nested(walk, walk->payload, item->bytes);
  else if (strcmp(field->name, "session_id") == 0)
    show_session(walk->out, item->bytes);
  else if (is_shown(field))
    show_text(walk->out, before, item->bytes);
  else if (field->type == PROTOBUF_C_TYPE_BYTES || field->type == PROTOBUF_C_TYPE_STRING)
    cmox_buf_printf(walk->out, "<%zu bytes>", item->bytes.len);
  else
    show_packed(walk->out, item->bytes);
  if (strcmp(field->name, "method") == 0) walk->payload = input_of(item->bytes);
  if (strcmp(field->name, "topic") == 0) walk->payload = type_of(item->bytes);
}

static void show_scalar(cmox_buf_t *out, const item_t *item) {
  const ProtobufCEnumValue *name = NULL;
  if (item->field->type == PROTOBUF_C_TYPE_ENUM)
    name = protobuf_c_enum_descriptor_get_value(item->field->descriptor, (int)item->value);
  if (name)
    cmox_buf_puts(out, name->name);
  else
    cmox_buf_printf(out, "%" PRIu64, item->value);
}

/* An environment has many entries: they are counted. */
static bool is_counted(const ProtobufCFieldDescriptor *field) {
  return field && field->label == PROTOBUF_C_LABEL_REPEATED &&
         field->type == PROTOBUF_C_TYPE_BYTES && !is_shown(field);
}

static void show_message(walk_t *walk, const ProtobufCMessageDescriptor *type, cmox_span_t bytes) {
  cmox_buf_t *out = walk->out;
  item_t before = {0};
  const char *space = "";
  size_t counted = 0;
  while (bytes.len > 0 && !out->failed) {
    item_t item;
    bool fine = take_item(type, &bytes, &item);
    if (counted > 0 && (!fine || item.field != before.field)) {
      cmox_buf_printf(out, "<%zu entries>", counted);
      counted = 0;
    }
    if (!fine) {
      cmox_buf_printf(out, "%s<malformed>", space);
      return;
    }
    bool same = before.field && item.field == before.field;
    if (counted == 0) {
      if (item.field)
        cmox_buf_printf(out, "%s%s=", space, item.field->name);
      else
        cmox_buf_printf(out, "%s%u=<unknown>", space, item.number);
    }
    if (is_counted(item.field))
      counted++;
    else if (item.field && item.wire == WIRE_DELIMITED)
      show_delimited(walk, &item, same ? before.bytes : cmox_span(NULL, 0));
    else if (item.field)
      show_scalar(out, &item);
    before = item;
    space = " ";
  }
  if (counted > 0) cmox_buf_printf(out, "<%zu entries>", counted);
}

void cmox_transcript(cmox_trace_event_t event, uint64_t link, cmox_span_t body,
                     const ProtobufCMessageDescriptor *payload) {
  const cmox_trace_value_t values[] = {cmox_trace_number(link), cmox_trace_number(body.len)};
  cmox_trace_line_t line;
  cmox_trace_begin(&line, event, values, sizeof values / sizeof *values);
  walk_t walk = {.out = &line.text, .payload = payload};
  cmox_buf_putc(walk.out, ' ');
  show_message(&walk, &cmdmox__v1__frame__descriptor, body);
  cmox_trace_end(&line);
}
