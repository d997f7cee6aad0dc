/* What a session has outside of memory: its shim directory, the listener for its shims, the file
 * for long streams, and the watch on real programs. */
#ifndef CMOX_HOST_SITE_H
#define CMOX_HOST_SITE_H

#include "server/host/shimdir.h"
#include "server/rpc/rpc.h"

/* Those of one engine; all on its loop's thread. */
typedef struct cmox_sites {
  uv_loop_t *loop;
  const cmox_shimdir_settings_t *settings;
  bool watches;               /* CMOX_WATCH was set */
  size_t open;                /* with a listener that is not closed yet */
  void (*closed)(void *user); /* one less is open */
  void *user;
} cmox_sites_t;

/* Fills in what the rpc module needs of sites; context must be `sites`. */
void cmox_sites_offer(cmox_rpc_host_t *host);

#endif
