#include "server/base/quote.h"

#include <ctype.h>

size_t cmox_utf8_length(cmox_span_t text) {
  if (text.len == 0) return 0;
  uint8_t first = text.data[0];
  if (first < 0x80) return 1;
  size_t len = first >= 0xf0 && first < 0xf5   ? 4
               : first >= 0xe0 && first < 0xf0 ? 3
               : first >= 0xc2 && first < 0xe0 ? 2
                                               : 0;
  if (len == 0 || text.len < len) return 0;
  for (size_t i = 1; i < len; i++)
    if ((text.data[i] & 0xc0) != 0x80) return 0;
  uint8_t second = text.data[1];
  bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
             (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return bad ? 0 : len;
}

bool cmox_is_utf8(cmox_span_t text) {
  for (size_t step; text.len; text = cmox_span(text.data + step, text.len - step))
    if ((step = cmox_utf8_length(text)) == 0) return false;
  return true;
}

/* C1 controls (U+0080..U+009F) steer terminals too. */
static bool is_printable(cmox_span_t text, size_t len) {
  if (len == 1) return text.data[0] >= 0x20 && text.data[0] != 0x7f;
  if (len == 2) return text.data[0] != 0xc2 || text.data[1] >= 0xa0;
  /* U+FFFE and U+FFFF are no characters: XML and YAML refuse them. */
  return len != 3 || text.data[0] != 0xef || text.data[1] != 0xbf || text.data[2] < 0xbe;
}

static void escape_byte(cmox_buf_t *out, uint8_t byte, bool hex_may_follow) {
  switch (byte) {
    case '\n':
      cmox_buf_puts(out, "\\n");
      return;
    case '\t':
      cmox_buf_puts(out, "\\t");
      return;
    case '\r':
      cmox_buf_puts(out, "\\r");
      return;
    default:
      break;
  }
  /* In C, \x eats every hex digit that follows; three octal digits do not. */
  if (hex_may_follow)
    cmox_buf_printf(out, "\\%03o", byte);
  else
    cmox_buf_printf(out, "\\x%02x", byte);
}

/* The first byte of what cannot be shown. */
typedef void (*escape_t)(cmox_buf_t *out, cmox_span_t rest);

static void escape_in_c(cmox_buf_t *out, cmox_span_t rest) {
  escape_byte(out, rest.data[0], rest.len > 1 && isxdigit(rest.data[1]));
}

/* \xHH would be a character there, and two bytes: what os.fsdecode() makes of a byte is its
 * surrogate. */
static void escape_in_python(cmox_buf_t *out, cmox_span_t rest) {
  if (rest.data[0] >= 0x80)
    cmox_buf_printf(out, "\\udc%02x", rest.data[0]);
  else
    escape_byte(out, rest.data[0], false);
}

static void escape_all(cmox_buf_t *out, cmox_span_t text, char quote, escape_t escape) {
  for (size_t i = 0; i < text.len;) {
    cmox_span_t rest = cmox_span(text.data + i, text.len - i);
    size_t len = cmox_utf8_length(rest);
    if (len == 0 || !is_printable(rest, len)) {
      escape(out, rest);
      i++;
      continue;
    }
    if (len == 1 && (rest.data[0] == '\\' || rest.data[0] == (uint8_t)quote))
      cmox_buf_putc(out, '\\');
    cmox_buf_append(out, rest.data, len);
    i += len;
  }
}

static cmox_span_t shown_part(cmox_span_t text, size_t shown_max) {
  return cmox_span(text.data, text.len > shown_max ? shown_max : text.len);
}

static void say_cut(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  if (text.len > shown_max) cmox_buf_printf(out, "... (%zu bytes)", text.len);
}

void cmox_quote_c(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  cmox_buf_putc(out, '"');
  escape_all(out, shown_part(text, shown_max), '"', escape_in_c);
  cmox_buf_putc(out, '"');
  say_cut(out, text, shown_max);
}

void cmox_quote_python(cmox_buf_t *out, cmox_span_t text) {
  cmox_buf_putc(out, '"');
  escape_all(out, text, '"', escape_in_python);
  cmox_buf_putc(out, '"');
}

/* Of what has more than one byte only what is printable can stand in a literal: an escape would be
 * a character for each byte. */
static bool is_literal_of_javascript(cmox_span_t text) {
  for (size_t i = 0; i < text.len;) {
    cmox_span_t rest = cmox_span(text.data + i, text.len - i);
    size_t len = cmox_utf8_length(rest);
    if (len == 0 || (len > 1 && !is_printable(rest, len))) return false;
    i += len;
  }
  return true;
}

static void escape_in_javascript(cmox_buf_t *out, cmox_span_t rest) {
  escape_byte(out, rest.data[0], false);
}

void cmox_quote_javascript(cmox_buf_t *out, cmox_span_t text) {
  bool literal = is_literal_of_javascript(text);
  cmox_buf_puts(out, literal ? "\"" : "Buffer.from(\"");
  for (size_t i = 0; !literal && i < text.len; i++) {
    cmox_span_t byte = cmox_span(text.data + i, 1); /* above 0x7f no UTF-8 by itself */
    escape_all(out, byte, '"', escape_in_javascript);
  }
  if (literal) escape_all(out, text, '"', escape_in_javascript);
  cmox_buf_puts(out, literal ? "\"" : "\", \"latin1\")");
}

void cmox_quote_line(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  cmox_span_t shown = shown_part(text, shown_max);
  for (size_t i = 0; i < shown.len;) {
    cmox_span_t rest = cmox_span(shown.data + i, shown.len - i);
    size_t len = cmox_utf8_length(rest);
    bool as_it_is = len > 0 && (is_printable(rest, len) || rest.data[0] == '\t');
    if (as_it_is)
      cmox_buf_append(out, rest.data, len);
    else
      escape_byte(out, rest.data[0], false);
    i += as_it_is ? len : 1;
  }
  say_cut(out, text, shown_max);
}

static bool is_plain(cmox_span_t text) {
  if (text.len == 0) return false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    if (c >= 0x80 || !(isalnum(c) || memchr("_-./:=@%+,", c, 10))) return false;
  }
  return true;
}

static bool needs_escapes(cmox_span_t text) {
  for (size_t i = 0; i < text.len;) {
    cmox_span_t rest = cmox_span(text.data + i, text.len - i);
    size_t len = cmox_utf8_length(rest);
    if (len == 0 || !is_printable(rest, len)) return true;
    i += len;
  }
  return false;
}

void cmox_quote_word(cmox_buf_t *out, cmox_span_t text) {
  cmox_buf_putc(out, '\'');
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] == '\'')
      cmox_buf_puts(out, "'\\''");
    else
      cmox_buf_putc(out, (char)text.data[i]);
  cmox_buf_putc(out, '\'');
}

void cmox_quote_shell(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  cmox_span_t shown = shown_part(text, shown_max);
  if (is_plain(shown)) {
    cmox_buf_append_span(out, shown);
  } else if (needs_escapes(shown)) {
    cmox_buf_puts(out, "$'");
    escape_all(out, shown, '\'', escape_in_c);
    cmox_buf_putc(out, '\'');
  } else {
    cmox_quote_word(out, shown);
  }
  say_cut(out, text, shown_max);
}

void cmox_quote_value(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  if (is_plain(text) && text.len <= shown_max)
    cmox_buf_append_span(out, text);
  else
    cmox_quote_c(out, text, shown_max);
}

void cmox_quote_json(cmox_buf_t *out, cmox_span_t text, size_t shown_max) {
  const size_t shown = text.len < shown_max ? text.len : shown_max;
  cmox_buf_putc(out, '"');
  for (size_t i = 0; i < shown;) {
    const uint8_t byte = text.data[i];
    size_t len = byte < 0x80 ? 1 : cmox_utf8_length(cmox_span(text.data + i, text.len - i));
    if (byte == '"' || byte == '\\') {
      cmox_buf_printf(out, "\\%c", byte);
    } else if (byte < 0x20 || byte == 0x7f) {
      cmox_buf_printf(out, "\\u%04x", byte);
    } else if (len == 0) {
      cmox_buf_puts(out, "\xef\xbf\xbd");
      len = 1;
    } else {
      cmox_buf_append(out, text.data + i, len);
    }
    i += len;
  }
  if (shown < text.len) cmox_buf_puts(out, "...");
  cmox_buf_putc(out, '"');
}
