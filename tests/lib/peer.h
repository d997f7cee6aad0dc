/* A scripted server for launcher tests: a shim directory whose socket the test
 * itself answers, frame by frame, so that it can say anything a server may or may not say.
 *
 * One thread: start the launcher, then play the server's part, then collect how the launcher
 * ended. Its stdout and stderr go to memory files, so that nothing here can block on
 * them. Every wait has a guard far above what a healthy run needs; a failed step fails the test. */
#ifndef CMOX_TESTS_PEER_H
#define CMOX_TESTS_PEER_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"

/* The stage: D/bin/git -> ../cmdmox-shim, D/endpoint, a listening D/priv/s. */

typedef struct cmox_stage {
  char dir[64];
  int listener;
} cmox_stage_t;

/* The launcher under test is $CMDMOX_TEST_SHIM. */
void cmox_stage_open(cmox_stage_t *stage);
void cmox_stage_close(cmox_stage_t *stage); /* closes the socket, removes the directory */
void cmox_stage_copy(const char *from, const char *to); /* a program; to is new */
void cmox_stage_unlisten(cmox_stage_t *stage);
/* Replaces D/endpoint; NULL removes it. */
void cmox_stage_endpoint(const cmox_stage_t *stage, const char *text);
const char *cmox_stage_path(const cmox_stage_t *stage, const char *below); /* static buffer */

/* The launcher. */

enum { CMOX_RUN_CLOSED = -1, CMOX_RUN_MEMORY = 0 };

typedef struct cmox_start {
  const char *program;            /* below D; NULL: "bin/git" */
  const char *exact;              /* used as it is instead, from cwd */
  const char *const *argv;        /* NULL: {"git"} */
  const char *const *environment; /* NULL: a timeout only */
  int in, out, err; /* descriptors above 2, CMOX_RUN_CLOSED, or CMOX_RUN_MEMORY (in: /dev/null) */
  bool ignore_pipe; /* SIGPIPE is inherited as ignored */
  const char *cwd;
  size_t memory; /* bytes of address space; 0: unbounded. For the static launcher only */
} cmox_start_t;

bool cmox_run_is_static(void);

#define CMOX_START(...) (&(cmox_start_t){__VA_ARGS__})

typedef struct cmox_run {
  pid_t pid;
  int out_file, err_file;
  char log[96];    /* of valgrind; "": it does not run under that */
  int status;      /* of waitpid */
  char *out, *err; /* NUL-terminated */
  size_t out_len, err_len;
} cmox_run_t;

void cmox_run_start(const cmox_stage_t *stage, const cmox_start_t *start, cmox_run_t *run);
void cmox_run_finish(cmox_run_t *run); /* waits; fills the rest */
void cmox_run_free(cmox_run_t *run);

/* Finishes, asserts exit 125 and one line on stderr that begins "cmdmox: git: " and holds why. */
void cmox_run_failed(cmox_run_t *run, const char *why);
void cmox_run_exited(cmox_run_t *run, int status);

/* The server's part, on one connection. */

typedef Cmdmox__V1__Frame cmox_pb_frame_t;

int cmox_peer_accept(const cmox_stage_t *stage);
/* NULL: the launcher closed the link. Owned by the caller (cmox_peer_free). */
cmox_pb_frame_t *cmox_peer_read(int peer);
void cmox_peer_free(cmox_pb_frame_t *frame);
void cmox_peer_bytes(int peer, const void *data, size_t len);
/* The frame as it goes over the wire. Owned by the caller. */
uint8_t *cmox_peer_pack(const cmox_pb_frame_t *frame, size_t *len);
void cmox_peer_send(int peer, const cmox_pb_frame_t *frame);

void cmox_peer_welcome(int peer);
void cmox_peer_refuse(int peer, const char *reason, const char *message);
void cmox_peer_error(int peer, uint32_t id, const char *message);
void cmox_peer_stream(int peer, int stream, const void *data, size_t len, uint32_t delay_ms);
/* A piece of a file; path: it begins here, or NULL. */
void cmox_peer_file(int peer, const char *path, uint32_t mode, const char *text, bool eof);
/* A Response with this action, as InvokeResponse or ContinueInvokeResponse (the same on the wire).
 */
void cmox_peer_action(int peer, uint32_t id, Cmdmox__V1__Action *action);
/* Without an end of its own it ends with exit code 0. */
void cmox_peer_reply(int peer, uint32_t id, const Cmdmox__V1__Reply *reply);
void cmox_peer_exit(int peer, int status);
void cmox_peer_notify_progress(int peer);

/* Reads Hello and Invoke and checks their envelope. Owned by the caller. */
Cmdmox__V1__InvokeRequest *cmox_peer_invoke(int peer);
void cmox_peer_free_invoke(Cmdmox__V1__InvokeRequest *request);
/* accept, invoke, welcome. */
int cmox_peer_begin(const cmox_stage_t *stage);

typedef struct cmox_completed {
  bool seen, broken_pipe;
  uint64_t out, err;
  char failure[64], failed_path[128]; /* cut */
} cmox_completed_t;

/* Reads to the end of the link. */
cmox_completed_t cmox_peer_end(int peer);

/* The main of a test program. */
int cmox_check_main(const char *name, const TTest *const *tests);

#endif
