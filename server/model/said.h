/* What the predicates of a test said of the values of one call.
 *
 * Matching is pure and never waits: where a predicate has not been asked, nobody knows, and what
 * was missing is noted here while `asking` is set. The session asks, keeps the answers, and matches
 * again. So a predicate is asked at most once for a value, however many doubles use it. */
#ifndef CMOX_MODEL_SAID_H
#define CMOX_MODEL_SAID_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/span.h"

typedef enum cmox_saying {
  CMOX_SAID_NOTHING, /* it was not asked */
  CMOX_SAID_WANTED,  /* it should be */
  CMOX_SAID_ASKED,   /* and has not answered */
  CMOX_SAID_YES,
  CMOX_SAID_NO,
  CMOX_SAID_FAILED
} cmox_saying_t;

typedef struct cmox_question {
  uint64_t callback;
  cmox_span_t value; /* owned: a long stdin is not always in memory */
  cmox_saying_t saying;
  uint64_t number; /* ASKED: by which the answer names it */
  char *why;       /* owned; of NO and FAILED, for people; NULL: it did not say */
  char *name;      /* owned; the predicate's */
} cmox_question_t;

typedef struct cmox_said {
  cmox_question_t *items;
  size_t count;
  size_t capacity;
  bool asking;  /* note what is missing */
  bool missing; /* something could not be noted: memory is out, or there is too much of it */
} cmox_said_t;

cmox_said_t *cmox_said_new(void);       /* NULL: memory is out */
void cmox_said_free(cmox_said_t *said); /* NULL is fine */

/* What the predicate said of the value. said NULL: there is nobody to ask. Name and value are
 * copied when the question is noted. */
cmox_saying_t cmox_said_of(cmox_said_t *said, uint64_t callback, cmox_span_t name,
                           cmox_span_t value);
/* Why it refused; NULL: it did not say, or was not asked. */
const char *cmox_said_why(const cmox_said_t *said, uint64_t callback, cmox_span_t value);

/* The first question in this state; NULL: none. */
cmox_question_t *cmox_said_first(const cmox_said_t *said, cmox_saying_t saying);

#endif
