#include "shim/resolve.h"

#include <string.h>

#include "shim/os.h"
#include "shim/say.h"

static CMOX_COLD char path[CMOX_OS_PATH_MAX];

/* Puts "directory/name" into path; false: too long to be one. */
static bool join(cmox_view_t directory, cmox_view_t name) {
  const size_t slash = directory.len > 0 ? 1 : 0; /* an empty entry is the working directory */
  if (directory.len + slash + name.len >= sizeof path) return false;
  if (slash) {
    memcpy(path, directory.data, directory.len);
    path[directory.len] = '/';
  }
  memcpy(path + directory.len + slash, name.data, name.len);
  path[directory.len + slash + name.len] = '\0';
  return true;
}

static const char is_self[] = "the real command is this shim: it would call itself for ever";

static cmox_resolved_t refused(int error) {
  if (cmox_os_is_missing(error)) return (cmox_resolved_t){path, 127, cmox_os_error_text(error)};
  return (cmox_resolved_t){path, 126, cmox_os_error_text(error)};
}

static cmox_resolved_t look_at(void) {
  int error = 0;
  switch (cmox_os_look_at(path, &error)) {
    case CMOX_OS_IS_PROGRAM:
      return (cmox_resolved_t){.path = path};
    case CMOX_OS_IS_SELF:
      return (cmox_resolved_t){path, CMOX_EXIT_SHIM_FAILURE, is_self};
    default:
      return refused(error);
  }
}

/* The first program; else the worst that was seen on the way. */
static cmox_resolved_t search(cmox_view_t directories, cmox_view_t name) {
  cmox_resolved_t worst = {NULL, 127, "not found on the PATH from before the session"};
  const uint8_t *at = directories.data, *const end = at + directories.len;
  for (;;) {
    const uint8_t *stop = at;
    while (stop < end && *stop != ':') stop++;
    if (join((cmox_view_t){at, (size_t)(stop - at)}, name)) {
      const cmox_resolved_t seen = look_at();
      if (seen.status == 0) return seen;
      if (seen.status < worst.status) worst = (cmox_resolved_t){NULL, seen.status, seen.why};
    }
    if (stop == end) return worst;
    at = stop + 1;
  }
}

cmox_resolved_t cmox_resolve(const cmox_action_t *action, const char *command) {
  if (action->program.len == 0)
    return search(action->search_path, (cmox_view_t){(const uint8_t *)command, strlen(command)});
  if (!join((cmox_view_t){0}, action->program))
    return (cmox_resolved_t){NULL, 127, "the program's path is too long"};
  return look_at();
}

static char *put(char *at, cmox_view_t bytes) {
  if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
  return at + bytes.len;
}

static cmox_change_t change_at(const cmox_action_t *action, size_t offset) {
  cmox_change_t change;
  memcpy(&change, action->changes.data + offset, sizeof change);
  return change;
}

static bool is_changed(const cmox_action_t *action, const char *entry) {
  for (size_t i = 0; i < action->changes.len; i += sizeof(cmox_change_t)) {
    const cmox_view_t name = change_at(action, i).name;
    if (strncmp(entry, (const char *)name.data, name.len) == 0 && entry[name.len] == '=')
      return true;
  }
  return false;
}

char **cmox_overlay(char **environment, const cmox_action_t *action) {
  const size_t changes = action->changes.len;
  if (changes == 0) return environment;
  size_t count = changes / sizeof(cmox_change_t) + 1, text = 0;
  for (char **entry = environment; *entry; entry++) count++;
  for (size_t i = 0; i < changes; i += sizeof(cmox_change_t)) {
    const cmox_change_t change = change_at(action, i);
    text += change.name.len + change.value.len + 2;
  }
  char **const entries = cmox_os_map(count * sizeof *entries + text);
  if (!entries) cmox_die("out of memory");
  char **next = entries;
  for (char **entry = environment; *entry; entry++)
    if (!is_changed(action, *entry)) *next++ = *entry;
  char *at = (char *)(entries + count);
  for (size_t i = 0; i < changes; i += sizeof(cmox_change_t)) {
    const cmox_change_t change = change_at(action, i);
    if (!change.value.data) continue;
    *next++ = at;
    at = put(at, change.name);
    *at++ = '=';
    at = put(at, change.value) + 1; /* mapped memory is zero */
  }
  return entries;
}
