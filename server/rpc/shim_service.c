/* ShimService: a shim's call on its own link.
 *
 * 1. Invoke: the session hears of it and decides, or asks for stdin, or holds the call.
 * 2. StreamData pieces of stdin, then ContinueInvoke: the session decides.
 * 3. The answer goes down (answer.c), or that the real command is to run (passing.c): then
 *    StreamData pieces of what is captured come up, and ReportPassthrough.
 * 4. Completed: the shim has done all of it.
 *
 * A link that closes before 4 loses its call, unless the shim asks again with the same key. */
#include "server/rpc/internal.h"

static cmox_peer_t *find_shim(cmox_hosted_t *hosted, uint64_t number) {
  cmox_peer_t *peer = NULL;
  HASH_FIND(hh, hosted->shims, &number, sizeof number, peer);
  return peer;
}

/* ---- Answers ------------------------------------------------------------- */

static void answer_read_stdin(cmox_peer_t *peer, const cmox_action_t *decided) {
  Cmdmox__V1__ReadStdin read = CMDMOX__V1__READ_STDIN__INIT;
  read.max_bytes = decided->stdin_policy.max_bytes;
  read.deadline_ms = decided->stdin_policy.deadline_ms;
  read.drain = decided->stdin_policy.mode == CMOX_STDIN_DRAIN;
  read.keep = decided->stdin_policy.keep;
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  action.call_id = decided->call_id;
  action.kind_case = CMDMOX__V1__ACTION__KIND_READ_STDIN;
  action.read_stdin = &read;
  cmox_answer_action(peer, &action);
}

static void act(cmox_hosted_t *hosted, const cmox_action_t *action) {
  cmox_peer_t *peer = find_shim(hosted, action->link);
  if (!peer) return;
  switch (action->kind) {
    case CMOX_ACTION_REPLY:
      cmox_answer_reply(peer, action->reply);
      return;
    case CMOX_ACTION_READ_STDIN:
      answer_read_stdin(peer, action);
      return;
    case CMOX_ACTION_PASSTHROUGH:
      cmox_answer_passthrough(peer, action->call);
      return;
    case CMOX_ACTION_PROGRESS:
      cmox_send_progress(peer, peer->invoke_id);
      return;
    case CMOX_ACTION_MATCH:
    case CMOX_ACTION_HANDLE:
      return; /* not for the shim */
  }
}

static bool is_question(const cmox_action_t *action) {
  return action->kind == CMOX_ACTION_MATCH || action->kind == CMOX_ACTION_HANDLE;
}

static void swap_lists(cmox_hosted_t *hosted) {
  cmox_action_t *items = hosted->actions.items;
  size_t capacity = hosted->actions.capacity;
  hosted->actions.items = hosted->spare;
  hosted->actions.capacity = hosted->spare_capacity;
  hosted->spare = items;
  hosted->spare_capacity = capacity;
}

/* What cannot be asked fails at once, which is a step of its own with one action: it gets the spare
 * list, since this one is still being read. */
void cmox_hosted_act(cmox_hosted_t *hosted) {
  const size_t count = hosted->actions.count;
  bool asks = false;
  for (size_t i = 0; i < count; i++) {
    act(hosted, &hosted->actions.items[i]);
    asks |= is_question(&hosted->actions.items[i]);
  }
  if (!asks) return;
  swap_lists(hosted);
  for (size_t i = 0; i < count; i++)
    if (is_question(&hosted->spare[i])) cmox_hosted_ask(hosted, &hosted->spare[i]);
  swap_lists(hosted);
  hosted->actions.count = 0;
}

/* ---- Requests ------------------------------------------------------------ */

static void step_for(cmox_peer_t *peer, cmox_rpc_call_t *call, cmox_event_t *event) {
  event->link = peer->number;
  peer->waiting = call;
  if (cmox_hosted_step(peer->hosted, event, &call->error) != CMOX_OK) {
    peer->waiting = NULL;
    cmox_rpc_fail(call);
    return;
  }
  if (event->kind == CMOX_EVENT_INVOKE) peer->call_id = peer->hosted->actions.call_id;
  cmox_hosted_act(peer->hosted);
}

static bool has_session(const cmox_peer_t *peer, cmox_rpc_call_t *call) {
  if (peer->hosted) return true;
  (void)cmox_fail(&call->error, CMOX_E_NOT_FOUND, "the session is over");
  return false;
}

static void shim_invoke(Cmdmox__V1__ShimService_Service *service,
                        const Cmdmox__V1__InvokeRequest *input,
                        Cmdmox__V1__InvokeResponse_Closure closure, void *data) {
  (void)service;
  (void)closure;
  cmox_rpc_call_t *call = data;
  cmox_peer_t *peer = call->peer;
  cmox_invocation_data_t invocation = {0};
  bool fine = has_session(peer, call);
  if (fine && peer->invoke_id) {
    (void)cmox_fail(&call->error, CMOX_E_BAD_STATE, "a shim makes one call on its link");
    fine = false;
  }
  if (fine) fine = cmox_convert_invocation(input, &invocation, &call->error) == CMOX_OK;
  if (!fine) {
    cmox_rpc_fail(call);
    return;
  }
  peer->invoke_id = call->id;
  cmox_event_t event = {
      .kind = CMOX_EVENT_INVOKE, .invocation = &invocation, .silence_ms = peer->silence_ms};
  step_for(peer, call, &event);
  cmox_convert_invocation_clear(&invocation);
  if (!peer->waiting) return;
  /* The call is held, maybe among thousands: the journal has its own copy. */
  cmox_wire_free(peer->waiting->input);
  peer->waiting->input = NULL;
}

static cmox_stdin_end_t stdin_end(Cmdmox__V1__StdinEnd end) {
  switch (end) {
    case CMDMOX__V1__STDIN_END__STDIN_END_EOF:
      return CMOX_STDIN_EOF;
    case CMDMOX__V1__STDIN_END__STDIN_END_LIMIT:
      return CMOX_STDIN_LIMIT;
    case CMDMOX__V1__STDIN_END__STDIN_END_DEADLINE:
      return CMOX_STDIN_DEADLINE;
    default:
      return CMOX_STDIN_ERROR;
  }
}

static void shim_continue_invoke(Cmdmox__V1__ShimService_Service *service,
                                 const Cmdmox__V1__ContinueInvokeRequest *input,
                                 Cmdmox__V1__ContinueInvokeResponse_Closure closure, void *data) {
  (void)service;
  (void)closure;
  cmox_rpc_call_t *call = data;
  cmox_peer_t *peer = call->peer;
  bool fine = has_session(peer, call);
  if (fine && (peer->waiting || input->call_id != peer->call_id)) {
    (void)cmox_fail(&call->error, CMOX_E_BAD_STATE, "this link has no such call to continue");
    fine = false;
  }
  if (!fine) {
    cmox_rpc_fail(call);
    return;
  }
  cmox_event_t event = {.kind = CMOX_EVENT_CONTINUE, .call_id = input->call_id};
  event.continued.bytes = input->stdin_bytes;
  event.continued.end = stdin_end(input->stdin_end);
  step_for(peer, call, &event);
}

static void shim_report_passthrough(Cmdmox__V1__ShimService_Service *service,
                                    const Cmdmox__V1__ReportPassthroughRequest *input,
                                    Cmdmox__V1__ReportPassthroughResponse_Closure closure,
                                    void *data) {
  (void)service;
  (void)closure;
  cmox_rpc_call_t *call = data;
  cmox_peer_t *peer = call->peer;
  cmox_passed_report_t report;
  bool fine =
      has_session(peer, call) && cmox_convert_report(input, &report, &call->error) == CMOX_OK;
  cmox_event_t event = {.kind = CMOX_EVENT_PASSED,
                        .link = peer->number,
                        .call_id = input->call_id,
                        .passed = &report};
  if (!fine || cmox_hosted_step(peer->hosted, &event, &call->error) != CMOX_OK) {
    cmox_rpc_fail(call);
    return;
  }
  Cmdmox__V1__ReportPassthroughResponse response = CMDMOX__V1__REPORT_PASSTHROUGH_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

const Cmdmox__V1__ShimService_Service cmox_shim_service = CMDMOX__V1__SHIM_SERVICE__INIT(shim_);

/* ---- One-way frames ------------------------------------------------------- */

void cmox_shim_stream(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__StreamData *data) {
  cmox_error_t error;
  if (peer->hosted && peer->invoke_id && id != peer->invoke_id) {
    (void)cmox_fail(&error, CMOX_E_BAD_FRAME, "a stream of request %u, and the call is request %u",
                    id, peer->invoke_id);
    cmox_peer_go_away(peer, &error);
    return;
  }
  /* A newer shim may have more to say. */
  const bool known = data->stream >= CMDMOX__V1__STREAM__STREAM_STDIN &&
                     data->stream <= CMDMOX__V1__STREAM__STREAM_STDERR;
  if (!peer->hosted || !known || data->data.len == 0) return;
  cmox_event_t event = {.kind = CMOX_EVENT_PIECE,
                        .link = peer->number,
                        .piece = (cmox_piece_t)data->stream,
                        .call_id = peer->call_id,
                        .bytes = cmox_from_bytes(data->data)};
  if (cmox_hosted_step(peer->hosted, &event, &error) != CMOX_OK) cmox_peer_go_away(peer, &error);
}

void cmox_shim_notify(cmox_peer_t *peer, const Cmdmox__V1__Notify *notify) {
  const ProtobufCMessageDescriptor *type = &cmdmox__v1__completed__descriptor;
  if (!peer->hosted || strcmp(notify->topic, type->name) != 0) return;
  ProtobufCMessage *message = NULL;
  cmox_error_t error;
  if (cmox_wire_unpack(type, cmox_from_bytes(notify->payload), &message, &error) != CMOX_OK) {
    cmox_peer_go_away(peer, &error);
    return;
  }
  const Cmdmox__V1__Completed *completed = (const Cmdmox__V1__Completed *)message;
  if (completed->call_id && completed->call_id != peer->call_id) {
    (void)cmox_fail(&error, CMOX_E_BAD_PAYLOAD, "Completed is of another call");
    cmox_peer_go_away(peer, &error);
    cmox_wire_free(message);
    return;
  }
  /* A shim whose reader goes away while it still takes streams in has not heard the call's id. */
  uint64_t call_id = completed->call_id ? completed->call_id : peer->call_id;
  cmox_event_t event = {.kind = CMOX_EVENT_COMPLETED, .link = peer->number, .call_id = call_id};
  event.completed.stdout_written = completed->stdout_written;
  event.completed.stderr_written = completed->stderr_written;
  event.completed.broken_pipe = completed->broken_pipe;
  event.completed.failure = completed->failure;
  event.completed.failed_path = cmox_from_bytes(completed->failed_path);
  (void)cmox_hosted_step(peer->hosted, &event, &error); /* a late word of a dead call is no error */
  cmox_wire_free(message);
  /* It was the shim's last word: waiting for the end of the link is one turn of the loop more. */
  if (peer->link) cmox_link_close(peer->link, CMOX_OK);
}

void cmox_shim_lost(cmox_peer_t *peer) {
  cmox_hosted_t *hosted = peer->hosted;
  cmox_rpc_call_t *waiting = peer->waiting;
  peer->waiting = NULL;
  cmox_answer_drop(peer);
  if (hosted) {
    HASH_DEL(hosted->shims, peer);
    cmox_event_t event = {
        .kind = CMOX_EVENT_LINK_LOST, .link = peer->number, .call_id = peer->call_id};
    cmox_error_t error;
    (void)cmox_hosted_step(hosted, &event, &error); /* always accepted */
  }
  if (waiting) cmox_rpc_fail(waiting);
}
