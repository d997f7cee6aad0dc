/* Where a shim directory may stand, and what the user said about it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/alloc.h"
#include "server/base/buf.h"
#include "server/base/isolated.h"
#include "server/host/shimdir_internal.h"

cmox_file_id_t cmox_file_id(const struct stat *info) {
#ifdef __APPLE__
  return (cmox_file_id_t){info->st_dev, info->st_ino, info->st_size, info->st_mtimespec};
#else
  return (cmox_file_id_t){info->st_dev, info->st_ino, info->st_size, info->st_mtim};
#endif
}

bool cmox_file_id_equal(cmox_file_id_t a, cmox_file_id_t b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec;
}

/* In a user namespace without root, what is root's outside shows as the overflow user's, and so
 * does what is anybody else's. Nobody inside can be that user. */
static bool is_unmapped(uid_t uid) {
  enum { OVERFLOW_UID = 65534 };
  if (uid != OVERFLOW_UID) return false;
  FILE *map = fopen("/proc/self/uid_map", "re");
  if (!map) return false;
  bool root_is_mapped = false;
  char line[128]; /* "first-id-inside first-id-outside count" */
  while (!root_is_mapped && fgets(line, sizeof line, map))
    root_is_mapped = strtoul(line, NULL, 10) == 0;
  (void)fclose(map);
  return !root_is_mapped;
}

/* Root's on every system, so that an owner who cannot be told is root. */
static bool is_roots(const char *path) {
  static const char *const directories[] = {"/",    "/dev",      "/dev/shm", "/home",   "/run",
                                            "/tmp", "/run/user", "/var",     "/var/tmp"};
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
    if (strcmp(path, directories[i]) == 0) return true;
  return false;
}

/* path: resolved. */
static bool is_trusted(const char *path, uid_t owner) {
  return owner == geteuid() || owner == 0 || (is_roots(path) && is_unmapped(owner));
}

/* Another user who may rename or replace entries there could redirect every call. */
static cmox_code_t judge(const char *path, const char *resolved, const struct stat *info,
                         cmox_error_t *error) {
  if (!is_trusted(resolved, info->st_uid) && is_unmapped(info->st_uid))
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY,
                     "%s: whose it is cannot be told in this user namespace; set CMOX_TMPDIR to a "
                     "directory of yours, or to /tmp",
                     path);
  if (!is_trusted(resolved, info->st_uid))
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY,
                     "%s: owned by another user (uid %lu); set CMOX_TMPDIR to a directory of yours",
                     path, (unsigned long)info->st_uid);
  if ((info->st_mode & (S_IWGRP | S_IWOTH)) && !(info->st_mode & S_ISVTX))
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY,
                     "%s: others may write to it (mode %04o) and the sticky bit is missing; set "
                     "CMOX_TMPDIR to a directory of yours",
                     path, (unsigned)info->st_mode & 07777);
  return CMOX_OK;
}

static cmox_code_t unusable(const char *path, cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_TEMP_DIRECTORY, "%s: %s; set CMOX_TMPDIR to a writable directory",
                   path, strerror(errno));
}

/* Who may rename a directory on the way can put another one in its place. */
static cmox_code_t judge_ancestors(const char *path, const char *resolved, cmox_error_t *error) {
  char ancestor[PATH_MAX];
  for (size_t len = strlen(resolved); len > 1;) {
    while (len > 1 && resolved[len - 1] != '/') len--;
    if (len > 1) len--;
    memcpy(ancestor, resolved, len);
    ancestor[len] = '\0';
    struct stat info;
    if (lstat(ancestor, &info) < 0) return unusable(path, error);
    bool mine = is_trusted(ancestor, info.st_uid);
    bool open_to_others = (info.st_mode & S_IWOTH) != 0 ||
                          ((info.st_mode & S_IWGRP) != 0 && info.st_gid != getegid());
    if (!mine || (open_to_others && !(info.st_mode & S_ISVTX)))
      return cmox_fail(
          error, CMOX_E_UNSAFE_DIRECTORY,
          "%s: %s on the way to it %s, who may put another directory in its place "
          "(uid %lu, mode %04o); set CMOX_TMPDIR to a directory that others cannot move",
          path, ancestor, mine ? "may be written to by others" : "belongs to another user",
          (unsigned long)info.st_uid, (unsigned)info.st_mode & 07777);
  }
  return CMOX_OK;
}

cmox_code_t cmox_place_open(const char *path, cmox_place_t *place, cmox_error_t *error) {
  char resolved[PATH_MAX];
  place->fd = -1;
  if (!realpath(path, resolved)) return unusable(path, error);
  size_t len = strcmp(resolved, "/") ? strlen(resolved) : 0;
  if (len + 1 + CMOX_SHIMDIR_NAME_LEN >= sizeof place->path)
    return cmox_fail(error, CMOX_E_PATH_TOO_LONG,
                     "%s: the socket's path there would be %zu bytes, at most %u fit; set "
                     "CMOX_TMPDIR to a shorter directory",
                     path, len + 1 + CMOX_SHIMDIR_NAME_LEN + sizeof CMOX_SOCKET_FILE,
                     CMOX_SOCKET_PATH_MAX);
  if (strchr(resolved, ':'))
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY,
                     "%s: PATH is split at the ':' in %s, so no shim there would be found and the "
                     "real commands would run; set CMOX_TMPDIR to a directory without ':'",
                     path, resolved);
  int fd = open(resolved, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return unusable(path, error);
  struct stat info;
  cmox_code_t code =
      fstat(fd, &info) < 0 ? unusable(path, error) : judge(path, resolved, &info, error);
  if (!code) code = judge_ancestors(path, resolved, error);
  if (code) {
    (void)close(fd);
    return code;
  }
  place->fd = fd;
  place->device = info.st_dev;
  place->inode = info.st_ino;
  memcpy(place->path, resolved, len);
  place->path[len] = '\0';
  return CMOX_OK;
}

/* ---- Settings ---- */

/* A copy of the first that is set and not empty, as an absolute path. */
static cmox_code_t pick(const char *option, const char *variable, const char *cwd, char **out) {
  const char *text = option ? option : getenv(variable);
  if (!text || (!option && !*text)) return CMOX_OK;
  cmox_buf_t path = CMOX_BUF_EMPTY;
  if (text[0] == '/')
    cmox_buf_puts(&path, text);
  else
    cmox_buf_printf(&path, "%s/%s", cwd, text);
  *out = cmox_buf_take_text(&path);
  return *out ? CMOX_OK : CMOX_E_NO_MEMORY;
}

cmox_code_t cmox_shimdir_settings_read(const cmox_shimdir_options_t *options,
                                       cmox_shimdir_settings_t *out, cmox_error_t *error) {
  static const cmox_shimdir_options_t none = {0};
  char cwd[PATH_MAX];
  if (!options) options = &none;
  *out = (cmox_shimdir_settings_t){0};
  if (!getcwd(cwd, sizeof cwd)) memcpy(cwd, "/nonexistent", sizeof "/nonexistent");
  cmox_code_t code = pick(options->shim, "CMOX_SHIM", cwd, &out->shim);
  if (!code)
    code = pick(options->temporary_directory, "CMOX_TMPDIR", cwd, &out->temporary_directory);
  if (!code) code = pick(NULL, "TMPDIR", cwd, &out->tmpdir);
  if (!code) code = pick(NULL, CMOX_ISOLATED, cwd, &out->isolated);
  if (!code) return CMOX_OK;
  cmox_shimdir_settings_clear(out);
  return cmox_fail(error, code, "cannot read the settings: out of memory");
}

void cmox_shimdir_settings_clear(cmox_shimdir_settings_t *settings) {
  cmox_free_block(settings->shim);
  cmox_free_block(settings->temporary_directory);
  cmox_free_block(settings->tmpdir);
  cmox_free_block(settings->isolated);
  *settings = (cmox_shimdir_settings_t){0};
}
