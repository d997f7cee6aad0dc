/* The dispatcher: a thread that reads what the server asks, runs predicates itself and gives each
 * handler a thread of its own (handling.c).
 *
 * It has a link of its own, on which nothing but callbacks is said, so that it need not share one
 * with a thread that waits for an answer, and a handler can use the session as any other thread
 * does. It blocks all signals. A link that ends, for whatever reason, ends the dispatcher; the
 * server then fails the calls that wait. */
#include "client/lib/callbacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/lib/session.h"
#include "cmdmox/v1/callback.pb-c.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"

static _Thread_local const cmox_t *running_for;

void cmox_callback_enter(const cmox_t *mox) { running_for = mox; }

bool cmox_in_callback(const cmox_t *mox) { return mox && running_for == mox; }

void cmox_callback_respond(cmox_callbacks_t *callbacks, uint32_t id, cmox_span_t payload,
                           cmox_error_t *failure) {
  cmox_error_t error = {.code = CMOX_OK};
  (void)pthread_mutex_lock(&callbacks->lock);
  cmox_code_t code = cmox_control_respond(&callbacks->control, id, payload, failure, &error);
  if (code == CMOX_E_FRAME_TOO_LARGE)
    code = cmox_control_respond(&callbacks->control, id, (cmox_span_t){NULL, 0}, &error, NULL);
  (void)pthread_mutex_unlock(&callbacks->lock);
  if (code != CMOX_OK) (void)shutdown(callbacks->control.channel.fd, SHUT_RDWR);
}

/* ---- What the server asks ---------------------------------------------------- */

static cmox_code_t find(cmox_callbacks_t *callbacks, uint64_t number, bool handler,
                        cmox_callback_t *out, cmox_error_t *error) {
  (void)pthread_mutex_lock(&callbacks->lock);
  bool found = number >= 1 && number <= callbacks->count;
  if (found) *out = callbacks->items[number - 1];
  (void)pthread_mutex_unlock(&callbacks->lock);
  if (found && (out->handler != NULL) == handler) return CMOX_OK;
  return cmox_fail(error, CMOX_E_NOT_FOUND, "this test has no such %s",
                   handler ? "handler" : "predicate");
}

static cmox_code_t judge(cmox_callbacks_t *callbacks, cmox_span_t payload, cmox_buf_t *answer,
                         cmox_error_t *error) {
  ProtobufCMessage *message = NULL;
  cmox_code_t code =
      cmox_wire_unpack(&cmdmox__v1__match_request__descriptor, payload, &message, error);
  if (code != CMOX_OK) return code;
  const Cmdmox__V1__MatchRequest *request = (const Cmdmox__V1__MatchRequest *)message;
  cmox_callback_t callback;
  code = find(callbacks, request->callback, false, &callback, error);
  char *value = cmox_strndup(request->value.data, request->value.len);
  if (code == CMOX_OK && !value) code = cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  if (code == CMOX_OK) {
    Cmdmox__V1__MatchResponse response = CMDMOX__V1__MATCH_RESPONSE__INIT;
    cmox_callback_enter(callbacks->mox);
    response.matched =
        callback.predicate((cmox_bytes_t){value, request->value.len}, callback.context);
    cmox_callback_enter(NULL);
    cmox_wire_pack(&response.base, answer);
    if (answer->failed) code = cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  }
  cmox_free_block(value);
  cmox_wire_free(message);
  return code;
}

static cmox_code_t handle(cmox_callbacks_t *callbacks, uint32_t id, cmox_span_t payload,
                          cmox_error_t *error) {
  ProtobufCMessage *message = NULL;
  cmox_code_t code =
      cmox_wire_unpack(&cmdmox__v1__handle_request__descriptor, payload, &message, error);
  if (code != CMOX_OK) return code;
  cmox_callback_t callback;
  code = find(callbacks, ((const Cmdmox__V1__HandleRequest *)message)->handler, true, &callback,
              error);
  cmox_wire_free(message);
  return code == CMOX_OK ? cmox_task_start(callbacks, &callback, id, payload, error) : code;
}

static void serve(cmox_callbacks_t *callbacks, uint32_t id, const Cmdmox__V1__Request *request) {
  cmox_span_t payload = cmox_from_bytes(request->payload);
  cmox_error_t error = {.code = CMOX_OK};
  cmox_buf_t answer = CMOX_BUF_EMPTY;
  cmox_code_t code;
  if (strcmp(request->method, "cmdmox.v1.CallbackService/Handle") == 0) {
    code = handle(callbacks, id, payload, &error);
    if (code == CMOX_OK) return; /* the task will answer */
  } else if (strcmp(request->method, "cmdmox.v1.CallbackService/Match") == 0) {
    code = judge(callbacks, payload, &answer, &error);
  } else {
    code = cmox_fail(&error, CMOX_E_UNIMPLEMENTED, "this client does not implement %.80s",
                     request->method);
  }
  cmox_callback_respond(callbacks, id, cmox_buf_span(&answer), code == CMOX_OK ? NULL : &error);
  cmox_buf_clear(&answer);
}

static void *dispatch(void *data) {
  cmox_callbacks_t *callbacks = data;
  cmox_error_t error;
  Cmdmox__V1__Frame *frame = NULL;
  while (cmox_control_receive(&callbacks->control, &frame, &error) == CMOX_OK) {
    cmox_tasks_join(callbacks, false);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST)
      serve(callbacks, frame->id, frame->request);
    cmox_wire_free(&frame->base);
  }
  /* Whatever it was: nobody will be asked any more, and the server is to know. */
  (void)shutdown(callbacks->control.channel.fd, SHUT_RDWR);
  (void)pthread_mutex_lock(&callbacks->lock);
  callbacks->dispatcher_done = true;
  (void)pthread_cond_broadcast(&callbacks->ended);
  (void)pthread_mutex_unlock(&callbacks->lock);
  return NULL;
}

/* ---- Start ------------------------------------------------------------------- */

static cmox_code_t connect_link(cmox_t *mox, cmox_control_t *control, cmox_error_t *error) {
  uint32_t silence_ms = mox->control.channel.silence_ms;
  int fd = -1;
  cmox_code_t code;
  if (mox->engine)
    code = error->code =
        cmox_engine_connect(mox->engine, &fd, error->message, sizeof error->message);
  else
    code = cmox_channel_connect(mox->address, silence_ms, &fd, error);
  if (code != CMOX_OK) return code;
  cmox_control_open(control, fd, silence_ms);
  Cmdmox__V1__ServeCallbacksRequest request = CMDMOX__V1__SERVE_CALLBACKS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  ProtobufCMessage *response = NULL;
  code = cmox_control_call(control, "ServeCallbacks", &request.base, &response, error);
  cmox_wire_free(response);
  control->channel.silence_ms = 0; /* from here on the server speaks when it has something to ask */
  return code;
}

static void start_locks(cmox_callbacks_t *callbacks) {
  (void)pthread_mutex_init(&callbacks->lock, NULL); /* these cannot fail on what we run on */
  pthread_condattr_t attributes;
  (void)pthread_condattr_init(&attributes);
#ifndef __APPLE__
  (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  (void)pthread_cond_init(&callbacks->ended, &attributes);
  (void)pthread_condattr_destroy(&attributes);
}

static void release(cmox_callbacks_t *callbacks) {
  cmox_control_close(&callbacks->control);
  (void)pthread_cond_destroy(&callbacks->ended);
  (void)pthread_mutex_destroy(&callbacks->lock);
  cmox_free_block(callbacks->items);
  cmox_free_block(callbacks);
}

static cmox_code_t start(cmox_t *mox, cmox_error_t *error) {
  cmox_callbacks_t *callbacks = cmox_calloc(1, sizeof *callbacks);
  if (!callbacks) return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
  callbacks->mox = mox;
  callbacks->deadline_ms = mox->callback_deadline_ms;
  callbacks->control.channel = CMOX_CHANNEL_EMPTY;
  start_locks(callbacks);
  cmox_code_t code = connect_link(mox, &callbacks->control, error);
  if (code == CMOX_OK) {
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &callbacks->signals);
    int failed = pthread_create(&callbacks->dispatcher, NULL, dispatch, callbacks);
    (void)pthread_sigmask(SIG_SETMASK, &callbacks->signals, NULL);
    if (failed)
      code = cmox_fail(error, CMOX_E_IO, "cannot start a thread for handlers and predicates: %s",
                       strerror(failed));
  }
  if (code == CMOX_OK)
    mox->callbacks = callbacks;
  else
    release(callbacks);
  return code;
}

static cmox_code_t enter_table(cmox_callbacks_t *callbacks, const cmox_callback_t *callback,
                               uint64_t *number) {
  for (size_t i = 0; i < callbacks->count; i++) {
    const cmox_callback_t *known = &callbacks->items[i];
    *number = i + 1;
    if (known->predicate == callback->predicate && known->handler == callback->handler &&
        known->context == callback->context)
      return CMOX_OK;
  }
  cmox_callback_t *grown =
      cmox_grow(callbacks->items, &callbacks->capacity, callbacks->count + 1, sizeof *grown);
  if (!grown) return CMOX_E_NO_MEMORY;
  callbacks->items = grown;
  grown[callbacks->count++] = *callback;
  *number = callbacks->count;
  return CMOX_OK;
}

cmox_code_t cmox_callbacks_add(cmox_t *mox, const cmox_callback_t *callback, uint64_t *number,
                               cmox_error_t *error) {
  if (!mox->callbacks) {
    cmox_code_t code = start(mox, error);
    if (code != CMOX_OK) return code;
  }
  (void)pthread_mutex_lock(&mox->callbacks->lock);
  cmox_code_t code = enter_table(mox->callbacks, callback, number);
  (void)pthread_mutex_unlock(&mox->callbacks->lock);
  return code == CMOX_OK ? code : cmox_fail(error, code, "out of memory");
}

/* ---- End --------------------------------------------------------------------- */

static struct timespec when(uint32_t deadline_ms) {
  struct timespec at;
#ifndef __APPLE__
  (void)clock_gettime(CLOCK_MONOTONIC, &at);
#else
  (void)clock_gettime(CLOCK_REALTIME, &at);
#endif
  uint32_t ms = deadline_ms ? deadline_ms : CMOX_CALLBACK_DEADLINE_DEFAULT_MS;
  at.tv_sec += (time_t)(ms / 1000);
  at.tv_nsec += (long)(ms % 1000) * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000;
  }
  return at;
}

bool cmox_callbacks_end(cmox_callbacks_t *callbacks) {
  if (!callbacks) return true;
  (void)shutdown(callbacks->control.channel.fd, SHUT_RDWR);
  const struct timespec at = when(callbacks->deadline_ms);
  (void)pthread_mutex_lock(&callbacks->lock);
  int waited = 0;
  while ((!callbacks->dispatcher_done || callbacks->running) && waited != ETIMEDOUT)
    waited = pthread_cond_timedwait(&callbacks->ended, &callbacks->lock, &at);
  bool ended = callbacks->dispatcher_done && callbacks->running == 0;
  (void)pthread_mutex_unlock(&callbacks->lock);
  if (!ended) {
    (void)pthread_detach(callbacks->dispatcher);
    cmox_tasks_detach(callbacks);
    return false;
  }
  (void)pthread_join(callbacks->dispatcher, NULL);
  cmox_tasks_join(callbacks, true);
  release(callbacks);
  return true;
}

void cmox_callbacks_forget(cmox_callbacks_t *callbacks) {
  if (!callbacks) return;
  cmox_control_close(&callbacks->control);
  cmox_tasks_forget(callbacks);
  cmox_free_block(callbacks->items);
  cmox_free_block(callbacks);
}
