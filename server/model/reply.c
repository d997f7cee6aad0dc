#include "server/model/reply.h"

#include <string.h>

#include "server/base/alloc.h"

cmox_reply_data_t *cmox_reply_new(const cmox_reply_data_t *content) {
  size_t signal_len = content->signal ? strlen(content->signal) + 1 : 0;
  cmox_reply_data_t *reply =
      cmox_malloc(sizeof *reply + content->out.len + content->err.len + signal_len);
  if (!reply) return NULL;
  *reply = *content;
  reply->references = 1;
  uint8_t *at = (uint8_t *)(reply + 1);
  if (content->out.len) memcpy(at, content->out.data, content->out.len);
  reply->out.data = at;
  at += content->out.len;
  if (content->err.len) memcpy(at, content->err.data, content->err.len);
  reply->err.data = at;
  at += content->err.len;
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
