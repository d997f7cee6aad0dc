/* ControlService/AssertCalls. */
#include "server/rpc/internal.h"

static cmox_code_t check_pattern(const Cmdmox__V1__Double *pattern, size_t index,
                                 cmox_error_t *error) {
  for (size_t i = 0; i < pattern->n_matchers; i++)
    if (pattern->matchers[i]->test_case == CMDMOX__V1__MATCHER_NODE__TEST_CALLBACK)
      return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                       "pattern %zu: predicates are asked while a call waits, and these calls are "
                       "over; look at their arguments in the journal instead",
                       index + 1);
  bool more = pattern->command.len || pattern->kind || pattern->count || pattern->actions ||
              pattern->stdin_policy || pattern->sequences || pattern->env_injection ||
              pattern->after;
  if (!more) return CMOX_OK;
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                   "pattern %zu: only what it accepts can be asserted, no command, kind, count, "
                   "action, order or change",
                   index + 1);
}

static cmox_code_t convert_patterns(const Cmdmox__V1__AssertCallsRequest *input,
                                    cmox_facets_t *patterns, cmox_error_t *error) {
  for (size_t i = 0; i < input->n_patterns; i++) {
    cmox_code_t code = check_pattern(input->patterns[i], i, error);
    if (code == CMOX_OK) code = cmox_convert_matching(input->patterns[i], &patterns[i], error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

void cmox_assert_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__AssertCallsRequest *input = (const Cmdmox__V1__AssertCallsRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_find(call->peer, input->session_id, &call->error);
  cmox_facets_t *patterns = cmox_calloc(input->n_patterns, sizeof *patterns);
  cmox_code_t code = hosted ? CMOX_OK : call->error.code;
  if (code == CMOX_OK && !patterns)
    code = cmox_fail(&call->error, CMOX_E_NO_MEMORY, "assertion: out of memory");
  char *text = NULL;
  if (code == CMOX_OK) code = convert_patterns(input, patterns, &call->error);
  if (hosted && code == CMOX_OK)
    code = cmox_session_assert(hosted->session, input->double_id, cmox_from_bytes(input->command),
                               (cmox_assertion_kind_t)input->assertion, patterns, input->n_patterns,
                               &text, &call->error);
  for (size_t i = 0; patterns && i < input->n_patterns; i++) cmox_facets_clear(&patterns[i]);
  cmox_free_block(patterns);
  if (code == CMOX_OK) {
    Cmdmox__V1__AssertCallsResponse response = CMDMOX__V1__ASSERT_CALLS_RESPONSE__INIT;
    response.passed = text == NULL;
    if (text) response.text = text;
    cmox_rpc_answer(&response.base, call);
  } else {
    cmox_rpc_fail(call);
  }
  cmox_free_block(text);
}
