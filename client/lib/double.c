/* Declaring doubles. One that is refused keeps a handle without an id, so that
 * what is said about it later is still checked as far as possible here. */
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

static ProtobufCBinaryData bytes_of(const char *data, size_t len) {
  return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)data};
}

static cmox_code_t create(cmox_t *mox, cmox_double_t *dbl, const char *command,
                          cmox_location_t where, cmox_error_t *error) {
  Cmdmox__V1__Location location = CMDMOX__V1__LOCATION__INIT;
  location.file = cmox_utf8_copy(where.file);
  location.function = cmox_utf8_copy(where.function);
  location.line = where.line;
  Cmdmox__V1__Double wanted = CMDMOX__V1__DOUBLE__INIT;
  wanted.command = bytes_of(command, strlen(command));
  wanted.kind = (Cmdmox__V1__DoubleKind)dbl->kind;
  wanted.location = &location;
  Cmdmox__V1__Double *list[] = {&wanted};
  Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.n_doubles = 1;
  request.doubles = list;
  ProtobufCMessage *response = NULL;
  cmox_code_t code = CMOX_E_NO_MEMORY;
  if (location.file && location.function)
    code = cmox_call(mox, "CreateDoubles", &request.base, &response, error);
  else
    (void)cmox_fail(error, code, "out of memory");
  cmox_free_block(location.file);
  cmox_free_block(location.function);
  if (code != CMOX_OK) return code;
  const Cmdmox__V1__CreateDoublesResponse *answer =
      (const Cmdmox__V1__CreateDoublesResponse *)response;
  if (answer->n_double_ids == 1 && answer->double_ids[0] != 0)
    dbl->id = answer->double_ids[0];
  else
    code = cmox_fail(error, CMOX_E_BAD_PAYLOAD, "the server gave no id for the double");
  cmox_wire_free(response);
  return code;
}

static const char *maker(cmox_kind_t kind) {
  switch (kind) {
    case CMOX_STUB:
      return "cmox_stub";
    case CMOX_MOCK:
      return "cmox_mock";
    case CMOX_SPY:
      return "cmox_spy";
  }
  return NULL;
}

static cmox_code_t declare(cmox_t *mox, cmox_double_t *dbl, const char *command,
                           cmox_location_t where, cmox_error_t *error) {
  if (!maker(dbl->kind))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "there is no kind %d of doubles",
                     (int)dbl->kind);
  if (!command) return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the command is NULL");
  return create(mox, dbl, command, where, error);
}

cmox_double_t *cmox_double_at(cmox_t *mox, cmox_kind_t kind, const char *command,
                              cmox_location_t where) {
  if (cmox_enter(mox) != CMOX_OK) return &cmox_poison_double;
  cmox_note_declared(mox, where);
  const char *function = maker(kind) ? maker(kind) : "cmox_double_at";
  cmox_error_t error;
  cmox_double_t *dbl = cmox_calloc(1, sizeof *dbl);
  if (dbl) {
    *dbl = (cmox_double_t){.mox = mox, .next = mox->doubles, .kind = kind};
    mox->doubles = dbl;
    if (declare(mox, dbl, command, where, &error) != CMOX_OK)
      cmox_keep_problem(mox, where, function, &error);
  } else {
    dbl = &cmox_poison_double;
    (void)cmox_fail(&error, CMOX_E_NO_MEMORY, "out of memory");
    cmox_keep_problem(mox, where, function, &error);
  }
  cmox_leave(mox);
  return dbl;
}
