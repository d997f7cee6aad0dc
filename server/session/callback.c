/* What a call needs of the test itself: the answers of predicates before it is decided, the reply
 * of a handler after that. Each question goes out with a number and the call waits in hold.c; the
 * ANSWER that names the number counts, every other one is too late and is dropped.
 *
 * A callback that fails, says nothing sensible or nothing in time fails its call and the test:
 * what it would have said is not known, and guessing would let a call pass that is never to be
 * made. */
#include <inttypes.h>
#include <stdio.h>

#include "server/session/internal.h"
#include "server/session/tell.h"

bool cmox_call_is_asking(const cmox_call_t *call) {
  if (call->handling) return true;
  return call->verdict == CMOX_VERDICT_NONE && cmox_said_first(call->said, CMOX_SAID_ASKED);
}

static cmox_action_t *add_question(cmox_session_t *session, cmox_actions_t *actions,
                                   cmox_action_kind_t kind, const cmox_call_t *call) {
  cmox_action_t *action = cmox_action_add(actions, kind, call);
  if (action) action->asked.question = ++session->last_question;
  return action;
}

cmox_code_t cmox_ask_predicates(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions,
                                cmox_error_t *error) {
  for (cmox_question_t *wanted; (wanted = cmox_said_first(call->said, CMOX_SAID_WANTED));) {
    cmox_action_t *action = add_question(session, actions, CMOX_ACTION_MATCH, call);
    if (!action) return cmox_session_no_memory(error);
    action->asked.callback = wanted->callback;
    action->asked.value = wanted->value;
    wanted->saying = CMOX_SAID_ASKED;
    wanted->number = action->asked.question;
    cmox_tell_ask(call, wanted->number, "predicate", wanted->name);
  }
  call->asked_ns = session->now_ns;
  return cmox_call_hold(session, call) ? CMOX_OK : cmox_session_no_memory(error);
}

cmox_code_t cmox_ask_handler(cmox_session_t *session, cmox_call_t *call,
                             const cmox_answer_t *answer, cmox_actions_t *actions,
                             cmox_error_t *error) {
  call->handler_name = cmox_strdup(answer->handler_name);
  cmox_action_t *action =
      call->handler_name ? add_question(session, actions, CMOX_ACTION_HANDLE, call) : NULL;
  if (!action) return cmox_session_no_memory(error);
  action->asked.callback = answer->handler;
  call->handling = action->asked.question;
  call->asked_ns = session->now_ns;
  cmox_tell_ask(call, call->handling, "handler", call->handler_name);
  return cmox_call_hold(session, call) ? CMOX_OK : cmox_session_no_memory(error);
}

/* ---- Answers ------------------------------------------------------------- */

/* A call that has failed waits for nothing any more, at no gate either. */
static void forget(cmox_call_t *call) {
  call->handling = 0;
  cmox_free_block(call->gate);
  call->gate = NULL;
}

/* The call ends with one line and 125, and verify tells of it. */
static cmox_code_t fail_call(cmox_session_t *session, cmox_call_t *call, const char *kind,
                             const char *name, const char *failure, cmox_actions_t *actions,
                             cmox_error_t *error) {
  forget(call);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_describe_failure(&text, kind, name, failure);
  call->callback_failure = cmox_buf_take_text(&text);
  if (!call->callback_failure) return cmox_session_no_memory(error);
  if (call->verdict == CMOX_VERDICT_NONE)
    return cmox_call_refuse(session, call, CMOX_VERDICT_UNEXPECTED, actions, error);
  call->reply = cmox_call_refusal(session, call);
  bool answered = call->reply && (!call->link || cmox_call_answer(session, actions, call));
  return answered ? CMOX_OK : cmox_session_no_memory(error);
}

static cmox_code_t on_handled(cmox_session_t *session, cmox_call_t *call, const cmox_event_t *event,
                              cmox_actions_t *actions, cmox_error_t *error) {
  const char *failure = event->answered.failure;
  if (failure)
    return fail_call(session, call, "handler", call->handler_name, failure, actions, error);
  call->handling = 0;
  call->reply = cmox_reply_ref(event->answered.reply);
  bool done = true; /* without a link the reply is there if the shim asks again */
  if (call->gate)
    done = cmox_call_hold(session, call);
  else if (call->link)
    done = cmox_call_answer(session, actions, call);
  return done ? CMOX_OK : cmox_session_no_memory(error);
}

static cmox_code_t on_said(cmox_session_t *session, cmox_call_t *call, cmox_question_t *question,
                           const cmox_event_t *event, cmox_actions_t *actions,
                           cmox_error_t *error) {
  const char *failure = event->answered.failure;
  if (failure) {
    question->saying = CMOX_SAID_FAILED;
    return fail_call(session, call, "predicate", question->name, failure, actions, error);
  }
  const char *why = event->answered.why;
  question->saying = event->answered.matched ? CMOX_SAID_YES : CMOX_SAID_NO;
  if (!event->answered.matched && why && *why) {
    question->why = cmox_strdup(why);
    if (!question->why) return cmox_session_no_memory(error);
  }
  if (cmox_said_first(call->said, CMOX_SAID_ASKED))
    return cmox_call_hold(session, call) ? CMOX_OK : cmox_session_no_memory(error);
  if (!call->link) return CMOX_OK; /* it goes on if the shim asks again */
  return cmox_call_proceed(session, call, actions, error);
}

static cmox_question_t *find(const cmox_call_t *call, uint64_t number) {
  if (call->verdict != CMOX_VERDICT_NONE) return NULL;
  for (size_t i = 0; call->said && i < call->said->count; i++) {
    cmox_question_t *question = &call->said->items[i];
    if (question->saying == CMOX_SAID_ASKED && question->number == number) return question;
  }
  return NULL;
}

/* Memory is out, and nobody is left who could be given an error: the call ends all the same. There
 * is room for one action. */
static void give_up(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions) {
  forget(call);
  cmox_call_unhold(session, call);
  if (call->verdict == CMOX_VERDICT_NONE) call->verdict = CMOX_VERDICT_UNEXPECTED;
  call->unexpected_why = "memory was out when its callbacks answered";
  cmox_reply_unref(call->reply);
  call->reply = cmox_reply_ref(session->no_memory_reply);
  if (call->link) (void)cmox_call_answer(session, actions, call);
}

void cmox_on_answer(cmox_session_t *session, const cmox_event_t *event, cmox_actions_t *actions,
                    cmox_error_t *error) {
  const uint64_t number = event->answered.question;
  cmox_call_t *call = cmox_journal_find(session->journal, event->call_id);
  if (!call || number == 0) return;
  cmox_question_t *question = find(call, number);
  if (!question && call->handling != number) return; /* too late */
  cmox_tell_answered(call, number, event->answered.failure == NULL);
  cmox_call_unhold(session, call);
  cmox_code_t code = question ? on_said(session, call, question, event, actions, error)
                              : on_handled(session, call, event, actions, error);
  if (code == CMOX_OK) return;
  actions->count = 0; /* they were this call's; its question had as much room */
  give_up(session, call, actions);
}

bool cmox_call_time_out(cmox_session_t *session, cmox_call_t *call, cmox_actions_t *actions) {
  if (!cmox_actions_reserve(actions)) return false;
  const size_t before = actions->count;
  const cmox_question_t *question = cmox_said_first(call->said, CMOX_SAID_ASKED);
  const bool handler = call->handling != 0;
  char text[200];
  (void)snprintf(
      text, sizeof text,
      "it has not answered within %" PRIu64
      " ms: give the session a longer callback deadline if it needs more; it never answers "
      "if its thread waits for the command",
      session->callback_deadline_ns / CMOX_NS_PER_MS);
  cmox_error_t error;
  cmox_code_t code =
      fail_call(session, call, handler ? "handler" : "predicate",
                handler ? call->handler_name : question->name, text, actions, &error);
  cmox_call_unhold(session, call);
  if (code == CMOX_OK) return true;
  actions->count = before;
  give_up(session, call, actions);
  return true;
}
