/* The commands of a session: what stands in bin for each of them.
 *
 * A command is one thing: mocked (its shim), allowed (the real program), absent, or, in a contained
 * session, none of these and still a shim. What it is can be said again and never changed, but for
 * the last.
 *
 * Failures: nothing has changed then, unless the real program could be reached: a test that goes on
 * meets a shim in its place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/host/search.h"
#include "server/host/shimdir_internal.h"

cmox_code_t cmox_command_name_check(cmox_span_t command, cmox_error_t *error) {
  const char *why = NULL;
  if (command.len == 0)
    why = "it is empty";
  else if (command.len > CMOX_COMMAND_NAME_MAX)
    why = "it is longer than 255 bytes";
  else if (memchr(command.data, '\0', command.len))
    why = "it contains a NUL";
  else if (memchr(command.data, '/', command.len))
    why = "it contains a '/'; give the name that PATH is searched for";
  else if (cmox_span_equal(command, cmox_span_str(".")) ||
           cmox_span_equal(command, cmox_span_str("..")))
    why = "it is a directory";
  if (!why) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_COMMAND_NAME, "command name \"%.*s\": %s",
                   (int)(command.len < 64 ? command.len : 64),
                   command.len ? (const char *)command.data : "", why);
}

/* ---- Entries ---- */

cmox_entry_t *cmox_entry_find(const cmox_shimdir_t *dir, cmox_span_t command) {
  cmox_entry_t *entry = NULL;
  HASH_FIND(hh, dir->entries, command.data, command.len, entry);
  return entry;
}

static void free_entry(cmox_entry_t *entry) {
  if (entry) cmox_free_block(entry->target);
  cmox_free_block(entry);
}

/* NULL: memory is out. */
static cmox_entry_t *enter(cmox_shimdir_t *dir, cmox_span_t command, cmox_entry_kind_t kind) {
  cmox_entry_t *entry = cmox_calloc(1, sizeof *entry + command.len + 1);
  if (!entry) return NULL;
  entry->kind = kind;
  memcpy(entry->name, command.data, command.len);
  HASH_ADD_KEYPTR(hh, dir->entries, entry->name, command.len, entry);
  if (!entry->oom) return entry;
  free_entry(entry);
  return NULL;
}

static void leave(cmox_shimdir_t *dir, cmox_entry_t *entry) {
  HASH_DEL(dir->entries, entry);
  free_entry(entry);
}

void cmox_shimdir_free_entries(cmox_shimdir_t *dir) {
  cmox_entry_t *entry, *next;
  HASH_ITER(hh, dir->entries, entry, next) { leave(dir, entry); }
}

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot make a shim: out of memory");
}

/* A command is one thing only. */
static cmox_code_t contradicts(const cmox_entry_t *entry, const char *wanted, cmox_error_t *error) {
  static const char *const is[] = {
      [CMOX_ENTRY_SHIM] = "it has a double, or is registered",
      [CMOX_ENTRY_SEALED] = "it has a shim",
      [CMOX_ENTRY_ALLOWED] = "it was allowed to run for real",
      [CMOX_ENTRY_ABSENT] = "it was made absent",
  };
  return cmox_fail(error, CMOX_E_BAD_STATE, "%s cannot be %s: %s; say one of them", entry->name,
                   wanted, is[entry->kind]);
}

/* ---- Links ---- */

/* Where it stands now, as a lookup along PATH will see it. */
static cmox_code_t check_link(const cmox_shimdir_t *dir, int bin, const char *name,
                              cmox_error_t *error) {
  char target[sizeof CMOX_SHIM_TARGET];
  struct stat info;
  ssize_t len = readlinkat(bin, name, target, sizeof target);
  if (len < 0 && errno == ENOENT)
    return cmox_fail(error, CMOX_E_IO, "%s/%s is gone: calls would reach the real command",
                     dir->bin, name);
  if (len != sizeof CMOX_SHIM_TARGET - 1 || memcmp(target, CMOX_SHIM_TARGET, (size_t)len) != 0 ||
      fstatat(bin, name, &info, 0) < 0 || !cmox_file_id_equal(cmox_file_id(&info), dir->launcher) ||
      (info.st_mode & 0777) != 0755)
    return cmox_fail(error, CMOX_E_IO, "%s/%s does not lead to our shim any more", dir->bin, name);
  if (faccessat(bin, name, X_OK, 0) < 0)
    return cmox_fail(error, CMOX_E_NOT_EXECUTABLE,
                     "%s/%s cannot be executed (is it mounted noexec?): %s; set CMOX_TMPDIR to a "
                     "directory where programs can run",
                     dir->bin, name, strerror(errno));
  return CMOX_OK;
}

static int open_bin(const cmox_shimdir_t *dir) {
  return openat(dir->fd, "bin", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static cmox_code_t add_link(cmox_shimdir_t *dir, const char *name, cmox_error_t *error) {
  int bin = open_bin(dir);
  cmox_code_t code = CMOX_OK;
  bool made = bin >= 0 && symlinkat(CMOX_SHIM_TARGET, bin, name) == 0;
  if (bin < 0 || (!made && errno != EEXIST))
    code = cmox_fail(error, CMOX_E_IO, "cannot make the shim %s/%s: %s", dir->bin, name,
                     strerror(errno));
  if (!code) code = check_link(dir, bin, name, error);
  if (code && made) (void)unlinkat(bin, name, 0);
  if (bin >= 0) (void)close(bin);
  return code;
}

/* Puts a link in place of what bin has of this name; at no time is there nothing. */
static cmox_code_t put_link(const cmox_shimdir_t *dir, const char *name, const char *target,
                            cmox_error_t *error) {
  int bin = open_bin(dir);
  (void)unlinkat(dir->fd, CMOX_NEW_LINK, 0);
  bool put = bin >= 0 && symlinkat(target, dir->fd, CMOX_NEW_LINK) == 0 &&
             renameat(dir->fd, CMOX_NEW_LINK, bin, name) == 0;
  cmox_code_t code = put ? CMOX_OK
                         : cmox_fail(error, CMOX_E_IO, "cannot make the link %s/%s: %s", dir->bin,
                                     name, strerror(errno));
  if (bin >= 0) (void)close(bin);
  return code;
}

static cmox_code_t take_out(const cmox_shimdir_t *dir, const char *name, cmox_error_t *error) {
  int bin = open_bin(dir);
  bool gone = bin >= 0 && (unlinkat(bin, name, 0) == 0 || errno == ENOENT);
  cmox_code_t code = gone ? CMOX_OK
                          : cmox_fail(error, CMOX_E_IO, "cannot remove %s/%s: %s", dir->bin, name,
                                      strerror(errno));
  if (bin >= 0) (void)close(bin);
  return code;
}

/* What was allowed and is now said to be something else does not run for real any more. */
static void disallow(const cmox_shimdir_t *dir, cmox_entry_t *entry) {
  if (entry->kind != CMOX_ENTRY_ALLOWED) return;
  if (put_link(dir, entry->name, CMOX_SHIM_TARGET, NULL) != CMOX_OK)
    (void)take_out(dir, entry->name, NULL);
  cmox_free_block(entry->target);
  entry->target = NULL;
  entry->kind = CMOX_ENTRY_SHIM;
}

cmox_code_t cmox_shimdir_add(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error) {
  cmox_code_t code = cmox_command_name_check(command, error);
  if (code) return code;
  cmox_entry_t *entry = cmox_entry_find(dir, command);
  const bool known = entry != NULL;
  if (known && entry->kind != CMOX_ENTRY_SHIM && entry->kind != CMOX_ENTRY_SEALED) {
    code = contradicts(entry, "mocked", error);
    disallow(dir, entry);
    return code;
  }
  if (!known) entry = enter(dir, command, CMOX_ENTRY_SHIM);
  if (!entry) return no_memory(error);
  code = add_link(dir, entry->name, error);
  if (!code)
    entry->kind = CMOX_ENTRY_SHIM;
  else if (!known)
    leave(dir, entry);
  return code;
}

/* ---- Containment ---- */

/* Where it can be, one link under many names: an inode for each is what takes the time. */
static bool link_sealed(int bin, const char **first, const char *name) {
  if (*first && linkat(bin, *first, bin, name, 0) == 0) return true;
  *first = name;
  return symlinkat(CMOX_SHIM_TARGET, bin, name) == 0;
}

/* The next of the programs of a directory get shims, unless an earlier one has given them theirs.
 */
static cmox_code_t seal_some(cmox_shimdir_t *dir, int bin, unsigned *left, cmox_error_t *error) {
  cmox_sealing_t *sealing = &dir->sealing;
  const struct dirent *at = NULL;
  for (; *left && (at = readdir(sealing->stream)); --*left) {
    const cmox_span_t command = cmox_span_str(at->d_name);
    struct stat info;
    if (cmox_entry_find(dir, command) ||
        fstatat(dirfd(sealing->stream), at->d_name, &info, 0) < 0 || !S_ISREG(info.st_mode) ||
        !(info.st_mode & 0111))
      continue;
    cmox_entry_t *entry = enter(dir, command, CMOX_ENTRY_SEALED);
    if (!entry) return no_memory(error);
    if (link_sealed(bin, &sealing->first, entry->name)) continue;
    return cmox_fail(error, CMOX_E_IO, "cannot make the shim %s/%s: %s", dir->bin, entry->name,
                     strerror(errno));
  }
  if (at || !*left) return CMOX_OK;
  (void)closedir(sealing->stream);
  sealing->stream = NULL;
  return CMOX_OK;
}

/* A directory that cannot be listed is as good as none: what is in it is not on PATH any more. */
static bool next_directory(cmox_sealing_t *sealing) {
  cmox_span_t entry;
  while (!sealing->stream && cmox_search_entry(&sealing->rest, &entry)) {
    char path[PATH_MAX];
    if (entry.len == 0 || entry.data[0] != '/' || entry.len >= sizeof path) continue;
    (void)snprintf(path, sizeof path, "%.*s", (int)entry.len, (const char *)entry.data);
    sealing->stream = opendir(path);
  }
  return sealing->stream != NULL;
}

cmox_code_t cmox_shimdir_seal(cmox_shimdir_t *dir, bool *more, cmox_error_t *error) {
  *more = false;
  if (!dir->contained) return CMOX_OK;
  int bin = open_bin(dir);
  if (bin < 0) return cmox_fail(error, CMOX_E_IO, "cannot open %s: %s", dir->bin, strerror(errno));
  cmox_code_t code = CMOX_OK;
  unsigned left = CMOX_LINKS_AT_ONCE;
  while (!code && left && next_directory(&dir->sealing)) code = seal_some(dir, bin, &left, error);
  *more = !code && left == 0;
  (void)close(bin);
  return code;
}

void cmox_shimdir_unseal(const cmox_shimdir_t *dir) {
  if (!dir->contained) return;
  int bin = open_bin(dir);
  for (const cmox_entry_t *entry = dir->entries; entry && bin >= 0; entry = entry->hh.next)
    if (entry->kind == CMOX_ENTRY_SEALED) (void)unlinkat(bin, entry->name, 0);
  if (bin >= 0) (void)close(bin);
}

cmox_code_t cmox_shimdir_set_path(cmox_shimdir_t *dir, cmox_span_t path, bool contained,
                                  cmox_error_t *error) {
  dir->own_path = cmox_strndup(path.data, path.len);
  if (!dir->own_path) return no_memory(error);
  dir->contained = contained;
  dir->sealing.rest = dir->own_path;
  return CMOX_OK;
}

cmox_code_t cmox_shimdir_follow_path(cmox_shimdir_t *dir, cmox_span_t path, cmox_error_t *error) {
  if (cmox_span_equal(cmox_span_str(cmox_shimdir_own_path(dir)), path)) return CMOX_OK;
  if (dir->contained || dir->mirror_count)
    return cmox_fail(error, CMOX_E_BAD_STATE,
                     "PATH has changed since the session was made: a contained session, and one "
                     "with absent commands, is made for PATH as it was then; change it before");
  char *copy = cmox_strndup(path.data, path.len);
  if (!copy) return no_memory(error);
  cmox_free_block(dir->own_path);
  dir->own_path = copy;
  return CMOX_OK;
}

const char *cmox_shimdir_own_path(const cmox_shimdir_t *dir) {
  return dir->own_path ? dir->own_path : "";
}

void cmox_shimdir_path(const cmox_shimdir_t *dir, cmox_buf_t *out) {
  cmox_buf_puts(out, dir->bin);
  if (dir->contained) return;
  cmox_buf_putc(out, ':');
  cmox_mirrors_path(dir, out);
}

static bool is_session_shim(const char *file) {
  char target[sizeof CMOX_SHIM_TARGET];
  return readlink(file, target, sizeof target) == sizeof CMOX_SHIM_TARGET - 1 &&
         memcmp(target, CMOX_SHIM_TARGET, sizeof CMOX_SHIM_TARGET - 1) == 0;
}

/* What was isolated is a shim along PATH. */
static bool find_real(const cmox_shimdir_t *dir, cmox_span_t command, char file[PATH_MAX]) {
  const char *isolated = dir->isolated;
  const char *path = dir->own_path;
  return cmox_search_program(&isolated, command, file) || cmox_search_program(&path, command, file);
}

cmox_code_t cmox_shimdir_allow(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error) {
  cmox_code_t code = cmox_command_name_check(command, error);
  if (code) return code;
  if (!dir->contained)
    return cmox_fail(error, CMOX_E_BAD_STATE,
                     "%.*s: only a contained session needs to allow commands; in this one all that "
                     "have no double run for real",
                     (int)command.len, (const char *)command.data);
  cmox_entry_t *entry = cmox_entry_find(dir, command);
  if (entry && entry->kind == CMOX_ENTRY_ALLOWED) return CMOX_OK;
  if (entry && entry->kind != CMOX_ENTRY_SEALED) return contradicts(entry, "allowed", error);
  const bool known = entry != NULL;
  char file[PATH_MAX];
  const char *rest = dir->own_path;
  if (!(entry || cmox_search_program(&rest, command, file)) || !find_real(dir, command, file))
    return cmox_fail(error, CMOX_E_NOT_FOUND, "%.*s: no program of this name is on PATH (%s)",
                     (int)command.len, (const char *)command.data, dir->own_path);
  if (is_session_shim(file))
    return cmox_fail(
        error, CMOX_E_BAD_STATE,
        "%.*s cannot be allowed: %s, the first on PATH, is the shim of another session "
        "around this one, and would answer as a call of this one",
        (int)command.len, (const char *)command.data, file);
  /* In a directory that cannot be listed, or installed since: it has no shim yet. */
  if (!entry) entry = enter(dir, command, CMOX_ENTRY_SEALED);
  if (!entry) return no_memory(error);
  char *target = cmox_strdup(file);
  if (!target) {
    if (!known) leave(dir, entry);
    return no_memory(error);
  }
  code = put_link(dir, entry->name, target, error);
  if (code) {
    cmox_free_block(target);
    if (!known) leave(dir, entry);
    return code;
  }
  entry->target = target;
  entry->kind = CMOX_ENTRY_ALLOWED;
  return CMOX_OK;
}

/* ---- Absence ---- */

/* What could not be hidden has a shim. */
static bool refuse_calls(cmox_shimdir_t *dir, cmox_span_t command) {
  char name[CMOX_COMMAND_NAME_MAX + 1];
  (void)snprintf(name, sizeof name, "%.*s", (int)command.len, (const char *)command.data);
  return dir->contained || add_link(dir, name, NULL) == CMOX_OK;
}

cmox_code_t cmox_shimdir_hide(cmox_shimdir_t *dir, cmox_span_t command, bool *more,
                              cmox_error_t *error) {
  *more = false;
  cmox_code_t code = cmox_command_name_check(command, error);
  if (code) return code;
  cmox_entry_t *entry = cmox_entry_find(dir, command);
  const bool absent = entry && entry->kind == CMOX_ENTRY_ABSENT;
  if (absent && !dir->mirroring.active) return CMOX_OK;
  if (entry && !absent && entry->kind != CMOX_ENTRY_SEALED) {
    code = contradicts(entry, "absent", error);
    disallow(dir, entry);
    return code;
  }
  if (!entry) entry = enter(dir, command, CMOX_ENTRY_ABSENT);
  if (!entry) {
    (void)refuse_calls(dir, command);
    return no_memory(error);
  }
  code = dir->contained ? take_out(dir, entry->name, error)
                        : cmox_mirrors_hide(dir, command, more, error);
  if (!code)
    entry->kind = CMOX_ENTRY_ABSENT;
  else if (refuse_calls(dir, command))
    entry->kind = CMOX_ENTRY_SHIM;
  return code;
}

/* ---- Looking again ---- */

void cmox_shimdir_each(const cmox_shimdir_t *dir, void (*visit)(void *user, cmox_span_t command),
                       void *user) {
  for (const cmox_entry_t *entry = dir->entries; entry; entry = entry->hh.next)
    if (entry->kind == CMOX_ENTRY_SHIM) visit(user, cmox_span_str(entry->name));
}

static cmox_code_t check_dirs(const cmox_shimdir_t *dir, int bin, cmox_error_t *error) {
  struct stat held;
  struct stat named;
  struct stat top;
  if (lstat(dir->path, &top) < 0 || top.st_dev != dir->device || top.st_ino != dir->inode ||
      bin < 0 || fstat(bin, &held) < 0 || lstat(dir->bin, &named) < 0 ||
      held.st_ino != named.st_ino || held.st_dev != named.st_dev)
    return cmox_fail(error, CMOX_E_IO, "%s is gone: calls would reach the real commands",
                     dir->path);
  if ((top.st_mode & 07777) != 0711 || (held.st_mode & 07777) != 0711)
    return cmox_fail(error, CMOX_E_UNSAFE_DIRECTORY,
                     "the mode of %s was changed: it and bin must be 0711", dir->path);
  return CMOX_OK;
}

/* Whether the link leads there; where that is, the check of another link has seen. */
static cmox_code_t check_target(const cmox_shimdir_t *dir, int bin, const char *name,
                                const char *target, cmox_error_t *error) {
  char found[PATH_MAX];
  ssize_t len = readlinkat(bin, name, found, sizeof found);
  if (len == (ssize_t)strlen(target) && memcmp(found, target, (size_t)len) == 0) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO, "%s/%s %s", dir->bin, name,
                   len < 0 ? "is gone" : "does not lead where it did any more");
}

static cmox_code_t check_entry(const cmox_shimdir_t *dir, int bin, const cmox_entry_t *entry,
                               cmox_error_t *error) {
  switch (entry->kind) {
    case CMOX_ENTRY_SHIM:
      return check_link(dir, bin, entry->name, error);
    case CMOX_ENTRY_SEALED:
      return check_target(dir, bin, entry->name, CMOX_SHIM_TARGET, error);
    case CMOX_ENTRY_ALLOWED:
      return check_target(dir, bin, entry->name, entry->target, error);
    case CMOX_ENTRY_ABSENT:
      break;
  }
  struct stat info;
  if (fstatat(bin, entry->name, &info, AT_SYMLINK_NOFOLLOW) < 0) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO, "%s/%s is there, and was made absent", dir->bin, entry->name);
}

/* That the shims of a contained session run is seen at one of them: all lead to the same file. */
static cmox_code_t check_entries(const cmox_shimdir_t *dir, int bin, cmox_error_t *error) {
  bool sealed = false;
  cmox_code_t code = CMOX_OK;
  for (const cmox_entry_t *entry = dir->entries; entry && !code; entry = entry->hh.next) {
    code = check_entry(dir, bin, entry, error);
    if (code || sealed || entry->kind != CMOX_ENTRY_SEALED) continue;
    sealed = true;
    code = check_link(dir, bin, entry->name, error);
  }
  return code;
}

cmox_code_t cmox_shimdir_check(const cmox_shimdir_t *dir, cmox_error_t *error) {
  int bin = open_bin(dir);
  cmox_code_t code = check_dirs(dir, bin, error);
  if (!code) code = check_entries(dir, bin, error);
  if (!code) code = cmox_mirrors_check(dir, error);
  if (bin >= 0) (void)close(bin);
  return code;
}
