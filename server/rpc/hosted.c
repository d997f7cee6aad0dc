/* A session with its place on disk and the links of its shims. */
#include <stdio.h>

#include "server/base/log.h"
#include "server/rpc/internal.h"

static void on_tick(uv_timer_t *timer) {
  cmox_hosted_t *hosted = timer->data;
  cmox_event_t event = {.kind = CMOX_EVENT_TICK};
  cmox_error_t error;
  if (cmox_hosted_step(hosted, &event, &error) == CMOX_OK) cmox_hosted_act(hosted);
}

static void on_timer_closed(uv_handle_t *handle) {
  cmox_rpc_t *rpc = handle->data;
  cmox_free_block(handle);
  rpc->open_handles--;
  cmox_rpc_check_closed(rpc);
}

static void close_timer(cmox_hosted_t *hosted, uv_timer_t **timer) {
  if (!*timer) return;
  (*timer)->data = hosted->rpc;
  uv_close((uv_handle_t *)*timer, on_timer_closed);
  *timer = NULL;
}

static void close_timers(cmox_hosted_t *hosted) {
  close_timer(hosted, &hosted->tick);
  close_timer(hosted, &hosted->idle);
}

static bool open_timer(cmox_hosted_t *hosted, uv_timer_t **timer) {
  *timer = cmox_malloc(sizeof **timer);
  if (!*timer) return false;
  (void)uv_timer_init(hosted->rpc->loop, *timer); /* cannot fail */
  (*timer)->data = hosted;
  hosted->rpc->open_handles++;
  return true;
}

static bool open_timers(cmox_hosted_t *hosted) {
  return open_timer(hosted, &hosted->tick) &&
         (!hosted->idle_ms || open_timer(hosted, &hosted->idle));
}

/* ---- Idleness --------------------------------------------------------------- */

static void on_idle(uv_timer_t *timer) {
  cmox_hosted_t *hosted = timer->data;
  if (hosted->shims || hosted->work)
    cmox_hosted_used(hosted); /* a call may take longer than a test is silent */
  else
    cmox_hosted_end(hosted);
}

void cmox_hosted_used(cmox_hosted_t *hosted) {
  if (!hosted->idle) return;
  uv_update_time(hosted->rpc->loop);
  (void)uv_timer_start(hosted->idle, on_idle, hosted->idle_ms, 0);
}

/* ---- Steps ------------------------------------------------------------------ */

static void set_timer(cmox_hosted_t *hosted, uint64_t now_ns) {
  uint64_t at = hosted->actions.next_tick_ns;
  if (at == 0) {
    (void)uv_timer_stop(hosted->tick);
    return;
  }
  uv_update_time(hosted->rpc->loop);
  /* At least one: a timer of 0 ms would be run again in the same turn of the loop. */
  uint64_t ms = at > now_ns ? (at - now_ns + 999999) / 1000000 : 1;
  (void)uv_timer_start(hosted->tick, on_tick, ms, 0);
}

cmox_code_t cmox_hosted_step(cmox_hosted_t *hosted, cmox_event_t *event, cmox_error_t *error) {
  const cmox_rpc_host_t *host = &hosted->rpc->host;
  event->now_ns = host->now_ns(host->context);
  uint64_t before = hosted->actions.next_tick_ns;
  cmox_log_of(hosted->name);
  cmox_code_t code = cmox_session_step(hosted->session, event, &hosted->actions, error);
  cmox_log_of(NULL);
  if (hosted->actions.next_tick_ns != before || event->kind == CMOX_EVENT_TICK)
    set_timer(hosted, event->now_ns);
  return code;
}

static cmox_code_t fill(cmox_hosted_t *hosted, const Cmdmox__V1__CreateSessionRequest *request,
                        cmox_error_t *error) {
  cmox_rpc_t *rpc = hosted->rpc;
  cmox_code_t code = rpc->host.random(rpc->host.context, hosted->id, sizeof hosted->id, error);
  if (code != CMOX_OK) return code;
  (void)snprintf(hosted->name, sizeof hosted->name, "%02x%02x%02x%02x", hosted->id[0],
                 hosted->id[1], hosted->id[2], hosted->id[3]);
  const bool given =
      request->path_presence_case == CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
  const cmox_site_wishes_t wishes = {
      .temporary_directory = cmox_from_bytes(request->temporary_directory),
      .path = given ? cmox_from_bytes(request->path) : cmox_span_str(CMOX_PATH_DEFAULT),
      .contained = request->contained};
  code = rpc->host.open_site(rpc->host.context, hosted, &wishes, &hosted->site, error);
  if (code != CMOX_OK) return code;
  cmox_session_options_t options = {.dialect = request->dialect[0] ? request->dialect : NULL,
                                    .label = request->label,
                                    .contained = request->contained,
                                    .max_journal_entries = request->max_journal_entries,
                                    .callback_deadline_ms = request->callback_deadline_ms};
  hosted->path = cmox_strndup(wishes.path.data, wishes.path.len);
  if (rpc->host.site_spill) options.spill = rpc->host.site_spill(hosted->site);
  hosted->session = cmox_session_new(&options);
  hosted->spare = cmox_malloc(sizeof *hosted->spare);
  hosted->spare_capacity = 1;
  if (!hosted->session || !hosted->spare || !hosted->path || !open_timers(hosted))
    return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
  return CMOX_OK;
}

cmox_code_t cmox_hosted_new(cmox_peer_t *owner, const Cmdmox__V1__CreateSessionRequest *request,
                            cmox_hosted_t **out, cmox_error_t *error) {
  cmox_rpc_t *rpc = owner->rpc;
  cmox_hosted_t *hosted = cmox_calloc(1, sizeof *hosted);
  if (!hosted) return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
  hosted->rpc = rpc;
  hosted->owner = owner;
  hosted->answers = owner;
  hosted->idle_ms = request->idle_timeout_ms;
  cmox_code_t code = fill(hosted, request, error);
  if (code == CMOX_OK) {
    HASH_ADD(hh, rpc->sessions, id, sizeof hosted->id, hosted);
    if (hosted->oom) code = cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
  }
  if (code != CMOX_OK) {
    close_timers(hosted);
    cmox_session_free(hosted->session);
    if (hosted->site) rpc->host.close_site(hosted->site);
    cmox_free_block(hosted->spare);
    cmox_free_block(hosted->path);
    cmox_free_block(hosted);
    return code;
  }
  CMOX_TRACE(HOST_SESSION_OPEN, cmox_trace_text(hosted->name),
             cmox_trace_text(rpc->host.site_bin(hosted->site)), cmox_trace_text(request->label));
  cmox_hosted_used(hosted);
  cmox_rpc_populated(rpc);
  *out = hosted;
  return CMOX_OK;
}

static void dismiss(cmox_peer_t *peer) {
  peer->hosted = NULL;
  if (peer->streaming) return; /* it is answered already; answer.c closes the link after it */
  static const char why[] = "the test ended its session during this call";
  cmox_error_t error;
  cmox_rpc_call_t *waiting = peer->waiting;
  peer->waiting = NULL;
  if (waiting) {
    (void)cmox_fail(&waiting->error, CMOX_E_CANCELLED, why);
    cmox_rpc_fail(waiting);
  } else if (peer->invoke_id) { /* its answer is there, and it has not done all of it */
    (void)cmox_fail(&error, CMOX_E_CANCELLED, why);
    cmox_peer_go_away(peer, &error);
  }
  if (peer->link) cmox_link_close(peer->link, CMOX_OK);
}

void cmox_hosted_end(cmox_hosted_t *hosted) {
  cmox_rpc_t *rpc = hosted->rpc;
  CMOX_TRACE(HOST_SESSION_CLOSE, cmox_trace_text(hosted->name));
  HASH_DEL(rpc->sessions, hosted);
  cmox_callback_end(hosted);
  cmox_peer_t *peer, *next;
  HASH_ITER(hh, hosted->shims, peer, next) {
    HASH_DEL(hosted->shims, peer);
    dismiss(peer);
  }
  close_timers(hosted);
  cmox_work_forget(hosted);
  cmox_session_free(hosted->session); /* which uses its site to the end */
  rpc->host.close_site(hosted->site);
  cmox_actions_clear(&hosted->actions);
  cmox_free_block(hosted->spare);
  cmox_free_block(hosted->path);
  cmox_free_block(hosted);
  cmox_rpc_populated(rpc);
}

cmox_hosted_t *cmox_hosted_find(cmox_peer_t *peer, ProtobufCBinaryData id, cmox_error_t *error) {
  cmox_hosted_t *hosted = NULL;
  if (id.len == CMOX_SESSION_ID_BYTES)
    HASH_FIND(hh, peer->rpc->sessions, id.data, CMOX_SESSION_ID_BYTES, hosted);
  if (hosted) {
    cmox_hosted_used(hosted);
    return hosted;
  }
  (void)cmox_fail(error, CMOX_E_NOT_FOUND,
                  "there is no such session: it was deleted, its client has gone, or nobody asked "
                  "anything about it for its idle_timeout_ms");
  return NULL;
}

cmox_hosted_t *cmox_hosted_of(cmox_rpc_call_t *call, ProtobufCBinaryData id) {
  cmox_hosted_t *hosted = cmox_hosted_find(call->peer, id, &call->error);
  const bool deletes = call->method->input == &cmdmox__v1__delete_session_request__descriptor;
  if (hosted && hosted->work && !deletes) {
    (void)cmox_fail(&call->error, CMOX_E_BAD_STATE,
                    "an earlier request of this session is still at work: wait for its answer");
    hosted = NULL;
  }
  if (!hosted) cmox_rpc_fail(call);
  return hosted;
}
