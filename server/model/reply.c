#include "server/model/reply.h"

#include <string.h>

#include "server/base/alloc.h"

static cmox_span_t copy_to(uint8_t **at, cmox_span_t span) {
  cmox_span_t copy = cmox_span(*at, span.len);
  if (span.len) memcpy(*at, span.data, span.len);
  *at += span.len;
  return copy;
}

/* One block: the reply, its files, its chunks, then the bytes of all. */
cmox_reply_data_t *cmox_reply_new(const cmox_reply_data_t *content) {
  const size_t signal_len = content->signal ? strlen(content->signal) + 1 : 0;
  const size_t files_size = content->file_count * sizeof *content->files;
  const size_t chunks_size = content->chunk_count * sizeof *content->chunks;
  size_t bytes = content->out.len + content->err.len + signal_len;
  for (size_t i = 0; i < content->file_count; i++)
    bytes += content->files[i].path.len + content->files[i].content.len;
  cmox_reply_data_t *reply = cmox_malloc(sizeof *reply + files_size + chunks_size + bytes);
  if (!reply) return NULL;
  *reply = *content;
  reply->references = 1;
  cmox_reply_file_t *files = (cmox_reply_file_t *)(reply + 1);
  cmox_reply_chunk_t *chunks = (cmox_reply_chunk_t *)(files + content->file_count);
  uint8_t *at = (uint8_t *)(chunks + content->chunk_count);
  if (chunks_size) memcpy(chunks, content->chunks, chunks_size);
  for (size_t i = 0; i < content->file_count; i++)
    files[i] = (cmox_reply_file_t){copy_to(&at, content->files[i].path),
                                   copy_to(&at, content->files[i].content), content->files[i].mode};
  reply->files = files;
  reply->chunks = chunks;
  reply->out = copy_to(&at, content->out);
  reply->err = copy_to(&at, content->err);
  if (content->signal) reply->signal = memcpy(at, content->signal, signal_len);
  return reply;
}

cmox_reply_data_t *cmox_reply_ref(cmox_reply_data_t *reply) {
  reply->references++;
  return reply;
}

void cmox_reply_unref(cmox_reply_data_t *reply) {
  if (reply && --reply->references == 0) cmox_free_block(reply);
}

bool cmox_signal_name_ok(cmox_span_t name) {
  if (name.len < 5 || name.len > 31 || memcmp(name.data, "SIG", 3) != 0) return false;
  size_t i = 3;
  while (i < name.len && ((name.data[i] >= 'A' && name.data[i] <= 'Z') ||
                          (name.data[i] >= '0' && name.data[i] <= '9')))
    i++;
  if (i == 3 || i == name.len) return i == name.len && i > 3;
  if (name.data[i] != '+' && name.data[i] != '-') return false;
  size_t digits = ++i;
  while (i < name.len && name.data[i] >= '0' && name.data[i] <= '9') i++;
  return i == name.len && i > digits && i - digits <= 2;
}
