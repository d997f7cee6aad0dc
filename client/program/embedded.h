/* An engine of our own with one session, for a verb that runs a command in it. */
#ifndef CMOX_PROGRAM_EMBEDDED_H
#define CMOX_PROGRAM_EMBEDDED_H

#include <cmdmox/engine.h>

#include "client/lib/control.h"
#include "client/lib/environment.h"
#include "client/program/verbs.h"
#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/document.pb-c.h"

typedef struct cmox_embedded {
  const cmox_verb_t *verb;
  cmox_engine_t *engine;
  cmox_control_t control;
  ProtobufCBinaryData id; /* owned */
  cmox_entries_t entries; /* for the environment of the command */
} cmox_embedded_t;

/* Where a double was written, for what the engine says of it: line 0 is a flag. */
typedef struct cmox_written {
  const char *file; /* NULL: flags */
  const uint32_t *lines;
  size_t count;                  /* doubles from there on are of flags */
  const uint32_t *name_lines[3]; /* of register, allow, absent */
  size_t name_counts[3];         /* names from there on are of flags */
  uint32_t default_line;         /* of default_action; 0: it is of flags */
  uint32_t session_line;
} cmox_written_t;

/* Each of them: 0, or the exit status when stderr says what is wrong. */

/* settings and written may be NULL. To be closed whatever comes of it. */
int cmox_embedded_open(cmox_embedded_t *session, const cmox_verb_t *verb,
                       const Cmdmox__V1__DocumentSession *settings, const cmox_written_t *written);
void cmox_embedded_close(cmox_embedded_t *session);

/* Tells the session all of the document but `session`. It changes `after` in it: those are the
 * ids of the engine then. */
int cmox_embedded_declare(cmox_embedded_t *session, const Cmdmox__V1__Document *document,
                          const cmox_written_t *written);
int cmox_embedded_replay(cmox_embedded_t *session);
/* The answer is owned by the caller (cmox_wire_free). */
int cmox_embedded_verify(cmox_embedded_t *session, Cmdmox__V1__ReportFormat format, bool color,
                         Cmdmox__V1__VerifyResponse **answer);

/* A call of ControlService. *answer may be NULL: it says nothing. */
int cmox_embedded_call(cmox_embedded_t *session, const char *method,
                       const ProtobufCMessage *request, ProtobufCMessage **answer);

/* This process's environment with what the session sets; to be freed with cmox_free_block(). */
char **cmox_embedded_environment(cmox_embedded_t *session);

#endif
