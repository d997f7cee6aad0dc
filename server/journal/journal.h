/* What happened: every call in the order of its start. Equal environments are
 * stored once, since a test's calls nearly all share one. */
#ifndef CMOX_JOURNAL_H
#define CMOX_JOURNAL_H

#include "server/model/call.h"

typedef struct cmox_journal cmox_journal_t;

cmox_journal_t *cmox_journal_new(void);          /* NULL when memory is out */
void cmox_journal_free(cmox_journal_t *journal); /* NULL is fine */

/* Adds a call under the next id, without the CMOX_* variables of its
 * environment (endpoints and tokens are nobody's business). The journal owns
 * it. NULL when memory is out; nothing is added then. */
cmox_call_t *cmox_journal_add(cmox_journal_t *journal, const cmox_invocation_data_t *data,
                              uint64_t now_ns);

size_t cmox_journal_count(const cmox_journal_t *journal);
cmox_call_t *cmox_journal_at(const cmox_journal_t *journal, size_t index);  /* index < count */
cmox_call_t *cmox_journal_find(const cmox_journal_t *journal, uint64_t id); /* NULL: none */
/* The call that carries this invocation key; NULL: none. */
cmox_call_t *cmox_journal_find_key(const cmox_journal_t *journal, const uint8_t *key);

#endif
