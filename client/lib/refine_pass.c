/* Having the real command run in place of an answer. */
#include <inttypes.h>
#include <string.h>

#include "client/lib/refine.h"
#include "server/base/alloc.h"

#define PASSTHROUGH_LEAST sizeof(cmox_passthrough_t)

/* A passthrough as an action, with what that points to. */
typedef struct pass_action {
  Cmdmox__V1__DoubleAction message;
  Cmdmox__V1__Passthrough passthrough;
} pass_action_t;

static void clear(pass_action_t *action) {
  cmox_free_block(action->message.gate);
  cmox_free_block(action->message.handler_name);
  cmox_free_block(action->passthrough.program.data);
}

/* To be cleared also on failure. */
static cmox_code_t make(pass_action_t *action, const cmox_passthrough_t *said,
                        cmox_error_t *error) {
  *action = (pass_action_t){.message = CMDMOX__V1__DOUBLE_ACTION__INIT,
                            .passthrough = CMDMOX__V1__PASSTHROUGH__INIT};
  action->message.gate = action->message.handler_name = NULL;
  cmox_passthrough_t how;
  if (!said || !cmox_copy_sized(&how, sizeof how, PASSTHROUGH_LEAST, said))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "it is NULL, or its .size is not sizeof(cmox_passthrough_t)");
  if (how.kill_after_ms && !how.timeout_ms)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     ".kill_after_ms is %u, and no .timeout_ms is set that it could follow",
                     how.kill_after_ms);
  if (how.uncaptured && how.capture_max_bytes)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     ".capture_max_bytes is %" PRIu64 ", and .uncaptured captures nothing",
                     (uint64_t)how.capture_max_bytes);
  action->message.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  action->message.passthrough = &action->passthrough;
  action->passthrough.capture_stdout = action->passthrough.capture_stderr = !how.uncaptured;
  action->passthrough.capture_max_bytes = how.capture_max_bytes;
  action->passthrough.timeout_ms = how.timeout_ms;
  action->passthrough.kill_after_ms = how.kill_after_ms;
  action->message.gate = cmox_utf8_copy(how.gate);
  action->message.handler_name = cmox_utf8_copy(NULL);
  bool complete = action->message.gate && action->message.handler_name;
  if (how.program) {
    action->passthrough.program.len = strlen(how.program);
    action->passthrough.program.data = (uint8_t *)cmox_strdup(how.program);
    complete = complete && action->passthrough.program.data;
  }
  return complete ? CMOX_OK : cmox_out_of_memory(error);
}

typedef struct turn {
  uint64_t times; /* 0: for ever */
  const cmox_passthrough_t *how;
} turn_t;

static cmox_code_t pass(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const turn_t *turn = arguments;
  pass_action_t action;
  cmox_code_t code = make(&action, turn->how, error);
  action.message.repeat = turn->times;
  if (code == CMOX_OK) code = cmox_add_action(dbl, &action.message, error);
  clear(&action);
  return code;
}

cmox_double_t *cmox_passthrough_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                                   const cmox_passthrough_t *how) {
  const turn_t turn = {times, how};
  return cmox_refine(dbl, where, "cmox_passthrough", pass, &turn);
}

void cmox_default_passthrough_at(cmox_t *mox, cmox_location_t where,
                                 const cmox_passthrough_t *how) {
  if (cmox_enter(mox) != CMOX_OK) return;
  cmox_note_declared(mox, where);
  cmox_error_t error;
  pass_action_t action;
  cmox_code_t code = make(&action, how, &error);
  if (code == CMOX_OK) code = cmox_set_default(mox, &action.message, &error);
  if (code != CMOX_OK) cmox_keep_problem(mox, where, "cmox_default_passthrough", &error);
  clear(&action);
  cmox_leave(mox);
}
