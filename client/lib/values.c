/* Copies of what the caller gives. */
#include <string.h>

#include "client/lib/session.h"
#include "server/base/alloc.h"

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

/* Length of the well-formed UTF-8 sequence at text, 0 when there is none. */
static size_t sequence(const unsigned char *text) {
  static const struct {
    unsigned char low, high, second_low, second_high;
    size_t length;
  } rows[] = {
      {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
      {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
      {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (text[0] < rows[i].low || text[0] > rows[i].high) continue;
    if (rows[i].length == 1) return 1;
    if (text[1] < rows[i].second_low || text[1] > rows[i].second_high) return 0;
    for (size_t k = 2; k < rows[i].length; k++)
      if ((text[k] & 0xc0) != 0x80) return 0;
    return rows[i].length;
  }
  return 0;
}

char *cmox_utf8_copy(const char *text) {
  char *copy = cmox_strdup(text ? text : "");
  if (!copy) return NULL;
  for (unsigned char *at = (unsigned char *)copy; *at;) {
    size_t length = sequence(at);
    if (length == 0) *at = '?';
    at += length ? length : 1;
  }
  return copy;
}
