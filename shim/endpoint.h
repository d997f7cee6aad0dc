/* Where the server listens and how long to bear its silence. */
#ifndef CMOX_SHIM_ENDPOINT_H
#define CMOX_SHIM_ENDPOINT_H

#include <stdint.h>

#include "proto/limits.h"

typedef struct cmox_endpoint {
  char path[CMOX_SOCKET_PATH_MAX + 1]; /* of a Unix socket */
  uint32_t silence_ms;                 /* 0: for ever */
} cmox_endpoint_t;

/* Dies, naming the cause, when there is no usable endpoint or CMOX_IPC_TIMEOUT is bad. */
void cmox_endpoint_find(cmox_endpoint_t *out);

#endif
