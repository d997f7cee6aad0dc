#include "server/session/internal.h"

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "assertion: out of memory");
}

static cmox_code_t check(const cmox_session_t *session, const cmox_assertion_t *assertion,
                         char **text, cmox_error_t *error) {
  size_t count;
  const cmox_call_t **calls = cmox_calls_of(session->journal, assertion->subject, &count);
  if (!calls) return no_memory(error);
  cmox_assertion_result_t result;
  cmox_code_t code = cmox_assertion_check(assertion, calls, count, &result, error);
  if (code == CMOX_OK && !result.passed) {
    *text = cmox_report_assertion(assertion, calls, count, &result, session->journal);
    if (!*text) code = no_memory(error);
  }
  cmox_free_block(calls);
  return code;
}

cmox_code_t cmox_session_check_double(const cmox_session_t *session, uint64_t double_id,
                                      cmox_error_t *error) {
  if (double_id == 0 || cmox_doubles_find(session->doubles, double_id)) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NOT_FOUND, "this session has no such double");
}

cmox_code_t cmox_session_assert(const cmox_session_t *session, uint64_t double_id,
                                cmox_span_t command, cmox_assertion_kind_t kind,
                                const cmox_facets_t *patterns, size_t count, char **text,
                                cmox_error_t *error) {
  *text = NULL;
  const cmox_expect_t all = {.kind = CMOX_KIND_SPY,
                             .command = command,
                             .taken = cmox_journal_total(session->journal, command)};
  const bool by_command = double_id == 0 && command.len > 0;
  const cmox_expect_t *subject = by_command ? &all : cmox_doubles_find(session->doubles, double_id);
  if (!subject) return cmox_fail(error, CMOX_E_NOT_FOUND, "this session has no such double");
  cmox_expect_t *expects = cmox_calloc(count, sizeof *expects);
  if (!expects) return no_memory(error);
  for (size_t i = 0; i < count; i++)
    expects[i] = (cmox_expect_t){.kind = CMOX_KIND_SPY,
                                 .command = subject->command,
                                 .facets = patterns[i]}; /* borrowed: never freed here */
  const cmox_assertion_t assertion = {kind, subject, expects, count};
  cmox_code_t code = check(session, &assertion, text, error);
  cmox_free_block(expects);
  return code;
}
