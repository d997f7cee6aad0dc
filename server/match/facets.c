/* What a double is told: lists that own what they hold. */
#include <string.h>

#include "server/base/alloc.h"
#include "server/match/expect.h"

/* ---- Items of lists: how each is copied and cleared ------------------------ */

static void clear_env_item(void *item) {
  cmox_env_item_t *env = item;
  cmox_free_block(env->name);
  cmox_matchers_unref(env->matchers);
}

static bool copy_env_item(void *to, const void *from) {
  const cmox_env_item_t *env = from;
  cmox_env_item_t *copy = to;
  *copy = *env;
  copy->name = cmox_strdup(env->name);
  if (copy->matchers) (void)cmox_matchers_ref(copy->matchers);
  return copy->name != NULL;
}

static void clear_change(void *item) {
  cmox_env_change_t *change = item;
  cmox_free_block(change->name);
  cmox_free_block(change->value);
}

static bool copy_change(void *to, const void *from) {
  const cmox_env_change_t *change = from;
  cmox_env_change_t *copy = to;
  *copy = (cmox_env_change_t){cmox_strdup(change->name), NULL, change->value_len};
  if (change->value) copy->value = cmox_strndup(change->value, change->value_len);
  return copy->name && (copy->value || !change->value);
}

void cmox_answer_clear(cmox_answer_t *answer) {
  cmox_reply_unref(answer->reply);
  cmox_free_block(answer->handler_name);
  cmox_free_block(answer->program);
  cmox_free_block(answer->gate);
  *answer = (cmox_answer_t){0};
}

static void clear_answer(void *item) { cmox_answer_clear(item); }

static bool copy_answer(void *to, const void *from) {
  const cmox_answer_t *answer = from;
  cmox_answer_t *copy = to;
  *copy = *answer;
  if (copy->reply) (void)cmox_reply_ref(copy->reply);
  copy->gate = cmox_strdup(answer->gate);
  copy->handler_name = cmox_strdup(answer->handler_name);
  copy->program = cmox_strdup(answer->program);
  return (copy->gate || !answer->gate) && (copy->handler_name || !answer->handler_name) &&
         (copy->program || !answer->program);
}

static void clear_step(void *item) { cmox_free_block(((cmox_step_t *)item)->sequence); }

static bool copy_step(void *to, const void *from) {
  const cmox_step_t *step = from;
  cmox_step_t *copy = to;
  *copy = (cmox_step_t){cmox_strdup(step->sequence), step->position};
  return copy->sequence != NULL;
}

static void clear_id(void *item) { (void)item; }

static bool copy_id(void *to, const void *from) {
  memcpy(to, from, sizeof(uint64_t));
  return true;
}

typedef struct item_type {
  size_t size;
  void (*clear)(void *item);
  bool (*copy)(void *to, const void *from); /* false: memory is out; to may be cleared */
} item_type_t;

static const item_type_t env_items = {sizeof(cmox_env_item_t), clear_env_item, copy_env_item};
static const item_type_t changes = {sizeof(cmox_env_change_t), clear_change, copy_change};
static const item_type_t answers = {sizeof(cmox_answer_t), clear_answer, copy_answer};
static const item_type_t steps = {sizeof(cmox_step_t), clear_step, copy_step};
static const item_type_t ids = {sizeof(uint64_t), clear_id, copy_id};

static void clear_list(const item_type_t *type, void *items, size_t count) {
  for (size_t i = 0; i < count; i++) type->clear((char *)items + i * type->size);
  cmox_free_block(items);
}

/* Puts copies of the old items before the new ones. */
static bool prepend(const item_type_t *type, const void *old, size_t old_count, void **items,
                    size_t *count) {
  char *all = cmox_calloc(old_count + *count, type->size);
  if (!all) return false;
  for (size_t i = 0; i < old_count; i++) {
    if (type->copy(all + i * type->size, (const char *)old + i * type->size)) continue;
    clear_list(type, all, i + 1);
    return false;
  }
  if (*count) memcpy(all + old_count * type->size, *items, *count * type->size);
  cmox_free_block(*items);
  *items = all;
  *count += old_count;
  return true;
}

/* ---- Adding to what was said before ----------------------------------------- */

/* Behind `old` answers come new ones: the old one that goes on for ever makes room for a new one,
 * else it moves to the end. */
static void settle_answers(cmox_answers_facet_t *facet, size_t old) {
  if (old == 0 || old == facet->count || facet->items[old - 1].repeat) return;
  cmox_answer_t last = facet->items[old - 1];
  memmove(&facet->items[old - 1], &facet->items[old], (facet->count - old) * sizeof last);
  if (facet->items[facet->count - 2].repeat) {
    facet->items[facet->count - 1] = last;
  } else {
    cmox_answer_clear(&last);
    facet->count--;
  }
}

/* Of two places in one sequence the later one was said later, and counts. */
static void settle_steps(cmox_order_facet_t *facet) {
  for (size_t i = 0; i < facet->count; i++) {
    bool again = false;
    for (size_t later = i + 1; later < facet->count && !again; later++)
      again = strcmp(facet->items[i].sequence, facet->items[later].sequence) == 0;
    if (!again) continue;
    clear_step(&facet->items[i]);
    memmove(&facet->items[i], &facet->items[i + 1], (facet->count - i - 1) * sizeof *facet->items);
    facet->count--;
    i--;
  }
}

cmox_code_t cmox_facets_complete(const cmox_facets_t *into, cmox_facets_t *from,
                                 cmox_error_t *error) {
  bool complete = true;
#define COMPLETE(facet, type)                                         \
  if (complete && from->facet.append && into->facet.count)            \
    complete = prepend(&(type), into->facet.items, into->facet.count, \
                       (void **)(void *)&from->facet.items, &from->facet.count);
  bool more_answers = from->answers.append;
  COMPLETE(env, env_items)
  COMPLETE(injection, changes)
  COMPLETE(order, steps)
  COMPLETE(after, ids)
  COMPLETE(answers, answers)
#undef COMPLETE
  if (!complete) return cmox_fail(error, CMOX_E_NO_MEMORY, "double: out of memory");
  if (more_answers) settle_answers(&from->answers, into->answers.count);
  settle_steps(&from->order);
  return CMOX_OK;
}

bool cmox_facets_ask(const cmox_facets_t *facets) {
  bool asks = (facets->argv.argv && cmox_matchers_ask(facets->argv.argv->matchers)) ||
              (facets->stdin_match.present && cmox_matchers_ask(facets->stdin_match.matchers)) ||
              (facets->cwd.present && cmox_matchers_ask(facets->cwd.matchers));
  for (size_t i = 0; i < facets->env.count; i++)
    asks |= facets->env.items[i].matchers && cmox_matchers_ask(facets->env.items[i].matchers);
  return asks;
}

bool cmox_facets_pass(const cmox_facets_t *facets) {
  bool passes = false;
  for (size_t i = 0; i < facets->answers.count; i++) passes |= facets->answers.items[i].passes;
  return passes;
}

void cmox_facets_clear(cmox_facets_t *facets) {
  cmox_argv_free(facets->argv.argv);
  cmox_matchers_unref(facets->stdin_match.matchers);
  cmox_matchers_unref(facets->cwd.matchers);
  clear_list(&env_items, facets->env.items, facets->env.count);
  clear_list(&changes, facets->injection.items, facets->injection.count);
  clear_list(&answers, facets->answers.items, facets->answers.count);
  clear_list(&steps, facets->order.items, facets->order.count);
  clear_list(&ids, facets->after.items, facets->after.count);
  *facets = (cmox_facets_t){0};
}

void cmox_facets_apply(cmox_facets_t *into, cmox_facets_t *from) {
/* What stood there goes to *from, which is cleared at the end. */
#define SWAP(facet)                            \
  if (from->facet.present) {                   \
    __typeof__(into->facet) was = into->facet; \
    into->facet = from->facet;                 \
    from->facet = was;                         \
  }
  SWAP(argv)
  SWAP(stdin_match)
  SWAP(cwd)
  SWAP(env)
  SWAP(injection)
  SWAP(answers)
  SWAP(order)
  SWAP(after)
#undef SWAP
  if (from->has_count) {
    into->has_count = true;
    into->count = from->count;
  }
  if (from->has_stdin_policy) {
    into->has_stdin_policy = true;
    into->stdin_policy = from->stdin_policy;
  }
  cmox_facets_clear(from);
}
