/* The one allocator seam: nothing else in the engine or the client library
 * calls malloc, so a test can make any allocation fail. */
#ifndef CMOX_BASE_ALLOC_H
#define CMOX_BASE_ALLOC_H

#include <stddef.h>

#include "server/base/span.h"

typedef struct cmox_alloc_hooks {
  void *(*realloc)(void *context, void *block, size_t size); /* size > 0; block may be NULL */
  void (*free)(void *context, void *block);
  void *context;
} cmox_alloc_hooks_t;

/* NULL restores the C library's. Set only while no engine runs and no block
 * is held; not thread-safe. */
void cmox_alloc_set_hooks(const cmox_alloc_hooks_t *hooks);

/* Each returns NULL when memory is out; a size of 0 is served as 1. */
void *cmox_malloc(size_t size);
void *cmox_calloc(size_t count, size_t size); /* NULL on overflow too */
void *cmox_realloc(void *block, size_t size); /* on failure block stays valid */
char *cmox_strdup(const char *text);          /* NULL gives NULL */
void *cmox_memdup(const void *data, size_t size);
char *cmox_strndup(const void *data, size_t len); /* NUL-terminated copy */
void cmox_free_block(void *block);                /* NULL is fine */

/* Grows an array of `size`-byte items to hold at least `need`, by doubling.
 * Returns the (moved) array and updates *capacity, or NULL with nothing changed. */
void *cmox_grow(void *items, size_t *capacity, size_t need, size_t size);

#endif
