/* A handler at work: a thread that runs the test's function for one call and answers the server
 * with what it said. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/callbacks.h"
#include "client/lib/refine.h"
#include "cmdmox/v1/callback.pb-c.h"
#include "server/base/alloc.h"

enum { HANDLERS_MAX = 64 }; /* at the same time */

struct cmox_handling {
  cmox_invocations_t *call; /* of one */
  cmox_buf_t answer;        /* a packed HandleResponse; empty: a reply of nothing */
  cmox_error_t failure;     /* code CMOX_OK: none */
};

struct cmox_task {
  cmox_task_t *next;
  cmox_callbacks_t *callbacks;
  cmox_callback_t callback;
  uint32_t id;
  pthread_t thread;
  bool done;           /* guarded by the callbacks' lock */
  cmox_span_t request; /* behind this */
};

/* ---- What handlers call -------------------------------------------------------- */

const cmox_invocation_t *cmox_handled_call(const cmox_handling_t *call) {
  return &call->call->items[0];
}

void cmox_handler_fails(cmox_handling_t *call, const char *format, ...) {
  if (!call || call->failure.code != CMOX_OK) return;
  call->failure.code = CMOX_E_INTERNAL;
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(call->failure.message, sizeof call->failure.message, format, arguments);
  va_end(arguments);
}

static cmox_code_t pack_reply(cmox_buf_t *out, const cmox_reply_t *given, cmox_error_t *error) {
  cmox_reply_action_t action;
  cmox_code_t code = cmox_reply_action_make(&action, given, error);
  if (code == CMOX_OK && action.message.gate[0])
    code = cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "a handler's reply waits at no .gate");
  if (code == CMOX_OK) {
    Cmdmox__V1__HandleResponse response = CMDMOX__V1__HANDLE_RESPONSE__INIT;
    response.outcome_case = CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_REPLY;
    response.reply = &action.reply;
    response.n_chunks = action.message.n_chunks;
    response.chunks = action.message.chunks;
    response.n_files = action.message.n_files;
    response.files = action.message.files;
    cmox_buf_clear(out);
    cmox_wire_pack(&response.base, out);
    if (out->failed) code = cmox_out_of_memory(error);
  }
  cmox_reply_action_clear(&action);
  return code;
}

void cmox_replies_at(cmox_handling_t *call, cmox_location_t where, const cmox_reply_t *reply) {
  cmox_error_t error;
  if (!call) return;
  if (pack_reply(&call->answer, reply, &error) == CMOX_OK) return;
  cmox_handler_fails(call, "%s:%u: cmox_replies: %s", where.file ? where.file : "?", where.line,
                     error.message);
}

/* ---- The thread ---------------------------------------------------------------- */

/* The call with the environment that the handler is to see. */
static cmox_invocations_t *read_call(Cmdmox__V1__HandleRequest *request) {
  Cmdmox__V1__Invocation *call = request->invocation;
  if (!call) return NULL;
  size_t count = call->n_env_block;
  ProtobufCBinaryData *block = call->env_block;
  call->n_env_block = request->n_env_block;
  call->env_block = request->env_block;
  cmox_invocations_t *copy = cmox_invocations_of_one(call);
  call->n_env_block = count;
  call->env_block = block;
  return copy;
}

static void work(cmox_task_t *task, cmox_handling_t *handling) {
  ProtobufCMessage *message = NULL;
  if (cmox_wire_unpack(&cmdmox__v1__handle_request__descriptor, task->request, &message,
                       &handling->failure) != CMOX_OK)
    return;
  handling->failure.code = CMOX_OK;
  handling->call = read_call((Cmdmox__V1__HandleRequest *)message);
  cmox_wire_free(message);
  if (!handling->call || handling->call->count != 1) {
    (void)cmox_out_of_memory(&handling->failure);
    return;
  }
  cmox_callback_enter(task->callbacks->mox);
  task->callback.handler(handling, task->callback.context);
  cmox_callback_enter(NULL);
  if (handling->failure.code == CMOX_OK && handling->answer.len == 0)
    cmox_replies_at(handling, CMOX_HERE, &(const cmox_reply_t){.size = sizeof(cmox_reply_t)});
}

static void *run(void *data) {
  cmox_task_t *task = data;
  cmox_callbacks_t *callbacks = task->callbacks;
  (void)pthread_sigmask(SIG_SETMASK, &callbacks->signals, NULL);
  cmox_handling_t handling = {.failure = {.code = CMOX_OK}};
  work(task, &handling);
  cmox_callback_respond(callbacks, task->id, cmox_buf_span(&handling.answer),
                        handling.failure.code == CMOX_OK ? NULL : &handling.failure);
  cmox_buf_clear(&handling.answer);
  if (handling.call) cmox_invocations_free(handling.call);
  (void)pthread_mutex_lock(&callbacks->lock);
  task->done = true;
  callbacks->running--;
  (void)pthread_cond_broadcast(&callbacks->ended);
  (void)pthread_mutex_unlock(&callbacks->lock);
  return NULL;
}

cmox_code_t cmox_task_start(cmox_callbacks_t *callbacks, const cmox_callback_t *callback,
                            uint32_t id, cmox_span_t request, cmox_error_t *error) {
  cmox_task_t *task = cmox_malloc(sizeof *task + request.len);
  if (!task) return cmox_out_of_memory(error);
  uint8_t *copy = (uint8_t *)(task + 1);
  if (request.len) memcpy(copy, request.data, request.len);
  *task = (cmox_task_t){.callbacks = callbacks,
                        .callback = *callback,
                        .id = id,
                        .request = cmox_span(copy, request.len)};
  (void)pthread_mutex_lock(&callbacks->lock);
  cmox_code_t code = CMOX_OK;
  int failed = 0;
  if (callbacks->running == HANDLERS_MAX)
    code = cmox_fail(error, CMOX_E_BAD_STATE, "%d handlers run already", HANDLERS_MAX);
  else if ((failed = pthread_create(&task->thread, NULL, run, task)) != 0)
    code = cmox_fail(error, CMOX_E_IO, "cannot start a thread: %s", strerror(failed));
  if (code == CMOX_OK) {
    task->next = callbacks->tasks;
    callbacks->tasks = task;
    callbacks->running++;
  }
  (void)pthread_mutex_unlock(&callbacks->lock);
  if (code != CMOX_OK) cmox_free_block(task);
  return code;
}

void cmox_tasks_join(cmox_callbacks_t *callbacks, bool all) {
  cmox_task_t *ended = NULL;
  (void)pthread_mutex_lock(&callbacks->lock);
  for (cmox_task_t **at = &callbacks->tasks; *at;) {
    cmox_task_t *task = *at;
    if (!task->done && !all) {
      at = &task->next;
      continue;
    }
    *at = task->next;
    task->next = ended;
    ended = task;
  }
  (void)pthread_mutex_unlock(&callbacks->lock);
  while (ended) {
    cmox_task_t *next = ended->next;
    (void)pthread_join(ended->thread, NULL);
    cmox_free_block(ended);
    ended = next;
  }
}

void cmox_tasks_detach(cmox_callbacks_t *callbacks) {
  (void)pthread_mutex_lock(&callbacks->lock);
  for (cmox_task_t *task = callbacks->tasks; task; task = task->next)
    (void)pthread_detach(task->thread);
  (void)pthread_mutex_unlock(&callbacks->lock);
}

void cmox_tasks_forget(cmox_callbacks_t *callbacks) {
  while (callbacks->tasks) {
    cmox_task_t *next = callbacks->tasks->next;
    cmox_free_block(callbacks->tasks);
    callbacks->tasks = next;
  }
}
