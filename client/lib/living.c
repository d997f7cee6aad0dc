/* The sessions of this process, for those that nobody ends: a test that fails jumps over its
 * cmox_verify() and cmox_free(), and its report must not be lost with it.
 *
 * Settling picks one session after the other under the process's lock, takes the session's own
 * lock before that one is given back, and verifies. A session that another thread is using is
 * left alone, and so is one that was inherited over fork(). */
#include "client/lib/living.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/lib/session.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static cmox_t *living; /* linked by next_living */

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

static void settle_all(bool applied_only) {
  for (cmox_t *mox; (mox = next_unsettled(applied_only));) {
    cmox_settle(mox); /* it is found but once: this always leaves it settled */
    cmox_leave(mox);
  }
}

static void at_exit(void) { settle_all(false); }

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
void cmox_check_teardown_(void) { settle_all(true); }
