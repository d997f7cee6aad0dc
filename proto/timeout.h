/* CMOX_IPC_TIMEOUT: seconds with decimal fractions, or "none". */
#ifndef CMOX_PROTO_TIMEOUT_H
#define CMOX_PROTO_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Parses text into ms (rounded up, at least 1); "none" gives 0, which means
 * for ever; NULL gives CMOX_TIMEOUT_DEFAULT_MS. Accepts only digits with at
 * most one '.' and at least one digit. Returns false for anything else: empty,
 * 0, signs, exponents, nan, inf, spaces, more than CMOX_TIMEOUT_MAX_MS.
 * Does not use the locale. */
bool cmox_timeout_parse(const char *text, uint32_t *ms);

#endif
