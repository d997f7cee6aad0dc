#include "tests/lib/broken.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void broken(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)fputs("broken: ", stderr);
  (void)vfprintf(stderr, format, arguments);
  (void)fputc('\n', stderr);
  va_end(arguments);
  (void)fflush(NULL);
  _exit(1); /* what is left open is not the cause */
}
