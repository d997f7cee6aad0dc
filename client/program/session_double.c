/* cmdmox mock, stub, spy, default and assert: what is said of calls with the flags of a double. */
#include <cmdmox/codes.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/program/double_flags.h"
#include "client/program/files.h"
#include "client/program/session.h"
#include "server/base/quote.h"
#include "server/json/json.h"

/* Takes the flags of a double from the command line. */
static int take_flags(cmox_draft_t *draft, const cmox_verb_t *verb,
                      const cmox_arguments_t *arguments) {
  for (size_t i = 0; i < arguments->given_count; i++) {
    const cmox_given_t *given = &arguments->given[i];
    if (!cmox_is_double_flag(given->option)) continue;
    const int status = cmox_draft_take(draft, verb, given);
    if (status != 0) return status;
  }
  return cmox_draft_finish(draft, verb, 0);
}

/* ---- mock, stub, spy ---------------------------------------------------------- */

static Cmdmox__V1__DoubleKind kind_of(const cmox_verb_t *verb) {
  if (strcmp(verb->name, "mock") == 0) return CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_MOCK;
  if (strcmp(verb->name, "stub") == 0) return CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB;
  return CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_SPY;
}

static int put_place(Cmdmox__V1__Double *message, const cmox_verb_t *verb, const char *place) {
  const char *colon = strrchr(place, ':');
  char *end = NULL;
  if (colon && colon > place && !colon[1]) return 0; /* a shell without LINENO, such as dash */
  const unsigned long line = colon ? strtoul(colon + 1, &end, 10) : 0;
  if (!colon || colon == place || end == colon + 1 || *end || line > UINT32_MAX)
    return cmox_usage_error(verb, "--at %s: write FILE:LINE, such as \"$0:$LINENO\"", place);
  if (message->location) cmdmox__v1__location__free_unpacked(message->location, NULL);
  message->location = calloc(1, sizeof *message->location);
  char *file = strndup(place, (size_t)(colon - place));
  if (!message->location || !file) {
    free(file);
    return cmox_no_memory();
  }
  cmdmox__v1__location__init(message->location);
  message->location->file = file;
  message->location->line = (uint32_t)line;
  return 0;
}

static int read_json(cmox_draft_t *draft, const cmox_verb_t *verb,
                     const cmox_arguments_t *arguments, const char *path) {
  if (arguments->word_count > 0)
    return cmox_usage_error(verb, "--json says it all: leave the words out");
  for (size_t i = 0; i < arguments->given_count; i++)
    if (cmox_is_double_flag(arguments->given[i].option))
      return cmox_usage_error(verb, "--json says it all: leave %s out",
                              arguments->given[i].option->name);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_error_t error;
  ProtobufCMessage *read = NULL;
  int status = cmox_file_read(verb, path, &text);
  if (status == 0 && cmox_message_from_json(&cmdmox__v1__double__descriptor,
                                            strcmp(path, "-") == 0 ? "stdin" : path,
                                            cmox_buf_span(&text), &read, &error) != CMOX_OK)
    status = cmox_shell_fail(verb->name, &error);
  cmox_buf_clear(&text);
  /* By way of its bytes: a draft is the C library's. */
  if (status == 0) cmox_wire_pack(read, &text);
  cmox_wire_free(read);
  draft->message =
      status == 0 && !text.failed ? cmdmox__v1__double__unpack(NULL, text.len, text.data) : NULL;
  cmox_buf_clear(&text);
  if (status != 0) return status;
  if (!draft->message) return cmox_no_memory();
  if (draft->message->kind == CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_UNSPECIFIED)
    draft->message->kind = kind_of(verb);
  if (draft->message->kind == kind_of(verb)) return 0;
  return cmox_usage_error(verb, "--json %s: its kind is not %s", path, verb->name);
}

static int draft_double(cmox_draft_t *draft, const cmox_verb_t *verb,
                        const cmox_arguments_t *arguments) {
  const char *json = cmox_given(arguments, CMOX_DOUBLE_JSON);
  const char *place = cmox_given(arguments, CMOX_DOUBLE_AT);
  const char *gate = cmox_given(arguments, CMOX_DOUBLE_GATE);
  int status =
      json ? read_json(draft, verb, arguments, json)
           : cmox_draft_begin(draft, verb, kind_of(verb), arguments->words, arguments->word_count);
  if (status == 0 && !json) status = take_flags(draft, verb, arguments);
  if (status == 0 && gate && json)
    status = cmox_usage_error(verb, "--json says it all: leave --gate out");
  if (status == 0 && gate) status = cmox_draft_hold(draft, gate);
  if (status == 0 && place && draft->message) status = put_place(draft->message, verb, place);
  return status;
}

/* The order of declaration is the order of the calls: who comes later has a greater id. */
static int put_in_order(cmox_shell_session_t *session, uint64_t id) {
  Cmdmox__V1__SequenceStep step = CMDMOX__V1__SEQUENCE_STEP__INIT;
  Cmdmox__V1__SequenceStep *steps[] = {&step};
  Cmdmox__V1__SequenceList sequences = CMDMOX__V1__SEQUENCE_LIST__INIT;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  Cmdmox__V1__UpdateDoubleRequest request = CMDMOX__V1__UPDATE_DOUBLE_REQUEST__INIT;
  step.position = (uint32_t)id;
  sequences.n_steps = 1;
  sequences.steps = steps;
  patch.sequences = &sequences;
  request.session_id = cmox_shell_id(session);
  request.double_id = id;
  request.patch = &patch;
  return cmox_shell_do(session, "UpdateDouble", &request.base);
}

static int declare(cmox_draft_t *draft, const cmox_verb_t *verb) {
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  request.n_doubles = 1;
  request.doubles = &draft->message;
  ProtobufCMessage *answer = NULL;
  if (status == 0) status = cmox_shell_call(&session, "CreateDoubles", &request.base, &answer);
  const Cmdmox__V1__CreateDoublesResponse *made = (const Cmdmox__V1__CreateDoublesResponse *)answer;
  if (status == 0 && cmox_draft_in_order(draft) && made->n_double_ids == 1)
    status = put_in_order(&session, made->double_ids[0]);
  cmox_wire_free(answer);
  cmox_shell_close(&session);
  return status;
}

/* ---- --function --------------------------------------------------------------- */

/* What every shell that has functions takes for the name of one, reserved words apart. */
static bool names_function(cmox_span_t name) {
  for (size_t i = 0; i < name.len; i++)
    if (!isalnum(name.data[i]) && !strchr("_-.+", name.data[i])) return false;
  return name.len > 0 && !isdigit(name.data[0]) && name.data[0] != '-';
}

/* Those of POSIX, and of bash and ksh: a function of such a name cannot be said. */
static bool is_reserved(cmox_span_t name) {
  static const char *const words[] = {"case",   "coproc", "do",   "done",     "elif", "else",
                                      "esac",   "fi",     "for",  "function", "if",   "in",
                                      "select", "then",   "time", "until",    "while"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (cmox_span_equal(name, cmox_span_str(words[i]))) return true;
  return false;
}

static int check_function(const cmox_draft_t *draft, const cmox_verb_t *verb) {
  if (draft->message && is_reserved(cmox_from_bytes(draft->message->command)))
    return cmox_usage_error(verb, "--function: %.*s is a word of the shell itself",
                            (int)draft->message->command.len,
                            (const char *)draft->message->command.data);
  if (draft->message && names_function(cmox_from_bytes(draft->message->command))) return 0;
  return cmox_usage_error(verb, "--function: a shell takes no function of such a name");
}

/* By the path of its shim: a function hides a builtin, which `command` would find. */
static int print_function(const cmox_draft_t *draft, const cmox_verb_t *verb) {
  cmox_shell_session_t session;
  int status = cmox_shell_find(&session, verb);
  if (status != 0) return status;
  const cmox_span_t name = cmox_from_bytes(draft->message->command);
  char shims[CMOX_SESSION_TEXT_MAX];
  if (!cmox_shell_shims(&session, shims)) {
    const cmox_error_t error = {CMOX_E_BAD_ADDRESS, CMOX_SESSION_VARIABLE " holds no session"};
    return cmox_shell_fail(verb->name, &error);
  }
  cmox_buf_t shim = CMOX_BUF_EMPTY;
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_puts(&shim, shims);
  cmox_buf_putc(&shim, '/');
  cmox_buf_append_span(&shim, name);
  cmox_buf_append_span(&out, name);
  cmox_buf_puts(&out, "() { ");
  cmox_quote_word(&out, cmox_buf_span(&shim));
  cmox_buf_puts(&out, " \"$@\"; }\n");
  if (out.failed || shim.failed) status = cmox_no_memory();
  if (status == 0) cmox_print(&out);
  cmox_buf_clear(&shim);
  cmox_buf_clear(&out);
  return status ? status : cmox_finish_output();
}

int cmox_verb_double(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_draft_t draft = {0};
  const bool function = cmox_given(arguments, CMOX_DOUBLE_FUNCTION) != NULL;
  int status = draft_double(&draft, verb, arguments);
  if (status == 0 && function) status = check_function(&draft, verb);
  if (status == 0) status = declare(&draft, verb);
  if (status == 0 && function) status = print_function(&draft, verb);
  cmox_draft_clear(&draft);
  return status;
}

/* ---- default --------------------------------------------------------------------- */

int cmox_verb_default(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  static char name[] = "default";
  char *const words[] = {name, NULL}; /* no command is meant */
  const bool none = cmox_given(arguments, CMOX_DEFAULT_REFUSE) != NULL;
  if (none ? arguments->given_count > 1 : arguments->given_count == 0)
    return cmox_usage_error(verb, none ? "--refuse goes without an answer" : "say what it answers");
  cmox_draft_t draft = {0};
  cmox_shell_session_t session = {.control = {.channel = {.fd = -1}}};
  int status = cmox_draft_begin(&draft, verb, CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB, words, 1);
  if (status == 0) status = take_flags(&draft, verb, arguments);
  if (status == 0) status = cmox_shell_open(&session, verb);
  Cmdmox__V1__SetDefaultActionRequest request = CMDMOX__V1__SET_DEFAULT_ACTION_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  if (status == 0 && !none && draft.message->actions)
    request.action = draft.message->actions->items[0];
  if (status == 0) status = cmox_shell_do(&session, "SetDefaultAction", &request.base);
  cmox_draft_clear(&draft);
  cmox_shell_close(&session);
  return status;
}

/* ---- assert ------------------------------------------------------------------------ */

typedef struct claim {
  Cmdmox__V1__CallAssertion alone;   /* with the command only */
  Cmdmox__V1__CallAssertion pattern; /* with arguments, too */
  bool negated;                      /* the latter */
} claim_t;

static const claim_t claims[] = {
    {CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_CALLED,
     CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_ANY_CALL, false},
    {CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_NOT_CALLED,
     CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_ANY_CALL, true},
    {CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_CALLED,
     CMDMOX__V1__CALL_ASSERTION__CALL_ASSERTION_CALLED_WITH, false},
};

static const claim_t *claim_of(const cmox_verb_t *verb) {
  if (strcmp(verb->name, "assert called") == 0) return &claims[0];
  return strcmp(verb->name, "assert not-called") == 0 ? &claims[1] : &claims[2];
}

static void say_called(char *const *words) {
  (void)fputs("cmdmox: assertion failed: there was such a call:", stderr);
  for (; *words; words++) (void)fprintf(stderr, " %s", *words);
  (void)fputs("\n   cmdmox journal lists them all\n", stderr);
}

static bool is_plain(const Cmdmox__V1__Double *pattern) {
  return !pattern->argv && !pattern->stdin_match && !pattern->env_match && !pattern->cwd_match &&
         !pattern->env_injection;
}

static int ask(cmox_shell_session_t *session, const claim_t *claim, Cmdmox__V1__Double *pattern,
               char *const *words) {
  const bool plain = is_plain(pattern);
  Cmdmox__V1__AssertCallsRequest request = CMDMOX__V1__ASSERT_CALLS_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  request.command = cmox_to_bytes(cmox_span_str(words[0]));
  request.assertion = plain ? claim->alone : claim->pattern;
  request.n_patterns = plain ? 0 : 1;
  request.patterns = &pattern;
  ProtobufCMessage *answer = NULL;
  int status = cmox_shell_call(session, "AssertCalls", &request.base, &answer);
  if (status == 0) {
    const Cmdmox__V1__AssertCallsResponse *verdict =
        (const Cmdmox__V1__AssertCallsResponse *)answer;
    const bool negated = !plain && claim->negated;
    if (verdict->passed == negated) status = CMOX_EXIT_FAILED;
    if (!verdict->passed && !negated) (void)fputs(verdict->text, stderr);
    if (verdict->passed && negated) say_called(words);
  }
  cmox_wire_free(answer);
  return status;
}

int cmox_verb_assert(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_draft_t draft = {0};
  cmox_shell_session_t session = {.control = {.channel = {.fd = -1}}};
  int status = cmox_draft_begin(&draft, verb, CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_UNSPECIFIED,
                                arguments->words, arguments->word_count);
  if (status == 0) status = take_flags(&draft, verb, arguments);
  if (status == 0) {
    free(draft.message->command.data); /* the request has it */
    draft.message->command = (ProtobufCBinaryData){0, NULL};
    status = cmox_shell_open(&session, verb);
  }
  if (status == 0) status = ask(&session, claim_of(verb), draft.message, arguments->words);
  cmox_draft_clear(&draft);
  cmox_shell_close(&session);
  return status;
}
