/* ControlService: what a test client asks. Verify, ListInvocations and
 * GetCallCount answer once everything that shims had already sent is in. */
#include <stdio.h>

#include "proto/descriptor_set.h"
#include "server/report/report.h"
#include "server/rpc/internal.h"

#define HANDLER(name, Message)                                            \
  static void control_##name(Cmdmox__V1__ControlService_Service *service, \
                             const Cmdmox__V1__##Message##Request *input, \
                             Cmdmox__V1__##Message##Response_Closure closure, void *data)
#define UNUSED_SERVICE \
  (void)service;       \
  (void)closure

enum { PATH_BYTES_MAX = 1u << 20 };

/* ---- The server ------------------------------------------------------------- */

static size_t list_methods(char **out, size_t most, char *text, size_t size) {
  const ProtobufCService *services[] = {&cmox_shim_service.base, &cmox_control_service.base};
  size_t count = 0;
  for (size_t s = 0; s < 2; s++)
    for (unsigned m = 0; m < services[s]->descriptor->n_methods && count < most; m++) {
      int len = snprintf(text, size, "%s/%s", services[s]->descriptor->name,
                         services[s]->descriptor->methods[m].name);
      if (len < 0 || (size_t)len >= size) return count;
      if (!cmox_method_implemented(text)) continue;
      out[count++] = text;
      text += len + 1;
      size -= (size_t)len + 1;
    }
  return count;
}

HANDLER(get_server_info, GetServerInfo) {
  UNUSED_SERVICE;
  (void)input;
  char *methods[32];
  char text[2048];
  Cmdmox__V1__GetServerInfoResponse response = CMDMOX__V1__GET_SERVER_INFO_RESPONSE__INIT;
  response.software = (char *)(uintptr_t)("cmdmox/" CMDMOX_VERSION);
  response.min_version = CMOX_PROTOCOL_MIN;
  response.max_version = CMOX_PROTOCOL_MAX;
  response.methods = methods;
  response.n_methods = list_methods(methods, sizeof methods / sizeof *methods, text, sizeof text);
  cmox_rpc_answer(&response.base, data);
}

HANDLER(get_descriptor_set, GetDescriptorSet) {
  UNUSED_SERVICE;
  (void)input;
  Cmdmox__V1__GetDescriptorSetResponse response = CMDMOX__V1__GET_DESCRIPTOR_SET_RESPONSE__INIT;
  response.file_descriptor_set =
      cmox_to_bytes(cmox_span(cmox_descriptor_set, cmox_descriptor_set_len));
  cmox_rpc_answer(&response.base, data);
}

HANDLER(ping, Ping) {
  UNUSED_SERVICE;
  Cmdmox__V1__PingResponse response = CMDMOX__V1__PING_RESPONSE__INIT;
  response.payload = input->payload;
  cmox_rpc_answer(&response.base, data);
}

/* ---- Sessions ---------------------------------------------------------------- */

static cmox_code_t check_path(ProtobufCBinaryData path, cmox_error_t *error) {
  if (path.len <= PATH_BYTES_MAX && !(path.len && memchr(path.data, 0, path.len))) return CMOX_OK;
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "path: at most %d bytes, and no NUL",
                   PATH_BYTES_MAX);
}

static cmox_code_t check_create(const Cmdmox__V1__CreateSessionRequest *input,
                                cmox_error_t *error) {
  bool bounded = input->journal_bound_case ==
                 CMDMOX__V1__CREATE_SESSION_REQUEST__JOURNAL_BOUND_MAX_JOURNAL_ENTRIES;
  if (bounded && input->max_journal_entries == 0)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "max_journal_entries: a journal keeps at least 1 call; leave it out to keep "
                     "all of them");
  bool given = input->path_presence_case == CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH;
  if (given && check_path(input->path, error) != CMOX_OK) return error->code;
  const ProtobufCBinaryData *place = &input->temporary_directory;
  if (place->len && memchr(place->data, 0, place->len))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "temporary_directory: no NUL may be inside");
  return CMOX_OK;
}

HANDLER(create_session, CreateSession) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = NULL;
  if (check_create(input, &call->error) != CMOX_OK ||
      cmox_hosted_new(call->peer, input, &hosted, &call->error) != CMOX_OK) {
    cmox_rpc_fail(call);
    return;
  }
  cmox_created(call, hosted);
}

static bool is_unverified(const cmox_hosted_t *hosted) {
  return cmox_session_phase(hosted->session) == CMOX_PHASE_REPLAY;
}

static void answer_deleted(cmox_rpc_call_t *call, cmox_hosted_t *hosted,
                           Cmdmox__V1__VerifyResponse *verification) {
  Cmdmox__V1__DeleteSessionResponse response = CMDMOX__V1__DELETE_SESSION_RESPONSE__INIT;
  response.unverified = verification || is_unverified(hosted);
  response.verification = verification;
  if (!verification) cmox_hosted_end(hosted);
  cmox_rpc_answer(&response.base, call);
  if (verification) cmox_hosted_end(hosted); /* which it was borrowed from */
}

static void after_drain(cmox_rpc_call_t *call);

HANDLER(delete_session, DeleteSession) {
  UNUSED_SERVICE;
  if (input->verify) {
    after_drain(data);
    return;
  }
  cmox_hosted_t *hosted = cmox_hosted_of(data, input->session_id);
  if (hosted) answer_deleted(data, hosted, NULL);
}

/* One step without actions; false: the request has been failed. */
static bool step(cmox_rpc_call_t *call, cmox_hosted_t *hosted, cmox_event_t *event) {
  if (cmox_hosted_step(hosted, event, &call->error) == CMOX_OK) return true;
  cmox_rpc_fail(call);
  return false;
}

/* What passes through, and what is watched, is what the code under test would find by now. */
static cmox_code_t follow_path(cmox_hosted_t *hosted, const Cmdmox__V1__ReplayRequest *input,
                               cmox_error_t *error) {
  if (input->path_presence_case != CMDMOX__V1__REPLAY_REQUEST__PATH_PRESENCE_PATH) return CMOX_OK;
  cmox_code_t code = check_path(input->path, error);
  if (code != CMOX_OK) return code;
  const cmox_rpc_host_t *host = &hosted->rpc->host;
  const cmox_span_t path = cmox_from_bytes(input->path);
  char *copy = cmox_strndup(path.data, path.len);
  if (!copy) return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
  if (host->follow_path) code = host->follow_path(hosted->site, path, error);
  if (code == CMOX_OK) {
    cmox_free_block(hosted->path);
    hosted->path = copy;
  } else {
    cmox_free_block(copy);
  }
  return code;
}

HANDLER(replay, Replay) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  const cmox_rpc_host_t *host = &call->peer->rpc->host;
  cmox_event_t event = {.kind = CMOX_EVENT_REPLAY, .note = *input->failure ? input->failure : NULL};
  cmox_error_t wrong = {.code = CMOX_OK};
  if (!event.note && (follow_path(hosted, input, &wrong) != CMOX_OK ||
                      host->check_shims(hosted->site, &wrong) != CMOX_OK))
    event.note = wrong.message;
  if (!step(call, hosted, &event)) return;
  if (wrong.code != CMOX_OK) {
    call->error = wrong;
    cmox_rpc_fail(call);
    return;
  }
  if (!event.note && host->begin_replay) host->begin_replay(hosted->site);
  Cmdmox__V1__ReplayResponse response = CMDMOX__V1__REPLAY_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

/* ---- Doubles ------------------------------------------------------------------ */

HANDLER(register_commands, RegisterCommands) {
  UNUSED_SERVICE;
  (void)input;
  cmox_register_now(data);
}

HANDLER(allow_commands, AllowCommands) {
  UNUSED_SERVICE;
  (void)input;
  cmox_allow_now(data);
}

HANDLER(make_absent, MakeAbsent) {
  UNUSED_SERVICE;
  (void)input;
  cmox_absent_now(data);
}

static cmox_code_t check_double(const cmox_hosted_t *hosted, const Cmdmox__V1__Double *from,
                                cmox_facets_t *facets, cmox_error_t *error) {
  if (from->kind == CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_UNSPECIFIED)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "a double needs a kind: stub, mock or spy");
  if (from->kind < CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB ||
      from->kind > CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_SPY)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know double kind %d",
                     (int)from->kind);
  cmox_code_t code = cmox_convert_facets(from, facets, error);
  if (code != CMOX_OK) return code;
  code = cmox_session_check(hosted->session, (cmox_double_kind_t)from->kind, facets, error);
  if (code != CMOX_OK) return code;
  return hosted->rpc->host.add_shim(hosted->site, cmox_from_bytes(from->command), error);
}

static cmox_code_t declare(cmox_hosted_t *hosted, const Cmdmox__V1__Double *from,
                           cmox_facets_t *facets, uint64_t *id, cmox_error_t *error) {
  cmox_event_t event = {
      .kind = CMOX_EVENT_DECLARE, .command = cmox_from_bytes(from->command), .facets = facets};
  event.declared.kind = (cmox_double_kind_t)from->kind;
  if (from->location && from->location->file[0])
    event.declared.source = (cmox_source_t){from->location->file, from->location->line};
  cmox_code_t code = cmox_hosted_step(hosted, &event, error);
  *id = hosted->actions.double_id;
  return code;
}

/* All are checked before the first is declared. */
static cmox_code_t declare_all(cmox_hosted_t *hosted, const Cmdmox__V1__CreateDoublesRequest *input,
                               cmox_facets_t *facets, uint64_t *ids, cmox_error_t *error) {
  cmox_code_t code = CMOX_OK;
  for (size_t i = 0; i < input->n_doubles && code == CMOX_OK; i++)
    code = check_double(hosted, input->doubles[i], &facets[i], error);
  for (size_t i = 0; i < input->n_doubles && code == CMOX_OK; i++)
    code = declare(hosted, input->doubles[i], &facets[i], &ids[i], error);
  return code;
}

HANDLER(create_doubles, CreateDoubles) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  cmox_facets_t *facets = cmox_calloc(input->n_doubles, sizeof *facets);
  uint64_t *ids = cmox_calloc(input->n_doubles, sizeof *ids);
  cmox_code_t code = facets && ids
                         ? declare_all(hosted, input, facets, ids, &call->error)
                         : cmox_fail(&call->error, CMOX_E_NO_MEMORY, "doubles: out of memory");
  for (size_t i = 0; facets && i < input->n_doubles; i++) cmox_facets_clear(&facets[i]);
  if (code == CMOX_OK) {
    Cmdmox__V1__CreateDoublesResponse response = CMDMOX__V1__CREATE_DOUBLES_RESPONSE__INIT;
    response.double_ids = ids;
    response.n_double_ids = input->n_doubles;
    cmox_rpc_answer(&response.base, call);
  } else {
    cmox_rpc_fail(call);
  }
  cmox_free_block(facets);
  cmox_free_block(ids);
}

HANDLER(update_double, UpdateDouble) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  cmox_facets_t facets = {0};
  cmox_code_t code = CMOX_OK;
  if (!input->patch)
    code = cmox_fail(&call->error, CMOX_E_INVALID_ARGUMENT, "UpdateDouble needs a patch");
  if (code == CMOX_OK) code = cmox_convert_facets(input->patch, &facets, &call->error);
  cmox_event_t event = {
      .kind = CMOX_EVENT_REFINE, .double_id = input->double_id, .facets = &facets};
  if (code == CMOX_OK) code = cmox_hosted_step(hosted, &event, &call->error);
  cmox_facets_clear(&facets);
  if (code != CMOX_OK) {
    cmox_rpc_fail(call);
    return;
  }
  Cmdmox__V1__UpdateDoubleResponse response = CMDMOX__V1__UPDATE_DOUBLE_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

HANDLER(set_default_action, SetDefaultAction) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  cmox_answer_t answer = {0};
  cmox_event_t event = {.kind = CMOX_EVENT_DEFAULT, .answer = input->action ? &answer : NULL};
  cmox_code_t code = CMOX_OK;
  if (input->action) code = cmox_convert_default(input->action, &answer, &call->error);
  if (code == CMOX_OK) code = cmox_hosted_step(hosted, &event, &call->error);
  cmox_answer_clear(&answer);
  if (code != CMOX_OK) {
    cmox_rpc_fail(call);
    return;
  }
  Cmdmox__V1__SetDefaultActionResponse response = CMDMOX__V1__SET_DEFAULT_ACTION_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

HANDLER(serve_callbacks, ServeCallbacks) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  hosted->answers = call->peer;
  Cmdmox__V1__ServeCallbacksResponse response = CMDMOX__V1__SERVE_CALLBACKS_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

HANDLER(release_calls, ReleaseCalls) {
  UNUSED_SERVICE;
  cmox_rpc_call_t *call = data;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  cmox_event_t event = {.kind = CMOX_EVENT_RELEASE, .gate = input->gate};
  if (!step(call, hosted, &event)) return;
  Cmdmox__V1__ReleaseCallsResponse response = CMDMOX__V1__RELEASE_CALLS_RESPONSE__INIT;
  response.released = hosted->actions.count;
  cmox_hosted_act(hosted);
  cmox_rpc_answer(&response.base, call);
}

/* ---- After the shims have been heard ------------------------------------------- */

/* The text says it all; what is beside it gives way when the answer would not fit a frame. */
static void fit_frame(Cmdmox__V1__VerifyResponse *response) {
  const size_t most = CMOX_FRAME_MAX_DEFAULT / 2;
  if (cmdmox__v1__verify_response__get_packed_size(response) <= most) return;
  for (size_t i = 0; i < response->n_findings; i++) response->findings[i]->n_differences = 0;
  size_t size = cmdmox__v1__verify_response__get_packed_size(response);
  while (size > most && response->n_findings > 1) {
    Cmdmox__V1__Finding *last = response->findings[--response->n_findings];
    size -= cmdmox__v1__finding__get_packed_size(last);
    cmox_free_block(last);
  }
}

/* Verifies the session; `answer` is to answer with the outcome, which is gone after it. */
static void verify_session(cmox_rpc_call_t *call, cmox_hosted_t *hosted,
                           cmox_report_options_t options,
                           void (*answer)(cmox_rpc_call_t *call, cmox_hosted_t *hosted,
                                          Cmdmox__V1__VerifyResponse *response)) {
  const cmox_rpc_host_t *host = &call->peer->rpc->host;
  cmox_event_t event = {.kind = CMOX_EVENT_VERIFY};
  if (host->site_reach) event.reach = host->site_reach(hosted->site);
  cmox_error_t changed;
  if (host->check_shims(hosted->site, &changed) != CMOX_OK) event.note = changed.message;
  if (!step(call, hosted, &event)) return;
  const cmox_findings_t *findings = cmox_session_findings(hosted->session);
  Cmdmox__V1__VerifyResponse response = CMDMOX__V1__VERIFY_RESPONSE__INIT;
  options.label = cmox_session_label(hosted->session);
  char *text = cmox_report(findings, &options);
  cmox_code_t code = text ? cmox_convert_findings(findings, &response, &call->error)
                          : cmox_fail(&call->error, CMOX_E_NO_MEMORY, "report: out of memory");
  if (code == CMOX_OK) {
    response.passed = cmox_findings_passed(findings);
    response.text = text;
    fit_frame(&response);
    answer(call, hosted, &response);
    cmox_convert_findings_clear(&response);
  } else {
    cmox_rpc_fail(call);
  }
  cmox_free_block(text);
}

static void answer_verified(cmox_rpc_call_t *call, cmox_hosted_t *hosted,
                            Cmdmox__V1__VerifyResponse *response) {
  (void)hosted;
  cmox_rpc_answer(&response->base, call);
}

static void verify_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__VerifyRequest *input = (const Cmdmox__V1__VerifyRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  const cmox_report_options_t options = {.format = (cmox_report_format_t)input->format,
                                         .color = input->color};
  verify_session(call, hosted, options, answer_verified);
}

static void delete_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__DeleteSessionRequest *input =
      (const Cmdmox__V1__DeleteSessionRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  const cmox_report_options_t options = {.format = CMOX_REPORT_TEXT};
  const bool replayed = cmox_session_phase(hosted->session) != CMOX_PHASE_RECORD;
  if (replayed && !cmox_session_is_judged(hosted->session))
    verify_session(call, hosted, options, answer_deleted);
  else
    answer_deleted(call, hosted, NULL);
}

static void count_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__GetCallCountRequest *input =
      (const Cmdmox__V1__GetCallCountRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  if (cmox_session_check_double(hosted->session, input->double_id, &call->error) != CMOX_OK) {
    cmox_rpc_fail(call);
    return;
  }
  Cmdmox__V1__GetCallCountResponse response = CMDMOX__V1__GET_CALL_COUNT_RESPONSE__INIT;
  response.count =
      cmox_session_call_count(hosted->session, input->double_id, cmox_from_bytes(input->command));
  cmox_rpc_answer(&response.base, call);
}

static void on_drained(void *data) {
  cmox_rpc_call_t *call = data;
  cmox_rpc_t *rpc = call->peer->rpc;
  const ProtobufCMessageDescriptor *type = call->method->input;
  if (type == &cmdmox__v1__verify_request__descriptor)
    verify_now(call);
  else if (type == &cmdmox__v1__delete_session_request__descriptor)
    delete_now(call);
  else if (type == &cmdmox__v1__list_invocations_request__descriptor)
    cmox_list_now(call);
  else if (type == &cmdmox__v1__assert_calls_request__descriptor)
    cmox_assert_now(call);
  else
    count_now(call);
  rpc->open_handles--;
  cmox_rpc_check_closed(rpc);
}

static void after_drain(cmox_rpc_call_t *call) {
  cmox_rpc_t *rpc = call->peer->rpc;
  rpc->open_handles++;
  if (cmox_transport_drain(rpc->loop, on_drained, call) == CMOX_OK) return;
  rpc->open_handles--;
  (void)cmox_fail(&call->error, CMOX_E_NO_MEMORY, "out of memory");
  cmox_rpc_fail(call);
}

HANDLER(verify, Verify) {
  UNUSED_SERVICE;
  (void)input;
  after_drain(data);
}

HANDLER(list_invocations, ListInvocations) {
  UNUSED_SERVICE;
  (void)input;
  after_drain(data);
}

HANDLER(get_call_count, GetCallCount) {
  UNUSED_SERVICE;
  (void)input;
  after_drain(data);
}

HANDLER(assert_calls, AssertCalls) {
  UNUSED_SERVICE;
  (void)input;
  after_drain(data);
}

HANDLER(read_call_stdin, ReadCallStdin) {
  UNUSED_SERVICE;
  (void)input;
  cmox_read_stdin_now(data); /* what a client knows of a call has come before */
}

/* ---- Not built yet: dispatch refuses these before they are reached ---------------- */

#define UNIMPLEMENTED(name, Message)                                     \
  HANDLER(name, Message) {                                               \
    UNUSED_SERVICE;                                                      \
    (void)input;                                                         \
    cmox_rpc_call_t *call = data;                                        \
    (void)cmox_fail(&call->error, CMOX_E_UNIMPLEMENTED, "%s", #Message); \
    cmox_rpc_fail(call);                                                 \
  }

UNIMPLEMENTED(load_fixture, LoadFixture)
UNIMPLEMENTED(save_fixture, SaveFixture)

const Cmdmox__V1__ControlService_Service cmox_control_service =
    CMDMOX__V1__CONTROL_SERVICE__INIT(control_);
