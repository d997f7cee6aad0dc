/* Passthrough on the wire: what a double asks for, what the shim is told, what it reports. */
#include "server/rpc/internal.h"

/* Of the machine of the code under test, which need not be ours: whether it is there is seen when
 * it is to run. */
static bool is_absolute(cmox_span_t path) {
  const char *at = (const char *)path.data;
  return at[0] == '/' || (path.len > 2 && at[1] == ':' && (at[2] == '/' || at[2] == '\\'));
}

static cmox_code_t convert_program(ProtobufCBinaryData from, char **out, cmox_error_t *error) {
  if (from.len == 0) return CMOX_OK;
  if (memchr(from.data, 0, from.len) || !is_absolute(cmox_from_bytes(from)))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "passthrough: the program \"%.*s\" is not an absolute path; write all of it, "
                     "the code under test may be in another directory",
                     from.len > 80 ? 80 : (int)from.len, (const char *)from.data);
  *out = cmox_strndup(from.data, from.len);
  if (*out) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NO_MEMORY, "passthrough: out of memory");
}

cmox_code_t cmox_convert_passthrough(const Cmdmox__V1__Passthrough *from, cmox_answer_t *out,
                                     cmox_error_t *error) {
  if (from->search_path.len || from->n_env_changes)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "passthrough: the server fills in search_path and env_changes; set "
                     "CMOX_REAL_COMMAND_<NAME> for the code under test, or the session's path");
  out->passthrough = (cmox_passthrough_t){.capture_stdin = from->capture_stdin,
                                          .capture_stdout = from->capture_stdout,
                                          .capture_stderr = from->capture_stderr,
                                          .capture_max_bytes = from->capture_max_bytes,
                                          .timeout_ms = from->timeout_ms,
                                          .kill_after_ms = from->kill_after_ms};
  return convert_program(from->program, &out->program, error);
}

void cmox_convert_change(const cmox_env_change_t *from, Cmdmox__V1__EnvChange *to) {
  cmdmox__v1__env_change__init(to);
  to->name = cmox_to_bytes(cmox_span_str(from->name));
  if (!from->value) return;
  to->change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
  to->value = cmox_to_bytes(cmox_span(from->value, from->value_len));
}

/* ---- Down ------------------------------------------------------------------ */

/* What is isolated is a shim wherever PATH leads. The call knows, or else, where its environment
 * was cleared, the engine itself. Owned by the caller; NULL: memory is out. */
static char *search_path(const cmox_hosted_t *hosted, const cmox_call_t *call) {
  cmox_buf_t path = CMOX_BUF_EMPTY;
  const char *isolated = hosted->rpc->host.isolated;
  if (call->isolated.len) {
    cmox_buf_append_span(&path, call->isolated);
    cmox_buf_putc(&path, ':');
  } else if (isolated) {
    cmox_buf_printf(&path, "%s:", isolated);
  }
  cmox_buf_puts(&path, hosted->path);
  return cmox_buf_take_text(&path);
}

static void fill_passthrough(const cmox_call_t *call, const char *path,
                             Cmdmox__V1__Passthrough *to) {
  const cmox_passthrough_t *how = &call->passed->how;
  const cmox_span_t program = cmox_call_program(call);
  if (program.len)
    to->program = cmox_to_bytes(program);
  else
    to->search_path = cmox_to_bytes(cmox_span_str(path));
  to->capture_stdin = how->capture_stdin;
  to->capture_stdout = how->capture_stdout;
  to->capture_stderr = how->capture_stderr;
  to->capture_max_bytes = how->capture_max_bytes;
  to->timeout_ms = how->timeout_ms;
  to->kill_after_ms = how->kill_after_ms;
}

/* What the double injects, and within which commands the real one runs. */
static void fill_changes(const cmox_call_t *call, Cmdmox__V1__EnvChange *changes,
                         Cmdmox__V1__EnvChange **list, cmox_span_t within) {
  const size_t count = call->injected_count;
  for (size_t i = 0; i < count; i++) cmox_convert_change(&call->injected[i], &changes[i]);
  cmdmox__v1__env_change__init(&changes[count]);
  changes[count].name = cmox_to_bytes(cmox_span_str(CMOX_PASSTHROUGH_VARIABLE));
  changes[count].change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
  changes[count].value = cmox_to_bytes(within);
  for (size_t i = 0; i <= count; i++) list[i] = &changes[i];
}

void cmox_answer_passthrough(cmox_peer_t *peer, const cmox_call_t *call) {
  const size_t count = call->injected_count + 1;
  Cmdmox__V1__EnvChange *changes = cmox_calloc(count, sizeof *changes + sizeof(void *));
  char *path = search_path(peer->hosted, call);
  cmox_buf_t within = CMOX_BUF_EMPTY;
  cmox_buf_append_span(&within, call->passed_above);
  if (within.len) cmox_buf_putc(&within, '/');
  cmox_buf_append_span(&within, call->data.command);
  if (!changes || !path || within.failed) {
    cmox_free_block(changes);
    cmox_free_block(path);
    cmox_buf_clear(&within);
    cmox_rpc_call_t *waiting = peer->waiting;
    peer->waiting = NULL;
    if (!waiting) return;
    (void)cmox_fail(&waiting->error, CMOX_E_NO_MEMORY, "passthrough: out of memory");
    cmox_rpc_note_unanswered(peer);
    cmox_rpc_fail(waiting);
    return;
  }
  Cmdmox__V1__Passthrough passthrough = CMDMOX__V1__PASSTHROUGH__INIT;
  passthrough.n_env_changes = count;
  passthrough.env_changes = (Cmdmox__V1__EnvChange **)(void *)(changes + count);
  fill_changes(call, changes, passthrough.env_changes, cmox_buf_span(&within));
  fill_passthrough(call, path, &passthrough);
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  action.call_id = call->id;
  action.kind_case = CMDMOX__V1__ACTION__KIND_PASSTHROUGH;
  action.passthrough = &passthrough;
  cmox_answer_action(peer, &action);
  cmox_free_block(path);
  cmox_free_block(changes);
  cmox_buf_clear(&within);
}

/* ---- Up -------------------------------------------------------------------- */

static cmox_code_t convert_end(const Cmdmox__V1__ReportPassthroughRequest *from,
                               cmox_passed_report_t *out, cmox_error_t *error) {
  switch (from->end_case) {
    case CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_EXIT_CODE:
      if (from->exit_code > 255)
        return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "exit code %u is not within 0 to 255",
                         from->exit_code);
      out->exited = true;
      out->exit_code = from->exit_code;
      return CMOX_OK;
    case CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_SIGNAL:
      if (!cmox_signal_name_ok(cmox_span_str(from->signal)))
        return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "\"%.40s\" is not the name of a signal",
                         from->signal);
      out->signal = from->signal;
      return CMOX_OK;
    default:
      if (from->replaced) return CMOX_OK;
      return cmox_fail(error, CMOX_E_BAD_PAYLOAD,
                       "ReportPassthrough needs to say how the command ended");
  }
}

cmox_code_t cmox_convert_report(const Cmdmox__V1__ReportPassthroughRequest *from,
                                cmox_passed_report_t *out, cmox_error_t *error) {
  *out = (cmox_passed_report_t){.program = cmox_from_bytes(from->program),
                                .stdin_bytes = from->stdin_bytes,
                                .stdout_bytes = from->stdout_bytes,
                                .stderr_bytes = from->stderr_bytes,
                                .failure = from->failure,
                                .timed_out = from->timed_out,
                                .merged = from->merged,
                                .lingering = from->lingering,
                                .replaced = from->replaced};
  return convert_end(from, out, error);
}
