/* A snapshot of the journal: all pages are fetched and kept, measured, and copied
 * into one block, so that one free ends it and every byte string has a NUL behind it.
 *
 * A page that is too complex for one message is asked for again with half as
 * many calls. Any other failure gives an empty list with its code. */
#include <string.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

#define PAGE_CALLS 64u

typedef Cmdmox__V1__ListInvocationsResponse page_t;

typedef struct pages {
  page_t **items;
  size_t count;
  size_t capacity;
} pages_t;

static cmox_invocations_t no_memory = {.code = CMOX_E_NO_MEMORY};

static cmox_code_t ask_page(cmox_t *mox, uint64_t double_id, uint32_t calls,
                            const ProtobufCBinaryData *token, page_t **page, cmox_error_t *error) {
  Cmdmox__V1__ListInvocationsRequest request = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.double_id = double_id;
  request.page_size = calls;
  if (token) request.page_token = *token;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "ListInvocations", &request.base, &response, error);
  *page = (page_t *)response;
  return code;
}

static cmox_code_t fetch(cmox_t *mox, uint64_t double_id, pages_t *pages, cmox_error_t *error) {
  uint32_t calls = PAGE_CALLS;
  for (;;) {
    const page_t *last = pages->count ? pages->items[pages->count - 1] : NULL;
    if (last && last->next_page_token.len == 0) return CMOX_OK;
    page_t **grown = cmox_grow(pages->items, &pages->capacity, pages->count + 1, sizeof *grown);
    if (!grown) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
    pages->items = grown;
    page_t *page;
    cmox_code_t code =
        ask_page(mox, double_id, calls, last ? &last->next_page_token : NULL, &page, error);
    if (code == CMOX_E_TOO_COMPLEX && calls > 1) {
      calls /= 2;
      continue;
    }
    if (code != CMOX_OK) return code;
    pages->items[pages->count++] = page;
  }
}

static void drop(pages_t *pages) {
  for (size_t i = 0; i < pages->count; i++) cmox_wire_free(&pages->items[i]->base);
  cmox_free_block(pages->items);
}

/* ---- Measuring and copying, in the same order --------------------------- */

/* Two runs over the pages: the first with blocks NULL counts, the second fills. */
typedef struct arena {
  cmox_invocation_t *calls;
  cmox_injected_t *injected;
  cmox_bytes_t *strings;
  char *text;
  bool filling;
  size_t call_count, injected_count, string_count, text_len;
} arena_t;

static const char *put_text(arena_t *arena, const void *data, size_t len) {
  char *at = arena->filling ? arena->text + arena->text_len : NULL;
  arena->text_len += len + 1;
  if (!at) return NULL;
  if (len) memcpy(at, data, len);
  at[len] = '\0';
  return at;
}

static cmox_bytes_t put_bytes(arena_t *arena, ProtobufCBinaryData data) {
  return (cmox_bytes_t){put_text(arena, data.data, data.len), data.len};
}

static const cmox_bytes_t *put_list(arena_t *arena, const ProtobufCBinaryData *items,
                                    size_t count) {
  cmox_bytes_t *list = arena->filling ? arena->strings + arena->string_count : NULL;
  arena->string_count += count;
  for (size_t i = 0; i < count; i++) {
    cmox_bytes_t copy = put_bytes(arena, items[i]);
    if (list) list[i] = copy;
  }
  return list;
}

static const cmox_injected_t *put_injected(arena_t *arena, const Cmdmox__V1__Invocation *call) {
  cmox_injected_t *list = arena->filling ? arena->injected + arena->injected_count : NULL;
  arena->injected_count += call->n_injected;
  for (size_t i = 0; i < call->n_injected; i++) {
    const Cmdmox__V1__EnvChange *from = call->injected[i];
    bool removed = from->change_case != CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
    cmox_bytes_t name = put_bytes(arena, from->name);
    const ProtobufCBinaryData none = {0};
    cmox_bytes_t value = put_bytes(arena, removed ? none : from->value);
    if (list) list[i] = (cmox_injected_t){name, value, removed};
  }
  return list;
}

static cmox_bytes_t put_stream(arena_t *arena, const Cmdmox__V1__CapturedStream *stream) {
  return put_bytes(arena, stream ? stream->data : (ProtobufCBinaryData){0});
}

static cmox_bytes_t put_digest(arena_t *arena, const Cmdmox__V1__CapturedStream *stream) {
  return put_bytes(arena, stream ? stream->digest : (ProtobufCBinaryData){0});
}

static uint64_t length_of(const Cmdmox__V1__CapturedStream *stream) {
  return stream ? stream->length : 0;
}

static void put_call(arena_t *arena, const Cmdmox__V1__Invocation *call) {
  cmox_invocation_t copy = {
      .id = call->invocation_id,
      .command = put_bytes(arena, call->command),
      .argc = call->n_argv,
      .argv = put_list(arena, call->argv, call->n_argv),
      .env_count = call->n_env_block,
      .env = put_list(arena, call->env_block, call->n_env_block),
      .cwd = put_bytes(arena, call->cwd),
      .pid = call->pid,
      .ppid = call->ppid,
      .tty_mask = call->tty_mask,
      .stdin_captured = call->stdin_capture != NULL,
      .stdin_data = put_stream(arena, call->stdin_capture),
      .stdin_truncated = call->stdin_capture && call->stdin_capture->truncated,
      .stdout_data = put_stream(arena, call->stdout_capture),
      .stderr_data = put_stream(arena, call->stderr_capture),
      .exit_code = -1,
      .start_ns = call->start_ns,
      .end_ns = call->end_ns,
      .state = (cmox_call_state_t)call->state,
      .verdict = (cmox_verdict_t)call->verdict,
      .injected_count = call->n_injected,
      .injected = put_injected(arena, call),
      .stdin_length = length_of(call->stdin_capture),
      .stdout_length = length_of(call->stdout_capture),
      .stderr_length = length_of(call->stderr_capture),
      .stdin_digest = put_digest(arena, call->stdin_capture),
      .stdout_digest = put_digest(arena, call->stdout_capture),
      .stderr_digest = put_digest(arena, call->stderr_capture),
      .stdout_written = call->stdout_written,
      .stderr_written = call->stderr_written,
      .broken_pipe = call->broken_pipe,
      .program = put_bytes(arena, call->program),
      .merged = call->merged,
      .timed_out = call->timed_out,
      .lingering = call->lingering,
      .replaced = call->replaced,
  };
  if (*call->passthrough_failure)
    copy.passthrough_failure =
        put_text(arena, call->passthrough_failure, strlen(call->passthrough_failure));
  if (call->end_case == CMDMOX__V1__INVOCATION__END_EXIT_CODE)
    copy.exit_code = (int)call->exit_code;
  if (call->end_case == CMDMOX__V1__INVOCATION__END_SIGNAL)
    copy.signal = put_text(arena, call->signal, strlen(call->signal));
  if (arena->filling) arena->calls[arena->call_count] = copy;
  arena->call_count++;
}

static void put_pages(arena_t *arena, const pages_t *pages) {
  for (size_t i = 0; i < pages->count; i++)
    for (size_t k = 0; k < pages->items[i]->n_invocations; k++)
      put_call(arena, pages->items[i]->invocations[k]);
}

static cmox_invocations_t *snapshot(const pages_t *pages, cmox_code_t code) {
  arena_t size = {.filling = false};
  put_pages(&size, pages);
  cmox_invocations_t *all = cmox_malloc(sizeof *all + size.call_count * sizeof(cmox_invocation_t) +
                                        size.injected_count * sizeof(cmox_injected_t) +
                                        size.string_count * sizeof(cmox_bytes_t) + size.text_len);
  if (!all) return &no_memory;
  cmox_invocation_t *calls = (cmox_invocation_t *)(all + 1);
  cmox_injected_t *injected = (cmox_injected_t *)(calls + size.call_count);
  cmox_bytes_t *strings = (cmox_bytes_t *)(injected + size.injected_count);
  arena_t arena = {.calls = calls,
                   .injected = injected,
                   .strings = strings,
                   .text = (char *)(strings + size.string_count),
                   .filling = true};
  put_pages(&arena, pages);
  *all = (cmox_invocations_t){.code = code, .count = size.call_count, .items = calls};
  if (pages->count) all->dropped = pages->items[0]->dropped;
  return all;
}

cmox_invocations_t *cmox_invocations_of_one(Cmdmox__V1__Invocation *call) {
  page_t page = {.n_invocations = 1, .invocations = &call};
  page_t *list = &page;
  const pages_t pages = {.items = &list, .count = 1};
  return snapshot(&pages, CMOX_OK);
}

static cmox_invocations_t *empty(cmox_code_t code) {
  const pages_t none = {0};
  return snapshot(&none, code);
}

/* double_id 0: no filter. */
static cmox_invocations_t *list(cmox_t *mox, uint64_t double_id) {
  pages_t pages = {0};
  cmox_error_t error;
  cmox_code_t code = fetch(mox, double_id, &pages, &error);
  cmox_invocations_t *all = code == CMOX_OK ? snapshot(&pages, CMOX_OK) : empty(code);
  drop(&pages);
  return all;
}

/* ---- What users call ---------------------------------------------------- */

cmox_invocations_t *cmox_journal(cmox_t *mox) {
  cmox_code_t code = cmox_enter(mox);
  if (code != CMOX_OK) return empty(code);
  cmox_invocations_t *all = list(mox, 0);
  cmox_leave(mox);
  return all;
}

cmox_invocations_t *cmox_invocations(cmox_double_t *dbl) {
  cmox_code_t code = dbl ? cmox_enter(dbl->mox) : CMOX_E_INVALID_ARGUMENT;
  if (code != CMOX_OK) return empty(code);
  cmox_invocations_t *taken = dbl->id ? list(dbl->mox, dbl->id) : empty(CMOX_E_BUILDER);
  cmox_leave(dbl->mox);
  return taken;
}

/* In the order in which they were said, the last one about a variable counts. */
const char *cmox_invocation_env(const cmox_invocation_t *call, const char *name) {
  if (!call || !name) return NULL;
  for (size_t i = call->injected_count; i-- > 0;)
    if (strcmp(call->injected[i].name.data, name) == 0)
      return call->injected[i].removed ? NULL : call->injected[i].value.data;
  size_t len = strlen(name);
  for (size_t i = 0; i < call->env_count; i++)
    if (strncmp(call->env[i].data, name, len) == 0 && call->env[i].data[len] == '=')
      return call->env[i].data + len + 1;
  return NULL;
}

void cmox_invocations_free(cmox_invocations_t *invocations) {
  if (invocations != &no_memory) cmox_free_block(invocations);
}

void cmox_invocations_cleanup_(cmox_invocations_t **invocations) {
  cmox_invocations_free(*invocations);
  *invocations = NULL;
}

uint64_t cmox_call_count(cmox_double_t *dbl) {
  if (!dbl || cmox_enter(dbl->mox) != CMOX_OK) return 0;
  uint64_t count = 0;
  if (dbl->id) {
    Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
    request.session_id = cmox_session_id(dbl->mox);
    request.double_id = dbl->id;
    cmox_error_t error;
    ProtobufCMessage *response;
    if (cmox_call(dbl->mox, "GetCallCount", &request.base, &response, &error) == CMOX_OK)
      count = ((const Cmdmox__V1__GetCallCountResponse *)response)->count;
    cmox_wire_free(response);
  }
  cmox_leave(dbl->mox);
  return count;
}
