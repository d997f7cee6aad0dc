/* Assertions about the calls of a double: the server decides and words them. */
#include "client/lib/matching.h"
#include "server/base/alloc.h"

/* Keeps the result as that of replay and verify is kept, with the place before its text. */
static void conclude(cmox_t *mox, cmox_location_t where, const char *function, cmox_code_t code,
                     const char *text) {
  cmox_buf_t all = CMOX_BUF_EMPTY;
  if (code != CMOX_OK && where.file) cmox_buf_printf(&all, "%s:%u: ", where.file, where.line);
  if (code != CMOX_OK) cmox_buf_printf(&all, "%s: ", function);
  cmox_buf_puts(&all, text);
  cmox_free_block(mox->text);
  mox->text = cmox_buf_take_text(&all);
  mox->concluded = true;
  mox->result = code;
}

static cmox_code_t ask(cmox_double_t *dbl, cmox_assertion_t assertion, cmox_pattern_t *patterns,
                       size_t count, cmox_location_t where, const char *function,
                       cmox_error_t *error) {
  Cmdmox__V1__Double **pointers = cmox_calloc(count, sizeof *pointers);
  if (!pointers) return cmox_out_of_memory(error);
  for (size_t i = 0; i < count; i++) pointers[i] = &patterns[i].message;
  Cmdmox__V1__AssertCallsRequest request = CMDMOX__V1__ASSERT_CALLS_REQUEST__INIT;
  request.session_id = cmox_session_id(dbl->mox);
  request.double_id = dbl->id;
  request.assertion = (Cmdmox__V1__CallAssertion)assertion;
  request.n_patterns = count;
  request.patterns = pointers;
  ProtobufCMessage *response = NULL;
  cmox_code_t code = cmox_call(dbl->mox, "AssertCalls", &request.base, &response, error);
  cmox_free_block(pointers);
  if (code != CMOX_OK) return code;
  const Cmdmox__V1__AssertCallsResponse *answer = (const Cmdmox__V1__AssertCallsResponse *)response;
  if (!answer->passed) {
    code = CMOX_E_VERIFICATION_FAILED;
    conclude(dbl->mox, where, function, code, answer->text);
  }
  cmox_wire_free(response);
  return code;
}

static cmox_code_t fill(cmox_t *mox, cmox_pattern_t *patterns, const cmox_call_pattern_t *calls,
                        size_t count, cmox_error_t *error) {
  for (size_t i = 0; i < count; i++) {
    const cmox_call_pattern_t *call = &calls[i];
    cmox_code_t code =
        call->matchers ? cmox_pattern_of_args(mox, &patterns[i], call->matchers, call->count, error)
                       : cmox_pattern_of_texts(mox, &patterns[i], call->texts, call->count, error);
    if (code != CMOX_OK) return count > 1 ? cmox_wrap(error, "call %zu", i + 1) : code;
  }
  return CMOX_OK;
}

cmox_code_t cmox_assert_calls_at(cmox_double_t *dbl, cmox_location_t where, const char *function,
                                 cmox_assertion_t assertion, size_t count,
                                 const cmox_call_pattern_t *calls) {
  if (!dbl) return CMOX_E_INVALID_ARGUMENT;
  cmox_t *mox = dbl->mox;
  cmox_code_t code = cmox_enter(mox);
  if (code != CMOX_OK) return code;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_pattern_t *patterns = cmox_calloc(count, sizeof *patterns);
  if (dbl->id == 0)
    code = cmox_fail(&error, CMOX_E_BUILDER, "this double was refused when it was declared");
  else if (!patterns)
    code = cmox_out_of_memory(&error);
  else if (count && !calls)
    code = cmox_fail(&error, CMOX_E_INVALID_ARGUMENT, "the list of calls is NULL");
  else
    code = fill(mox, patterns, calls, count, &error);
  if (code == CMOX_OK) code = ask(dbl, assertion, patterns, count, where, function, &error);
  if (code != CMOX_OK && code != CMOX_E_VERIFICATION_FAILED)
    conclude(mox, where, function, code, error.message);
  for (size_t i = 0; patterns && i < count; i++) cmox_pattern_clear(&patterns[i]);
  cmox_free_block(patterns);
  cmox_leave(mox);
  return code;
}

cmox_t *cmox_session_of_(cmox_double_t *dbl) { return dbl ? dbl->mox : &cmox_poison_session; }
