/* What a stream of a call brought. A short one is in memory; a longer one goes to the spill, whole,
 * up to a cap; of what is beyond that, length and digest are known. */
#ifndef CMOX_MODEL_STREAM_H
#define CMOX_MODEL_STREAM_H

#include <sha2.h>

#include "server/base/buf.h"
#include "server/model/spill.h"

#define CMOX_DIGEST_BYTES 32u /* SHA-256 */

typedef struct cmox_stream {
  uint64_t length; /* of the whole stream, bytes */
  uint64_t kept;   /* its first bytes, in memory or in the spill */
  cmox_buf_t memory;
  cmox_spill_t *spill; /* borrowed; NULL: there is none */
  uint32_t place;      /* in the spill; 0: it is in memory */
  SHA2_CTX *digest;    /* owned; of the whole stream once it is too long for memory; else NULL */
} cmox_stream_t;

/* Adds a piece; false when memory is out, and the stream is what it was. */
bool cmox_stream_append(cmox_stream_t *stream, cmox_span_t bytes);
void cmox_stream_clear(cmox_stream_t *stream); /* frees; the stream can be used again */

/* Whether every byte of it was kept. */
static inline bool cmox_stream_whole(const cmox_stream_t *stream) {
  return stream->kept == stream->length;
}

/* What was kept, to be given back with cmox_stream_done() before the stream is appended to. Empty
 * when it cannot be read. */
cmox_span_t cmox_stream_bytes(const cmox_stream_t *stream);
void cmox_stream_done(const cmox_stream_t *stream, cmox_span_t bytes);

/* Of the whole stream, kept or not. */
void cmox_stream_digest(const cmox_stream_t *stream, uint8_t digest[CMOX_DIGEST_BYTES]);
void cmox_digest(cmox_span_t bytes, uint8_t digest[CMOX_DIGEST_BYTES]);

#endif
