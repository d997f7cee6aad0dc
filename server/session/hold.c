/* Calls that wait: at a gate, for what a handler or a predicate says, for the real command. While
 * they wait their shims hear from us often enough; callbacks have a deadline, the others none. */
#include "server/session/internal.h"
#include "server/session/tell.h"

enum { PROGRESS_PER_SILENCE = 3 }; /* a shim hears from us this often before it gives up */
enum { RETRY_MS = 10 };            /* until memory is asked for again */

bool cmox_call_hold(cmox_session_t *session, cmox_call_t *call) {
  if (!call->held) {
    cmox_call_t **grown =
        cmox_grow(session->held, &session->held_capacity, session->held_count + 1, sizeof *grown);
    if (!grown) return false;
    session->held = grown;
    call->held = true;
    call->held_index = session->held_count;
    grown[session->held_count++] = call;
  }
  cmox_call_want_tick(session, call);
  return true;
}

void cmox_call_unhold(cmox_session_t *session, cmox_call_t *call) {
  if (!call->held) return;
  cmox_call_t *last = session->held[--session->held_count];
  session->held[call->held_index] = last;
  last->held_index = call->held_index;
  call->held = false;
}

static void want(cmox_session_t *session, uint64_t at) {
  if (session->next_tick_ns == 0 || at < session->next_tick_ns) session->next_tick_ns = at;
}

static uint64_t progress_at(const cmox_call_t *call) {
  return call->told_ns + call->silence_ms * CMOX_NS_PER_MS / PROGRESS_PER_SILENCE;
}

void cmox_call_want_tick(cmox_session_t *session, const cmox_call_t *call) {
  if (call->silence_ms && call->link) want(session, progress_at(call));
  if (cmox_call_is_asking(call)) want(session, call->asked_ns + session->callback_deadline_ns);
}

/* False: memory is out. */
static bool tick(cmox_session_t *session, cmox_call_t *call, uint64_t now_ns,
                 cmox_actions_t *actions) {
  if (cmox_call_is_asking(call) && now_ns >= call->asked_ns + session->callback_deadline_ns)
    return cmox_call_time_out(session, call, actions);
  if (!call->silence_ms || !call->link || now_ns < progress_at(call)) return true;
  if (!cmox_action_add(actions, CMOX_ACTION_PROGRESS, call)) return false;
  call->told_ns = now_ns;
  return true;
}

void cmox_on_tick(cmox_session_t *session, const cmox_event_t *event, cmox_actions_t *actions) {
  session->next_tick_ns = 0;
  for (size_t i = session->held_count; i-- > 0;) { /* backwards: a call may leave the list */
    cmox_call_t *call = session->held[i];
    if (!tick(session, call, event->now_ns, actions))
      want(session, event->now_ns + RETRY_MS * CMOX_NS_PER_MS);
    else if (call->held)
      cmox_call_want_tick(session, call);
  }
}

static bool is_at(const cmox_call_t *call, const char *gate) {
  return call->gate && strcmp(call->gate, gate) == 0;
}

/* Room for what all of them are told: either all are released or none. */
static bool reserve(const cmox_session_t *session, const char *gate, cmox_actions_t *actions) {
  size_t count = actions->count;
  for (size_t i = 0; i < session->held_count; i++) count += is_at(session->held[i], gate);
  cmox_action_t *grown = cmox_grow(actions->items, &actions->capacity, count, sizeof *grown);
  if (grown) actions->items = grown;
  return grown || count == 0;
}

cmox_code_t cmox_on_release(cmox_session_t *session, const cmox_event_t *event,
                            cmox_actions_t *actions, cmox_error_t *error) {
  if (!reserve(session, event->gate, actions)) return cmox_session_no_memory(error);
  for (size_t i = session->held_count; i-- > 0;) {
    cmox_call_t *call = session->held[i];
    if (!is_at(call, event->gate)) continue;
    bool ready = !cmox_call_is_asking(call);
    if (ready && call->link && !cmox_call_answer(session, actions, call))
      return cmox_session_no_memory(error);
    cmox_free_block(call->gate);
    call->gate = NULL;
    if (ready && !cmox_call_is_passing(call)) cmox_call_unhold(session, call);
  }
  cmox_tell_release(event->gate, actions->count);
  return CMOX_OK;
}
