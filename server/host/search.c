#include "server/host/search.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool cmox_search_entry(const char **rest, cmox_span_t *entry) {
  if (!*rest) return false;
  const char *end = strchr(*rest, ':');
  *entry = cmox_span(*rest, end ? (size_t)(end - *rest) : strlen(*rest));
  *rest = end ? end + 1 : NULL;
  return true;
}

bool cmox_search_runs(const char *file) {
  struct stat info;
  return stat(file, &info) == 0 && S_ISREG(info.st_mode) && access(file, X_OK) == 0;
}

bool cmox_search_program(const char **rest, cmox_span_t command, char file[PATH_MAX]) {
  cmox_span_t entry;
  while (cmox_search_entry(rest, &entry)) {
    if (entry.len == 0 || entry.data[0] != '/' || entry.len + 1 + command.len >= PATH_MAX) continue;
    (void)snprintf(file, PATH_MAX, "%.*s/%.*s", (int)entry.len, (const char *)entry.data,
                   (int)command.len, (const char *)command.data);
    if (cmox_search_runs(file)) return true;
  }
  return false;
}
