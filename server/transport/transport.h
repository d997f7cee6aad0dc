/* Transport: moves frames over libuv, knows nothing of their meaning.
 *
 * Listener: binds, accepts, asks the socket who the peer is, hands over a link.
 * Link: cuts the incoming bytes into frames, queues the outgoing ones.
 *
 * Contract: everything here runs on the loop's thread. No call blocks. Callbacks
 * come from the loop, never from inside a cmox_link_* call, except on_frame, which comes from the
 * read callback and may send and close. A failed peer closes its own link only. */
#ifndef CMOX_TRANSPORT_H
#define CMOX_TRANSPORT_H

#include <stdbool.h>
#include <uv.h>

#include "server/base/error.h"
#include "server/base/span.h"

typedef struct cmox_link cmox_link_t;
typedef struct cmox_listener cmox_listener_t;

/* Prepares the loop: once, before anything else here. Takes loop->data. */
cmox_code_t cmox_transport_init(uv_loop_t *loop, cmox_error_t *error);
/* Closes the transport's own handles; links and listeners are closed by their
 * owners, before or after. Drains that wait are dropped without a call. Run the loop
 * until nothing is left on it, then uv_loop_close. */
void cmox_transport_fini(uv_loop_t *loop);
/* For links opened from now on; a seam for tests. Deadlines are kept in order of
 * opening: set it while no link waits for its handshake. */
void cmox_transport_set_handshake_ms(uv_loop_t *loop, uint64_t ms);

typedef struct cmox_link_events {
  /* One frame body; the bytes are valid during the call only. */
  void (*frame)(cmox_link_t *link, cmox_span_t body);
  /* Exactly once and last; the link is freed when it returns. why is CMOX_OK after
   * the peer's orderly end or cmox_link_close, else CMOX_E_BAD_FRAME, CMOX_E_FRAME_TOO_LARGE,
   * CMOX_E_DEADLINE_EXCEEDED (handshake), CMOX_E_LINK_CLOSED (a half frame, reset, write error),
   * CMOX_E_NO_MEMORY, CMOX_E_TOO_COMPLEX (the peer does not read and its queue is full). */
  void (*closed)(cmox_link_t *link, cmox_code_t why);
  /* Nothing is queued: after each write that was waited for and after each read. May send and
   * close. May be NULL. */
  void (*drained)(cmox_link_t *link);
} cmox_link_events_t;

/* Takes over fds that are already connected (a socket pair end: in == out; stdio: two). On
 * failure the descriptors are closed too. Sockets, pipes and terminals are
 * taken, files are not (CMOX_E_INVALID_ARGUMENT): epoll refuses them. Frames are accepted up to
 * CMOX_FRAME_MAX_HELLO until cmox_link_set_max_frame, and the link is dropped
 * CMOX_HANDSHAKE_DEADLINE_MS after its start unless cmox_link_established was called. */
cmox_code_t cmox_link_open(uv_loop_t *loop, int in, int out, const cmox_link_events_t *events,
                           void *user, cmox_link_t **out_link, cmox_error_t *error);

void *cmox_link_user(const cmox_link_t *link);
/* Replaces the callbacks; for a link that a listener handed over. */
void cmox_link_set_events(cmox_link_t *link, const cmox_link_events_t *events, void *user);
void cmox_link_set_max_frame(cmox_link_t *link, uint32_t max_body);
void cmox_link_established(cmox_link_t *link); /* stops the handshake deadline */

/* Queues one frame (the body; the prefix is added here; the bytes are copied).
 * Frames sent from within on_frame leave in one write when it returns; other
 * frames at once as far as the kernel takes them. After close or failure it
 * does nothing and gives CMOX_E_LINK_CLOSED. CMOX_E_NO_MEMORY and CMOX_E_TOO_COMPLEX (more
 * than CMOX_LINK_QUEUE_MAX bytes queued) leave the link closing. A peer that stopped
 * reading is still heard: what it sent before is delivered ahead of closed(). */
cmox_code_t cmox_link_send(cmox_link_t *link, cmox_span_t body);

/* Bytes queued and not yet taken by the kernel. */
size_t cmox_link_queued(const cmox_link_t *link);

/* Sends what is queued, then closes; no more frames are delivered. A peer that
 * neither reads nor goes away holds the link open until cmox_link_abort. */
void cmox_link_close(cmox_link_t *link, cmox_code_t why);
/* Closes now and drops what is queued; also for a link that is closing. */
void cmox_link_abort(cmox_link_t *link, cmox_code_t why);

typedef struct cmox_listener_events {
  /* A peer with an accepted user id. The callee sets the link's events. */
  void (*link)(cmox_listener_t *listener, cmox_link_t *link);
  /* Exactly once, after cmox_listener_close; the listener is freed when it returns. May be NULL. */
  void (*closed)(cmox_listener_t *listener);
} cmox_listener_events_t;

/* Listens on a Unix socket. The path must not exist (no unlink of what others
 * made) and be at most CMOX_SOCKET_PATH_MAX bytes (CMOX_E_PATH_TOO_LONG); it is created
 * with mode 0600 without touching the process's umask. Peers whose uid is neither
 * this process's effective uid nor 0 are closed before a byte is read. */
cmox_code_t cmox_listener_open(uv_loop_t *loop, const char *path,
                               const cmox_listener_events_t *events, void *user,
                               cmox_listener_t **out, cmox_error_t *error);

/* For a path that servers may leave behind when they are killed. Between these two steps of one
 * server and its cmox_listener_open() no other server takes its turn in that directory: so a socket
 * that refuses connections is no server that is about to listen. The turn is a descriptor, which
 * the caller closes; -1: it could not be had, and nothing is removed. */
int cmox_listener_take_turn(const char *path);
void cmox_listener_clear_dead(const char *path, int turn);

void *cmox_listener_user(const cmox_listener_t *listener);
/* Stops accepting, unlinks the path. Links that were accepted live on. */
void cmox_listener_close(cmox_listener_t *listener);

/* Calls done(user) once everything that peers had sent before this call has
 * been delivered: pending connections accepted, readable links read (bounded: a flood of new calls
 * cannot hold it back for ever). CMOX_E_NO_MEMORY; CMOX_E_LINK_CLOSED after
 * cmox_transport_fini. */
cmox_code_t cmox_transport_drain(uv_loop_t *loop, void (*done)(void *user), void *user);

#endif
