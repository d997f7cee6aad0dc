#include "server/model/call.h"

#include <string.h>

#include "server/base/alloc.h"

cmox_span_list_t cmox_call_args(const cmox_invocation_data_t *data) {
  if (data->argv.count == 0) return data->argv;
  return (cmox_span_list_t){data->argv.items + 1, data->argv.count - 1};
}

static cmox_span_t copy_to(uint8_t **at, cmox_span_t span) {
  cmox_span_t copy = cmox_span(*at, span.len);
  if (span.len) memcpy(*at, span.data, span.len);
  *at += span.len;
  return copy;
}

cmox_call_t *cmox_call_new(const cmox_invocation_data_t *data) {
  const cmox_span_t real = cmox_real_command(data->env, data->command);
  const cmox_span_t isolated = cmox_isolated(data->env);
  const cmox_span_t above = cmox_passthrough_above(data->env);
  size_t bytes = data->command.len + data->cwd.len + real.len + isolated.len + above.len;
  for (size_t i = 0; i < data->argv.count; i++) bytes += data->argv.items[i].len;
  size_t spans = data->argv.count * sizeof(cmox_span_t);
  cmox_call_t *call = cmox_malloc(sizeof *call + spans + bytes);
  if (!call) return NULL;
  *call = (cmox_call_t){.data = *data, .state = CMOX_CALL_PENDING};
  cmox_span_t *argv = (cmox_span_t *)(call + 1);
  uint8_t *at = (uint8_t *)argv + spans;
  for (size_t i = 0; i < data->argv.count; i++) argv[i] = copy_to(&at, data->argv.items[i]);
  call->data.argv.items = argv;
  call->data.command = copy_to(&at, data->command);
  call->data.cwd = copy_to(&at, data->cwd);
  call->real_command = copy_to(&at, real);
  call->isolated = copy_to(&at, isolated);
  call->passed_above = copy_to(&at, above);
  call->data.env = (cmox_span_list_t){NULL, 0};
  return call;
}

bool cmox_call_is_passing(const cmox_call_t *call) {
  return call->passed && call->passed->begun && !call->reply && call->state == CMOX_CALL_PENDING;
}

cmox_span_t cmox_call_program(const cmox_call_t *call) {
  return call->passed->program ? cmox_span_str(call->passed->program) : call->real_command;
}

bool cmox_call_has_stdin(const cmox_call_t *call) {
  return call->asked.mode != CMOX_STDIN_IGNORE || (call->passed && call->passed->how.capture_stdin);
}

bool cmox_call_stdin_over(const cmox_call_t *call) {
  if (call->asked.mode != CMOX_STDIN_IGNORE) return call->stdin_end != CMOX_STDIN_NOT_READ;
  return cmox_call_has_stdin(call) && call->passed->reported;
}

bool cmox_call_stdin_whole(const cmox_call_t *call) {
  const cmox_stream_t *stream = &call->stdin_stream;
  if (!cmox_call_stdin_over(call) || !cmox_stream_whole(stream)) return false;
  if (call->asked.mode != CMOX_STDIN_IGNORE) return call->stdin_end == CMOX_STDIN_EOF;
  return call->passed->report.stdin_bytes == stream->length;
}

/* ---- Injected variables -------------------------------------------------- */

static bool is_entry_of(cmox_span_t entry, cmox_span_t name) {
  return entry.len > name.len && entry.data[name.len] == '=' && cmox_span_starts_with(entry, name);
}

static size_t remove_all(cmox_span_t *items, size_t count, cmox_span_t name) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (!is_entry_of(items[i], name)) items[kept++] = items[i];
  return kept;
}

/* The first one is the one that getenv() finds. */
static size_t set(cmox_span_t *items, size_t count, cmox_span_t name, cmox_span_t entry) {
  size_t i = 0;
  while (i < count && !is_entry_of(items[i], name)) i++;
  items[i] = entry;
  return i < count ? count : count + 1;
}

static void copy_change(uint8_t **at, const cmox_env_change_t *from, cmox_env_change_t *to,
                        cmox_span_t *entry) {
  size_t name_len = strlen(from->name);
  to->name = (char *)*at;
  (void)copy_to(at, cmox_span(from->name, name_len + 1));
  if (!from->value) return;
  entry->data = *at;
  entry->len = name_len + 1 + from->value_len;
  (void)copy_to(at, cmox_span(from->name, name_len));
  (void)copy_to(at, cmox_span("=", 1));
  to->value = (char *)*at;
  to->value_len = from->value_len;
  (void)copy_to(at, cmox_span(from->value, from->value_len));
  *(*at)++ = '\0';
}

bool cmox_call_inject(cmox_call_t *call, const cmox_env_change_t *changes, size_t count) {
  if (count == 0) return true;
  size_t most = call->data.env.count + count;
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++)
    bytes += 2 * strlen(changes[i].name) + 3 + changes[i].value_len;
  cmox_env_change_t *copies =
      cmox_calloc(1, count * sizeof *copies + most * sizeof(cmox_span_t) + bytes);
  if (!copies) return false;
  cmox_span_t *items = (cmox_span_t *)(copies + count);
  uint8_t *at = (uint8_t *)(items + most);
  size_t kept = call->data.env.count;
  if (kept) memcpy(items, call->data.env.items, kept * sizeof *items);
  for (size_t i = 0; i < count; i++) {
    cmox_span_t entry = {NULL, 0};
    copy_change(&at, &changes[i], &copies[i], &entry);
    cmox_span_t name = cmox_span_str(copies[i].name);
    kept = copies[i].value ? set(items, kept, name, entry) : remove_all(items, kept, name);
  }
  call->injected = copies;
  call->injected_count = count;
  call->changed_env = (cmox_span_list_t){items, kept};
  return true;
}

cmox_span_list_t cmox_call_env(const cmox_call_t *call) {
  return call->injected ? call->changed_env : call->data.env;
}

cmox_call_t cmox_call_as_seen(const cmox_call_t *call) {
  cmox_call_t seen = *call;
  seen.data.env = cmox_call_env(call);
  return seen;
}

void cmox_call_free(cmox_call_t *call) {
  if (!call) return;
  cmox_free_block(call->injected);
  cmox_reply_unref(call->reply);
  cmox_passed_free(call->passed);
  cmox_stream_clear(&call->stdin_stream);
  cmox_free_block(call->gate);
  cmox_free_block(call->breach);
  cmox_free_block(call->failure);
  cmox_free_block(call->callback_failure);
  cmox_free_block(call->handler_name);
  cmox_said_free(call->said);
  cmox_free_block(call);
}
