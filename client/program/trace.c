/* cmdmox trace: every command that another one runs.
 *
 * A contained session in which every call is passed through: each program of PATH is a shim, which
 * runs the real one and waits for it. Nothing of its streams goes through us: a time limit of
 * weeks, and not a capture, is what has the shim stay to see the end. The journal is the trace.
 *
 * What goes around PATH is not seen. */
#include "client/program/trace.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/program/child.h"
#include "client/program/embedded.h"
#include "client/program/files.h"
#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/json/json.h"
#include "server/model/mask.h"
#include "server/wire/wire.h"

enum { SHOWN_MAX = 160 }; /* bytes of an argument in the table */

const cmox_option_t cmox_trace_options[] = {
    {.id = CMOX_TRACE_JSON,
     .name = "--json",
     .help = "As JSON: the calls as messages of the schema, without their environments."},
    {.id = CMOX_TRACE_OUTPUT,
     .name = "--output",
     .letter = "-o",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "Write it there; else to stderr."},
    {.id = CMOX_TRACE_ONLY,
     .name = "--only",
     .operand = "NAME",
     .many = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .help = "Only calls of this command; several are said one by one."},
    {0},
};

/* ---- The calls ------------------------------------------------------------------ */

typedef struct calls {
  ProtobufCMessage **pages; /* as they came */
  size_t page_count;
  Cmdmox__V1__Invocation **items; /* those that are wanted */
  size_t count;
  ProtobufCBinaryData *masked; /* arguments that replace the ones that came */
  size_t masked_count;
} calls_t;

static void calls_clear(calls_t *calls) {
  for (size_t i = 0; i < calls->page_count; i++) cmox_wire_free(calls->pages[i]);
  for (size_t i = 0; i < calls->masked_count; i++) cmox_free_block(calls->masked[i].data);
  free(calls->pages);
  free(calls->items);
  free(calls->masked);
}

static bool is_wanted(const cmox_arguments_t *arguments, const Cmdmox__V1__Invocation *call) {
  bool any = false;
  for (size_t i = 0; i < arguments->given_count; i++) {
    if (arguments->given[i].option->id != CMOX_TRACE_ONLY) continue;
    any = true;
    if (cmox_span_equal(cmox_from_bytes(call->command), cmox_span_str(arguments->given[i].value)))
      return true;
  }
  return !any;
}

/* Arguments as reports show them. False: memory is out. */
static bool mask(calls_t *calls, Cmdmox__V1__Invocation *call) {
  const size_t count = call->n_argv;
  cmox_span_t *args = calloc(count + 1, sizeof *args);
  ProtobufCBinaryData *masked =
      realloc(calls->masked, (calls->masked_count + count + 1) * sizeof *masked);
  if (masked) calls->masked = masked;
  bool done = args && masked;
  for (size_t i = 0; done && i < count; i++) args[i] = cmox_from_bytes(call->argv[i]);
  for (size_t i = 0; done && i < count; i++) {
    cmox_buf_t out = CMOX_BUF_EMPTY;
    if (!cmox_mask_argument((cmox_span_list_t){args, count}, i, &out)) continue;
    done = !out.failed;
    calls->masked[calls->masked_count++] = call->argv[i] = cmox_to_bytes(cmox_buf_span(&out));
  }
  free(args);
  return done;
}

/* Takes over the page. */
static bool take_page(calls_t *calls, const cmox_arguments_t *arguments, ProtobufCMessage *page) {
  Cmdmox__V1__ListInvocationsResponse *list = (Cmdmox__V1__ListInvocationsResponse *)page;
  ProtobufCMessage **pages = realloc(calls->pages, (calls->page_count + 1) * sizeof *pages);
  Cmdmox__V1__Invocation **items =
      realloc(calls->items, (calls->count + list->n_invocations + 1) * sizeof *items);
  if (pages) calls->pages = pages;
  if (items) calls->items = items;
  if (!pages || !items) {
    cmox_wire_free(page);
    return false;
  }
  pages[calls->page_count++] = page;
  for (size_t i = 0; i < list->n_invocations; i++) {
    Cmdmox__V1__Invocation *call = list->invocations[i];
    if (!is_wanted(arguments, call)) continue;
    if (!mask(calls, call)) return false;
    call->n_env_block = 0;
    items[calls->count++] = call;
  }
  return true;
}

static int read_calls(cmox_embedded_t *session, const cmox_arguments_t *arguments, calls_t *calls) {
  Cmdmox__V1__ListInvocationsRequest request = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  request.session_id = session->id;
  do {
    ProtobufCMessage *page = NULL;
    int status = cmox_embedded_call(session, "ListInvocations", &request.base, &page);
    if (status != 0) return status;
    if (!take_page(calls, arguments, page)) return cmox_no_memory();
    request.page_token = ((Cmdmox__V1__ListInvocationsResponse *)page)->next_page_token;
  } while (request.page_token.len > 0);
  return 0;
}

/* ---- As a table ------------------------------------------------------------------ */

static void put_status(cmox_buf_t *out, const Cmdmox__V1__Invocation *call) {
  char text[32] = "runs"; /* yet */
  if (call->end_case == CMDMOX__V1__INVOCATION__END_EXIT_CODE)
    (void)snprintf(text, sizeof text, "%u", call->exit_code);
  else if (call->end_case == CMDMOX__V1__INVOCATION__END_SIGNAL)
    (void)snprintf(text, sizeof text, "%.20s", call->signal);
  else if (call->state == CMDMOX__V1__CALL_STATE__CALL_STATE_LOST)
    (void)snprintf(text, sizeof text, "killed");
  cmox_buf_printf(out, "%8s  ", text);
}

static void put_call(cmox_buf_t *out, const Cmdmox__V1__Invocation *call, uint64_t begin_ns) {
  const double start = call->start_ns > begin_ns ? (double)(call->start_ns - begin_ns) / 1e6 : 0;
  cmox_buf_printf(out, "%4llu %9.1f ", (unsigned long long)call->invocation_id, start);
  if (call->end_ns > call->start_ns)
    cmox_buf_printf(out, "%9.1f ", (double)(call->end_ns - call->start_ns) / 1e6);
  else
    cmox_buf_printf(out, "%9s ", "-");
  put_status(out, call);
  cmox_quote_shell(out, cmox_from_bytes(call->command), SHOWN_MAX);
  for (size_t i = 1; i < call->n_argv; i++) {
    cmox_buf_putc(out, ' ');
    cmox_quote_shell(out, cmox_from_bytes(call->argv[i]), SHOWN_MAX);
  }
  cmox_buf_putc(out, '\n');
}

static void put_table(cmox_buf_t *out, const calls_t *calls, uint64_t begin_ns) {
  if (calls->count == 0) {
    cmox_buf_puts(out, "no command was called by its name\n");
    return;
  }
  cmox_buf_puts(out, "call  start ms   took ms   status  command\n");
  for (size_t i = 0; i < calls->count; i++) put_call(out, calls->items[i], begin_ns);
}

static bool put_json(cmox_buf_t *out, const calls_t *calls) {
  Cmdmox__V1__ListInvocationsResponse list = CMDMOX__V1__LIST_INVOCATIONS_RESPONSE__INIT;
  list.invocations = calls->items;
  list.n_invocations = calls->count;
  return cmox_message_to_json(&list.base, true, out);
}

static int tell(const cmox_verb_t *verb, const cmox_arguments_t *arguments, const calls_t *calls,
                uint64_t begin_ns) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  bool done = true;
  if (cmox_given(arguments, CMOX_TRACE_JSON))
    done = put_json(&out, calls);
  else
    put_table(&out, calls, begin_ns);
  const char *path = cmox_given(arguments, CMOX_TRACE_OUTPUT);
  const int status = done && !out.failed
                         ? cmox_file_write(verb, path ? path : "-", out.data, out.len)
                         : cmox_no_memory();
  cmox_buf_clear(&out);
  return status;
}

/* ---- The session ----------------------------------------------------------------- */

static int declare(cmox_embedded_t *session) {
  Cmdmox__V1__Document document = CMDMOX__V1__DOCUMENT__INIT;
  Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
  Cmdmox__V1__Passthrough passthrough = CMDMOX__V1__PASSTHROUGH__INIT;
  passthrough.timeout_ms = UINT32_MAX;
  action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  action.passthrough = &passthrough;
  document.default_action = &action;
  const cmox_written_t nowhere = {0};
  return cmox_embedded_declare(session, &document, &nowhere);
}

/* On the clock of the journal. */
static uint64_t now_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int trace_in_session(cmox_embedded_t *session, const cmox_arguments_t *arguments) {
  int status = declare(session);
  if (status == 0) status = cmox_embedded_replay(session);
  if (status != 0) return status;
  char **environment = cmox_embedded_environment(session);
  if (!environment) return cmox_code_exit_status(CMOX_E_NO_MEMORY);
  const uint64_t begin_ns = now_ns();
  const cmox_child_t child = {.command = arguments->words,
                              .environment = environment,
                              .input = -1,
                              .waits = session->verb->name};
  const cmox_child_end_t end = cmox_child_run(&child);
  cmox_free_block(environment);
  if (end.error) {
    (void)fprintf(stderr, "cmdmox %s: %s: %s\n", session->verb->name, arguments->words[0],
                  strerror(end.error));
    return end.status;
  }
  calls_t calls = {0};
  status = read_calls(session, arguments, &calls);
  if (status == 0) status = tell(session->verb, arguments, &calls, begin_ns);
  calls_clear(&calls);
  return status ? status : end.status;
}

int cmox_verb_trace(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  if (arguments->word_count == 0) return cmox_usage_error(verb, "say which command is to run");
  Cmdmox__V1__DocumentSession settings = CMDMOX__V1__DOCUMENT_SESSION__INIT;
  settings.contained = true;
  const char *path = cmox_given(arguments, CMOX_TRACE_OUTPUT);
  int status = path ? cmox_file_check(verb, path) : 0;
  if (status != 0) return status;
  cmox_embedded_t session;
  status = cmox_embedded_open(&session, verb, &settings, NULL);
  if (status == 0) status = trace_in_session(&session, arguments);
  cmox_embedded_close(&session);
  return status;
}
