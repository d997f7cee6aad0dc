/* Whether a handle may be used at all, and what cmox_code() says of it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/session.h"

cmox_t cmox_poison_session = {.shared = true, .failure = {CMOX_E_NO_MEMORY, "out of memory"}};
cmox_double_t cmox_poison_double = {.mox = &cmox_poison_session};

static bool forked(const cmox_t *mox) { return !mox->shared && mox->pid != getpid(); }

cmox_code_t cmox_enter(cmox_t *mox) {
  if (!mox) return CMOX_E_INVALID_ARGUMENT;
  if (forked(mox)) return CMOX_E_FORKED;
  if (mox->failure.code != CMOX_OK) return mox->failure.code;
  (void)pthread_mutex_lock(&mox->lock);
  return CMOX_OK;
}

void cmox_leave(cmox_t *mox) { (void)pthread_mutex_unlock(&mox->lock); }

cmox_code_t cmox_code(const cmox_t *mox) {
  cmox_t *session = (cmox_t *)mox; /* for its lock; the caller's view of it stays the same */
  cmox_code_t code = cmox_enter(session);
  if (code != CMOX_OK) return code;
  code = session->concluded ? session->result : session->problems.first;
  cmox_leave(session);
  return code;
}

static const char *forked_message(cmox_t *mox) {
  (void)snprintf(mox->forked_text, sizeof mox->forked_text,
                 "this session was made in process %ld, and is used in process %ld after fork(); "
                 "make the session in the process that uses it",
                 (long)mox->pid, (long)getpid());
  return mox->forked_text;
}

const char *cmox_message(const cmox_t *mox) {
  cmox_t *session = (cmox_t *)mox;
  switch (cmox_enter(session)) {
    case CMOX_OK:
      break;
    case CMOX_E_INVALID_ARGUMENT:
      return session ? session->failure.message : "the session is NULL; make one with cmox_new()";
    case CMOX_E_FORKED:
      return forked_message(session);
    default:
      return session->failure.message;
  }
  const char *text = cmox_problems_text(&session->problems);
  if (session->concluded) {
    text = session->text;
    if (!text) text = session->result == CMOX_OK ? "" : cmox_code_text(session->result);
  }
  cmox_leave(session);
  return text;
}

const char *cmox_shim_directory(const cmox_t *mox) {
  return mox && mox->failure.code == CMOX_OK ? mox->shim_directory : NULL;
}

void cmox_keep_problem(cmox_t *mox, cmox_location_t where, const char *function,
                       const cmox_error_t *detail) {
  const cmox_error_t *broken = &mox->control.broken;
  if (broken->code != CMOX_OK && strcmp(broken->message, detail->message) == 0) {
    if (mox->told_broken) return;
    mox->told_broken = true;
  }
  cmox_problems_add(&mox->problems, where, function, detail);
  mox->concluded = false;
}

void cmox_note_declared(cmox_t *mox, cmox_location_t where) {
  mox->declared = true;
  if (mox->place || !where.file) return;
  cmox_buf_t place = CMOX_BUF_EMPTY;
  cmox_buf_printf(&place, "%s:%u", where.file, where.line);
  mox->place = cmox_buf_take_text(&place);
}

ProtobufCBinaryData cmox_session_id(cmox_t *mox) {
  return (ProtobufCBinaryData){.len = mox->id_len, .data = mox->id};
}

cmox_code_t cmox_call(cmox_t *mox, const char *method, const ProtobufCMessage *request,
                      ProtobufCMessage **response, cmox_error_t *error) {
  return cmox_control_call(&mox->control, method, request, response, error);
}

const char *cmox_version(void) { return CMDMOX_VERSION; }
