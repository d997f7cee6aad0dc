/* Expectations against the journal: what is wrong, most useful first. */
#ifndef CMOX_VERIFY_H
#define CMOX_VERIFY_H

#include "server/base/error.h"
#include "server/journal/journal.h"
#include "server/match/doubles.h"
#include "server/verify/finding.h"
#include "server/verify/reach.h"

/* What verification looks at beside the doubles and the journal. */
typedef struct cmox_verify_notes {
  const char *shims_changed; /* NULL: they are as they were */
  const char *refused;       /* why the first was; NULL: none */
  uint64_t refused_count;    /* requests that could not become calls */
  const cmox_reach_t *reach; /* NULL: nothing is known beside the calls */
} cmox_verify_notes_t;

/* Fills *findings (emptied first) in this order: changed shims, refused requests, unexpected and
 * excess calls and those whose callbacks failed, answers that could not be written, wrong counts,
 * unfulfilled expectations, calls in flight, calls whose shim was gone before it was done. Only
 * CMOX_E_NO_MEMORY can fail; never a shorter list. */
cmox_code_t cmox_verify_run(const cmox_doubles_t *doubles, const cmox_journal_t *journal,
                            const cmox_verify_notes_t *notes, cmox_findings_t *findings,
                            cmox_error_t *error);

/* Adds the finding of one refused call; false when memory is out. */
bool cmox_verify_refused(const cmox_doubles_t *doubles, const cmox_call_t *call,
                         cmox_findings_t *findings);

/* The double of the call's command that comes nearest to accepting it; NULL when it has none. */
const cmox_expect_t *cmox_nearest(const cmox_doubles_t *doubles, const cmox_call_t *call);

/* "exactly 1 call", "at least 2 calls", "between 1 and 3 calls", "no call" */
void cmox_describe_count(cmox_buf_t *out, cmox_count_t count);

#endif
