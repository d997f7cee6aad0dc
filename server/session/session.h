/* The session: decides what happens to every call. Pure: no socket, no clock,
 * no file. Events come in with their time, actions go out; who carries the
 * bytes is not its business.
 *
 * A call is decided in two phases: gather what matching needs (stdin, what predicates say), then
 * one atomic match-and-consume, so that two concurrent calls cannot both take the last slot of a
 * mock. It never waits: a handler may run mocked commands itself. */
#ifndef CMOX_SESSION_H
#define CMOX_SESSION_H

#include "server/base/error.h"
#include "server/journal/journal.h"
#include "server/match/expect.h"
#include "server/verify/assertion.h"
#include "server/verify/finding.h"
#include "server/verify/reach.h"

typedef struct cmox_session cmox_session_t;

typedef enum cmox_phase { CMOX_PHASE_RECORD, CMOX_PHASE_REPLAY, CMOX_PHASE_VERIFIED } cmox_phase_t;

typedef enum cmox_event_kind {
  CMOX_EVENT_INVOKE,    /* link, invocation, silence_ms */
  CMOX_EVENT_CONTINUE,  /* call_id, continued: its stdin is all here */
  CMOX_EVENT_PIECE,     /* call_id, piece, bytes: of its stdin, or what the real command wrote */
  CMOX_EVENT_PASSED,    /* call_id, passed: how the real command ended */
  CMOX_EVENT_ANSWER,    /* call_id, answered: what a callback said */
  CMOX_EVENT_COMPLETED, /* call_id, completed */
  CMOX_EVENT_LINK_LOST, /* link, call_id */
  CMOX_EVENT_TICK,
  CMOX_EVENT_REGISTER,   /* command */
  CMOX_EVENT_DECLARE,    /* declared */
  CMOX_EVENT_REFINE,     /* double_id, facets (moved out of on success) */
  CMOX_EVENT_DEFAULT,    /* answer (moved out of on success); NULL: none any more */
  CMOX_EVENT_RELEASE,    /* gate */
  CMOX_EVENT_REFUSED,    /* note: a call that was refused before it could become an INVOKE */
  CMOX_EVENT_BREACH,     /* link, call_id, note: what its shim said was refused */
  CMOX_EVENT_UNANSWERED, /* call_id: its answer could not be sent, so that it ended with 125 */
  CMOX_EVENT_REPLAY,     /* note: why it cannot be, or NULL */
  CMOX_EVENT_VERIFY      /* note: what is wrong with the shims themselves, or NULL; reach */
} cmox_event_kind_t;

typedef enum cmox_piece {
  CMOX_PIECE_STDIN = 1, /* numbers as in frame.proto */
  CMOX_PIECE_STDOUT = 2,
  CMOX_PIECE_STDERR = 3
} cmox_piece_t;

typedef struct cmox_event {
  cmox_event_kind_t kind;
  uint64_t now_ns; /* monotonic */
  uint64_t link;   /* the caller's name for the shim's connection, from 1 */
  uint64_t call_id;
  uint64_t double_id;
  cmox_span_t bytes;
  cmox_piece_t piece;
  const cmox_passed_report_t *passed;
  cmox_span_t command;
  const char *gate;
  const char *note;
  const cmox_reach_t *reach; /* borrowed for the step; NULL: nothing is known */
  const cmox_invocation_data_t *invocation;
  uint32_t silence_ms; /* how long the shim bears silence; 0: for ever */
  struct {
    uint64_t bytes;
    cmox_stdin_end_t end;
  } continued;
  struct {
    uint64_t question;
    const char *failure;      /* NULL: none */
    bool matched;             /* of a predicate */
    const char *why;          /* of a predicate that refuses; may be empty */
    cmox_reply_data_t *reply; /* of a handler; the session takes a reference */
  } answered;
  struct {
    uint64_t stdout_written;
    uint64_t stderr_written;
    bool broken_pipe;
    const char *failure;     /* "": none */
    cmox_span_t failed_path; /* the file that it speaks of; empty: none */
  } completed;
  struct {
    cmox_double_kind_t kind;
    cmox_source_t source; /* borrowed */
  } declared;
  cmox_facets_t *facets;
  cmox_answer_t *answer;
} cmox_event_t;

typedef enum cmox_action_kind {
  CMOX_ACTION_REPLY,       /* answer the call on link with reply */
  CMOX_ACTION_READ_STDIN,  /* have the shim read its stdin, as stdin_policy says */
  CMOX_ACTION_PASSTHROUGH, /* have the shim run the real command, as call->passed says */
  CMOX_ACTION_PROGRESS,    /* tell the shim that its call is being worked on */
  CMOX_ACTION_MATCH,       /* ask the test whether a predicate accepts a value: asked */
  CMOX_ACTION_HANDLE       /* have the test run a handler: asked */
} cmox_action_kind_t;

typedef struct cmox_action {
  cmox_action_kind_t kind;
  uint64_t link;
  uint64_t call_id;
  cmox_reply_data_t *reply; /* valid until the next step; longer with a reference of one's own */
  cmox_stdin_policy_t stdin_policy;
  const cmox_call_t *call; /* PASSTHROUGH; valid until the next step */
  struct {
    uint64_t question; /* the ANSWER names it */
    uint64_t callback;
    cmox_span_t value; /* MATCH; borrowed from the call */
  } asked;
} cmox_action_t;

/* What one step decided. Zero it before the first use. */
typedef struct cmox_actions {
  cmox_action_t *items;
  size_t count;
  size_t capacity;
  uint64_t call_id;      /* INVOKE: the call */
  uint64_t double_id;    /* DECLARE: the new double */
  uint64_t next_tick_ns; /* when the next TICK is wanted; 0: none */
} cmox_actions_t;

void cmox_actions_clear(cmox_actions_t *actions); /* frees the items */

typedef struct cmox_session_options {
  const char *dialect;          /* language of the lines to paste: cmox_suggest() */
  const char *label;            /* the test's name; NULL: not known */
  bool contained;               /* every command that is installed has a shim */
  uint64_t max_journal_entries; /* 0: no bound */
  cmox_spill_t *spill; /* for long streams; borrowed for the session's life. NULL: of those only the
                          beginning is kept */
  uint32_t callback_deadline_ms; /* for one answer of a callback; 0: the default */
} cmox_session_options_t;

cmox_session_t *cmox_session_new(const cmox_session_options_t *options); /* NULL: out of memory */
void cmox_session_free(cmox_session_t *session);                         /* NULL is fine */

/* One event in, actions out (the list is emptied first). Anything but CMOX_OK
 * means that the event was refused and nothing changed; for the calls of a
 * shim the caller passes the error on to it, which ends with 125. */
cmox_code_t cmox_session_step(cmox_session_t *session, const cmox_event_t *event,
                              cmox_actions_t *actions, cmox_error_t *error);

/* Whether a DECLARE with these facets would be accepted, memory aside. */
cmox_code_t cmox_session_check(const cmox_session_t *session, cmox_double_kind_t kind,
                               const cmox_facets_t *facets, cmox_error_t *error);

const char *cmox_session_label(const cmox_session_t *session); /* "" when it is not known */
cmox_phase_t cmox_session_phase(const cmox_session_t *session);
/* It was verified, and no call came since. */
bool cmox_session_is_judged(const cmox_session_t *session);
const cmox_journal_t *cmox_session_journal(const cmox_session_t *session);
/* The findings of the last VERIFY; empty before. */
const cmox_findings_t *cmox_session_findings(const cmox_session_t *session);
/* Asserts something about the calls that a double took: *text is NULL when it holds, else what is
 * wrong, for people; owned by the caller. The patterns' facets stay the caller's. */
cmox_code_t cmox_session_assert(const cmox_session_t *session, uint64_t double_id,
                                cmox_span_t command, cmox_assertion_kind_t kind,
                                const cmox_facets_t *patterns, size_t count, char **text,
                                cmox_error_t *error);
/* CMOX_E_NOT_FOUND where there is no such double; 0 is none, and fine. */
cmox_code_t cmox_session_check_double(const cmox_session_t *session, uint64_t double_id,
                                      cmox_error_t *error);
/* Calls that this double took, or (double_id 0) calls of this command, or
 * (command empty too) all calls. */
uint64_t cmox_session_call_count(const cmox_session_t *session, uint64_t double_id,
                                 cmox_span_t command);

#endif
