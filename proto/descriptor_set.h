/* The schema as a serialized google.protobuf.FileDescriptorSet, for clients
 * that generate nothing; made from proto/cmdmox/v1 by the build. */
#ifndef CMOX_PROTO_DESCRIPTOR_SET_H
#define CMOX_PROTO_DESCRIPTOR_SET_H

#include <stddef.h>

extern const unsigned char cmox_descriptor_set[];
extern const size_t cmox_descriptor_set_len; /* bytes */

#endif
