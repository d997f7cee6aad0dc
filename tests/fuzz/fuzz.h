/* What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput; it is
 * linked twice: with libFuzzer (./dev fuzz), and with replay.c, which runs the committed corpus in
 * every preset (ctest -L fuzz). It keeps nothing from one input to the next. */
#ifndef CMOX_TESTS_FUZZ_H
#define CMOX_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold. abort() is what a fuzzer takes for a finding. */
#define FUZZ_NEED(condition, ...)                                            \
  do {                                                                       \
    if (condition) break;                                                    \
    fprintf(stderr, "%s:%d: %s is false: ", __FILE__, __LINE__, #condition); \
    fprintf(stderr, __VA_ARGS__);                                            \
    fputc('\n', stderr);                                                     \
    abort();                                                                 \
  } while (0)

/* The input as a list of decisions; at its end all are 0. */
typedef struct fuzz_in {
  const uint8_t *data;
  size_t len;
} fuzz_in_t;

uint8_t fuzz_u8(fuzz_in_t *in);
uint32_t fuzz_u32(fuzz_in_t *in);
cmox_span_t fuzz_take(fuzz_in_t *in, size_t len); /* fewer at the end; borrowed */
/* Small numbers most of the time, now and then one at a limit. */
uint64_t fuzz_number(fuzz_in_t *in);
/* A command, an argument, a pattern: one of a few words, so that what is expected is called as
 * well, or bytes of the input. Now and then one of 70,000 bytes. Borrowed. */
cmox_span_t fuzz_bytes(fuzz_in_t *in);
/* The same as a NUL-terminated text of valid UTF-8; static buffers, taken in turn. */
char *fuzz_text(fuzz_in_t *in);
char *fuzz_signal(fuzz_in_t *in); /* a signal's name, or nearly one */

#endif
