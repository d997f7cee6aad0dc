/* A real engine with a session in replay, a link to each of its doors, and every method of the
 * schema to ask there. Allocations behind the seam are counted from its start to its end.
 * The launcher is $CMOX_SHIM. */
#ifndef CMOX_TESTS_DOORS_H
#define CMOX_TESTS_DOORS_H

#include "tests/lib/alloc_fault.h"
#include "tests/lib/raw.h"
#include "tests/lib/sample.h"

enum { DOORS_METHODS_MAX = 256 };

typedef struct doors_method {
  char name[128]; /* "cmdmox.v1.ControlService/Ping" */
  const ProtobufCMethodDescriptor *row;
  bool for_shims;
} doors_method_t;

extern doors_method_t doors_methods[DOORS_METHODS_MAX];
extern int doors_method_count;
void doors_list_methods(void); /* fills both, from the descriptors */

/* A checked fixture. The session has one double, the stub git, with id 1. */
void doors_setup(void);
void doors_teardown(void);
/* The links and the session only, within a running engine. */
void doors_begin(void);
void doors_end(void);

extern alloc_fault_t doors_memory; /* at rest unless it is armed */
extern raw_link_t doors_control, doors_shim;
extern uint32_t doors_last_id;                        /* add 2 for the next */
raw_link_t *doors_side(const doors_method_t *method); /* the link that the method is for */
void doors_connect_control(raw_link_t *link);         /* another one, not greeted */
void doors_connect_shim(raw_link_t *link);
/* Fields as a message about that session has them. */
sample_t doors_sample(unsigned variant);

typedef struct doors_outcome {
  char reason[64]; /* "OK" or a row of the error table, but never "INTERNAL" */
  unsigned responses;
} doors_outcome_t;

/* Takes a response in; an answer must be of the method's output type. */
void doors_note(doors_outcome_t *outcome, const doors_method_t *method,
                const Cmdmox__V1__Frame *frame);
/* Sends bytes that hold requests with this id; asserts that each has exactly one response, and that
 * the link goes on. */
doors_outcome_t doors_exchange_bytes(raw_link_t *link, const doors_method_t *method, uint32_t id,
                                     raw_bytes_t *bytes, unsigned requests);
doors_outcome_t doors_exchange(raw_link_t *link, const doors_method_t *method, const void *payload,
                               size_t len);

#endif
