/* Who still has a dead or dying owner's shim directory in its environment.
 *
 * One pass over /proc marks every candidate whose "NAME/bin" some process was started with, or, of
 * `cmdmox isolate`, "NAME/real". The
 * random name alone decides: the place may be mounted elsewhere for that process.
 *
 * What a process has set since it was started does not show, nor what we may not read. Any other
 * doubt counts as use: a directory too many is litter, one too few runs the real command. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/host/shimdir_internal.h"

enum {
  NEEDLE_LEN = 1 + CMOX_SHIMDIR_NAME_LEN + 4, /* "/NAME/bin" */
  CHUNK = 16 * 1024,
  ENVIRON_MAX = 8 * 1024 * 1024, /* no kernel takes more */
  STARTING_MS = 500              /* to wait for a program that is being loaded */
};

/* "/bin", or the start of "/real" */
static bool is_inside(const char *rest) {
  return memcmp(rest, "/bin", 4) == 0 || memcmp(rest, "/" CMOX_SHIMDIR_REAL, 4) == 0;
}

static void mark(cmox_litter_t *litter, size_t count, const char *bytes, size_t len) {
  const char *end = bytes + len;
  for (const char *at = bytes; (at = memchr(at, '/', (size_t)(end - at))); at++) {
    if (end - at < NEEDLE_LEN) return;
    const char *name = at + 1;
    if (memcmp(name, CMOX_SHIMDIR_PREFIX, sizeof CMOX_SHIMDIR_PREFIX - 1) != 0 ||
        !is_inside(name + CMOX_SHIMDIR_NAME_LEN))
      continue;
    for (size_t i = 0; i < count; i++)
      if (memcmp(litter[i].name, name, CMOX_SHIMDIR_NAME_LEN) == 0) litter[i].used = true;
  }
}

typedef struct sight {
  size_t total; /* bytes of environment */
  int failure;  /* errno; 0: all of it was seen */
} sight_t;

static sight_t read_environment(int proc, const char *path, cmox_litter_t *litter, size_t count) {
  char bytes[CHUNK];
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return (sight_t){.failure = errno};
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
  int failure = got < 0 ? errno : 0;
  (void)close(fd);
  return (sight_t){total, failure};
}

static const char *path_of(char path[64], const char *pid, const char *file) {
  (void)snprintf(path, 64, "%.32s/%s", pid, file);
  return path;
}

/* It runs a program whose environment may not be there yet: the kernel is still loading it, and
 * notes where the code begins (field 26 of proc(5)'s stat) when arguments and environment are in
 * place. Who started it may go on, and end, before they are. */
static bool is_being_started(int proc, const char *pid) {
  enum { COMMAND_FIELD = 2, START_CODE_FIELD = 26 };
  char path[64];
  char text[1024];
  if (readlinkat(proc, path_of(path, pid, "exe"), text, 1) < 0) return false; /* of the kernel */
  int fd = openat(proc, path_of(path, pid, "stat"), O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
  if (fd >= 0) (void)close(fd);
  text[got > 0 ? got : 0] = '\0';
  const char *at = strrchr(text, ')');
  for (int field = COMMAND_FIELD; at && field < START_CODE_FIELD; field++) at = strchr(at + 1, ' ');
  return at && strncmp(at, " 0 ", 3) == 0;
}

/* False when it cannot be known. A process that ends meanwhile uses nothing. */
static bool look(int proc, const char *pid, cmox_litter_t *litter, size_t count) {
  char path[64];
  bool loaded = false; /* before its environment was looked at */
  for (int waited = 0; waited < STARTING_MS;) {
    sight_t sight = read_environment(proc, path_of(path, pid, "environ"), litter, count);
    switch (sight.failure) {
      case 0:
        break;
      case ENOENT: /* it has ended */
      case ESRCH:
      case EACCES:
      case EPERM:
        return true;
      default:
        return false;
    }
    if (sight.total > 0 || loaded) return true;
    loaded = !is_being_started(proc, pid);
    if (loaded) continue;
    (void)poll(NULL, 0, 1);
    waited++;
  }
  return false;
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
