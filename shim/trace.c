#include "shim/trace.h"

#include <string.h>

#include "shim/os.h"
#include "shim/say.h"

/* Not on the pages that a call without a trace touches. */
#define COLD __attribute__((cold, noinline))

/* "name key key", each with its NUL, in the order of the events. */
static const char rows[] =
#define CMOX_TRACE_EVENT(side, NAME, name, keys, sentence) CMOX_TRACE_##side(name " " keys)
#define CMOX_TRACE_shim(row) row "\0"
#define CMOX_TRACE_engine(row)
#define CMOX_TRACE_client(row)
#include "proto/trace.def"
    ;

int cmox_trace_sink; /* the descriptor */

static CMOX_COLD char line[1024];
static size_t used;

enum { ROOM = 6 }; /* kept for an escape, the quote and the newline */

COLD void cmox_trace_start(void) {
  const char *value = cmox_os_variable("CMOX_TRACE");
  if (!value || !*value || strcmp(value, "0") == 0) return;
  if (strcmp(value, "1") == 0)
    cmox_trace_sink = 2;
  else if (cmox_os_absolute(value, strlen(value)))
    cmox_trace_sink = cmox_os_log_open(value);
}

COLD cmox_view_t cmox_text(const char *text) {
  return (cmox_view_t){(const uint8_t *)text, strlen(text)};
}

COLD static void put(char c) {
  if (used < sizeof line - ROOM) line[used++] = c;
}

COLD static void put_text(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) put(text[i]);
}

COLD static void put_number(uint64_t number) {
  char digits[CMOX_DIGITS_MAX];
  const size_t len = cmox_digits(number, digits);
  put_text(digits + sizeof digits - len, len);
}

/* Bare when it is plain, else a C literal, with octal escapes for all that is not ASCII. */
COLD static void put_value(cmox_view_t text) {
  bool plain = text.len > 0;
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '"') plain = false;
  if (!plain) put('"');
  for (size_t i = 0; i < text.len; i++) {
    const uint8_t c = text.data[i];
    const bool printable = c >= ' ' && c <= '~';
    if (!printable || c == '"' || c == '\\') put('\\');
    if (printable) put((char)c);
    for (int shift = 6; !printable && shift >= 0; shift -= 3) put((char)('0' + ((c >> shift) & 7)));
  }
  if (!plain) line[used++] = '"';
}

/* "seconds.microseconds" */
COLD static void put_time(uint64_t us) {
  put_number(us / 1000000);
  const size_t point = used;
  put_number(1000000 + us % 1000000);
  line[point] = '.';
}

COLD void cmox_trace_line(cmox_trace_event_t event, cmox_view_t text, uint64_t a, uint64_t b) {
  const char *row = rows;
  for (unsigned i = 0; i < (unsigned)event; i++) row += strlen(row) + 1;
  used = 0;
  put_time(cmox_os_now_us());
  put_text(" shim ", 6);
  put_number(cmox_os_pid());
  put(' ');
  for (const char *at = row; *at; at++) {
    put(*at);
    if (at[1] && at[1] != ' ') continue;
    if (at == row || !memchr(row, ' ', (size_t)(at - row))) continue; /* that was the name */
    put('=');
    if (text.data) {
      put_value(text);
      text.data = NULL;
    } else {
      put_number(a);
      a = b;
    }
  }
  line[used++] = '\n';
  cmox_os_write_line(cmox_trace_sink, line, used);
}
