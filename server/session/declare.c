/* What the test declares: doubles, what they are told, and what answers when none of them does. */
#include "server/session/internal.h"

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
}

cmox_code_t cmox_session_check_open(const cmox_session_t *session, cmox_error_t *error) {
  if (session->phase != CMOX_PHASE_VERIFIED) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_STATE,
                   "the session has been verified: declare doubles before verify");
}

static cmox_code_t check_facets(cmox_double_kind_t kind, const cmox_facets_t *facets,
                                cmox_error_t *error) {
  bool mock = kind == CMOX_KIND_MOCK;
  if (facets->has_count && !mock)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a count belongs to a mock: stubs and spies take any number of calls");
  if (facets->has_count && facets->count.minimum > facets->count.maximum)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the least number of calls is above the greatest");
  if ((facets->order.count || facets->after.count) && !mock)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "an order belongs to mocks: stubs and spies may be called at any time");
  return CMOX_OK;
}

cmox_code_t cmox_session_check(const cmox_session_t *session, cmox_double_kind_t kind,
                               const cmox_facets_t *facets, cmox_error_t *error) {
  cmox_code_t code = cmox_session_check_open(session, error);
  return code == CMOX_OK ? check_facets(kind, facets, error) : code;
}

cmox_code_t cmox_session_declare(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_actions_t *actions, cmox_error_t *error) {
  cmox_code_t code = cmox_session_check(session, event->declared.kind, event->facets, error);
  if (code != CMOX_OK) return code;
  cmox_expect_t *expect = cmox_doubles_add(session->doubles, event->command, event->declared.kind,
                                           event->declared.source);
  if (!expect) return no_memory(error);
  code = cmox_doubles_refine(session->doubles, expect, event->facets, error);
  if (code == CMOX_OK)
    actions->double_id = expect->id;
  else
    cmox_doubles_drop_last(session->doubles);
  return code;
}

cmox_code_t cmox_session_refine(cmox_session_t *session, const cmox_event_t *event,
                                cmox_error_t *error) {
  cmox_code_t code = cmox_session_check_open(session, error);
  if (code != CMOX_OK) return code;
  cmox_expect_t *expect = cmox_doubles_find(session->doubles, event->double_id);
  if (!expect) return cmox_fail(error, CMOX_E_NOT_FOUND, "this session has no such double");
  code = check_facets(expect->kind, event->facets, error);
  if (code != CMOX_OK) return code;
  return cmox_doubles_refine(session->doubles, expect, event->facets, error);
}

cmox_code_t cmox_session_default(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_error_t *error) {
  cmox_code_t code = cmox_session_check_open(session, error);
  if (code != CMOX_OK) return code;
  cmox_answer_clear(&session->default_answer);
  if (!event->answer) return CMOX_OK;
  session->default_answer = *event->answer;
  *event->answer = (cmox_answer_t){0};
  return CMOX_OK;
}
