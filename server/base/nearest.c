/* Three rows of the table of distances between the beginnings of two words. */
#include "server/base/nearest.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t cmox_edit_distance(const char *a, const char *b) {
  const size_t a_len = strlen(a);
  const size_t b_len = strlen(b);
  if (a_len > LONGEST || b_len > LONGEST) return SIZE_MAX;
  size_t rows[3][LONGEST + 1];
  for (size_t j = 0; j <= b_len; j++) rows[0][j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t *row = rows[i % 3];
    const size_t *above = rows[(i + 2) % 3];
    const size_t *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[a_len % 3][b_len];
}

void cmox_nearest_see(cmox_nearest_t *nearest, const char *name) {
  const size_t distance = cmox_edit_distance(nearest->word, name);
  if (distance >= nearest->distance || distance > (strlen(name) + 2) / 3) return;
  nearest->best = name;
  nearest->distance = distance;
}
