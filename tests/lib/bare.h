/* The server without threads, launchers and chance: transport, rpc and sessions over real sockets
 * on a loop that the test turns. Clock and random bytes are counters, so that the same bytes in
 * give the same bytes out. What a host adds (shim directories, a thread) is not here. */
#ifndef CMOX_TESTS_BARE_H
#define CMOX_TESTS_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "server/rpc/rpc.h"
#include "tests/lib/raw.h"

typedef struct bare {
  uv_loop_t loop;
  cmox_rpc_t *rpc;
  uint64_t clock_ns;
  uint8_t next_id;
  char directory[64]; /* the sockets of its sessions */
  size_t sites;       /* opened so far */
  size_t open_sites;
  bool closed;
} bare_t;

/* False: out of memory, and nothing is left. */
bool bare_open(bare_t *bare);
void bare_close(bare_t *bare);

/* A new link to it, not yet greeted. False: out of memory, or there is no such session. */
bool bare_control(bare_t *bare, raw_link_t *link);
bool bare_shim(bare_t *bare, size_t session, raw_link_t *link); /* of the n-th session, from 0 */
/* The id of the n-th session, 16 bytes, static. */
const uint8_t *bare_session_id(size_t session);

void bare_turn(bare_t *bare);   /* once, without waiting */
void bare_settle(bare_t *bare); /* until all that was sent is answered, drains too */

#endif
