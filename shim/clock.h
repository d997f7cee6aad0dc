/* Time that is certain: a launcher that cannot tell it dies, rather than wait for ever or not at
 * all. */
#ifndef CMOX_SHIM_CLOCK_H
#define CMOX_SHIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* A moment so many ms from now; 0: CMOX_OS_FOREVER. */
uint64_t cmox_clock_deadline(uint32_t ms);
bool cmox_clock_passed(uint64_t deadline);

/* Waits so long. purpose ends the sentence "cannot wait ...". */
void cmox_clock_sleep(uint32_t ms, const char *purpose);

#endif
