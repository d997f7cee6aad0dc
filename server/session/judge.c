/* Verification: what has come until now against what was declared, with a line to paste where one
 * would have helped. */
#include "server/session/internal.h"
#include "server/session/tell.h"

static uint64_t arrived(const cmox_session_t *session) {
  return cmox_journal_total(session->journal, CMOX_ANY_COMMAND) + session->refused_count;
}

bool cmox_session_is_judged(const cmox_session_t *session) {
  return session->phase == CMOX_PHASE_VERIFIED && session->judged == arrived(session);
}

cmox_code_t cmox_on_verify(cmox_session_t *session, const cmox_event_t *event,
                           cmox_error_t *error) {
  if (session->phase == CMOX_PHASE_RECORD)
    return cmox_fail(error, CMOX_E_BAD_STATE,
                     "verify: replay was never called, so nothing was tested");
  const char *refused = session->refused ? session->refused : "out of memory";
  const cmox_verify_notes_t notes = {.shims_changed = event->note,
                                     .refused = session->refused_count ? refused : NULL,
                                     .refused_count = session->refused_count,
                                     .reach = event->reach};
  cmox_code_t code =
      cmox_verify_run(session->doubles, session->journal, &notes, &session->findings, error);
  if (code != CMOX_OK) return code;
  session->phase = CMOX_PHASE_VERIFIED;
  session->judged = arrived(session);
  cmox_tell_verify(cmox_journal_total(session->journal, CMOX_ANY_COMMAND), &session->findings);
  for (size_t i = 0; i < session->findings.count; i++) {
    cmox_finding_t *finding = &session->findings.items[i];
    bool unexpected =
        finding->kind == CMOX_FINDING_UNEXPECTED_CALL && !finding->call->unexpected_why;
    bool excess = finding->kind == CMOX_FINDING_EXCESS_CALL && finding->expect->taken > 0;
    if (unexpected || excess) finding->suggestion = cmox_suggest(session->dialect, finding);
    if (unexpected && finding->call->contained && !finding->expect)
      finding->hint = cmox_suggest_allow(session->dialect, finding->call->data.command);
  }
  return CMOX_OK;
}
