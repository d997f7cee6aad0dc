/* What the files of the shim directory share. */
#ifndef CMOX_HOST_SHIMDIR_INTERNAL_H
#define CMOX_HOST_SHIMDIR_INTERNAL_H

#include <sys/stat.h>
#include <sys/types.h>

#include "proto/limits.h"
#include "server/host/shimdir.h"

#define CMOX_SHIMDIR_PREFIX "cmdmox-"
#define CMOX_SHIMDIR_RANDOM 6 /* letters and digits after the prefix */
#define CMOX_SHIMDIR_NAME_LEN (sizeof CMOX_SHIMDIR_PREFIX - 1 + CMOX_SHIMDIR_RANDOM)
#define CMOX_SHIM_FILE "cmdmox-shim"
#define CMOX_SHIM_TARGET "../" CMOX_SHIM_FILE
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
