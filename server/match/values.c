/* JSON comes from Jansson with the C library's allocator: its own hooks are one setting for the
 * whole process, which belongs to the program that this engine may be embedded in. */
#include "server/match/values.h"

#include <jansson.h>
#include <strings.h>

#include "server/base/quote.h"
#include "server/model/mask.h"

enum {
  JSON_FLAGS = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
  JSON_SHOWN_MAX = 80
};

static size_t digits(cmox_span_t value, size_t at) {
  size_t start = at;
  while (at < value.len && value.data[at] >= '0' && value.data[at] <= '9') at++;
  return at - start;
}

static size_t sign(cmox_span_t value, size_t at) {
  return at < value.len && (value.data[at] == '+' || value.data[at] == '-') ? 1 : 0;
}

static bool word(cmox_span_t value, const char *text) {
  return value.len == strlen(text) && strncasecmp((const char *)value.data, text, value.len) == 0;
}

static bool is_int(cmox_span_t value) {
  size_t at = sign(value, 0);
  size_t count = digits(value, at);
  return count > 0 && at + count == value.len;
}

static bool is_float(cmox_span_t value) {
  size_t at = sign(value, 0);
  cmox_span_t rest = cmox_span(value.data ? value.data + at : NULL, value.len - at);
  if (word(rest, "inf") || word(rest, "infinity") || word(rest, "nan")) return true;
  size_t count = digits(value, at);
  at += count;
  if (at < value.len && value.data[at] == '.') {
    size_t fraction = digits(value, at + 1);
    at += 1 + fraction;
    count += fraction;
  }
  if (count == 0) return false;
  if (at < value.len && (value.data[at] | 0x20) == 'e') {
    at += 1 + sign(value, at + 1);
    size_t exponent = digits(value, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == value.len;
}

static bool is_bool(cmox_span_t value) {
  static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "1", "0"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (word(value, words[i])) return true;
  return false;
}

static json_t *load(cmox_span_t text, json_error_t *why) {
  *why = (json_error_t){.line = 1};
  if (text.len > CMOX_JSON_MAX) {
    (void)snprintf(why->text, sizeof why->text, "longer than %u bytes", CMOX_JSON_MAX);
    return NULL;
  }
  return json_loadb(text.len ? (const char *)text.data : "", text.len, JSON_FLAGS, why);
}

static bool no_memory(const json_error_t *why) {
  return json_error_code(why) == json_error_out_of_memory;
}

static cmox_accept_t yes(bool accepts) { return accepts ? CMOX_ACCEPTS : CMOX_REFUSES; }

static cmox_accept_t is_json(cmox_span_t value) {
  json_error_t why;
  json_t *parsed = load(value, &why);
  json_decref(parsed);
  return !parsed && no_memory(&why) ? CMOX_GIVES_UP : yes(parsed != NULL);
}

cmox_accept_t cmox_value_is(cmox_value_type_t type, cmox_span_t value) {
  switch (type) {
    case CMOX_VALUE_INT:
      return yes(is_int(value));
    case CMOX_VALUE_FLOAT:
      return yes(is_float(value));
    case CMOX_VALUE_BOOL:
      return yes(is_bool(value));
    case CMOX_VALUE_PATH:
      return yes(value.len > 0 && !memchr(value.data, 0, value.len));
    case CMOX_VALUE_JSON:
      return is_json(value);
  }
  return CMOX_REFUSES;
}

cmox_code_t cmox_json_parse(cmox_span_t text, cmox_json_t **out, cmox_error_t *error) {
  json_error_t why;
  *out = (cmox_json_t *)load(text, &why);
  if (*out) return CMOX_OK;
  if (no_memory(&why)) return cmox_fail(error, CMOX_E_NO_MEMORY, "JSON: out of memory");
  /* Without the piece of the document that Jansson quotes: it may be a secret. */
  const char *quoted = strstr(why.text, " near '");
  int len = quoted ? (int)(quoted - why.text) : (int)strlen(why.text);
  return cmox_fail(error, CMOX_E_BAD_MATCHER, "invalid JSON at line %d, column %d: %.*s", why.line,
                   why.column, len, why.text);
}

void cmox_json_free(cmox_json_t *json) { json_decref((json_t *)json); }

cmox_accept_t cmox_json_equal(const cmox_json_t *expected, cmox_span_t text) {
  json_error_t why;
  json_t *actual = load(text, &why);
  if (!actual) return no_memory(&why) ? CMOX_GIVES_UP : CMOX_REFUSES;
  bool equal = json_equal((const json_t *)expected, actual);
  json_decref(actual);
  return yes(equal);
}

static void show(cmox_buf_t *out, const json_t *value, bool secret) {
  if (value && secret) {
    cmox_buf_puts(out, "***");
    return;
  }
  if (!value) {
    cmox_buf_puts(out, "(missing)");
    return;
  }
  char text[JSON_SHOWN_MAX];
  size_t len = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
  if (len == 0 || len > sizeof text)
    cmox_buf_puts(out, json_is_object(value) ? "{...}" : json_is_array(value) ? "[...]" : "...");
  else if (!cmox_mask_text(cmox_span(text, len), out))
    cmox_buf_append(out, text, len);
}

/* A member of `these` in which the two objects differ; NULL: none. */
static const char *differing_member(const json_t *these, const json_t *expected,
                                    const json_t *actual) {
  json_t *object = (json_t *)(uintptr_t)these; /* Jansson's iterators are not const */
  for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
    const char *name = json_object_iter_key(at);
    if (!json_equal(json_object_get(expected, name), json_object_get(actual, name))) return name;
  }
  return NULL;
}

/* Goes down one level to what differs; false: it is the values themselves. *secret is set once a
 * member on the way has a name that says so. */
static bool descend(const json_t **expected, const json_t **actual, cmox_buf_t *path,
                    bool *secret) {
  if (json_is_object(*expected) && json_is_object(*actual)) {
    const char *name = differing_member(*expected, *expected, *actual);
    if (!name) name = differing_member(*actual, *expected, *actual);
    cmox_buf_putc(path, '.');
    cmox_quote_shell(path, cmox_span_str(name), JSON_SHOWN_MAX);
    *secret |= cmox_secret_name(cmox_span_str(name));
    const json_t *member = json_object_get(*actual, name);
    *expected = json_object_get(*expected, name);
    *actual = member; /* name may belong to it */
  } else if (json_is_array(*expected) && json_is_array(*actual)) {
    size_t at = 0;
    while (json_equal(json_array_get(*expected, at), json_array_get(*actual, at))) at++;
    cmox_buf_printf(path, "[%zu]", at);
    *expected = json_array_get(*expected, at);
    *actual = json_array_get(*actual, at);
  } else {
    return false;
  }
  return *expected && *actual;
}

void cmox_json_difference(cmox_buf_t *out, const cmox_json_t *expected_json, cmox_span_t text) {
  json_error_t why;
  json_t *parsed = load(text, &why);
  if (!parsed) {
    /* Jansson's words quote the text, which may hold anything. */
    cmox_buf_printf(out, "not JSON, from line %d, column %d on", why.line, why.column);
    return;
  }
  const json_t *expected = (const json_t *)expected_json;
  const json_t *actual = parsed;
  if (!json_equal(expected, actual)) {
    bool secret = false;
    cmox_buf_putc(out, '$');
    while (descend(&expected, &actual, out, &secret)) {
    }
    cmox_buf_puts(out, ": expected ");
    show(out, expected, secret);
    cmox_buf_puts(out, ", actual ");
    show(out, actual, secret);
  }
  json_decref(parsed);
}
