/* Copies of what the caller gives. */
#include <string.h>

#include "client/lib/session.h"
#include "server/base/alloc.h"
#include "server/base/quote.h"

bool cmox_copy_sized(void *to, size_t size, size_t least, const void *from) {
  size_t given;
  memcpy(&given, from, sizeof given);
  if (given < least) return false;
  memset(to, 0, size);
  memcpy(to, from, given < size ? given : size);
  const unsigned char *bytes = from;
  for (size_t i = size; i < given; i++)
    if (bytes[i]) return false;
  return true;
}

char *cmox_utf8_copy(const char *text) {
  char *copy = cmox_strdup(text ? text : "");
  if (!copy) return NULL;
  for (char *at = copy; *at;) {
    size_t length = cmox_utf8_length(cmox_span_str(at));
    if (length == 0) *at = '?';
    at += length ? length : 1;
  }
  return copy;
}
