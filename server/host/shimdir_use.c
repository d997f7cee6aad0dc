/* Who still has a dead or dying owner's shim directory in its environment.
 *
 * One pass over /proc marks every candidate whose "NAME/bin" some process was started with. The
 * random name alone decides: the place may be mounted elsewhere for that process.
 *
 * What a process has set since it was started does not show, nor what we may not read. Any other
 * doubt counts as use: a directory too many is litter, one too few runs the real command. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "server/host/shimdir_internal.h"

enum {
  NEEDLE_LEN = 1 + CMOX_SHIMDIR_NAME_LEN + 4, /* "/NAME/bin" */
  CHUNK = 16 * 1024,
  ENVIRON_MAX = 8 * 1024 * 1024 /* no kernel takes more */
};

static void mark(cmox_litter_t *litter, size_t count, const char *bytes, size_t len) {
  const char *end = bytes + len;
  for (const char *at = bytes; (at = memchr(at, '/', (size_t)(end - at))); at++) {
    if (end - at < NEEDLE_LEN) return;
    const char *name = at + 1;
    if (memcmp(name, CMOX_SHIMDIR_PREFIX, sizeof CMOX_SHIMDIR_PREFIX - 1) != 0 ||
        memcmp(name + CMOX_SHIMDIR_NAME_LEN, "/bin", 4) != 0)
      continue;
    for (size_t i = 0; i < count; i++)
      if (memcmp(litter[i].name, name, CMOX_SHIMDIR_NAME_LEN) == 0) litter[i].used = true;
  }
}

/* False when it cannot be known. A process that ends meanwhile uses nothing. */
static bool look(int proc, const char *pid, cmox_litter_t *litter, size_t count) {
  char path[64];
  char bytes[CHUNK];
  size_t len = strlen(pid);
  if (len + sizeof "/environ" > sizeof path) return true;
  memcpy(path, pid, len);
  memcpy(path + len, "/environ", sizeof "/environ");
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
  size_t kept = 0;
  size_t total = 0;
  ssize_t got;
  while ((got = read(fd, bytes + kept, sizeof bytes - kept)) > 0 && total < ENVIRON_MAX) {
    total += (size_t)got;
    size_t have = kept + (size_t)got;
    mark(litter, count, bytes, have);
    kept = have < NEEDLE_LEN - 1 ? have : NEEDLE_LEN - 1;
    memmove(bytes, bytes + have - kept, kept);
  }
  int why = got < 0 ? errno : 0;
  (void)close(fd);
  return why == 0 || why == ESRCH || why == EACCES || why == EPERM;
}

bool cmox_litter_mark(cmox_litter_t *litter, size_t count) {
  if (access("/proc/self/environ", R_OK) < 0) return false;
  DIR *stream = opendir("/proc");
  bool known = stream != NULL;
  if (stream) {
    for (const struct dirent *entry; known && (entry = readdir(stream));)
      if (isdigit((unsigned char)entry->d_name[0]))
        known = look(dirfd(stream), entry->d_name, litter, count);
    (void)closedir(stream);
  }
  for (size_t i = 0; i < count && !known; i++) litter[i].used = true;
  return true;
}
