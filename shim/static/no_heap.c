/* Only in the static launcher, which never asks for heap. Nanopb's runtime refers
 * to it for fields of pointer type, which our messages do not have, and getcwd for a caller
 * without a buffer; without these three, libc's allocator would be a quarter of the file. Each
 * takes NULL for "out of memory". */
#include <stddef.h>

void *malloc(size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

void *malloc(size_t size) {
  (void)size;
  return NULL;
}

void *realloc(void *block, size_t size) {
  (void)block;
  (void)size;
  return NULL;
}

void free(void *block) { (void)block; }
