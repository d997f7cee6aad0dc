/* A session's shim directory.
 *
 * Create: find the launcher; take the first place that serves; there sweep once, mkdir under a
 * random name, set every mode explicitly (the umask has no say), lock, launcher, endpoint. The
 * first directory of a process proves that the launcher runs; later ones hard-link its launcher
 * and its lock, so that a thousand tombstones cost one descriptor.
 * What stands in bin and beside it is in shimdir_entry.c and shimdir_mirror.c.
 *
 * Failures: a place that does not serve is skipped when the user named none, and the
 * message then tells of all; whatever was made is removed again. A lookup skips what it may not
 * execute and runs the real command, so every such doubt is an error here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <uv.h>

#include "server/base/alloc.h"
#include "server/base/buf.h"
#include "server/host/shimdir_internal.h"

enum { NAMES_TRIED_MAX = 100 };

const char *cmox_shimdir_bin(const cmox_shimdir_t *dir) { return dir->bin; }

const char *cmox_shimdir_socket(const cmox_shimdir_t *dir) { return dir->socket; }

/* ---- End ---- */

static void free_dir(cmox_shimdir_t *dir) {
  if (dir->fd >= 0) (void)close(dir->fd);
  if (dir->parent_fd >= 0) (void)close(dir->parent_fd);
  cmox_shimdir_free_entries(dir);
  cmox_mirrors_free(dir);
  if (dir->sealing.stream) (void)closedir(dir->sealing.stream);
  cmox_free_block(dir->own_path);
  cmox_free_block(dir->isolated);
  cmox_free_block(dir);
}

static void discard(cmox_shimdir_t *dir) {
  if (dir->slot >= 0) {
    cmox_shimdir_remove(dir->parent_fd, dir->name);
    /* Removing takes descriptors too: without them it is left to the end of the process. */
    if (faccessat(dir->parent_fd, dir->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      cmox_registry_entomb(dir->slot);
    else
      cmox_registry_forget(dir->slot);
  }
  free_dir(dir);
}

void cmox_shimdir_entomb(cmox_shimdir_t *dir) {
  if (!dir) return;
  if (dir->owner == getpid() &&
      dir->generation == cmox_registry_generation()) { /* not in a forked child */
    (void)unlinkat(dir->fd, CMOX_SOCKET_FILE, 0);
    cmox_shimdir_unseal(dir);
    cmox_registry_entomb(dir->slot);
  }
  free_dir(dir);
}

/* ---- Create ---- */

static cmox_code_t failed(const cmox_shimdir_t *dir, const char *what, cmox_error_t *error) {
  bool place = errno == EACCES || errno == EROFS || errno == ENOSPC || errno == EDQUOT;
  return cmox_fail(error, place ? CMOX_E_TEMP_DIRECTORY : CMOX_E_IO, "%s: cannot make %s: %s",
                   dir->path, what, strerror(errno));
}

static void random_name(char *out) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  unsigned char bytes[CMOX_SHIMDIR_RANDOM] = {0};
  (void)uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL); /* mkdir refuses what exists */
  memcpy(out, CMOX_SHIMDIR_PREFIX, sizeof CMOX_SHIMDIR_PREFIX - 1);
  out += sizeof CMOX_SHIMDIR_PREFIX - 1;
  for (size_t i = 0; i < sizeof bytes; i++) out[i] = letters[bytes[i] % (sizeof letters - 1)];
  out[sizeof bytes] = '\0';
}

/* What a sweep finds without a lock file is litter unless it is held itself: so is this one from
 * its making until it has one. Between mkdir and here a sweep may have been faster. */
static bool hold_dir(cmox_shimdir_t *dir) {
  struct stat info;
  if (fchmodat(dir->parent_fd, dir->name, 0711, 0) < 0 ||
      (dir->fd =
           openat(dir->parent_fd, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
    return errno != ENOENT;
  const bool swept = (flock(dir->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
                     (fstat(dir->fd, &info) == 0 && info.st_nlink == 0);
  if (!swept) return true; /* also where directories cannot be locked: the sweep knows */
  (void)close(dir->fd);
  dir->fd = -1;
  (void)unlinkat(dir->parent_fd, dir->name, AT_REMOVEDIR);
  errno = EEXIST;
  return false;
}

/* The directory under a fresh name, entered in the registry. */
static cmox_code_t make_dir(cmox_shimdir_t *dir, const cmox_place_t *place, cmox_error_t *error) {
  size_t len = strlen(place->path);
  memcpy(dir->path, place->path, len);
  dir->path[len] = '/';
  dir->name = dir->path + len + 1;
  int made = -1;
  for (int i = 0; i < NAMES_TRIED_MAX && made < 0; i++) {
    random_name(dir->path + len + 1);
    made = mkdirat(dir->parent_fd, dir->name, 0700);
    if (made < 0 && errno != EEXIST) break;
    if (made == 0 && !hold_dir(dir)) made = -1;
  }
  if (made < 0)
    return cmox_fail(error, CMOX_E_TEMP_DIRECTORY,
                     "%s: cannot make a directory: %s; set CMOX_TMPDIR to a writable directory",
                     *place->path ? place->path : "/", strerror(errno));
  dir->slot = cmox_registry_enter(dir->path);
  if (dir->slot < 0) {
    (void)unlinkat(dir->parent_fd, dir->name, AT_REMOVEDIR);
    return cmox_fail(error, CMOX_E_IO, "%s: more than %u sessions in one process", place->path,
                     CMOX_SHIMDIRS_MAX);
  }
  struct stat info;
  if (dir->fd < 0 || fstat(dir->fd, &info) < 0) return failed(dir, "the directory", error);
  if (info.st_uid != geteuid())
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY, "%s: somebody replaced it", dir->path);
  dir->device = info.st_dev;
  dir->inode = info.st_ino;
  (void)snprintf(dir->bin, sizeof dir->bin, "%s/bin", dir->path);
  (void)snprintf(dir->socket, sizeof dir->socket, "%s/" CMOX_SOCKET_FILE, dir->path);
  return CMOX_OK;
}

static cmox_code_t make_inside(cmox_shimdir_t *dir, cmox_error_t *error) {
  static const char endpoint[] = "unix:" CMOX_SOCKET_FILE;
  if (mkdirat(dir->fd, "bin", 0700) < 0 || fchmodat(dir->fd, "bin", 0711, 0) < 0)
    return failed(dir, "bin", error);
  if (mkdirat(dir->fd, "priv", 0700) < 0 || fchmodat(dir->fd, "priv", 0700, 0) < 0)
    return failed(dir, "priv", error);
  int fd = openat(dir->fd, "endpoint", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  ssize_t put = -1;
  if (fd >= 0 && fchmod(fd, 0644) == 0) put = write(fd, endpoint, sizeof endpoint - 1);
  bool written = put == (ssize_t)sizeof endpoint - 1;
  if (put >= 0 && !written) errno = ENOSPC; /* a write that takes only a part says nothing */
  cmox_code_t code = written ? CMOX_OK : failed(dir, "endpoint", error);
  if (fd >= 0) (void)close(fd);
  return code;
}

/* The lock appears under its name only when it is held, or a sweep would take it for litter. */
static int make_lock(const cmox_shimdir_t *dir) {
  int fd = openat(dir->fd, "lock.new", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  if (fchmod(fd, 0600) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
      renameat(dir->fd, "lock.new", dir->fd, "lock") == 0)
    return fd;
  int failure = errno;
  (void)close(fd);
  errno = failure;
  return -1;
}

/* Links the files of an earlier session, if they are still what they were. */
static bool link_home(cmox_shimdir_t *dir, const cmox_home_t *home, const char *from) {
  char path[CMOX_SHIMDIR_PATH_SIZE + sizeof CMOX_SHIM_FILE];
  struct stat info;
  (void)snprintf(path, sizeof path, "%s/lock", from);
  bool linked = linkat(AT_FDCWD, path, dir->fd, "lock", 0) == 0 &&
                fstatat(dir->fd, "lock", &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                info.st_ino == home->lock_inode;
  (void)snprintf(path, sizeof path, "%s/" CMOX_SHIM_FILE, from);
  linked = linked && linkat(AT_FDCWD, path, dir->fd, CMOX_SHIM_FILE, 0) == 0 &&
           fstatat(dir->fd, CMOX_SHIM_FILE, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           cmox_file_id_equal(cmox_file_id(&info), home->copy) && (info.st_mode & 07777) == 0755;
  if (linked) {
    dir->launcher = home->copy;
    return true;
  }
  (void)unlinkat(dir->fd, "lock", 0);
  (void)unlinkat(dir->fd, CMOX_SHIM_FILE, 0);
  return false;
}

static cmox_code_t check_exec(const cmox_shimdir_t *dir, cmox_error_t *error) {
  if (faccessat(dir->fd, CMOX_SHIM_FILE, X_OK, 0) == 0) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NOT_EXECUTABLE,
                   "programs cannot be executed in %s (is it mounted noexec?): %s; set CMOX_TMPDIR "
                   "to a directory where they can",
                   dir->path, strerror(errno));
}

/* Launcher and lock. */
static cmox_code_t furnish(cmox_shimdir_t *dir, const cmox_place_t *place,
                           const cmox_launcher_t *launcher, uint32_t probe_ms,
                           cmox_error_t *error) {
  cmox_home_t home;
  char from[CMOX_SHIMDIR_PATH_SIZE];
  if (cmox_registry_find_home(place, launcher->id, &home, from) && link_home(dir, &home, from))
    return check_exec(dir, error);
  home = (cmox_home_t){.device = place->device, .inode = place->inode, .source = launcher->id};
  home.lock_fd = make_lock(dir);
  struct stat info;
  if (home.lock_fd < 0) return failed(dir, "lock", error);
  cmox_code_t code = CMOX_OK;
  if (fstat(home.lock_fd, &info) < 0) code = failed(dir, "lock", error);
  if (!code)
    code = cmox_launcher_install(launcher, dir->fd, dir->path, probe_ms, &home.copy, error);
  if (code) {
    (void)close(home.lock_fd);
    return code;
  }
  home.lock_inode = info.st_ino;
  dir->launcher = home.copy;
  cmox_registry_set_home(dir->slot, &home);
  return CMOX_OK;
}

static cmox_code_t create_in(const char *where, const cmox_launcher_t *launcher, uint32_t probe_ms,
                             cmox_shimdir_t **out, cmox_error_t *error) {
  cmox_place_t place;
  cmox_code_t code = cmox_place_open(where, &place, error);
  if (code) return code;
  cmox_shimdir_t *dir = cmox_calloc(1, sizeof *dir);
  if (!dir) {
    (void)close(place.fd);
    return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot make a shim directory: out of memory");
  }
  dir->owner = getpid();
  dir->generation = cmox_registry_generation();
  dir->parent_fd = place.fd;
  dir->fd = dir->slot = -1;
  if (cmox_registry_first_visit(&place)) (void)cmox_shimdir_sweep(*place.path ? place.path : "/");
  code = make_dir(dir, &place, error);
  if (!code) code = make_inside(dir, error);
  if (!code)
    code = furnish(dir, &place, launcher, probe_ms, error); /* last: others may link then */
  if (code) {
    discard(dir);
    return code;
  }
  (void)flock(dir->fd, LOCK_UN); /* it has a lock file */
  *out = dir;
  return code;
}

/* Another place may help. */
static bool is_about_place(cmox_code_t code) {
  return code == CMOX_E_TEMP_DIRECTORY || code == CMOX_E_UNSAFE_DIRECTORY ||
         code == CMOX_E_NOT_EXECUTABLE || code == CMOX_E_PATH_TOO_LONG || code == CMOX_E_IO;
}

size_t cmox_shimdir_places(const cmox_shimdir_settings_t *settings,
                           const char *places[CMOX_SHIMDIR_PLACES_MAX]) {
  places[0] = settings->temporary_directory ? settings->temporary_directory : "/tmp";
  places[1] = "/var/tmp";
  places[2] = settings->tmpdir;
  if (settings->temporary_directory) return 1;
  const char *last = settings->tmpdir;
  return last && strcmp(last, places[0]) != 0 && strcmp(last, places[1]) != 0 ? 3 : 2;
}

cmox_code_t cmox_shimdir_find_shim(const cmox_shimdir_settings_t *settings, char *path, size_t size,
                                   cmox_error_t *error) {
  cmox_launcher_t launcher;
  const cmox_code_t code = cmox_launcher_find(settings, &launcher, error);
  if (code != CMOX_OK) return code;
  (void)snprintf(path, size, "%s", launcher.path);
  (void)close(launcher.fd);
  return CMOX_OK;
}

static cmox_code_t create_anywhere(const cmox_shimdir_settings_t *settings,
                                   const cmox_launcher_t *launcher, cmox_shimdir_t **out,
                                   cmox_error_t *error) {
  const char *places[CMOX_SHIMDIR_PLACES_MAX];
  const size_t count = cmox_shimdir_places(settings, places);
  cmox_error_t one = {0};
  cmox_buf_t all = CMOX_BUF_EMPTY;
  cmox_code_t code = CMOX_E_TEMP_DIRECTORY;
  for (size_t i = 0; i < count; i++) {
    code = create_in(places[i], launcher, settings->probe_ms, out, &one);
    if (!is_about_place(code)) break;
    cmox_buf_printf(&all, "%s%s", all.len ? "; " : "", one.message);
  }
  if (code && is_about_place(code)) {
    char *text = cmox_buf_take_text(&all);
    code = cmox_fail(error, CMOX_E_TEMP_DIRECTORY, "no place for the shim directory: %s",
                     text ? text : one.message);
    cmox_free_block(text);
  } else if (code) {
    if (error) *error = one;
  }
  cmox_buf_clear(&all);
  return code;
}

cmox_code_t cmox_shimdir_create(const cmox_shimdir_settings_t *settings, cmox_shimdir_t **out,
                                cmox_error_t *error) {
  *out = NULL;
  cmox_launcher_t launcher;
  cmox_code_t code = cmox_launcher_find(settings, &launcher, error);
  if (code) return code;
  if (settings->temporary_directory)
    code = create_in(settings->temporary_directory, &launcher, settings->probe_ms, out, error);
  else
    code = create_anywhere(settings, &launcher, out, error);
  (void)close(launcher.fd);
  if (code || !settings->isolated || ((*out)->isolated = cmox_strdup(settings->isolated)))
    return code;
  discard(*out);
  *out = NULL;
  return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot make a shim directory: out of memory");
}
