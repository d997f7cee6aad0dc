/* How often a double is called, and in which order. */
#include <inttypes.h>
#include <string.h>

#include "client/lib/refine.h"
#include "server/base/alloc.h"

/* ---- Counts -------------------------------------------------------------- */

typedef struct bounds {
  uint64_t least, most;
} bounds_t;

static cmox_code_t expect_count(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const bounds_t *bounds = arguments;
  if (dbl->kind != CMOX_MOCK)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a %s may be called any number of times; make it a mock to count its calls",
                     dbl->kind == CMOX_STUB ? "stub" : "spy");
  if (bounds->least > bounds->most)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "the least number of calls, %" PRIu64 ", is above the greatest, %" PRIu64,
                     bounds->least, bounds->most);
  Cmdmox__V1__Count facet = CMDMOX__V1__COUNT__INIT;
  facet.minimum = bounds->least;
  if (bounds->most != CMOX_UNBOUNDED) {
    facet.upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM;
    facet.maximum = bounds->most;
  }
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.count = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_count_at(cmox_double_t *dbl, cmox_location_t where, const char *function,
                             uint64_t least, uint64_t most) {
  const bounds_t bounds = {least, most};
  return cmox_refine(dbl, where, function, expect_count, &bounds);
}

/* ---- Order ---------------------------------------------------------------- */

typedef struct place {
  const char *sequence; /* NULL: none at all any more */
  uint32_t position;
} place_t;

static cmox_code_t take_place(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const place_t *place = arguments;
  Cmdmox__V1__SequenceStep step = CMDMOX__V1__SEQUENCE_STEP__INIT;
  Cmdmox__V1__SequenceStep *steps[] = {&step};
  Cmdmox__V1__SequenceList facet = CMDMOX__V1__SEQUENCE_LIST__INIT;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.sequences = &facet;
  if (!place->sequence) return cmox_update(dbl, &patch, error);
  step.sequence = cmox_utf8_copy(place->sequence);
  if (!step.sequence) return cmox_out_of_memory(error);
  step.position = place->position;
  facet.append = 1;
  facet.n_steps = 1;
  facet.steps = steps;
  cmox_code_t code = cmox_update(dbl, &patch, error);
  cmox_free_block(step.sequence);
  return code;
}

/* Positions only grow, so that each list goes on where the one before ended. */
static uint32_t next_position(cmox_double_t *dbl) {
  if (cmox_enter(dbl->mox) != CMOX_OK) return 0;
  uint32_t position = dbl->mox->next_position++;
  cmox_leave(dbl->mox);
  return position;
}

static cmox_code_t null_in_list(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  (void)dbl;
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "double %zu of the list is NULL",
                   *(const size_t *)arguments);
}

/* Kept with a double of the same list, through which its session is known. */
static void keep_null(cmox_location_t where, cmox_double_t *const *doubles, size_t count,
                      size_t number) {
  for (size_t i = 0; i < count; i++) {
    if (!doubles[i]) continue;
    (void)cmox_refine(doubles[i], where, "cmox_in_order", null_in_list, &number);
    return;
  }
}

void cmox_in_sequence_at(cmox_location_t where, const char *sequence, size_t count,
                         cmox_double_t *const *doubles) {
  for (size_t i = 0; doubles && i < count; i++) {
    if (!doubles[i]) {
      keep_null(where, doubles, count, i + 1);
      continue;
    }
    const place_t place = {sequence ? sequence : "", next_position(doubles[i])};
    (void)cmox_refine(doubles[i], where, "cmox_in_order", take_place, &place);
  }
}

cmox_double_t *cmox_any_order_at(cmox_double_t *dbl, cmox_location_t where) {
  const place_t none = {NULL, 0};
  return cmox_refine(dbl, where, "cmox_any_order", take_place, &none);
}

static cmox_code_t come_after(cmox_double_t *dbl, const void *arguments, cmox_error_t *error) {
  const cmox_double_t *before = arguments;
  if (before->mox != dbl->mox)
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "the doubles belong to two sessions");
  if (before->id == 0) return CMOX_OK; /* the server never took it, and that is kept already */
  uint64_t id = before->id;
  Cmdmox__V1__Predecessors facet = CMDMOX__V1__PREDECESSORS__INIT;
  facet.append = 1;
  facet.n_double_ids = 1;
  facet.double_ids = &id;
  Cmdmox__V1__Double patch = CMDMOX__V1__DOUBLE__INIT;
  patch.after = &facet;
  return cmox_update(dbl, &patch, error);
}

cmox_double_t *cmox_after_at(cmox_double_t *dbl, cmox_location_t where, cmox_double_t *before) {
  return cmox_refine(dbl, where, "cmox_after", come_after, before ? before : &cmox_poison_double);
}
