/* What a server may say to the shim, built from fuzzed decisions, as the script of fake_os. */
#ifndef CMOX_TESTS_SERVE_H
#define CMOX_TESTS_SERVE_H

#include "tests/fuzz/fuzz.h"

void serve_script(fuzz_in_t *in);
bool serve_is_completed(const uint8_t *body, size_t len);

#endif
