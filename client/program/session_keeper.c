/* Holds a session of a shell, in a process of its own.
 *
 * 1. The program forks; the child leaves the terminal and every descriptor of the shell, so that
 * neither Ctrl-C nor a closed pipe nor `$(...)` has anything to do with it.
 * 2. It starts an engine, makes the session, and listens in the session's private directory.
 * 3. It tells its parent how that went, by a pipe: an exit status and a text. A pipe that ends
 * without them is a child that has died.
 * 4. It waits until the session is over (deleted, or idle for too long), the shell has ended, or a
 * signal comes.
 * 5. Where the shell goes on and has not left the session, its PATH still begins with the shims:
 * they stay, and refuse, until it has ended. Then everything goes that is on disk. */
#include "client/program/session_keeper.h"

#include <cmdmox/engine.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/program/session.h"
#include "server/base/log.h"
#include "server/base/quote.h"
#include "server/host/shimdir.h"

typedef struct keeper {
  const cmox_keeper_wishes_t *wishes;
  cmox_engine_t *engine;
  cmox_shell_session_t session; /* its own link, and the id */
  char private[CMOX_SESSION_TEXT_MAX];
  cmox_buf_t enter, leave; /* what the shell evaluates */
} keeper_t;

/* ---- The session -------------------------------------------------------------- */

static cmox_code_t call(keeper_t *keeper, const char *method, const ProtobufCMessage *request,
                        ProtobufCMessage **answer, cmox_error_t *error) {
  return cmox_control_call(&keeper->session.control, method, request, answer, error);
}

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

static cmox_code_t keep_id(keeper_t *keeper, const Cmdmox__V1__CreateSessionResponse *answer,
                           cmox_error_t *error) {
  const ProtobufCBinaryData bin = answer->shim_directory;
  const size_t tail = sizeof "/bin" - 1;
  if (answer->session_id.len != sizeof keeper->session.id || bin.len < tail ||
      bin.len + sizeof CMOX_SHIMDIR_PRIVATE > sizeof keeper->private)
    return cmox_fail(error, CMOX_E_INTERNAL, "the engine gave a session that is none");
  memcpy(keeper->session.id, answer->session_id.data, sizeof keeper->session.id);
  (void)snprintf(keeper->private, sizeof keeper->private, "%.*s/" CMOX_SHIMDIR_PRIVATE,
                 (int)(bin.len - tail), (const char *)bin.data);
  return CMOX_OK;
}

static void tell_variable(keeper_t *keeper, cmox_span_t name, cmox_span_t value) {
  char copy[64];
  (void)snprintf(copy, sizeof copy, "%.*s", (int)name.len, (const char *)name.data);
  const char *before = getenv(copy);
  cmox_shell_assign(&keeper->enter, name, (const char *)value.data, value.len);
  cmox_shell_assign(&keeper->leave, name, before, before ? strlen(before) : 0);
}

static void tell_variables(keeper_t *keeper, size_t count, const ProtobufCBinaryData *env) {
  char own[CMOX_SESSION_TEXT_MAX];
  int len = snprintf(own, sizeof own, "unix:%s/" CMOX_SHIMDIR_CONTROL "#", keeper->private);
  for (size_t i = 0; i < sizeof keeper->session.id; i++)
    len += snprintf(own + len, sizeof own - (size_t)len, "%02x", keeper->session.id[i]);
  cmox_buf_clear(&keeper->enter);
  cmox_buf_clear(&keeper->leave);
  tell_variable(keeper, cmox_span_str(CMOX_SESSION_VARIABLE), cmox_span_str(own));
  for (size_t i = 0; i < count; i++) {
    const uint8_t *equals = memchr(env[i].data, '=', env[i].len);
    if (!equals) continue;
    const size_t name = (size_t)(equals - env[i].data);
    tell_variable(keeper, cmox_span(env[i].data, name),
                  cmox_span(equals + 1, env[i].len - name - 1));
  }
}

static cmox_code_t create_session(keeper_t *keeper, cmox_error_t *error) {
  const cmox_keeper_wishes_t *wishes = keeper->wishes;
  const char *path = getenv("PATH");
  Cmdmox__V1__CreateSessionRequest request = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  request.dialect = (char *)(uintptr_t)wishes->dialect;
  if (wishes->label) request.label = (char *)(uintptr_t)wishes->label;
  request.contained = wishes->contained;
  request.idle_timeout_ms = (uint32_t)wishes->idle_ms;
  if (path) {
    request.path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
    request.path = cmox_to_bytes(cmox_span_str(path));
  }
  if (wishes->max_journal_entries) {
    request.journal_bound_case =
        CMDMOX__V1__CREATE_SESSION_REQUEST__JOURNAL_BOUND_MAX_JOURNAL_ENTRIES;
    request.max_journal_entries = wishes->max_journal_entries;
  }
  ProtobufCMessage *answer = NULL;
  cmox_code_t code = call(keeper, "CreateSession", &request.base, &answer, error);
  if (code != CMOX_OK) return code;
  const Cmdmox__V1__CreateSessionResponse *made = (const Cmdmox__V1__CreateSessionResponse *)answer;
  code = keep_id(keeper, made, error);
  if (code == CMOX_OK) tell_variables(keeper, made->n_env_block, made->env_block);
  cmox_wire_free(answer);
  return code;
}

/* In a contained session the verbs of the shell run as before, where they are on its PATH. */
static cmox_code_t allow_ourselves(keeper_t *keeper, cmox_error_t *error) {
  char name[] = "cmdmox";
  ProtobufCBinaryData names[] = {{sizeof name - 1, (uint8_t *)name}};
  Cmdmox__V1__AllowCommandsRequest request = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_shell_id(&keeper->session);
  request.n_commands = 1;
  request.commands = names;
  if (!keeper->wishes->contained) return CMOX_OK;
  ProtobufCMessage *answer = NULL;
  const cmox_code_t code = call(keeper, "AllowCommands", &request.base, &answer, error);
  cmox_wire_free(answer);
  return code == CMOX_E_NOT_FOUND ? CMOX_OK : code;
}

static cmox_code_t make_absent(keeper_t *keeper, cmox_error_t *error) {
  const cmox_keeper_wishes_t *wishes = keeper->wishes;
  if (wishes->absent_count == 0) return CMOX_OK;
  Cmdmox__V1__MakeAbsentRequest request = CMDMOX__V1__MAKE_ABSENT_REQUEST__INIT;
  request.session_id = cmox_shell_id(&keeper->session);
  request.n_commands = wishes->absent_count;
  request.commands = cmox_shell_names(wishes->absent, wishes->absent_count);
  if (!request.commands) return no_memory(error);
  ProtobufCMessage *answer = NULL;
  cmox_code_t code = call(keeper, "MakeAbsent", &request.base, &answer, error);
  free(request.commands);
  if (code != CMOX_OK) return code;
  const Cmdmox__V1__MakeAbsentResponse *made = (const Cmdmox__V1__MakeAbsentResponse *)answer;
  tell_variables(keeper, made->n_env_block, made->env_block);
  cmox_wire_free(answer);
  return CMOX_OK;
}

static cmox_code_t replay(keeper_t *keeper, cmox_error_t *error) {
  Cmdmox__V1__ReplayRequest request = CMDMOX__V1__REPLAY_REQUEST__INIT;
  request.session_id = cmox_shell_id(&keeper->session);
  ProtobufCMessage *answer = NULL;
  const cmox_code_t code = call(keeper, "Replay", &request.base, &answer, error);
  cmox_wire_free(answer);
  return code;
}

/* ---- What others find of it ------------------------------------------------------ */

static cmox_code_t put_file(const keeper_t *keeper, const char *name, const cmox_buf_t *text,
                            cmox_error_t *error) {
  char path[CMOX_SESSION_TEXT_MAX + 16];
  (void)snprintf(path, sizeof path, "%s/%s", keeper->private, name);
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool written = fd >= 0;
  for (size_t done = 0; written && done < text->len;) {
    const ssize_t put = write(fd, text->data + done, text->len - done);
    if (put > 0) done += (size_t)put;
    written = put > 0 || errno == EINTR;
  }
  const int why = errno;
  if (fd >= 0) (void)close(fd);
  if (written) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO, "cannot write %s: %s", path, strerror(why));
}

/* At its exit the shell ends this session, and each that it began before and has not ended: up to
 * the one that it came with, which is its parent's. The program is named by its path, since the
 * shell may have another PATH by then; one that says nothing has failed. */
static void put_trap(cmox_buf_t *out) {
  char program[PATH_MAX];
  const char *outer = getenv(CMOX_SESSION_VARIABLE);
  const ssize_t len = readlink("/proc/self/exe", program, sizeof program);
  cmox_buf_puts(out, "test \"${cmdmox_outer+x}\" || cmdmox_outer=");
  cmox_quote_word(out, cmox_span_str(outer ? outer : ""));
  cmox_buf_puts(out, "\ncmdmox_program=");
  if (len > 0 && (size_t)len < sizeof program)
    cmox_quote_word(out, cmox_span(program, (size_t)len));
  else
    cmox_buf_puts(out, "cmdmox");
  cmox_buf_puts(out, "\ntrap 'while test \"${" CMOX_SESSION_VARIABLE
                     "-}\" != \"$cmdmox_outer\"; do "
                     "cmdmox_end=$(\"$cmdmox_program\" session end) && test \"$cmdmox_end\" && "
                     "eval \"$cmdmox_end\" || exit 1; done' EXIT\n");
}

static cmox_code_t offer(keeper_t *keeper, cmox_error_t *error) {
  if (keeper->wishes->traps) put_trap(&keeper->enter);
  if (keeper->enter.failed || keeper->leave.failed) return no_memory(error);
  cmox_code_t code = put_file(keeper, CMOX_SHIMDIR_ENTER, &keeper->enter, error);
  if (code == CMOX_OK) code = put_file(keeper, CMOX_SHIMDIR_LEAVE, &keeper->leave, error);
  if (code != CMOX_OK) return code;
  char address[CMOX_SESSION_TEXT_MAX + 16];
  (void)snprintf(address, sizeof address, "unix:%s/" CMOX_SHIMDIR_CONTROL, keeper->private);
  error->code = cmox_engine_listen(keeper->engine, address, error->message, sizeof error->message);
  return error->code;
}

static cmox_code_t open_keeper(keeper_t *keeper, cmox_error_t *error) {
  const cmox_engine_options_t options = {.size = sizeof options, .populated = cmox_guard_populated};
  int fd = -1;
  error->code = cmox_engine_start(&options, &keeper->engine, error->message, sizeof error->message);
  if (error->code == CMOX_OK)
    error->code = cmox_engine_connect(keeper->engine, &fd, error->message, sizeof error->message);
  if (error->code != CMOX_OK) return error->code;
  cmox_control_open(&keeper->session.control, fd, 0);
  cmox_code_t code = create_session(keeper, error);
  if (code == CMOX_OK) code = allow_ourselves(keeper, error);
  if (code == CMOX_OK) code = make_absent(keeper, error);
  if (code == CMOX_OK) code = replay(keeper, error);
  if (code == CMOX_OK) code = offer(keeper, error);
  return code;
}

/* ---- The process ------------------------------------------------------------------ */

static void say(int to, int status, const void *text, size_t len) {
  const uint8_t first = (uint8_t)status;
  if (write(to, &first, 1) != 1) return;
  for (size_t done = 0; done < len;) {
    const ssize_t put = write(to, (const char *)text + done, len - done);
    if (put <= 0 && errno != EINTR) return;
    if (put > 0) done += (size_t)put;
  }
}

/* What the shell has open is its own: a pipe that we held would never end. */
static void close_all_but(int kept, int also_kept) {
  enum { AT_ONCE = 256 }; /* closing while listing would skip some */
  int found[AT_ONCE];
  size_t count = AT_ONCE;
  while (count == AT_ONCE) {
    DIR *stream = opendir("/dev/fd");
    if (!stream) return;
    const int own = dirfd(stream);
    count = 0;
    for (const struct dirent *entry; count < AT_ONCE && (entry = readdir(stream));) {
      const int fd = (int)strtol(entry->d_name, NULL, 10);
      if (fd > STDERR_FILENO && fd != kept && fd != also_kept && fd != own) found[count++] = fd;
    }
    (void)closedir(stream);
    for (size_t i = 0; i < count; i++) (void)close(found[i]);
  }
}

static bool leave_shell(int kept, int also_kept) {
  (void)setsid();
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) (void)dup2(null, fd);
  if (null > STDERR_FILENO) (void)close(null);
  close_all_but(kept, also_kept);
  return true;
}

static bool has_left(const keeper_t *keeper) {
  char path[CMOX_SESSION_TEXT_MAX + 16];
  (void)snprintf(path, sizeof path, "%s/" CMOX_SHIMDIR_LEFT, keeper->private);
  return access(path, F_OK) == 0;
}

/* Until the shell ends; a second signal ends it at once. */
static void stay(cmox_guard_t *guard) {
  (void)signal(SIGINT, SIG_DFL);
  (void)signal(SIGTERM, SIG_DFL);
  (void)signal(SIGHUP, SIG_DFL);
  cmox_guard_wait_gone(guard, -1);
}

_Noreturn static void keep(const cmox_keeper_wishes_t *wishes, int to) {
  keeper_t keeper = {.wishes = wishes, .session = {.control = {.channel = {.fd = -1}}}};
  cmox_guard_t guard = wishes->guard;
  guard.needs_session = true;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_code_t code = CMOX_OK;
  if (!leave_shell(to, guard.parent_fd) || !cmox_guard_begin("session start"))
    code = cmox_fail(&error, CMOX_E_IO, "cannot leave the shell: %s", strerror(errno));
  if (code == CMOX_OK && wishes->log) code = cmox_log_open(wishes->log, &error);
  if (code == CMOX_OK) code = open_keeper(&keeper, &error);
  (void)chdir("/"); /* what the shell stands in may go */
  if (code == CMOX_OK)
    say(to, 0, keeper.enter.data, keeper.enter.len);
  else
    say(to, cmox_code_exit_status(code), error.message, strlen(error.message));
  (void)close(to);
  cmox_buf_clear(&keeper.enter);
  cmox_buf_clear(&keeper.leave);
  int number = 0;
  cmox_end_t why = CMOX_END_PARENT;
  if (code == CMOX_OK) why = cmox_guard_wait(&guard, &number);
  const bool stays = why != CMOX_END_PARENT && !has_left(&keeper);
  cmox_engine_stop(keeper.engine);
  if (stays) stay(&guard);
  cmox_shell_close(&keeper.session);
  exit(0);
}

/* ---- Its parent --------------------------------------------------------------------- */

static int hear(int from) {
  cmox_buf_t heard = CMOX_BUF_EMPTY;
  char bytes[4096];
  for (ssize_t got; (got = read(from, bytes, sizeof bytes)) != 0;) {
    if (got < 0 && errno != EINTR) break;
    if (got > 0) cmox_buf_append(&heard, bytes, (size_t)got);
  }
  int status = heard.len ? heard.data[0] : cmox_code_exit_status(CMOX_E_NO_SERVER);
  if (heard.len == 0)
    (void)fprintf(stderr, "cmdmox session start: its process died before the session was there\n");
  else if (status != 0)
    (void)fprintf(stderr, "cmdmox session start: %.*s\n", (int)heard.len - 1,
                  (const char *)heard.data + 1);
  else
    (void)fwrite(heard.data + 1, 1, heard.len - 1, stdout);
  cmox_buf_clear(&heard);
  return status ? status : cmox_finish_output();
}

int cmox_keeper_start(const cmox_keeper_wishes_t *wishes) {
  int ends[2] = {-1, -1};
  const char *step = pipe(ends) == 0 ? NULL : "make a pipe";
  const pid_t child = step ? -1 : fork();
  if (!step && child < 0) step = "fork";
  if (step) {
    (void)fprintf(stderr, "cmdmox session start: cannot %s: %s\n", step, strerror(errno));
    return cmox_code_exit_status(CMOX_E_IO);
  }
  if (child == 0) {
    (void)close(ends[0]);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    keep(wishes, ends[1]);
  }
  (void)close(ends[1]);
  const int status = hear(ends[0]);
  (void)close(ends[0]);
  return status;
}
