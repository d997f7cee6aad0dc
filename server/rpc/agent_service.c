/* AgentService: declared for clients to see, not built yet. */
#include "server/rpc/internal.h"

#define UNIMPLEMENTED(name, Message)                                                      \
  static void agent_##name(Cmdmox__V1__AgentService_Service *service,                     \
                           const Cmdmox__V1__##Message##Request *input,                   \
                           Cmdmox__V1__##Message##Response_Closure closure, void *data) { \
    (void)service;                                                                        \
    (void)input;                                                                          \
    (void)closure;                                                                        \
    cmox_rpc_call_t *call = data;                                                         \
    (void)cmox_fail(&call->error, CMOX_E_UNIMPLEMENTED, "%s", #Message);                  \
    cmox_rpc_fail(call);                                                                  \
  }

UNIMPLEMENTED(open_link, OpenLink)
UNIMPLEMENTED(relay_frame, RelayFrame)
UNIMPLEMENTED(close_link, CloseLink)

const Cmdmox__V1__AgentService_Service cmox_agent_service = CMDMOX__V1__AGENT_SERVICE__INIT(agent_);
