/* Messages into the engine's nouns. What this server cannot do yet is refused
 * by name, never ignored. */
#include "server/rpc/internal.h"

/* ---- Invocations ----------------------------------------------------------- */

static bool list_from(const ProtobufCBinaryData *items, size_t count, cmox_span_list_t *out) {
  cmox_span_t *spans = cmox_malloc(count * sizeof *spans);
  if (!spans) return false;
  for (size_t i = 0; i < count; i++) spans[i] = cmox_from_bytes(items[i]);
  *out = (cmox_span_list_t){spans, count};
  return true;
}

cmox_code_t cmox_convert_invocation(const Cmdmox__V1__InvokeRequest *request,
                                    cmox_invocation_data_t *out, cmox_error_t *error) {
  if (request->invocation_key.len != CMOX_INVOCATION_KEY_BYTES)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "Invoke needs an invocation key of %u bytes",
                     CMOX_INVOCATION_KEY_BYTES);
  if (request->command.len == 0 || request->command.len > CMOX_COMMAND_NAME_MAX)
    return cmox_fail(error, CMOX_E_BAD_PAYLOAD, "Invoke needs a command of 1 to %u bytes",
                     CMOX_COMMAND_NAME_MAX);
  out->command = cmox_from_bytes(request->command);
  out->cwd = cmox_from_bytes(request->cwd);
  out->pid = request->pid;
  out->ppid = request->ppid;
  out->tty_mask = request->tty_mask;
  memcpy(out->key, request->invocation_key.data, CMOX_INVOCATION_KEY_BYTES);
  if (list_from(request->argv, request->n_argv, &out->argv) &&
      list_from(request->env_block, request->n_env_block, &out->env))
    return CMOX_OK;
  cmox_convert_invocation_clear(out);
  return cmox_fail(error, CMOX_E_NO_MEMORY, "Invoke: out of memory");
}

void cmox_convert_invocation_clear(cmox_invocation_data_t *data) {
  cmox_free_block((void *)(uintptr_t)data->argv.items);
  cmox_free_block((void *)(uintptr_t)data->env.items);
  data->argv = data->env = (cmox_span_list_t){NULL, 0};
}

unsigned cmox_newer_kind(const ProtobufCMessage *message) {
  return message->n_unknown_fields ? message->unknown_fields[0].tag : 0;
}
