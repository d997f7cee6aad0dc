#include "client/program/embedded.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/timeout.h"
#include "server/base/alloc.h"
#include "server/wire/wire.h"

typedef struct place_of {
  const char *file, *member;
  long index;
  uint32_t line;
} place_of_t;

static int fail(const cmox_embedded_t *session, const cmox_error_t *error) {
  (void)fprintf(stderr, "cmdmox %s: %s\n", session->verb->name, error->message);
  return cmox_code_exit_status(error->code);
}

/* ---- The engine -------------------------------------------------------------- */

static cmox_code_t start(cmox_embedded_t *session, cmox_error_t *error) {
  const char *timeout = getenv("CMOX_IPC_TIMEOUT");
  uint32_t timeout_ms = 0;
  if (!cmox_timeout_parse(timeout, &timeout_ms))
    return cmox_fail(error, CMOX_E_BAD_TIMEOUT,
                     "CMOX_IPC_TIMEOUT is \"%.80s\": write seconds, such as 5 or 0.5, or none",
                     timeout);
  int fd = -1;
  error->code = cmox_engine_start(NULL, &session->engine, error->message, sizeof error->message);
  if (error->code == CMOX_OK)
    error->code = cmox_engine_connect(session->engine, &fd, error->message, sizeof error->message);
  if (error->code == CMOX_OK) cmox_control_open(&session->control, fd, timeout_ms);
  return error->code;
}

int cmox_embedded_call(cmox_embedded_t *session, const char *method,
                       const ProtobufCMessage *request, ProtobufCMessage **answer) {
  cmox_error_t error;
  ProtobufCMessage *unused = NULL;
  if (cmox_control_call(&session->control, method, request, answer ? answer : &unused, &error) !=
      CMOX_OK)
    return fail(session, &error);
  cmox_wire_free(unused);
  return 0;
}

/* The same; what the engine has against the file, is told with its place. index: of a list, -1:
 * it is none. line 0: it is not of the file. */
static int call_of(cmox_embedded_t *session, const char *method, const ProtobufCMessage *request,
                   ProtobufCMessage **answer, const place_of_t *of) {
  cmox_error_t error;
  if (cmox_control_call(&session->control, method, request, answer, &error) == CMOX_OK) return 0;
  if (of->line == 0 || cmox_code_exit_status(error.code) != CMOX_EXIT_USAGE)
    return fail(session, &error);
  char index[32] = "";
  if (of->index >= 0) (void)snprintf(index, sizeof index, "[%ld]", of->index);
  (void)fprintf(stderr, "cmdmox %s: %s:%u: %s%s: %s\n", session->verb->name, of->file, of->line,
                of->member, index, error.message);
  return cmox_code_exit_status(CMOX_E_BAD_DOCUMENT);
}

/* ---- The session ------------------------------------------------------------- */

static int keep_entries(cmox_embedded_t *session, const ProtobufCBinaryData *block, size_t count) {
  cmox_error_t error;
  cmox_entries_clear(&session->entries);
  for (size_t i = 0; i < count; i++)
    if (cmox_entries_add(&session->entries, block[i].data, block[i].len, &error) != CMOX_OK)
      return fail(session, &error);
  return 0;
}

static int keep_session(cmox_embedded_t *session, const Cmdmox__V1__CreateSessionResponse *answer) {
  session->id.data = cmox_memdup(answer->session_id.data, answer->session_id.len);
  session->id.len = answer->session_id.len;
  cmox_error_t error;
  if (!session->id.data && cmox_fail(&error, CMOX_E_NO_MEMORY, "out of memory"))
    return fail(session, &error);
  return keep_entries(session, answer->env_block, answer->n_env_block);
}

int cmox_embedded_open(cmox_embedded_t *session, const cmox_verb_t *verb,
                       const Cmdmox__V1__DocumentSession *settings, const cmox_written_t *written) {
  *session = (cmox_embedded_t){.verb = verb, .control = {.channel = CMOX_CHANNEL_EMPTY}};
  cmox_error_t error;
  if (start(session, &error) != CMOX_OK) return fail(session, &error);
  Cmdmox__V1__CreateSessionRequest request = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  char dialect[] = "shell";
  request.dialect = dialect;
  const char *path = getenv("PATH");
  if (path) {
    request.path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
    request.path = cmox_to_bytes(cmox_span_str(path));
  }
  if (settings) {
    request.label = settings->label;
    request.contained = settings->contained;
    request.callback_deadline_ms = settings->callback_deadline_ms;
    if (settings->journal_bound_case) {
      request.journal_bound_case =
          CMDMOX__V1__CREATE_SESSION_REQUEST__JOURNAL_BOUND_MAX_JOURNAL_ENTRIES;
      request.max_journal_entries = settings->max_journal_entries;
    }
  }
  ProtobufCMessage *answer = NULL;
  place_of_t of = {.member = "session", .index = -1};
  if (written) of.file = written->file, of.line = written->session_line;
  int status = call_of(session, "CreateSession", &request.base, &answer, &of);
  if (status == 0)
    status = keep_session(session, (const Cmdmox__V1__CreateSessionResponse *)answer);
  cmox_wire_free(answer);
  return status;
}

void cmox_embedded_close(cmox_embedded_t *session) {
  cmox_control_close(&session->control); /* its sessions end with it */
  cmox_engine_stop(session->engine);
  cmox_entries_clear(&session->entries);
  cmox_free_block(session->id.data);
  session->engine = NULL;
  session->id = (ProtobufCBinaryData){0};
}

char **cmox_embedded_environment(cmox_embedded_t *session) {
  char **block = cmox_environment_merge(&session->entries);
  if (!block) (void)fprintf(stderr, "cmdmox %s: out of memory\n", session->verb->name);
  return block;
}

/* ---- The document ------------------------------------------------------------ */

/* "doubles.json:7: " or "the double 2 (git): ", and what the engine says. */
static int refused(const cmox_embedded_t *session, const cmox_written_t *written, size_t index,
                   const Cmdmox__V1__Double *of, const cmox_error_t *error) {
  const bool in_file = index < written->count;
  if (in_file)
    (void)fprintf(stderr, "cmdmox %s: %s:%u: doubles[%zu]: %s\n", session->verb->name,
                  written->file, written->lines[index], index, error->message);
  else
    (void)fprintf(stderr, "cmdmox %s: the double of %.*s: %s\n", session->verb->name,
                  (int)of->command.len, (const char *)of->command.data, error->message);
  return in_file ? cmox_code_exit_status(CMOX_E_BAD_DOCUMENT) : cmox_code_exit_status(error->code);
}

/* From places in the document, from 1, to the ids that the engine gave. */
static bool resolve_after(Cmdmox__V1__Double *of, const uint64_t *ids, size_t index,
                          cmox_error_t *error) {
  for (size_t i = 0; of->after && i < of->after->n_double_ids; i++) {
    const uint64_t place = of->after->double_ids[i];
    if (place == 0 || place > index) {
      (void)cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                      "after: a double is named by its place in the file, from 1, and stands "
                      "before those that come after it");
      return false;
    }
    of->after->double_ids[i] = ids[place - 1];
  }
  return true;
}

/* One by one: so it is known which of them is refused. */
static int declare_doubles(cmox_embedded_t *session, const Cmdmox__V1__Document *document,
                           const cmox_written_t *written, uint64_t *ids) {
  for (size_t i = 0; i < document->n_doubles; i++) {
    Cmdmox__V1__Double *one = document->doubles[i];
    Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
    request.session_id = session->id;
    request.doubles = &one;
    request.n_doubles = 1;
    ProtobufCMessage *answer = NULL;
    cmox_error_t error;
    if (!resolve_after(one, ids, i, &error) ||
        cmox_control_call(&session->control, "CreateDoubles", &request.base, &answer, &error) !=
            CMOX_OK)
      return refused(session, written, i, one, &error);
    const Cmdmox__V1__CreateDoublesResponse *created =
        (const Cmdmox__V1__CreateDoublesResponse *)answer;
    ids[i] = created->n_double_ids == 1 ? created->double_ids[0] : 0;
    cmox_wire_free(answer);
  }
  return 0;
}

/* Where the name stands: of the list register (0), allow (1) or absent (2). */
static place_of_t place_of_name(const cmox_written_t *written, size_t list, size_t index) {
  static const char *const members[3] = {"register", "allow", "absent"};
  place_of_t of = {.file = written->file, .member = members[list], .index = (long)index};
  if (index < written->name_counts[list]) of.line = written->name_lines[list][index];
  return of;
}

static int make_absent(cmox_embedded_t *session, ProtobufCBinaryData *name, const place_of_t *of) {
  Cmdmox__V1__MakeAbsentRequest request = CMDMOX__V1__MAKE_ABSENT_REQUEST__INIT;
  request.session_id = session->id;
  request.n_commands = 1;
  request.commands = name;
  ProtobufCMessage *answer = NULL;
  int status = call_of(session, "MakeAbsent", &request.base, &answer, of);
  const Cmdmox__V1__MakeAbsentResponse *made = (const Cmdmox__V1__MakeAbsentResponse *)answer;
  if (status == 0) status = keep_entries(session, made->env_block, made->n_env_block);
  cmox_wire_free(answer);
  return status;
}

static int register_or_allow(cmox_embedded_t *session, ProtobufCBinaryData *name, bool allow,
                             const place_of_t *of) {
  Cmdmox__V1__RegisterCommandsRequest seen = CMDMOX__V1__REGISTER_COMMANDS_REQUEST__INIT;
  Cmdmox__V1__AllowCommandsRequest allowed = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
  seen.session_id = allowed.session_id = session->id;
  seen.n_commands = allowed.n_commands = 1;
  seen.commands = allowed.commands = name;
  ProtobufCMessage *answer = NULL;
  int status = call_of(session, allow ? "AllowCommands" : "RegisterCommands",
                       allow ? &allowed.base : &seen.base, &answer, of);
  cmox_wire_free(answer);
  return status;
}

/* One by one, as the doubles are. */
static int name_commands(cmox_embedded_t *session, const Cmdmox__V1__Document *document,
                         const cmox_written_t *written) {
  int status = 0;
  for (size_t i = 0; i < document->n_register_ && status == 0; i++) {
    const place_of_t of = place_of_name(written, 0, i);
    status = register_or_allow(session, &document->register_[i], false, &of);
  }
  for (size_t i = 0; i < document->n_allow && status == 0; i++) {
    const place_of_t of = place_of_name(written, 1, i);
    status = register_or_allow(session, &document->allow[i], true, &of);
  }
  for (size_t i = 0; i < document->n_absent && status == 0; i++) {
    const place_of_t of = place_of_name(written, 2, i);
    status = make_absent(session, &document->absent[i], &of);
  }
  return status;
}

int cmox_embedded_declare(cmox_embedded_t *session, const Cmdmox__V1__Document *document,
                          const cmox_written_t *written) {
  uint64_t *ids = cmox_calloc(document->n_doubles + 1, sizeof *ids);
  cmox_error_t error;
  if (!ids && cmox_fail(&error, CMOX_E_NO_MEMORY, "out of memory")) return fail(session, &error);
  int status = name_commands(session, document, written);
  if (status == 0) status = declare_doubles(session, document, written, ids);
  cmox_free_block(ids);
  if (status != 0 || !document->default_action) return status;
  Cmdmox__V1__SetDefaultActionRequest request = CMDMOX__V1__SET_DEFAULT_ACTION_REQUEST__INIT;
  request.session_id = session->id;
  request.action = document->default_action;
  const place_of_t of = {written->file, "default_action", -1, written->default_line};
  ProtobufCMessage *answer = NULL;
  status = call_of(session, "SetDefaultAction", &request.base, &answer, &of);
  cmox_wire_free(answer);
  return status;
}

int cmox_embedded_replay(cmox_embedded_t *session) {
  Cmdmox__V1__ReplayRequest request = CMDMOX__V1__REPLAY_REQUEST__INIT;
  request.session_id = session->id;
  return cmox_embedded_call(session, "Replay", &request.base, NULL);
}

int cmox_embedded_verify(cmox_embedded_t *session, Cmdmox__V1__ReportFormat format, bool color,
                         Cmdmox__V1__VerifyResponse **answer) {
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = session->id;
  request.format = format;
  request.color = color;
  return cmox_embedded_call(session, "Verify", &request.base, (ProtobufCMessage **)answer);
}
