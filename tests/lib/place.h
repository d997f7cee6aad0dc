/* A private place with a stand-in for the launcher. */
#ifndef CMOX_TESTS_PLACE_H
#define CMOX_TESTS_PLACE_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/host/shimdir.h"
#include "tests/lib/leftovers.h"

static char place[64];     /* a parent directory of ours */
static char launcher[96];  /* outside of it */
static char launchers[64]; /* its directory */

static const char good_launcher[] =
    "#!/bin/sh\n"
    "[ \"$1\" = --probe ] && { echo 'cmdmox-shim 0.1 protocol 1-1'; exit 0; }\n"
    "exit 125\n";

static inline void put_launcher(const void *bytes, size_t len, mode_t mode) {
  (void)unlink(launcher);
  FILE *file = fopen(launcher, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(launcher, mode), 0);
}

static inline void place_setup(void) {
  scratch_directory(place, sizeof place);
  scratch_directory(launchers, sizeof launchers);
  snprintf(launcher, sizeof launcher, "%s/l", launchers);
  put_launcher(good_launcher, sizeof good_launcher - 1, 0755);
}

/* How many entries place has. */
static inline unsigned place_count(void) {
  DIR *stream = opendir(place);
  ck_assert_ptr_nonnull(stream);
  unsigned count = 0;
  for (const struct dirent *entry; (entry = readdir(stream));)
    if (entry->d_name[0] != '.') count++;
  (void)closedir(stream);
  return count;
}

static inline void place_teardown(void) {
  scratch_remove(place);
  scratch_remove(launchers);
}

static inline cmox_code_t create_at(const char *parent, cmox_shimdir_t **dir, cmox_error_t *error) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_options_t options = {.shim = launcher, .temporary_directory = parent};
  cmox_code_t code = cmox_shimdir_settings_read(&options, &settings, error);
  settings.probe_ms = 2000;
  if (!code) code = cmox_shimdir_create(&settings, dir, error);
  cmox_shimdir_settings_clear(&settings);
  return code;
}

static inline cmox_shimdir_t *create(void) {
  cmox_shimdir_t *dir;
  cmox_error_t error = {0};
  cmox_code_t code = create_at(place, &dir, &error);
  ck_assert_msg(code == CMOX_OK, "%s", error.message);
  return dir;
}

#define git cmox_span_str("git")

/* D of a session, from its bin. */
static inline const char *top_of(const cmox_shimdir_t *dir) {
  static char top[128];
  snprintf(top, sizeof top, "%s", cmox_shimdir_bin(dir));
  *strrchr(top, '/') = '\0';
  return top;
}

static inline const char *in(const char *top, const char *name) {
  static char path[4][192];
  static unsigned at;
  char *out = path[at++ % 4];
  snprintf(out, sizeof path[0], "%s/%s", top, name);
  return out;
}

static inline unsigned mode_of(const char *path) {
  struct stat info;
  ck_assert_int_eq(lstat(path, &info), 0);
  return info.st_mode & 07777;
}

static inline int run(const char *program) {
  pid_t child = fork();
  if (child == 0) {
    execl(program, "git", "status", (char *)NULL);
    _exit(99);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

/* Runs body in a child that ends by exit(), as a process that uses the library does. */
static inline void in_child(void (*body)(void)) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    body();
    exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}

/* The whole of what is done a piece at a time. */
static inline cmox_code_t set_path(cmox_shimdir_t *dir, cmox_span_t path, bool contained,
                                   cmox_error_t *error) {
  bool more = true;
  cmox_code_t code = cmox_shimdir_set_path(dir, path, contained, error);
  while (!code && more) code = cmox_shimdir_seal(dir, &more, error);
  return code;
}

static inline cmox_code_t hide_all(cmox_shimdir_t *dir, cmox_span_t command, cmox_error_t *error) {
  bool more = true;
  cmox_code_t code = CMOX_OK;
  while (!code && more) code = cmox_shimdir_hide(dir, command, &more, error);
  return code;
}

#endif
