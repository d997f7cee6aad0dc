#include "proto/timeout.h"

#include <stddef.h>
#include <string.h>

#include "proto/limits.h"

bool cmox_timeout_parse(const char *text, uint32_t *ms) {
  if (!text || strcmp(text, "none") == 0) {
    *ms = text ? 0 : CMOX_TIMEOUT_DEFAULT_MS;
    return true;
  }
  uint32_t total = 0;    /* ms */
  uint32_t place = 1000; /* ms that one unit of the next fraction digit is worth, times 10 */
  bool point = false, digits = false, remainder = false;
  for (; *text; text++) {
    if (*text == '.' && !point) {
      point = true;
      continue;
    }
    if (*text < '0' || *text > '9') return false;
    const uint32_t digit = (uint32_t)(*text - '0');
    digits = true;
    if (!point) {
      total = total * 10 + digit * 1000;
      if (total > CMOX_TIMEOUT_MAX_MS) return false;
    } else {
      place /= 10;
      total += digit * place;
      if (place == 0 && digit) remainder = true;
    }
  }
  if (remainder) total++;
  if (!digits || total == 0 || total > CMOX_TIMEOUT_MAX_MS) return false;
  *ms = total;
  return true;
}
