/* Over inotify. It merges equal events that nobody has read yet, so that it can be said whether a
 * file was opened, and not how often. */
#include "server/host/watch.h"

#include "server/base/alloc.h"

#ifdef __linux__
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct watched {
  char *file; /* owned */
  int number; /* the kernel's; of one file under two names it is the same */
  dev_t device;
  ino_t inode;
  bool opened;
  bool lost; /* the kernel has stopped to watch it, or it has another name */
} watched_t;

struct cmox_watch {
  int fd;
  bool overflown; /* events were lost: any of them may have been opened */
  watched_t *files;
  size_t count;
  size_t capacity;
};

cmox_watch_t *cmox_watch_new(void) {
  cmox_watch_t *watch = cmox_calloc(1, sizeof *watch);
  if (!watch) return NULL;
  watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch->fd >= 0) return watch;
  cmox_free_block(watch);
  return NULL;
}

void cmox_watch_free(cmox_watch_t *watch) {
  if (!watch) return;
  (void)close(watch->fd);
  for (size_t i = 0; i < watch->count; i++) cmox_free_block(watch->files[i].file);
  cmox_free_block(watch->files);
  cmox_free_block(watch);
}

static watched_t *find(cmox_watch_t *watch, const char *file) {
  for (size_t i = 0; i < watch->count; i++)
    if (strcmp(watch->files[i].file, file) == 0) return &watch->files[i];
  return NULL;
}

void cmox_watch_add(cmox_watch_t *watch, const char *file) {
  if (!watch || find(watch, file)) return;
  watched_t *grown = cmox_grow(watch->files, &watch->capacity, watch->count + 1, sizeof *grown);
  if (!grown) return;
  watch->files = grown;
  watched_t *added = &grown[watch->count];
  *added = (watched_t){.file = cmox_strdup(file)};
  if (!added->file) return;
  added->number = inotify_add_watch(watch->fd, file, IN_OPEN | IN_MOVE_SELF);
  struct stat info;
  if (added->number >= 0 && stat(file, &info) == 0) {
    added->device = info.st_dev;
    added->inode = info.st_ino;
    watch->count++;
  } else {
    cmox_free_block(added->file);
  }
}

/* Another file has its name by now: of that one nothing is known. */
static bool is_replaced(const watched_t *watched) {
  struct stat info;
  return watched->lost || stat(watched->file, &info) < 0 || info.st_dev != watched->device ||
         info.st_ino != watched->inode;
}

static void note(cmox_watch_t *watch, const struct inotify_event *event) {
  if (event->mask & IN_Q_OVERFLOW) watch->overflown = true;
  for (size_t i = 0; i < watch->count; i++) {
    watched_t *watched = &watch->files[i];
    if (watched->number != event->wd) continue;
    watched->opened |= (event->mask & IN_OPEN) != 0;
    watched->lost |= (event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0;
  }
}

static void read_events(cmox_watch_t *watch) {
  char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  ssize_t got;
  while ((got = read(watch->fd, bytes, sizeof bytes)) > 0)
    for (const char *at = bytes; at < bytes + got;) {
      const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
      note(watch, event);
      at += sizeof *event + event->len;
    }
}

const char *cmox_watch_ask(cmox_watch_t *watch, const char *file, bool *opened) {
  const watched_t *watched = watch ? find(watch, file) : NULL;
  if (!watched) return NULL;
  read_events(watch);
  *opened = watched->opened;
  const bool missed = watch->overflown || is_replaced(watched);
  return watched->opened || !missed ? watched->file : NULL;
}

#else

cmox_watch_t *cmox_watch_new(void) { return NULL; }
void cmox_watch_free(cmox_watch_t *watch) { (void)watch; }
void cmox_watch_add(cmox_watch_t *watch, const char *file) {
  (void)watch;
  (void)file;
}
const char *cmox_watch_ask(cmox_watch_t *watch, const char *file, bool *opened) {
  (void)watch;
  (void)file;
  (void)opened;
  return NULL;
}
#endif
