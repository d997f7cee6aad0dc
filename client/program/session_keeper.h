/* The process in the background that holds a session of a shell. */
#ifndef CMOX_PROGRAM_SESSION_KEEPER_H
#define CMOX_PROGRAM_SESSION_KEEPER_H

#include "client/program/guard.h"

typedef struct cmox_keeper_wishes {
  const char *label; /* NULL: none */
  const char *dialect;
  bool contained;
  bool traps;
  uint64_t idle_ms;             /* 0: for ever */
  uint64_t max_journal_entries; /* 0: all */
  size_t absent_count;
  char **absent; /* borrowed */
  const char *log;
  cmox_guard_t guard; /* of the shell */
} cmox_keeper_wishes_t;

/* Starts it, and returns what it has said: 0 when the session answers, with what the shell is to
 * evaluate on stdout; else the exit status, with the reason on stderr. */
int cmox_keeper_start(const cmox_keeper_wishes_t *wishes);

#endif
