/* What a call is answered with; shared by the double that says it and the calls that got it. */
#ifndef CMOX_MODEL_REPLY_H
#define CMOX_MODEL_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/span.h"

/* A piece of stdout or stderr that is written on its own, so long after the one before. */
typedef struct cmox_reply_chunk {
  bool to_stderr;
  size_t len; /* bytes; 0: a pause */
  uint32_t delay_ms;
} cmox_reply_chunk_t;

typedef struct cmox_reply_file {
  cmox_span_t path; /* from the cwd of the call */
  cmox_span_t content;
  uint32_t mode; /* permission bits; 0: those of the umask */
} cmox_reply_file_t;

/* First the chunks, after delay_ms the files, then what is left of out and err. */
typedef struct cmox_reply_data {
  size_t references;
  cmox_span_t out; /* these point into the same block */
  cmox_span_t err;
  const char *signal; /* "SIGTERM"; NULL: exits */
  uint32_t exit_code;
  bool hang;
  uint32_t delay_ms;
  const cmox_reply_chunk_t *chunks; /* of the front of out and of err */
  size_t chunk_count;
  const cmox_reply_file_t *files;
  size_t file_count;
} cmox_reply_data_t;

/* A copy of *content with one reference, signal of at most 31 bytes; NULL when memory is out. */
cmox_reply_data_t *cmox_reply_new(const cmox_reply_data_t *content);
cmox_reply_data_t *cmox_reply_ref(cmox_reply_data_t *reply);
void cmox_reply_unref(cmox_reply_data_t *reply); /* NULL is fine */

/* Whether this is a signal's name: "SIGTERM", "SIGRTMIN+3". Names differ
 * between platforms, so any SIG[A-Z0-9]+ (with +n or -n) passes. */
bool cmox_signal_name_ok(cmox_span_t name);

#endif
