/* ControlService, what the code under test finds on its PATH: shims, real commands, nothing. */
#include "server/rpc/internal.h"

/* The variables that the code under test must have, views of the two buffers; false: memory is out.
 */
static bool put_environment(const cmox_hosted_t *hosted, cmox_buf_t text[2],
                            ProtobufCBinaryData env[2]) {
  const cmox_rpc_host_t *host = &hosted->rpc->host;
  cmox_buf_puts(&text[0], "PATH=");
  host->site_path(hosted->site, &text[0]);
  cmox_buf_printf(&text[1], "CMOX_IPC_SOCKET=unix:%s", host->site_socket(hosted->site));
  for (size_t i = 0; i < 2; i++) env[i] = cmox_to_bytes(cmox_buf_span(&text[i]));
  return !text[0].failed && !text[1].failed;
}

static void created(cmox_rpc_call_t *call, cmox_hosted_t *hosted) {
  cmox_buf_t text[2] = {CMOX_BUF_EMPTY, CMOX_BUF_EMPTY};
  ProtobufCBinaryData env[2];
  if (put_environment(hosted, text, env)) {
    Cmdmox__V1__CreateSessionResponse response = CMDMOX__V1__CREATE_SESSION_RESPONSE__INIT;
    response.session_id = cmox_to_bytes(cmox_span(hosted->id, sizeof hosted->id));
    response.shim_directory =
        cmox_to_bytes(cmox_span_str(hosted->rpc->host.site_bin(hosted->site)));
    response.env_block = env;
    response.n_env_block = 2;
    cmox_rpc_answer(&response.base, call);
  } else {
    (void)cmox_fail(&call->error, CMOX_E_NO_MEMORY, "session: out of memory");
    cmox_hosted_end(hosted);
    cmox_rpc_fail(call);
  }
  for (size_t i = 0; i < 2; i++) cmox_buf_clear(&text[i]);
}

static cmox_code_t seal(cmox_hosted_t *hosted, const ProtobufCMessage *input, size_t *done,
                        bool *more, cmox_error_t *error) {
  (void)input;
  (void)done;
  const cmox_rpc_host_t *host = &hosted->rpc->host;
  return host->seal ? host->seal(hosted->site, more, error) : CMOX_OK;
}

void cmox_created(cmox_rpc_call_t *call, cmox_hosted_t *hosted) {
  static const cmox_work_kind_t sealing = {seal, created, true};
  cmox_work_begin(hosted, call, &sealing);
}

typedef cmox_code_t (*deed_t)(cmox_site_t *site, cmox_span_t command, cmox_error_t *error);

/* Does it with each command while doubles may be declared; false: the request has been failed. */
static bool each(cmox_rpc_call_t *call, cmox_hosted_t *hosted, deed_t deed, size_t count,
                 const ProtobufCBinaryData *commands) {
  cmox_event_t event = {.kind = CMOX_EVENT_REGISTER};
  cmox_code_t code = cmox_hosted_step(hosted, &event, &call->error);
  for (size_t i = 0; i < count && code == CMOX_OK; i++)
    code = deed(hosted->site, cmox_from_bytes(commands[i]), &call->error);
  if (code != CMOX_OK) cmox_rpc_fail(call);
  return code == CMOX_OK;
}

void cmox_register_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__RegisterCommandsRequest *input =
      (const Cmdmox__V1__RegisterCommandsRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted ||
      !each(call, hosted, hosted->rpc->host.add_shim, input->n_commands, input->commands))
    return;
  Cmdmox__V1__RegisterCommandsResponse response = CMDMOX__V1__REGISTER_COMMANDS_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

void cmox_allow_now(cmox_rpc_call_t *call) {
  const Cmdmox__V1__AllowCommandsRequest *input =
      (const Cmdmox__V1__AllowCommandsRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted || !each(call, hosted, hosted->rpc->host.allow, input->n_commands, input->commands))
    return;
  Cmdmox__V1__AllowCommandsResponse response = CMDMOX__V1__ALLOW_COMMANDS_RESPONSE__INIT;
  cmox_rpc_answer(&response.base, call);
}

static cmox_code_t hide(cmox_hosted_t *hosted, const ProtobufCMessage *message, size_t *done,
                        bool *more, cmox_error_t *error) {
  const Cmdmox__V1__MakeAbsentRequest *input = (const Cmdmox__V1__MakeAbsentRequest *)message;
  for (; *done < input->n_commands; ++*done) {
    cmox_code_t code = hosted->rpc->host.make_absent(
        hosted->site, cmox_from_bytes(input->commands[*done]), more, error);
    if (code != CMOX_OK || *more) return code;
  }
  return CMOX_OK;
}

static void made_absent(cmox_rpc_call_t *call, cmox_hosted_t *hosted) {
  cmox_buf_t text[2] = {CMOX_BUF_EMPTY, CMOX_BUF_EMPTY};
  ProtobufCBinaryData env[2];
  if (put_environment(hosted, text, env)) {
    Cmdmox__V1__MakeAbsentResponse response = CMDMOX__V1__MAKE_ABSENT_RESPONSE__INIT;
    response.env_block = env;
    response.n_env_block = 2;
    cmox_rpc_answer(&response.base, call);
  } else {
    (void)cmox_fail(&call->error, CMOX_E_NO_MEMORY, "absent: out of memory");
    cmox_rpc_fail(call);
  }
  for (size_t i = 0; i < 2; i++) cmox_buf_clear(&text[i]);
}

void cmox_absent_now(cmox_rpc_call_t *call) {
  static const cmox_work_kind_t hiding = {hide, made_absent, false};
  const Cmdmox__V1__MakeAbsentRequest *input = (const Cmdmox__V1__MakeAbsentRequest *)call->input;
  cmox_hosted_t *hosted = cmox_hosted_of(call, input->session_id);
  if (!hosted) return;
  if (cmox_session_phase(hosted->session) == CMOX_PHASE_RECORD) {
    cmox_work_begin(hosted, call, &hiding);
    return;
  }
  (void)cmox_fail(&call->error, CMOX_E_BAD_STATE,
                  "absent: say it before replay: the code under test has its PATH by now");
  cmox_rpc_fail(call);
}
