/* Frames in and out, through nanopb's descriptors alone. */
#ifndef CMOX_SHIM_MESSAGE_H
#define CMOX_SHIM_MESSAGE_H

#include "proto/limits.h"
#include "shim/bytes.h"

/* Outgoing: each appends one whole frame, prefix and body. They die when memory is out or the
 * frame is above the protocol's cap. */

typedef struct cmox_invocation {
  const char *command;
  char **argv;        /* NULL-terminated; may be empty */
  char **environment; /* NULL-terminated */
  cmox_view_t cwd;
  uint32_t pid, ppid, tty_mask;
  uint8_t key[CMOX_INVOCATION_KEY_BYTES];
} cmox_invocation_t;

typedef enum cmox_stdin_end { /* the numbers of StdinEnd */
                              CMOX_STDIN_EOF = 1,
                              CMOX_STDIN_LIMIT = 2,
                              CMOX_STDIN_DEADLINE = 3,
                              CMOX_STDIN_ERROR = 4
} cmox_stdin_end_t;

/* The first request of a link; stdin goes up under its id. */
#define CMOX_INVOKE_ID 1u

void cmox_put_hello(cmox_bytes_t *out, uint32_t silence_ms);
void cmox_put_invoke(cmox_bytes_t *out, const cmox_invocation_t *call);
/* stream: 0 stdin, 1 stdout, 2 stderr. us: when it was read, or 0. */
void cmox_put_piece(cmox_bytes_t *out, int stream, cmox_view_t data, uint64_t us);
void cmox_put_continue(cmox_bytes_t *out, uint32_t id, uint64_t call_id, uint64_t stdin_bytes,
                       cmox_stdin_end_t end);
void cmox_put_completed(cmox_bytes_t *out, uint64_t call_id, uint64_t stdout_written,
                        uint64_t stderr_written, bool broken_pipe, const char *failure,
                        const cmox_view_t *failed_path);

/* How a real command ended. */
typedef struct cmox_passed {
  const char *program;
  const char *signal; /* NULL: exit_code, unless it replaced the launcher */
  uint32_t exit_code;
  const char *failure; /* why it could not be run; NULL: it ran */
  uint64_t bytes[3];   /* by stream */
  bool timed_out, merged, lingering, replaced;
} cmox_passed_t;

void cmox_put_passed(cmox_bytes_t *out, uint32_t id, uint64_t call_id, const cmox_passed_t *passed);

/* Incoming: views point into the bytes that were decoded. */

typedef enum cmox_frame_kind {
  CMOX_FRAME_OTHER, /* something newer */
  CMOX_FRAME_WELCOME,
  CMOX_FRAME_REFUSAL, /* HelloReply with an error */
  CMOX_FRAME_ANSWER,  /* Response with a payload */
  CMOX_FRAME_ERROR,   /* Response with an error */
  CMOX_FRAME_STREAM,
  CMOX_FRAME_NOTIFY,
  CMOX_FRAME_GO_AWAY
} cmox_frame_kind_t;

enum { CMOX_STREAM_FILE = 4 };

typedef struct cmox_frame {
  cmox_frame_kind_t kind;
  uint32_t id;
  uint32_t version, max_frame_bytes; /* WELCOME */
  cmox_view_t message, reason;       /* REFUSAL, ERROR, GO_AWAY */
  cmox_view_t data;                  /* ANSWER: the payload; STREAM: the piece */
  int stream;        /* STREAM: 1 stdout, 2 stderr, CMOX_STREAM_FILE, 0 something else */
  uint32_t delay_ms; /* STREAM */
  cmox_view_t path;  /* STREAM, of a file: it begins here; empty: it goes on */
  uint32_t mode;     /* beside path */
  bool eof;          /* STREAM, of a file: it is whole */
} cmox_frame_t;

typedef enum cmox_action_kind {
  CMOX_ACTION_UNKNOWN,
  CMOX_ACTION_REPLY,
  CMOX_ACTION_READ_STDIN,
  CMOX_ACTION_PASSTHROUGH
} cmox_action_kind_t;

typedef struct cmox_change {
  cmox_view_t name;
  cmox_view_t value; /* absent: the variable is removed */
} cmox_change_t;

typedef struct cmox_action {
  cmox_action_kind_t kind;
  uint64_t call_id;
  /* REPLY */
  cmox_view_t out, err, signal;
  uint32_t delay_ms, exit_code;
  bool hang;
  bool ends; /* it says how, in a way that is known here */
  /* READ_STDIN */
  uint64_t max_bytes;
  uint32_t deadline_ms;
  bool drain;
  bool keep; /* a passthrough may follow */
  /* PASSTHROUGH */
  cmox_view_t program, search_path;
  cmox_bytes_t changes; /* of cmox_change_t */
  bool capture[3];      /* by stream */
  uint64_t capture_max; /* 0: no limit */
  uint32_t timeout_ms, kill_after_ms;
} cmox_action_t;

/* false: malformed. */
bool cmox_frame_decode(cmox_view_t body, cmox_frame_t *out);
/* request: the id of the request that this answers. Dies when memory is out. */
bool cmox_action_decode(uint32_t request, cmox_view_t payload, cmox_action_t *out);

#endif
