/* The end of a test program, or of a test, on which something is wrong: one line, exit status 1.
 * For what runs outside of Check too. */
#ifndef CMOX_TESTS_BROKEN_H
#define CMOX_TESTS_BROKEN_H

_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
