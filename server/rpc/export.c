/* The engine's nouns as messages. Each view borrows from what it shows. */
#include "server/match/explain.h"
#include "server/rpc/internal.h"

/* A journal entry with everything the message points to, in one block. */
typedef struct call_view {
  Cmdmox__V1__Invocation message; /* first: the view is the message */
  Cmdmox__V1__CapturedStream streams[3];
  uint8_t digests[3][CMOX_DIGEST_BYTES];
  const cmox_call_t *call;
  cmox_span_t lent[3]; /* by its streams; to be given back */
  char *line;
  ProtobufCBinaryData bytes[];
} call_view_t;

enum { STREAM_ROOM = 1u << 20 }; /* for the envelope and the small fields, bytes */

static void fill_list(cmox_span_list_t from, ProtobufCBinaryData *to) {
  for (size_t i = 0; i < from.count; i++) to[i] = cmox_to_bytes(from.items[i]);
}

/* An answer must fit one frame: what does not is cut, and says so. */
static void fill_stream(Cmdmox__V1__CapturedStream *to, cmox_span_t bytes, uint64_t length,
                        size_t *room) {
  cmdmox__v1__captured_stream__init(to);
  size_t shown = bytes.len < *room ? bytes.len : *room;
  *room -= shown;
  to->data = cmox_to_bytes(cmox_span(bytes.data, shown));
  to->length = length;
  to->truncated = shown < length;
}

static void fill_digest(Cmdmox__V1__CapturedStream *to, uint8_t digest[CMOX_DIGEST_BYTES]) {
  to->digest = cmox_to_bytes(cmox_span(digest, CMOX_DIGEST_BYTES));
}

static void fill_answer(call_view_t *view, size_t number, cmox_span_t bytes, size_t *room) {
  Cmdmox__V1__CapturedStream *to = &view->streams[number];
  fill_stream(to, bytes, bytes.len, room);
  if (!to->truncated) return;
  cmox_digest(bytes, view->digests[number]);
  fill_digest(to, view->digests[number]);
}

/* What was captured of a stream that is so long as the shim counted. */
static void fill_captured(call_view_t *view, size_t number, const cmox_stream_t *from,
                          uint64_t counted, size_t *room) {
  Cmdmox__V1__CapturedStream *to = &view->streams[number];
  cmox_span_t bytes = view->lent[number] = cmox_stream_bytes(from);
  fill_stream(to, bytes, counted > from->length ? counted : from->length, room);
  if (!to->truncated || to->length > from->length) return; /* of the rest nobody has a digest */
  cmox_stream_digest(from, view->digests[number]);
  fill_digest(to, view->digests[number]);
}

static void fill_exit_code(Cmdmox__V1__Invocation *to, uint32_t exit_code) {
  to->end_case = CMDMOX__V1__INVOCATION__END_EXIT_CODE;
  to->exit_code = exit_code;
}

static void fill_signal(Cmdmox__V1__Invocation *to, const char *signal) {
  to->end_case = CMDMOX__V1__INVOCATION__END_SIGNAL;
  to->signal = (char *)(uintptr_t)signal;
}

static void fill_passed(const cmox_call_t *call, call_view_t *view, size_t *room) {
  Cmdmox__V1__Invocation *to = &view->message;
  const cmox_passed_t *passed = call->passed;
  const cmox_passed_report_t *report = &passed->report;
  if (passed->how.capture_stdout || passed->how.capture_stderr) {
    fill_captured(view, 1, &passed->out, report->stdout_bytes, room);
    fill_captured(view, 2, &passed->err, report->stderr_bytes, room);
    to->stdout_capture = &view->streams[1];
    to->stderr_capture = &view->streams[2];
  }
  if (call->failure) fill_exit_code(to, CMOX_EXIT_SHIM_FAILURE);
  if (!passed->reported) return;
  to->program = cmox_to_bytes(report->program);
  to->merged = report->merged;
  to->timed_out = report->timed_out;
  to->lingering = report->lingering;
  to->replaced = report->replaced;
  to->passthrough_failure = (char *)(uintptr_t)report->failure;
  if (call->failure || report->replaced) return;
  if (report->signal) fill_signal(to, report->signal);
  if (report->exited) fill_exit_code(to, report->exit_code);
}

static void fill_outcome(const cmox_call_t *call, call_view_t *view, size_t *room) {
  Cmdmox__V1__Invocation *to = &view->message;
  const cmox_reply_data_t *reply = call->reply;
  if (!reply && call->passed && call->passed->begun) fill_passed(call, view, room);
  if (!reply || call->state == CMOX_CALL_PENDING) return;
  fill_answer(view, 1, reply->out, room);
  fill_answer(view, 2, reply->err, room);
  to->stdout_capture = &view->streams[1];
  to->stderr_capture = &view->streams[2];
  if (call->state == CMOX_CALL_LOST || reply->hang) return;
  if (reply->signal)
    fill_signal(to, reply->signal);
  else
    fill_exit_code(to, call->failure ? CMOX_EXIT_SHIM_FAILURE : reply->exit_code);
}

static void fill_stdin(const cmox_call_t *call, call_view_t *view, size_t *room) {
  if (!cmox_call_has_stdin(call)) return;
  Cmdmox__V1__CapturedStream *stream = &view->streams[0];
  const cmox_stream_t *from = &call->stdin_stream;
  view->message.stdin_capture = stream;
  if (call->asked.mode == CMOX_STDIN_IGNORE) {
    fill_captured(view, 0, from, call->passed->report.stdin_bytes, room);
    return;
  }
  view->lent[0] = cmox_stream_bytes(from);
  fill_stream(stream, view->lent[0], from->length, room);
  if (stream->truncated && call->asked.mode != CMOX_STDIN_DRAIN) {
    cmox_stream_digest(from, view->digests[0]);
    fill_digest(stream, view->digests[0]);
  }
  stream->truncated |= call->stdin_end != CMOX_STDIN_EOF || call->asked.mode == CMOX_STDIN_DRAIN;
  stream->stdin_end = (Cmdmox__V1__StdinEnd)call->stdin_end; /* same numbers; checked in tests */
}

/* Behind the byte strings of the view. */
static void fill_injected(const cmox_call_t *call, call_view_t *view, size_t bytes) {
  size_t count = call->injected_count;
  Cmdmox__V1__EnvChange **list = (Cmdmox__V1__EnvChange **)(void *)(view->bytes + bytes);
  Cmdmox__V1__EnvChange *changes = (Cmdmox__V1__EnvChange *)(void *)(list + count);
  for (size_t i = 0; i < count; i++) {
    cmox_convert_change(&call->injected[i], &changes[i]);
    list[i] = &changes[i];
  }
  view->message.injected = list;
  view->message.n_injected = count;
}

cmox_code_t cmox_convert_call(const cmox_call_t *call, Cmdmox__V1__Invocation **out,
                              cmox_error_t *error) {
  const cmox_invocation_data_t *data = &call->data;
  size_t bytes = data->argv.count + data->env.count;
  size_t changes =
      call->injected_count * (sizeof(Cmdmox__V1__EnvChange) + sizeof(Cmdmox__V1__EnvChange *));
  call_view_t *view = cmox_calloc(1, sizeof *view + bytes * sizeof(ProtobufCBinaryData) + changes);
  if (!view) return cmox_fail(error, CMOX_E_NO_MEMORY, "journal: out of memory");
  Cmdmox__V1__Invocation *to = &view->message;
  cmdmox__v1__invocation__init(to);
  view->call = call;
  to->invocation_id = call->id;
  to->double_id = call->double_id;
  to->command = cmox_to_bytes(data->command);
  to->argv = view->bytes;
  to->n_argv = data->argv.count;
  fill_list(data->argv, to->argv);
  to->env_block = view->bytes + data->argv.count;
  to->n_env_block = data->env.count;
  fill_list(data->env, to->env_block);
  fill_injected(call, view, bytes);
  to->cwd = cmox_to_bytes(data->cwd);
  to->pid = data->pid;
  to->ppid = data->ppid;
  to->tty_mask = data->tty_mask;
  to->start_ns = call->start_ns;
  to->end_ns = call->end_ns;
  to->state = (Cmdmox__V1__CallState)call->state;
  to->verdict = (Cmdmox__V1__CallVerdict)call->verdict;
  to->stdout_written = call->stdout_written;
  to->stderr_written = call->stderr_written;
  to->broken_pipe = call->broken_pipe;
  size_t used = cmdmox__v1__invocation__get_packed_size(to) + STREAM_ROOM;
  size_t room = used < CMOX_FRAME_MAX_DEFAULT ? CMOX_FRAME_MAX_DEFAULT - used : 0;
  fill_stdin(call, view, &room);
  fill_outcome(call, view, &room);
  *out = to;
  return CMOX_OK;
}

cmox_code_t cmox_convert_line(Cmdmox__V1__Invocation *message, cmox_error_t *error) {
  call_view_t *view = (call_view_t *)message;
  cmox_buf_t line = CMOX_BUF_EMPTY;
  cmox_describe_call(&line, view->call);
  view->line = cmox_buf_take_text(&line);
  if (!view->line) return cmox_fail(error, CMOX_E_NO_MEMORY, "journal: out of memory");
  message->line = view->line;
  return CMOX_OK;
}

void cmox_convert_call_clear(Cmdmox__V1__Invocation *message) {
  if (!message) return;
  call_view_t *view = (call_view_t *)message;
  cmox_stream_done(&view->call->stdin_stream, view->lent[0]);
  if (view->call->passed) {
    cmox_stream_done(&view->call->passed->out, view->lent[1]);
    cmox_stream_done(&view->call->passed->err, view->lent[2]);
  }
  cmox_free_block(view->line);
  cmox_free_block(view);
}

/* ---- Findings --------------------------------------------------------------- */

/* One finding with everything its message points to, in one block. */
typedef struct finding_view {
  Cmdmox__V1__Finding message;
  Cmdmox__V1__Location location;
  uint64_t *call_ids;
  Cmdmox__V1__Difference **rows;
} finding_view_t;

static void fill_rows(const cmox_finding_t *finding, finding_view_t *view,
                      Cmdmox__V1__Difference *differences) {
  for (size_t i = 0; i < finding->difference_count; i++) {
    const cmox_difference_t *from = &finding->differences[i];
    cmdmox__v1__difference__init(&differences[i]);
    differences[i].subject = from->subject;
    differences[i].expected = from->expected;
    differences[i].actual = from->actual;
    differences[i].equal = from->equal;
    view->rows[i] = &differences[i];
  }
  view->message.differences = view->rows;
  view->message.n_differences = finding->difference_count;
}

static void fill_expectation(const cmox_expect_t *expect, finding_view_t *view) {
  Cmdmox__V1__Finding *to = &view->message;
  cmox_count_t count = cmox_expect_count(expect);
  to->double_id = expect->id;
  to->actual_count = expect->taken;
  to->expected_minimum = count.minimum;
  if (count.maximum != CMOX_COUNT_UNBOUNDED) {
    to->expected_upper_case = CMDMOX__V1__FINDING__EXPECTED_UPPER_EXPECTED_MAXIMUM;
    to->expected_maximum = count.maximum;
  }
  if (!expect->source.file) return;
  cmdmox__v1__location__init(&view->location);
  view->location.file = expect->source.file;
  view->location.line = expect->source.line;
  to->location = &view->location;
}

static void fill_calls(const cmox_finding_t *finding, finding_view_t *view) {
  if (!finding->call) return;
  view->call_ids[0] = finding->call->id;
  const size_t others = cmox_finding_listed(finding);
  for (size_t i = 0; i < others; i++) view->call_ids[i + 1] = finding->others[i];
  view->message.invocation_ids = view->call_ids;
  view->message.n_invocation_ids = others + 1;
  view->message.calls = finding->other_count + 1;
}

static Cmdmox__V1__Finding *finding_view(const cmox_finding_t *finding) {
  size_t rows = finding->difference_count;
  size_t calls = cmox_finding_listed(finding) + 1;
  finding_view_t *view = cmox_calloc(
      1, sizeof *view + rows * (sizeof(Cmdmox__V1__Difference *) + sizeof(Cmdmox__V1__Difference)) +
             calls * sizeof *view->call_ids);
  if (!view) return NULL;
  Cmdmox__V1__Finding *to = &view->message;
  cmdmox__v1__finding__init(to);
  to->kind = (Cmdmox__V1__FindingKind)finding->kind;
  to->advisory = finding->advisory;
  to->message = finding->message;
  if (finding->suggestion) to->suggestion = finding->suggestion;
  if (finding->hint) to->hint = finding->hint;
  if (finding->expect) fill_expectation(finding->expect, view);
  view->call_ids = (uint64_t *)(void *)(view + 1);
  Cmdmox__V1__Difference *differences = (Cmdmox__V1__Difference *)(void *)(view->call_ids + calls);
  view->rows = (Cmdmox__V1__Difference **)(void *)(differences + rows);
  fill_calls(finding, view);
  fill_rows(finding, view, differences);
  return to;
}

cmox_code_t cmox_convert_findings(const cmox_findings_t *findings, Cmdmox__V1__VerifyResponse *out,
                                  cmox_error_t *error) {
  out->findings = cmox_calloc(findings->count, sizeof *out->findings);
  for (size_t i = 0; out->findings && i < findings->count; i++) {
    out->findings[i] = finding_view(&findings->items[i]);
    if (!out->findings[i]) break;
    out->n_findings++;
  }
  if (out->findings && out->n_findings == findings->count) return CMOX_OK;
  cmox_convert_findings_clear(out);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "verify: out of memory");
}

void cmox_convert_findings_clear(Cmdmox__V1__VerifyResponse *response) {
  for (size_t i = 0; response->findings && i < response->n_findings; i++)
    cmox_free_block(response->findings[i]);
  cmox_free_block(response->findings);
  response->findings = NULL;
  response->n_findings = 0;
}
