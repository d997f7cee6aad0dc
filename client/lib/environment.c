/* Applying: claim the process's one slot, note what each variable is, then set
 * them all. Restoring walks the notes backwards and gives up the slot.
 *
 * Failures: the slot is taken (ENVIRONMENT_BUSY), no memory (what was set so far is undone).
 * The slot belongs to a process: a child of fork() may apply a session of
 * its own above the one it has inherited. */
#include "client/lib/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/living.h"
#include "server/base/alloc.h"
#include "server/base/buf.h"

extern char **environ;

/* The process whose environment is changed, 0: none; and for whom. Guarded by the process's lock:
 * who wants the slot is told by whom it is taken. */
static pid_t taken_in;
static char taken_by[160];

cmox_code_t cmox_entries_add(cmox_entries_t *entries, const void *data, size_t len,
                             cmox_error_t *error) {
  const char *equals = len ? memchr(data, '=', len) : NULL;
  if (!equals || equals == data || memchr(data, '\0', len))
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD,
                     "the server gave an environment entry that is none");
  char **items = cmox_realloc(entries->items, (entries->count + 1) * sizeof *items);
  if (!items) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  entries->items = items;
  items[entries->count] = cmox_strndup(data, len);
  if (!items[entries->count]) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  entries->count++;
  return CMOX_OK;
}

cmox_code_t cmox_entries_follow_path(cmox_entries_t *entries, const char *shim_directory,
                                     cmox_error_t *error) {
  const char *path = getenv("PATH");
  size_t len = strlen(shim_directory);
  if (!path) return CMOX_OK;
  bool applied = strncmp(path, shim_directory, len) == 0 && path[len] == ':';
  for (size_t i = 0; i < entries->count; i++) {
    if (strncmp(entries->items[i], "PATH=", 5) != 0) continue;
    cmox_buf_t text = CMOX_BUF_EMPTY;
    if (applied)
      cmox_buf_printf(&text, "PATH=%s", path);
    else
      cmox_buf_printf(&text, "PATH=%s:%s", shim_directory, path);
    char *entry = cmox_buf_take_text(&text);
    if (!entry) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
    cmox_free_block(entries->items[i]);
    entries->items[i] = entry;
  }
  return CMOX_OK;
}

void cmox_entries_clear(cmox_entries_t *entries) {
  for (size_t i = 0; i < entries->count; i++) cmox_free_block(entries->items[i]);
  cmox_free_block(entries->items);
  *entries = (cmox_entries_t){0};
}

/* Bytes of the name; an entry of the process may have no '='. */
static size_t name_length(const char *entry) { return strcspn(entry, "="); }

static bool same_name(const char *a, const char *b) {
  size_t length = name_length(a);
  return length == name_length(b) && memcmp(a, b, length) == 0;
}

static bool occurs_twice(const char *entry) {
  size_t seen = 0;
  for (char **at = environ; at && *at; at++) seen += same_name(*at, entry);
  return seen > 1;
}

static cmox_code_t claim(cmox_applied_t *applied, const char *whose, cmox_error_t *error) {
  cmox_code_t code = CMOX_OK;
  cmox_process_hold();
  if (taken_in == applied->pid) {
    code = cmox_fail(error, CMOX_E_ENVIRONMENT_BUSY,
                     "%s is applied to this process's environment: end it first, with "
                     "cmox_verify() or cmox_free() (in Check with CK_FORK=no also with the fixture "
                     "ck_cmox_teardown), or make this one with CMOX_ENVIRONMENT_NONE and start the "
                     "code under test with cmox_environ()",
                     taken_by);
  } else {
    taken_in = applied->pid;
    (void)snprintf(taken_by, sizeof taken_by, "%s", whose);
  }
  cmox_process_release();
  return code;
}

static void give_up(const cmox_applied_t *applied) {
  if (applied->pid != getpid()) return; /* a child may hold the slot with a session of its own */
  cmox_process_hold();
  taken_in = 0;
  cmox_process_release();
}

static bool note(cmox_saved_t *saved, const char *entry) {
  saved->name = cmox_strndup(entry, name_length(entry));
  if (!saved->name) return false;
  const char *value = getenv(saved->name);
  saved->value = cmox_strdup(value);
  return saved->value || !value;
}

static bool set(const char *name, const char *entry) {
  /* Of two equal names bash sees the last: a second PATH would lead around the shims. */
  if (occurs_twice(entry)) (void)unsetenv(name);
  return setenv(name, entry + name_length(entry) + 1, 1) == 0;
}

static bool put_back(const cmox_saved_t *saved) {
  if (!saved->value) return unsetenv(saved->name) == 0;
  return setenv(saved->name, saved->value, 1) == 0;
}

static void forget(cmox_applied_t *applied) {
  give_up(applied);
  for (size_t i = 0; i < applied->count; i++) {
    cmox_free_block(applied->saved[i].name);
    cmox_free_block(applied->saved[i].value);
  }
  cmox_free_block(applied->saved);
  *applied = (cmox_applied_t){0};
}

static bool note_all(cmox_applied_t *applied, const cmox_entries_t *entries) {
  applied->saved = cmox_calloc(entries->count, sizeof *applied->saved);
  if (!applied->saved) return false;
  for (size_t i = 0; i < entries->count; i++) {
    applied->count = i + 1;
    if (!note(&applied->saved[i], entries->items[i])) return false;
  }
  return true;
}

cmox_code_t cmox_environment_apply(cmox_applied_t *applied, const cmox_entries_t *entries,
                                   const char *whose, cmox_error_t *error) {
  if (applied->saved) return CMOX_OK;
  *applied = (cmox_applied_t){.pid = getpid()};
  cmox_code_t code = claim(applied, whose, error);
  if (code != CMOX_OK) return code;
  bool noted = note_all(applied, entries);
  size_t set_up = 0;
  while (noted && set_up < entries->count &&
         set(applied->saved[set_up].name, entries->items[set_up]))
    set_up++;
  if (noted && set_up == entries->count) return CMOX_OK;
  /* The one that failed is among them: it may have been unset. */
  for (size_t i = noted ? set_up + 1 : 0; i-- > 0;) (void)put_back(&applied->saved[i]);
  forget(applied);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "the environment cannot be changed: out of memory");
}

cmox_code_t cmox_environment_restore(cmox_applied_t *applied, cmox_error_t *error) {
  if (!applied->saved) return CMOX_OK;
  bool restored = true;
  if (applied->pid == getpid())
    for (size_t i = applied->count; i-- > 0;) restored &= put_back(&applied->saved[i]);
  forget(applied);
  if (restored) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NO_MEMORY, "the environment cannot be restored: out of memory");
}

const char *cmox_environment_before(const cmox_applied_t *applied, const char *name) {
  for (size_t i = 0; applied->saved && i < applied->count; i++)
    if (strcmp(applied->saved[i].name, name) == 0) return applied->saved[i].value;
  return getenv(name);
}

static const char *replacement(const cmox_entries_t *entries, const char *entry) {
  for (size_t i = 0; i < entries->count; i++)
    if (same_name(entries->items[i], entry)) return entries->items[i];
  return NULL;
}

/* The strings stand behind the pointers, in the same block. */
char **cmox_environment_merge(const cmox_entries_t *entries) {
  size_t count = entries->count;
  size_t bytes = 0;
  for (size_t i = 0; i < entries->count; i++) bytes += strlen(entries->items[i]) + 1;
  for (char **at = environ; at && *at; at++) {
    if (replacement(entries, *at)) continue;
    bytes += strlen(*at) + 1;
    count++;
  }
  char **block = cmox_malloc((count + 1) * sizeof *block + bytes);
  if (!block) return NULL;
  char *text = (char *)(block + count + 1);
  size_t used = 0;
  for (size_t i = 0; i < entries->count; i++) {
    block[used++] = text;
    text = stpcpy(text, entries->items[i]) + 1;
  }
  for (char **at = environ; at && *at; at++) {
    if (replacement(entries, *at)) continue;
    block[used++] = text;
    text = stpcpy(text, *at) + 1;
  }
  block[used] = NULL;
  return block;
}
