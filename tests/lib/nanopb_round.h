/* nanopb's view of the shim's messages. */
#ifndef CMOX_TESTS_NANOPB_ROUND_H
#define CMOX_TESTS_NANOPB_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does nanopb know this message type ("cmdmox.v1.Frame")? */
bool cmox_test_nanopb_knows(const char *type);

/* Decodes with nanopb, encodes again from what was decoded; every sub-message
 * behind a callback is taken through nanopb as well. Returns the length
 * written to out; fails the test where nanopb fails. */
size_t cmox_test_nanopb_round(const char *type, const uint8_t *data, size_t len, uint8_t *out,
                              size_t capacity);

#endif
