/* A stream of the real command that is a file: the command has the caller's own, and what it took
 * or wrote is read again afterwards, by the way that the offset went. */
#ifndef CMOX_SHIM_TRACK_H
#define CMOX_SHIM_TRACK_H

#include "shim/call.h"

typedef struct cmox_track {
  int stream; /* 0: not used */
  int file;   /* to read it by */
  uint64_t start;
  uint64_t left; /* bytes that the server wants */
} cmox_track_t;

/* Of stdout or stderr, before the command starts. False: it is no file that can be read. */
bool cmox_track_open(cmox_track_t *track, int stream, uint64_t most);
/* After the command's end, with the stream that is the same file, or its own again: tells the
 * server; gives the bytes that were written. */
uint64_t cmox_track_close(cmox_track_t *track, int other, cmox_call_t *call);
/* Tells what stands there from one offset to another, most bytes of it. */
void cmox_track_tell(cmox_call_t *call, int stream, int file, uint64_t from, uint64_t to,
                     uint64_t most);

#endif
