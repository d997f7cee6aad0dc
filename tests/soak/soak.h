/* What the stories of the soak share. */
#ifndef CMOX_SOAK_H
#define CMOX_SOAK_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/served.h"

enum { SOAK_SHIMS_MAX = 64 };

typedef struct soak {
  uint64_t random; /* state */
  unsigned shims;  /* in each session */
  served_t *server;
  unsigned answered, refused, killed; /* calls so far */
} soak_t;

/* From 0 to below - 1. */
unsigned soak_random(soak_t *soak, unsigned below);

/* One session from its beginning to its end. Anything that is not as it should be is broken(). */
typedef struct story {
  const char *name;
  void (*tell)(soak_t *soak);
  bool bad;   /* something in it dies */
  bool fatal; /* the server too: it gets one of its own */
} story_t;

extern const story_t stories[];
extern const unsigned story_count;

#endif
