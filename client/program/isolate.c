/* cmdmox isolate: runs a command in which programs are the shim, also for those who call them by
 * their absolute paths.
 *
 * 1. A shim directory of this process's own: a launcher that is known to run, and a place that is
 * removed at the end, or swept.
 * 2. A mount namespace; where this user may not make one, in a user namespace with the same ids.
 * 3. Each program is bound to D/real/NAME, and then the launcher over each. Who looks for real
 * programs looks there first: CMOX_ISOLATED names it. The launcher finds its session by
 * CMOX_IPC_SOCKET.
 * 4. The command runs; its status is ours, unless a program has become another file meanwhile.
 *
 * Within another isolation its real programs are ours, too, and what it has made a shim is kept as
 * the program that it is.
 *
 * Failures: one line, and the command does not run: else it would meet the real programs. */
#include "client/program/verbs.h"

#ifdef __linux__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmdmox/codes.h>

#include "client/program/child.h"
#include "server/base/isolated.h"
#include "server/host/shimdir.h"

enum { NOT_RUN = 3, NOT_KEPT = 125 };

typedef struct isolation {
  char **programs; /* absolute paths, NULL at the end */
  char shim[512];
  char real[512];    /* the directory of the real programs */
  const char *outer; /* that of the isolation around us; NULL: there is none */
} isolation_t;

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fputs("cmdmox isolate: ", stderr);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  return NOT_RUN;
}

/* ---- The programs --------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const char *path) {
  struct stat b;
  return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* Where the shim looks for its session's endpoint: above a "bin", and beside it. */
static int check_neighbours(const char *path) {
  const int directory = (int)(strrchr(path, '/') + 1 - path);
  const bool in_bin = directory >= 5 && memcmp(path + directory - 5, "/bin/", 5) == 0;
  for (int above = in_bin; above >= 0; above--) {
    char file[PATH_MAX];
    int len = snprintf(file, sizeof file, "%.*s%s", directory - 4 * above, path, "endpoint");
    if (len < 0 || (size_t)len >= sizeof file) return fail("%s: the path is too long", path);
    if (access(file, F_OK) == 0)
      return fail("%s: a shim there would take the file %s for that of its session", path, file);
  }
  return 0;
}

/* 0: it can be replaced. */
static int check_program(const cmox_verb_t *verb, const char *path) {
  struct stat info;
  if (path[0] != '/')
    return cmox_usage_error(
        verb,
        "\"%s\" is no absolute path: others are found on PATH, where a session's "
        "shims are",
        path);
  if (stat(path, &info) != 0) return fail("%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode) || !(info.st_mode & 0111)) return fail("%s: it is no program", path);
  if (is_same_file(&info, "/bin/sh"))
    return fail("%s is the same file as /bin/sh: every script would meet the shim", path);
  return check_neighbours(path);
}

static const char *name_of(const char *path) { return strrchr(path, '/') + 1; }

/* ---- The namespace ---------------------------------------------------------- */

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0) (void)close(fd);
  return written;
}

/* Some systems refuse the namespace, some what is done in it. */
static int forbidden(const char *what) {
  return fail(
      "this system does not let you make namespaces (%s: %s): run as root, or have it allow user "
      "namespaces (kernel.unprivileged_userns_clone=1, "
      "kernel.apparmor_restrict_unprivileged_userns=0; in a container: --cap-add SYS_ADMIN)",
      what, strerror(errno));
}

/* As root where that is enough, else as the master of a user namespace in which everybody is who he
 * was. */
static int enter_namespace(void) {
  if (unshare(CLONE_NEWNS) == 0) return 0;
  char uids[64];
  char gids[64];
  (void)snprintf(uids, sizeof uids, "%lu %lu 1\n", (unsigned long)geteuid(),
                 (unsigned long)geteuid());
  (void)snprintf(gids, sizeof gids, "%lu %lu 1\n", (unsigned long)getegid(),
                 (unsigned long)getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return forbidden("unshare");
  if (write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", uids) &&
      write_file("/proc/self/gid_map", gids))
    return 0;
  return forbidden("uid_map");
}

/* Where the real programs are for those who pass through: nobody outside sees it. */
static int make_real(const char *real) {
  if (mkdir(real, 0711) != 0) return fail("%s: %s", real, strerror(errno));
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return forbidden("mount");
  if (mount("cmdmox", real, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=64k") != 0)
    return fail("cannot mount on %s: %s", real, strerror(errno));
  return 0;
}

/* ---- The real programs ------------------------------------------------------- */

static bool join(char out[PATH_MAX], const char *directory, const char *name) {
  int len = snprintf(out, PATH_MAX, "%s/%s", directory, name);
  return len > 0 && len < PATH_MAX;
}

/* True also when there is something of that name: the first is the one. */
static bool link_real(const isolation_t *isolation, const char *name, const char *target) {
  char path[PATH_MAX];
  return join(path, isolation->real, name) && (symlink(target, path) == 0 || errno == EEXIST);
}

static int take_over_outer(const isolation_t *isolation) {
  DIR *stream = isolation->outer ? opendir(isolation->outer) : NULL;
  if (!stream) return 0; /* of an isolation that has ended */
  int status = 0;
  for (const struct dirent *at; status == 0 && (at = readdir(stream));) {
    char target[PATH_MAX];
    if (at->d_name[0] == '.' && strspn(at->d_name, ".") == strlen(at->d_name)) continue;
    if (!join(target, isolation->outer, at->d_name) || !link_real(isolation, at->d_name, target))
      status = fail("cannot take over %s/%s: %s", isolation->outer, at->d_name, strerror(errno));
  }
  (void)closedir(stream);
  return status;
}

/* What an isolation around us has put there. */
static bool is_outer_shim(const isolation_t *isolation, const char *path) {
  char shim[PATH_MAX];
  struct stat info;
  return isolation->outer && join(shim, isolation->outer, "../" CMOX_SHIMDIR_SHIM) &&
         stat(shim, &info) == 0 && is_same_file(&info, path);
}

static int keep_real(const isolation_t *isolation, const char *path) {
  char real[PATH_MAX];
  char resolved[PATH_MAX];
  const char *name = name_of(path);
  if (!join(real, isolation->real, name)) return fail("%s: the path is too long", path);
  if (is_outer_shim(isolation, path)) {
    if (access(real, X_OK) == 0) return 0;
    return fail("%s is a shim already, of an isolation that does not have the real %s in %s", path,
                name, isolation->outer);
  }
  int fd = open(real, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno != EEXIST) return fail("%s: %s", real, strerror(errno));
  if (fd >= 0) { /* of several programs of a name, the first is passed through to */
    (void)close(fd);
    if (mount(path, real, NULL, MS_BIND, NULL) != 0)
      return fail("cannot keep the real %s: %s", path, strerror(errno));
  }
  /* Where the path is a link, the file has become the shim by its own name, too. */
  if (realpath(path, resolved) && !link_real(isolation, name_of(resolved), name))
    return fail("cannot keep the real %s: %s", resolved, strerror(errno));
  return 0;
}

static int replace(const isolation_t *isolation, const char *path) {
  struct stat shim;
  if (stat(isolation->shim, &shim) != 0) return fail("%s: %s", isolation->shim, strerror(errno));
  if (is_same_file(&shim, path)) return 0; /* by another name it is already */
  if (mount(isolation->shim, path, NULL, MS_BIND, NULL) != 0)
    return fail("cannot mount the shim over %s: %s", path, strerror(errno));
  return 0;
}

/* All are kept before the first is replaced: two of them may be one file. */
static int replace_all(const isolation_t *isolation) {
  int status = take_over_outer(isolation);
  for (char **at = isolation->programs; status == 0 && *at; at++)
    status = keep_real(isolation, *at);
  for (char **at = isolation->programs; status == 0 && *at; at++) status = replace(isolation, *at);
  if (status == 0 && setenv(CMOX_ISOLATED, isolation->real, 1) != 0)
    status = fail("cannot set " CMOX_ISOLATED ": %s", strerror(errno));
  return status;
}

/* Who replaces the file from outside, as package managers do, takes the mount away with it. */
static int check_replaced(const isolation_t *isolation, int status) {
  struct stat shim;
  const bool known = stat(isolation->shim, &shim) == 0;
  for (char **at = isolation->programs; *at; at++) {
    if (known && is_same_file(&shim, *at)) continue;
    (void)fail("%s was replaced while the command ran: calls after that met the real program", *at);
    if (status == 0) status = NOT_KEPT;
  }
  return status;
}

/* ---- The command ------------------------------------------------------------- */

static int run_command(char **command) {
  const cmox_child_t child = {.command = command, .input = -1};
  const cmox_child_end_t end = cmox_child_run(&child);
  if (end.error) (void)fail("%s: %s", command[0], strerror(end.error));
  return end.status;
}

static int isolate(const isolation_t *isolation, char **command) {
  int status = enter_namespace();
  if (status == 0) status = make_real(isolation->real);
  if (status == 0) status = replace_all(isolation);
  if (status == 0) status = check_replaced(isolation, run_command(command));
  return status;
}

static int run_in_directory(char **programs, char **command) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_code_t code = cmox_shimdir_settings_read(NULL, &settings, &error);
  if (code == CMOX_OK) code = cmox_shimdir_create(&settings, &dir, &error);
  int status;
  if (code == CMOX_OK) {
    isolation_t isolation = {.programs = programs, .outer = settings.isolated};
    const char *bin = cmox_shimdir_bin(dir);
    const int top = (int)(strrchr(bin, '/') - bin);
    (void)snprintf(isolation.shim, sizeof isolation.shim, "%.*s/" CMOX_SHIMDIR_SHIM, top, bin);
    (void)snprintf(isolation.real, sizeof isolation.real, "%.*s/" CMOX_SHIMDIR_REAL, top, bin);
    status = isolate(&isolation, command);
    cmox_shimdir_entomb(dir); /* it goes when this process ends, or its last user */
  } else {
    status = fail("%s", error.message);
  }
  cmox_shimdir_settings_clear(&settings);
  return status;
}

int cmox_verb_isolate(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  char **words = arguments->words;
  char **end = words;
  while (*end && strcmp(*end, "--") != 0) end++;
  if (end == words || !end[0])
    return cmox_usage_error(verb, "say which programs are to be the shim, then -- and a command");
  if (!end[1]) return cmox_usage_error(verb, "say which command is to run, after --");
  *end = NULL;
  for (char **path = words; *path; path++) {
    int status = check_program(verb, *path);
    if (status != 0) return status;
  }
  return run_in_directory(words, end + 1);
}

#else
#include <cmdmox/codes.h>
#include <stdio.h>

int cmox_verb_isolate(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  (void)arguments;
  (void)fputs("cmdmox isolate: only Linux has mount namespaces\n", stderr);
  return cmox_code_exit_status(CMOX_E_UNIMPLEMENTED);
}
#endif
