#include "tests/lib/schema.h"

#include <stdlib.h>
#include <string.h>

#include <cmdmox/v1/agent.pb-c.h>
#include <cmdmox/v1/callback.pb-c.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/document.pb-c.h>
#include <cmdmox/v1/frame.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>

#define TYPES_MAX 256

const ProtobufCServiceDescriptor *const cmox_test_services[4] = {
    &cmdmox__v1__shim_service__descriptor, &cmdmox__v1__control_service__descriptor,
    &cmdmox__v1__callback_service__descriptor, &cmdmox__v1__agent_service__descriptor};

static const ProtobufCMessageDescriptor *found[TYPES_MAX];
static size_t n_found;

static void add(const ProtobufCMessageDescriptor *type) {
  for (size_t i = 0; i < n_found; i++)
    if (found[i] == type) return;
  if (n_found == TYPES_MAX) abort(); /* no ck_assert: fuzz targets have no Check */
  found[n_found++] = type;
}

size_t cmox_test_types(const ProtobufCMessageDescriptor *const **types) {
  if (n_found == 0) {
    add(&cmdmox__v1__frame__descriptor);
    add(&cmdmox__v1__completed__descriptor);
    add(&cmdmox__v1__progress__descriptor);
    for (size_t s = 0; s < 4; s++)
      for (unsigned m = 0; m < cmox_test_services[s]->n_methods; m++) {
        add(cmox_test_services[s]->methods[m].input);
        add(cmox_test_services[s]->methods[m].output);
      }
    for (size_t i = 0; i < n_found; i++) { /* grows while it is walked */
      for (unsigned f = 0; f < found[i]->n_fields; f++)
        if (found[i]->fields[f].type == PROTOBUF_C_TYPE_MESSAGE)
          add(found[i]->fields[f].descriptor);
      /* What is no message of the protocol comes last: the fuzzers' corpus has types by number. */
      if (i + 1 == n_found) add(&cmdmox__v1__document__descriptor);
    }
  }
  *types = found;
  return n_found;
}

const ProtobufCMessageDescriptor *cmox_test_type(const char *name) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  for (size_t i = 0; i < n; i++)
    if (strcmp(types[i]->name, name) == 0) return types[i];
  return NULL;
}
