#include "server/match/doubles.h"

#include <string.h>

#include "server/base/alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

typedef struct command_entry {
  UT_hash_handle hh;
  bool oom;
  cmox_expect_t **items;
  size_t count;
  size_t capacity;
  size_t name_len;
  uint8_t name[];
} command_entry_t;

struct cmox_doubles {
  cmox_expect_t **items; /* owned; id - 1 is the index */
  size_t count;
  size_t capacity;
  command_entry_t *commands;
};

cmox_doubles_t *cmox_doubles_new(void) { return cmox_calloc(1, sizeof(cmox_doubles_t)); }

void cmox_doubles_free(cmox_doubles_t *doubles) {
  if (!doubles) return;
  command_entry_t *entry, *next;
  HASH_ITER(hh, doubles->commands, entry, next) {
    HASH_DEL(doubles->commands, entry);
    cmox_free_block(entry->items);
    cmox_free_block(entry);
  }
  for (size_t i = 0; i < doubles->count; i++) cmox_expect_free(doubles->items[i]);
  cmox_free_block(doubles->items);
  cmox_free_block(doubles);
}

static command_entry_t *find_command(const cmox_doubles_t *doubles, cmox_span_t command) {
  command_entry_t *entry = NULL;
  HASH_FIND(hh, doubles->commands, command.data, command.len, entry);
  return entry;
}

static command_entry_t *ensure_command(cmox_doubles_t *doubles, cmox_span_t command) {
  command_entry_t *entry = find_command(doubles, command);
  if (entry) return entry;
  entry = cmox_calloc(1, sizeof *entry + command.len);
  if (!entry) return NULL;
  entry->name_len = command.len;
  memcpy(entry->name, command.data, command.len);
  HASH_ADD_KEYPTR(hh, doubles->commands, entry->name, entry->name_len, entry);
  if (!entry->oom) return entry;
  cmox_free_block(entry);
  return NULL;
}

static cmox_expect_t *expect_new(cmox_span_t command, cmox_double_kind_t kind,
                                 cmox_source_t source) {
  cmox_expect_t *expect = cmox_calloc(1, sizeof *expect);
  if (!expect) return NULL;
  expect->kind = kind;
  expect->command = cmox_span(cmox_memdup(command.data, command.len), command.len);
  expect->source = (cmox_source_t){cmox_strdup(source.file), source.line};
  if (expect->command.data && (expect->source.file || !source.file)) return expect;
  cmox_expect_free(expect);
  return NULL;
}

cmox_expect_t *cmox_doubles_add(cmox_doubles_t *doubles, cmox_span_t command,
                                cmox_double_kind_t kind, cmox_source_t source) {
  command_entry_t *entry = ensure_command(doubles, command);
  if (!entry) return NULL;
  cmox_expect_t **all =
      cmox_grow(doubles->items, &doubles->capacity, doubles->count + 1, sizeof *all);
  if (!all) return NULL;
  doubles->items = all;
  cmox_expect_t **own = cmox_grow(entry->items, &entry->capacity, entry->count + 1, sizeof *own);
  if (!own) return NULL;
  entry->items = own;
  cmox_expect_t *expect = expect_new(command, kind, source);
  if (!expect) return NULL;
  expect->id = doubles->count + 1;
  all[doubles->count++] = expect;
  own[entry->count++] = expect;
  return expect;
}

cmox_expect_t *cmox_doubles_find(const cmox_doubles_t *doubles, uint64_t id) {
  return id >= 1 && id <= doubles->count ? doubles->items[id - 1] : NULL;
}

cmox_expect_list_t cmox_doubles_all(const cmox_doubles_t *doubles) {
  return (cmox_expect_list_t){doubles->items, doubles->count};
}

cmox_expect_list_t cmox_doubles_of(const cmox_doubles_t *doubles, cmox_span_t command) {
  const command_entry_t *entry = find_command(doubles, command);
  if (!entry) return (cmox_expect_list_t){NULL, 0};
  return (cmox_expect_list_t){entry->items, entry->count};
}

static cmox_accept_t accepts(const cmox_expect_t *expect, const cmox_call_t *call) {
  cmox_accept_t invocation = cmox_expect_accepts_invocation(expect, &call->data);
  if (invocation == CMOX_REFUSES) return CMOX_REFUSES;
  cmox_accept_t stdin_too = cmox_expect_accepts_stdin(expect, call);
  return stdin_too == CMOX_ACCEPTS ? invocation : stdin_too;
}

cmox_lookup_t cmox_doubles_lookup(const cmox_doubles_t *doubles, const cmox_call_t *call) {
  cmox_expect_list_t list = cmox_doubles_of(doubles, call->data.command);
  cmox_expect_t *excess = NULL;
  cmox_expect_t *fallback = NULL;
  for (size_t i = 0; i < list.count; i++) {
    cmox_expect_t *expect = list.items[i];
    bool mock = expect->kind == CMOX_KIND_MOCK;
    if ((mock ? excess && cmox_expect_saturated(expect) : fallback != NULL)) continue;
    cmox_accept_t answer = accepts(expect, call);
    if (answer == CMOX_GIVES_UP) return (cmox_lookup_t){CMOX_LOOKUP_GAVE_UP, expect};
    if (answer == CMOX_REFUSES) continue;
    if (!mock)
      fallback = expect;
    else if (cmox_expect_saturated(expect))
      excess = expect;
    else
      return (cmox_lookup_t){CMOX_LOOKUP_TAKEN, expect};
  }
  if (excess) return (cmox_lookup_t){CMOX_LOOKUP_EXCESS, excess};
  if (fallback) return (cmox_lookup_t){CMOX_LOOKUP_TAKEN, fallback};
  return (cmox_lookup_t){CMOX_LOOKUP_UNEXPECTED, NULL};
}

static void widen(cmox_stdin_policy_t *policy, cmox_stdin_policy_t more) {
  if (more.mode == CMOX_STDIN_IGNORE) return;
  if (policy->mode != CMOX_STDIN_CAPTURE) policy->mode = more.mode;
  if (more.max_bytes > policy->max_bytes) policy->max_bytes = more.max_bytes;
  if (more.deadline_ms > policy->deadline_ms) policy->deadline_ms = more.deadline_ms;
}

cmox_stdin_policy_t cmox_doubles_gather(const cmox_doubles_t *doubles, const cmox_call_t *call) {
  cmox_stdin_policy_t policy = {CMOX_STDIN_IGNORE, 0, 0};
  cmox_expect_list_t list = cmox_doubles_of(doubles, call->data.command);
  bool matched = false;
  for (size_t i = 0; i < list.count; i++) {
    const cmox_expect_t *expect = list.items[i];
    if (!expect->facets.stdin_match.present) continue;
    if (cmox_expect_accepts_invocation(expect, &call->data) == CMOX_REFUSES) continue;
    widen(&policy, cmox_expect_stdin_policy(expect));
    matched = true;
  }
  if (matched) return policy;
  /* Nobody looks at it to decide; the one that would take the call may want it kept. */
  cmox_lookup_t lookup = cmox_doubles_lookup(doubles, call);
  if (lookup.kind == CMOX_LOOKUP_TAKEN) policy = cmox_expect_stdin_policy(lookup.expect);
  return policy;
}
