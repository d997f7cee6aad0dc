/* What the files of the transport share. */
#ifndef CMOX_TRANSPORT_INTERNAL_H
#define CMOX_TRANSPORT_INTERNAL_H

#include <sys/types.h>

#include "server/base/buf.h"
#include "server/transport/transport.h"

#define CMOX_SCRATCH_BYTES (64u << 10) /* one read; shared by all links of a loop */

/* Links in order of their deadline, or links whose peer stopped reading. */
typedef struct cmox_link_queue {
  cmox_link_t *first, *last;
} cmox_link_queue_t;

typedef struct cmox_drain {
  struct cmox_drain *next;
  void (*done)(void *user);
  void *user;
  bool polled;     /* a whole poll lies between the request and now */
  unsigned rounds; /* polls so far */
} cmox_drain_t;

/* What hangs on loop->data. */
typedef struct cmox_transport {
  uv_loop_t *loop;
  uv_idle_t idle;   /* runs while a drain waits: polls do not block */
  uv_check_t check; /* counts the quiet polls */
  uv_timer_t timer; /* first handshake deadline */
  unsigned users;   /* own handles, links, listeners */
  bool closing;
  uint64_t activity; /* reads and accepts so far */
  uint64_t seen;     /* activity at the last check */
  cmox_drain_t *drains;
  uint64_t handshake_ms;
  cmox_link_queue_t waiting; /* handshake not done */
  cmox_link_queue_t broken;
  cmox_drain_t reap; /* lets late bytes in before a link is dropped */
  bool reaping;
  uint64_t reap_until; /* ms; deadlines up to here are over */
  uint8_t scratch[CMOX_SCRATCH_BYTES];
} cmox_transport_t;

struct cmox_link {
  cmox_transport_t *transport;
  const cmox_link_events_t *events; /* NULL: nobody wants to know */
  void *user;
  cmox_link_queue_t *queue; /* where it stands, or NULL */
  cmox_link_t *previous, *next;
  uint64_t deadline; /* ms, monotonic */
  cmox_buf_t in;     /* the start of a frame */
  cmox_buf_t out;    /* to be written */
  cmox_buf_t flight; /* owned by write */
  uv_write_t write;
  uint32_t max_frame;
  cmox_code_t why;
  unsigned open_pipes;
  bool corked;  /* inside the read callback: frames are collected */
  bool writing; /* write is under way */
  bool broken;  /* the peer takes no more bytes */
  bool closing; /* delivers no more frames */
  bool hard;    /* does not wait for a write under way */
  bool dying;   /* handles are being closed */
  unsigned pipe_count;
  uv_pipe_t pipes[]; /* [0] reads, the last writes */
};

static inline cmox_transport_t *cmox_transport_of(uv_loop_t *loop) { return loop->data; }
void cmox_transport_release(cmox_transport_t *transport);
uint64_t cmox_transport_now(void); /* ms; not the loop's cached time, which may be old */

void cmox_link_queue_add(cmox_link_queue_t *queue, cmox_link_t *link);
void cmox_link_queue_drop(cmox_link_t *link);
/* Starts the handshake deadline of a link. */
void cmox_transport_expect(cmox_link_t *link);
/* Drops a link whose peer takes no more bytes, after its last words. */
void cmox_transport_bury(cmox_link_t *link);

/* cmox_link_open without events; takes over the descriptors. */
cmox_code_t cmox_link_new(cmox_transport_t *transport, int in, int out, cmox_link_t **out_link,
                          cmox_error_t *error);

/* The system's side of a Unix socket listener. Each gives -1 and errno on failure. */
int cmox_peer_socket(void);                        /* close-on-exec, non-blocking */
int cmox_peer_accept(int fd);                      /* close-on-exec, non-blocking */
int cmox_peer_uid(int fd, uid_t *uid, pid_t *pid); /* pid 0: the system does not tell */
bool cmox_peer_allowed(uid_t peer, uid_t self);

/* Sockets of launchers: a child of fork() closes them at once. Any thread. */
void cmox_owned_add(int fd);
int cmox_owned_accept(int listener); /* cmox_peer_accept of a listener that was added */
void cmox_owned_forget(int fd);      /* before somebody else closes it */
void cmox_owned_close(int fd);

#endif
