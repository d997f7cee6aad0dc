#include "server/model/mask.h"

#include <strings.h>

static const char *const secret_words[] =
    {
        "password",   "passwd",        "passphrase", "secret",      "token",
        "api-key",    "api_key",       "apikey",     "private-key", "private_key",
        "credential", "authorization", "_pwd"}; /* MYSQL_PWD; PWD itself is the working directory */
static const char first_letters[] = "pPsStTaAcC_";

enum { PARTS_MAX = 16, QUOTED_NAME_MAX = 128 };

static const cmox_span_t mask = {(const uint8_t *)"***", 3};

static bool is_masked(cmox_span_t value) { return cmox_span_equal(value, mask); }

bool cmox_secret_name(cmox_span_t name) {
  for (size_t i = 0; i < name.len; i++) {
    if (!memchr(first_letters, name.data[i], sizeof first_letters - 1)) continue;
    for (size_t w = 0; w < sizeof secret_words / sizeof *secret_words; w++) {
      size_t len = strlen(secret_words[w]);
      if (len <= name.len - i &&
          strncasecmp((const char *)name.data + i, secret_words[w], len) == 0)
        return true;
    }
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

/* scheme://USERINFO@host: a password, or a token that stands alone. */
static cmox_span_t url_userinfo(cmox_span_t arg) {
  const uint8_t *scheme = memmem(arg.data, arg.len, "://", 3);
  if (!scheme) return cmox_span(NULL, 0);
  size_t start = (size_t)(scheme - arg.data) + 3;
  size_t colon = 0;
  size_t at = 0;
  for (size_t i = start; i < arg.len && !memchr("/?#", arg.data[i], 3); i++) {
    if (arg.data[i] == ':' && !colon && !at) colon = i;
    if (arg.data[i] == '@') at = i;
  }
  if (!at) return cmox_span(NULL, 0);
  size_t from_byte = colon && colon < at ? colon + 1 : start;
  return cmox_span(arg.data + from_byte, at - from_byte);
}

/* ?name=VALUE and &name=VALUE, where the name looks secret. */
static cmox_span_t query_value(cmox_span_t arg) {
  for (size_t i = 0; i < arg.len; i++) {
    if (arg.data[i] != '?' && arg.data[i] != '&') continue;
    cmox_span_t pair = from(arg, i + 1);
    size_t name = keyed_name(pair);
    if (!name || pair.data[name] != '=' || !cmox_secret_name(cmox_span(pair.data, name))) continue;
    cmox_span_t value = from(pair, name + 1);
    const uint8_t *end = value.len ? memchr(value.data, '&', value.len) : NULL;
    if (end) value.len = (size_t)(end - value.data);
    if (!is_masked(value)) return value;
  }
  return cmox_span(NULL, 0);
}

/* Authorization: VALUE and Cookie: VALUE, also behind --header=. */
static cmox_span_t header_value(cmox_span_t arg) {
  static const char *const headers[] = {"authorization:", "cookie:", "x-api-key:"};
  for (size_t h = 0; h < sizeof headers / sizeof *headers; h++) {
    size_t len = strlen(headers[h]);
    for (size_t i = 0; i + len < arg.len; i++)
      if ((arg.data[i] | 0x20) == headers[h][0] &&
          strncasecmp((const char *)arg.data + i, headers[h], len) == 0)
        return from(arg, i + len);
  }
  return cmox_span(NULL, 0);
}

/* NAME=VALUE and NAME: VALUE, also where it is the value of another one: --env=NAME=VALUE. */
static cmox_span_t keyed_value(cmox_span_t arg) {
  for (size_t name; (name = keyed_name(arg)) > 0; arg = from(arg, name + 1))
    if (cmox_secret_name(cmox_span(arg.data, name))) return from(arg, name + 1);
  return cmox_span(NULL, 0);
}

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* The name in quotes that ends before `colon`; empty: there is none. */
static cmox_span_t quoted_name(cmox_span_t arg, size_t colon) {
  size_t end = colon;
  while (end > 0 && is_blank(arg.data[end - 1])) end--;
  if (end < 2 || (arg.data[end - 1] != '"' && arg.data[end - 1] != '\'')) return cmox_span(NULL, 0);
  size_t start = --end;
  while (start > 0 && end - start < QUOTED_NAME_MAX && arg.data[start - 1] != arg.data[end])
    start--;
  return cmox_span(arg.data + start, end - start);
}

/* What stands behind the colon of a member: the inside of a text, a word; of an object or a list,
 * whose end only a parser finds, all that is left. */
static cmox_span_t member_value(cmox_span_t text) {
  size_t start = 0;
  while (start < text.len && is_blank(text.data[start])) start++;
  cmox_span_t value = from(text, start);
  if (value.len == 0 || value.data[0] == '{' || value.data[0] == '[') return value;
  uint8_t quote = value.data[0];
  bool quoted = quote == '"' || quote == '\'';
  if (quoted) value = from(value, 1);
  size_t len = 0;
  for (; len < value.len; len++) {
    uint8_t c = value.data[len];
    if (quoted ? c == quote : is_blank(c) || memchr(",}]", c, 3)) break;
    if (quoted && c == '\\' && len + 1 < value.len) len++;
  }
  value.len = len;
  return value;
}

/* "NAME": VALUE, a member of a JSON object, also of one that is a text in another. */
static cmox_span_t json_value(cmox_span_t arg) {
  for (size_t i = 0; i < arg.len; i++) {
    if (arg.data[i] != ':' || !cmox_secret_name(quoted_name(arg, i))) continue;
    cmox_span_t value = member_value(from(arg, i + 1));
    if (value.len && !is_masked(value)) return value;
  }
  return cmox_span(NULL, 0);
}

/* What stands behind an option and is another one, not its value: "--all", "-a". */
static bool is_option(cmox_span_t arg) {
  return arg.len >= 2 && arg.data[0] == '-' && (arg.data[1] == '-' || arg.len == 2);
}

cmox_span_t cmox_secret_part(cmox_span_list_t args, size_t index) {
  cmox_span_t arg = args.items[index];
  if (arg.len == 0 || is_masked(arg)) return cmox_span(NULL, 0);
  cmox_span_t header = header_value(arg);
  if (header.len) return is_masked(header) ? cmox_span(NULL, 0) : header;
  cmox_span_t keyed = keyed_value(arg);
  if (keyed.len) return is_masked(keyed) ? cmox_span(NULL, 0) : keyed;
  if (index > 0 && !is_option(arg)) {
    cmox_span_t before = args.items[index - 1];
    if (before.len > 2 && before.data[0] == '-' && keyed_name(before) == 0 &&
        cmox_secret_name(before))
      return arg;
  }
  cmox_span_t member = json_value(arg);
  if (member.len) return member;
  cmox_span_t query = query_value(arg);
  if (query.len) return query;
  cmox_span_t userinfo = url_userinfo(arg);
  return is_masked(userinfo) ? cmox_span(NULL, 0) : userinfo;
}

/* `text` with its first secret part masked; false when it has none. */
static bool mask_first(cmox_span_t before, cmox_span_t text, cmox_buf_t *out) {
  cmox_span_t pair[2] = {before, text};
  cmox_span_t secret = cmox_secret_part((cmox_span_list_t){pair, 2}, 1);
  if (secret.len == 0) return false;
  size_t start = (size_t)(secret.data - text.data);
  cmox_buf_append(out, text.data, start);
  cmox_buf_append_span(out, mask);
  cmox_buf_append(out, secret.data + secret.len, text.len - start - secret.len);
  return true;
}

bool cmox_mask_argument(cmox_span_list_t args, size_t index, cmox_buf_t *out) {
  if (cmox_secret_part(args, index).len == 0) return false;
  cmox_span_t before = index > 0 ? args.items[index - 1] : cmox_span(NULL, 0);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_t next = CMOX_BUF_EMPTY;
  unsigned parts = 0;
  cmox_buf_append_span(&text, args.items[index]);
  while (parts < PARTS_MAX && mask_first(before, cmox_buf_span(&text), &next)) {
    cmox_buf_clear(&text);
    text = next;
    next = CMOX_BUF_EMPTY;
    parts++;
  }
  bool failed = text.failed || next.failed;
  if (parts == PARTS_MAX || failed) /* more than anybody writes: show nothing of it */
    cmox_buf_append_span(out, mask);
  else if (parts)
    cmox_buf_append_span(out, cmox_buf_span(&text));
  cmox_buf_clear(&text);
  cmox_buf_clear(&next);
  return parts > 0 || failed;
}

bool cmox_mask_text(cmox_span_t text, cmox_buf_t *out) {
  cmox_buf_t all = CMOX_BUF_EMPTY;
  bool any = false;
  for (size_t start = 0; start < text.len;) {
    const uint8_t *end = memchr(text.data + start, '\n', text.len - start);
    size_t stop = end ? (size_t)(end - text.data) : text.len;
    size_t indent = start;
    while (indent < stop && (is_blank(text.data[indent]) || text.data[indent] == '-')) indent++;
    cmox_buf_append(&all, text.data + start, indent - start);
    cmox_span_t line = cmox_span(text.data + indent, stop - indent);
    if (cmox_mask_argument((cmox_span_list_t){&line, 1}, 0, &all))
      any = true;
    else
      cmox_buf_append_span(&all, line);
    if (end) cmox_buf_putc(&all, '\n');
    start = stop + 1;
  }
  if (all.failed)
    cmox_buf_append_span(out, mask);
  else if (any)
    cmox_buf_append_span(out, cmox_buf_span(&all));
  any |= all.failed;
  cmox_buf_clear(&all);
  return any;
}
