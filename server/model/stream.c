#include "server/model/stream.h"

#include "proto/limits.h"
#include "server/base/alloc.h"

/* The stream has outgrown memory: from here on it has a digest, and a place if there is one. */
static bool outgrow(cmox_stream_t *stream) {
  if (stream->digest) return true;
  stream->digest = cmox_malloc(sizeof *stream->digest);
  if (!stream->digest) return false;
  SHA256Init(stream->digest);
  SHA256Update(stream->digest, stream->memory.data, stream->memory.len);
  cmox_spill_t *spill = stream->spill;
  stream->place = spill ? spill->begin(spill) : 0;
  if (stream->place == 0) return true;
  if (spill->append(spill, stream->place, 0, cmox_buf_span(&stream->memory))) {
    cmox_buf_clear(&stream->memory);
    return true;
  }
  spill->end(spill, stream->place, 0);
  stream->place = 0;
  return true;
}

bool cmox_stream_append(cmox_stream_t *stream, cmox_span_t bytes) {
  if (bytes.len == 0) return true;
  bool fits = !stream->digest && bytes.len <= CMOX_STREAM_MEMORY_MAX - stream->memory.len;
  if (fits) {
    if (!cmox_buf_reserve(&stream->memory, bytes.len)) return stream->memory.failed = false;
    cmox_buf_append_span(&stream->memory, bytes);
    stream->length += bytes.len;
    stream->kept += bytes.len;
    return true;
  }
  if (!outgrow(stream)) return false;
  SHA256Update(stream->digest, bytes.data, bytes.len);
  bool unbroken = cmox_stream_whole(stream) && stream->place;
  stream->length += bytes.len;
  if (!unbroken) return true;
  uint64_t room = CMOX_SPILL_STREAM_MAX - stream->kept;
  if (bytes.len > room) bytes.len = (size_t)room;
  if (stream->spill->append(stream->spill, stream->place, stream->kept, bytes))
    stream->kept += bytes.len;
  return true;
}

void cmox_stream_clear(cmox_stream_t *stream) {
  if (stream->place) stream->spill->end(stream->spill, stream->place, stream->kept);
  cmox_buf_clear(&stream->memory);
  cmox_free_block(stream->digest);
  *stream = (cmox_stream_t){.spill = stream->spill};
}

cmox_span_t cmox_stream_bytes(const cmox_stream_t *stream) {
  if (stream->place == 0) return cmox_buf_span(&stream->memory);
  return stream->spill->map(stream->spill, stream->place, (size_t)stream->kept);
}

void cmox_stream_done(const cmox_stream_t *stream, cmox_span_t bytes) {
  if (stream->place && bytes.data) stream->spill->unmap(stream->spill, bytes);
}

void cmox_stream_digest(const cmox_stream_t *stream, uint8_t digest[CMOX_DIGEST_BYTES]) {
  if (!stream->digest) {
    cmox_digest(cmox_buf_span(&stream->memory), digest);
    return;
  }
  SHA2_CTX copy = *stream->digest;
  SHA256Final(digest, &copy);
}

void cmox_digest(cmox_span_t bytes, uint8_t digest[CMOX_DIGEST_BYTES]) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, bytes.data, bytes.len);
  SHA256Final(digest, &context);
}
