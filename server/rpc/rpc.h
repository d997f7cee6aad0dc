/* RPC: from frames to session events and back.
 *
 * A peer is one link and what was said on it. A hosted session is a session
 * with its place on disk and its shims' peers. Everything runs on the loop's thread. */
#ifndef CMOX_RPC_H
#define CMOX_RPC_H

#include <uv.h>

#include "server/base/error.h"
#include "server/session/session.h"
#include "server/transport/transport.h"

typedef struct cmox_rpc cmox_rpc_t;
typedef struct cmox_hosted cmox_hosted_t;
typedef struct cmox_site cmox_site_t; /* the host's: shim directory and listener */

/* What a session wants of its site; borrowed. */
typedef struct cmox_site_wishes {
  cmox_span_t temporary_directory; /* empty: the default */
  cmox_span_t path;                /* PATH of the code under test, without any shims */
  bool contained;                  /* the shims stand in its place */
} cmox_site_wishes_t;

/* What the composition above provides. */
typedef struct cmox_rpc_host {
  void *context;
  const char *isolated; /* see server/base/isolated.h; NULL: the engine does not run in it */
  uint64_t (*now_ns)(void *context); /* monotonic */
  cmox_code_t (*random)(void *context, void *out, size_t len, cmox_error_t *error);
  /* Makes a shim directory, and listens in it for the shims of `hosted` (cmox_rpc_accept_shim). */
  cmox_code_t (*open_site)(void *context, cmox_hosted_t *hosted, const cmox_site_wishes_t *wishes,
                           cmox_site_t **out, cmox_error_t *error);
  const char *(*site_bin)(const cmox_site_t *site);
  /* PATH with the shims, for the code under test. */
  void (*site_path)(const cmox_site_t *site, cmox_buf_t *out);
  const char *(*site_socket)(const cmox_site_t *site);
  /* For the long streams of its calls, until close_site. NULL: there is none. */
  cmox_spill_t *(*site_spill)(cmox_site_t *site);
  /* What can be said of calls that did not come; valid until the next call. NULL: nothing. */
  const cmox_reach_t *(*site_reach)(cmox_site_t *site);
  void (*begin_replay)(cmox_site_t *site); /* NULL: nothing is to be done */
  cmox_code_t (*add_shim)(cmox_site_t *site, cmox_span_t command, cmox_error_t *error);
  /* The real program instead of a shim; no program at all. */
  cmox_code_t (*allow)(cmox_site_t *site, cmox_span_t command, cmox_error_t *error);
  /* May set *more: then it is to be called again for the same command, before anything else. */
  cmox_code_t (*make_absent)(cmox_site_t *site, cmox_span_t command, bool *more,
                             cmox_error_t *error);
  /* After open_site, again while it sets *more: a shim for all that is on PATH, where wished. NULL:
   * there is nothing to be done. */
  cmox_code_t (*seal)(cmox_site_t *site, bool *more, cmox_error_t *error);
  /* PATH is another one by now: wishes.path anew. NULL: nothing is to be done. */
  cmox_code_t (*follow_path)(cmox_site_t *site, cmox_span_t path, cmox_error_t *error);
  cmox_code_t (*check_shims)(cmox_site_t *site, cmox_error_t *error);
  void (*close_site)(cmox_site_t *site); /* its shims answer 125 from now on */
  /* So many test clients are connected and so many sessions there are by now, which is another
   * number than before. NULL: nobody wants to know. */
  void (*populated)(void *user, size_t clients, size_t sessions);
  void *populated_user;
} cmox_rpc_host_t;

/* CMOX_E_INTERNAL when a service lacks a method; the library would call NULL. */
cmox_code_t cmox_rpc_new(uv_loop_t *loop, const cmox_rpc_host_t *host, cmox_rpc_t **out,
                         cmox_error_t *error);
/* Ends every session and link; `done` runs when nothing of it is left on the loop, and rpc is
 * freed. */
void cmox_rpc_shutdown(cmox_rpc_t *rpc, void (*done)(void *user), void *user);

/* Takes over a test client's link; gone(user) (may be NULL) runs when it has closed.
 * CMOX_E_NO_MEMORY: the link is being closed, and gone will not run. */
cmox_code_t cmox_rpc_accept_control(cmox_rpc_t *rpc, cmox_link_t *link, void (*gone)(void *user),
                                    void *user, cmox_error_t *error);
/* Takes over a shim's link that came in by the session's own socket. */
void cmox_rpc_accept_shim(cmox_hosted_t *hosted, cmox_link_t *link);

#endif
