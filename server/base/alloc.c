#include "server/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *context, void *block, size_t size) {
  (void)context;
  return realloc(block, size);
}

static void libc_free(void *context, void *block) {
  (void)context;
  free(block);
}

static const cmox_alloc_hooks_t libc_hooks = {libc_realloc, libc_free, NULL};
static cmox_alloc_hooks_t active = {libc_realloc, libc_free, NULL};

void cmox_alloc_set_hooks(const cmox_alloc_hooks_t *hooks) { active = hooks ? *hooks : libc_hooks; }

void *cmox_malloc(size_t size) { return active.realloc(active.context, NULL, size ? size : 1); }

void *cmox_calloc(size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  void *block = cmox_malloc(count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

void *cmox_realloc(void *block, size_t size) {
  return active.realloc(active.context, block, size ? size : 1);
}

char *cmox_strdup(const char *text) { return text ? cmox_memdup(text, strlen(text) + 1) : NULL; }

void *cmox_memdup(const void *data, size_t size) {
  void *copy = cmox_malloc(size);
  if (copy && size) memcpy(copy, data, size);
  return copy;
}

char *cmox_strndup(const void *data, size_t len) {
  char *copy = cmox_malloc(len + 1);
  if (!copy) return NULL;
  if (len) memcpy(copy, data, len);
  copy[len] = '\0';
  return copy;
}

void cmox_free_block(void *block) {
  if (block) active.free(active.context, block);
}

void *cmox_grow(void *items, size_t *capacity, size_t need, size_t size) {
  if (need <= *capacity) return items;
  size_t wanted = *capacity ? *capacity : 8;
  while (wanted < need) {
    if (wanted > SIZE_MAX / 2) return NULL;
    wanted *= 2;
  }
  if (size && wanted > SIZE_MAX / size) return NULL;
  void *grown = cmox_realloc(items, wanted * size);
  if (grown) *capacity = wanted;
  return grown;
}
