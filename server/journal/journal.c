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
  cmox_span_list_t list;
  size_t key_len;
  uint8_t *key;
} env_entry_t;

typedef struct key_entry {
  UT_hash_handle hh;
  bool oom;
  cmox_call_t *call;
} key_entry_t;

struct cmox_journal {
  cmox_call_t **calls;
  size_t count;
  size_t capacity;
  env_entry_t *envs;
  const env_entry_t *latest_env; /* commonly the next call's too */
  key_entry_t *keys;
};

cmox_journal_t *cmox_journal_new(void) { return cmox_calloc(1, sizeof(cmox_journal_t)); }

void cmox_journal_free(cmox_journal_t *journal) {
  if (!journal) return;
  env_entry_t *env, *next_env;
  HASH_ITER(hh, journal->envs, env, next_env) {
    HASH_DEL(journal->envs, env);
    cmox_free_block(env);
  }
  key_entry_t *key, *next_key;
  HASH_ITER(hh, journal->keys, key, next_key) {
    HASH_DEL(journal->keys, key);
    cmox_free_block(key);
  }
  for (size_t i = 0; i < journal->count; i++) cmox_call_free(journal->calls[i]);
  cmox_free_block(journal->calls);
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

/* The stored list that equals env; false when memory is out. */
static bool intern_env(cmox_journal_t *journal, cmox_span_list_t env, cmox_span_list_t *out) {
  if (journal->latest_env && is_stored_as(journal->latest_env, env)) {
    *out = journal->latest_env->list;
    return true;
  }
  env_entry_t *entry = env_entry_new(env);
  if (!entry) return false;
  env_entry_t *known = NULL;
  HASH_FIND(hh, journal->envs, entry->key, entry->key_len, known);
  if (known) {
    cmox_free_block(entry);
    journal->latest_env = known;
    *out = known->list;
    return true;
  }
  HASH_ADD_KEYPTR(hh, journal->envs, entry->key, entry->key_len, entry);
  if (entry->oom) {
    cmox_free_block(entry);
    return false;
  }
  journal->latest_env = entry;
  *out = entry->list;
  return true;
}

static bool add_key(cmox_journal_t *journal, cmox_call_t *call) {
  key_entry_t *entry = cmox_calloc(1, sizeof *entry);
  if (!entry) return false;
  entry->call = call;
  HASH_ADD_KEYPTR(hh, journal->keys, call->data.key, CMOX_INVOCATION_KEY_BYTES, entry);
  if (!entry->oom) return true;
  cmox_free_block(entry);
  return false;
}

cmox_call_t *cmox_journal_add(cmox_journal_t *journal, const cmox_invocation_data_t *data,
                              uint64_t now_ns) {
  cmox_call_t **grown =
      cmox_grow(journal->calls, &journal->capacity, journal->count + 1, sizeof *grown);
  if (!grown) return NULL;
  journal->calls = grown;
  cmox_call_t *call = cmox_call_new(data);
  if (!call) return NULL;
  call->id = journal->count + 1;
  call->start_ns = now_ns;
  if (!intern_env(journal, data->env, &call->data.env) || !add_key(journal, call)) {
    cmox_call_free(call);
    return NULL;
  }
  journal->calls[journal->count++] = call;
  return call;
}

size_t cmox_journal_count(const cmox_journal_t *journal) { return journal->count; }

cmox_call_t *cmox_journal_at(const cmox_journal_t *journal, size_t index) {
  return journal->calls[index];
}

cmox_call_t *cmox_journal_find(const cmox_journal_t *journal, uint64_t id) {
  return id >= 1 && id <= journal->count ? journal->calls[id - 1] : NULL;
}

cmox_call_t *cmox_journal_find_key(const cmox_journal_t *journal, const uint8_t *key) {
  key_entry_t *entry = NULL;
  HASH_FIND(hh, journal->keys, key, CMOX_INVOCATION_KEY_BYTES, entry);
  return entry ? entry->call : NULL;
}
