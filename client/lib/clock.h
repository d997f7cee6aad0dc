/* Time that only goes on, for deadlines. */
#ifndef CMOX_CLIENT_CLOCK_H
#define CMOX_CLIENT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t cmox_now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
