/* What ends a server process: a signal, the end of the process that it is for, or that nobody needs
 * it any more. One per process. */
#ifndef CMOX_PROGRAM_GUARD_H
#define CMOX_PROGRAM_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "client/program/verbs.h"

typedef enum cmox_end {
  CMOX_END_SIGNAL,
  CMOX_END_PARENT, /* that process is gone */
  CMOX_END_IDLE    /* for so long there was no client and no session; or the last session went */
} cmox_end_t;

typedef struct cmox_guard {
  pid_t parent;       /* 0: none */
  int parent_fd;      /* of pidfd_open(); -1: its end is asked for now and then */
  uint64_t idle_ms;   /* 0: for ever */
  bool needs_session; /* ends as soon as there is no session */
} cmox_guard_t;

/* Makes this process one that serves: signals that end it are noted (SIGINT, SIGTERM, SIGHUP),
 * SIGPIPE is ignored, it may have as many descriptors as the limit allows, and leaves no core.
 * False, and a line on stderr: it cannot. */
bool cmox_guard_begin(const char *verb);

/* Watches that process, 0: none. False, and a line on stderr: there is no such process. */
bool cmox_guard_watch(cmox_guard_t *guard, const char *verb, pid_t parent);
void cmox_guard_clear(cmox_guard_t *guard);

/* For cmox_engine_options_t.populated. */
void cmox_guard_populated(void *user, size_t clients, size_t sessions);

/* Waits for the first of them. Any thread. *number: of the signal. */
cmox_end_t cmox_guard_wait(const cmox_guard_t *guard, int *number);

/* Waits for the end of a process, at most so long; below 0: for ever. */
void cmox_guard_wait_gone(cmox_guard_t *guard, int most_ms);

/* The process that $$ names in the shell which has started us: our parent, or what that is a mere
 * fork of. */
pid_t cmox_guard_shell(void);

#endif
