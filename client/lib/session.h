/* What stands behind the handles of <cmdmox/cmdmox.h>. */
#ifndef CMOX_CLIENT_SESSION_H
#define CMOX_CLIENT_SESSION_H

#include <cmdmox/cmdmox.h>
#include <cmdmox/engine.h>
#include <pthread.h>

#include "client/lib/callbacks.h"
#include "client/lib/control.h"
#include "client/lib/environment.h"
#include "client/lib/living.h"
#include "client/lib/problems.h"
#include "client/lib/report.h"
#include "cmdmox/v1/control.pb-c.h"
#include "proto/limits.h"
#include "server/wire/wire.h"

typedef struct cmox_environ_copy cmox_environ_copy_t;

struct cmox_double {
  cmox_t *mox;
  cmox_double_t *next;
  uint64_t id; /* 0: the server refused it; local checks go on */
  cmox_kind_t kind;
};

struct cmox {
  pid_t pid;            /* the process that may use it */
  bool shared;          /* the static poison: nothing in it may be written */
  cmox_error_t failure; /* why there is no session; code CMOX_OK when there is one */
  cmox_t *next_living;  /* guarded by the process's lock */

  pthread_mutex_t lock; /* guards all that follows */
  cmox_engine_t *engine;
  char *address;               /* of the server; NULL: the engine */
  cmox_callbacks_t *callbacks; /* NULL: the test has none */
  uint32_t callback_deadline_ms;
  cmox_control_t control;
  uint8_t id[CMOX_SESSION_ID_BYTES];
  size_t id_len;
  char *label;
  char *place; /* "file:line" of what was declared first; NULL: not known */
  char *shim_directory;
  cmox_entries_t entries; /* for the environment of the code under test */
  char *own_path;         /* PATH when it was made; NULL: none */
  bool path_fixed;        /* the PATH in entries does not begin with shims and go on with our own */
  cmox_environment_t environment;
  cmox_report_choice_t report;
  cmox_applied_t applied;
  cmox_environ_copy_t *copies; /* what cmox_environ() gave */
  cmox_double_t *doubles;
  uint32_t next_position; /* in sequences */
  cmox_problems_t problems;
  bool declared;      /* a double or a command */
  bool replay_called; /* with replayed unset: and it failed */
  bool replayed;
  bool verified;    /* the server has given its verdict */
  bool unverified;  /* replayed, and cmox_verify() was not called since */
  bool told_broken; /* that the link is gone is among the problems */
  bool told_path;   /* cmox_environ(): so is that PATH has changed */

  bool concluded;     /* result is that of replay or verify; else the problems speak */
  cmox_code_t result; /* with text, or the code's own when memory was out */
  char *text;
  char forked_text[192]; /* written in a child of fork() only */
};

/* Takes the session's lock: CMOX_OK, or without the lock CMOX_E_INVALID_ARGUMENT (NULL),
 * CMOX_E_FORKED, or why there is no session. */
cmox_code_t cmox_enter(cmox_t *mox);
void cmox_leave(cmox_t *mox);

/* A call of ControlService for a session that is entered; see cmox_control_call(). A link that
 * broke before gives its first reason again. */
cmox_code_t cmox_call(cmox_t *mox, const char *method, const ProtobufCMessage *request,
                      ProtobufCMessage **response, cmox_error_t *error);
ProtobufCBinaryData cmox_session_id(cmox_t *mox);

/* Notes that the test declares something, and where it does that first. */
void cmox_note_declared(cmox_t *mox, cmox_location_t where);

/* Whether a session that would have passed is told of too. */
typedef enum cmox_silence { CMOX_TELL_FAILURES, CMOX_TELL_ALL } cmox_silence_t;

/* For a session that is entered: what was left undone. Restores the environment; when it was
 * replayed and not verified, verifies it, writes to stderr what is wrong, and keeps it as
 * forgotten. */
void cmox_settle(cmox_t *mox, cmox_silence_t silence);

/* Keeps a mistake. What a broken link does to later calls is kept once. */
void cmox_keep_problem(cmox_t *mox, cmox_location_t where, const char *function,
                       const cmox_error_t *detail);

/* For handles when memory is out; static, never written, ended by nobody. */
extern cmox_t cmox_poison_session;
extern cmox_double_t cmox_poison_double;

/* Copies a struct that begins with its size: what the caller does not know is
 * zero, what we do not know must be zero. `least` is the size of its first release. */
bool cmox_copy_sized(void *to, size_t size, size_t least, const void *from);

/* Makes the session of a handle that has its lock: reads options and the
 * environment, starts the engine or connects, greets. */
cmox_code_t cmox_open(cmox_t *mox, const cmox_options_t *options, cmox_error_t *error);

/* A snapshot of one call; its count is 0 when memory is out. */
cmox_invocations_t *cmox_invocations_of_one(Cmdmox__V1__Invocation *call);

/* UTF-8 for the schema's text fields: an owned copy in which bytes that are
 * none stand as '?'; NULL gives "". NULL when memory is out. */
char *cmox_utf8_copy(const char *text);

#endif
