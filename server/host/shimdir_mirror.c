/* Mirrors: a command is made absent by putting in the place of each entry of PATH that holds it a
 * directory of ours, with links to everything else that is there.
 *
 * A mirror is made whole before PATH names it, and never followed by us. Two entries that are one
 * directory (/bin and /usr/bin) share a mirror. What is installed after it was made is not in it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/host/search.h"
#include "server/host/shimdir_internal.h"

/* An entry of PATH that is about to get a mirror. */
typedef struct wanted {
  char path[PATH_MAX];
  struct stat info;
} wanted_t;

static int open_mirrors(int dir_fd) {
  return openat(dir_fd, CMOX_MIRRORS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void name_of(unsigned number, char name[16]) { (void)snprintf(name, 16, "%u", number); }

/* The mirror of this entry; NULL: it has none. */
static const cmox_mirror_t *mirror_of(const cmox_shimdir_t *dir, cmox_span_t entry) {
  for (size_t i = 0; i < dir->mirror_count; i++)
    if (cmox_span_equal(cmox_span_str(dir->mirrors[i].entry), entry)) return &dir->mirrors[i];
  return NULL;
}

static const cmox_mirror_t *mirror_of_directory(const cmox_shimdir_t *dir,
                                                const struct stat *info) {
  for (size_t i = 0; i < dir->mirror_count; i++)
    if (dir->mirrors[i].source_device == info->st_dev &&
        dir->mirrors[i].source_inode == info->st_ino)
      return &dir->mirrors[i];
  return NULL;
}

static cmox_code_t failed(const char *entry, cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_IO, "cannot mirror %s, an entry of PATH: %s", entry,
                   strerror(errno));
}

/* ---- Making ---- */

static void stop_linking(cmox_mirroring_t *mirroring) {
  if (!mirroring->stream) return;
  (void)closedir(mirroring->stream);
  mirroring->stream = NULL;
  if (mirroring->mirror >= 0) (void)close(mirroring->mirror);
}

/* The next of the links of the last mirror. */
static cmox_code_t link_some(cmox_shimdir_t *dir, unsigned *left, cmox_error_t *error) {
  const char *entry = dir->mirrors[dir->mirror_count - 1].entry;
  const struct dirent *at = NULL;
  for (; *left && (at = readdir(dir->mirroring.stream)); --*left) {
    if (strcmp(at->d_name, ".") == 0 || strcmp(at->d_name, "..") == 0) continue;
    char target[PATH_MAX];
    int len = snprintf(target, sizeof target, "%s/%s", entry, at->d_name);
    if (len >= (int)sizeof target) continue; /* nobody can execute it by that path either */
    if (symlinkat(target, dir->mirroring.mirror, at->d_name) < 0) return failed(entry, error);
  }
  if (*left) stop_linking(&dir->mirroring);
  return CMOX_OK;
}

static cmox_code_t begin_linking(cmox_mirroring_t *mirroring, const wanted_t *wanted, int mirrors,
                                 const char *name, ino_t *inode, cmox_error_t *error) {
  mirroring->mirror = -1;
  mirroring->stream = opendir(wanted->path);
  struct stat info;
  if (mirroring->stream && mkdirat(mirrors, name, 0700) == 0 &&
      fchmodat(mirrors, name, 0711, 0) == 0)
    mirroring->mirror = openat(mirrors, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (mirroring->mirror >= 0 && fstat(mirroring->mirror, &info) == 0) {
    *inode = info.st_ino;
    return CMOX_OK;
  }
  cmox_code_t code = failed(wanted->path, error);
  stop_linking(mirroring);
  return code;
}

static void remove_mirror(int mirrors, const char *name) {
  cmox_links_remove(mirrors, name);
  (void)unlinkat(mirrors, name, AT_REMOVEDIR);
}

static cmox_code_t make(cmox_shimdir_t *dir, const wanted_t *wanted, int mirrors,
                        cmox_error_t *error) {
  cmox_mirror_t *grown =
      cmox_grow(dir->mirrors, &dir->mirror_capacity, dir->mirror_count + 1, sizeof *grown);
  if (grown) dir->mirrors = grown;
  char *entry = grown ? cmox_strdup(wanted->path) : NULL;
  if (!entry) return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot mirror PATH: out of memory");
  cmox_mirror_t made = {.entry = entry,
                        .number = (unsigned)dir->mirror_count,
                        .source_device = wanted->info.st_dev,
                        .source_inode = wanted->info.st_ino};
  const cmox_mirror_t *twin = mirror_of_directory(dir, &wanted->info);
  cmox_code_t code = CMOX_OK;
  if (twin) {
    made.number = twin->number;
    made.inode = twin->inode;
  } else {
    char name[16];
    name_of(made.number, name);
    code = begin_linking(&dir->mirroring, wanted, mirrors, name, &made.inode, error);
    if (code) remove_mirror(mirrors, name);
  }
  if (code)
    cmox_free_block(entry);
  else
    dir->mirrors[dir->mirror_count++] = made;
  return code;
}

/* The next entry that has no mirror and holds the command. */
static bool next_wanted(const cmox_shimdir_t *dir, cmox_span_t command, wanted_t *wanted) {
  const char *rest = dir->own_path;
  cmox_span_t entry;
  while (cmox_search_entry(&rest, &entry)) {
    char file[PATH_MAX];
    if (mirror_of(dir, entry) || entry.len + command.len + 2 > sizeof file) continue;
    memcpy(wanted->path, entry.data, entry.len);
    wanted->path[entry.len] = '\0';
    memcpy(file, entry.data, entry.len);
    (void)snprintf(file + entry.len, sizeof file - entry.len, "/%.*s", (int)command.len,
                   (const char *)command.data);
    struct stat info;
    if (lstat(file, &info) == 0 && stat(wanted->path, &wanted->info) == 0) return true;
  }
  return false;
}

/* What a relative entry holds nobody can say. */
static cmox_code_t refuse_relative(const cmox_shimdir_t *dir, cmox_span_t command,
                                   cmox_error_t *error) {
  const char *rest = dir->own_path;
  cmox_span_t entry;
  while (cmox_search_entry(&rest, &entry))
    if (entry.len == 0 || entry.data[0] != '/')
      return cmox_fail(
          error, CMOX_E_BAD_STATE,
          "%.*s cannot be made absent: PATH has the relative entry \"%.*s\", and what is there "
          "depends on the directory of each process; take it off PATH",
          (int)command.len, (const char *)command.data, (int)entry.len, (const char *)entry.data);
  return CMOX_OK;
}

static int make_top(const cmox_shimdir_t *dir, cmox_error_t *error) {
  if (mkdirat(dir->fd, CMOX_MIRRORS, 0700) == 0) {
    (void)fchmodat(dir->fd, CMOX_MIRRORS, 0711, 0);
  } else if (errno != EEXIST) {
    (void)cmox_fail(error, CMOX_E_IO, "%s/" CMOX_MIRRORS ": %s", dir->path, strerror(errno));
    return -1;
  }
  int mirrors = open_mirrors(dir->fd);
  if (mirrors < 0)
    (void)cmox_fail(error, CMOX_E_IO, "%s/" CMOX_MIRRORS ": %s", dir->path, strerror(errno));
  return mirrors;
}

static void take_out(const cmox_shimdir_t *dir, int mirrors, const char *command) {
  for (size_t i = 0; i < dir->mirror_count; i++) {
    char path[16 + CMOX_COMMAND_NAME_MAX + 2];
    (void)snprintf(path, sizeof path, "%u/%s", dir->mirrors[i].number, command);
    (void)unlinkat(mirrors, path, 0);
  }
}

/* What was made for this command goes. */
static void undo(cmox_shimdir_t *dir, int mirrors) {
  stop_linking(&dir->mirroring);
  while (dir->mirror_count > dir->mirroring.before) {
    cmox_mirror_t *last = &dir->mirrors[--dir->mirror_count];
    char name[16];
    name_of(last->number, name);
    if (last->number == dir->mirror_count) remove_mirror(mirrors, name); /* else a twin's */
    cmox_free_block(last->entry);
  }
}

static cmox_code_t hide_some(cmox_shimdir_t *dir, int mirrors, cmox_span_t command, bool *more,
                             cmox_error_t *error) {
  unsigned left = CMOX_LINKS_AT_ONCE;
  cmox_code_t code = CMOX_OK;
  while (!code && left) {
    wanted_t wanted;
    if (dir->mirroring.stream)
      code = link_some(dir, &left, error);
    else if (next_wanted(dir, command, &wanted))
      code = make(dir, &wanted, mirrors, error);
    else
      return CMOX_OK;
  }
  *more = !code;
  return code;
}

cmox_code_t cmox_mirrors_hide(cmox_shimdir_t *dir, cmox_span_t command, bool *more,
                              cmox_error_t *error) {
  cmox_code_t code = refuse_relative(dir, command, error);
  if (code) return code;
  int mirrors = make_top(dir, error);
  if (!dir->mirroring.active) dir->mirroring.before = dir->mirror_count;
  if (mirrors >= 0) code = hide_some(dir, mirrors, command, more, error);
  if (mirrors < 0) code = CMOX_E_IO;
  dir->mirroring.active = *more;
  if (code)
    undo(dir, mirrors);
  else if (!*more)
    take_out(dir, mirrors, cmox_entry_find(dir, command)->name);
  if (mirrors >= 0) (void)close(mirrors);
  return code;
}

/* ---- Using ---- */

void cmox_mirrors_path(const cmox_shimdir_t *dir, cmox_buf_t *out) {
  const char *rest = dir->own_path ? dir->own_path : "";
  cmox_span_t entry;
  for (bool first = true; cmox_search_entry(&rest, &entry); first = false) {
    const cmox_mirror_t *mirror = mirror_of(dir, entry);
    if (!first) cmox_buf_putc(out, ':');
    if (mirror)
      cmox_buf_printf(out, "%s/" CMOX_MIRRORS "/%u", dir->path, mirror->number);
    else
      cmox_buf_append_span(out, entry);
  }
}

static cmox_code_t check_mirror(const cmox_shimdir_t *dir, int mirrors, const cmox_mirror_t *mirror,
                                cmox_error_t *error) {
  char path[16 + CMOX_COMMAND_NAME_MAX + 2];
  struct stat info;
  name_of(mirror->number, path);
  if (fstatat(mirrors, path, &info, AT_SYMLINK_NOFOLLOW) < 0 || info.st_ino != mirror->inode ||
      info.st_dev != dir->device || (info.st_mode & 07777) != 0711)
    return cmox_fail(error, CMOX_E_IO,
                     "%s/" CMOX_MIRRORS "/%s is not as we made it, in place of %s", dir->path, path,
                     mirror->entry);
  for (const cmox_entry_t *entry = dir->entries; entry; entry = entry->hh.next) {
    if (entry->kind != CMOX_ENTRY_ABSENT) continue;
    (void)snprintf(path, sizeof path, "%u/%s", mirror->number, entry->name);
    if (fstatat(mirrors, path, &info, AT_SYMLINK_NOFOLLOW) == 0)
      return cmox_fail(error, CMOX_E_IO, "%s/" CMOX_MIRRORS "/%s is there, and was made absent",
                       dir->path, path);
  }
  return CMOX_OK;
}

/* An entry that did not hold the command, and has no mirror, may hold it by now. */
static cmox_code_t check_unmirrored(const cmox_shimdir_t *dir, const char *name,
                                    cmox_error_t *error) {
  const char *rest = dir->own_path;
  cmox_span_t entry;
  while (cmox_search_entry(&rest, &entry)) {
    char file[PATH_MAX];
    int len =
        snprintf(file, sizeof file, "%.*s/%s", (int)entry.len, (const char *)entry.data, name);
    if (mirror_of(dir, entry) || len >= (int)sizeof file || !cmox_search_runs(file)) continue;
    return cmox_fail(error, CMOX_E_IO,
                     "%s is on PATH, and %s was made absent: it was installed after that", file,
                     name);
  }
  return CMOX_OK;
}

static cmox_code_t check_absent(const cmox_shimdir_t *dir, cmox_error_t *error) {
  cmox_code_t code = CMOX_OK;
  for (const cmox_entry_t *entry = dir->entries; entry && !code; entry = entry->hh.next)
    if (entry->kind == CMOX_ENTRY_ABSENT) code = check_unmirrored(dir, entry->name, error);
  return code;
}

cmox_code_t cmox_mirrors_check(const cmox_shimdir_t *dir, cmox_error_t *error) {
  if (!dir->contained && check_absent(dir, error) != CMOX_OK) return CMOX_E_IO;
  if (dir->mirror_count == 0) return CMOX_OK;
  int mirrors = open_mirrors(dir->fd);
  if (mirrors < 0)
    return cmox_fail(error, CMOX_E_IO, "%s/" CMOX_MIRRORS ": %s", dir->path, strerror(errno));
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < dir->mirror_count && !code; i++)
    code = check_mirror(dir, mirrors, &dir->mirrors[i], error);
  (void)close(mirrors);
  return code;
}

/* ---- The end ---- */

void cmox_mirrors_remove(int dir_fd) {
  int mirrors = open_mirrors(dir_fd);
  if (mirrors < 0) return;
  DIR *stream = fdopendir(mirrors);
  if (!stream) {
    (void)close(mirrors);
    return;
  }
  for (const struct dirent *at; (at = readdir(stream));)
    if (strspn(at->d_name, "0123456789") == strlen(at->d_name)) remove_mirror(mirrors, at->d_name);
  (void)closedir(stream);
  (void)unlinkat(dir_fd, CMOX_MIRRORS, AT_REMOVEDIR);
}

void cmox_mirrors_free(cmox_shimdir_t *dir) {
  stop_linking(&dir->mirroring);
  for (size_t i = 0; i < dir->mirror_count; i++) cmox_free_block(dir->mirrors[i].entry);
  cmox_free_block(dir->mirrors);
}
