/* What a session is; for the files of this module only. */
#ifndef CMOX_SESSION_INTERNAL_H
#define CMOX_SESSION_INTERNAL_H

#include "server/base/alloc.h"
#include "server/match/doubles.h"
#include "server/report/report.h"
#include "server/session/session.h"
#include "server/verify/verify.h"

struct cmox_session {
  cmox_phase_t phase;
  cmox_doubles_t *doubles;
  cmox_journal_t *journal;
  cmox_findings_t findings;
  cmox_reply_data_t *empty_reply;
  cmox_answer_t default_answer; /* to calls that no double accepts; reply NULL: they are refused */
  char *dialect;
  char *label;
  cmox_call_t **held; /* calls at a gate */
  size_t held_count;
  size_t held_capacity;
  cmox_spill_t *spill;   /* borrowed; NULL: none */
  uint64_t next_tick_ns; /* 0: none */
  char *refused;         /* why the first refused request was; NULL: none */
  uint64_t refused_count;
};

/* ---- declare.c: events of the test ---- */
cmox_code_t cmox_session_check_open(const cmox_session_t *session, cmox_error_t *error);
cmox_code_t cmox_session_declare(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_actions_t *actions, cmox_error_t *error);
cmox_code_t cmox_session_refine(cmox_session_t *session, const cmox_event_t *event,
                                cmox_error_t *error);
cmox_code_t cmox_session_default(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_error_t *error);

#endif
