/* The shim's decoders, apart from the engine's headers: both have a cmox_action_t. */
#ifndef CMOX_TESTS_DECODE_SHIM_H
#define CMOX_TESTS_DECODE_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* As a frame and as either action: every view lies within the bytes, the outcome is one of those
 * that are there. */
void decode_as_shim(const uint8_t *data, size_t len);

#endif
