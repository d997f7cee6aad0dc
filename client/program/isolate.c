/* cmdmox isolate: runs a command in which programs are the shim, also for those who call them by
 * their absolute paths.
 *
 * 1. A shim directory of this process's own: a launcher that is known to run, and a place that is
 * removed at the end, or swept.
 * 2. A mount namespace; where this user may not make one, in a user namespace with the same ids.
 * 3. Each program is bound to D/real/NAME, and the launcher over the program. Passing through finds
 * the real one by CMOX_REAL_COMMAND_<NAME>. The launcher finds its session by CMOX_IPC_SOCKET.
 * 4. The command runs; its status is ours.
 *
 * Failures: one line, and the command does not run: else it would meet the real programs. */
#include "client/program/verbs.h"

#ifdef __linux__
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmdmox/codes.h>

#include "server/host/shimdir.h"

#define CMOX_REAL_COMMAND "CMOX_REAL_COMMAND_"

enum { NOT_RUN = 3, CANNOT_EXECUTE = 126, NOT_FOUND = 127, BY_SIGNAL = 128 };

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
  return 0;
}

static const char *name_of(const char *path) { return strrchr(path, '/') + 1; }

/* The exact name, and what shells can hold too. */
static bool tell_real(const char *name, const char *real) {
  char variable[sizeof CMOX_REAL_COMMAND + NAME_MAX];
  int len = snprintf(variable, sizeof variable, CMOX_REAL_COMMAND "%s", name);
  if (len < 0 || (size_t)len >= sizeof variable || strchr(name, '=')) return false;
  if (setenv(variable, real, 1) != 0) return false;
  for (char *c = variable + sizeof CMOX_REAL_COMMAND - 1; *c; c++)
    *c = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
  return setenv(variable, real, 1) == 0;
}

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

static int replace(const char *path, const char *shim, const char *real_directory) {
  char real[PATH_MAX];
  const char *name = name_of(path);
  int len = snprintf(real, sizeof real, "%s/%s", real_directory, name);
  if (len < 0 || (size_t)len >= sizeof real) return fail("%s: the path is too long", path);
  int fd = open(real, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno != EEXIST) return fail("%s: %s", real, strerror(errno));
  if (fd >= 0) { /* of several programs of a name, the first is passed through to */
    (void)close(fd);
    if (mount(path, real, NULL, MS_BIND, NULL) != 0 || !tell_real(name, real))
      return fail("cannot keep the real %s: %s", path, strerror(errno));
  }
  if (mount(shim, path, NULL, MS_BIND, NULL) != 0)
    return fail("cannot mount the shim over %s: %s", path, strerror(errno));
  return 0;
}

/* ---- The command ------------------------------------------------------------- */

static volatile sig_atomic_t child;

static void pass_on(int number) {
  if (child > 0) (void)kill(child, number);
}

/* Signals of the terminal reach the command by themselves. */
static void watch_signals(void) {
  static const int passed[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};
  struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
  for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
    (void)sigaction(passed[i], &action, NULL);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGQUIT, SIG_IGN);
}

_Noreturn static void become(char **command, const sigset_t *mask, pid_t parent) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(BY_SIGNAL + SIGKILL); /* it was killed before that */
  (void)sigprocmask(SIG_SETMASK, mask, NULL);
  (void)execvp(command[0], command);
  int why = errno;
  (void)fail("%s: %s", command[0], strerror(why));
  _exit(why == ENOENT || why == ENOTDIR ? NOT_FOUND : CANNOT_EXECUTE);
}

static int run_command(char **command) {
  sigset_t all;
  sigset_t mask;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, &mask); /* until there is somebody to pass them on to */
  const pid_t self = getpid();
  void (*on_child)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status away */
  pid_t pid = fork();
  if (pid == 0) (void)signal(SIGCHLD, on_child);
  if (pid < 0) return fail("cannot start %s: %s", command[0], strerror(errno));
  if (pid == 0) become(command, &mask, self);
  child = (sig_atomic_t)pid;
  watch_signals();
  (void)sigprocmask(SIG_SETMASK, &mask, NULL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail("cannot wait for %s: %s", command[0], strerror(errno));
  child = 0;
  return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int isolate(char **programs, char **command, const char top[256]) {
  char shim[512];
  char real[512];
  (void)snprintf(shim, sizeof shim, "%.255s/cmdmox-shim", top);
  (void)snprintf(real, sizeof real, "%.255s/" CMOX_SHIMDIR_REAL, top);
  int status = enter_namespace();
  if (status == 0) status = make_real(real);
  for (; status == 0 && *programs; programs++) status = replace(*programs, shim, real);
  if (status == 0) status = run_command(command);
  (void)umount2(real, MNT_DETACH); /* or the directory could not be removed */
  return status;
}

static int run_in_directory(char **programs, char **command) {
  cmox_shimdir_settings_t settings;
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_code_t code = cmox_shimdir_settings_read(NULL, &settings, &error);
  if (code == CMOX_OK) code = cmox_shimdir_create(&settings, &dir, &error);
  cmox_shimdir_settings_clear(&settings);
  if (code != CMOX_OK) return fail("%s", error.message);
  char top[256]; /* a shim directory is short */
  (void)snprintf(top, sizeof top, "%.*s",
                 (int)(strrchr(cmox_shimdir_bin(dir), '/') - cmox_shimdir_bin(dir)),
                 cmox_shimdir_bin(dir));
  int status = isolate(programs, command, top);
  cmox_shimdir_entomb(dir); /* it goes when this process ends */
  return status;
}

int cmox_verb_isolate(const cmox_verb_t *verb, char **words) {
  char **end = words;
  while (*end && strcmp(*end, "--") != 0) end++;
  if (end == words) return cmox_usage_error(verb, "say which programs are to be the shim");
  if (!end[0] || !end[1]) return cmox_usage_error(verb, "say which command is to run, after --");
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

int cmox_verb_isolate(const cmox_verb_t *verb, char **words) {
  (void)verb;
  (void)words;
  (void)fputs("cmdmox isolate: only Linux has mount namespaces\n", stderr);
  return cmox_code_exit_status(CMOX_E_UNIMPLEMENTED);
}
#endif
