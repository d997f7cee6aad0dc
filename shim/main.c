/* The launcher that stands on PATH in place of a mocked command.
 *
 * Who am I, where is the server, what does it say, do that. Everything of cmdmox's own that fails
 * ends in one line on stderr and status 125; the real command never runs instead. */
#include "shim/action.h"
#include "shim/identity.h"
#include "shim/passthrough.h"
#include "shim/say.h"
#include "shim/trace.h"

int main(int argc, char **argv) {
  static cmox_endpoint_t endpoint;
  static cmox_call_t call;
  static cmox_action_t action;

  const char *command = cmox_identity(argc, argv);
  cmox_identity_answer_probe(command, argc, argv);
  cmox_trace_start();
  CMOX_TRACE(SHIM_START, cmox_text(command), argc > 0 ? argc - 1 : 0, 0);
  cmox_endpoint_find(&endpoint);
  CMOX_TRACE(SHIM_ENDPOINT, cmox_text(endpoint.path), endpoint.silence_ms, 0);
  cmox_call_begin(&call, &endpoint, command, argv);
  for (;;) {
    cmox_call_await(&call, &action);
    switch (action.kind) {
      case CMOX_ACTION_READ_STDIN:
        cmox_read_stdin(&call, &action);
        continue;
      case CMOX_ACTION_REPLY:
        cmox_reply(&call, &action);
      case CMOX_ACTION_PASSTHROUGH:
        cmox_pass_through(&call, &action, command, argv);
      case CMOX_ACTION_UNKNOWN:
        break;
    }
    cmox_die("the server asks for something this shim does not know; update it");
  }
}
