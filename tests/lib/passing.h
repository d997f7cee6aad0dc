/* The server's part of a passthrough: what a launcher is told, and all that it says of it. */
#ifndef CMOX_TESTS_PASSING_H
#define CMOX_TESTS_PASSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/peer.h"

#define BYTES_OF(text) \
  { strlen(text), (uint8_t *)(uintptr_t)(text) }
#define PASSTHROUGH(...)      \
  ((Cmdmox__V1__Passthrough){ \
      .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__passthrough__descriptor), __VA_ARGS__})

typedef struct passing_change {
  const char *name, *value; /* value NULL: the variable is removed */
} passing_change_t;

/* The action, as the answer to the request of that id. changes: ends with a NULL name, or NULL. */
void passing_tell(int peer, uint32_t id, const Cmdmox__V1__Passthrough *how,
                  const passing_change_t *changes);

typedef struct passing_heard {
  uint8_t *data[3]; /* by stream; NUL-terminated */
  size_t len[3];
  Cmdmox__V1__ReportPassthroughRequest *report; /* NULL: none */
  char program[256];                            /* of that */
  bool completed, broken_pipe;
  char failure[256]; /* of Completed */
} passing_heard_t;

/* Reads to the end of the link, and closes it. */
passing_heard_t passing_hear(int peer);
/* Reads to ContinueInvoke; only data[0] is there, which the caller frees. */
passing_heard_t passing_hear_continue(int peer);
void passing_free(passing_heard_t *heard);

/* A launcher that passes through, in a folder of its own. */
typedef struct passing_scene {
  cmox_stage_t stage;
  cmox_run_t run;
  int peer;
  char place[64];
} passing_scene_t;

void passing_open(passing_scene_t *scene);
/* Starts it in place, and greets it. */
void passing_begin(passing_scene_t *scene, cmox_start_t *start);
/* The same for SH: its words are "git", "-c" and the line. */
void passing_begin_sh(passing_scene_t *scene, cmox_start_t *start, const char *line);
void passing_close(passing_scene_t *scene);
/* NAME there; one of four buffers. */
const char *passing_path(const passing_scene_t *scene, const char *name);

#define SH .program = BYTES_OF("/bin/sh")
#define BOTH .capture_stdout = 1, .capture_stderr = 1

#endif
