#include "server/match/doubles.h"

#include <string.h>

#include "server/base/alloc.h"
#include "server/match/index.h"
#include "server/match/order.h"

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
  cmox_index_t *index;
  size_t on_stdin; /* how many of them look at stdin */
  bool asks;       /* one of them has, or had, a predicate */
  bool passes;     /* ... has the real command run */
  size_t name_len;
  uint8_t name[];
} command_entry_t;

struct cmox_doubles {
  cmox_expect_t **items; /* owned; id - 1 is the index */
  size_t count;
  size_t capacity;
  command_entry_t *commands;
  cmox_order_t *order;
};

cmox_doubles_t *cmox_doubles_new(void) {
  cmox_doubles_t *doubles = cmox_calloc(1, sizeof *doubles);
  if (!doubles) return NULL;
  doubles->order = cmox_order_new();
  if (doubles->order) return doubles;
  cmox_free_block(doubles);
  return NULL;
}

static void command_free(command_entry_t *entry) {
  cmox_index_free(entry->index);
  cmox_free_block(entry->items);
  cmox_free_block(entry);
}

void cmox_doubles_free(cmox_doubles_t *doubles) {
  if (!doubles) return;
  command_entry_t *entry, *next;
  HASH_ITER(hh, doubles->commands, entry, next) {
    HASH_DEL(doubles->commands, entry);
    command_free(entry);
  }
  cmox_order_free(doubles->order);
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
  entry->index = cmox_index_new();
  if (!entry->index) {
    command_free(entry);
    return NULL;
  }
  entry->name_len = command.len;
  memcpy(entry->name, command.data, command.len);
  HASH_ADD_KEYPTR(hh, doubles->commands, entry->name, entry->name_len, entry);
  if (!entry->oom) return entry;
  command_free(entry);
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
  if (!cmox_index_add(entry->index, expect, NULL)) {
    cmox_expect_free(expect);
    return NULL;
  }
  all[doubles->count++] = expect;
  own[entry->count++] = expect;
  return expect;
}

void cmox_doubles_drop_last(cmox_doubles_t *doubles) {
  cmox_expect_t *expect = doubles->items[--doubles->count];
  command_entry_t *entry = find_command(doubles, expect->command);
  cmox_index_remove(entry->index, expect, expect->facets.argv.argv);
  entry->count--;
  cmox_expect_free(expect);
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

bool cmox_doubles_ask(const cmox_doubles_t *doubles, cmox_span_t command) {
  const command_entry_t *entry = find_command(doubles, command);
  return entry && entry->asks;
}

bool cmox_doubles_pass(const cmox_doubles_t *doubles, cmox_span_t command) {
  const command_entry_t *entry = find_command(doubles, command);
  return entry && entry->passes;
}

static cmox_accept_t accepts_whole(const cmox_expect_t *expect, const cmox_call_t *call) {
  cmox_accept_t invocation = cmox_expect_accepts_invocation(expect, call);
  if (invocation == CMOX_REFUSES) return CMOX_REFUSES;
  cmox_accept_t stdin_too = cmox_expect_accepts_stdin(expect, call);
  return stdin_too == CMOX_ACCEPTS ? invocation : stdin_too;
}

typedef cmox_accept_t (*judge_t)(const cmox_expect_t *expect, const cmox_call_t *call);

/* A predicate is asked only where nothing else refuses: it may well rely on that. */
static cmox_accept_t judge(judge_t how, const cmox_expect_t *expect, const cmox_call_t *call) {
  cmox_accept_t answer = how(expect, call);
  if (answer != CMOX_GIVES_UP || !call->said) return answer;
  call->said->asking = true;
  (void)how(expect, call);
  call->said->asking = false;
  return answer;
}

static cmox_accept_t accepts(const cmox_expect_t *expect, const cmox_call_t *call) {
  return judge(accepts_whole, expect, call);
}

/* ---- Refining ----------------------------------------------------------- */

/* That nothing which must come before this double waits for it. */
static cmox_code_t check_cycle(const cmox_doubles_t *doubles, const cmox_expect_t *expect,
                               const cmox_after_facet_t *after, cmox_error_t *error) {
  if (after->count == 0) return CMOX_OK;
  bool *seen = cmox_calloc(doubles->count, sizeof *seen);
  size_t *waiting = cmox_calloc(doubles->count, sizeof *waiting); /* indexes to be looked at */
  size_t count = 0;
  cmox_code_t code =
      seen && waiting ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "double: out of memory");
  while (code == CMOX_OK && after) {
    for (size_t i = 0; i < after->count; i++) {
      const size_t index = (size_t)after->items[i] - 1;
      if (!seen[index]) waiting[count++] = index;
      seen[index] = true;
    }
    const cmox_expect_t *next = count ? doubles->items[waiting[--count]] : NULL;
    if (next == expect)
      code = cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                       "after: what the double is to wait for waits for the double itself, so that "
                       "none of them could ever be called");
    after = next ? &next->facets.after : NULL;
  }
  cmox_free_block(seen);
  cmox_free_block(waiting);
  return code;
}

static cmox_code_t check_after(const cmox_doubles_t *doubles, const cmox_expect_t *expect,
                               const cmox_after_facet_t *after, cmox_error_t *error) {
  for (size_t i = 0; i < after->count; i++) {
    const cmox_expect_t *before = cmox_doubles_find(doubles, after->items[i]);
    if (!before)
      return cmox_fail(error, CMOX_E_NOT_FOUND, "after: this session has no such double");
    if (before == expect)
      return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "after: a double cannot wait for itself");
  }
  return check_cycle(doubles, expect, after, error);
}

cmox_code_t cmox_doubles_refine(cmox_doubles_t *doubles, cmox_expect_t *expect,
                                cmox_facets_t *facets, cmox_error_t *error) {
  command_entry_t *entry = find_command(doubles, expect->command);
  cmox_code_t code = check_after(doubles, expect, &facets->after, error);
  if (code == CMOX_OK) code = cmox_facets_complete(&expect->facets, facets, error);
  if (code != CMOX_OK) return code;
  const cmox_argv_t *was = expect->facets.argv.argv;
  if (!cmox_order_reserve(doubles->order, &facets->order) ||
      (facets->argv.present && !cmox_index_add(entry->index, expect, facets->argv.argv)))
    return cmox_fail(error, CMOX_E_NO_MEMORY, "double: out of memory");
  if (facets->argv.present) cmox_index_remove(entry->index, expect, was);
  if (facets->order.present)
    cmox_order_move(doubles->order, expect, &expect->facets.order, &facets->order);
  bool recount = facets->has_count;
  if (facets->stdin_match.present && !expect->facets.stdin_match.present) entry->on_stdin++;
  entry->asks |= cmox_facets_ask(facets);
  entry->passes |= cmox_facets_pass(facets);
  cmox_facets_apply(&expect->facets, facets);
  if (recount) {
    cmox_index_recount(entry->index);
    cmox_order_recount(doubles->order);
  }
  return CMOX_OK;
}

/* ---- Lookup ------------------------------------------------------------- */

static const cmox_expect_t *blocker_of(cmox_doubles_t *doubles, const cmox_expect_t *expect) {
  const cmox_after_facet_t *after = &expect->facets.after;
  for (size_t i = 0; i < after->count; i++) {
    const cmox_expect_t *before = cmox_doubles_find(doubles, after->items[i]);
    if (!cmox_expect_satisfied(before)) return before;
  }
  return cmox_order_blocker(doubles->order, expect);
}

/* What refuses the call if nothing takes it. */
static cmox_lookup_t refused_by(cmox_expect_t *excess, cmox_lookup_t blocked) {
  if (blocked.expect) return blocked;
  return (cmox_lookup_t){CMOX_LOOKUP_EXCESS, excess, NULL};
}

/* The first saturated mock that accepts; *gave_up: the first of whom nobody knows. */
static cmox_expect_t *find_excess(const command_entry_t *entry, const cmox_call_t *call,
                                  cmox_expect_t **gave_up) {
  cmox_candidates_t all = cmox_index_find(entry->index, cmox_call_args(&call->data), false);
  for (cmox_expect_t *expect; (expect = cmox_candidates_next(&all));) {
    if (expect->kind != CMOX_KIND_MOCK || !cmox_expect_saturated(expect)) continue;
    cmox_accept_t answer = accepts(expect, call);
    if (answer == CMOX_ACCEPTS) return expect;
    if (answer == CMOX_GIVES_UP && !*gave_up) *gave_up = expect;
  }
  return NULL;
}

cmox_lookup_t cmox_doubles_lookup(cmox_doubles_t *doubles, const cmox_call_t *call) {
  const command_entry_t *entry = find_command(doubles, call->data.command);
  if (!entry) return (cmox_lookup_t){CMOX_LOOKUP_UNEXPECTED, NULL, NULL};
  cmox_expect_t *fallback = NULL;
  cmox_expect_t *gave_up = NULL;
  cmox_lookup_t blocked = {CMOX_LOOKUP_ORDER, NULL, NULL};
  cmox_candidates_t open = cmox_index_find(entry->index, cmox_call_args(&call->data), true);
  for (cmox_expect_t *expect; (expect = cmox_candidates_next(&open));) {
    bool mock = expect->kind == CMOX_KIND_MOCK;
    if (mock ? cmox_expect_saturated(expect) : fallback != NULL) continue;
    cmox_accept_t answer = accepts(expect, call);
    if (answer == CMOX_GIVES_UP) return (cmox_lookup_t){CMOX_LOOKUP_GAVE_UP, expect, NULL};
    if (answer == CMOX_REFUSES) continue;
    const cmox_expect_t *blocker = mock ? blocker_of(doubles, expect) : NULL;
    if (!mock)
      fallback = expect;
    else if (!blocker)
      return (cmox_lookup_t){CMOX_LOOKUP_TAKEN, expect, NULL};
    else if (!blocked.expect)
      blocked = (cmox_lookup_t){CMOX_LOOKUP_ORDER, expect, blocker};
  }
  cmox_expect_t *excess = find_excess(entry, call, &gave_up);
  if (excess) return refused_by(excess, blocked);
  if (gave_up) return (cmox_lookup_t){CMOX_LOOKUP_GAVE_UP, gave_up, NULL};
  if (fallback) return (cmox_lookup_t){CMOX_LOOKUP_TAKEN, fallback, NULL};
  if (blocked.expect) return blocked;
  return (cmox_lookup_t){CMOX_LOOKUP_UNEXPECTED, NULL, NULL};
}

void cmox_doubles_take(cmox_doubles_t *doubles, cmox_expect_t *expect) {
  expect->taken++;
  cmox_order_taken(doubles->order, expect);
}

static void widen(cmox_stdin_policy_t *policy, cmox_stdin_policy_t more) {
  if (more.mode == CMOX_STDIN_IGNORE) return;
  if (policy->mode != CMOX_STDIN_CAPTURE) policy->mode = more.mode;
  if (more.max_bytes > policy->max_bytes) policy->max_bytes = more.max_bytes;
  if (more.deadline_ms > policy->deadline_ms) policy->deadline_ms = more.deadline_ms;
}

cmox_stdin_policy_t cmox_doubles_gather(cmox_doubles_t *doubles, const cmox_call_t *call) {
  cmox_stdin_policy_t policy = {.mode = CMOX_STDIN_IGNORE};
  const command_entry_t *entry = find_command(doubles, call->data.command);
  if (!entry) return policy;
  bool matched = false;
  if (entry->on_stdin) {
    cmox_candidates_t all = cmox_index_find(entry->index, cmox_call_args(&call->data), false);
    for (cmox_expect_t *expect; (expect = cmox_candidates_next(&all));) {
      if (!expect->facets.stdin_match.present) continue;
      if (judge(cmox_expect_accepts_invocation, expect, call) == CMOX_REFUSES) continue;
      widen(&policy, cmox_expect_stdin_policy(expect));
      matched = true;
    }
  }
  if (matched) return policy;
  /* Nobody looks at it to decide; the one that would take the call may want it kept. What the real
   * command reads is its own business, and is captured while it reads. */
  cmox_lookup_t lookup = cmox_doubles_lookup(doubles, call);
  if (lookup.kind != CMOX_LOOKUP_TAKEN) return policy;
  const cmox_answer_t *answer = cmox_expect_answer(lookup.expect);
  return answer && answer->passes ? policy : cmox_expect_stdin_policy(lookup.expect);
}
