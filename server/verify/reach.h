/* Why no call of a command reached its shim: what is known, and nothing beyond. */
#ifndef CMOX_VERIFY_REACH_H
#define CMOX_VERIFY_REACH_H

#include "server/journal/journal.h"

/* A real program that was watched since replay. */
typedef struct cmox_real_program {
  const char *path;
  bool opened; /* by anybody */
} cmox_real_program_t;

#define CMOX_PROGRAM_PATH_MAX 4096u

/* What the host can look up for a report. */
typedef struct cmox_reach {
  const char *bin; /* the shims' directory, as it stands on PATH */
  void *context;
  /* Whether PATH searches would take this file. */
  bool (*runs)(void *context, const char *path);
  bool watches; /* real programs are watched, or should have been */
  /* Fills `out` with at most `most` programs of that name on the session's own PATH; how many.
   * Their paths are valid until the next call. Sets *unknown when there is one more, of which it
   * cannot be said whether it was opened. */
  size_t (*programs)(void *context, cmox_span_t command, cmox_real_program_t *out, size_t most,
                     bool *unknown);
  /* The first program of that name on the session's own PATH; false: there is none. */
  bool (*find)(void *context, cmox_span_t command, char file[CMOX_PROGRAM_PATH_MAX]);
} cmox_reach_t;

#define CMOX_REAL_PROGRAMS_MAX 8u

/* Lines for a command of which no call came; owned by the caller. reach may be NULL: nothing is
 * known. NULL when memory is out. */
char *cmox_reach_hint(const cmox_reach_t *reach, const cmox_journal_t *journal,
                      cmox_span_t command);

#endif
