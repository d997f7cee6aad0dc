#include "server/model/mask.h"

#include <strings.h>

static const char *const secret_words[] = {
    "password", "passwd", "passphrase",  "secret",      "token",      "api-key",
    "api_key",  "apikey", "private-key", "private_key", "credential", "authorization"};

static bool names_secret(cmox_span_t name) {
  for (size_t w = 0; w < sizeof secret_words / sizeof *secret_words; w++) {
    size_t len = strlen(secret_words[w]);
    for (size_t i = 0; i + len <= name.len; i++)
      if (strncasecmp((const char *)name.data + i, secret_words[w], len) == 0) return true;
  }
  return false;
}

static bool is_name_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

/* The length of the name that stands before '=' or ':', 0 when there is none. */
static size_t keyed_name(cmox_span_t arg) {
  size_t i = 0;
  while (i < arg.len && is_name_byte(arg.data[i])) i++;
  return i < arg.len && (arg.data[i] == '=' || arg.data[i] == ':') ? i : 0;
}

static cmox_span_t from(cmox_span_t text, size_t start) {
  return cmox_span(text.data + start, text.len - start);
}

static cmox_span_t url_password(cmox_span_t arg) {
  const uint8_t *scheme = memmem(arg.data, arg.len, "://", 3);
  if (!scheme) return cmox_span(NULL, 0);
  size_t start = (size_t)(scheme - arg.data) + 3;
  size_t colon = 0;
  size_t at = 0;
  for (size_t i = start; i < arg.len && arg.data[i] != '/' && arg.data[i] != '?'; i++) {
    if (arg.data[i] == ':' && !colon) colon = i;
    if (arg.data[i] == '@') at = i;
  }
  if (!colon || at <= colon) return cmox_span(NULL, 0);
  return cmox_span(arg.data + colon + 1, at - colon - 1);
}

cmox_span_t cmox_secret_part(cmox_span_list_t args, size_t index) {
  cmox_span_t arg = args.items[index];
  if (arg.len == 0) return arg;
  size_t name = keyed_name(arg);
  if (name && names_secret(cmox_span(arg.data, name))) return from(arg, name + 1);
  if (index > 0 && arg.data[0] != '-') {
    cmox_span_t before = args.items[index - 1];
    if (before.len > 2 && before.data[0] == '-' && keyed_name(before) == 0 && names_secret(before))
      return arg;
  }
  return url_password(arg);
}

bool cmox_mask_argument(cmox_span_list_t args, size_t index, cmox_buf_t *out) {
  cmox_span_t secret = cmox_secret_part(args, index);
  if (secret.len == 0) return false;
  cmox_span_t arg = args.items[index];
  size_t before = (size_t)(secret.data - arg.data);
  cmox_buf_append(out, arg.data, before);
  cmox_buf_puts(out, "***");
  cmox_buf_append(out, secret.data + secret.len, arg.len - before - secret.len);
  return true;
}
