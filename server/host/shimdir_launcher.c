/* The launcher: where it is installed, its copy, and the proof that it runs.
 *
 * 1. look where the user said, else beside the program and the library (two files that were copied
 *    somewhere, a wheel and a tree that was moved have it there), else in the prefix that the build
 *    was configured for, else in /usr;
 * 2. copy it (never link: the installed file may be replaced);
 * 3. access(X_OK) on the copy: a noexec mount shows here;
 * 4. run `cmdmox-shim --probe`, which prints "cmdmox-shim VERSION protocol MIN-MAX".
 *
 * Failures: no such file; no file that may be executed; a program that the kernel refuses
 * (architecture, text), that dies, hangs or says something else; another protocol version. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "server/base/buf.h"
#include "server/host/shimdir_internal.h"

enum { COPIES_MAX = 20, LINE_MAX_BYTES = 128 };

/* ---- Where it is ---- */

static bool try_open(cmox_launcher_t *launcher, const char *path) {
  if (path != launcher->buffer)
    (void)snprintf(launcher->buffer, sizeof launcher->buffer, "%s", path);
  launcher->fd = open(launcher->buffer, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  return launcher->fd >= 0 || errno != ENOENT;
}

/* Seen from the directory of file: beside it, or where an installation and the build tree have it.
 */
static bool try_beside(cmox_launcher_t *launcher, const char *file, cmox_buf_t *tried) {
  static const char *const ways[] = {"", "../libexec/cmdmox/", "../../libexec/cmdmox/"};
  const char *end = strrchr(file, '/');
  if (!end) return false;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    int len = snprintf(launcher->buffer, sizeof launcher->buffer, "%.*s/%s" CMOX_SHIM_FILE,
                       (int)(end - file), file, ways[i]);
    if (len < 0 || (size_t)len >= sizeof launcher->buffer) continue;
    if (try_open(launcher, launcher->buffer)) return true;
    cmox_buf_printf(tried, "\n  %s", launcher->buffer);
  }
  return false;
}

static bool try_beside_library(cmox_launcher_t *launcher, const char *program, cmox_buf_t *tried) {
  static const char here = 0;
  char path[PATH_MAX];
  Dl_info library;
  if (!dladdr(&here, &library) || !library.dli_fname) return false;
  /* Of what is linked into the program this is the word that it was started by, and no path. */
  if (!strchr(library.dli_fname, '/') || !realpath(library.dli_fname, path)) return false;
  return strcmp(path, program) != 0 && try_beside(launcher, path, tried);
}

static bool try_installed(cmox_launcher_t *launcher, cmox_buf_t *tried) {
  static const char *const fixed[] = {
#ifdef CMDMOX_SHIM_INSTALLED
      CMDMOX_SHIM_INSTALLED,
#endif
      ("/usr/libexec/cmdmox/" CMOX_SHIM_FILE)};
  char program[PATH_MAX];
  size_t size = sizeof program;
  if (uv_exepath(program, &size) != 0) program[0] = '\0';
  if (try_beside(launcher, program, tried) || try_beside_library(launcher, program, tried))
    return true;
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    if (try_open(launcher, fixed[i])) return true;
    cmox_buf_printf(tried, "\n  %s", fixed[i]);
  }
  return false;
}

static cmox_code_t missing(const cmox_shimdir_settings_t *settings, const char *tried,
                           cmox_error_t *error) {
  if (settings->shim)
    return cmox_fail(error, CMOX_E_SHIM_MISSING,
                     "CMOX_SHIM (or the engine's option) says %s, and there is no such file: give "
                     "the absolute path of cmdmox-shim, or leave it out",
                     settings->shim);
  return cmox_fail(error, CMOX_E_SHIM_MISSING,
                   "no shim installed: install cmdmox, or set CMOX_SHIM to the path of "
                   "cmdmox-shim; tried:%s",
                   tried);
}

cmox_code_t cmox_launcher_find(const cmox_shimdir_settings_t *settings, cmox_launcher_t *launcher,
                               cmox_error_t *error) {
  cmox_buf_t tried = CMOX_BUF_EMPTY;
  launcher->fd = -1;
  launcher->path = launcher->buffer;
  bool found =
      settings->shim ? try_open(launcher, settings->shim) : try_installed(launcher, &tried);
  int failure = errno;
  cmox_buf_append(&tried, "", 1);
  bool failed = tried.failed;
  if (!found && !failed) (void)missing(settings, (const char *)tried.data, error);
  cmox_buf_clear(&tried);
  if (failed) {
    if (launcher->fd >= 0) (void)close(launcher->fd);
    return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot look for the shim: out of memory");
  }
  if (!found) return CMOX_E_SHIM_MISSING;
  struct stat info = {0};
  const char *why = NULL;
  if (launcher->fd < 0)
    why = strerror(failure);
  else if (fstat(launcher->fd, &info) < 0)
    why = strerror(errno);
  else if (!S_ISREG(info.st_mode))
    why = "it is no file";
  else if (!(info.st_mode & 0111))
    why = "it is not executable (chmod 0755)";
  launcher->id = cmox_file_id(&info);
  if (!why) return CMOX_OK;
  if (launcher->fd >= 0) (void)close(launcher->fd);
  return cmox_fail(error, CMOX_E_SHIM_BROKEN, "the shim %s cannot be used: %s", launcher->path,
                   why);
}

/* ---- Its copy ---- */

static bool copy_bytes(int from, int to) {
  char chunk[16384];
  off_t at = 0;
  for (;;) {
    ssize_t got = pread(from, chunk, sizeof chunk, at);
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(to, chunk + done, (size_t)(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      done += put;
    }
    at += got;
  }
}

static cmox_code_t copy(const cmox_launcher_t *launcher, int dir_fd, const char *dir_path,
                        cmox_file_id_t *id, cmox_error_t *error) {
  (void)unlinkat(dir_fd, CMOX_SHIM_FILE, 0);
  int fd =
      openat(dir_fd, CMOX_SHIM_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
  struct stat info;
  bool done =
      fd >= 0 && copy_bytes(launcher->fd, fd) && fchmod(fd, 0755) == 0 && fstat(fd, &info) == 0;
  int failure = errno;
  if (fd >= 0 && close(fd) < 0 && done) {
    failure = errno;
    done = false;
  }
  if (!done)
    return cmox_fail(error, CMOX_E_IO, "cannot copy the shim to %s: %s", dir_path,
                     strerror(failure));
  *id = cmox_file_id(&info);
  return CMOX_OK;
}

/* ---- The proof ---- */

typedef struct probe {
  const char *path; /* of the copy */
  const char *source;
  uint64_t deadline; /* ms */
  char line[LINE_MAX_BYTES];
  size_t len;
  int status; /* as waitpid gives it; -1: somebody else took it */
  bool hung;
} probe_t;

static uint64_t now_ms(void) { return uv_hrtime() / 1000000; }

static cmox_code_t broken(const probe_t *probe, cmox_error_t *error, const char *why) {
  return cmox_fail(error, CMOX_E_SHIM_BROKEN,
                   "the shim %s does not run: %s; install the cmdmox of this machine",
                   probe->source, why);
}

/* The calling thread may have all signals blocked, and the user's process may
 * ignore some: neither is passed on. Returns an errno. */
static int spawn(const probe_t *probe, int out, pid_t *pid) {
  char name[] = CMOX_SHIM_FILE;
  char flag[] = "--probe";
  char *argv[] = {name, flag, NULL};
  char *envp[] = {NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  int failure = posix_spawn_file_actions_init(&files);
  if (failure) return failure;
  failure = posix_spawnattr_init(&attributes);
  if (!failure) {
    /* out first: it may have the number 0 or 2 itself */
    failure = posix_spawn_file_actions_adddup2(&files, out, 1);
    if (!failure) failure = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!failure) failure = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (!failure) failure = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failure) failure = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!failure)
      failure =
          posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failure) failure = posix_spawn(pid, probe->path, &files, &attributes, argv, envp);
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&files);
  return failure;
}

/* Reads until the end, the deadline, or more than a line. */
static void listen_to(probe_t *probe, int fd) {
  while (probe->len < sizeof probe->line - 1) {
    uint64_t now = now_ms();
    if (now >= probe->deadline) {
      probe->hung = true;
      return;
    }
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, (int)(probe->deadline - now)) <= 0) continue;
    ssize_t got = read(fd, probe->line + probe->len, sizeof probe->line - 1 - probe->len);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return;
    probe->len += (size_t)got;
  }
}

/* The pid is only signalled while it is still our child: the user's process
 * may reap all its children. */
static void reap(probe_t *probe, pid_t pid) {
  probe->status = -1;
  for (;;) {
    bool over = probe->hung || now_ms() >= probe->deadline;
    pid_t done = waitpid(pid, &probe->status, WNOHANG);
    if (done < 0 && errno == EINTR) continue;
    if (done != 0) {
      if (done < 0) probe->status = -1;
      return;
    }
    if (over) {
      probe->hung = true;
      (void)kill(pid, SIGKILL);
      while (waitpid(pid, &probe->status, 0) < 0 && errno == EINTR) continue;
      return;
    }
    (void)poll(NULL, 0, 1);
  }
}

static cmox_code_t judge(const probe_t *probe, cmox_error_t *error) {
  char version[64];
  char why[64];
  unsigned least;
  unsigned most;
  char end;
  // NOLINTNEXTLINE(cert-err34-c): scanf wraps numbers above 32 bits, which no launcher prints
  if (sscanf(probe->line, CMOX_SHIM_FILE " %63[^ \n] protocol %u-%u%c", version, &least, &most,
             &end) == 4 &&
      end == '\n') {
    if (least <= CMOX_PROTOCOL_MAX && most >= CMOX_PROTOCOL_MIN) return CMOX_OK;
    return cmox_fail(error, CMOX_E_SHIM_VERSION,
                     "the shim %s (version %s) speaks protocol %u-%u, this library %u-%u; "
                     "install both from one release",
                     probe->source, version, least, most, CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX);
  }
  if (probe->hung) return broken(probe, error, "it does not answer --probe in time");
  if (probe->status != -1 && WIFSIGNALED(probe->status))
    (void)snprintf(why, sizeof why, "signal %d ended it", WTERMSIG(probe->status));
  else if (probe->status > 0)
    (void)snprintf(why, sizeof why, "it ended with status %d", WEXITSTATUS(probe->status));
  else
    (void)snprintf(why, sizeof why, "its answer to --probe is not a shim's");
  return broken(probe, error, why);
}

/* *busy: another thread of the process forked while the copy was being
 * written; its child holds the file open, and a fresh copy is needed. */
static cmox_code_t prove(probe_t *probe, bool *busy, cmox_error_t *error) {
  int ends[2];
  pid_t pid;
  if (uv_pipe(ends, 0, 0) != 0) /* close-on-exec */
    return cmox_fail(error, CMOX_E_IO, "cannot try the shim: %s", strerror(errno));
  int failure = spawn(probe, ends[1], &pid);
  (void)close(ends[1]);
  if (!failure) {
    listen_to(probe, ends[0]);
    reap(probe, pid);
  }
  (void)close(ends[0]);
  *busy = failure == ETXTBSY;
  if (!failure) return judge(probe, error);
  if (failure == EAGAIN || failure == ENOMEM || failure == EMFILE || failure == ENFILE)
    return cmox_fail(error, CMOX_E_IO, "cannot try the shim: %s", strerror(failure));
  return broken(probe, error, strerror(failure));
}

cmox_code_t cmox_launcher_install(const cmox_launcher_t *launcher, int dir_fd, const char *dir_path,
                                  uint32_t probe_ms, cmox_file_id_t *copy_id, cmox_error_t *error) {
  char path[CMOX_SHIMDIR_PATH_SIZE + sizeof CMOX_SHIM_FILE];
  (void)snprintf(path, sizeof path, "%s/" CMOX_SHIM_FILE, dir_path);
  bool busy = true;
  cmox_code_t code = CMOX_OK;
  for (int i = 0; i < COPIES_MAX && busy; i++) {
    code = copy(launcher, dir_fd, dir_path, copy_id, error);
    if (code) return code;
    if (faccessat(dir_fd, CMOX_SHIM_FILE, X_OK, 0) < 0)
      return cmox_fail(error, CMOX_E_NOT_EXECUTABLE,
                       "programs cannot be executed in %s (is it mounted noexec?): %s; set "
                       "CMOX_TMPDIR to a directory where they can",
                       dir_path, strerror(errno));
    probe_t probe = {.path = path,
                     .source = launcher->path,
                     .deadline = now_ms() + (probe_ms ? probe_ms : CMOX_PROBE_DEADLINE_MS)};
    code = prove(&probe, &busy, error);
  }
  return code;
}
