/* The order of calls: named sequences of doubles, and "after". */
#ifndef CMOX_MATCH_ORDER_H
#define CMOX_MATCH_ORDER_H

#include "server/match/expect.h"

typedef struct cmox_order cmox_order_t;

cmox_order_t *cmox_order_new(void);        /* NULL when memory is out */
void cmox_order_free(cmox_order_t *order); /* NULL is fine */

/* Makes room for these steps; with that cmox_order_move() cannot fail. */
bool cmox_order_reserve(cmox_order_t *order, const cmox_order_facet_t *steps);
/* Takes the double out of the steps it had (in `was`) and puts it into those it has now (`now`). */
void cmox_order_move(cmox_order_t *order, cmox_expect_t *expect, const cmox_order_facet_t *was,
                     const cmox_order_facet_t *now);

/* Counts have been changed: what was satisfied may not be any more. */
void cmox_order_recount(cmox_order_t *order);

/* NULL: by its sequences the double may be called now. Else the double that must be called before
 * it, or that has been called and comes after it. */
const cmox_expect_t *cmox_order_blocker(cmox_order_t *order, const cmox_expect_t *expect);

/* The double has taken a call. */
void cmox_order_taken(cmox_order_t *order, const cmox_expect_t *expect);

#endif
