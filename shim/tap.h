/* One captured output of the real command: what comes out of its pipe goes to the caller at once,
 * and up to the server as far as that wants it. */
#ifndef CMOX_SHIM_TAP_H
#define CMOX_SHIM_TAP_H

#include "shim/call.h"

typedef struct cmox_tap {
  int stream;          /* the caller's, 1 or 2; 0: this tap is not used */
  int from;            /* the pipe; -1: it is at its end */
  int to;              /* the caller's stream, for cmox_os_put */
  cmox_os_kind_t kind; /* of that */
  bool named;          /* a pipe that is a file, too */
  bool reopened;       /* to is the launcher's own, where that can be had */
  uint64_t left;       /* bytes that the server still wants */
  uint64_t total;      /* that the command wrote */
  bool past;           /* nothing more is wanted, and the rest can be spliced */
  bool full;           /* the caller has to read first */
  bool last;           /* the command has ended: what is in the pipe now is all of it */
  bool dry;            /* and that has been read, yet something holds the pipe open */
  uint64_t most;       /* total that what was in the pipe then can come to */
  uint8_t *block;
  cmox_view_t rest; /* of block: not yet written */
} cmox_tap_t;

/* Gives the end of the pipe that the command gets. Dies when there can be no pipe. */
int cmox_tap_open(cmox_tap_t *tap, int stream, uint64_t most);
/* What is to be waited for. */
void cmox_tap_watch(const cmox_tap_t *tap, cmox_os_watch_t watches[2]);
/* Moves what can be moved without waiting. call NULL: nothing is told to a server. */
void cmox_tap_step(cmox_tap_t *tap, cmox_call_t *call, const cmox_os_watch_t watches[2]);
/* The command has ended or stopped (or goes on): what is in the pipe is all that it wrote. */
void cmox_tap_last(cmox_tap_t *tap, bool last);
/* Steps until it is done or stuck. Only after cmox_tap_last. */
void cmox_tap_step_on(cmox_tap_t *tap, cmox_call_t *call);
/* Tells the server what is still in the pipe of a command that has ended, without writing it.
 * Whether something else may write more. */
bool cmox_tap_leave(cmox_tap_t *tap, cmox_call_t *call);
/* Whether the caller has to read before anything can be done. */
bool cmox_tap_stuck(const cmox_tap_t *tap);
/* Whether more may come, or is left to be written. */
bool cmox_tap_open_still(const cmox_tap_t *tap);
/* The descriptors that it still needs; -1: none. */
void cmox_tap_keep(const cmox_tap_t *tap, int kept[2]);
/* Whether nothing is left to be done for a command that has ended. */
bool cmox_tap_done(const cmox_tap_t *tap);

#endif
