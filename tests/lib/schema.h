/* Every message type of the schema, found by walking the descriptors. */
#ifndef CMOX_TESTS_SCHEMA_H
#define CMOX_TESTS_SCHEMA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

extern const ProtobufCServiceDescriptor *const cmox_test_services[4];

/* All types reachable from the services and from what travels beside them.
 * Returns how many; the array is static. */
size_t cmox_test_types(const ProtobufCMessageDescriptor *const **types);

/* NULL when there is no such type; name is "cmdmox.v1.Frame". */
const ProtobufCMessageDescriptor *cmox_test_type(const char *name);

#endif
