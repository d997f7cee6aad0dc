/* What happened: every call in the order of its start. Equal environments are
 * stored once, since a test's calls nearly all share one.
 *
 * A journal may have a bound: its list is then the calls that started last. What verification still
 * has to look at stays beside the list: calls that were refused, that failed, or that are not over.
 */
#ifndef CMOX_JOURNAL_H
#define CMOX_JOURNAL_H

#include "server/model/call.h"

typedef struct cmox_journal cmox_journal_t;

/* bound: the greatest number of calls in the list; 0: all. NULL when memory is out. */
cmox_journal_t *cmox_journal_new(uint64_t bound);
void cmox_journal_free(cmox_journal_t *journal); /* NULL is fine */

/* Adds a call under the next id, without the CMOX_* variables of its
 * environment (endpoints and tokens are nobody's business). The journal owns
 * it. NULL when memory is out; nothing is added then. */
cmox_call_t *cmox_journal_add(cmox_journal_t *journal, const cmox_invocation_data_t *data,
                              uint64_t now_ns);

/* Lets a call go that is outside the list, once it is over and verification has nothing to say of
 * it. To be called when a call has ended; the call may be gone then. */
void cmox_journal_settle(cmox_journal_t *journal, cmox_call_t *call);

#define CMOX_ANY_COMMAND ((cmox_span_t){NULL, 0})
/* Calls there have been, of this command (empty: of any), whatever has become of them. */
uint64_t cmox_journal_total(const cmox_journal_t *journal, cmox_span_t command);

/* The calls that are kept, in the order of start; the list is those from _listed() on. */
size_t cmox_journal_count(const cmox_journal_t *journal);
size_t cmox_journal_listed(const cmox_journal_t *journal);
size_t cmox_journal_from(const cmox_journal_t *journal, uint64_t id); /* the first not below id */
cmox_call_t *cmox_journal_at(const cmox_journal_t *journal, size_t index);  /* index < count */
cmox_call_t *cmox_journal_find(const cmox_journal_t *journal, uint64_t id); /* NULL: none */
/* The call that carries this invocation key; NULL: none. */
cmox_call_t *cmox_journal_find_key(const cmox_journal_t *journal, const uint8_t *key);

#endif
