/* What the files of the shim directory share. */
#ifndef CMOX_HOST_SHIMDIR_INTERNAL_H
#define CMOX_HOST_SHIMDIR_INTERNAL_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/host/shimdir.h"

/* uthash must report a failed allocation instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define CMOX_SHIMDIR_PREFIX "cmdmox-"
#define CMOX_SHIMDIR_RANDOM 6 /* letters and digits after the prefix */
#define CMOX_SHIMDIR_NAME_LEN (sizeof CMOX_SHIMDIR_PREFIX - 1 + CMOX_SHIMDIR_RANDOM)
#define CMOX_SHIM_FILE CMOX_SHIMDIR_SHIM
#define CMOX_SHIM_TARGET "../" CMOX_SHIM_FILE
#define CMOX_NEW_LINK "link.new" /* on its way into bin */
#define CMOX_MIRRORS "mirror"
#define CMOX_SOCKET_FILE "priv/s"
/* D with its NUL: "/priv/s" still has to fit sun_path. */
#define CMOX_SHIMDIR_PATH_SIZE (CMOX_SOCKET_PATH_MAX + 1 - sizeof CMOX_SOCKET_FILE)

/* Enough to notice that a file is not the one it was. */
typedef struct cmox_file_id {
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed; /* of the content */
} cmox_file_id_t;

cmox_file_id_t cmox_file_id(const struct stat *info);
bool cmox_file_id_equal(cmox_file_id_t a, cmox_file_id_t b);

/* ---- The directory (shimdir.c) ---- */

/* Entries of a directory that are looked at before other sessions have their turn: on a busy ext4 a
 * link may take more than a millisecond. */
#define CMOX_LINKS_AT_ONCE 64u

/* What a command is in a session. */
typedef enum cmox_entry_kind {
  CMOX_ENTRY_SHIM,    /* bin has its shim */
  CMOX_ENTRY_SEALED,  /* the same, and only because the session is contained */
  CMOX_ENTRY_ALLOWED, /* bin has a link to the real program */
  CMOX_ENTRY_ABSENT   /* neither bin nor a mirror has it */
} cmox_entry_kind_t;

typedef struct cmox_entry {
  UT_hash_handle hh; /* in dir->entries, by name */
  bool oom;
  cmox_entry_kind_t kind;
  char *target; /* owned; ALLOWED: where the link leads */
  char name[];
} cmox_entry_t;

/* Stands on PATH in the place of an entry, with links to all of it but what is absent. */
typedef struct cmox_mirror {
  char *entry;     /* owned; as PATH has it */
  unsigned number; /* its name: D/mirror/NUMBER. Two entries that are one directory share it */
  dev_t source_device;
  ino_t source_inode;
  ino_t inode; /* of the mirror */
} cmox_mirror_t;

/* Containment in the making. */
typedef struct cmox_sealing {
  const char *rest;  /* of PATH; NULL: nothing is left */
  DIR *stream;       /* an entry of PATH; NULL: none is open */
  const char *first; /* the link that the others are made of */
} cmox_sealing_t;

/* Mirrors in the making, for one command. */
typedef struct cmox_mirroring {
  bool active;
  size_t before; /* mirrors that were there */
  DIR *stream;   /* what the last one is a mirror of; NULL: it is complete */
  int mirror;    /* and its own descriptor */
} cmox_mirroring_t;

struct cmox_shimdir {
  char path[CMOX_SHIMDIR_PATH_SIZE];
  char bin[CMOX_SHIMDIR_PATH_SIZE + sizeof "/bin"];
  char socket[CMOX_SHIMDIR_PATH_SIZE + sizeof CMOX_SOCKET_FILE];
  const char *name; /* the last part of path */
  pid_t owner;
  unsigned generation;
  int parent_fd;
  int fd;
  int slot; /* in the registry */
  dev_t device;
  ino_t inode;
  cmox_file_id_t launcher;
  char *own_path; /* PATH without shims; NULL: not told */
  char *isolated; /* of the settings */
  bool contained;
  cmox_entry_t *entries; /* hash, in the order they came */
  cmox_mirror_t *mirrors;
  size_t mirror_count, mirror_capacity;
  cmox_sealing_t sealing;
  cmox_mirroring_t mirroring;
};

/* ---- Commands (shimdir_entry.c) ---- */

cmox_entry_t *cmox_entry_find(const cmox_shimdir_t *dir, cmox_span_t command); /* or NULL */
void cmox_shimdir_free_entries(cmox_shimdir_t *dir);
/* Removes the shims that only containment has put there: without them a command is not found, which
 * is as good once the session is over. */
void cmox_shimdir_unseal(const cmox_shimdir_t *dir);

/* ---- Mirrors (shimdir_mirror.c) ---- */

/* Has the command missing wherever PATH has it; *more as in cmox_shimdir_hide(). On failure PATH is
 * as before. */
cmox_code_t cmox_mirrors_hide(cmox_shimdir_t *dir, cmox_span_t command, bool *more,
                              cmox_error_t *error);
cmox_code_t cmox_mirrors_check(const cmox_shimdir_t *dir, cmox_error_t *error);
/* The session's own PATH with its mirrors. */
void cmox_mirrors_path(const cmox_shimdir_t *dir, cmox_buf_t *out);
void cmox_mirrors_remove(int dir_fd); /* of a directory of our layout */
void cmox_mirrors_free(cmox_shimdir_t *dir);

/* ---- Places (shimdir_place.c) ---- */

typedef struct cmox_place {
  int fd;
  dev_t device;
  ino_t inode;
  char path[CMOX_SHIMDIR_PATH_SIZE]; /* resolved */
} cmox_place_t;

/* Opens and judges a parent directory. On CMOX_OK fd is the caller's. */
cmox_code_t cmox_place_open(const char *path, cmox_place_t *place, cmox_error_t *error);

/* ---- The launcher (shimdir_launcher.c) ---- */

typedef struct cmox_launcher {
  int fd;
  cmox_file_id_t id;
  const char *path; /* valid while this struct stands */
  char buffer[4096];
} cmox_launcher_t;

cmox_code_t cmox_launcher_find(const cmox_shimdir_settings_t *settings, cmox_launcher_t *launcher,
                               cmox_error_t *error);
/* Copies it to the directory and runs it there once. */
cmox_code_t cmox_launcher_install(const cmox_launcher_t *launcher, int dir_fd, const char *dir_path,
                                  uint32_t probe_ms, cmox_file_id_t *copy, cmox_error_t *error);

/* ---- Clean-up (shimdir_sweep.c) ---- */

/* Removes the links in a directory, and follows none of them. */
void cmox_links_remove(int parent_fd, const char *name);

/* Removes a directory of our layout, and nothing else, however it looks inside. */
void cmox_shimdir_remove(int parent_fd, const char *name);

/* ---- Who still uses it (shimdir_use.c) ---- */

typedef struct cmox_litter {
  char name[CMOX_SHIMDIR_NAME_LEN + 1];
  bool used;
} cmox_litter_t;

/* Sets used where a process was started with that directory in its environment. False, and
 * nothing is set, where the system has no /proc to tell. */
bool cmox_litter_mark(cmox_litter_t *litter, size_t count);

/* ---- What the process remembers (shimdir_registry.c) ---- */

/* A directory whose launcher has answered; later ones link to its files. */
typedef struct cmox_home {
  dev_t device; /* of the parent */
  ino_t inode;
  cmox_file_id_t source; /* the launcher it was copied from */
  cmox_file_id_t copy;
  int lock_fd; /* -1: no home */
  ino_t lock_inode;
} cmox_home_t;

/* Differs in a forked child, whatever its pid. */
unsigned cmox_registry_generation(void);
/* Enters the directory; it is removed at the end of the process. -1 when there are too many. */
int cmox_registry_enter(const char *path);
void cmox_registry_forget(int slot);
/* Takes over home->lock_fd. */
void cmox_registry_set_home(int slot, const cmox_home_t *home);
/* May remove the oldest tombstone. */
void cmox_registry_entomb(int slot);
/* Finds a home for this parent and launcher. */
bool cmox_registry_find_home(const cmox_place_t *place, cmox_file_id_t source, cmox_home_t *home,
                             char path[CMOX_SHIMDIR_PATH_SIZE]);
/* True once per parent and process. */
bool cmox_registry_first_visit(const cmox_place_t *place);

#endif
