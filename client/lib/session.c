/* The life of a session: new, replay, verify, free.
 *
 * replay applies the environment even when there are mistakes to report: a test
 * that goes on regardless then meets shims that refuse, not the real commands.
 * verify puts the environment back whatever it finds. free does what was left undone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/session.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"
#include "server/base/trace.h"

struct cmox_environ_copy {
  cmox_environ_copy_t *next;
  char **block;
};

cmox_t *cmox_new(const cmox_options_t *options) {
  cmox_t *mox = cmox_calloc(1, sizeof *mox);
  if (!mox) return &cmox_poison_session;
  mox->pid = getpid();
  mox->control.channel = CMOX_CHANNEL_EMPTY;
  if (pthread_mutex_init(&mox->lock, NULL) != 0) {
    cmox_free_block(mox);
    return &cmox_poison_session;
  }
  cmox_trace_hold(getenv("CMOX_TRACE"));
  cmox_error_t error = {.code = CMOX_OK};
  if (cmox_open(mox, options, &error) != CMOX_OK)
    mox->failure = error;
  else
    cmox_living_add(mox);
  return mox;
}

/* Makes this the answer of cmox_code() and cmox_message(); takes over text. */
static cmox_code_t conclude(cmox_t *mox, cmox_code_t code, char *text) {
  cmox_free_block(mox->text);
  mox->text = text;
  mox->result = code;
  mox->concluded = true;
  return code;
}

/* Mistakes made before any other answer: a dead link is named by its own code. */
static cmox_code_t conclude_problems(cmox_t *mox, char *text) {
  cmox_code_t code =
      mox->control.broken.code != CMOX_OK ? mox->control.broken.code : CMOX_E_BUILDER;
  return conclude(mox, code, text);
}

/* What stands behind the shims on the PATH of the code under test; NULL: what the server knows. */
static const char *path_behind(const cmox_t *mox) {
  const size_t len = mox->shim_directory ? strlen(mox->shim_directory) : 0;
  for (size_t i = 0; i < mox->entries.count && len && !mox->path_fixed; i++) {
    const char *entry = mox->entries.items[i];
    if (strncmp(entry, "PATH=", 5) == 0 && strncmp(entry + 5, mox->shim_directory, len) == 0 &&
        entry[5 + len] == ':')
      return entry + 5 + len + 1;
  }
  return NULL;
}

/* failure: why the session cannot be replayed, for the shims to say; "": it can. */
static cmox_code_t ask_replay(cmox_t *mox, const char *failure, cmox_error_t *error) {
  Cmdmox__V1__ReplayRequest request = CMDMOX__V1__REPLAY_REQUEST__INIT;
  request.failure = (char *)(uintptr_t)failure;
  request.session_id = cmox_session_id(mox);
  const char *path = path_behind(mox);
  if (path) {
    request.path_presence_case = CMDMOX__V1__REPLAY_REQUEST__PATH_PRESENCE_PATH;
    request.path = (ProtobufCBinaryData){.len = strlen(path), .data = (uint8_t *)path};
  }
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "Replay", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

typedef struct name {
  char text[256];
} name_t;

/* How the session is called when people read of it: by its place, else by its label. */
static name_t name_of(const cmox_t *mox) {
  name_t name;
  if (mox->place)
    (void)snprintf(name.text, sizeof name.text, "the session declared at %s", mox->place);
  else if (mox->label && *mox->label)
    (void)snprintf(name.text, sizeof name.text, "the session \"%s\"", mox->label);
  else
    (void)snprintf(name.text, sizeof name.text, "a session without doubles");
  return name;
}

/* Whether PATH is what the session was made for, or else puts the shims in front of it. When it
 * fails the entries are as before: they hold the shims all the same. */
static cmox_code_t follow_path(cmox_t *mox, cmox_error_t *error) {
  if (!mox->shim_directory) return CMOX_OK;
  if (!mox->path_fixed) return cmox_entries_follow_path(&mox->entries, mox->shim_directory, error);
  const char *now = cmox_environment_before(&mox->applied, "PATH");
  if (now == mox->own_path || (now && mox->own_path && strcmp(now, mox->own_path) == 0))
    return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_STATE,
                   "PATH has changed since cmox_new(): a contained session, and one with absent "
                   "commands, is made for PATH as it was then; change it before");
}

/* Has the process meet the shims, whatever else is wrong. That another session is there is said
 * first: its shims are what PATH has changed to. */
static void apply(cmox_t *mox, cmox_error_t *error) {
  cmox_error_t strayed = {.code = CMOX_OK};
  (void)follow_path(mox, &strayed);
  name_t name = name_of(mox);
  if (cmox_environment_apply(&mox->applied, &mox->entries, name.text, error) == CMOX_OK)
    *error = strayed;
}

static cmox_code_t replay(cmox_t *mox) {
  mox->replay_called = true;
  cmox_error_t error = {.code = CMOX_OK};
  if (mox->environment == CMOX_ENVIRONMENT_PROCESS && !mox->verified) apply(mox, &error);
  if (mox->environment == CMOX_ENVIRONMENT_NONE && !mox->path_fixed) (void)follow_path(mox, &error);
  if (mox->problems.count) {
    const char *text = cmox_problems_text(&mox->problems);
    if (mox->id_len) (void)ask_replay(mox, text, &error);
    return conclude_problems(mox, cmox_strdup(text));
  }
  if (error.code != CMOX_OK) {
    cmox_error_t ignored;
    (void)ask_replay(mox, error.message, &ignored);
  } else if (ask_replay(mox, "", &error) == CMOX_OK) {
    mox->replayed = mox->unverified = true;
  }
  return conclude(mox, error.code, error.code == CMOX_OK ? NULL : cmox_strdup(error.message));
}

/* What only the test itself may do: a handler would end what waits for it. */
static bool in_callback(cmox_t *mox, const char *function) {
  if (!cmox_in_callback(mox)) return false;
  cmox_error_t error;
  (void)cmox_fail(&error, CMOX_E_BAD_STATE, "a handler or a predicate may not call it");
  cmox_keep_problem(mox, (cmox_location_t){0}, function, &error);
  return true;
}

cmox_code_t cmox_replay(cmox_t *mox) {
  cmox_code_t code = cmox_enter(mox);
  if (code != CMOX_OK) return code;
  if (in_callback(mox, "cmox_replay")) {
    cmox_leave(mox);
    return CMOX_E_BAD_STATE;
  }
  code = replay(mox);
  cmox_leave(mox);
  return code;
}

/* CMOX_OK or what is wrong, with the report or the reason in *text (NULL when memory was out). */
static cmox_code_t ask_verify(cmox_t *mox, char **text) {
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.format = mox->report.format;
  request.color = mox->report.color;
  cmox_error_t error;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(mox, "Verify", &request.base, &response, &error);
  if (code != CMOX_OK) {
    *text = cmox_strdup(error.message);
    return code;
  }
  mox->verified = true;
  const Cmdmox__V1__VerifyResponse *answer = (const Cmdmox__V1__VerifyResponse *)response;
  if (!answer->passed) code = CMOX_E_VERIFICATION_FAILED;
  *text = cmox_strdup(answer->text); /* remarks, too */
  cmox_wire_free(response);
  return code;
}

static cmox_code_t verify(cmox_t *mox) {
  mox->unverified = false;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_code_t restored = cmox_environment_restore(&mox->applied, &error);
  bool replay_failed = mox->replay_called && !mox->replayed;
  if (replay_failed && mox->concluded && mox->problems.count == 0) return mox->result;
  char *found = NULL;
  cmox_code_t code = CMOX_OK;
  if (mox->replayed || mox->problems.count == 0) code = ask_verify(mox, &found);
  if (mox->problems.count) {
    cmox_buf_t all = CMOX_BUF_EMPTY;
    cmox_buf_puts(&all, cmox_problems_text(&mox->problems));
    if (found && code != CMOX_OK) cmox_buf_printf(&all, "\n%s", found);
    cmox_free_block(found);
    return conclude_problems(mox, cmox_buf_take_text(&all));
  }
  if (code == CMOX_OK && restored != CMOX_OK) {
    cmox_free_block(found);
    return conclude(mox, restored, cmox_strdup(error.message));
  }
  return conclude(mox, code, found);
}

cmox_code_t cmox_verify(cmox_t *mox) {
  cmox_code_t code = cmox_enter(mox);
  if (code != CMOX_OK) return code;
  if (in_callback(mox, "cmox_verify")) {
    cmox_leave(mox);
    return CMOX_E_BAD_STATE;
  }
  code = verify(mox);
  cmox_leave(mox);
  return code;
}

char *const *cmox_environ(cmox_t *mox) {
  if (!mox || mox->failure.code != CMOX_OK) return NULL;
  /* Given to a child of fork() too, which may be about to exec and must meet the shims. What it
   * inherited of the lock means nothing there. */
  bool locked = cmox_enter(mox) == CMOX_OK;
  cmox_environ_copy_t *copy = cmox_calloc(1, sizeof *copy);
  cmox_error_t error;
  /* Without one the code under test would run with none, and find what the system's default PATH
   * has: the old one is better, and the session fails. */
  if (follow_path(mox, &error) != CMOX_OK && locked && !mox->told_path) {
    mox->told_path = true;
    cmox_keep_problem(mox, (cmox_location_t){0}, "cmox_environ", &error);
  }
  if (copy) copy->block = cmox_environment_merge(&mox->entries);
  char **block = copy ? copy->block : NULL;
  if (block) {
    copy->next = mox->copies;
    mox->copies = copy;
  } else {
    cmox_free_block(copy);
  }
  if (locked) cmox_leave(mox);
  return block;
}

static void delete_session(cmox_t *mox) {
  Cmdmox__V1__DeleteSessionRequest request = CMDMOX__V1__DELETE_SESSION_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  cmox_error_t error;
  ProtobufCMessage *response;
  (void)cmox_call(mox, "DeleteSession", &request.base, &response, &error);
  cmox_wire_free(response);
}

/* A test that never asks would pass whatever happened: that it asks is part of passing. */
static void settle_unverified(cmox_t *mox, cmox_silence_t silence) {
  bool passes = verify(mox) == CMOX_OK;
  name_t name = name_of(mox);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_buf_printf(&text, "cmdmox: %s ends without cmox_verify(), which ", name.text);
  if (passes)
    cmox_buf_puts(&text, "would have passed: call it, or no failure is ever seen\n");
  else
    cmox_buf_printf(&text, "fails:\n%s\n", mox->text ? mox->text : cmox_code_text(mox->result));
  char *whole = cmox_buf_take_text(&text);
  const char *said = whole ? whole : "cmdmox: a session ends without cmox_verify()\n";
  if (!passes || silence == CMOX_TELL_ALL) (void)fputs(said, stderr);
  cmox_forgotten_keep(mox->place, said);
  cmox_free_block(whole);
}

void cmox_settle(cmox_t *mox, cmox_silence_t silence) {
  if (mox->unverified) settle_unverified(mox, silence);
  (void)cmox_environment_restore(&mox->applied, NULL);
}

static void end(cmox_t *mox) {
  cmox_settle(mox, CMOX_TELL_ALL);
  if (mox->declared && !mox->replay_called && mox->problems.count == 0) {
    name_t name = name_of(mox);
    (void)fprintf(stderr,
                  "cmdmox: %s was never replayed: cmox_replay() was not called, so calls "
                  "would have met the real commands\n",
                  name.text);
  }
  if (mox->id_len) delete_session(mox);
}

static void release(cmox_t *mox) {
  while (mox->doubles) {
    cmox_double_t *next = mox->doubles->next;
    cmox_free_block(mox->doubles);
    mox->doubles = next;
  }
  while (mox->copies) {
    cmox_environ_copy_t *next = mox->copies->next;
    cmox_free_block(mox->copies->block);
    cmox_free_block(mox->copies);
    mox->copies = next;
  }
  cmox_problems_clear(&mox->problems);
  cmox_entries_clear(&mox->entries);
  cmox_free_block(mox->text);
  cmox_free_block(mox->label);
  cmox_free_block(mox->address);
  cmox_free_block(mox->place);
  cmox_free_block(mox->shim_directory);
  cmox_free_block(mox->own_path);
  cmox_free_block(mox);
  cmox_trace_release();
}

void cmox_free(cmox_t *mox) {
  if (!mox || mox->shared) return;
  if (cmox_in_callback(mox)) {
    if (cmox_enter(mox) != CMOX_OK) return;
    (void)in_callback(mox, "cmox_free");
    cmox_leave(mox);
    return;
  }
  cmox_living_remove(mox);
  if (mox->pid != getpid()) {
    /* The parent's session lives on: leave its link and its engine, whose thread is not here. */
    (void)cmox_environment_restore(&mox->applied, NULL);
    cmox_control_close(&mox->control);
    cmox_callbacks_forget(mox->callbacks);
    release(mox);
    return;
  }
  if (cmox_enter(mox) == CMOX_OK) {
    end(mox);
    cmox_leave(mox);
  }
  const bool ended = cmox_callbacks_end(mox->callbacks);
  cmox_control_close(&mox->control);
  cmox_engine_stop(mox->engine);
  if (!ended) {
    name_t name = name_of(mox);
    (void)fprintf(stderr,
                  "cmdmox: %s has ended, and a handler or a predicate of it still runs: its memory "
                  "is left to that\n",
                  name.text);
    return;
  }
  (void)pthread_mutex_destroy(&mox->lock);
  release(mox);
}

void cmox_cleanup_(cmox_t **mox) {
  cmox_free(*mox);
  *mox = NULL;
}

uint64_t cmox_release(cmox_t *mox, const char *gate) {
  if (cmox_enter(mox) != CMOX_OK) return 0;
  Cmdmox__V1__ReleaseCallsRequest request = CMDMOX__V1__RELEASE_CALLS_REQUEST__INIT;
  request.session_id = cmox_session_id(mox);
  request.gate = cmox_utf8_copy(gate);
  ProtobufCMessage *response = NULL;
  cmox_error_t error = {.code = CMOX_E_NO_MEMORY, .message = "out of memory"};
  cmox_code_t code = CMOX_E_NO_MEMORY;
  if (request.gate) code = cmox_call(mox, "ReleaseCalls", &request.base, &response, &error);
  uint64_t released =
      code == CMOX_OK ? ((const Cmdmox__V1__ReleaseCallsResponse *)response)->released : 0;
  if (code != CMOX_OK) cmox_keep_problem(mox, (cmox_location_t){0}, "cmox_release", &error);
  cmox_wire_free(response);
  cmox_free_block(request.gate);
  cmox_leave(mox);
  return released;
}
