/* A session of a shell: a process in the background holds an engine with one session, and the verbs
 * ask it by what CMOX_SESSION says, "ADDRESS#ID" with the id in hex. Whoever knows the id may use
 * it.
 *
 * The address is a socket in the private part of the session's own shim directory, D/priv/c. Beside
 * it are two files: what the shell evaluates to enter the session, and to leave it. */
#ifndef CMOX_PROGRAM_SESSION_H
#define CMOX_PROGRAM_SESSION_H

#include "client/lib/control.h"
#include "client/program/verbs.h"
#include "cmdmox/v1/control.pb-c.h"
#include "proto/limits.h"
#include "server/base/buf.h"
#include "server/wire/wire.h"

#define CMOX_SESSION_VARIABLE "CMOX_SESSION"
#define CMOX_SESSION_TEXT_MAX 256u /* of the variable, bytes */

typedef struct cmox_shell_session {
  const char *verb;
  char address[CMOX_SESSION_TEXT_MAX];
  uint8_t id[CMOX_SESSION_ID_BYTES];
  cmox_control_t control;
} cmox_shell_session_t;

/* Reads CMOX_SESSION and connects. 0, or the exit status when stderr says why not. To be ended with
 * cmox_shell_close() either way. */
int cmox_shell_open(cmox_shell_session_t *session, const cmox_verb_t *verb);
/* Only reads it. */
int cmox_shell_find(cmox_shell_session_t *session, const cmox_verb_t *verb);
int cmox_shell_connect(cmox_shell_session_t *session);
void cmox_shell_close(cmox_shell_session_t *session);

ProtobufCBinaryData cmox_shell_id(cmox_shell_session_t *session);

/* Calls a method of ControlService. 0 and the answer, which the caller owns (cmox_wire_free), or
 * the exit status when stderr says what is wrong. */
int cmox_shell_call(cmox_shell_session_t *session, const char *method,
                    const ProtobufCMessage *request, ProtobufCMessage **answer);
/* The same for an answer that says nothing. */
int cmox_shell_do(cmox_shell_session_t *session, const char *method,
                  const ProtobufCMessage *request);

/* One line on stderr; the exit status of the error. */
int cmox_shell_fail(const char *verb, const cmox_error_t *error);

/* Reads a file of the session's private directory, `name` as in shimdir.h. False: it is not there,
 * or it is not ours alone to write. */
bool cmox_shell_read(const cmox_shell_session_t *session, const char *name, cmox_buf_t *out);

/* The directory of its shims, as text. False: the address is none that a session has. */
bool cmox_shell_shims(const cmox_shell_session_t *session, char path[CMOX_SESSION_TEXT_MAX]);

/* Makes an empty file there; one that cannot be made is as good as not said. */
void cmox_shell_note(const cmox_shell_session_t *session, const char *name);

/* "export NAME='value'" for a shell; value NULL: "unset NAME". */
void cmox_shell_assign(cmox_buf_t *out, cmox_span_t name, const char *value, size_t len);

/* Command names, borrowed from the words; the caller frees the list. NULL: memory is out. */
ProtobufCBinaryData *cmox_shell_names(char **words, size_t count);

#endif
