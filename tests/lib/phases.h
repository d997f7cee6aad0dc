/* How far a test has got with its session when it, or its engine, dies. */
#ifndef CMOX_TESTS_PHASES_H
#define CMOX_TESTS_PHASES_H

#include <cmdmox/cmdmox.h>
#include <sys/types.h>

enum { PHASES_CALLS_MAX = 8, PHASES_SESSIONS = 2 };

typedef struct phase_scene {
  const char *address; /* of a server; NULL: the engine is in this process */
  int err;             /* what the calls say */
  int late_in;         /* a line there has the late child make its call */

  cmox_t *sessions[PHASES_SESSIONS];
  pid_t calls[PHASES_CALLS_MAX]; /* under way: each is to end with 125, or by SIGPIPE */
  unsigned call_count;
  pid_t late;    /* a child that makes a call when told, and ends as that does; 0: none */
  int silent[2]; /* stdin of the calls: nothing comes */
  int unread[2]; /* their stdout: nobody reads */
  int held[2];   /* handlers and predicates wait until its second end is closed */
} phase_scene_t;

typedef struct phase {
  const char *name;
  void (*reach)(phase_scene_t *scene);
} phase_t;

extern const phase_t phases[];
extern const unsigned phase_count;

/* Makes the pipes; the scene's first fields are the caller's. */
void phase_scene_open(phase_scene_t *scene);
/* Lets handlers and predicates go on and frees the sessions. */
void phase_scene_close(phase_scene_t *scene);

#endif
