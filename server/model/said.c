#include "server/model/said.h"

#include "proto/limits.h"
#include "server/base/alloc.h"

cmox_said_t *cmox_said_new(void) { return cmox_calloc(1, sizeof(cmox_said_t)); }

void cmox_said_free(cmox_said_t *said) {
  if (!said) return;
  for (size_t i = 0; i < said->count; i++) {
    cmox_free_block(said->items[i].why);
    cmox_free_block(said->items[i].name);
    cmox_free_block((void *)(uintptr_t)said->items[i].value.data);
  }
  cmox_free_block(said->items);
  cmox_free_block(said);
}

static cmox_question_t *find(const cmox_said_t *said, uint64_t callback, cmox_span_t value) {
  for (size_t i = 0; said && i < said->count; i++) {
    cmox_question_t *question = &said->items[i];
    if (question->callback == callback && cmox_span_equal(question->value, value)) return question;
  }
  return NULL;
}

static bool note(cmox_said_t *said, uint64_t callback, cmox_span_t name, cmox_span_t value) {
  if (said->count == CMOX_QUESTIONS_MAX) return false;
  cmox_question_t *grown = cmox_grow(said->items, &said->capacity, said->count + 1, sizeof *grown);
  if (!grown) return false;
  said->items = grown;
  char *copy = cmox_strndup(name.data, name.len);
  char *kept = cmox_strndup(value.data, value.len);
  if (!copy || !kept) {
    cmox_free_block(copy);
    cmox_free_block(kept);
    return false;
  }
  grown[said->count++] = (cmox_question_t){.callback = callback,
                                           .value = cmox_span(kept, value.len),
                                           .saying = CMOX_SAID_WANTED,
                                           .name = copy};
  return true;
}

cmox_saying_t cmox_said_of(cmox_said_t *said, uint64_t callback, cmox_span_t name,
                           cmox_span_t value) {
  const cmox_question_t *question = find(said, callback, value);
  if (question) return question->saying;
  if (!said || !said->asking) return CMOX_SAID_NOTHING;
  if (note(said, callback, name, value)) return CMOX_SAID_WANTED;
  said->missing = true;
  return CMOX_SAID_NOTHING;
}

const char *cmox_said_why(const cmox_said_t *said, uint64_t callback, cmox_span_t value) {
  const cmox_question_t *question = find(said, callback, value);
  return question ? question->why : NULL;
}

cmox_question_t *cmox_said_first(const cmox_said_t *said, cmox_saying_t saying) {
  for (size_t i = 0; said && i < said->count; i++)
    if (said->items[i].saying == saying) return &said->items[i];
  return NULL;
}
