#include "proto/address.h"

#include <stdbool.h>
#include <string.h>

#include "proto/limits.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

static bool scheme_char(char c) {
  return (c >= 'a' && c <= 'z') || digit(c) || c == '+' || c == '.' || c == '-';
}

/* Length of the "word" in front of a colon; 0 when the text does not begin with one. */
static size_t scheme_length(const char *text, size_t len) {
  if (text[0] < 'a' || text[0] > 'z') return 0;
  size_t n = 1;
  while (n < len && scheme_char(text[n])) n++;
  return n < len && text[n] == ':' ? n : 0;
}

static bool is(const char *text, size_t len, const char *word) {
  return strlen(word) == len && memcmp(text, word, len) == 0;
}

static cmox_code_t set_path(cmox_scheme_t scheme, const char *path, size_t len,
                            cmox_address_t *out) {
  if (len == 0) return CMOX_E_BAD_ADDRESS;
  if (scheme == CMOX_SCHEME_UNIX && len > CMOX_SOCKET_PATH_MAX) return CMOX_E_PATH_TOO_LONG;
  *out = (cmox_address_t){.scheme = scheme, .path = path, .path_len = len};
  return CMOX_OK;
}

/* HOST:PORT or [HOST]:PORT; the brackets do not belong to the host. */
static cmox_code_t set_host(const char *text, size_t len, cmox_address_t *out) {
  size_t end = len;
  while (end > 0 && digit(text[end - 1])) end--;
  const size_t digits = len - end;
  if (digits < 1 || digits > 5 || text[end] == '0') return CMOX_E_BAD_ADDRESS;
  if (end < 2 || text[end - 1] != ':') return CMOX_E_BAD_ADDRESS;

  unsigned port = 0;
  for (size_t i = end; i < len; i++) port = port * 10 + (unsigned)(text[i] - '0');
  if (port > 65535) return CMOX_E_BAD_ADDRESS;

  const char *host = text;
  size_t host_len = end - 1;
  const bool bracketed = host[0] == '[' && host[host_len - 1] == ']';
  if (bracketed) {
    if (host_len < 3) return CMOX_E_BAD_ADDRESS;
    host++;
    host_len -= 2;
  }
  for (size_t i = 0; i < host_len; i++) {
    if (host[i] == '[' || host[i] == ']') return CMOX_E_BAD_ADDRESS;
    if (host[i] == ':' && !bracketed) return CMOX_E_BAD_ADDRESS;
  }
  *out =
      (cmox_address_t){.scheme = CMOX_SCHEME_TCP, .path = host, .path_len = host_len, .port = port};
  return CMOX_OK;
}

cmox_code_t cmox_address_parse(const char *text, size_t len, cmox_address_t *out) {
  if (len == 0 || memchr(text, '\0', len)) return CMOX_E_BAD_ADDRESS;
  const size_t word = scheme_length(text, len);
  if (word == 0) return set_path(CMOX_SCHEME_UNIX, text, len, out);

  const char *rest = text + word + 1;
  const size_t rest_len = len - word - 1;
  if (is(text, word, "unix")) return set_path(CMOX_SCHEME_UNIX, rest, rest_len, out);
  if (is(text, word, "pipe")) return set_path(CMOX_SCHEME_PIPE, rest, rest_len, out);
  if (is(text, word, "tcp")) return set_host(rest, rest_len, out);
  return CMOX_E_UNSUPPORTED_SCHEME;
}
