/* What a session is; for the files of this module only. */
#ifndef CMOX_SESSION_INTERNAL_H
#define CMOX_SESSION_INTERNAL_H

#include "server/base/alloc.h"
#include "server/match/doubles.h"
#include "server/report/report.h"
#include "server/session/session.h"
#include "server/verify/verify.h"

#define CMOX_NS_PER_MS UINT64_C(1000000)

struct cmox_session {
  cmox_phase_t phase;
  cmox_doubles_t *doubles;
  cmox_journal_t *journal;
  cmox_findings_t findings;
  cmox_reply_data_t *empty_reply;
  cmox_answer_t default_answer; /* to calls that no double accepts; reply NULL: they are refused */
  cmox_reply_data_t *no_memory_reply; /* for calls that nobody is left to give an error */
  bool contained;
  char *dialect;
  char *label;
  cmox_call_t **held; /* calls that wait at a gate or for a callback */
  size_t held_count;
  size_t held_capacity;
  cmox_spill_t *spill;   /* borrowed; NULL: none */
  uint64_t now_ns;       /* of the event that is being worked on */
  uint64_t next_tick_ns; /* 0: none */
  uint64_t callback_deadline_ns;
  uint64_t last_question;
  char *refused; /* why the first refused request was; NULL: none */
  uint64_t refused_count;
  uint64_t judged;  /* calls that there were when it was verified last, refused requests too */
  char *unreplayed; /* owned; why replay failed first, as refused calls say it; NULL: it did not */
  bool recursed;    /* a real command has come back to its own shim too often */
};

/* ---- declare.c: events of the test ---- */
cmox_code_t cmox_session_check_open(const cmox_session_t *session, cmox_error_t *error);
cmox_code_t cmox_session_declare(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_actions_t *actions, cmox_error_t *error);
cmox_code_t cmox_session_refine(cmox_session_t *session, const cmox_event_t *event,
                                cmox_error_t *error);
cmox_code_t cmox_session_default(cmox_session_t *session, const cmox_event_t *event,
                                 cmox_error_t *error);

/* ---- session.c ---- */
cmox_code_t cmox_session_no_memory(cmox_error_t *error);
/* NULL: memory is out. */
cmox_action_t *cmox_action_add(cmox_actions_t *actions, cmox_action_kind_t kind,
                               const cmox_call_t *call);
/* Makes room for one action, so that the next cmox_action_add() cannot fail. */
bool cmox_actions_reserve(cmox_actions_t *actions);
/* Gives the call the reply that it has, or has it run the real command; false: memory is out. */
bool cmox_call_answer(cmox_session_t *session, cmox_actions_t *actions, cmox_call_t *call);
/* Refuses the call with one line and 125. */
cmox_code_t cmox_call_refuse(cmox_session_t *session, cmox_call_t *call, cmox_verdict_t verdict,
                             cmox_actions_t *actions, cmox_error_t *error);
/* Takes a call that waits for nothing any more as far as it goes. */
cmox_code_t cmox_call_proceed(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                              cmox_error_t *error);
/* What a call that failed is answered with, from its finding; NULL: memory is out. */
cmox_reply_data_t *cmox_call_refusal(const cmox_session_t *session, const cmox_call_t *call);

/* ---- judge.c ---- */
cmox_code_t cmox_on_verify(cmox_session_t *session, const cmox_event_t *event, cmox_error_t *error);

/* ---- hold.c: calls that wait for the test ---- */
bool cmox_call_hold(cmox_session_t *session, cmox_call_t *call); /* false: memory is out */
void cmox_call_unhold(cmox_session_t *session, cmox_call_t *call);
/* Has the next TICK come when this call needs it. */
void cmox_call_want_tick(cmox_session_t *session, const cmox_call_t *call);
void cmox_on_tick(cmox_session_t *session, const cmox_event_t *event, cmox_actions_t *actions);
cmox_code_t cmox_on_release(cmox_session_t *session, const cmox_event_t *event,
                            cmox_actions_t *actions, cmox_error_t *error);

/* ---- stdin.c: what a call is decided by ---- */
cmox_code_t cmox_ask_stdin(cmox_call_t *call, cmox_stdin_policy_t policy, cmox_actions_t *actions,
                           cmox_error_t *error);
cmox_code_t cmox_on_piece(cmox_session_t *session, const cmox_event_t *event, cmox_error_t *error);
cmox_code_t cmox_on_continue(cmox_session_t *session, const cmox_event_t *event,
                             cmox_actions_t *actions, cmox_error_t *error);

/* ---- passthrough.c: calls that run the real command ---- */
/* Whether the real command, so answered, has come back to its own shim too often. */
bool cmox_pass_is_recursion(cmox_session_t *session, const cmox_call_t *call,
                            const cmox_answer_t *said);
/* Gives the call what it needs to be passed through, when that is said; expect: the double that
 * says it, or NULL. False: memory is out. */
bool cmox_call_prepare_pass(cmox_session_t *session, cmox_call_t *call, const cmox_answer_t *said,
                            const cmox_expect_t *expect);
/* Has the shim of a prepared call run it; false: memory is out, and nothing has changed. */
bool cmox_call_pass(cmox_session_t *session, cmox_actions_t *actions, cmox_call_t *call);
/* Of a call that is passing. */
cmox_code_t cmox_pass_piece(cmox_call_t *call, const cmox_event_t *event, cmox_error_t *error);
cmox_code_t cmox_on_passed(cmox_session_t *session, const cmox_event_t *event, cmox_error_t *error);
/* The shim says that it is done; *failure (owned; NULL: none) may change. False: memory is out. */
bool cmox_pass_completed(cmox_session_t *session, cmox_call_t *call, char **failure);
/* Its link has closed, its state is LOST: that is no loss when the shim became the command. */
void cmox_pass_lost(cmox_session_t *session, cmox_call_t *call);

/* ---- callback.c: what the test is asked ---- */
/* Whether an answer of the test is still to come. */
bool cmox_call_is_asking(const cmox_call_t *call);
/* Asks all that is wanted of predicates. */
cmox_code_t cmox_ask_predicates(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                                cmox_error_t *error);
/* Has the handler make the reply of a call that was taken. */
cmox_code_t cmox_ask_handler(cmox_session_t *session, cmox_call_t *call,
                             const cmox_answer_t *answer, cmox_actions_t *actions,
                             cmox_error_t *error);
void cmox_on_answer(cmox_session_t *session, const cmox_event_t *event, cmox_actions_t *actions,
                    cmox_error_t *error);
/* The deadline of its callbacks is over; false: memory is out, and nothing has changed. */
bool cmox_call_time_out(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions);

#endif
