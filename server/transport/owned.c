/* The sockets on which launchers wait, so that a forked child can let go of them.
 *
 * A child of fork() that never executes another program would hold them open after its parent was
 * killed: launchers in mid-call would see no end of their links, and new ones would stand in a
 * queue that nobody empties, all until their deadline. Executing closes them anyway.
 *
 * The lock is held across fork(), and while a socket is accepted and noted. It is the innermost
 * one. A socket is forgotten before it is closed, never after: a child may keep one that is about
 * to go, but must not close a number that has come to mean something else. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "server/transport/internal.h"

/* Higher numbers are not noted; 65,536 sockets at once are beyond what a test's process holds. */
enum { NOTED_MAX = 1 << 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char noted[NOTED_MAX / 8]; /* a bit for each descriptor */

static void hold(void) { (void)pthread_mutex_lock(&mutex); }

static void release(void) { (void)pthread_mutex_unlock(&mutex); }

static void in_forked_child(void) {
  for (int fd = 0; fd < NOTED_MAX; fd++)
    if (noted[fd / 8] >> fd % 8 & 1) (void)close(fd);
  memset(noted, 0, sizeof noted);
  release();
}

static void prepare(void) { (void)pthread_atfork(hold, release, in_forked_child); }

static void note(int fd) {
  if (fd >= 0 && fd < NOTED_MAX) noted[fd / 8] |= (unsigned char)(1u << fd % 8);
}

void cmox_owned_add(int fd) {
  (void)pthread_once(&once, prepare);
  hold();
  note(fd);
  release();
}

int cmox_owned_accept(int listener) {
  hold();
  int fd = cmox_peer_accept(listener);
  int saved = errno;
  note(fd);
  release();
  errno = saved;
  return fd;
}

void cmox_owned_forget(int fd) {
  if (fd < 0 || fd >= NOTED_MAX) return;
  hold();
  noted[fd / 8] &= (unsigned char)~(1u << fd % 8);
  release();
}

void cmox_owned_close(int fd) {
  cmox_owned_forget(fd);
  (void)close(fd);
}
