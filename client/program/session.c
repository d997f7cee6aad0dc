#include "client/program/session.h"

#include "client/program/files.h"

#include "server/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/timeout.h"
#include "server/host/shimdir.h"

int cmox_shell_fail(const char *verb, const cmox_error_t *error) {
  (void)fprintf(stderr, "cmdmox %s: %s\n", verb, error->message);
  return cmox_code_exit_status(error->code);
}

/* ---- Which session ---------------------------------------------------------- */

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static bool read_id(const char *text, uint8_t id[CMOX_SESSION_ID_BYTES]) {
  if (strlen(text) != 2 * (size_t)CMOX_SESSION_ID_BYTES) return false;
  for (size_t i = 0; i < CMOX_SESSION_ID_BYTES; i++) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    id[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

int cmox_shell_find(cmox_shell_session_t *session, const cmox_verb_t *verb) {
  *session = (cmox_shell_session_t){.verb = verb->name, .control = {.channel = {.fd = -1}}};
  const char *text = getenv(CMOX_SESSION_VARIABLE);
  cmox_error_t error;
  if (!text || !*text) {
    (void)cmox_fail(&error, CMOX_E_NO_ENDPOINT,
                    "this shell has no session (" CMOX_SESSION_VARIABLE
                    " is not set): begin one with eval \"$(cmdmox session start)\"");
    return cmox_shell_fail(verb->name, &error);
  }
  const char *hash = strrchr(text, '#');
  const size_t len = hash ? (size_t)(hash - text) : 0;
  if (!hash || len >= sizeof session->address || !read_id(hash + 1, session->id)) {
    (void)cmox_fail(&error, CMOX_E_BAD_ADDRESS,
                    CMOX_SESSION_VARIABLE
                    " holds no session: it is to be what cmdmox session start printed");
    return cmox_shell_fail(verb->name, &error);
  }
  memcpy(session->address, text, len);
  return 0;
}

/* ---- The link ----------------------------------------------------------------- */

static int say_gone(const cmox_shell_session_t *session, const cmox_error_t *error) {
  (void)fprintf(
      stderr,
      "cmdmox %s: the session of this shell is over: it was ended, its time was up, or its "
      "process was killed (%s)\n",
      session->verb, error->message);
  return cmox_code_exit_status(CMOX_E_NO_SERVER);
}

int cmox_shell_connect(cmox_shell_session_t *session) {
  cmox_error_t error;
  uint32_t timeout_ms = 0;
  const char *timeout = getenv("CMOX_IPC_TIMEOUT");
  if (!cmox_timeout_parse(timeout, &timeout_ms)) {
    (void)cmox_fail(&error, CMOX_E_BAD_TIMEOUT,
                    "CMOX_IPC_TIMEOUT is \"%s\": write seconds, such as 5 or 0.5, or none",
                    timeout);
    return cmox_shell_fail(session->verb, &error);
  }
  int fd = -1;
  const cmox_code_t code = cmox_channel_connect(session->address, timeout_ms, &fd, &error);
  if (code == CMOX_E_NO_SERVER) return say_gone(session, &error);
  if (code != CMOX_OK) return cmox_shell_fail(session->verb, &error);
  cmox_control_open(&session->control, fd, timeout_ms);
  return 0;
}

int cmox_shell_open(cmox_shell_session_t *session, const cmox_verb_t *verb) {
  const int status = cmox_shell_find(session, verb);
  return status ? status : cmox_shell_connect(session);
}

void cmox_shell_close(cmox_shell_session_t *session) { cmox_control_close(&session->control); }

ProtobufCBinaryData cmox_shell_id(cmox_shell_session_t *session) {
  return (ProtobufCBinaryData){sizeof session->id, session->id};
}

int cmox_shell_call(cmox_shell_session_t *session, const char *method,
                    const ProtobufCMessage *request, ProtobufCMessage **answer) {
  cmox_error_t error;
  const cmox_code_t code = cmox_control_call(&session->control, method, request, answer, &error);
  if (code == CMOX_OK) return 0;
  const bool broken = session->control.broken.code != CMOX_OK;
  if (broken && code != CMOX_E_DEADLINE_EXCEEDED) return say_gone(session, &error);
  /* Only the allowed program can be what else was not found. */
  if (code == CMOX_E_NOT_FOUND && strcmp(method, "AllowCommands") != 0)
    return say_gone(session, &error);
  return cmox_shell_fail(session->verb, &error);
}

int cmox_shell_do(cmox_shell_session_t *session, const char *method,
                  const ProtobufCMessage *request) {
  ProtobufCMessage *answer = NULL;
  const int status = cmox_shell_call(session, method, request, &answer);
  cmox_wire_free(answer);
  return status;
}

/* ---- Its files ------------------------------------------------------------------ */

/* Whoever may write there could have the shell evaluate anything. */
static bool is_ours(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && info.st_uid == geteuid() && !(info.st_mode & 022);
}

static const char *path_of(const cmox_shell_session_t *session) {
  return strncmp(session->address, "unix:", 5) == 0 ? session->address + 5 : session->address;
}

bool cmox_shell_shims(const cmox_shell_session_t *session, char path[CMOX_SESSION_TEXT_MAX]) {
  static const char tail[] = "/" CMOX_SHIMDIR_PRIVATE "/" CMOX_SHIMDIR_CONTROL;
  const char *socket = path_of(session);
  const size_t len = strlen(socket);
  if (len < sizeof tail || strcmp(socket + len - (sizeof tail - 1), tail) != 0) return false;
  (void)snprintf(path, CMOX_SESSION_TEXT_MAX, "%.*s/bin", (int)(len - (sizeof tail - 1)), socket);
  return true;
}

/* -1: it is not there, or not ours alone. */
static int open_private(const cmox_shell_session_t *session) {
  char directory[CMOX_SESSION_TEXT_MAX];
  const char *path = path_of(session);
  const char *slash = strrchr(path, '/');
  if (!slash) return -1;
  (void)snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
  const int dir = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir >= 0 && is_ours(dir)) return dir;
  if (dir >= 0) (void)close(dir);
  return -1;
}

bool cmox_shell_read(const cmox_shell_session_t *session, const char *name, cmox_buf_t *out) {
  const int dir = open_private(session);
  if (dir < 0) return false;
  const int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  (void)close(dir);
  if (fd < 0) return false;
  const bool read = is_ours(fd) && !cmox_read_all(fd, out);
  (void)close(fd);
  return read;
}

void cmox_shell_note(const cmox_shell_session_t *session, const char *name) {
  const int dir = open_private(session);
  if (dir < 0) return;
  const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  (void)close(dir);
  if (fd >= 0) (void)close(fd);
}

/* ---- Words of a shell -------------------------------------------------------------- */

void cmox_shell_assign(cmox_buf_t *out, cmox_span_t name, const char *value, size_t len) {
  cmox_buf_puts(out, value ? "export " : "unset ");
  cmox_buf_append_span(out, name);
  if (value) {
    cmox_buf_putc(out, '=');
    cmox_quote_word(out, cmox_span(value, len));
  }
  cmox_buf_putc(out, '\n');
}

ProtobufCBinaryData *cmox_shell_names(char **words, size_t count) {
  ProtobufCBinaryData *names = calloc(count ? count : 1, sizeof *names);
  for (size_t i = 0; names && i < count; i++)
    names[i] = (ProtobufCBinaryData){strlen(words[i]), (uint8_t *)words[i]};
  return names;
}
