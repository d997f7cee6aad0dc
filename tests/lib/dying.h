/* A test that dies: a process with sessions of its own (phases.h) and an end. */
#ifndef CMOX_TESTS_DYING_H
#define CMOX_TESTS_DYING_H

#include <stdbool.h>

#include "tests/lib/phases.h"

typedef struct end {
  const char *name;
  int number;        /* the signal that is sent to it; 0: it ends itself */
  void (*end)(void); /* how */
} end_t;

extern const end_t ways_to_end[];
extern const unsigned way_to_end_count;

/* What became of it. */
typedef struct death {
  int status;              /* its wait status */
  pid_t late;              /* still there; 0: none */
  int go;                  /* a line there has it make its call */
  int err;                 /* what calls have said so far */
  unsigned refused, piped; /* calls that ended with 125, or by SIGPIPE */
} death_t;

/* Forks a test that gets to the phase and ends; waits for it and for its calls, as whose subreaper
 * this process makes itself. Any other end of a call is broken(). */
void die(const phase_t *phase, const end_t *end, death_t *death);
/* Has the late child make its call: its status. Closes what is in death. */
int late_call(death_t *death);

#endif
