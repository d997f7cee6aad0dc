/* The shim directory D of one session:
 *
 *   D/             0711
 *   D/bin/         0711  on PATH; one relative link per command: git -> ../cmdmox-shim;
 *                        of allowed commands, one to the real program
 *   D/cmdmox-shim  0755  one copy of the launcher, hard-linked between the sessions of a process
 *   D/mirror/N     0711  in place of an entry of PATH that holds an absent command
 *   D/real/        0711  of `cmdmox isolate`: empty, but in its namespace
 *   D/endpoint     0644  "unix:priv/s", relative to D, so that D can be bind-mounted elsewhere
 *   D/priv/        0700  the socket, priv/s; of a session of a shell another one for its test,
 *                        priv/c, and what the shell evaluates at its start and its end
 *   D/lock         0600  held with flock by the owning process (one file, hard-linked
 *                        likewise); a directory whose lock is free is litter
 *
 * Every byte of these paths matters (sun_path is 107 bytes), so D is short and
 * never under a test's own temporary directory. */
#ifndef CMOX_HOST_SHIMDIR_H
#define CMOX_HOST_SHIMDIR_H

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"

#define CMOX_SHIMDIR_SHIM "cmdmox-shim"
#define CMOX_SHIMDIR_REAL "real"
#define CMOX_SHIMDIR_PRIVATE "priv" /* in it: */
#define CMOX_SHIMDIR_CONTROL "c"
#define CMOX_SHIMDIR_ENTER "enter"
#define CMOX_SHIMDIR_LEAVE "leave"
#define CMOX_SHIMDIR_LEFT "left" /* the shell has evaluated that */

typedef struct cmox_shimdir cmox_shimdir_t;

typedef struct cmox_shimdir_options {
  const char *shim;                /* NULL: CMOX_SHIM, else the installed one */
  const char *temporary_directory; /* NULL: CMOX_TMPDIR, else /tmp, /var/tmp, TMPDIR, the first that
                                      is usable */
} cmox_shimdir_options_t;

/* Where to look, with what the environment said. Owns its strings. */
typedef struct cmox_shimdir_settings {
  char *shim;                /* NULL: the installed one */
  char *temporary_directory; /* this one only; NULL: the usual places */
  char *tmpdir;              /* TMPDIR, the last of the usual places */
  char *isolated;            /* CMOX_ISOLATED: the real programs of what `cmdmox isolate` has made
                                shims; NULL: this does not run in it */
  uint32_t probe_ms;         /* a seam for tests; 0: CMOX_PROBE_DEADLINE_MS */
} cmox_shimdir_settings_t;

/* Reads options (may be NULL), and the environment for what they leave open:
 * CMOX_SHIM, CMOX_TMPDIR, TMPDIR, CMOX_ISOLATED. An empty variable counts as unset; relative paths
 * are fixed to the current directory. To be called on the user's thread, before the engine's
 * starts: nothing else here reads the environment. On failure (CMOX_E_NO_MEMORY) *out is empty. */
cmox_code_t cmox_shimdir_settings_read(const cmox_shimdir_options_t *options,
                                       cmox_shimdir_settings_t *out, cmox_error_t *error);
void cmox_shimdir_settings_clear(cmox_shimdir_settings_t *settings);

/* Makes D and proves that the launcher runs there: the first time in a process by
 * asking it for its version, later by linking the copy that has answered. May block for
 * CMOX_PROBE_DEADLINE_MS. Any thread. Owned by the caller.
 * CMOX_E_TEMP_DIRECTORY (unwritable, missing; every place tried is named), CMOX_E_UNSAFE_DIRECTORY
 * (the parent is foreign, or writable by others without the sticky bit), CMOX_E_PATH_TOO_LONG,
 * CMOX_E_NOT_EXECUTABLE (noexec), CMOX_E_SHIM_MISSING, CMOX_E_SHIM_BROKEN (mode, architecture),
 * CMOX_E_SHIM_VERSION, CMOX_E_IO, CMOX_E_NO_MEMORY. On failure nothing is left on disk. */
cmox_code_t cmox_shimdir_create(const cmox_shimdir_settings_t *settings, cmox_shimdir_t **out,
                                cmox_error_t *error);

const char *cmox_shimdir_bin(const cmox_shimdir_t *dir); /* absolute */
const char *cmox_shimdir_socket(
    const cmox_shimdir_t *dir); /* absolute, at most CMOX_SOCKET_PATH_MAX bytes */

/* Says what PATH of the code under test is without shims; once, before anything is added.
 * contained: bin stands in its place, and cmox_shimdir_seal() is to be called. On failure the
 * directory is of no use. */
cmox_code_t cmox_shimdir_set_path(cmox_shimdir_t *dir, cmox_span_t path, bool contained,
                                  cmox_error_t *error);
/* Gives every program along PATH a shim, if contained. Does no more at once than other sessions can
 * wait for, and sets *more: then it is to be called again before anything else is added. On failure
 * the directory is of no use. */
cmox_code_t cmox_shimdir_seal(cmox_shimdir_t *dir, bool *more, cmox_error_t *error);
/* Says it anew. CMOX_E_BAD_STATE: it is another one, and the directory is made for that from
 * before: it is contained, or has mirrors. */
cmox_code_t cmox_shimdir_follow_path(cmox_shimdir_t *dir, cmox_span_t path, cmox_error_t *error);
const char *cmox_shimdir_own_path(const cmox_shimdir_t *dir); /* as it was set; "" before */
/* PATH with the shims, for the code under test. */
void cmox_shimdir_path(const cmox_shimdir_t *dir, cmox_buf_t *out);

/* Adds the link of a command and checks that it can be executed; again is fine.
 * CMOX_E_BAD_COMMAND_NAME; CMOX_E_BAD_STATE: it is allowed or absent. */
cmox_code_t cmox_shimdir_add(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error);

/* What contradicts each other (a command that is mocked and allowed, say) is CMOX_E_BAD_STATE, and
 * leaves the command with a shim, or absent: never with the real program.
 *
 * In a contained directory: the real program of this name, an isolated one or the first along the
 * session's PATH, instead of a shim; again is fine. CMOX_E_NOT_FOUND: there is none;
 * CMOX_E_BAD_STATE: it is not contained, or the command has a shim of its own or is absent. */
cmox_code_t cmox_shimdir_allow(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error);

/* Has the command missing from the PATH of the code under test, which changes by that unless the
 * directory is contained; again is fine. *more is set as by cmox_shimdir_seal(): then it is to be
 * called again for this command. Where it cannot be done the command has a shim.
 * CMOX_E_BAD_STATE: it has a shim of its own or is allowed,
 * or PATH has a relative entry, which cannot be looked into. */
cmox_code_t cmox_shimdir_hide(cmox_shimdir_t *dir, cmox_span_t command, bool *more,
                              cmox_error_t *error);

/* Calls visit for every command that was added, not for those of containment. */
void cmox_shimdir_each(const cmox_shimdir_t *dir, void (*visit)(void *user, cmox_span_t command),
                       void *user);

/* Checks every link once more, where it stands: it may be executed and leads where it did; and that
 * what is absent still is. */
cmox_code_t cmox_shimdir_check(const cmox_shimdir_t *dir, cmox_error_t *error);

/* The session is over: the directory stays as a tombstone whose shims answer
 * 125, and goes when the process ends (after its atexit handlers, in the process that made it
 * only), or by a later sweep when another process still has it in its environment then. Frees dir;
 * NULL is fine. */
void cmox_shimdir_entomb(cmox_shimdir_t *dir);

/* Removes the directories under parent that dead processes of this user left. Returns how many. */
size_t cmox_shimdir_sweep(const char *parent);

/* What has become of a directory. */
typedef enum cmox_remains {
  CMOX_REMAINS_LIVING,  /* its owner lives */
  CMOX_REMAINS_USED,    /* its owner is dead, and another process was started with it on its PATH */
  CMOX_REMAINS_LEFT,    /* nobody uses it: it may be removed */
  CMOX_REMAINS_REMOVED, /* it was removed */
  CMOX_REMAINS_STUCK    /* it could not be, or somebody put more into it */
} cmox_remains_t;

/* Tells of each directory of this user under parent, and removes those that nobody uses any more if
 * `remove` says so. False: parent cannot be read. */
bool cmox_shimdir_survey(const char *parent, bool remove,
                         void (*tell)(void *user, const char *path, cmox_remains_t remains),
                         void *user);

#define CMOX_SHIMDIR_PLACES_MAX 3u
/* Where directories are made, in the order in which places are tried; borrowed from settings. */
size_t cmox_shimdir_places(const cmox_shimdir_settings_t *settings,
                           const char *places[CMOX_SHIMDIR_PLACES_MAX]);
/* The path of the shim that is copied there. */
cmox_code_t cmox_shimdir_find_shim(const cmox_shimdir_settings_t *settings, char *path, size_t size,
                                   cmox_error_t *error);

/* CMOX_OK when this may be a command's name: 1..255 bytes, no '/', no NUL, not "." or "..". */
cmox_code_t cmox_command_name_check(cmox_span_t command, cmox_error_t *error);

#endif
