/* The real command's stdin: not one byte more of the caller's is consumed than it takes, where the
 * system can tell. */
#ifndef CMOX_SHIM_FEED_H
#define CMOX_SHIM_FEED_H

#include "shim/call.h"

enum { CMOX_FEED_BLOCK = 4096 };

typedef struct cmox_feed {
  cmox_os_kind_t kind; /* of the caller's stdin */
  int to;              /* the pipe that the command reads; -1: it has the caller's own */
  uint64_t left;       /* bytes that the server still wants */
  uint64_t total;      /* that the command took */
  uint64_t start;      /* of a file: where the command began */
  size_t ahead;        /* bytes in the pipe that it may still take */
  bool copies;         /* they stay the caller's till then */
  uint8_t block[CMOX_FEED_BLOCK];
} cmox_feed_t;

/* What is read of stdin from here on, by reading it to decide the call, is kept for the command. */
void cmox_feed_keep_from_here(void);
void cmox_feed_keep(cmox_view_t data);
/* Something was kept that the caller's stdin can not give again. */
bool cmox_feed_has_kept(void);

/* Gives what the command gets as stdin: its end of a pipe, or -1 for the caller's own. most: bytes
 * that the server wants, beside those that were read to decide. */
int cmox_feed_open(cmox_feed_t *feed, bool capture, uint64_t most);
void cmox_feed_watch(const cmox_feed_t *feed, cmox_os_watch_t watches[2]);
void cmox_feed_step(cmox_feed_t *feed, cmox_call_t *call, const cmox_os_watch_t watches[2]);
/* The command has ended. */
void cmox_feed_close(cmox_feed_t *feed, cmox_call_t *call);

#endif
