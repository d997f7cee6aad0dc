/* What flags say of a double: `cmdmox mock --exit 1 git push`, `cmdmox run --mock 'git push' --exit
 * 1`. One double is begun, takes the flags that follow, and is finished. */
#ifndef CMOX_PROGRAM_DOUBLE_FLAGS_H
#define CMOX_PROGRAM_DOUBLE_FLAGS_H

#include "client/program/verbs.h"
#include "cmdmox/v1/double.pb-c.h"

/* The flags, for the groups of a verb's row. Their numbers are above those of a verb's own. */
extern const cmox_option_t cmox_double_calls[];   /* which calls it takes */
extern const cmox_option_t cmox_double_answers[]; /* what it answers */
extern const cmox_option_t cmox_double_counts[];  /* how often and when */

typedef struct cmox_draft {
  Cmdmox__V1__Double *message; /* owned, by the C library's allocator; NULL: none is begun */
  uint64_t given;              /* the flags that it has taken, by bits */
} cmox_draft_t;

bool cmox_is_double_flag(const cmox_option_t *option);

/* Each of them: 0, or the exit status when stderr says what is wrong. */

/* words: the command, then the arguments; the command alone takes any arguments. */
int cmox_draft_begin(cmox_draft_t *draft, const cmox_verb_t *verb, Cmdmox__V1__DoubleKind kind,
                     char *const *words, size_t count);
int cmox_draft_take(cmox_draft_t *draft, const cmox_verb_t *verb, const cmox_given_t *given);
/* position: in the default sequence, of one that is --in-order. */
int cmox_draft_finish(cmox_draft_t *draft, const cmox_verb_t *verb, uint32_t position);
/* Has its calls wait at a gate. */
int cmox_draft_hold(cmox_draft_t *draft, const char *gate);
bool cmox_draft_in_order(const cmox_draft_t *draft);
/* Frees what it holds; hand off by taking the message and setting it NULL. */
void cmox_draft_clear(cmox_draft_t *draft);

#endif
