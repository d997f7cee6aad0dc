/* The spill of a session: one file without a name, so that nothing of it outlives the process;
 * a sweep removes what was killed before it lost its name. */
#ifndef CMOX_HOST_SPILL_H
#define CMOX_HOST_SPILL_H

#include "server/model/spill.h"

#define CMOX_SPILL_PREFIX "spill-" /* of its name, for as long as it has one */

typedef struct cmox_spill_file {
  cmox_spill_t door;  /* first: the door is the file */
  const char *beside; /* a file in whose directory it is made */
  int fd;             /* -1: not made yet */
  uint32_t places;    /* that were ever given */
  uint32_t *free;     /* places that came back */
  size_t free_count;
  size_t free_capacity;
  uint64_t bytes; /* on disk */
} cmox_spill_file_t;

/* `beside` is borrowed until cmox_spill_file_close(). Makes nothing yet. */
void cmox_spill_file_init(cmox_spill_file_t *file, const char *beside);
void cmox_spill_file_close(cmox_spill_file_t *file); /* its places are gone */

#endif
