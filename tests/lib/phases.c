#include "tests/lib/phases.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/broken.h"
#include "tests/lib/served.h"

#define GATE "gate"
enum { LARGE = 4 << 20, LONG_STDIN = 1 << 20 };

void phase_scene_open(phase_scene_t *scene) {
  if (pipe2(scene->silent, O_CLOEXEC) != 0 || pipe2(scene->unread, O_CLOEXEC) != 0 ||
      pipe2(scene->held, O_CLOEXEC) != 0)
    broken("no pipe");
}

static void close_pipe(int ends[2]) {
  (void)close(ends[0]);
  (void)close(ends[1]);
}

void phase_scene_close(phase_scene_t *scene) {
  (void)close(scene->held[1]);
  for (int i = 0; i < PHASES_SESSIONS; i++) cmox_free(scene->sessions[i]);
  (void)close(scene->held[0]);
  close_pipe(scene->silent);
  close_pipe(scene->unread);
}

/* ---- Steps -------------------------------------------------------------------------- */

static cmox_t *begin(phase_scene_t *scene) {
  scene->sessions[0] = cmox_new(CMOX_OPTIONS(.address = scene->address, .label = "dies"));
  return scene->sessions[0];
}

static void start_late_child(phase_scene_t *scene, cmox_t *mox) {
  char name[] = "sh", option[] = "-c", line[] = "read go; git late; exit $?";
  char *const argv[] = {name, option, line, NULL};
  scene->late = spawn_to("/bin/sh", argv, cmox_environ(mox), scene->late_in, -1, scene->err);
}

static void replay(phase_scene_t *scene, cmox_t *mox) {
  if (cmox_replay(mox) != CMOX_OK) broken("replay: %s", cmox_message(mox));
  if (scene->late == 0) start_late_child(scene, mox);
}

static void call(phase_scene_t *scene, cmox_t *mox) {
  char program[320], name[] = "git", argument[] = "-";
  char *const argv[] = {name, argument, NULL};
  (void)snprintf(program, sizeof program, "%s/git", cmox_shim_directory(mox));
  scene->calls[scene->call_count++] =
      spawn_to(program, argv, cmox_environ(mox), scene->silent[0], scene->unread[1], scene->err);
}

static void await_calls(cmox_t *mox, size_t count) {
  for (size_t made = 0; made < count; (void)sched_yield()) {
    cmox_invocations_t *calls = cmox_journal(mox);
    made = calls->count;
    cmox_invocations_free(calls);
  }
}

static void wait_until_let_go(const phase_scene_t *scene) {
  char byte;
  (void)!read(scene->held[0], &byte, 1);
}

/* ---- Phases ------------------------------------------------------------------------- */

static void is_new(phase_scene_t *scene) { (void)begin(scene); }

static void is_declared(phase_scene_t *scene) { cmox_mock(begin(scene), "git"); }

static void is_replayed(phase_scene_t *scene) {
  is_declared(scene);
  replay(scene, scene->sessions[0]);
}

static void calls_are_held_at_a_gate(phase_scene_t *scene) {
  enum { CALLS = 4 };
  cmox_returns(cmox_stub(begin(scene), "git"), .gate = GATE);
  replay(scene, scene->sessions[0]);
  for (int i = 0; i < CALLS; i++) call(scene, scene->sessions[0]);
  await_calls(scene->sessions[0], CALLS);
}

static void a_call_waits_for_its_stdin(phase_scene_t *scene) {
  cmox_capture_stdin(cmox_stub(begin(scene), "git"));
  replay(scene, scene->sessions[0]);
  call(scene, scene->sessions[0]);
  await_calls(scene->sessions[0], 1);
}

static void a_long_stdin_is_on_disk(phase_scene_t *scene) {
  static const char bytes[4096];
  a_call_waits_for_its_stdin(scene);
  for (int i = 0; i < LONG_STDIN / (int)sizeof bytes;
       i++) /* the pipe takes what the shim has read */
    if (write(scene->silent[1], bytes, sizeof bytes) != sizeof bytes) broken("stdin");
}

static void a_large_answer_is_not_read(phase_scene_t *scene) {
  static char out[LARGE];
  memset(out, 'x', sizeof out - 1);
  cmox_returns(cmox_stub(begin(scene), "git"), .out = out);
  replay(scene, scene->sessions[0]);
  call(scene, scene->sessions[0]);
  await_calls(scene->sessions[0], 1);
}

static void handler(cmox_handling_t *handling, void *context) {
  (void)handling;
  wait_until_let_go(context);
}

static void a_handler_runs(phase_scene_t *scene) {
  cmox_runs(cmox_stub(begin(scene), "git"), handler, scene);
  replay(scene, scene->sessions[0]);
  call(scene, scene->sessions[0]);
  await_calls(scene->sessions[0], 1);
}

static bool predicate(cmox_bytes_t value, void *context) {
  (void)value;
  wait_until_let_go(context);
  return false;
}

static void a_predicate_runs(phase_scene_t *scene) {
  cmox_with_matching_args(cmox_stub(begin(scene), "git"), CMOX_PREDICATE(predicate, scene));
  replay(scene, scene->sessions[0]);
  call(scene, scene->sessions[0]);
  await_calls(scene->sessions[0], 1);
}

/* It reads what does not come; whoever ends ends it. */
static void a_real_command_runs(phase_scene_t *scene) {
  cmox_passthrough(cmox_stub(begin(scene), "git"));
  replay(scene, scene->sessions[0]);
  (void)setenv("CMOX_REAL_COMMAND_git", "/bin/cat", 1);
  call(scene, scene->sessions[0]);
  (void)unsetenv("CMOX_REAL_COMMAND_git");
  char byte = 'x';
  if (write(scene->silent[1], &byte, 1) != 1 || read(scene->unread[0], &byte, 1) != 1)
    broken("the real command does not run");
}

static void is_verified(phase_scene_t *scene) {
  cmox_stub(begin(scene), "git");
  replay(scene, scene->sessions[0]);
  if (cmox_verify(scene->sessions[0]) != CMOX_OK) broken("verify");
}

static void is_freed(phase_scene_t *scene) {
  is_verified(scene);
  cmox_free(scene->sessions[0]);
  scene->sessions[0] = NULL;
}

static void two_sessions_have_calls(phase_scene_t *scene) {
  calls_are_held_at_a_gate(scene);
  scene->sessions[1] =
      cmox_new(CMOX_OPTIONS(.address = scene->address, .environment = CMOX_ENVIRONMENT_NONE));
  cmox_returns(cmox_stub(scene->sessions[1], "git"), .gate = GATE);
  replay(scene, scene->sessions[1]);
  call(scene, scene->sessions[1]);
  await_calls(scene->sessions[1], 1);
}

const phase_t phases[] = {
    {"is new", is_new},
    {"is declared", is_declared},
    {"is replayed", is_replayed},
    {"calls are held at a gate", calls_are_held_at_a_gate},
    {"a call waits for its stdin", a_call_waits_for_its_stdin},
    {"a long stdin is on disk", a_long_stdin_is_on_disk},
    {"a large answer is not read", a_large_answer_is_not_read},
    {"a handler runs", a_handler_runs},
    {"a predicate runs", a_predicate_runs},
    {"a real command runs", a_real_command_runs},
    {"is verified", is_verified},
    {"is freed", is_freed},
    {"two sessions have calls", two_sessions_have_calls},
};
const unsigned phase_count = sizeof phases / sizeof *phases;
