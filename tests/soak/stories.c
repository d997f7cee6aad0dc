/* What may happen to a session. Every call must be answered rightly, or end with 125 and a line of
 * ours where the story is a bad one, or die where the story kills it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmdmox/v1/frame.pb-c.h"
#include "proto/framing.h"
#include "proto/limits.h"
#include "tests/lib/broken.h"
#include "tests/lib/dying.h"
#include "tests/soak/soak.h"

#define GATE "gate"
enum { STATUS = 7, LARGE = 1 << 20, PEERS = 8 };

typedef struct call {
  pid_t pid;
  int out, err;
  bool killed;
} call_t;

typedef struct scene {
  soak_t *soak;
  served_session_t session;
  unsigned count;
  call_t calls[SOAK_SHIMS_MAX];
  char *out; /* what each call writes */
  size_t out_len;
} scene_t;

static void open_scene(scene_t *scene, soak_t *soak, size_t out_len, const char *gate) {
  *scene = (scene_t){.soak = soak, .out_len = out_len, .out = malloc(out_len)};
  if (!scene->out) broken("out of memory");
  for (size_t i = 0; i < out_len; i++) scene->out[i] = (char)(soak_random(soak, 256));
  served_session_open(&scene->session, soak->server);
  served_stub(
      &scene->session, "cmd",
      &(served_answer_t){.out = scene->out, .out_len = out_len, .exit_code = STATUS, .gate = gate});
  served_replay(&scene->session);
}

static void start_calls(scene_t *scene, const char *timeout) {
  for (unsigned i = 0; i < scene->soak->shims; i++) {
    call_t *call = &scene->calls[scene->count++];
    *call = (call_t){.out = nameless_file(), .err = nameless_file()};
    call->pid = served_spawn(&scene->session, "cmd", i, timeout, call->out, call->err);
  }
}

static void await_calls(scene_t *scene) {
  while (served_count(&scene->session) < scene->count) (void)poll(NULL, 0, 2);
}

/* The whole file; how many bytes, at most size. */
static size_t take_file(int fd, char *bytes, size_t size) {
  size_t len = 0;
  for (ssize_t got; len < size && (got = pread(fd, bytes + len, size - len, (off_t)len)) > 0;)
    len += (size_t)got;
  (void)close(fd);
  return len;
}

static void judge(scene_t *scene, call_t *call, int status, bool may_be_refused) {
  static char out[LARGE + 1], err[1024];
  const size_t out_len = take_file(call->out, out, sizeof out);
  const size_t err_len = take_file(call->err, err, sizeof err - 1);
  err[err_len] = '\0';
  soak_t *soak = scene->soak;
  if (WIFSIGNALED(status) && call->killed && WTERMSIG(status) == SIGKILL) {
    soak->killed++;
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS) {
    soak->answered++;
    if (out_len != scene->out_len || memcmp(out, scene->out, out_len) != 0 || err_len > 0)
      broken("a call was answered with other bytes; stderr: %s", err);
  } else {
    soak->refused++;
    if (!may_be_refused || !WIFEXITED(status) || WEXITSTATUS(status) != 125 ||
        strncmp(err, "cmdmox: cmd: ", 13) != 0)
      broken("a call ended with wait status %#x: %s", (unsigned)status, err);
  }
}

static void finish_calls(scene_t *scene, bool may_be_refused) {
  for (unsigned i = 0; i < scene->count; i++) {
    int status;
    while (waitpid(scene->calls[i].pid, &status, 0) < 0)
      if (errno != EINTR) broken("waitpid: %s", strerror(errno));
    judge(scene, &scene->calls[i], status, may_be_refused);
  }
}

static void close_scene(scene_t *scene) {
  served_session_delete(&scene->session);
  free(scene->out);
}

static void stop_process(pid_t pid) {
  siginfo_t info;
  if (kill(pid, SIGSTOP) != 0 || waitid(P_PID, (id_t)pid, &info, WSTOPPED) != 0)
    broken("cannot stop %d: %s", (int)pid, strerror(errno));
}

/* ---- Good ones -------------------------------------------------------------------- */

static void calls_are_answered(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 1 + soak_random(soak, 100000), NULL);
  start_calls(&scene, "60");
  finish_calls(&scene, false);
  served_verify(&scene.session);
  if (served_count(&scene.session) != scene.count) broken("calls were lost or doubled");
  close_scene(&scene);
}

static void calls_wait_at_a_gate(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, GATE);
  start_calls(&scene, "60");
  await_calls(&scene);
  if (served_release(&scene.session, GATE) != scene.count) broken("calls at the gate were lost");
  finish_calls(&scene, false);
  served_verify(&scene.session);
  close_scene(&scene);
}

static void shims_are_stopped_and_continued(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 100000, GATE);
  start_calls(&scene, "60");
  await_calls(&scene);
  const unsigned first = soak_random(soak, scene.count);
  for (unsigned i = first; i < scene.count; i++) stop_process(scene.calls[i].pid);
  (void)served_release(&scene.session, GATE);
  for (unsigned i = first; i < scene.count; i++) (void)kill(scene.calls[i].pid, SIGCONT);
  finish_calls(&scene, false);
  served_verify(&scene.session);
  close_scene(&scene);
}

/* A pipe that nobody reads for a while. */
static void a_reader_is_slow(soak_t *soak) {
  scene_t scene;
  int ends[2];
  static char rest[LARGE];
  open_scene(&scene, soak, LARGE, NULL);
  if (pipe2(ends, O_CLOEXEC) != 0) broken("pipe: %s", strerror(errno));
  const pid_t slow = served_spawn(&scene.session, "cmd", 999, "60", ends[1], -1);
  (void)close(ends[1]);
  start_calls(&scene, "60");
  finish_calls(&scene, false);
  size_t len = 0;
  for (ssize_t got; (got = read(ends[0], rest + len, sizeof rest - len)) > 0;) len += (size_t)got;
  int status;
  (void)close(ends[0]);
  if (waitpid(slow, &status, 0) != slow || WEXITSTATUS(status) != STATUS || len != LARGE ||
      memcmp(rest, scene.out, LARGE) != 0)
    broken("a slow reader has %zu bytes and wait status %#x", len, (unsigned)status);
  served_verify(&scene.session);
  close_scene(&scene);
}

/* The start of a Hello, of garbage, or of a frame of 256 MiB. */
static void say_something(soak_t *soak, int fd) {
  uint8_t bytes[64];
  Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  hello.magic = CMOX_MAGIC;
  hello.min_version = hello.max_version = CMOX_PROTOCOL_MAX;
  hello.role = CMDMOX__V1__ROLE__ROLE_SHIM;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
  frame.hello = &hello;
  const size_t body = cmdmox__v1__frame__get_packed_size(&frame);
  size_t len = cmox_prefix_write(bytes, (uint32_t)body);
  len += cmdmox__v1__frame__pack(&frame, bytes + len);
  const unsigned kind = soak_random(soak, 3);
  if (kind == 1)
    for (len = 0; len < sizeof bytes; len++) bytes[len] = (uint8_t)soak_random(soak, 256);
  if (kind == 2) len = cmox_prefix_write(bytes, 256u << 20);
  (void)send(fd, bytes, soak_random(soak, (unsigned)len + 1), MSG_NOSIGNAL);
}

static void raw_peers_say_half_of_something(soak_t *soak) {
  scene_t scene;
  int peers[PEERS];
  open_scene(&scene, soak, 10, NULL);
  for (unsigned i = 0; i < PEERS; i++) {
    peers[i] = served_dial(&scene.session);
    say_something(soak, peers[i]);
    if (soak_random(soak, 2) == 0) continue;
    (void)close(peers[i]);
    peers[i] = -1;
  }
  start_calls(&scene, "60");
  finish_calls(&scene, false);
  served_verify(&scene.session);
  for (unsigned i = 0; i < PEERS; i++)
    if (peers[i] >= 0) (void)close(peers[i]);
  close_scene(&scene);
}

/* ---- Bad ones --------------------------------------------------------------------- */

static bool has_ended(pid_t pid) {
  siginfo_t info = {0};
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    broken("waitid: %s", strerror(errno));
  return info.si_pid != 0;
}

static void shims_are_killed(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, GATE);
  start_calls(&scene, "60");
  if (soak_random(soak, 2)) await_calls(&scene); /* else wherever they are */
  for (unsigned i = 0; i < scene.count; i++) {
    if (soak_random(soak, 2) == 0) continue;
    scene.calls[i].killed = true;
    (void)kill(scene.calls[i].pid, SIGKILL);
  }
  for (unsigned i = 0; i < scene.count; i++) /* who lives still comes to the gate */
    while (!scene.calls[i].killed && !has_ended(scene.calls[i].pid))
      (void)served_release(&scene.session, GATE);
  finish_calls(&scene, false);
  close_scene(&scene);
}

static void the_session_ends_during_calls(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, GATE);
  start_calls(&scene, "60");
  if (soak_random(soak, 2)) await_calls(&scene);
  close_scene(&scene);
  finish_calls(&scene, true);
}

static void the_server_is_stopped_for_longer_than_calls_wait(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, NULL);
  stop_process(soak->server->pid);
  start_calls(&scene, "0.2");
  finish_calls(&scene, true);
  (void)kill(soak->server->pid, SIGCONT);
  scene.count = 0;
  start_calls(&scene, "60");
  finish_calls(&scene, false);
  close_scene(&scene);
}

static void end_with_the_server(scene_t *scene) {
  served_session_free(&scene->session);
  served_abandon(scene->soak->server);
  finish_calls(scene, true);
  free(scene->out);
}

static void the_server_is_killed(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, GATE);
  start_calls(&scene, "5");
  if (soak_random(soak, 2)) await_calls(&scene);
  (void)kill(soak->server->pid, SIGKILL);
  end_with_the_server(&scene);
}

static void the_client_vanishes(soak_t *soak) {
  scene_t scene;
  open_scene(&scene, soak, 10, GATE);
  start_calls(&scene, "5");
  if (soak_random(soak, 2)) await_calls(&scene);
  end_with_the_server(&scene);
}

/* With an engine of its own, in any phase and way. What it started and runs on meets its shims. */
static void a_test_dies(soak_t *soak) {
  death_t death;
  die(&phases[soak_random(soak, phase_count)], &ways_to_end[soak_random(soak, way_to_end_count)],
      &death);
  soak->refused += death.refused;
  soak->killed += death.piped;
  const bool runs_on = death.late != 0;
  if (death.status == 0) broken("a test that dies passes");
  if (late_call(&death) != 125 << 8 && runs_on) broken("a late child was not refused");
}

const story_t stories[] = {
    {"calls are answered", calls_are_answered, false, false},
    {"calls wait at a gate", calls_wait_at_a_gate, false, false},
    {"shims are stopped and continued", shims_are_stopped_and_continued, false, false},
    {"a reader is slow", a_reader_is_slow, false, false},
    {"raw peers say half of something", raw_peers_say_half_of_something, false, false},
    {"shims are killed", shims_are_killed, true, false},
    {"the session ends during calls", the_session_ends_during_calls, true, false},
    {"the server is stopped for longer than calls wait",
     the_server_is_stopped_for_longer_than_calls_wait, true, false},
    {"the server is killed", the_server_is_killed, true, true},
    {"the client vanishes", the_client_vanishes, true, true},
    {"a test dies", a_test_dies, true, false},
};
const unsigned story_count = sizeof stories / sizeof *stories;
