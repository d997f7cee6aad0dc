/* What verification found. */
#ifndef CMOX_VERIFY_FINDING_H
#define CMOX_VERIFY_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/match/explain.h"

typedef enum cmox_finding_kind {
  CMOX_FINDING_UNEXPECTED_CALL = 1, /* numbers as in control.proto */
  CMOX_FINDING_EXCESS_CALL = 2,
  CMOX_FINDING_WRONG_COUNT = 3,
  CMOX_FINDING_ORDER = 4,
  CMOX_FINDING_UNFULFILLED = 5,
  CMOX_FINDING_IN_FLIGHT = 7,
  CMOX_FINDING_NEVER_COMPLETED = 8,
  CMOX_FINDING_HANDLER_FAILED = 9, /* or a predicate */
  CMOX_FINDING_REFUSED_CALL = 10,
  CMOX_FINDING_SHIMS_CHANGED = 11,
  CMOX_FINDING_COULD_NOT_RUN = 12 /* the real command */
} cmox_finding_kind_t;

#define CMOX_FINDING_OTHERS_MAX 999u

typedef struct cmox_finding {
  cmox_finding_kind_t kind;
  bool advisory;           /* worth saying, no failure by itself */
  const cmox_call_t *call; /* NULL: none; borrowed from the journal */
  size_t other_count;      /* later calls of which the same is to be said; see cmox_findings_fold */
  uint64_t *others;        /* the ids of the first of them, at most CMOX_FINDING_OTHERS_MAX */
  const cmox_expect_t *expect; /* the expectation it speaks of, or the nearest; NULL: none */
  char *message;               /* one line */
  cmox_difference_t *differences;
  size_t difference_count;
  char *suggestion; /* a line to paste; NULL: none */
  char *hint;       /* where to look, in lines; NULL: none */
} cmox_finding_t;

/* Owned list. Valid while the session it came from is not stepped. */
typedef struct cmox_findings {
  cmox_finding_t *items;
  size_t count;
  size_t capacity;
} cmox_findings_t;

/* "UNEXPECTED_CALL" */
const char *cmox_finding_name(cmox_finding_kind_t kind);

/* How many ids there are in others. */
static inline size_t cmox_finding_listed(const cmox_finding_t *finding) {
  return finding->other_count < CMOX_FINDING_OTHERS_MAX ? finding->other_count
                                                        : CMOX_FINDING_OTHERS_MAX;
}

void cmox_finding_clear(cmox_finding_t *finding); /* frees what it owns */
void cmox_findings_clear(cmox_findings_t *findings);
/* Makes one of those findings from `from` on, which all have a call, that say the same. False when
 * memory is out. */
bool cmox_findings_fold(cmox_findings_t *findings, size_t from);
/* A zeroed finding at the end of the list; NULL when memory is out. */
cmox_finding_t *cmox_findings_add(cmox_findings_t *findings);
bool cmox_findings_passed(const cmox_findings_t *findings); /* none that is not advisory */

#endif
