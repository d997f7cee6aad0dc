#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/inotify.h>
#endif

#include "client/program/child.h"
#include "client/program/doctor.h"
#include "client/program/session.h"
#include "server/host/shimdir.h"
#include "server/model/mask.h"

enum { DESCRIPTORS_LEAST = 256 };

/* ---- The shim and its places -------------------------------------------------- */

void cmox_check_shim(cmox_doctor_t *doctor) {
  cmox_shimdir_settings_t settings;
  cmox_error_t error = {.code = CMOX_OK};
  char path[4096];
  cmox_code_t code = cmox_shimdir_settings_read(NULL, &settings, &error);
  if (code == CMOX_OK) code = cmox_shimdir_find_shim(&settings, path, sizeof path, &error);
  if (code == CMOX_OK)
    cmox_doctor_tell(doctor, "shim", CMOX_HEALTH_OK, "%s", path);
  else
    cmox_doctor_tell(doctor, "shim", CMOX_HEALTH_PROBLEM, "%s", error.message);
  cmox_shimdir_settings_clear(&settings);
}

typedef struct remains {
  size_t unused, used;
} remains_t;

static void count_remains(void *user, const char *path, cmox_remains_t found) {
  remains_t *remains = user;
  (void)path;
  remains->unused += found == CMOX_REMAINS_LEFT || found == CMOX_REMAINS_STUCK;
  remains->used += found == CMOX_REMAINS_USED;
}

/* Makes a directory there, in which the shim must run. */
static bool check_place(cmox_doctor_t *doctor, cmox_shimdir_settings_t settings, const char *place,
                        cmox_health_t when_bad) {
  remains_t remains = {0};
  (void)cmox_shimdir_survey(place, false, count_remains, &remains);
  cmox_shimdir_t *dir = NULL;
  cmox_error_t error = {.code = CMOX_OK};
  settings.temporary_directory = (char *)(uintptr_t)place;
  const cmox_code_t code = cmox_shimdir_create(&settings, &dir, &error);
  cmox_shimdir_entomb(dir); /* it goes when this process ends */
  if (code == CMOX_OK)
    cmox_doctor_tell(doctor, "place", CMOX_HEALTH_OK, "%s: the shim runs there", place);
  else
    cmox_doctor_tell(doctor, "place", when_bad, "%s", error.message);
  if (remains.unused + remains.used)
    cmox_doctor_tell(doctor, "place", CMOX_HEALTH_NOTE,
                     "%s: killed processes left %zu directories there, %zu more are still on "
                     "somebody's PATH; cmdmox gc removes the former",
                     place, remains.unused, remains.used);
  return code == CMOX_OK;
}

void cmox_check_places(cmox_doctor_t *doctor) {
  cmox_shimdir_settings_t settings;
  cmox_error_t error;
  const char *places[CMOX_SHIMDIR_PLACES_MAX];
  if (cmox_shimdir_settings_read(NULL, &settings, &error) != CMOX_OK) return;
  const size_t count = cmox_shimdir_places(&settings, places);
  bool any = false;
  for (size_t i = 0; i < count; i++)
    any |= check_place(doctor, settings, places[i],
                       count == 1 ? CMOX_HEALTH_PROBLEM : CMOX_HEALTH_NOTE);
  if (!any && count > 1)
    cmox_doctor_tell(doctor, "place", CMOX_HEALTH_PROBLEM,
                     "none of them serves: set CMOX_TMPDIR to a short directory of your own that "
                     "allows executables");
  cmox_shimdir_settings_clear(&settings);
}

/* ---- A call --------------------------------------------------------------------- */

/* The status of a shell's command that meets the mock; the message when there is none. */
static int call_once(cmox_t *mox) {
  static char name[] = "cmdmox-doctor";
  char *const command[] = {name, NULL};
  const cmox_child_t child = {
      .command = command, .environment = cmox_environ(mox), .on_its_path = true, .input = -1};
  return cmox_child_run(&child).status;
}

void cmox_check_call(cmox_doctor_t *doctor) {
  enum { EXPECTED = 42 };
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.environment = CMOX_ENVIRONMENT_NONE));
  cmox_double_t *mock = cmox_mock(mox, "cmdmox-doctor");
  cmox_returns(mock, .exit_code = EXPECTED);
  if (cmox_replay(mox) != CMOX_OK) {
    cmox_doctor_tell(doctor, "call", CMOX_HEALTH_PROBLEM, "no session can be made: %s",
                     cmox_message(mox));
    return;
  }
  const int status = call_once(mox);
  if (cmox_verify(mox) == CMOX_OK && status == EXPECTED)
    cmox_doctor_tell(doctor, "call", CMOX_HEALTH_OK, "a mocked command was called, and answered");
  else
    cmox_doctor_tell(doctor, "call", CMOX_HEALTH_PROBLEM,
                     "a mocked command was called, and ended with status %d instead of %d: %s",
                     status, EXPECTED, cmox_message(mox));
}

/* ---- This shell -------------------------------------------------------------------- */

static bool is_dead_shims(const char *entry, size_t len) {
  char path[4096];
  struct stat info;
  static const char mark[] = "/cmdmox-";
  (void)snprintf(path, sizeof path, "%.*s", (int)len, entry);
  return strstr(path, mark) && len > 4 && memcmp(entry + len - 4, "/bin", 4) == 0 &&
         stat(path, &info) != 0 && errno == ENOENT;
}

void cmox_check_path(cmox_doctor_t *doctor) {
  const char *path = getenv("PATH");
  if (!path || !*path) {
    cmox_doctor_tell(doctor, "PATH", CMOX_HEALTH_PROBLEM,
                     "it is not set: no command can be found; set it");
    return;
  }
  size_t entries = 0;
  bool told = false;
  for (const char *at = path;; at++) {
    const size_t len = strcspn(at, ":");
    entries++;
    if (len == 0 || *at != '/') {
      cmox_doctor_tell(doctor, "PATH", CMOX_HEALTH_NOTE,
                       "entry %zu, \"%.*s\", is relative: what it finds depends on the directory",
                       entries, (int)len, at);
      told = true;
    } else if (is_dead_shims(at, len)) {
      cmox_doctor_tell(doctor, "PATH", CMOX_HEALTH_NOTE,
                       "entry %zu, %.*s, is of a session that is over", entries, (int)len, at);
      told = true;
    }
    at += len;
    if (!*at) break;
  }
  if (!told) cmox_doctor_tell(doctor, "PATH", CMOX_HEALTH_OK, "%zu entries", entries);
}

void cmox_check_session(cmox_doctor_t *doctor) {
  const char *text = getenv(CMOX_SESSION_VARIABLE);
  if (!text || !*text) return;
  char address[CMOX_SESSION_TEXT_MAX];
  const char *hash = strrchr(text, '#'); /* the place may have one, too */
  (void)snprintf(address, sizeof address, "%.*s", hash ? (int)(hash - text) : 0, text);
  int fd = -1;
  cmox_error_t error;
  if (cmox_channel_connect(address, 1000, &fd, &error) == CMOX_OK) {
    (void)close(fd);
    cmox_doctor_tell(doctor, "session", CMOX_HEALTH_OK, "%s answers", address);
    return;
  }
  cmox_doctor_tell(doctor, "session", CMOX_HEALTH_PROBLEM,
                   CMOX_SESSION_VARIABLE
                   " names a session that is over (%s): "
                   "eval \"$(cmdmox session end)\", or unset it",
                   error.message);
}

/* ---- The system ----------------------------------------------------------------------- */

void cmox_check_limits(cmox_doctor_t *doctor) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const bool few = files.rlim_cur < DESCRIPTORS_LEAST;
  cmox_doctor_tell(doctor, "limits", few ? CMOX_HEALTH_PROBLEM : CMOX_HEALTH_OK,
                   "%" PRIu64 " descriptors, at most %" PRIu64 "%s", (uint64_t)files.rlim_cur,
                   (uint64_t)files.rlim_max,
                   few ? ": each call takes one; raise it with ulimit -n" : "");
}

#ifdef __linux__
void cmox_check_namespaces(cmox_doctor_t *doctor) {
  (void)fflush(stdout); /* what is in its buffer would come from the child, too */
  const pid_t child = fork();
  if (child == 0) {
    const bool made = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    _exit(made ? 0 : 1);
  }
  int status = 1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0)
    cmox_doctor_tell(doctor, "isolate", CMOX_HEALTH_OK, "mount namespaces can be made");
  else
    cmox_doctor_tell(doctor, "isolate", CMOX_HEALTH_NOTE,
                     "no namespaces here: cmdmox isolate needs root, or user namespaces "
                     "(kernel.unprivileged_userns_clone=1; in a container --cap-add SYS_ADMIN)");
}

void cmox_check_inotify(cmox_doctor_t *doctor) {
  const int fd = inotify_init1(IN_CLOEXEC);
  if (fd >= 0) {
    (void)close(fd);
    cmox_doctor_tell(doctor, "watch", CMOX_HEALTH_OK, "inotify is there for CMOX_WATCH");
    return;
  }
  cmox_doctor_tell(doctor, "watch", CMOX_HEALTH_NOTE,
                   "no inotify (%s): CMOX_WATCH tells nothing; fs.inotify.max_user_instances may "
                   "be reached",
                   strerror(errno));
}
#else
void cmox_check_namespaces(cmox_doctor_t *doctor) {
  cmox_doctor_tell(doctor, "isolate", CMOX_HEALTH_NOTE, "only Linux has mount namespaces");
}
void cmox_check_inotify(cmox_doctor_t *doctor) {
  cmox_doctor_tell(doctor, "watch", CMOX_HEALTH_NOTE, "only Linux has inotify");
}
#endif

extern char **environ;

/* The id of a session is a capability. */
void cmox_check_environment(cmox_doctor_t *doctor) {
  for (char **entry = environ; *entry; entry++) {
    if (strncmp(*entry, "CMOX_", 5) != 0) continue;
    const size_t len = strcspn(*entry, "=");
    const bool id = strncmp(*entry, CMOX_SESSION_VARIABLE "=", sizeof CMOX_SESSION_VARIABLE) == 0;
    const char *value = (*entry)[len] ? *entry + len + 1 : "";
    const size_t shown = cmox_secret_name(cmox_span(*entry, len)) ? 0
                         : id                                     ? strcspn(value, "#")
                                                                  : strlen(value);
    cmox_doctor_tell(doctor, "environment", CMOX_HEALTH_OK, "%.*s=%.*s%s", (int)len, *entry,
                     (int)shown, value, value[shown] ? "***" : "");
  }
}
