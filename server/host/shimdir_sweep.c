/* Removes shim directories: our own at the end, those of dead processes on the way.
 *
 * A dead process may have left others behind that still search the directory along their PATH;
 * without it they would find the real command. It stays for them, and a later sweep takes it.
 *
 * Every step is relative to a descriptor and follows no link; only names of our layout
 * are touched, and in bin/ and mirrors only links. What somebody else put there stays,
 * and with it the directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#ifdef __linux__
#include <sys/mount.h>
#endif
#include <time.h>
#include <unistd.h>

#include "server/base/trace.h"
#include "server/host/shimdir_internal.h"
#include "server/host/spill.h"

enum {
  OLD_S = 3600, /* where the system cannot tell whether somebody makes or uses it */
  BATCH = 256   /* directories looked for in one pass over /proc */
};

static int open_dir(int parent, const char *name) {
  return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A link that a test put in the place of ours is as much litter; removing it does not follow it. */
static bool is_link(int dir, const char *name) {
  struct stat info;
  return fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

/* The sockets; what a session of a shell keeps there; and what the engine was about to unlink when
 * it was killed (spill.c). */
static bool is_private(int dir, const char *name) {
  (void)dir;
  return strcmp(name, "s") == 0 || strcmp(name, CMOX_SHIMDIR_CONTROL) == 0 ||
         strcmp(name, CMOX_SHIMDIR_ENTER) == 0 || strcmp(name, CMOX_SHIMDIR_LEAVE) == 0 ||
         strcmp(name, CMOX_SHIMDIR_LEFT) == 0 ||
         strncmp(name, CMOX_SPILL_PREFIX, sizeof CMOX_SPILL_PREFIX - 1) == 0;
}

static void remove_entries(int dir, const char *name, bool (*is_ours)(int dir, const char *name)) {
  int fd = open_dir(dir, name);
  if (fd < 0) return;
  DIR *stream = fdopendir(fd);
  if (!stream) {
    (void)close(fd);
    return;
  }
  for (const struct dirent *entry; (entry = readdir(stream));)
    if (is_ours(fd, entry->d_name)) (void)unlinkat(fd, entry->d_name, 0);
  (void)closedir(stream);
}

void cmox_links_remove(int parent_fd, const char *name) {
  remove_entries(parent_fd, name, is_link);
}

/* Of an isolation it is a mount, in which nothing is ours to remove. */
static void remove_real(int dir) {
  if (unlinkat(dir, CMOX_SHIMDIR_REAL, AT_REMOVEDIR) == 0 || errno != EBUSY) return;
#ifdef __linux__
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d/" CMOX_SHIMDIR_REAL, dir);
  (void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
#endif
  (void)unlinkat(dir, CMOX_SHIMDIR_REAL, AT_REMOVEDIR);
}

void cmox_shimdir_remove(int parent_fd, const char *name) {
  int dir = open_dir(parent_fd, name);
  if (dir < 0) return;
  struct stat info;
  if (fstat(dir, &info) == 0 && info.st_uid == geteuid()) {
    CMOX_TRACE(SHIMDIR_REMOVE, cmox_trace_text(name));
    cmox_links_remove(dir, "bin");
    (void)unlinkat(dir, "bin", AT_REMOVEDIR);
    cmox_mirrors_remove(dir);
    remove_entries(dir, "priv", is_private);
    (void)unlinkat(dir, "priv", AT_REMOVEDIR);
    remove_real(dir);
    (void)unlinkat(dir, "endpoint", 0);
    (void)unlinkat(dir, CMOX_NEW_LINK, 0);
    (void)unlinkat(dir, CMOX_SHIM_FILE, 0);
    (void)unlinkat(dir, "lock.new", 0);
    (void)unlinkat(dir, "lock", 0);
    (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
  }
  (void)close(dir);
}

static bool is_our_name(const char *name) {
  if (strlen(name) != CMOX_SHIMDIR_NAME_LEN) return false;
  size_t prefix = sizeof CMOX_SHIMDIR_PREFIX - 1;
  if (memcmp(name, CMOX_SHIMDIR_PREFIX, prefix) != 0) return false;
  for (const char *c = name + prefix; *c; c++)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))) return false;
  return true;
}

typedef enum treatment { LOOK, REMOVE, REMOVE_OLD } treatment_t;

/* Without a lock file: it was about to get one, or had none any more, when its owner was killed. An
 * owner that lives holds the directory itself meanwhile. */
static bool is_abandoned(int dir, bool old) {
  if (flock(dir, LOCK_EX | LOCK_NB) == 0) return true;
  return errno != EWOULDBLOCK && old; /* this file system cannot tell */
}

/* True if its owner is dead; then it is treated while we hold its lock. */
static bool take_dead(int parent, const char *name, treatment_t treatment) {
  int dir = open_dir(parent, name);
  if (dir < 0) return false;
  struct stat info;
  bool dead = false;
  bool old = false;
  int lock = -1;
  if (fstat(dir, &info) == 0 && info.st_uid == geteuid()) {
    old = info.st_mtime + OLD_S < time(NULL);
    lock = openat(dir, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat file;
    if (lock >= 0)
      dead =
          fstat(lock, &file) == 0 && S_ISREG(file.st_mode) && flock(lock, LOCK_EX | LOCK_NB) == 0;
    else if (errno == ENOENT)
      dead = is_abandoned(dir, old);
  }
  if (dead && (treatment == REMOVE || (treatment == REMOVE_OLD && old)))
    cmox_shimdir_remove(parent, name);
  if (lock >= 0) (void)close(lock);
  (void)close(dir);
  return dead;
}

typedef struct survey {
  const char *parent;
  int fd; /* of it */
  bool remove;
  void (*tell)(void *user, const char *path, cmox_remains_t remains);
  void *user;
  size_t count;
  cmox_litter_t litter[BATCH]; /* of dead owners */
} survey_t;

static void tell(const survey_t *survey, const char *name, cmox_remains_t remains) {
  char path[PATH_MAX];
  (void)snprintf(path, sizeof path, "%s/%s", survey->parent, name);
  survey->tell(survey->user, path, remains);
}

static cmox_remains_t treat(const survey_t *survey, const char *name, treatment_t treatment) {
  if (!survey->remove) return CMOX_REMAINS_LEFT;
  if (!take_dead(survey->fd, name, treatment)) return CMOX_REMAINS_LIVING;
  if (faccessat(survey->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return CMOX_REMAINS_REMOVED;
  return treatment == REMOVE ? CMOX_REMAINS_STUCK : CMOX_REMAINS_USED; /* it may be: it is young */
}

static void treat_all(survey_t *survey) {
  if (survey->count == 0) return;
  const treatment_t treatment =
      cmox_litter_mark(survey->litter, survey->count) ? REMOVE : REMOVE_OLD;
  for (size_t i = 0; i < survey->count; i++) {
    const cmox_litter_t *litter = &survey->litter[i];
    tell(survey, litter->name,
         litter->used ? CMOX_REMAINS_USED : treat(survey, litter->name, treatment));
  }
  survey->count = 0;
}

static bool is_own(int parent, const char *name) {
  struct stat info;
  return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode) &&
         info.st_uid == geteuid();
}

bool cmox_shimdir_survey(const char *parent, bool remove,
                         void (*told)(void *user, const char *path, cmox_remains_t remains),
                         void *user) {
  survey_t survey = {.parent = parent, .remove = remove, .tell = told, .user = user};
  survey.fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = survey.fd >= 0 ? fdopendir(survey.fd) : NULL;
  if (!stream) {
    if (survey.fd >= 0) (void)close(survey.fd);
    return false;
  }
  for (const struct dirent *entry; (entry = readdir(stream));) {
    if (!is_our_name(entry->d_name) || !is_own(survey.fd, entry->d_name)) continue;
    if (!take_dead(survey.fd, entry->d_name, LOOK)) {
      tell(&survey, entry->d_name, CMOX_REMAINS_LIVING);
      continue;
    }
    cmox_litter_t *litter = &survey.litter[survey.count++];
    *litter = (cmox_litter_t){.used = false};
    memcpy(litter->name, entry->d_name, CMOX_SHIMDIR_NAME_LEN);
    if (survey.count == BATCH) treat_all(&survey);
  }
  treat_all(&survey);
  (void)closedir(stream);
  return true;
}

static void count_removed(void *user, const char *path, cmox_remains_t remains) {
  size_t *removed = user;
  (void)path;
  *removed += remains == CMOX_REMAINS_REMOVED;
}

size_t cmox_shimdir_sweep(const char *parent) {
  size_t removed = 0;
  (void)cmox_shimdir_survey(parent, true, count_removed, &removed);
  return removed;
}
