/* Where an error is. Jansson tells the line of what it cannot parse, and nothing of what it could.
 * So a value that is JSON and still wrong is looked for in the text by its path, once there is an
 * error: the text is known to be JSON, without duplicate names, and the path leads to something. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/quote.h"
#include "server/json/internal.h"

enum { NAME_SHOWN_MAX = 40, PATH_SHOWN_MAX = 160 }; /* bytes */

/* ---- The scanner ------------------------------------------------------------ */

typedef struct scan {
  const uint8_t *at;
  const uint8_t *end;
} scan_t;

static void skip_blanks(scan_t *scan) {
  while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at) scan->at++;
}

/* At a quote; goes behind the closing one. */
static void skip_text(scan_t *scan) {
  for (scan->at++; scan->at < scan->end && *scan->at != '"'; scan->at++)
    if (*scan->at == '\\') scan->at++;
  scan->at++;
}

static void skip_value(scan_t *scan) {
  size_t open = 0;
  do {
    skip_blanks(scan);
    if (scan->at >= scan->end) return;
    const uint8_t c = *scan->at;
    if (c == '"') {
      skip_text(scan);
      continue;
    }
    if (c == '{' || c == '[') open++;
    if (c == '}' || c == ']') open--;
    scan->at++;
    if (!strchr("{}[],:", c)) /* a number or a word */
      while (scan->at < scan->end && !strchr("{}[],: \t\r\n\"", *scan->at)) scan->at++;
  } while (open > 0);
}

/* Goes over blanks and the punctuation between two values. */
static void skip_joint(scan_t *scan) {
  skip_blanks(scan);
  if (scan->at < scan->end && (*scan->at == ',' || *scan->at == ':')) scan->at++;
  skip_blanks(scan);
}

/* The name at the scanner may be written with escapes: only Jansson knows what it says. */
static bool is_name(scan_t scan, const char *key) {
  const uint8_t *start = scan.at;
  skip_text(&scan);
  const size_t len = (size_t)(scan.at - start);
  if (!memchr(start, '\\', len))
    return len == strlen(key) + 2 && memcmp(start + 1, key, len - 2) == 0;
  json_t *name = json_loadb((const char *)start, len, JSON_DECODE_ANY, NULL);
  const bool is = name && strcmp(json_string_value(name), key) == 0;
  json_decref(name);
  return is;
}

/* At the bracket of what holds it; goes to the member's name or to the element. */
static void enter(scan_t *scan, const cmox_place_t *place) {
  scan->at++;
  skip_blanks(scan);
  for (size_t i = 0; !place->key && i < place->index && scan->at < scan->end; i++) {
    skip_value(scan);
    skip_joint(scan);
  }
  while (place->key && scan->at < scan->end && *scan->at == '"' && !is_name(*scan, place->key)) {
    skip_text(scan);
    skip_joint(scan);
    skip_value(scan);
    skip_joint(scan);
  }
}

static const uint8_t *locate(cmox_span_t text, const cmox_place_t *place, bool name) {
  const cmox_place_t *way[CMOX_DOCUMENT_DEPTH_MAX + 2];
  size_t steps = 0;
  for (; place->up && steps < sizeof way / sizeof *way; place = place->up) way[steps++] = place;
  scan_t scan = {text.data, text.data + text.len};
  skip_blanks(&scan);
  while (steps-- > 0) {
    enter(&scan, way[steps]);
    if (!way[steps]->key || (name && steps == 0)) continue;
    if (scan.at < scan.end) skip_text(&scan);
    skip_joint(&scan);
  }
  return scan.at < scan.end ? scan.at : scan.end;
}

void cmox_json_lines(cmox_span_t text, const char *member, uint32_t *lines, size_t count) {
  const cmox_place_t top = {0};
  const cmox_place_t place = cmox_member(&top, member);
  scan_t scan = {locate(text, &place, false), text.data + text.len};
  uint32_t line = 1;
  const uint8_t *counted = text.data;
  if (count == 0 || scan.at == scan.end) return;
  scan.at++;
  for (size_t i = 0; i < count; i++) {
    skip_blanks(&scan);
    for (; counted < scan.at; counted++) line += *counted == '\n';
    lines[i] = line;
    skip_value(&scan);
    skip_joint(&scan);
  }
}

uint32_t cmox_json_line(cmox_span_t text, const char *member) {
  const cmox_place_t top = {0};
  const cmox_place_t place = cmox_member(&top, member);
  const uint8_t *at = locate(text, &place, true);
  uint32_t line = 1;
  for (const uint8_t *p = text.data; p < at; p++) line += *p == '\n';
  return line;
}

/* ---- The error -------------------------------------------------------------- */

typedef struct spot {
  size_t line, column; /* from 1; a column is a character, as Jansson counts */
} spot_t;

static spot_t spot_of(cmox_span_t text, const uint8_t *at) {
  spot_t spot = {1, 1};
  for (const uint8_t *p = text.data; p < at; p++) {
    if (*p == '\n')
      spot = (spot_t){spot.line + 1, 1};
    else if ((*p & 0xc0) != 0x80)
      spot.column++;
  }
  return spot;
}

static bool is_plain(const char *key) {
  for (const char *c = key; *c; c++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *c))
      return false;
  return *key != '\0';
}

/* doubles[2].argv[0].regexp; a name that is no word in quotes. */
static void put_path(cmox_buf_t *out, const cmox_place_t *place) {
  if (!place->up) return;
  put_path(out, place->up);
  if (!place->key) {
    cmox_buf_printf(out, "[%zu]", place->index);
    return;
  }
  if (out->len > 0) cmox_buf_putc(out, '.');
  if (is_plain(place->key))
    cmox_buf_printf(out, "%.*s", NAME_SHOWN_MAX, place->key);
  else
    cmox_quote_c(out, cmox_span_str(place->key), NAME_SHOWN_MAX);
}

static void put_spot(char *out, size_t size, const cmox_reader_t *reader, spot_t spot) {
  if (reader->name)
    (void)snprintf(out, size, "%.200s:%zu:%zu", reader->name, spot.line, spot.column);
  else
    (void)snprintf(out, size, "line %zu, column %zu", spot.line, spot.column);
}

__attribute__((format(printf, 4, 0))) static cmox_code_t fail(const cmox_reader_t *reader,
                                                              const cmox_place_t *place, bool name,
                                                              const char *format, va_list args) {
  char what[400];
  (void)vsnprintf(what, sizeof what, format, args);
  char spot[256];
  put_spot(spot, sizeof spot, reader, spot_of(reader->text, locate(reader->text, place, name)));
  /* Of a path that is too long the inner end is what tells. */
  uint8_t room[CMOX_DOCUMENT_DEPTH_MAX * (NAME_SHOWN_MAX * 4 + 32)];
  cmox_buf_t path = CMOX_BUF_OVER(room, sizeof room);
  put_path(&path, place);
  const size_t shown = path.len > PATH_SHOWN_MAX ? PATH_SHOWN_MAX : path.len;
  return cmox_fail(reader->error, CMOX_E_BAD_DOCUMENT, "%s: %s%.*s%s%s", spot,
                   shown < path.len ? "..." : "", (int)shown, path.data + path.len - shown,
                   path.len ? ": " : "", what);
}

cmox_code_t cmox_fail_at(const cmox_reader_t *reader, const cmox_place_t *place, const char *format,
                         ...) {
  va_list args;
  va_start(args, format);
  const cmox_code_t code = fail(reader, place, false, format, args);
  va_end(args);
  return code;
}

cmox_code_t cmox_fail_at_name(const cmox_reader_t *reader, const cmox_place_t *place,
                              const char *format, ...) {
  va_list args;
  va_start(args, format);
  const cmox_code_t code = fail(reader, place, true, format, args);
  va_end(args);
  return code;
}

cmox_code_t cmox_fail_syntax(const cmox_reader_t *reader, const json_error_t *why) {
  char spot[256];
  put_spot(
      spot, sizeof spot, reader,
      (spot_t){why->line > 0 ? (size_t)why->line : 1, why->column > 0 ? (size_t)why->column : 1});
  /* Without the piece of the document that Jansson quotes: it may be a secret. */
  const char *quoted = strstr(why->text, " near '");
  const int len = quoted ? (int)(quoted - why->text) : (int)strlen(why->text);
  const char *hint = json_error_code(why) == json_error_numeric_overflow
                         ? "; write numbers beyond 2^63 as texts"
                         : "";
  return cmox_fail(reader->error, CMOX_E_BAD_DOCUMENT, "%s: no valid JSON: %.*s%s", spot, len,
                   why->text, hint);
}
