/* The verbs of a session of a shell that are one request each. */
#include <cmdmox/codes.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/program/session.h"

/* ---- Commands on PATH --------------------------------------------------------- */

static int with_names(const cmox_verb_t *verb, const cmox_arguments_t *arguments,
                      int (*ask)(cmox_shell_session_t *session, size_t count,
                                 ProtobufCBinaryData *names)) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  ProtobufCBinaryData *names = cmox_shell_names(arguments->words, arguments->word_count);
  if (status == 0 && !names) status = cmox_no_memory();
  if (status == 0) status = ask(&session, arguments->word_count, names);
  free(names);
  cmox_shell_close(&session);
  return status;
}

static int ask_allow(cmox_shell_session_t *session, size_t count, ProtobufCBinaryData *names) {
  Cmdmox__V1__AllowCommandsRequest request = CMDMOX__V1__ALLOW_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  request.n_commands = count;
  request.commands = names;
  return cmox_shell_do(session, "AllowCommands", &request.base);
}

int cmox_verb_allow(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  return with_names(verb, arguments, ask_allow);
}

static int ask_register(cmox_shell_session_t *session, size_t count, ProtobufCBinaryData *names) {
  Cmdmox__V1__RegisterCommandsRequest request = CMDMOX__V1__REGISTER_COMMANDS_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  request.n_commands = count;
  request.commands = names;
  return cmox_shell_do(session, "RegisterCommands", &request.base);
}

int cmox_verb_register(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  return with_names(verb, arguments, ask_register);
}

/* ---- Calls ---------------------------------------------------------------------- */

int cmox_verb_release(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__ReleaseCallsRequest request = CMDMOX__V1__RELEASE_CALLS_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  request.gate = arguments->words[0];
  ProtobufCMessage *answer = NULL;
  if (status == 0) status = cmox_shell_call(&session, "ReleaseCalls", &request.base, &answer);
  if (status == 0 && ((const Cmdmox__V1__ReleaseCallsResponse *)answer)->released == 0)
    (void)fprintf(stderr,
                  "cmdmox release: no call waits at \"%s\"; one that comes later waits until it is "
                  "released again\n",
                  request.gate);
  cmox_wire_free(answer);
  cmox_shell_close(&session);
  return status;
}

int cmox_verb_calls(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  if (arguments->word_count) request.command = cmox_to_bytes(cmox_span_str(arguments->words[0]));
  ProtobufCMessage *answer = NULL;
  if (status == 0) status = cmox_shell_call(&session, "GetCallCount", &request.base, &answer);
  if (status == 0) {
    (void)printf("%" PRIu64 "\n", ((const Cmdmox__V1__GetCallCountResponse *)answer)->count);
    status = cmox_finish_output();
  }
  cmox_wire_free(answer);
  cmox_shell_close(&session);
  return status;
}

/* ---- The verdict ------------------------------------------------------------------ */

static Cmdmox__V1__ReportFormat format_of(const cmox_arguments_t *arguments) {
  if (cmox_given(arguments, CMOX_VERIFY_JSON)) return CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JSON;
  if (cmox_given(arguments, CMOX_VERIFY_JUNIT))
    return CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JUNIT;
  if (cmox_given(arguments, CMOX_VERIFY_TAP)) return CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_TAP;
  return CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_UNSPECIFIED;
}

/* People get what is wrong, and what is only worth a remark, on stderr; programs get all of it on
 * stdout. */
static int tell_verdict(const Cmdmox__V1__VerifyResponse *verdict, bool for_people) {
  if (!for_people) {
    (void)fputs(verdict->text, stdout);
    const int written = cmox_finish_output();
    if (written) return written;
  } else {
    (void)fputs(verdict->text, stderr); /* empty when there is nothing to tell */
  }
  return verdict->passed ? 0 : CMOX_EXIT_FAILED;
}

int cmox_verb_verify(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  request.format = format_of(arguments);
  const bool for_people = request.format == CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_UNSPECIFIED;
  request.color = for_people && isatty(STDERR_FILENO) && !getenv("NO_COLOR");
  ProtobufCMessage *answer = NULL;
  if (status == 0) status = cmox_shell_call(&session, "Verify", &request.base, &answer);
  if (status == 0) status = tell_verdict((const Cmdmox__V1__VerifyResponse *)answer, for_people);
  cmox_wire_free(answer);
  cmox_shell_close(&session);
  return status;
}
