/* A server as a process of its own, `cmdmox serve --stdio`, with a client of it; sessions there;
 * and commands run in them. Anything that does not work ends the program: broken(). */
#ifndef CMOX_TESTS_SERVED_H
#define CMOX_TESTS_SERVED_H

#include <stdint.h>
#include <sys/types.h>

#include "client/lib/control.h"
#include "cmdmox/v1/control.pb-c.h"

enum { SERVED_PATIENCE_MS = 120000 };

typedef struct served {
  pid_t pid;
  cmox_control_t rpc;
} served_t;

/* descriptors: RLIMIT_NOFILE of the server, hard; 0: this process's. */
void served_start(served_t *server, const char *program, unsigned descriptors);
/* Hangs up; the server ends by that, with status 0. */
void served_stop(served_t *server);
/* The same for a server that may be dead or may not be: whatever its end is. */
void served_abandon(served_t *server);

/* Owned by the caller (cmox_wire_free). */
ProtobufCMessage *served_ask(served_t *server, const char *method, const ProtobufCMessage *request);
void served_tell(served_t *server, const char *method, const ProtobufCMessage *request);
/* A line of /proc/PID/status that counts in kB, such as "VmHWM:", as MiB. */
double served_mib(const served_t *server, const char *name);
/* CPU time of the server so far, ms. */
double served_cpu_ms(const served_t *server);

typedef struct served_session {
  served_t *server;
  ProtobufCMessage *created;
  ProtobufCBinaryData id;
  char shims[256]; /* the directory on PATH */
} served_session_t;

void served_session_open(served_session_t *session, served_t *server);
void served_session_free(served_session_t *session); /* forgets it; the server still has it */
void served_session_delete(served_session_t *session);
/* A connection to the session's socket on which nothing has been said. */
int served_dial(const served_session_t *session);

typedef struct served_answer {
  const char *out; /* NULL: nothing */
  size_t out_len;  /* 0: up to the NUL */
  uint32_t exit_code;
  const char *gate; /* NULL: at once */
} served_answer_t;

/* A stub of this command that accepts everything. */
void served_stub(served_session_t *session, const char *command, const served_answer_t *answer);
void served_replay(served_session_t *session);
uint64_t served_count(served_session_t *session);
uint64_t served_release(served_session_t *session, const char *gate);
/* Fails when it does not pass. */
void served_verify(served_session_t *session);
/* Calls visit for each call of the journal; how many there are. */
size_t served_journal(served_session_t *session,
                      void (*visit)(const Cmdmox__V1__Invocation *call, void *user), void *user);

/* ---- Commands ---- */

/* Starts a program by its path; in, out and err become its streams, -1: as ours. */
pid_t spawn_to(const char *program, char *const *argv, char *const *environment, int in, int out,
               int err);
/* Starts the command in the session, with number as its one argument. timeout: "5",
 * CMOX_IPC_TIMEOUT. */
pid_t served_spawn(const served_session_t *session, const char *command, unsigned number,
                   const char *timeout, int out, int err);
/* A file without a name, for what commands write. */
int nameless_file(void);
double now_us(void); /* monotonic */

#endif
