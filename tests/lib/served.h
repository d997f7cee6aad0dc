/* A real engine with a session in replay, a link to each of its doors, and every method of the
 * schema to ask there. Allocations behind the seam are counted from its start to its end.
 * The launcher is $CMOX_SHIM. */
#ifndef CMOX_TESTS_SERVED_H
#define CMOX_TESTS_SERVED_H

#include "tests/lib/alloc_fault.h"
#include "tests/lib/raw.h"
#include "tests/lib/sample.h"

enum { SERVED_METHODS_MAX = 256 };

typedef struct served_method {
  char name[128]; /* "cmdmox.v1.ControlService/Ping" */
  const ProtobufCMethodDescriptor *row;
  bool for_shims;
} served_method_t;

extern served_method_t served_methods[SERVED_METHODS_MAX];
extern int served_method_count;
void served_list_methods(void); /* fills both, from the descriptors */

/* A checked fixture. The session has one double, the stub git, with id 1. */
void served_setup(void);
void served_teardown(void);
/* The links and the session only, within a running engine. */
void served_begin(void);
void served_end(void);

extern alloc_fault_t served_memory; /* at rest unless it is armed */
extern raw_link_t served_control, served_shim;
extern uint32_t served_last_id;                         /* add 2 for the next */
raw_link_t *served_side(const served_method_t *method); /* the link that the method is for */
void served_connect_control(raw_link_t *link);          /* another one, not greeted */
void served_connect_shim(raw_link_t *link);
/* Fields as a message about that session has them. */
sample_t served_sample(unsigned variant);

typedef struct served_outcome {
  char reason[64]; /* "OK" or a row of the error table, but never "INTERNAL" */
  unsigned responses;
} served_outcome_t;

/* Takes a response in; an answer must be of the method's output type. */
void served_note(served_outcome_t *outcome, const served_method_t *method,
                 const Cmdmox__V1__Frame *frame);
/* Sends bytes that hold requests with this id; asserts that each has exactly one response, and that
 * the link goes on. */
served_outcome_t served_exchange_bytes(raw_link_t *link, const served_method_t *method, uint32_t id,
                                       raw_bytes_t *bytes, unsigned requests);
served_outcome_t served_exchange(raw_link_t *link, const served_method_t *method,
                                 const void *payload, size_t len);

#endif
