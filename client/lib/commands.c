/* What the code under test finds on its PATH, beside doubles: shims without one, real commands,
 * nothing. */
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

static cmox_code_t register_commands(cmox_t *mox, ProtobufCBinaryData *command,
                                     cmox_error_t *error) {
  Cmdmox__V1__RegisterCommandsRequest request = CMDMOX__V1__REGISTER_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = 1;
  request.commands = command;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "RegisterCommands", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

static cmox_code_t allow_commands(cmox_t *mox, ProtobufCBinaryData *command, cmox_error_t *error) {
  Cmdmox__V1__AllowCommandsRequest request = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = 1;
  request.commands = command;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "AllowCommands", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

/* PATH is another one now. */
static cmox_code_t keep_environment(cmox_t *mox, const Cmdmox__V1__MakeAbsentResponse *answer,
                                    cmox_error_t *error) {
  cmox_entries_t entries = {0};
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < answer->n_env_block && code == CMOX_OK; i++)
    code = cmox_entries_add(&entries, answer->env_block[i].data, answer->env_block[i].len, error);
  if (code != CMOX_OK) {
    cmox_entries_clear(&entries);
    return code;
  }
  cmox_entries_clear(&mox->entries);
  mox->entries = entries;
  mox->path_fixed = true;
  return CMOX_OK;
}

static cmox_code_t make_absent(cmox_t *mox, ProtobufCBinaryData *command, cmox_error_t *error) {
  Cmdmox__V1__MakeAbsentRequest request = CMDMOX__V1__MAKE_ABSENT_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = 1;
  request.commands = command;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "MakeAbsent", &request.base, &response, error);
  if (code == CMOX_OK)
    code = keep_environment(mox, (const Cmdmox__V1__MakeAbsentResponse *)response, error);
  cmox_wire_free(response);
  return code;
}

typedef cmox_code_t (*ask_t)(cmox_t *mox, ProtobufCBinaryData *command, cmox_error_t *error);

static cmox_code_t ask_one(cmox_t *mox, ask_t ask, const char *command, cmox_error_t *error) {
  if (!command) return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the command is NULL");
  ProtobufCBinaryData one = {.len = strlen(command), .data = (uint8_t *)command};
  return ask(mox, &one, error);
}

/* Each by itself: every mistake is told, not only the first of them. */
static void say(cmox_t *mox, cmox_location_t where, const char *function, ask_t ask, size_t count,
                const char *const *commands) {
  if (cmox_enter(mox) != CMOX_OK) return;
  cmox_note_declared(mox, where);
  for (size_t i = 0; i < count; i++) {
    cmox_error_t error;
    if (ask_one(mox, ask, commands[i], &error) != CMOX_OK)
      cmox_keep_problem(mox, where, function, &error);
  }
  cmox_leave(mox);
}

void cmox_register_command_at(cmox_t *mox, const char *command, cmox_location_t where) {
  say(mox, where, "cmox_register_command", register_commands, 1, &command);
}

void cmox_allow_at(cmox_t *mox, cmox_location_t where, size_t count, const char *const *commands) {
  say(mox, where, "cmox_allow", allow_commands, count, commands);
}

void cmox_absent_at(cmox_t *mox, const char *command, cmox_location_t where) {
  say(mox, where, "cmox_absent", make_absent, 1, &command);
}
