#include "server/rpc/rpc.h"

#include "server/rpc/internal.h"

cmox_code_t cmox_rpc_new(uv_loop_t *loop, const cmox_rpc_host_t *host, cmox_rpc_t **out,
                         cmox_error_t *error) {
  cmox_rpc_t *rpc = cmox_calloc(1, sizeof *rpc);
  if (!rpc) return cmox_fail(error, CMOX_E_NO_MEMORY, "engine: out of memory");
  rpc->loop = loop;
  rpc->host = *host;
  rpc->shim_service = cmox_shim_service;
  rpc->control_service = cmox_control_service;
  rpc->agent_service = cmox_agent_service;
  cmox_code_t code = cmox_services_check(rpc, error);
  if (code == CMOX_OK)
    *out = rpc;
  else
    cmox_free_block(rpc);
  return code;
}

void cmox_rpc_populated(cmox_rpc_t *rpc) {
  if (rpc->host.populated)
    rpc->host.populated(rpc->host.populated_user, rpc->clients, HASH_COUNT(rpc->sessions));
}

void cmox_rpc_check_closed(cmox_rpc_t *rpc) {
  if (!rpc->closing || rpc->peers || rpc->open_handles) return;
  void (*closed)(void *) = rpc->closed;
  void *user = rpc->closed_user;
  cmox_free_block(rpc);
  closed(user);
}

void cmox_rpc_shutdown(cmox_rpc_t *rpc, void (*done)(void *user), void *user) {
  rpc->closing = true;
  rpc->closed = done;
  rpc->closed_user = user;
  cmox_hosted_t *hosted, *next;
  HASH_ITER(hh, rpc->sessions, hosted, next) { cmox_hosted_end(hosted); }
  for (cmox_peer_t *peer = rpc->peers; peer; peer = peer->next)
    if (peer->link)
      cmox_link_abort(peer->link, CMOX_OK); /* a peer that never reads must not hold us */
  cmox_rpc_check_closed(rpc);
}
