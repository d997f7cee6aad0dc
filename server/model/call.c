#include "server/model/call.h"

#include <string.h>

#include "server/base/alloc.h"

cmox_span_list_t cmox_call_args(const cmox_invocation_data_t *data) {
  if (data->argv.count == 0) return data->argv;
  return (cmox_span_list_t){data->argv.items + 1, data->argv.count - 1};
}

static cmox_span_t copy_to(uint8_t **at, cmox_span_t span) {
  cmox_span_t copy = cmox_span(*at, span.len);
  if (span.len) memcpy(*at, span.data, span.len);
  *at += span.len;
  return copy;
}

cmox_call_t *cmox_call_new(const cmox_invocation_data_t *data) {
  size_t bytes = data->command.len + data->cwd.len;
  for (size_t i = 0; i < data->argv.count; i++) bytes += data->argv.items[i].len;
  size_t spans = data->argv.count * sizeof(cmox_span_t);
  cmox_call_t *call = cmox_malloc(sizeof *call + spans + bytes);
  if (!call) return NULL;
  *call = (cmox_call_t){.data = *data, .state = CMOX_CALL_PENDING};
  cmox_span_t *argv = (cmox_span_t *)(call + 1);
  uint8_t *at = (uint8_t *)argv + spans;
  for (size_t i = 0; i < data->argv.count; i++) argv[i] = copy_to(&at, data->argv.items[i]);
  call->data.argv.items = argv;
  call->data.command = copy_to(&at, data->command);
  call->data.cwd = copy_to(&at, data->cwd);
  call->data.env = (cmox_span_list_t){NULL, 0};
  return call;
}

void cmox_call_free(cmox_call_t *call) {
  if (!call) return;
  cmox_reply_unref(call->reply);
  cmox_buf_clear(&call->stdin_data);
  cmox_free_block(call->gate);
  cmox_free_block(call->failure);
  cmox_free_block(call->callback_failure);
  cmox_free_block(call->handler_name);
  cmox_said_free(call->said);
  cmox_free_block(call);
}
