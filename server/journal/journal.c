#include "server/journal/journal.h"

#include <string.h>

#include "server/base/alloc.h"

/* uthash must report a failed allocation instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

/* One stored environment; its bytes joined by NUL are the hash key. */
typedef struct env_entry {
  UT_hash_handle hh;
  bool oom;
  size_t calls; /* that have it */
  cmox_span_list_t list;
  size_t key_len;
  uint8_t *key;
} env_entry_t;

/* One kept call, found by its invocation key. */
typedef struct entry {
  UT_hash_handle hh;
  bool oom;
  cmox_call_t *call;
  env_entry_t *env;
} entry_t;

/* How many calls of a command were let go. */
typedef struct gone_entry {
  UT_hash_handle hh;
  bool oom;
  uint64_t count;
  size_t name_len;
  uint8_t name[];
} gone_entry_t;

struct cmox_journal {
  uint64_t bound;    /* 0: none */
  uint64_t total;    /* calls there have been; the last one's id */
  entry_t **entries; /* owned; in the order of ids, from `first` on */
  size_t first;
  size_t count;
  size_t capacity;
  env_entry_t *envs;
  env_entry_t *latest_env; /* commonly the next call's too */
  entry_t *keys;
  gone_entry_t *gone;
};

cmox_journal_t *cmox_journal_new(uint64_t bound) {
  cmox_journal_t *journal = cmox_calloc(1, sizeof *journal);
  if (journal) journal->bound = bound;
  return journal;
}

void cmox_journal_free(cmox_journal_t *journal) {
  if (!journal) return;
  env_entry_t *env, *next_env;
  HASH_ITER(hh, journal->envs, env, next_env) {
    HASH_DEL(journal->envs, env);
    cmox_free_block(env);
  }
  gone_entry_t *gone, *next_gone;
  HASH_ITER(hh, journal->gone, gone, next_gone) {
    HASH_DEL(journal->gone, gone);
    cmox_free_block(gone);
  }
  HASH_CLEAR(hh, journal->keys);
  for (size_t i = 0; i < journal->count; i++) {
    entry_t *entry = journal->entries[journal->first + i];
    cmox_call_free(entry->call);
    cmox_free_block(entry);
  }
  cmox_free_block(journal->entries);
  cmox_free_block(journal);
}

static bool is_kept(cmox_span_t entry) {
  return !cmox_span_starts_with(entry, cmox_span_str("CMOX_"));
}

static env_entry_t *env_entry_new(cmox_span_list_t env) {
  size_t count = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < env.count; i++)
    if (is_kept(env.items[i])) {
      count++;
      bytes += env.items[i].len + 1;
    }
  env_entry_t *entry = cmox_malloc(sizeof *entry + count * sizeof(cmox_span_t) + bytes);
  if (!entry) return NULL;
  cmox_span_t *items = (cmox_span_t *)(entry + 1);
  *entry =
      (env_entry_t){.list = {items, count}, .key_len = bytes, .key = (uint8_t *)(items + count)};
  uint8_t *at = entry->key;
  for (size_t i = 0; i < env.count; i++) {
    cmox_span_t from = env.items[i];
    if (!is_kept(from)) continue;
    if (from.len) memcpy(at, from.data, from.len);
    at[from.len] = '\0';
    *items++ = cmox_span(at, from.len);
    at += from.len + 1;
  }
  return entry;
}

static bool is_stored_as(const env_entry_t *entry, cmox_span_list_t env) {
  size_t kept = 0;
  for (size_t i = 0; i < env.count; i++) {
    if (!is_kept(env.items[i])) continue;
    if (kept == entry->list.count || !cmox_span_equal(env.items[i], entry->list.items[kept]))
      return false;
    kept++;
  }
  return kept == entry->list.count;
}

/* The stored environment that equals env; NULL when memory is out. */
static env_entry_t *intern_env(cmox_journal_t *journal, cmox_span_list_t env) {
  if (journal->latest_env && is_stored_as(journal->latest_env, env)) return journal->latest_env;
  env_entry_t *entry = env_entry_new(env);
  if (!entry) return NULL;
  env_entry_t *known = NULL;
  HASH_FIND(hh, journal->envs, entry->key, entry->key_len, known);
  if (known) {
    cmox_free_block(entry);
    return journal->latest_env = known;
  }
  HASH_ADD_KEYPTR(hh, journal->envs, entry->key, entry->key_len, entry);
  if (entry->oom) {
    cmox_free_block(entry);
    return NULL;
  }
  return journal->latest_env = entry;
}

static void release_env(cmox_journal_t *journal, env_entry_t *env) {
  if (!env || --env->calls > 0) return;
  if (journal->latest_env == env) journal->latest_env = NULL;
  HASH_DEL(journal->envs, env);
  cmox_free_block(env);
}

static void entry_free(cmox_journal_t *journal, entry_t *entry) {
  release_env(journal, entry->env);
  cmox_call_free(entry->call);
  cmox_free_block(entry);
}

/* ---- Letting go --------------------------------------------------------------- */

/* Nothing can happen to it any more, and verification has nothing to say of it. */
static bool is_settled(const cmox_call_t *call) {
  const cmox_passed_t *passed = call->passed;
  if (passed && cmox_passed_is_remarkable(passed)) return false;
  return call->verdict == CMOX_VERDICT_ACCEPTED && call->state == CMOX_CALL_COMPLETED &&
         !call->breach && !call->failure && !call->callback_failure && !call->unexpected_why &&
         !call->held;
}

static bool is_listed(const cmox_journal_t *journal, uint64_t id) {
  return journal->bound == 0 || journal->total - id < journal->bound;
}

static bool count_gone(cmox_journal_t *journal, cmox_span_t command) {
  gone_entry_t *gone = NULL;
  HASH_FIND(hh, journal->gone, command.data, command.len, gone);
  if (!gone) {
    gone = cmox_calloc(1, sizeof *gone + command.len);
    if (!gone) return false;
    gone->name_len = command.len;
    if (command.len) memcpy(gone->name, command.data, command.len);
    HASH_ADD_KEYPTR(hh, journal->gone, gone->name, gone->name_len, gone);
    if (gone->oom) {
      cmox_free_block(gone);
      return false;
    }
  }
  gone->count++;
  return true;
}

/* Without memory to remember it by, a call stays. */
static void let_go(cmox_journal_t *journal, size_t index) {
  entry_t **at = &journal->entries[journal->first];
  entry_t *entry = at[index];
  if (!is_settled(entry->call) || !count_gone(journal, entry->call->data.command)) return;
  memmove(at + 1, at, index * sizeof(entry_t *)); /* few: those that verification needs */
  journal->first++;
  journal->count--;
  HASH_DEL(journal->keys, entry);
  entry_free(journal, entry);
}

void cmox_journal_settle(cmox_journal_t *journal, cmox_call_t *call) {
  if (!is_listed(journal, call->id)) let_go(journal, cmox_journal_from(journal, call->id));
}

/* ---- Adding --------------------------------------------------------------------- */

static bool make_room(cmox_journal_t *journal) {
  if (journal->first && journal->first + journal->count == journal->capacity) {
    memmove(journal->entries, journal->entries + journal->first,
            journal->count * sizeof(entry_t *));
    journal->first = 0;
  }
  entry_t **grown = cmox_grow(journal->entries, &journal->capacity,
                              journal->first + journal->count + 1, sizeof(entry_t *));
  if (grown) journal->entries = grown;
  return grown != NULL;
}

static entry_t *entry_new(cmox_journal_t *journal, const cmox_invocation_data_t *data) {
  env_entry_t *env = intern_env(journal, data->env);
  if (!env) return NULL;
  env->calls++;
  entry_t *entry = cmox_calloc(1, sizeof *entry);
  cmox_call_t *call = entry ? cmox_call_new(data) : NULL;
  if (!call) {
    cmox_free_block(entry);
    release_env(journal, env);
    return NULL;
  }
  entry->call = call;
  entry->env = env;
  HASH_ADD_KEYPTR(hh, journal->keys, call->data.key, CMOX_INVOCATION_KEY_BYTES, entry);
  if (!entry->oom) return entry;
  entry_free(journal, entry);
  return NULL;
}

cmox_call_t *cmox_journal_add(cmox_journal_t *journal, const cmox_invocation_data_t *data,
                              uint64_t now_ns) {
  if (!make_room(journal)) return NULL;
  entry_t *entry = entry_new(journal, data);
  if (!entry) return NULL;
  cmox_call_t *call = entry->call;
  call->id = ++journal->total;
  call->start_ns = now_ns;
  call->data.env = entry->env->list;
  journal->entries[journal->first + journal->count++] = entry;
  if (journal->bound && journal->total > journal->bound) {
    cmox_call_t *pushed_out = cmox_journal_find(journal, journal->total - journal->bound);
    if (pushed_out) cmox_journal_settle(journal, pushed_out);
  }
  return call;
}

/* ---- Asking ---------------------------------------------------------------------- */

uint64_t cmox_journal_total(const cmox_journal_t *journal, cmox_span_t command) {
  if (command.len == 0) return journal->total;
  gone_entry_t *gone = NULL;
  HASH_FIND(hh, journal->gone, command.data, command.len, gone);
  uint64_t total = gone ? gone->count : 0;
  for (size_t i = 0; i < journal->count; i++)
    total += cmox_span_equal(cmox_journal_at(journal, i)->data.command, command);
  return total;
}

size_t cmox_journal_count(const cmox_journal_t *journal) { return journal->count; }

size_t cmox_journal_listed(const cmox_journal_t *journal) {
  if (journal->bound == 0 || journal->total <= journal->bound) return 0;
  return cmox_journal_from(journal, journal->total - journal->bound + 1);
}

size_t cmox_journal_from(const cmox_journal_t *journal, uint64_t id) {
  if (journal->count == journal->total) /* none is gone: call n stands at n - 1 */
    return id <= 1 ? 0 : id - 1 < journal->count ? (size_t)(id - 1) : journal->count;
  size_t low = 0;
  for (size_t high = journal->count; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (cmox_journal_at(journal, middle)->id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

cmox_call_t *cmox_journal_at(const cmox_journal_t *journal, size_t index) {
  return journal->entries[journal->first + index]->call;
}

cmox_call_t *cmox_journal_find(const cmox_journal_t *journal, uint64_t id) {
  size_t index = cmox_journal_from(journal, id);
  if (index == journal->count) return NULL;
  cmox_call_t *call = cmox_journal_at(journal, index);
  return call->id == id ? call : NULL;
}

cmox_call_t *cmox_journal_find_key(const cmox_journal_t *journal, const uint8_t *key) {
  entry_t *entry = NULL;
  HASH_FIND(hh, journal->keys, key, CMOX_INVOCATION_KEY_BYTES, entry);
  return entry ? entry->call : NULL;
}
