/* The sessions of this process, for those that nobody ends: a test that fails jumps over its
 * cmox_verify() and cmox_free(), and its report must not be lost with it.
 *
 * Settling picks one session after the other under the process's lock, takes the session's own
 * lock before that one is given back, and verifies. A session that another thread is using is
 * left alone, and so is one that was inherited over fork(). */
#include "client/lib/living.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/session.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static cmox_t *living; /* linked by next_living */

/* The first session of this process that was replayed and ended without cmox_verify(), until
 * somebody fails for it. Guarded by the process's lock. */
static struct forgotten {
  pid_t pid; /* 0: none */
  char place[256];
  char text[CMOX_CHECK_TEXT_MAX_];
} forgotten;

static void hold(void) { (void)pthread_mutex_lock(&mutex); }

void cmox_process_release(void) { (void)pthread_mutex_unlock(&mutex); }

/* With the lock of a session that needs to be settled; NULL when none is left. */
static cmox_t *next_unsettled(bool applied_only) {
  cmox_process_hold();
  cmox_t *mox = living;
  for (; mox; mox = mox->next_living) {
    if (mox->pid != getpid() || pthread_mutex_trylock(&mox->lock) != 0) continue;
    if (mox->applied.saved || (mox->unverified && !applied_only)) break;
    cmox_leave(mox);
  }
  cmox_process_release();
  return mox;
}

static void settle_all(bool applied_only, cmox_silence_t silence) {
  for (cmox_t *mox; (mox = next_unsettled(applied_only));) {
    cmox_settle(mox, silence); /* it is found but once: this always leaves it settled */
    cmox_leave(mox);
  }
}

static void at_exit(void) { settle_all(false, CMOX_TELL_ALL); }

/* Nobody looked at a session that was left unverified, so nobody may take this process for a test
 * that passed. After all exit handlers, whoever registered them, and our other destructors. */
__attribute__((destructor(101))) static void fail_process(void) {
  if (forgotten.pid != getpid()) return;
  (void)fflush(NULL);
  _exit(1);
}

static void prepare(void) {
  (void)pthread_atfork(hold, cmox_process_release, cmox_process_release);
  (void)atexit(at_exit);
}

void cmox_process_hold(void) {
  (void)pthread_once(&once, prepare);
  hold();
}

void cmox_living_add(cmox_t *mox) {
  cmox_process_hold();
  mox->next_living = living;
  living = mox;
  cmox_process_release();
}

void cmox_living_remove(cmox_t *mox) {
  cmox_process_hold();
  for (cmox_t **at = &living; *at; at = &(*at)->next_living) {
    if (*at != mox) continue;
    *at = mox->next_living;
    break;
  }
  cmox_process_release();
}

/* Sessions that are not on PATH may belong to a fixture around several tests: their turn is at
 * the end of the process. */
void cmox_check_teardown_(void) { settle_all(true, CMOX_TELL_FAILURES); }

void cmox_forgotten_keep(const char *place, const char *text) {
  cmox_process_hold();
  if (forgotten.pid != getpid()) {
    forgotten.pid = getpid();
    (void)snprintf(forgotten.place, sizeof forgotten.place, "%s", place ? place : "");
    bool fits = strlen(text) < sizeof forgotten.text;
    (void)snprintf(forgotten.text, sizeof forgotten.text, fits ? "%s" : "%.3700s ... (cut)", text);
  }
  cmox_process_release();
}

bool cmox_check_forgotten_(char place[256], char text[CMOX_CHECK_TEXT_MAX_]) {
  cmox_process_hold();
  bool any = forgotten.pid == getpid();
  if (any && place) (void)snprintf(place, sizeof forgotten.place, "%s", forgotten.place);
  if (any && text) (void)snprintf(text, sizeof forgotten.text, "%s", forgotten.text);
  forgotten.pid = 0;
  cmox_process_release();
  return any;
}
