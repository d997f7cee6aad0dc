/* cmdmox run: doubles around a command.
 *
 * 1. The flags and the file become one document (run_document.c); --print ends here.
 * 2. An engine of our own is told it, and replays.
 * 3. The command runs as our child, with the session's environment.
 * 4. The session is verified; the report goes where it is wanted. The status is the command's,
 * unless something is wrong: then 1.
 *
 * Failures before the command has run are one line and no run: real commands would be met. A
 * command that cannot be run ends as a shell has it, without a report. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/report.h"
#include "client/program/child.h"
#include "client/program/files.h"
#include "client/program/run_document.h"
#include "proto/timeout.h"
#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/json/json.h"
#include "server/wire/wire.h"

enum { NOT_RUN = 3 };

/* ---- The command --------------------------------------------------------------- */

static bool is_named(const ProtobufCBinaryData *names, size_t count, const char *command) {
  for (size_t i = 0; i < count; i++)
    if (cmox_span_equal(cmox_from_bytes(names[i]), cmox_span_str(command))) return true;
  return false;
}

/* What the document names is found where it says; all else is what it was outside, also where the
 * session is contained. */
static bool is_told_of(const Cmdmox__V1__Document *document, const char *command) {
  for (size_t i = 0; i < document->n_doubles; i++)
    if (is_named(&document->doubles[i]->command, 1, command)) return true;
  return is_named(document->register_, document->n_register_, command) ||
         is_named(document->allow, document->n_allow, command) ||
         is_named(document->absent, document->n_absent, command);
}

static cmox_child_end_t run_command(const cmox_run_document_t *document, char *const *command,
                                    char *const *environment, uint32_t timeout_ms) {
  cmox_child_t child = {.command = command,
                        .environment = environment,
                        .on_its_path = is_told_of(&document->all, command[0]),
                        .input = -1,
                        .timeout_ms = timeout_ms};
  if (document->file_is_stdin) child.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const cmox_child_end_t end = cmox_child_run(&child);
  if (child.input >= 0) (void)close(child.input);
  return end;
}

/* ---- The report ---------------------------------------------------------------- */

/* Writes the report in one format: its file, "-" is stderr. *passed as the engine says. */
static int write_report(cmox_embedded_t *session, Cmdmox__V1__ReportFormat format,
                        const char *path) {
  Cmdmox__V1__VerifyResponse *answer = NULL;
  int status = cmox_embedded_verify(session, format, false, &answer);
  if (status != 0) return status;
  status = cmox_file_write(session->verb, path, answer->text, strlen(answer->text));
  cmox_wire_free(&answer->base);
  return status;
}

static const struct {
  int option;
  Cmdmox__V1__ReportFormat format;
} formats[] = {{CMOX_RUN_JSON, CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JSON},
               {CMOX_RUN_JUNIT, CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JUNIT},
               {CMOX_RUN_TAP, CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_TAP}};
enum { FORMATS = sizeof formats / sizeof *formats };

static int write_reports(cmox_embedded_t *session, const cmox_arguments_t *arguments,
                         bool *on_stderr) {
  int status = 0;
  for (size_t i = 0; i < FORMATS; i++) {
    const char *path = cmox_given(arguments, formats[i].option);
    if (!path) continue;
    *on_stderr |= strcmp(path, "-") == 0;
    const int written = write_report(session, formats[i].format, path);
    if (status == 0) status = written;
  }
  return status;
}

/* What is known to fail once the command has run is said before. */
static int check_reports(const cmox_verb_t *verb, const cmox_arguments_t *arguments,
                         cmox_report_choice_t *choice) {
  cmox_error_t error;
  if (cmox_report_choose(choice, &error) != CMOX_OK) {
    (void)fprintf(stderr, "cmdmox %s: %s\n", verb->name, error.message);
    return NOT_RUN;
  }
  int status = 0;
  for (size_t i = 0; i < FORMATS && status == 0; i++) {
    const char *path = cmox_given(arguments, formats[i].option);
    if (path) status = cmox_file_check(verb, path);
  }
  return status;
}

/* Says on stderr what is wrong, and what is worth a remark. */
static int tell(cmox_embedded_t *session, const cmox_arguments_t *arguments,
                const cmox_report_choice_t *choice, bool *passed) {
  Cmdmox__V1__VerifyResponse *answer = NULL;
  int status = cmox_embedded_verify(session, choice->format, choice->color, &answer);
  if (status != 0) return status;
  *passed = answer->passed;
  bool said = cmox_given(arguments, CMOX_RUN_QUIET) || (answer->passed && answer->n_findings == 0);
  status = write_reports(session, arguments, &said);
  if (!said) (void)fputs(answer->text, stderr);
  cmox_wire_free(&answer->base);
  return status;
}

static int conclude(cmox_embedded_t *session, const cmox_arguments_t *arguments,
                    const cmox_report_choice_t *choice, const cmox_child_end_t *end) {
  const char *name = session->verb->name;
  if (end->timed_out)
    (void)fprintf(stderr, "cmdmox %s: the command took longer than %s s, and was ended\n", name,
                  cmox_given(arguments, CMOX_RUN_TIMEOUT));
  bool passed = false;
  int status = tell(session, arguments, choice, &passed);
  if (end->timed_out) return cmox_code_exit_status(CMOX_E_DEADLINE_EXCEEDED);
  if (status != 0) return status;
  if (!passed && end->status != 0 && !cmox_given(arguments, CMOX_RUN_QUIET))
    (void)fprintf(stderr, "cmdmox %s: the command ended with status %d\n", name, end->status);
  return passed ? end->status : CMOX_EXIT_FAILED;
}

/* ---- The session --------------------------------------------------------------- */

static int run_in_session(cmox_embedded_t *session, const cmox_run_document_t *document,
                          const cmox_arguments_t *arguments, uint32_t timeout_ms) {
  cmox_report_choice_t choice;
  int status = check_reports(session->verb, arguments, &choice);
  if (status == 0) status = cmox_embedded_declare(session, &document->all, &document->written);
  if (status == 0) status = cmox_embedded_replay(session);
  if (status != 0) return status;
  char **environment = cmox_embedded_environment(session);
  if (!environment) return cmox_code_exit_status(CMOX_E_NO_MEMORY);
  const cmox_child_end_t end = run_command(document, arguments->words, environment, timeout_ms);
  cmox_free_block(environment);
  if (!end.error) return conclude(session, arguments, &choice, &end);
  (void)fprintf(stderr, "cmdmox %s: %s: %s\n", session->verb->name, arguments->words[0],
                strerror(end.error));
  return end.status;
}

/* The command's name, where nobody gave another. */
static void give_label(cmox_run_document_t *document, const char *command) {
  Cmdmox__V1__DocumentSession *session = &document->session;
  const char *slash = strrchr(command, '/');
  const char *name = slash && slash[1] ? slash + 1 : command;
  if (!session->label[0] && cmox_is_utf8(cmox_span_str(name)))
    session->label = (char *)(uintptr_t)name;
  document->all.session = session;
}

static int run(cmox_run_document_t *document, const cmox_verb_t *verb,
               const cmox_arguments_t *arguments) {
  uint32_t timeout_ms = 0;
  const char *timeout = cmox_given(arguments, CMOX_RUN_TIMEOUT);
  if (timeout && !cmox_timeout_parse(timeout, &timeout_ms))
    return cmox_usage_error(verb, "--timeout %s: write seconds, such as 5 or 0.5", timeout);
  if (arguments->word_count == 0) return cmox_usage_error(verb, "say which command is to run");
  give_label(document, arguments->words[0]);
  if (!cmox_run_document_locate(document)) return cmox_code_exit_status(CMOX_E_NO_MEMORY);
  cmox_embedded_t session;
  int status = cmox_embedded_open(&session, verb, document->all.session, &document->written);
  if (status == 0) status = run_in_session(&session, document, arguments, timeout_ms);
  cmox_embedded_close(&session);
  return status;
}

static int print(const cmox_run_document_t *document) {
  cmox_buf_t text = CMOX_BUF_EMPTY;
  if (!cmox_message_to_json(&document->all.base, true, &text))
    return cmox_code_exit_status(CMOX_E_NO_MEMORY);
  cmox_print(&text);
  cmox_buf_clear(&text);
  return cmox_finish_output();
}

int cmox_verb_run(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_run_document_t document;
  int status = cmox_run_document_read(&document, verb, arguments);
  if (status == 0)
    status =
        cmox_given(arguments, CMOX_RUN_PRINT) ? print(&document) : run(&document, verb, arguments);
  cmox_run_document_clear(&document);
  return status;
}
