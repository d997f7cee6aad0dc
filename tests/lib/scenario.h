/* Drives a session without sockets: declare, call, look at what was decided. */
#ifndef CMOX_TESTS_SCENARIO_H
#define CMOX_TESTS_SCENARIO_H

#include "server/session/session.h"

typedef struct scenario {
  cmox_session_t *session;
  cmox_actions_t actions;
  cmox_error_t error;
  cmox_code_t code; /* of the last step */
  uint64_t now_ns;
  uint64_t last_link;
} scenario_t;

void scenario_open(scenario_t *s); /* s->session is NULL when memory is out */
void scenario_open_with(scenario_t *s, const cmox_session_options_t *options);
void scenario_close(scenario_t *s);

/* Arguments are one text, split at spaces (~x: a regex, ?x: predicate 'x'); NULL: any. Returns the
 * double's id, 0 on failure. */
uint64_t scenario_double(scenario_t *s, cmox_double_kind_t kind, const char *command,
                         const char *args);
/* Any refinement; the facets are gone afterwards, whatever comes of it. */
cmox_code_t scenario_refine(scenario_t *s, uint64_t id, cmox_facets_t *facets);
/* Each refines a double; the step's code. */
cmox_code_t scenario_times(scenario_t *s, uint64_t id, uint64_t minimum, uint64_t maximum);
cmox_code_t scenario_stdin(scenario_t *s, uint64_t id, const char *text);
cmox_code_t scenario_stdin_mode(scenario_t *s, uint64_t id, cmox_stdin_mode_t mode);
cmox_code_t scenario_returns(scenario_t *s, uint64_t id, const char *out, const char *gate);

/* What answers when no double does; NULL: nothing any more. */
cmox_code_t scenario_default(scenario_t *s, const char *out);
cmox_code_t scenario_handler(scenario_t *s, uint64_t id, uint64_t handler, const char *gate);

/* What a callback answers: a predicate, a handler, either of them. */
cmox_code_t scenario_says(scenario_t *s, uint64_t call, uint64_t question, bool matched);
cmox_code_t scenario_handled(scenario_t *s, uint64_t call, uint64_t question, const char *out);
cmox_code_t scenario_fails(scenario_t *s, uint64_t call, uint64_t question, const char *why);

/* New arguments for a double, as in scenario_double(). */
cmox_code_t scenario_args(scenario_t *s, uint64_t id, const char *args);
/* One place in one sequence; NULL: none any more. */
cmox_code_t scenario_order(scenario_t *s, uint64_t id, const char *sequence, uint32_t position);
cmox_code_t scenario_after(scenario_t *s, uint64_t id, uint64_t before);
/* Answers "0", "1", ... in turn, each for so many calls, the last one for ever; of those in the bit
 * mask `passes` the real command runs. */
cmox_code_t scenario_answers(scenario_t *s, uint64_t id, const uint64_t *repeats, size_t count,
                             unsigned passes);
/* The real command runs, with both outputs captured. */
cmox_code_t scenario_passes(scenario_t *s, uint64_t id, const char *gate);
cmox_code_t scenario_piece(scenario_t *s, uint64_t call, cmox_piece_t piece, const char *bytes);
cmox_code_t scenario_passed(scenario_t *s, uint64_t call, const cmox_passed_report_t *report);
/* As scenario_completed(), of a shim that failed. */
cmox_code_t scenario_failed(scenario_t *s, uint64_t call, const char *failure);

cmox_code_t scenario_event(scenario_t *s, cmox_event_kind_t kind); /* REPLAY, VERIFY, TICK */

/* A call on a new link (its number is s->last_link); `line` is the command with its
 * arguments. key 0: a fresh one. Returns the call's id, 0 on failure. */
uint64_t scenario_call(scenario_t *s, const char *line, uint8_t key);
cmox_code_t scenario_feed(scenario_t *s, uint64_t call, const char *bytes);
cmox_code_t scenario_continue(scenario_t *s, uint64_t call, cmox_stdin_end_t end);
cmox_code_t scenario_completed(scenario_t *s, uint64_t call, uint64_t link);
cmox_code_t scenario_lost(scenario_t *s, uint64_t call, uint64_t link);
cmox_code_t scenario_release(scenario_t *s, const char *gate);

const cmox_call_t *scenario_journal(const scenario_t *s, uint64_t call);

#endif
