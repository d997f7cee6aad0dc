/* The mistakes made while declaring: each is kept, so that replay and verify
 * can list all of them. */
#ifndef CMOX_CLIENT_PROBLEMS_H
#define CMOX_CLIENT_PROBLEMS_H

#include <cmdmox/cmdmox.h>

#include "server/base/buf.h"
#include "server/base/error.h"

typedef struct cmox_problems {
  cmox_buf_t text;   /* lines, joined by newlines, with a NUL behind */
  size_t count;      /* also those whose line found no memory */
  cmox_code_t first; /* code of the first one */
} cmox_problems_t;

/* Adds "file:line: function: detail"; where.file may be NULL. Never fails: out of
 * memory the mistake is counted all the same. */
void cmox_problems_add(cmox_problems_t *problems, cmox_location_t where, const char *function,
                       const cmox_error_t *detail);

/* All lines; "" when there are none. Valid until the next change. */
const char *cmox_problems_text(const cmox_problems_t *problems);
void cmox_problems_clear(cmox_problems_t *problems);

#endif
