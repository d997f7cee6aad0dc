/* One call: Hello and Invoke up, actions down, Completed at the end. */
#ifndef CMOX_SHIM_CALL_H
#define CMOX_SHIM_CALL_H

#include "shim/endpoint.h"
#include "shim/link.h"
#include "shim/message.h"

typedef struct cmox_call {
  cmox_link_t link;
  bool stated;         /* the server has all of Hello and Invoke */
  cmox_bytes_t out;    /* frames on their way up */
  uint32_t request;    /* id of the request that waits for its answer */
  size_t chunk;        /* largest piece of stdin the server takes */
  uint64_t id;         /* the server's */
  uint64_t written[3]; /* bytes, by stream */
  bool broken[3];      /* its reader was gone */
  int file;            /* the one that is being made; 0: none */
  cmox_view_t failed;  /* path of the one that could not be */
} cmox_call_t;

/* Connects and states the call. Returns when the server has welcomed us; all else dies. */
void cmox_call_begin(cmox_call_t *call, const cmox_endpoint_t *endpoint, const char *command,
                     char **argv);

/* Waits for the next action, writing the pieces of streams that come before it. The action's
 * views are valid until the next call on the link. Dies when the server fails or refuses. */
void cmox_call_await(cmox_call_t *call, cmox_action_t *action);

/* Looks at what the server says while the launcher waits for something else; dies as above. Whether
 * it said something. */
bool cmox_call_watch(cmox_call_t *call);
/* The server has been silent for too long; dies. */
_Noreturn void cmox_call_give_up(cmox_call_t *call);

/* Sends what was put into call->out. */
void cmox_call_send(cmox_call_t *call);

/* To the caller's stdout (1) or stderr (2). A closed pipe ends the launcher as it would have
 * ended the command, or is remembered when the caller ignores that; other errors die. */
void cmox_call_write(cmox_call_t *call, int stream, cmox_view_t data);

/* What the caller's stream is written to, and why it failed; dies. */
_Noreturn void cmox_call_write_failed(cmox_call_t *call, int stream, int error);

/* By a signal of that name; a process that survives it has failed. */
_Noreturn void cmox_call_die_by(cmox_view_t signal);

/* Tells the server that everything is done, or what failed (NULL: nothing); best effort. */
void cmox_call_complete(cmox_call_t *call, const char *failure);

/* From here on the server hears why the launcher dies, unless it has been told how the call ended.
 */
void cmox_call_tell_failures(cmox_call_t *call);

#endif
