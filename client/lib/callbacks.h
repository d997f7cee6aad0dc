/* The test's own functions that the server asks for while a call waits: predicates and handlers. */
#ifndef CMOX_CLIENT_CALLBACKS_H
#define CMOX_CLIENT_CALLBACKS_H

#include <cmdmox/cmdmox.h>
#include <pthread.h>
#include <signal.h>

#include "client/lib/control.h"

/* One of the two functions is set. */
typedef struct cmox_callback {
  cmox_predicate_t predicate;
  cmox_handler_t handler;
  void *context;
} cmox_callback_t;

/* A handler at work. */
typedef struct cmox_task cmox_task_t;

typedef struct cmox_callbacks {
  cmox_t *mox;
  cmox_control_t control; /* a link of its own: the session's may be waiting for an answer */
  pthread_t dispatcher;
  sigset_t signals;     /* what handlers block */
  uint32_t deadline_ms; /* how long they may take; 0: the server's default */
  pthread_mutex_t lock; /* guards what follows, and sending */
  pthread_cond_t ended; /* a task is done, or the dispatcher */
  cmox_callback_t *items;
  size_t count;
  size_t capacity;
  cmox_task_t *tasks; /* also those that are done, until they are joined */
  size_t running;
  bool dispatcher_done;
} cmox_callbacks_t;

/* For a session that is entered: the number by which the server may ask for this one. The first
 * starts the dispatcher. */
cmox_code_t cmox_callbacks_add(cmox_t *mox, const cmox_callback_t *callback, uint64_t *number,
                               cmox_error_t *error);

/* Ends the link and waits for what still runs, for a session that is not entered; NULL is fine.
 * False: something did not end in time; it and all that it may use must be left where it is. */
bool cmox_callbacks_end(cmox_callbacks_t *callbacks);
/* In a child of fork(), which has none of the threads. */
void cmox_callbacks_forget(cmox_callbacks_t *callbacks);

/* Whether this thread runs a predicate or a handler of the session. */
bool cmox_in_callback(const cmox_t *mox);

/* ---- Between callbacks.c and handling.c ------------------------------------ */

void cmox_callback_enter(const cmox_t *mox); /* NULL: it is over */
/* Answers a request with a payload, or with an error when there is one. What cannot be answered
 * at all ends the link: the server fails what waits for it. */
void cmox_callback_respond(cmox_callbacks_t *callbacks, uint32_t id, cmox_span_t payload,
                           cmox_error_t *failure);
/* Starts a task for a HandleRequest. */
cmox_code_t cmox_task_start(cmox_callbacks_t *callbacks, const cmox_callback_t *callback,
                            uint32_t id, cmox_span_t request, cmox_error_t *error);
/* Joins those that are done; `all`: waits for every one. For one thread at a time. */
void cmox_tasks_join(cmox_callbacks_t *callbacks, bool all);
void cmox_tasks_detach(cmox_callbacks_t *callbacks); /* nobody will join them */
void cmox_tasks_forget(cmox_callbacks_t *callbacks); /* where their threads are not */

#endif
