/* An error: a stable code and one line of detail in the caller's buffer,
 * wrapped on the way up ("replay: cannot link git: File exists"). */
#ifndef CMOX_BASE_ERROR_H
#define CMOX_BASE_ERROR_H

#include <cmdmox/codes.h>

typedef struct cmox_error {
  cmox_code_t code;
  char message[512]; /* NUL-terminated, valid UTF-8 as far as its parts are */
} cmox_error_t;

/* Sets *error (may be NULL) and returns code, so that `return cmox_fail(...)`
 * reads as one step. A message that is too long ends in "...". */
cmox_code_t cmox_fail(cmox_error_t *error, cmox_code_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* Tells the analyser what it cannot see from another file: the code comes back. */
static inline cmox_code_t cmox_failed_(cmox_code_t returned, cmox_code_t code) {
  (void)returned;
  return code;
}
#define cmox_fail(error, code, ...) cmox_failed_(cmox_fail(error, code, __VA_ARGS__), code)
#endif

/* Puts "prefix: " in front of the message; returns error->code. */
cmox_code_t cmox_wrap(cmox_error_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
