/* The decision about a call.
 *
 * 1. INVOKE: the call enters the journal. A retry (same key) gets the answer it missed.
 * 2. Gather: predicates that may decide are asked, and ANSWERs come in (callback.c); when a
 * candidate looks at stdin, the shim is told to read it; STDIN pieces come in, CONTINUE ends them.
 * 3. Decide: one lookup over the doubles takes the call or refuses it, and consumes the slot at
 * once. If it finds that a predicate must still be asked, it decides nothing and is made again.
 * 4. Answer: the double's reply, or what its handler answers; at once or when its gate is released.
 * 5. COMPLETED: the shim has written everything. LINK_LOST before that: it was killed.
 *
 * Fails closed: a call before replay, after verify, or that nothing accepts is
 * answered with one line and 125, and stays in the journal for verify. */
#include "server/session/internal.h"
#include "server/session/tell.h"

cmox_session_t *cmox_session_new(const cmox_session_options_t *options) {
  cmox_session_t *session = cmox_calloc(1, sizeof *session);
  if (!session) return NULL;
  const char *dialect = options && options->dialect ? options->dialect : "c";
  session->doubles = cmox_doubles_new();
  session->journal = cmox_journal_new(options ? options->max_journal_entries : 0);
  session->empty_reply = cmox_reply_new(&(cmox_reply_data_t){0});
  session->no_memory_reply = cmox_reply_new(&(cmox_reply_data_t){
      .err = cmox_span_str("cmdmox: out of memory\n"), .exit_code = CMOX_EXIT_SHIM_FAILURE});
  uint32_t deadline_ms = options ? options->callback_deadline_ms : 0;
  session->callback_deadline_ns =
      (deadline_ms ? deadline_ms : CMOX_CALLBACK_DEADLINE_DEFAULT_MS) * CMOX_NS_PER_MS;
  session->contained = options && options->contained;
  session->dialect = cmox_strdup(dialect);
  session->label = cmox_strdup(options && options->label ? options->label : "");
  session->spill = options ? options->spill : NULL;
  if (session->doubles && session->journal && session->empty_reply && session->no_memory_reply &&
      session->dialect && session->label)
    return session;
  cmox_session_free(session);
  return NULL;
}

void cmox_session_free(cmox_session_t *session) {
  if (!session) return;
  cmox_findings_clear(&session->findings);
  cmox_doubles_free(session->doubles);
  cmox_journal_free(session->journal);
  cmox_reply_unref(session->empty_reply);
  cmox_answer_clear(&session->default_answer);
  cmox_reply_unref(session->no_memory_reply);
  cmox_free_block(session->dialect);
  cmox_free_block(session->label);
  cmox_free_block(session->refused);
  cmox_free_block(session->unreplayed);
  cmox_free_block(session->held);
  cmox_free_block(session);
}

const char *cmox_session_label(const cmox_session_t *session) { return session->label; }

cmox_phase_t cmox_session_phase(const cmox_session_t *session) { return session->phase; }

const cmox_journal_t *cmox_session_journal(const cmox_session_t *session) {
  return session->journal;
}

const cmox_findings_t *cmox_session_findings(const cmox_session_t *session) {
  return &session->findings;
}

uint64_t cmox_session_call_count(const cmox_session_t *session, uint64_t double_id,
                                 cmox_span_t command) {
  if (double_id) {
    const cmox_expect_t *expect = cmox_doubles_find(session->doubles, double_id);
    return expect ? expect->taken : 0;
  }
  return cmox_journal_total(session->journal, command);
}

void cmox_actions_clear(cmox_actions_t *actions) {
  cmox_free_block(actions->items);
  *actions = (cmox_actions_t){0};
}

cmox_code_t cmox_session_no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
}

bool cmox_actions_reserve(cmox_actions_t *actions) {
  cmox_action_t *grown =
      cmox_grow(actions->items, &actions->capacity, actions->count + 1, sizeof *grown);
  if (grown) actions->items = grown;
  return grown != NULL;
}

cmox_action_t *cmox_action_add(cmox_actions_t *actions, cmox_action_kind_t kind,
                               const cmox_call_t *call) {
  if (!cmox_actions_reserve(actions)) return NULL;
  cmox_action_t *action = &actions->items[actions->count++];
  *action = (cmox_action_t){.kind = kind, .link = call->link, .call_id = call->id};
  return action;
}

/* ---- Calls ------------------------------------------------------------- */

bool cmox_call_answer(cmox_session_t *session, cmox_actions_t *actions, cmox_call_t *call) {
  if (call->passed && !call->reply) return cmox_call_pass(session, actions, call);
  cmox_action_t *action = cmox_action_add(actions, CMOX_ACTION_REPLY, call);
  if (!action) return false;
  action->reply = call->reply;
  call->state = CMOX_CALL_ANSWERED;
  cmox_tell_reply(call);
  return true;
}

/* The reply of a refused call: its finding in one line, status 125. Without
 * memory for the words it is refused without them. */
cmox_reply_data_t *cmox_call_refusal(const cmox_session_t *session, const cmox_call_t *call) {
  cmox_findings_t findings = {0};
  char *text = NULL;
  if (cmox_verify_refused(session->doubles, call, &findings))
    text = cmox_report_refusal(&findings.items[0]);
  cmox_tell_refuse(call, findings.count ? &findings.items[0] : NULL);
  const char *line = text ? text : "cmdmox: unexpected call (out of memory)\n";
  cmox_reply_data_t *reply = cmox_reply_new(
      &(cmox_reply_data_t){.err = cmox_span_str(line), .exit_code = CMOX_EXIT_SHIM_FAILURE});
  cmox_free_block(text);
  cmox_findings_clear(&findings);
  return reply;
}

cmox_code_t cmox_call_refuse(cmox_session_t *session, cmox_call_t *call, cmox_verdict_t verdict,
                             cmox_actions_t *actions, cmox_error_t *error) {
  call->verdict = verdict;
  call->reply = cmox_call_refusal(session, call);
  /* Without a link the reply is there if the shim asks again. */
  bool done = call->reply && (!call->link || cmox_call_answer(session, actions, call));
  return done ? CMOX_OK : cmox_session_no_memory(error);
}

static bool keep_gate(cmox_call_t *call, const cmox_answer_t *said) {
  return !said || !said->gate || (call->gate = cmox_strdup(said->gate)) != NULL;
}

static cmox_code_t refuse_recursion(cmox_session_t *session, cmox_call_t *call,
                                    cmox_actions_t *actions, cmox_error_t *error) {
  call->unexpected_why =
      "its real command has come back to its own shim too often: "
      "CMOX_REAL_COMMAND_<NAME> can say which program is the real one";
  return cmox_call_refuse(session, call, CMOX_VERDICT_UNEXPECTED, actions, error);
}

/* said: NULL is the empty reply. Its gate has been kept, and its passthrough prepared. */
static cmox_code_t accept_with(cmox_session_t *session, const cmox_answer_t *said,
                               cmox_call_t *call, cmox_actions_t *actions, cmox_error_t *error) {
  call->verdict = CMOX_VERDICT_ACCEPTED;
  if (said && said->handler_name) return cmox_ask_handler(session, call, said, actions, error);
  if (!call->passed) call->reply = cmox_reply_ref(said ? said->reply : session->empty_reply);
  if (call->gate) cmox_tell_hold(call);
  bool done = call->gate ? cmox_call_hold(session, call) : cmox_call_answer(session, actions, call);
  return done ? CMOX_OK : cmox_session_no_memory(error);
}

static bool wants(const cmox_call_t *call) {
  return cmox_said_first(call->said, CMOX_SAID_WANTED) != NULL;
}

/* The report of a refused call shows the nearest double: its predicates are asked for that, too. */
static bool wants_for_report(const cmox_session_t *session, const cmox_call_t *call) {
  if (!call->said) return false;
  const cmox_expect_t *nearest = cmox_nearest(session->doubles, call);
  call->said->asking = true;
  if (nearest) (void)cmox_distance(nearest, call);
  call->said->asking = false;
  return wants(call);
}

static cmox_code_t take(cmox_session_t *session, cmox_expect_t *expect, cmox_call_t *call,
                        cmox_actions_t *actions, cmox_error_t *error) {
  const cmox_injection_facet_t *injection = &expect->facets.injection;
  const cmox_answer_t *said = cmox_expect_answer(expect);
  if (cmox_pass_is_recursion(session, call, said))
    return refuse_recursion(session, call, actions, error);
  /* Before anything is consumed: a call for which there is no memory has taken nothing. */
  if (!cmox_call_inject(call, injection->items, injection->count) || !keep_gate(call, said) ||
      !cmox_call_prepare_pass(session, call, said, expect))
    return cmox_session_no_memory(error);
  call->double_id = expect->id;
  cmox_doubles_take(session->doubles, expect);
  cmox_tell_match(call, expect);
  return accept_with(session, said, call, actions, error);
}

/* No double accepts it. */
static cmox_code_t otherwise(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                             cmox_error_t *error) {
  if (!cmox_answer_is_said(&session->default_answer)) {
    if (wants_for_report(session, call)) return cmox_ask_predicates(session, call, actions, error);
    return cmox_call_refuse(session, call, CMOX_VERDICT_UNEXPECTED, actions, error);
  }
  const cmox_answer_t *said = &session->default_answer;
  if (cmox_pass_is_recursion(session, call, said))
    return refuse_recursion(session, call, actions, error);
  if (!keep_gate(call, said) || !cmox_call_prepare_pass(session, call, said, NULL))
    return cmox_session_no_memory(error);
  cmox_tell_default(call);
  return accept_with(session, said, call, actions, error);
}

static cmox_code_t decide(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                          cmox_error_t *error) {
  cmox_lookup_t lookup = cmox_doubles_lookup(session->doubles, call);
  if (wants(call)) return cmox_ask_predicates(session, call, actions, error);
  switch (lookup.kind) {
    case CMOX_LOOKUP_TAKEN:
      return take(session, lookup.expect, call, actions, error);
    case CMOX_LOOKUP_EXCESS:
      call->double_id = lookup.expect->id;
      lookup.expect->excess++;
      return cmox_call_refuse(session, call, CMOX_VERDICT_EXCESS, actions, error);
    case CMOX_LOOKUP_ORDER:
      call->double_id = lookup.expect->id;
      call->blocker_id = lookup.blocker->id;
      call->blocker_called = cmox_expect_satisfied(lookup.blocker);
      return cmox_call_refuse(session, call, CMOX_VERDICT_OUT_OF_ORDER, actions, error);
    case CMOX_LOOKUP_GAVE_UP:
      call->unexpected_why =
          call->said && call->said->missing
              ? "its predicates cannot all be asked: there are too many, or memory is out"
              : "a regular expression needs too much work to be matched with it";
      return cmox_call_refuse(session, call, CMOX_VERDICT_UNEXPECTED, actions, error);
    case CMOX_LOOKUP_UNEXPECTED:
      break;
  }
  return otherwise(session, call, actions, error);
}

static const char *not_replayed(const cmox_session_t *session) {
  return session->unreplayed ? session->unreplayed : "the test has not called replay yet";
}

/* Predicates are asked before stdin is read: it belongs to the caller, unless a double that looks
 * at it may take the call. */
cmox_code_t cmox_call_proceed(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                              cmox_error_t *error) {
  if (session->phase != CMOX_PHASE_REPLAY) {
    call->unexpected_why = session->phase == CMOX_PHASE_RECORD
                               ? not_replayed(session)
                               : "the test has already called verify";
    return cmox_call_refuse(session, call, CMOX_VERDICT_UNEXPECTED, actions, error);
  }
  if (!call->said && cmox_doubles_ask(session->doubles, call->data.command)) {
    call->said = cmox_said_new();
    if (!call->said) return cmox_session_no_memory(error);
  }
  if (call->asked.mode != CMOX_STDIN_IGNORE) return decide(session, call, actions, error);
  cmox_stdin_policy_t policy = cmox_doubles_gather(session->doubles, call);
  if (wants(call)) return cmox_ask_predicates(session, call, actions, error);
  policy.keep =
      session->default_answer.passes || cmox_doubles_pass(session->doubles, call->data.command);
  if (policy.mode != CMOX_STDIN_IGNORE) return cmox_ask_stdin(call, policy, actions, error);
  return decide(session, call, actions, error);
}

/* The shim lost its connection before it heard from us and asks again. */
static cmox_code_t answer_again(cmox_session_t *session, cmox_call_t *call,
                                const cmox_event_t *event, cmox_actions_t *actions,
                                cmox_error_t *error) {
  if (call->state == CMOX_CALL_COMPLETED)
    return cmox_fail(error, CMOX_E_BAD_STATE, "this call has been answered and completed");
  call->link = event->link;
  call->silence_ms = event->silence_ms;
  call->told_ns = event->now_ns;
  cmox_tell_retry(call);
  if (call->verdict == CMOX_VERDICT_ACCEPTED && call->reply != session->no_memory_reply)
    call->unexpected_why = NULL; /* what it was not told before it hears now */
  if (call->held && !cmox_call_is_passing(call)) {
    call->state = CMOX_CALL_PENDING;
    cmox_call_want_tick(session, call);
    return CMOX_OK;
  }
  const bool decided = call->reply || (call->passed && call->verdict == CMOX_VERDICT_ACCEPTED);
  if (decided)
    return cmox_call_answer(session, actions, call) ? CMOX_OK : cmox_session_no_memory(error);
  call->state = CMOX_CALL_PENDING;
  bool unread = call->asked.mode != CMOX_STDIN_IGNORE && call->stdin_end == CMOX_STDIN_NOT_READ;
  if (unread) return cmox_ask_stdin(call, call->asked, actions, error);
  return cmox_call_proceed(session, call, actions, error);
}

static cmox_code_t on_invoke(cmox_session_t *session, const cmox_event_t *event,
                             cmox_actions_t *actions, cmox_error_t *error) {
  cmox_call_t *call = cmox_journal_find_key(session->journal, event->invocation->key);
  if (call) {
    actions->call_id = call->id;
    return answer_again(session, call, event, actions, error);
  }
  call = cmox_journal_add(session->journal, event->invocation, event->now_ns);
  if (!call) return cmox_session_no_memory(error);
  actions->call_id = call->id;
  call->stdin_stream.spill = session->spill;
  call->contained = session->contained;
  call->link = event->link;
  call->silence_ms = event->silence_ms;
  call->told_ns = event->now_ns;
  cmox_tell_invoke(call);
  return cmox_call_proceed(session, call, actions, error);
}

/* NULL: none, or no memory for it. */
static char *failure_of(const cmox_event_t *event) {
  const char *failure = event->completed.failure;
  if (!failure || !*failure) return NULL;
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_append_span(&text, event->completed.failed_path);
  cmox_buf_printf(&text, "%s%s", text.len ? ": " : "", failure);
  return cmox_buf_take_text(&text);
}

static cmox_code_t on_completed(cmox_session_t *session, const cmox_event_t *event) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (!call || call->link != event->link) return CMOX_OK;
  const bool passing = cmox_call_is_passing(call);
  if (call->state != CMOX_CALL_ANSWERED && call->state != CMOX_CALL_PENDING) return CMOX_OK;
  if (!call->failure) call->failure = failure_of(event);
  const char *told = event->completed.failure;
  bool kept = call->failure || !told || !*told;
  if (kept && passing) kept = cmox_pass_completed(session, call, &call->failure);
  if (!kept) call->unexpected_why = "memory was out when its shim said that it is done";
  if (call->state == CMOX_CALL_PENDING && !passing) return CMOX_OK;
  call->state = CMOX_CALL_COMPLETED;
  call->end_ns = event->now_ns;
  call->stdout_written = event->completed.stdout_written;
  call->stderr_written = event->completed.stderr_written;
  call->broken_pipe = event->completed.broken_pipe;
  cmox_tell_completed(call);
  cmox_journal_settle(session->journal, call);
  return CMOX_OK;
}

static cmox_code_t on_link_lost(cmox_session_t *session, const cmox_event_t *event) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (!call || call->link != event->link) return CMOX_OK;
  call->link = 0;
  if (call->state == CMOX_CALL_COMPLETED) return CMOX_OK;
  const bool passing = cmox_call_is_passing(call);
  call->end_ns = event->now_ns;
  call->state = CMOX_CALL_LOST;
  if (passing) cmox_pass_lost(session, call);
  if (call->state == CMOX_CALL_LOST)
    cmox_tell_lost(call);
  else
    cmox_journal_settle(session->journal, call);
  return CMOX_OK; /* what holds it keeps it: the shim may ask again */
}

/* ---- The test ---------------------------------------------------------- */

/* Calls borrow it, so it stays as it is; its first line, which is not to fill a terminal. */
static void keep_unreplayed(cmox_session_t *session, const char *why) {
  enum { SHOWN_MAX = 200 };
  size_t len = 0;
  while (len < SHOWN_MAX && (unsigned char)why[len] >= ' ') len++;
  while (len > 0 && ((unsigned char)why[len] & 0xc0) == 0x80) len--; /* not inside a character */
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_printf(&text, "replay failed: %.*s", (int)len, why);
  if (!session->unreplayed) session->unreplayed = cmox_buf_take_text(&text);
  cmox_buf_clear(&text);
}

static cmox_code_t on_replay(cmox_session_t *session, const cmox_event_t *event,
                             cmox_error_t *error) {
  if (session->phase == CMOX_PHASE_VERIFIED)
    return cmox_fail(error, CMOX_E_BAD_STATE,
                     "replay: the session has been verified; start a new one");
  if (event->note) {
    keep_unreplayed(session, event->note);
    return CMOX_OK;
  }
  session->phase = CMOX_PHASE_REPLAY;
  cmox_tell_replay(cmox_journal_total(session->journal, CMOX_ANY_COMMAND));
  return CMOX_OK;
}

/* A call that never became one must not be forgotten either. */
static cmox_code_t on_refused(cmox_session_t *session, const cmox_event_t *event) {
  session->refused_count++;
  if (!session->refused) session->refused = cmox_strdup(event->note);
  return CMOX_OK;
}

/* What memory was out for is told already. */
static cmox_code_t on_breach(cmox_session_t *session, const cmox_event_t *event) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (!call || call->link != event->link || call->breach || call->unexpected_why) return CMOX_OK;
  call->breach = cmox_strdup(event->note);
  if (!call->breach) call->unexpected_why = "memory was out when its shim was refused";
  return CMOX_OK;
}

static cmox_code_t on_unanswered(cmox_session_t *session, const cmox_event_t *event) {
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (call && call->state != CMOX_CALL_COMPLETED)
    call->unexpected_why = "memory was out when its answer was sent";
  return CMOX_OK;
}

cmox_code_t cmox_session_step(cmox_session_t *session, const cmox_event_t *event,
                              cmox_actions_t *actions, cmox_error_t *error) {
  actions->count = 0;
  actions->call_id = 0;
  actions->double_id = 0;
  session->now_ns = event->now_ns;
  cmox_code_t code = CMOX_OK;
  switch (event->kind) {
    case CMOX_EVENT_INVOKE:
      code = on_invoke(session, event, actions, error);
      break;
    case CMOX_EVENT_PIECE:
      code = cmox_on_piece(session, event, error);
      break;
    case CMOX_EVENT_PASSED:
      code = cmox_on_passed(session, event, error);
      break;
    case CMOX_EVENT_CONTINUE:
      code = cmox_on_continue(session, event, actions, error);
      break;
    case CMOX_EVENT_ANSWER:
      cmox_on_answer(session, event, actions, error);
      break;
    case CMOX_EVENT_COMPLETED:
      code = on_completed(session, event);
      break;
    case CMOX_EVENT_LINK_LOST:
      code = on_link_lost(session, event);
      break;
    case CMOX_EVENT_TICK:
      cmox_on_tick(session, event, actions);
      break;
    case CMOX_EVENT_DECLARE:
      code = cmox_session_declare(session, event, actions, error);
      break;
    case CMOX_EVENT_REFINE:
      code = cmox_session_refine(session, event, error);
      break;
    case CMOX_EVENT_DEFAULT:
      code = cmox_session_default(session, event, error);
      break;
    case CMOX_EVENT_RELEASE:
      code = cmox_on_release(session, event, actions, error);
      break;
    case CMOX_EVENT_REGISTER:
      code = cmox_session_check_open(session, error);
      break;
    case CMOX_EVENT_REFUSED:
      code = on_refused(session, event);
      break;
    case CMOX_EVENT_BREACH:
      code = on_breach(session, event);
      break;
    case CMOX_EVENT_UNANSWERED:
      code = on_unanswered(session, event);
      break;
    case CMOX_EVENT_REPLAY:
      code = on_replay(session, event, error);
      break;
    case CMOX_EVENT_VERIFY:
      code = cmox_on_verify(session, event, error);
      break;
  }
  actions->next_tick_ns = session->next_tick_ns;
  return code;
}
