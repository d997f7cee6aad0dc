/* What the code under test finds on its PATH, beside doubles: shims without one, real commands,
 * nothing. */
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

/* Borrowed from the names; NULL: memory is out, or a name is NULL. */
static ProtobufCBinaryData *list_of(size_t count, const char *const *commands,
                                    cmox_error_t *error) {
  ProtobufCBinaryData *list = cmox_calloc(count ? count : 1, sizeof *list);
  if (!list) (void)cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  for (size_t i = 0; i < count && list; i++) {
    if (commands[i]) {
      list[i] = (ProtobufCBinaryData){.len = strlen(commands[i]), .data = (uint8_t *)commands[i]};
      continue;
    }
    (void)cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the command is NULL");
    cmox_free_block(list);
    list = NULL;
  }
  return list;
}

static cmox_code_t register_commands(cmox_t *mox, size_t count, ProtobufCBinaryData *list,
                                     cmox_error_t *error) {
  Cmdmox__V1__RegisterCommandsRequest request = CMDMOX__V1__REGISTER_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = count;
  request.commands = list;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "RegisterCommands", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

static cmox_code_t allow_commands(cmox_t *mox, size_t count, ProtobufCBinaryData *list,
                                  cmox_error_t *error) {
  Cmdmox__V1__AllowCommandsRequest request = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = count;
  request.commands = list;
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

static cmox_code_t make_absent(cmox_t *mox, size_t count, ProtobufCBinaryData *list,
                               cmox_error_t *error) {
  Cmdmox__V1__MakeAbsentRequest request = CMDMOX__V1__MAKE_ABSENT_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_commands = count;
  request.commands = list;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "MakeAbsent", &request.base, &response, error);
  if (code == CMOX_OK)
    code = keep_environment(mox, (const Cmdmox__V1__MakeAbsentResponse *)response, error);
  cmox_wire_free(response);
  return code;
}

typedef cmox_code_t (*ask_t)(cmox_t *mox, size_t count, ProtobufCBinaryData *list,
                             cmox_error_t *error);

static void say(cmox_t *mox, cmox_location_t where, const char *function, ask_t ask, size_t count,
                const char *const *commands) {
  if (cmox_enter(mox) != CMOX_OK) return;
  cmox_note_declared(mox, where);
  cmox_error_t error;
  ProtobufCBinaryData *list = list_of(count, commands, &error);
  cmox_code_t code = list ? ask(mox, count, list, &error) : error.code;
  cmox_free_block(list);
  if (code != CMOX_OK) cmox_keep_problem(mox, where, function, &error);
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
