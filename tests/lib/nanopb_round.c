#include "tests/lib/nanopb_round.h"

#include <check.h>
#include <pb_common.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#include <cmdmox/v1/frame.pb.h>
#include <cmdmox/v1/shim.pb.h>

#define VALUES_MAX 64
#define FIELDS_MAX 32

/* What one callback field held: LEN values in order. */
typedef struct capture {
  struct {
    const uint8_t *data;
    size_t len;
  } values[VALUES_MAX];
  size_t n;
} capture_t;

typedef struct round {
  capture_t captures[FIELDS_MAX];
  size_t n;
  bool encoding;
} round_t;

typedef struct known_type {
  const char *name;
  const pb_msgdesc_t *type;
  size_t size;
} known_type_t;

#define KNOWN(name) \
  { "cmdmox.v1." #name, cmdmox_v1_##name##_fields, sizeof(cmdmox_v1_##name) }
static const known_type_t known[] = {
    KNOWN(Frame),
    KNOWN(InvokeRequest),
    KNOWN(InvokeResponse),
    KNOWN(ContinueInvokeRequest),
    KNOWN(ContinueInvokeResponse),
    KNOWN(ReportPassthroughRequest),
    KNOWN(ReportPassthroughResponse),
    KNOWN(Completed),
    KNOWN(Progress),
};

static const known_type_t *find(const char *name) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].name, name) == 0) return &known[i];
  return NULL;
}

bool cmox_test_nanopb_knows(const char *type) { return find(type) != NULL; }

static size_t round_trip(const pb_msgdesc_t *type, size_t size, const uint8_t *data, size_t len,
                         uint8_t *out, size_t capacity);

static bool take(pb_istream_t *stream, const pb_field_t *field, void **arg) {
  capture_t *capture = *arg;
  const size_t len = stream->bytes_left;
  const uint8_t *data = stream->state; /* of a memory stream: where it stands */
  ck_assert_uint_lt(capture->n, VALUES_MAX);
  capture->values[capture->n].data = data;
  capture->values[capture->n++].len = len;
  if (PB_LTYPE(field->type) == PB_LTYPE_SUBMESSAGE) {
    uint8_t again[512];
    const size_t n = round_trip(field->submsg_desc, 512, data, len, again, sizeof again);
    ck_assert_uint_eq(n, len);
    ck_assert_mem_eq(again, data, len);
  }
  return pb_read(stream, NULL, len);
}

static bool give(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
  const capture_t *capture = *arg;
  for (size_t i = 0; i < capture->n; i++)
    if (!pb_encode_tag_for_field(stream, field) ||
        !pb_encode_string(stream, capture->values[i].data, capture->values[i].len))
      return false;
  return true;
}

/* Points every callback of the message, and of the messages in it, at its capture. */
static void attach(const pb_msgdesc_t *type, void *message, round_t *round) {
  pb_field_iter_t iter;
  if (!pb_field_iter_begin(&iter, type, message)) return;
  do {
    if (PB_ATYPE(iter.type) == PB_ATYPE_CALLBACK) {
      ck_assert_uint_lt(round->n, FIELDS_MAX);
      pb_callback_t *callback = iter.pData;
      callback->arg = &round->captures[round->n++];
      if (round->encoding)
        callback->funcs.encode = give;
      else
        callback->funcs.decode = take;
    } else if (PB_LTYPE_IS_SUBMSG(iter.type)) {
      attach(iter.submsg_desc, iter.pData, round);
    }
  } while (pb_field_iter_next(&iter));
}

static size_t round_trip(const pb_msgdesc_t *type, size_t size, const uint8_t *data, size_t len,
                         uint8_t *out, size_t capacity) {
  _Alignas(max_align_t) uint8_t message[4096] = {0};
  ck_assert_uint_le(size, sizeof message);
  round_t round = {.encoding = false};
  attach(type, message, &round);
  pb_istream_t in = pb_istream_from_buffer(data, len);
  ck_assert_msg(pb_decode(&in, type, message), "nanopb: %s", PB_GET_ERROR(&in));

  round.n = 0;
  round.encoding = true;
  attach(type, message, &round);
  pb_ostream_t stream = pb_ostream_from_buffer(out, capacity);
  ck_assert_msg(pb_encode(&stream, type, message), "nanopb: %s", PB_GET_ERROR(&stream));
  return stream.bytes_written;
}

size_t cmox_test_nanopb_round(const char *type, const uint8_t *data, size_t len, uint8_t *out,
                              size_t capacity) {
  const known_type_t *entry = find(type);
  ck_assert_ptr_nonnull(entry);
  return round_trip(entry->type, entry->size, data, len, out, capacity);
}
