/* The flags of a double by their numbers, for what reads them. */
#ifndef CMOX_PROGRAM_DOUBLE_OPTIONS_H
#define CMOX_PROGRAM_DOUBLE_OPTIONS_H

#include "client/program/double_flags.h"

enum {
  FIRST = 1000,
  ARG = FIRST,
  ARGS_ANY,
  NO_ARGS,
  GLOB,
  REGEX,
  STDIN,
  STDIN_FILE,
  ENV,
  CWD,
  OUT,
  OUT_FILE,
  ERR,
  EXIT,
  SIGNAL,
  DELAY,
  PASSTHROUGH,
  PROGRAM,
  UNCAPTURED,
  CAPTURE_STDIN,
  DRAIN_STDIN,
  TIMES,
  AT_LEAST,
  AT_MOST,
  NEVER,
  ANY_TIMES,
  IN_ORDER,
  END
};

#define CMOX_DOUBLE_BIT(id) (UINT64_C(1) << ((id)-FIRST))

/* Whether a double that has the flags `given` may have this one, too: 0, or the exit status when
 * stderr says why not. */
int cmox_double_check_flag(const cmox_verb_t *verb, uint64_t given, int id);

#endif
