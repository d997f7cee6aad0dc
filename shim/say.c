#include "shim/say.h"

#include <string.h>

#include "proto/limits.h"
#include "shim/bytes.h"
#include "shim/os.h"
#include "shim/trace.h"

static const char *name = "shim";
static CMOX_COLD char line[4096]; /* PIPE_BUF: lines of concurrent launchers do not mix */
static size_t used;
static void (*first)(const char *why);

/* Room is kept for the mark and the newline. */
enum { LINE_MAX_USED = sizeof line - 4 };

void cmox_say_as(const char *what) { name = what; }
void cmox_say_first_to(void (*tell)(const char *why)) { first = tell; }

void cmox_say_bytes(const void *data, size_t len) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < len && used < LINE_MAX_USED; i++)
    line[used++] = (char)(bytes[i] < 0x20 || bytes[i] == 0x7f ? '?' : bytes[i]);
}

void cmox_say(const char *text) { cmox_say_bytes(text, strlen(text)); }

size_t cmox_digits(uint64_t number, char out[CMOX_DIGITS_MAX]) {
  size_t at = CMOX_DIGITS_MAX;
  do out[--at] = (char)('0' + number % 10);
  while (number /= 10);
  return CMOX_DIGITS_MAX - at;
}

void cmox_say_number(uint64_t number) {
  char digits[CMOX_DIGITS_MAX];
  const size_t len = cmox_digits(number, digits);
  cmox_say_bytes(digits + sizeof digits - len, len);
}

static void end_line(void) {
  if (used == LINE_MAX_USED) {
    memcpy(line + used, "...", 3);
    used += 3;
  }
  line[used++] = '\n';
}

void cmox_die(const char *last) { cmox_die_as(CMOX_EXIT_SHIM_FAILURE, last); }

void cmox_die_as(int status, const char *last) {
  static CMOX_COLD char why[sizeof line];
  cmox_say(last);
  const size_t why_len = used;
  memcpy(why, line, why_len);
  why[why_len] = '\0';
  used = 0;
  void (*const tell)(const char *) = first;
  first = NULL; /* telling may fail, too */
  if (tell) tell(why);
  cmox_say("cmdmox: ");
  cmox_say(name);
  cmox_say(": ");
  cmox_say_bytes(why, why_len);
  CMOX_TRACE(SHIM_FAIL, ((cmox_view_t){(const uint8_t *)line, used}), 0, 0);
  end_line();
  cmox_os_write_line(2, line, used);
  cmox_os_exit(status);
}

void cmox_say_and_end(void) {
  end_line();
  if (cmox_os_write_line(1, line, used)) cmox_os_exit(0);
  used = 0;
  cmox_die("cannot write to stdout");
}
