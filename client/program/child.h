/* A command as our child: it has our place in the terminal, gets the signals that are sent to us,
 * stops and goes on with us, and dies when we die. */
#ifndef CMOX_PROGRAM_CHILD_H
#define CMOX_PROGRAM_CHILD_H

#include <stdbool.h>
#include <stdint.h>

enum { CMOX_CANNOT_EXECUTE = 126, CMOX_NOT_FOUND = 127, CMOX_BY_SIGNAL = 128 };

typedef struct cmox_child {
  char *const *command;
  char *const *environment; /* NULL: ours */
  bool on_its_path;    /* the command is looked up along the PATH of environment; else along ours */
  int input;           /* its stdin; -1: ours */
  uint32_t timeout_ms; /* 0: none; then TERM, and KILL 5 s later, to it and all that it started */
  const char *waits;   /* NULL: what it has left running goes on alone. Else that is waited for, but
                        * for daemons (processes with a session of their own), and this is the name
                        * under which stderr says so; a signal that ends us ends it instead */
} cmox_child_t;

typedef struct cmox_child_end {
  int error;  /* why it could not be run, of errno; 0: it ran */
  int status; /* as a shell has it: 126 and 127 when it did not run, 128 and the signal */
  bool timed_out;
} cmox_child_end_t;

/* Runs it to its end. Signals are for the command until then. */
cmox_child_end_t cmox_child_run(const cmox_child_t *child);

#endif
