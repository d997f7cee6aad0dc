/* The file comes first, then the flags: doubles behind those of the file, names behind its names,
 * and what there is once in place of what the file says. */
#include "client/program/run_document.h"

#include <stdlib.h>
#include <string.h>

#include "client/program/files.h"
#include "client/program/split.h"
#include "server/base/quote.h"
#include "server/json/json.h"
#include "server/wire/wire.h"

const cmox_option_t cmox_run_doubles[] = {
    {.id = CMOX_RUN_DOUBLES,
     .name = "--doubles",
     .letter = "-f",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "Doubles, and the rest of what these options say, as JSON; -: stdin, and the command "
             "has none."},
    {.id = CMOX_RUN_MOCK,
     .name = "--mock",
     .operand = "'COMMAND ARG...'",
     .many = true,
     .help = "A command with its arguments that must be called, once unless it says otherwise; "
             "the command alone: with any arguments. The words are split as a shell does it, and "
             "nothing is expanded. Options that follow are about this double."},
    {.id = CMOX_RUN_STUB,
     .name = "--stub",
     .operand = "'COMMAND ARG...'",
     .many = true,
     .help = "One that may be called any number of times."},
    {.id = CMOX_RUN_SPY,
     .name = "--spy",
     .operand = "'COMMAND ARG...'",
     .many = true,
     .help = "The same."},
    {0},
};

const cmox_option_t cmox_run_others[] = {
    {.id = CMOX_RUN_CONTAINED,
     .name = "--contained",
     .help = "Nothing else of PATH runs; the command that is run is looked up outside."},
    {.id = CMOX_RUN_ALLOW,
     .name = "--allow",
     .operand = "NAME",
     .many = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .help = "Of what is contained, this runs."},
    {.id = CMOX_RUN_ABSENT,
     .name = "--absent",
     .operand = "NAME",
     .many = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .help = "This looks as if it were not installed."},
    {.id = CMOX_RUN_REGISTER,
     .name = "--register",
     .operand = "NAME",
     .many = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .help = "No call of this is expected."},
    {.id = CMOX_RUN_DEFAULT_PASSTHROUGH,
     .name = "--default-passthrough",
     .help = "Calls that no double accepts run the real command."},
    {.id = CMOX_RUN_MAX_JOURNAL,
     .name = "--max-journal-entries",
     .operand = "N",
     .help = "Keep the last N calls; else all."},
    {.id = CMOX_RUN_LABEL,
     .name = "--label",
     .operand = "TEXT",
     .help = "What reports call the test; else the command."},
    {.id = CMOX_RUN_TIMEOUT,
     .name = "--timeout",
     .operand = "SECONDS",
     .help =
         "End the command and all that it has started when it takes longer: TERM, and 5 s later "
         "KILL; the status is 5."},
    {.id = CMOX_RUN_JSON,
     .name = "--json",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "Write the report as JSON, also when all is well; -: to stderr, instead of the text."},
    {.id = CMOX_RUN_JUNIT,
     .name = "--junit",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "The same as JUnit XML."},
    {.id = CMOX_RUN_TAP,
     .name = "--tap",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "The same as TAP."},
    {.id = CMOX_RUN_QUIET, .name = "--quiet", .letter = "-q", .help = "No report on stderr."},
    {.id = CMOX_RUN_PRINT,
     .name = "--print",
     .help = "Print what is said here as a file for --doubles, and run nothing."},
    {0},
};

/* ---- The file ---------------------------------------------------------------- */

/* Where all stands that the engine may refuse later. False: memory is out. */
static bool note_lines(cmox_run_document_t *document, const char *name, cmox_span_t text) {
  const Cmdmox__V1__Document *file = document->file;
  static const char *const lists[3] = {"register", "allow", "absent"};
  const size_t counts[3] = {file->n_register_, file->n_allow, file->n_absent};
  cmox_written_t *written = &document->written;
  document->lines = calloc(file->n_doubles + 1, sizeof *document->lines);
  if (!document->lines) return false;
  cmox_json_lines(text, "doubles", document->lines, file->n_doubles);
  *written = (cmox_written_t){.file = name, .lines = document->lines, .count = file->n_doubles};
  for (size_t i = 0; i < 3; i++) {
    uint32_t *lines = calloc(counts[i] + 1, sizeof *lines);
    if (!lines) return false;
    cmox_json_lines(text, lists[i], lines, counts[i]);
    written->name_lines[i] = document->name_lines[i] = lines;
    written->name_counts[i] = counts[i];
  }
  if (file->default_action) written->default_line = cmox_json_line(text, "default_action");
  if (file->session) written->session_line = cmox_json_line(text, "session");
  return true;
}

static int read_document(cmox_run_document_t *document, const cmox_verb_t *verb, const char *path,
                         cmox_span_t text) {
  const char *name = document->file_is_stdin ? "stdin" : path;
  cmox_error_t error;
  ProtobufCMessage *message = NULL;
  if (cmox_message_from_json(&cmdmox__v1__document__descriptor, name, text, &message, &error) !=
      CMOX_OK) {
    (void)fprintf(stderr, "cmdmox %s: %s\n", verb->name, error.message);
    return cmox_code_exit_status(CMOX_E_BAD_DOCUMENT);
  }
  document->file = (Cmdmox__V1__Document *)message;
  return note_lines(document, name, text) ? 0 : cmox_no_memory();
}

static int read_file(cmox_run_document_t *document, const cmox_verb_t *verb, const char *path) {
  document->file_is_stdin = strcmp(path, "-") == 0;
  cmox_buf_t text = CMOX_BUF_EMPTY;
  int status = cmox_file_read(verb, path, &text);
  if (status == 0) status = read_document(document, verb, path, cmox_buf_span(&text));
  cmox_buf_clear(&text);
  return status;
}

/* ---- Flags ------------------------------------------------------------------- */

/* The highest position of the default sequence in the file, which flags continue. */
static uint32_t last_position(const Cmdmox__V1__Document *file) {
  uint32_t last = 0;
  for (size_t i = 0; file && i < file->n_doubles; i++) {
    const Cmdmox__V1__SequenceList *list = file->doubles[i]->sequences;
    for (size_t k = 0; list && k < list->n_steps; k++)
      if (!list->steps[k]->sequence[0] && list->steps[k]->position > last)
        last = list->steps[k]->position;
  }
  return last;
}

/* Ends the double that is being declared, if any. */
static int finish_draft(cmox_run_document_t *document, const cmox_verb_t *verb) {
  if (document->draft_count == 0) return 0;
  uint32_t position = last_position(document->file);
  for (size_t i = 0; i < document->draft_count; i++)
    position += cmox_draft_in_order(&document->drafts[i]);
  return cmox_draft_finish(&document->drafts[document->draft_count - 1], verb, position);
}

static int begin_draft(cmox_run_document_t *document, const cmox_verb_t *verb,
                       const cmox_given_t *given) {
  int status = finish_draft(document, verb);
  if (status != 0) return status;
  size_t count = 0;
  const char *why = NULL;
  char **words = cmox_split(given->value, &count, &why);
  if (!words) return cmox_usage_error(verb, "%s %s: %s", given->option->name, given->value, why);
  const Cmdmox__V1__DoubleKind kind =
      given->option->id == CMOX_RUN_MOCK   ? CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_MOCK
      : given->option->id == CMOX_RUN_STUB ? CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB
                                           : CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_SPY;
  status = cmox_draft_begin(&document->drafts[document->draft_count++], verb, kind, words, count);
  free(words);
  return status;
}

static int read_flags(cmox_run_document_t *document, const cmox_verb_t *verb,
                      const cmox_arguments_t *arguments) {
  int status = 0;
  for (size_t i = 0; i < arguments->given_count && status == 0; i++) {
    const cmox_given_t *given = &arguments->given[i];
    const int id = given->option->id;
    if (id == CMOX_RUN_MOCK || id == CMOX_RUN_STUB || id == CMOX_RUN_SPY)
      status = begin_draft(document, verb, given);
    else if (cmox_is_double_flag(given->option) && document->draft_count == 0)
      status = cmox_usage_error(verb, "%s is about a double: put it behind --mock, --stub or --spy",
                                given->option->name);
    else if (cmox_is_double_flag(given->option))
      status = cmox_draft_take(&document->drafts[document->draft_count - 1], verb, given);
  }
  return status == 0 ? finish_draft(document, verb) : status;
}

/* ---- Both -------------------------------------------------------------------- */

/* The names of the file and those of the flags. *owned is the list of both. */
static bool join_names(const cmox_arguments_t *arguments, int id, ProtobufCBinaryData **owned,
                       ProtobufCBinaryData **names, size_t *count) {
  ProtobufCBinaryData *all = calloc(*count + arguments->given_count + 1, sizeof *all);
  if (!all) return false;
  if (*count) memcpy(all, *names, *count * sizeof *all);
  for (size_t i = 0; i < arguments->given_count; i++) {
    const cmox_given_t *given = &arguments->given[i];
    if (given->option->id == id) all[(*count)++] = cmox_to_bytes(cmox_span_str(given->value));
  }
  *names = *owned = all;
  return true;
}

static bool join_doubles(cmox_run_document_t *document) {
  Cmdmox__V1__Document *all = &document->all;
  Cmdmox__V1__Double **doubles =
      calloc(all->n_doubles + document->draft_count + 1, sizeof(Cmdmox__V1__Double *));
  if (!doubles) return false;
  if (all->n_doubles) memcpy(doubles, all->doubles, all->n_doubles * sizeof *doubles);
  for (size_t i = 0; i < document->draft_count; i++)
    doubles[all->n_doubles++] = document->drafts[i].message;
  all->doubles = document->doubles = doubles;
  return true;
}

static int join_session(cmox_run_document_t *document, const cmox_verb_t *verb,
                        const cmox_arguments_t *arguments) {
  Cmdmox__V1__DocumentSession *session = &document->session;
  cmdmox__v1__document_session__init(session);
  bool present = document->all.session != NULL;
  if (present) *session = *document->all.session;
  if (cmox_given(arguments, CMOX_RUN_CONTAINED)) session->contained = present = true;
  const char *label = cmox_given(arguments, CMOX_RUN_LABEL);
  if (label && !cmox_is_utf8(cmox_span_str(label)))
    return cmox_usage_error(verb, "--label: it must be UTF-8");
  if (label) session->label = (char *)(uintptr_t)label, present = true;
  uint64_t most = 0;
  if (!cmox_given_number(verb, arguments, CMOX_RUN_MAX_JOURNAL, 1, UINT64_MAX, 0, &most))
    return CMOX_EXIT_USAGE;
  if (most > 0) {
    present = true;
    session->journal_bound_case = CMDMOX__V1__DOCUMENT_SESSION__JOURNAL_BOUND_MAX_JOURNAL_ENTRIES;
    session->max_journal_entries = most;
  }
  if (present) document->all.session = session;
  return 0;
}

static void pass_by_default(cmox_run_document_t *document) {
  cmdmox__v1__passthrough__init(&document->passthrough);
  document->passthrough.capture_stdout = document->passthrough.capture_stderr = true;
  cmdmox__v1__double_action__init(&document->default_action);
  document->default_action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  document->default_action.passthrough = &document->passthrough;
  document->all.default_action = &document->default_action;
  document->written.default_line = 0;
}

int cmox_run_document_read(cmox_run_document_t *document, const cmox_verb_t *verb,
                           const cmox_arguments_t *arguments) {
  *document = (cmox_run_document_t){.all = CMDMOX__V1__DOCUMENT__INIT};
  document->drafts = calloc(arguments->given_count + 1, sizeof *document->drafts);
  if (!document->drafts) return cmox_no_memory();
  const char *path = cmox_given(arguments, CMOX_RUN_DOUBLES);
  int status = path ? read_file(document, verb, path) : 0;
  if (status == 0) status = read_flags(document, verb, arguments);
  if (status != 0) return status;
  Cmdmox__V1__Document *all = &document->all;
  if (document->file) *all = *document->file;
  status = join_session(document, verb, arguments);
  if (status != 0) return status;
  if (cmox_given(arguments, CMOX_RUN_DEFAULT_PASSTHROUGH)) pass_by_default(document);
  const bool joined =
      join_doubles(document) &&
      join_names(arguments, CMOX_RUN_REGISTER, &document->names[0], &all->register_,
                 &all->n_register_) &&
      join_names(arguments, CMOX_RUN_ALLOW, &document->names[1], &all->allow, &all->n_allow) &&
      join_names(arguments, CMOX_RUN_ABSENT, &document->names[2], &all->absent, &all->n_absent);
  return joined ? 0 : cmox_no_memory();
}

bool cmox_run_document_locate(cmox_run_document_t *document) {
  const size_t count = document->file ? document->file->n_doubles : 0;
  document->locations = calloc(count + 1, sizeof *document->locations);
  for (size_t i = 0; document->locations && i < count; i++) {
    Cmdmox__V1__Double *one = document->file->doubles[i];
    if (one->location) continue;
    Cmdmox__V1__Location *location = &document->locations[i];
    cmdmox__v1__location__init(location);
    location->file = (char *)(uintptr_t)document->written.file;
    location->line = document->lines[i];
    one->location = location;
  }
  return document->locations != NULL;
}

void cmox_run_document_clear(cmox_run_document_t *document) {
  for (size_t i = 0; document->drafts && i < document->draft_count; i++)
    cmox_draft_clear(&document->drafts[i]);
  free(document->drafts);
  free(document->doubles);
  for (size_t i = 0; i < 3; i++) free(document->names[i]);
  free(document->lines);
  for (size_t i = 0; i < 3; i++) free(document->name_lines[i]);
  free(document->locations);
  if (document->file) cmox_wire_free(&document->file->base);
  *document = (cmox_run_document_t){0};
}
