/* A request becomes a call of a service: the method's name is looked up, the
 * payload checked and unpacked, the handler invoked. The handler answers through
 * the closure, at once or many loop turns later, exactly once. */
#include "server/base/trace.h"
#include "server/rpc/internal.h"

/* Declared in the schema, not built yet. */
static const char *const unimplemented[] = {
    "cmdmox.v1.ControlService/LoadFixture", "cmdmox.v1.ControlService/SaveFixture",
    "cmdmox.v1.AgentService/OpenLink",      "cmdmox.v1.AgentService/RelayFrame",
    "cmdmox.v1.AgentService/CloseLink",
};

bool cmox_method_implemented(const char *full_name) {
  for (size_t i = 0; i < sizeof unimplemented / sizeof *unimplemented; i++)
    if (strcmp(unimplemented[i], full_name) == 0) return false;
  return true;
}

static cmox_code_t service_check(const ProtobufCService *service, cmox_error_t *error) {
  /* protobuf-c lays the handlers out as an array behind the base. */
  void (*const *handlers)(void) = (void (*const *)(void))(const void *)(service + 1);
  for (unsigned i = 0; i < service->descriptor->n_methods; i++)
    if (!handlers[i])
      return cmox_fail(error, CMOX_E_INTERNAL, "%s/%s has no handler", service->descriptor->name,
                       service->descriptor->methods[i].name);
  return CMOX_OK;
}

cmox_code_t cmox_services_check(const cmox_rpc_t *rpc, cmox_error_t *error) {
  cmox_code_t code = service_check(&rpc->shim_service.base, error);
  if (code == CMOX_OK) code = service_check(&rpc->control_service.base, error);
  if (code == CMOX_OK) code = service_check(&rpc->agent_service.base, error);
  return code;
}

static void respond(cmox_peer_t *peer, uint32_t id, Cmdmox__V1__Response *response,
                    const ProtobufCMessageDescriptor *payload) {
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = id;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = response;
  cmox_peer_respond(peer, &frame, payload);
}

static void respond_error(cmox_peer_t *peer, uint32_t id, cmox_error_t *error) {
  Cmdmox__V1__Status status;
  cmox_wire_status(error, &status);
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR;
  response.error = &status;
  respond(peer, id, &response, NULL);
}

static void call_free(cmox_rpc_call_t *call) {
  cmox_wire_free(call->input);
  cmox_peer_unref(call->peer);
  cmox_free_block(call);
}

void cmox_rpc_note_refusal(cmox_peer_t *peer, const cmox_error_t *error) {
  if (!peer->shim || !peer->hosted || !peer->link) return;
  if (error->code == CMOX_E_UNIMPLEMENTED && peer->call_id) return; /* a newer shim may try */
  cmox_event_t event = {.kind = peer->call_id ? CMOX_EVENT_BREACH : CMOX_EVENT_REFUSED,
                        .link = peer->number,
                        .call_id = peer->call_id,
                        .note = error->message};
  cmox_error_t ignored;
  (void)cmox_hosted_step(peer->hosted, &event, &ignored); /* always accepted */
}

void cmox_rpc_note_unanswered(cmox_peer_t *peer) {
  if (!peer->shim || !peer->hosted || !peer->call_id) return;
  cmox_event_t event = {.kind = CMOX_EVENT_UNANSWERED, .call_id = peer->call_id};
  cmox_error_t ignored;
  (void)cmox_hosted_step(peer->hosted, &event, &ignored); /* always accepted */
}

void cmox_rpc_fail(cmox_rpc_call_t *call) {
  CMOX_TRACE(REQUEST_FAIL, cmox_trace_number(call->peer->number),
             cmox_trace_text(call->method->name),
             cmox_trace_text(cmox_code_reason(call->error.code)));
  cmox_rpc_note_refusal(call->peer, &call->error);
  respond_error(call->peer, call->id, &call->error);
  call_free(call);
}

void cmox_rpc_answer(const ProtobufCMessage *message, void *data) {
  cmox_rpc_call_t *call = data;
  cmox_buf_t payload = CMOX_BUF_EMPTY;
  cmox_wire_pack(message, &payload);
  if (payload.failed || payload.len > call->peer->max_frame - CMOX_ENVELOPE_MAX) {
    (void)cmox_fail(&call->error, payload.failed ? CMOX_E_NO_MEMORY : CMOX_E_FRAME_TOO_LARGE,
                    payload.failed ? "out of memory" : "the answer is larger than a frame");
    cmox_buf_clear(&payload);
    cmox_rpc_note_unanswered(call->peer);
    cmox_rpc_fail(call);
    return;
  }
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  response.payload = cmox_to_bytes(cmox_buf_span(&payload));
  respond(call->peer, call->id, &response, message->descriptor);
  cmox_buf_clear(&payload);
  call_free(call);
}

static ProtobufCService *find_service(cmox_peer_t *peer, cmox_span_t name) {
  cmox_rpc_t *rpc = peer->rpc;
  ProtobufCService *services[] = {&rpc->shim_service.base, &rpc->control_service.base,
                                  &rpc->agent_service.base};
  for (size_t i = 0; i < sizeof services / sizeof *services; i++)
    if (cmox_span_equal(cmox_span_str(services[i]->descriptor->name), name)) return services[i];
  return NULL;
}

static cmox_code_t find_method(cmox_peer_t *peer, const char *full, ProtobufCService **service,
                               unsigned *index, cmox_error_t *error) {
  const char *slash = strchr(full, '/');
  *service = slash ? find_service(peer, cmox_span(full, (size_t)(slash - full))) : NULL;
  const ProtobufCMethodDescriptor *method =
      *service ? protobuf_c_service_descriptor_get_method_by_name((*service)->descriptor, slash + 1)
               : NULL;
  if (!method || !cmox_method_implemented(full))
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not implement %.200s", full);
  bool for_shims = *service == &peer->rpc->shim_service.base;
  if (for_shims != peer->shim)
    return cmox_fail(error, CMOX_E_PERMISSION_DENIED, "%.200s is not for this side", full);
  *index = (unsigned)(method - (*service)->descriptor->methods);
  return CMOX_OK;
}

static void refuse(cmox_peer_t *peer, uint32_t id, cmox_error_t *error) {
  CMOX_TRACE(REQUEST_FAIL, cmox_trace_number(peer->number), cmox_trace_text(""),
             cmox_trace_text(cmox_code_reason(error->code)));
  cmox_rpc_note_refusal(peer, error);
  respond_error(peer, id, error);
}

void cmox_dispatch(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__Request *request) {
  cmox_error_t error;
  ProtobufCService *service = NULL;
  unsigned index = 0;
  if (peer->invoke_id == id) { /* which only shims have */
    (void)cmox_fail(&error, CMOX_E_BAD_FRAME,
                    "request %u is the call of this link: its id is not free", id);
    refuse(peer, id, &error);
    return;
  }
  if (find_method(peer, request->method, &service, &index, &error) != CMOX_OK) {
    refuse(peer, id, &error);
    return;
  }
  const ProtobufCMethodDescriptor *method = &service->descriptor->methods[index];
  ProtobufCMessage *input = NULL;
  if (cmox_wire_unpack(method->input, cmox_from_bytes(request->payload), &input, &error) !=
      CMOX_OK) {
    refuse(peer, id, &error);
    return;
  }
  cmox_rpc_call_t *call = cmox_calloc(1, sizeof *call);
  if (!call) {
    cmox_wire_free(input);
    (void)cmox_fail(&error, CMOX_E_NO_MEMORY, "out of memory");
    refuse(peer, id, &error);
    return;
  }
  *call =
      (cmox_rpc_call_t){.peer = cmox_peer_ref(peer), .id = id, .method = method, .input = input};
  service->invoke(service, index, input, cmox_rpc_answer, call);
}
