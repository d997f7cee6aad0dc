/* The known name that somebody meant: "did you mean". */
#ifndef CMOX_BASE_NEAREST_H
#define CMOX_BASE_NEAREST_H

#include <stddef.h>

/* How many bytes must be changed, left out, added or swapped with the next one to make b of a (the
 * optimal string alignment distance); SIZE_MAX where one of them is longer than 64 bytes. */
size_t cmox_edit_distance(const char *a, const char *b);

/* Looks at one name after the other; `best` is the nearest so far. */
typedef struct cmox_nearest {
  const char *word;
  const char *best; /* NULL: none is near */
  size_t distance;
} cmox_nearest_t;

static inline cmox_nearest_t cmox_nearest_to(const char *word) {
  return (cmox_nearest_t){.word = word, .best = NULL, .distance = (size_t)-1};
}

/* A name is near when a third of its letters are wrong, or less. It must live as long as *nearest.
 */
void cmox_nearest_see(cmox_nearest_t *nearest, const char *name);

#endif
