/* One call of a mocked command: what the shim said, and what became of it. */
#ifndef CMOX_MODEL_CALL_H
#define CMOX_MODEL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "server/base/buf.h"
#include "server/base/span.h"
#include "server/model/passthrough.h"
#include "server/model/reply.h"
#include "server/model/said.h"
#include "server/model/stream.h"

typedef enum cmox_call_state {
  CMOX_CALL_PENDING = 1, /* waits for stdin, a callback, at a gate or for the real command */
  CMOX_CALL_ANSWERED,    /* the shim has not said that it is done */
  CMOX_CALL_COMPLETED,
  CMOX_CALL_LOST /* the shim was gone before it was done */
} cmox_call_state_t;

typedef enum cmox_verdict {
  CMOX_VERDICT_NONE, /* not decided */
  CMOX_VERDICT_ACCEPTED,
  CMOX_VERDICT_UNEXPECTED,
  CMOX_VERDICT_EXCESS,
  CMOX_VERDICT_OUT_OF_ORDER
} cmox_verdict_t;

typedef enum cmox_stdin_end {
  CMOX_STDIN_NOT_READ,
  CMOX_STDIN_EOF,
  CMOX_STDIN_LIMIT,
  CMOX_STDIN_DEADLINE,
  CMOX_STDIN_ERROR
} cmox_stdin_end_t;

/* What a shim is told to do with its stdin. */
typedef enum cmox_stdin_mode {
  CMOX_STDIN_IGNORE, /* it belongs to the caller */
  CMOX_STDIN_CAPTURE,
  CMOX_STDIN_DRAIN
} cmox_stdin_mode_t;

typedef struct cmox_stdin_policy {
  cmox_stdin_mode_t mode;
  uint64_t max_bytes;   /* 0: the default cap */
  uint32_t deadline_ms; /* 0: the default deadline */
  bool keep;            /* the real command may want what is read */
} cmox_stdin_policy_t;

/* What a shim says of its process; borrowed. */
typedef struct cmox_invocation_data {
  cmox_span_t command;
  cmox_span_list_t argv; /* argv[0] included */
  cmox_span_list_t env;  /* raw entries */
  cmox_span_t cwd;
  uint32_t pid;
  uint32_t ppid;
  uint32_t tty_mask;
  uint8_t key[CMOX_INVOCATION_KEY_BYTES];
} cmox_invocation_data_t;

/* A variable that is set, or removed. */
typedef struct cmox_env_change {
  char *name;
  char *value; /* value_len bytes; NULL: removed */
  size_t value_len;
} cmox_env_change_t;

typedef struct cmox_call {
  uint64_t id;                 /* from 1, in the order of start */
  cmox_invocation_data_t data; /* owned: points into this block, env into the journal's store */
  uint64_t start_ns;
  uint64_t end_ns; /* 0: not ended */
  cmox_call_state_t state;
  cmox_verdict_t verdict;
  uint64_t double_id;       /* who took it, or refused it as excess or out of order; 0: none */
  uint64_t blocker_id;      /* OUT_OF_ORDER: the double that should have been called first, or */
  bool blocker_called;      /* that has been called and comes after it */
  cmox_reply_data_t *reply; /* one reference; NULL: not answered, or passed through */
  cmox_passed_t *passed;    /* owned; NULL: not passed through */

  /* Of its raw environment; data.env has no such variables. */
  cmox_span_t real_command; /* the program that passthrough runs; empty: what PATH finds */
  cmox_span_t isolated;     /* the directory of isolated programs; empty: there is none */
  cmox_span_t passed_above; /* the commands within whose real ones it runs */

  /* What the double changes in its environment; see cmox_call_env(). Owned, one block. */
  cmox_env_change_t *injected;
  size_t injected_count;
  cmox_span_list_t changed_env; /* points into that block and at data.env */

  cmox_stream_t stdin_stream; /* when drained: its length only */
  cmox_stdin_end_t stdin_end;

  uint64_t stdout_written; /* from Completed */
  uint64_t stderr_written;
  bool broken_pipe;
  char *breach;  /* owned; why something that its shim said was refused; NULL: nothing was */
  char *failure; /* owned; what kept the shim from doing all of it; NULL: nothing */

  cmox_said_t *said;      /* owned; what predicates said of it; NULL: none was needed */
  char *callback_failure; /* owned; of a handler or a predicate, with its name; NULL: none */

  const char *unexpected_why; /* static text, for calls that ended with 125 whatever the doubles
                                 say; or NULL */

  bool contained; /* its shim may be there only because the session is contained */

  /* While the shim waits. */
  uint64_t link;             /* its connection; 0: gone */
  uint32_t silence_ms;       /* what it bears; 0: for ever */
  uint64_t told_ns;          /* when it last heard from us */
  cmox_stdin_policy_t asked; /* what it was told to read; mode IGNORE: nothing */
  char *gate;                /* owned; what holds it; NULL: nothing */
  bool held;                 /* it is in the session's list of held calls, */
  size_t held_index;         /* at this place */
  uint64_t handling;         /* the question that its handler is to answer; 0: none */
  char *handler_name;        /* owned; of the handler that took it; NULL: none did */
  uint64_t asked_ns;         /* when its callbacks were asked last */
} cmox_call_t;

/* The shim was told to run the real command, and has not said that it is done. */
bool cmox_call_is_passing(const cmox_call_t *call);
/* What runs where it is passed through; empty: what PATH finds. Borrowed. */
cmox_span_t cmox_call_program(const cmox_call_t *call);
/* Whether its stdin was looked at: read before it was decided, or while it was passed through. */
bool cmox_call_has_stdin(const cmox_call_t *call);
/* ... and that is over. */
bool cmox_call_stdin_over(const cmox_call_t *call);
/* ... and all of it is kept. */
bool cmox_call_stdin_whole(const cmox_call_t *call);

/* The arguments after argv[0]. */
cmox_span_list_t cmox_call_args(const cmox_invocation_data_t *data);

/* Gives the call a copy of these changes; false when memory is out. Once, and after data.env is
 * there. */
bool cmox_call_inject(cmox_call_t *call, const cmox_env_change_t *changes, size_t count);

/* The environment with what was injected: what handlers, the real command and those who ask the
 * journal are to see. data.env is what the shim saw. */
cmox_span_list_t cmox_call_env(const cmox_call_t *call);
/* A copy that has this as its data.env; borrowed from the call, never freed. */
cmox_call_t cmox_call_as_seen(const cmox_call_t *call);

/* A copy of everything but env, which stays empty; NULL when memory is out. */
cmox_call_t *cmox_call_new(const cmox_invocation_data_t *data);
void cmox_call_free(cmox_call_t *call); /* NULL is fine */

#endif
