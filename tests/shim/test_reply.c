/* How the launcher answers: bytes, order, exit status, signals, broken streams. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/peer.h"
#include "tests/lib/valgrind.h"

typedef struct scene {
  cmox_stage_t stage;
  cmox_run_t run;
  int peer;
} scene_t;

static void open_scene(scene_t *scene, const cmox_start_t *start) {
  cmox_stage_open(&scene->stage);
  cmox_run_start(&scene->stage, start, &scene->run);
  scene->peer = cmox_peer_begin(&scene->stage);
}

static void close_scene(scene_t *scene) {
  cmox_run_free(&scene->run);
  cmox_stage_close(&scene->stage);
}

static ProtobufCBinaryData bytes(const void *data, size_t len) {
  return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(inline_bytes_arrive_exactly) {
  static const char out[] = "a\0b\xff\n", err[] = "warning\r\n\0";
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  scene_t scene;
  open_scene(&scene, CMOX_START(.argv = NULL));
  reply.stdout_data = bytes(out, sizeof out);
  reply.stderr_data = bytes(err, sizeof err);
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_exited(&scene.run, 0); /* no end means 0 */
  ck_assert_uint_eq(scene.run.out_len, sizeof out);
  ck_assert_int_eq(memcmp(scene.run.out, out, sizeof out), 0);
  ck_assert_uint_eq(scene.run.err_len, sizeof err);
  ck_assert_int_eq(memcmp(scene.run.err, err, sizeof err), 0);
  const cmox_completed_t end = cmox_peer_end(scene.peer);
  ck_assert(end.seen && !end.broken_pipe);
  ck_assert_uint_eq(end.out, sizeof out);
  ck_assert_uint_eq(end.err, sizeof err);
  close_scene(&scene);
}
END_TEST

START_TEST(streamed_pieces_come_before_the_reply_in_order) {
  const size_t piece_len = 256 << 10, pieces = 8;
  scene_t scene;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  uint8_t *piece = malloc(piece_len);
  open_scene(&scene, CMOX_START(.argv = NULL));
  for (size_t i = 0; i < pieces; i++) {
    memset(piece, (int)('a' + i), piece_len);
    cmox_peer_stream(scene.peer, 1, piece, piece_len, 0);
    cmox_peer_stream(scene.peer, 2, "e", 1, 0);
    cmox_peer_stream(scene.peer, 1, "", 0, 0);
  }
  reply.stdout_data = bytes("end", 3);
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_exited(&scene.run, 0);
  ck_assert_uint_eq(scene.run.out_len, piece_len * pieces + 3);
  for (size_t i = 0; i < piece_len * pieces; i += piece_len / 4)
    ck_assert_int_eq(scene.run.out[i], (int)('a' + i / piece_len));
  ck_assert_str_eq(scene.run.out + piece_len * pieces, "end");
  ck_assert_str_eq(scene.run.err, "eeeeeeee");
  ck_assert_uint_eq(cmox_peer_end(scene.peer).out, piece_len * pieces + 3);
  free(piece);
  close_scene(&scene);
}
END_TEST

START_TEST(delays_are_kept) {
  scene_t scene;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  open_scene(&scene, CMOX_START(.argv = NULL));
  const uint64_t start = now_ms();
  cmox_peer_stream(scene.peer, 1, "x", 1, 100);
  reply.delay_ms = 150;
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_exited(&scene.run, 0);
  ck_assert_uint_ge(now_ms() - start, 250);
  close(scene.peer);
  close_scene(&scene);
}
END_TEST

START_TEST(exit_codes_pass_through) {
  static const int codes[] = {0, 1, 2, 77, 125, 126, 127, 128, 254, 255};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    scene_t scene;
    open_scene(&scene, CMOX_START(.argv = NULL));
    cmox_peer_exit(scene.peer, codes[i]);
    cmox_run_exited(&scene.run, codes[i]);
    ck_assert_uint_eq(scene.run.err_len, 0);
    ck_assert(cmox_peer_end(scene.peer).seen);
    close_scene(&scene);
  }
}
END_TEST

START_TEST(an_exit_code_that_does_not_fit_is_refused) {
  scene_t scene;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  open_scene(&scene, CMOX_START(.argv = NULL));
  reply.stdout_data = bytes("never written", 13);
  reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  reply.exit_code = 256;
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_failed(&scene.run, "above 255: 256");
  close(scene.peer);
  cmox_stage_close(&scene.stage);
}
END_TEST

static void play_signal(scene_t *scene, const char *name) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  open_scene(scene, CMOX_START(.argv = NULL));
  reply.stdout_data = bytes("out", 3);
  reply.end_case = CMDMOX__V1__REPLY__END_SIGNAL;
  reply.signal = (char *)(uintptr_t)name;
  cmox_peer_reply(scene->peer, 1, &reply);
}

START_TEST(death_by_signal_is_real_and_leaves_no_core) {
  const struct {
    const char *name;
    int number;
  } rows[] = {{"SIGTERM", SIGTERM},         {"SIGKILL", SIGKILL},        {"SIGINT", SIGINT},
              {"SIGHUP", SIGHUP},           {"SIGPIPE", SIGPIPE},        {"SIGSEGV", SIGSEGV},
              {"SIGABRT", SIGABRT},         {"SIGUSR1", SIGUSR1},        {"SIGRTMIN", SIGRTMIN},
              {"SIGRTMIN+3", SIGRTMIN + 3}, {"SIGRTMAX-1", SIGRTMAX - 1}};
  struct rlimit cores;
  getrlimit(RLIMIT_CORE, &cores);
  cores.rlim_cur = cores.rlim_max;
  setrlimit(RLIMIT_CORE, &cores);
  /* Inherited dispositions and masks must not save it. */
  sigset_t all;
  sigfillset(&all);
  signal(SIGINT, SIG_IGN);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    scene_t scene;
    sigprocmask(SIG_BLOCK, &all, NULL);
    play_signal(&scene, rows[i].name);
    cmox_run_finish(&scene.run);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    ck_assert_msg(WIFSIGNALED(scene.run.status), "%s: status %#x", rows[i].name,
                  (unsigned)scene.run.status);
    ck_assert_int_eq(WTERMSIG(scene.run.status), rows[i].number);
    ck_assert_msg(!WCOREDUMP(scene.run.status), "%s left a core", rows[i].name);
    ck_assert_str_eq(scene.run.out, "out");
    ck_assert_uint_eq(cmox_peer_end(scene.peer).out, 3);
    close_scene(&scene);
  }
}
END_TEST

START_TEST(names_of_no_fatal_signal_are_refused_before_anything_is_written) {
  static const char *const names[] = {"",        "TERM",      "SIGNOPE",    "SIGCHLD",
                                      "SIGSTOP", "SIGRTMIN+", "SIGRTMIN-1", "SIGRTMIN+31",
                                      "sigterm", "SIGTERM ",  "SIGRTMAX+1", "SIGRTMIN+999"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    scene_t scene;
    play_signal(&scene, names[i]);
    cmox_run_failed(&scene.run, "no signal of that name");
    close(scene.peer);
    cmox_stage_close(&scene.stage);
  }
}
END_TEST

START_TEST(hang_lasts_until_killed) {
  scene_t scene;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  open_scene(&scene, CMOX_START(.argv = NULL));
  reply.end_case = CMDMOX__V1__REPLY__END_HANG;
  reply.hang = 1;
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_peer_free(cmox_peer_read(scene.peer)); /* Completed: it has done all it was told */
  int status;
  ck_assert_int_eq(waitpid(scene.run.pid, &status, WNOHANG), 0);
  kill(scene.run.pid, SIGTERM);
  cmox_run_finish(&scene.run);
  ck_assert(WIFSIGNALED(scene.run.status) && WTERMSIG(scene.run.status) == SIGTERM);
  close(scene.peer);
  close_scene(&scene);
}
END_TEST

/* A launcher whose stdout nobody reads any more. */
static void play_broken_pipe(scene_t *scene, bool ignored) {
  int pipe_ends[2];
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
  open_scene(scene, CMOX_START(.out = pipe_ends[1], .ignore_pipe = ignored));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  reply.stdout_data = bytes("lost", 4);
  reply.stderr_data = bytes("kept", 4);
  reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  reply.exit_code = 3;
  cmox_peer_reply(scene->peer, 1, &reply);
  cmox_run_finish(&scene->run);
}

START_TEST(a_closed_pipe_kills_as_it_kills_the_real_command) {
  scene_t scene;
  play_broken_pipe(&scene, false);
  ck_assert(WIFSIGNALED(scene.run.status) && WTERMSIG(scene.run.status) == SIGPIPE);
  const cmox_completed_t end = cmox_peer_end(scene.peer);
  ck_assert(end.seen && end.broken_pipe);
  ck_assert_uint_eq(end.out, 0);
  ck_assert_uint_eq(scene.run.err_len, 0);
  close_scene(&scene);
}
END_TEST

START_TEST(a_closed_pipe_is_survived_where_the_caller_ignores_it) {
  scene_t scene;
  play_broken_pipe(&scene, true);
  ck_assert(WIFEXITED(scene.run.status) && WEXITSTATUS(scene.run.status) == 3);
  const cmox_completed_t end = cmox_peer_end(scene.peer);
  ck_assert(end.seen && end.broken_pipe);
  ck_assert_uint_eq(end.out, 0);
  ck_assert_uint_eq(end.err, 4);
  ck_assert_str_eq(scene.run.err, "kept");
  close_scene(&scene);
}
END_TEST

static void fails_to_write(int out, const char *why) {
  scene_t scene;
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  open_scene(&scene, CMOX_START(.out = out));
  reply.stdout_data = bytes("text", 4);
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_failed(&scene.run, why);
  close(scene.peer);
  cmox_stage_close(&scene.stage);
}

START_TEST(a_stdout_that_takes_nothing_is_told) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (!cmox_valgrind_wanted()) /* its log takes the place of the closed stream */
    fails_to_write(CMOX_RUN_CLOSED, "cannot write to stdout: ");
  fails_to_write(full, strerror(ENOSPC));
  close(full);
}
END_TEST

START_TEST(a_closed_stdout_is_fine_when_there_is_nothing_to_write) {
  scene_t scene;
  open_scene(&scene, CMOX_START(.out = CMOX_RUN_CLOSED));
  cmox_peer_exit(scene.peer, 4);
  cmox_run_exited(&scene.run, 4);
  close(scene.peer);
  close_scene(&scene);
}
END_TEST

START_TEST(a_slow_non_blocking_stdout_gets_everything) {
  enum { SIZE = 1 << 20 };
  scene_t scene;
  int ends[2];
  uint8_t *data = calloc(1, SIZE);
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  open_scene(&scene, CMOX_START(.out = ends[1]));
  close(ends[1]);
  reply.stdout_data = bytes(data, SIZE);
  cmox_peer_reply(scene.peer, 1, &reply);
  fcntl(ends[0], F_SETFL, 0);
  size_t total = 0;
  for (ssize_t got; (got = read(ends[0], data, 4096)) > 0;) total += (size_t)got;
  ck_assert_uint_eq(total, SIZE);
  cmox_run_exited(&scene.run, 0);
  close(ends[0]);
  close(scene.peer);
  free(data);
  close_scene(&scene);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {inline_bytes_arrive_exactly,
                                streamed_pieces_come_before_the_reply_in_order,
                                delays_are_kept,
                                exit_codes_pass_through,
                                an_exit_code_that_does_not_fit_is_refused,
                                death_by_signal_is_real_and_leaves_no_core,
                                names_of_no_fatal_signal_are_refused_before_anything_is_written,
                                hang_lasts_until_killed,
                                a_closed_pipe_kills_as_it_kills_the_real_command,
                                a_closed_pipe_is_survived_where_the_caller_ignores_it,
                                a_stdout_that_takes_nothing_is_told,
                                a_closed_stdout_is_fine_when_there_is_nothing_to_write,
                                a_slow_non_blocking_stdout_gets_everything,
                                NULL};
  return cmox_check_main("reply", tests);
}
