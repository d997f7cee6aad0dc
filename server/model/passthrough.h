/* The real command in place of an answer: what a double asks for, and what became of it. */
#ifndef CMOX_MODEL_PASSTHROUGH_H
#define CMOX_MODEL_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/span.h"
#include "server/model/stream.h"

#define CMOX_SIGNAL_NAME_MAX 31u /* bytes */

typedef struct cmox_passthrough {
  bool capture_stdin;
  bool capture_stdout;
  bool capture_stderr;
  uint64_t capture_max_bytes; /* of each stream; 0: the default */
  uint32_t timeout_ms;        /* 0: none */
  uint32_t kill_after_ms;     /* 0: the default */
} cmox_passthrough_t;

/* How the shim says that the real command ended; borrowed. */
typedef struct cmox_passed_report {
  const char *signal; /* NULL: exited */
  bool exited;        /* with exit_code; neither: nobody knows */
  uint32_t exit_code;
  cmox_span_t program;  /* what ran */
  uint64_t stdin_bytes; /* that it consumed; 0 where nobody counted */
  uint64_t stdout_bytes;
  uint64_t stderr_bytes;
  const char *failure; /* why it could not be run; "": it ran */
  bool timed_out;
  bool merged;    /* both outputs were one open file: all of it is in stdout */
  bool lingering; /* something that it started still had its output open */
  bool replaced;  /* the shim became it: nobody hears of its end */
} cmox_passed_report_t;

/* A call that is passed through. What it reads is in the call's stdin_stream. */
typedef struct cmox_passed {
  cmox_passthrough_t how; /* without defaults left open */
  char *program;          /* runs in place of the real command; NULL: none does */
  bool begun;             /* the shim was told */
  bool reported;
  cmox_passed_report_t report; /* owned, once reported */
  cmox_stream_t out;           /* what was captured */
  cmox_stream_t err;
} cmox_passed_t;

/* program: what runs in place of the real command, of which a copy is kept; NULL: nothing does.
 * spill: for what it captures; NULL: none. NULL when memory is out. */
cmox_passed_t *cmox_passed_new(const cmox_passthrough_t *how, const char *program,
                               cmox_spill_t *spill);
void cmox_passed_free(cmox_passed_t *passed); /* NULL is fine */
/* It begins, again if need be: nothing has been captured or reported. */
void cmox_passed_begin(cmox_passed_t *passed);
/* Keeps a copy; false: memory is out, and nothing has changed. */
bool cmox_passed_report(cmox_passed_t *passed, const cmox_passed_report_t *report);

/* In the environment of a real command: the names of those within which it runs, and its own, with
 * '/' between them, which no name has. */
#define CMOX_PASSTHROUGH_VARIABLE "CMOX_PASSTHROUGH"
/* It could not be run or took too long: verification says so. */
bool cmox_passed_is_remarkable(const cmox_passed_t *passed);

#define CMOX_REAL_COMMAND_PREFIX "CMOX_REAL_COMMAND_"

/* CMOX_REAL_COMMAND_<NAME> of an environment: of the exact name, else in upper case with all that
 * is no letter or digit as '_'. Borrowed; empty: there is none. */
cmox_span_t cmox_real_command(cmox_span_list_t env, cmox_span_t command);
/* Where `cmdmox isolate` keeps real programs, as an environment tells it. Borrowed; empty: it does
 * not. */
cmox_span_t cmox_isolated(cmox_span_list_t env);
/* The value of CMOX_PASSTHROUGH of an environment; borrowed. */
cmox_span_t cmox_passthrough_above(cmox_span_list_t env);
/* How often the command is among them. */
uint32_t cmox_passthrough_depth(cmox_span_t above, cmox_span_t command);

#endif
