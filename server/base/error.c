#include "server/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef cmox_fail /* the analyser's view of it, in error.h */

static void mark_cut(char *text, size_t size, int wanted) {
  if (wanted >= 0 && (size_t)wanted >= size) memcpy(text + size - 4, "...", 4);
}

cmox_code_t cmox_fail(cmox_error_t *error, cmox_code_t code, const char *format, ...) {
  if (!error) return code;
  va_list args;
  va_start(args, format);
  error->code = code;
  int wanted = vsnprintf(error->message, sizeof error->message, format, args);
  va_end(args);
  mark_cut(error->message, sizeof error->message, wanted);
  return code;
}

cmox_code_t cmox_wrap(cmox_error_t *error, const char *format, ...) {
  if (!error) return CMOX_E_INTERNAL;
  char prefix[sizeof error->message];
  char whole[sizeof error->message];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  int wanted = snprintf(whole, sizeof whole, "%s: %s", prefix, error->message);
  mark_cut(whole, sizeof whole, wanted);
  memcpy(error->message, whole, sizeof whole);
  return error->code;
}
