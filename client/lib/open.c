/* From options to a session: read the options and the environment once, on the
 * caller's thread; get a link, either to an engine of our own or to a server at
 * an address; greet and ask for a session in one write; keep what the answer says.
 *
 * Each step may fail; the handle then keeps the code and one line, and whatever the
 * earlier steps made until cmox_free(). */
#include <stdlib.h>
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "proto/timeout.h"
#include "server/base/alloc.h"
#include "server/base/trace.h"

#define OPTIONS_LEAST \
  (offsetof(cmox_options_t, environment) + sizeof(((cmox_options_t *)NULL)->environment))

typedef struct settings {
  cmox_options_t options;
  uint32_t timeout_ms; /* 0: for ever */
  const char *path;    /* borrowed from the environment; NULL: not set */
} settings_t;

static cmox_code_t read_settings(const cmox_options_t *given, settings_t *settings,
                                 cmox_error_t *error) {
  *settings = (settings_t){.path = getenv("PATH")};
  cmox_options_t *options = &settings->options;
  if (given && !cmox_copy_sized(options, sizeof *options, OPTIONS_LEAST, given))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "options: .size is not sizeof(cmox_options_t) of a version that this library "
                     "knows; write CMOX_OPTIONS(...)");
  if (options->environment != CMOX_ENVIRONMENT_PROCESS &&
      options->environment != CMOX_ENVIRONMENT_NONE)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "options: .environment is %d",
                     (int)options->environment);
  if (options->max_journal_entries < 0)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "options: .max_journal_entries is %lld: a journal keeps at least 1 call, or, "
                     "with 0, all of them",
                     (long long)options->max_journal_entries);
  if (options->address && options->shim)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "options: .shim goes with an engine of this process; the server at .address "
                     "has its own");
  const char *timeout = getenv("CMOX_IPC_TIMEOUT");
  if (!cmox_timeout_parse(timeout, &settings->timeout_ms))
    return cmox_fail(error, CMOX_E_BAD_TIMEOUT,
                     "CMOX_IPC_TIMEOUT is \"%s\": write seconds, such as 5 or 0.5, or none",
                     timeout);
  return CMOX_OK;
}

static cmox_code_t start_engine(cmox_t *mox, const cmox_options_t *options, int *fd,
                                cmox_error_t *error) {
  const cmox_engine_options_t wanted = {.size = sizeof wanted,
                                        .shim = options->shim,
                                        .temporary_directory = options->temporary_directory};
  error->code = cmox_engine_start(&wanted, &mox->engine, error->message, sizeof error->message);
  if (error->code != CMOX_OK) return error->code;
  error->code = cmox_engine_connect(mox->engine, fd, error->message, sizeof error->message);
  return error->code;
}

static cmox_code_t keep_answer(cmox_t *mox, const Cmdmox__V1__CreateSessionResponse *answer,
                               cmox_error_t *error) {
  if (answer->session_id.len == 0 || answer->session_id.len > sizeof mox->id)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "the server gave a session id of %zu bytes",
                     answer->session_id.len);
  memcpy(mox->id, answer->session_id.data, answer->session_id.len);
  mox->id_len = answer->session_id.len;
  mox->shim_directory = cmox_strndup(answer->shim_directory.data, answer->shim_directory.len);
  if (!mox->shim_directory) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  for (size_t i = 0; i < answer->n_env_block; i++) {
    cmox_code_t code =
        cmox_entries_add(&mox->entries, answer->env_block[i].data, answer->env_block[i].len, error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

static ProtobufCBinaryData borrow(const char *text) {
  return (ProtobufCBinaryData){.len = text ? strlen(text) : 0, .data = (uint8_t *)text};
}

static cmox_code_t create_session(cmox_t *mox, const settings_t *settings, cmox_error_t *error) {
  char dialect[] = "c";
  Cmdmox__V1__CreateSessionRequest request = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  request.label = mox->label;
  request.dialect = dialect;
  if (settings->path) {
    request.path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
    request.path = borrow(settings->path);
  }
  if (settings->options.max_journal_entries > 0) {
    request.journal_bound_case =
        CMDMOX__V1__CREATE_SESSION_REQUEST__JOURNAL_BOUND_MAX_JOURNAL_ENTRIES;
    request.max_journal_entries = (uint64_t)settings->options.max_journal_entries;
  }
  request.callback_deadline_ms = mox->callback_deadline_ms;
  request.contained = mox->path_fixed = settings->options.contained;
  if (!mox->engine) request.temporary_directory = borrow(settings->options.temporary_directory);
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "CreateSession", &request.base, &response, error);
  if (code != CMOX_OK) return code;
  code = keep_answer(mox, (const Cmdmox__V1__CreateSessionResponse *)response, error);
  cmox_wire_free(response);
  return code;
}

cmox_code_t cmox_open(cmox_t *mox, const cmox_options_t *options, cmox_error_t *error) {
  settings_t settings;
  cmox_code_t code = read_settings(options, &settings, error);
  if (code != CMOX_OK) return code;
  code = cmox_report_choose(&mox->report, error);
  if (code != CMOX_OK) return code;
  CMOX_TRACE(CLIENT_OPEN,
             cmox_trace_text(settings.options.address ? settings.options.address : "own"));
  mox->environment = settings.options.environment;
  mox->label = cmox_utf8_copy(settings.options.label);
  if (!mox->label) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  mox->callback_deadline_ms = settings.options.callback_deadline_ms;
  mox->address = cmox_strdup(settings.options.address);
  mox->own_path = cmox_strdup(settings.path);
  if ((settings.options.address && !mox->address) || (settings.path && !mox->own_path))
    return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  int fd = -1;
  if (settings.options.address)
    code = cmox_channel_connect(settings.options.address, settings.timeout_ms, &fd, error);
  else
    code = start_engine(mox, &settings.options, &fd, error);
  if (code != CMOX_OK) return code;
  cmox_control_open(&mox->control, fd, settings.timeout_ms);
  return create_session(mox, &settings, error);
}
