/* How a command that runs through the launcher ends, and the launcher with it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/passing.h"

/* ---- Signals and ends ---- */

/* The first line that the command prints reaches the test through its stdout, which is a pipe. */
static int begin_talking(passing_scene_t *scene, const char *line,
                         const Cmdmox__V1__Passthrough *how, const char *first) {
  int ends[2];
  char text[64] = "";
  passing_open(scene);
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  passing_begin_sh(scene, CMOX_START(.out = ends[1]), line);
  close(ends[1]);
  passing_tell(scene->peer, 1, how, NULL);
  ck_assert_int_gt(read(ends[0], text, sizeof text - 1), 0);
  if (first) ck_assert_str_eq(text, first);
  if (!first) scene->run.status = atoi(text); /* a process id */
  return ends[0];
}

static void ends_by(const char *line, int sent, const char *signal, int status) {
  passing_scene_t scene;
  const int out = begin_talking(&scene, line, &PASSTHROUGH(SH, BOTH), "ready\n");
  kill(scene.run.pid, sent);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(signal ? heard.report->signal : "", signal ? signal : "");
  if (!signal) ck_assert_uint_eq(heard.report->exit_code, (unsigned)status);
  ck_assert(heard.completed);
  passing_free(&heard);
  cmox_run_finish(&scene.run);
  if (signal)
    ck_assert_msg(WIFSIGNALED(scene.run.status) && WTERMSIG(scene.run.status) == status, "%#x",
                  (unsigned)scene.run.status);
  else
    ck_assert_int_eq(WEXITSTATUS(scene.run.status), status);
  close(out);
  passing_close(&scene);
}

START_TEST(signals_are_sent_on_and_died_of) {
  ends_by("echo ready; exec sleep 1000", SIGTERM, "SIGTERM", SIGTERM);
  ends_by("echo ready; exec sleep 1000", SIGINT, "SIGINT", SIGINT);
  ends_by("echo ready; exec sleep 1000", SIGUSR1, "SIGUSR1", SIGUSR1);
  ends_by("echo ready; exec sleep 1000", 64, "SIGRTMIN+30", 64);
  ends_by("trap 'exit 6' TERM; echo ready; while :; do sleep 0.01; done", SIGTERM, NULL, 6);
  ends_by("trap 'exit 8' HUP; echo ready; while :; do sleep 0.01; done", SIGHUP, NULL, 8);
}
END_TEST

/* The kernel's own, as of a timer that was set before the launcher was started. */
START_TEST(signals_of_the_kernel_are_sent_on) {
  passing_scene_t scene;
  int ends[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const int out =
      begin_talking(&scene, "echo ready; exec sleep 1000", &PASSTHROUGH(SH, BOTH), "ready\n");
  ck_assert_int_eq(fcntl(ends[0], F_SETOWN, scene.run.pid), 0);
  ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
  ck_assert_int_eq(write(ends[1], "x", 1), 1);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.report->signal, "SIGPOLL");
  passing_free(&heard);
  cmox_run_finish(&scene.run);
  close(ends[0]);
  close(ends[1]);
  close(out);
  passing_close(&scene);
}
END_TEST

START_TEST(what_the_command_sends_to_its_parent_reaches_ours) {
  passing_scene_t scene;
  sigset_t blocked;
  const int out = begin_talking(
      &scene, "mkfifo gate; echo ready; read -r go <gate; kill -USR1 $PPID; sleep 0.1; exit 3",
      &PASSTHROUGH(SH, BOTH), "ready\n");
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  const int gate = open(passing_path(&scene, "gate"), O_WRONLY | O_CLOEXEC);
  close(gate);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.report->exit_code, 3);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 3);
  ck_assert_int_eq(sigpending(&blocked), 0);
  ck_assert_int_eq(sigismember(&blocked, SIGUSR1), 1);
  close(out);
  passing_close(&scene);
}
END_TEST

static void wait_gone(pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  for (int i = 0; i < 30000; i++) {
    char text[256] = "";
    FILE *file = fopen(path, "r");
    if (!file) return;
    const size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    const char *state = len ? strrchr(text, ')') : NULL;
    if (!state || state[2] == 'Z') {
      (void)waitpid(pid, NULL, WNOHANG); /* an orphan is ours */
      return;
    }
    (void)poll(NULL, 0, 1);
  }
  ck_abort_msg("process %d lives on", (int)pid);
}

START_TEST(the_command_dies_with_a_killed_launcher) {
  passing_scene_t scene;
  const int out = begin_talking(&scene, "echo $$; exec sleep 1000", &PASSTHROUGH(SH, BOTH), NULL);
  const pid_t child = scene.run.status;
  kill(scene.run.pid, SIGKILL);
  cmox_run_finish(&scene.run);
  wait_gone(child);
  close(out);
  close(scene.peer);
  passing_close(&scene);
}
END_TEST

START_TEST(the_command_dies_with_the_server) {
  passing_scene_t scene;
  const int out = begin_talking(&scene, "echo $$; exec sleep 1000", &PASSTHROUGH(SH, BOTH), NULL);
  const pid_t child = scene.run.status;
  close(scene.peer);
  cmox_run_finish(&scene.run);
  ck_assert_int_eq(WEXITSTATUS(scene.run.status), 125);
  ck_assert_msg(strstr(scene.run.err, "the server closed the connection") != NULL, "%s",
                scene.run.err);
  ck_assert_int_eq(kill(child, 0), -1);
  close(out);
  passing_close(&scene);
}
END_TEST

/* Its socket has room, and nobody reads it. */
START_TEST(a_server_that_hangs_ends_the_command) {
  passing_scene_t scene;
  const char *const environment[] = {"CMOX_IPC_TIMEOUT=0.5", NULL};
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.environment = environment), "exec sleep 1000");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  cmox_run_finish(&scene.run);
  ck_assert_int_eq(WEXITSTATUS(scene.run.status), 125);
  ck_assert_msg(strstr(scene.run.err, "no word from the server for 500 ms") != NULL, "%s",
                scene.run.err);
  close(scene.peer);
  passing_close(&scene);
}
END_TEST

START_TEST(a_server_that_says_that_it_lives_is_believed) {
  passing_scene_t scene;
  const char *const environment[] = {"CMOX_IPC_TIMEOUT=2", NULL};
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.environment = environment), "sleep 3; exit 9");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  for (struct pollfd link = {.fd = scene.peer, .events = POLLIN}; poll(&link, 1, 100) == 0;)
    cmox_peer_notify_progress(scene.peer);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.report->exit_code, 9);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 9);
  passing_close(&scene);
}
END_TEST

START_TEST(a_command_that_stops_stops_the_launcher) {
  passing_scene_t scene;
  const int out = begin_talking(&scene, "echo ready; kill -STOP $$; echo on; exit 4",
                                &PASSTHROUGH(SH, BOTH), "ready\n");
  int status = 0;
  ck_assert_int_eq(waitpid(scene.run.pid, &status, WUNTRACED), scene.run.pid);
  ck_assert(WIFSTOPPED(status));
  kill(scene.run.pid, SIGCONT);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq((char *)heard.data[1], "ready\non\n");
  passing_free(&heard);
  cmox_run_exited(&scene.run, 4);
  close(out);
  passing_close(&scene);
}
END_TEST

static void times_out(const char *line, uint32_t kill_after_ms) {
  passing_scene_t scene;
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = CMOX_RUN_MEMORY), line);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, .timeout_ms = 100, .kill_after_ms = kill_after_ms),
               NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(heard.report->timed_out);
  ck_assert_uint_eq(heard.report->exit_code, 124);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 124);
  ck_assert_str_eq(scene.run.err,
                   "cmdmox: git: the real command was ended after 100 ms (timeout)\n");
  passing_close(&scene);
}

START_TEST(a_command_that_takes_too_long_ends_with_124) {
  times_out("exec sleep 1000", 0);
  times_out("kill -STOP $$", 0);
  times_out("trap 'exit 0' TERM; while :; do sleep 0.01; done", 60000);
  times_out("trap '' TERM; while :; do sleep 0.01; done", 100);
}
END_TEST

START_TEST(a_command_in_time_is_not_bothered) {
  passing_scene_t scene;
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = CMOX_RUN_MEMORY), "echo done");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, .timeout_ms = 600000), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(!heard.report->timed_out && !heard.report->replaced);
  ck_assert_uint_eq(heard.len[1], 0);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(scene.run.out, "done\n");
  passing_close(&scene);
}
END_TEST

START_TEST(what_is_left_behind_holds_nothing_up_and_is_passed_on) {
  passing_scene_t scene;
  int ends[2];
  char text[64] = "";
  passing_open(&scene);
  ck_assert_int_eq(mkfifo(passing_path(&scene, "gate"), 0600), 0);
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = ends[1]),
                   "{ read -r word <gate; echo late $word; } & echo early");
  close(ends[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq((char *)heard.data[1], "early\n");
  ck_assert(heard.report->lingering);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0); /* although its output is open */
  ck_assert_int_eq(read(ends[0], text, sizeof text), 6);
  const int gate = open(passing_path(&scene, "gate"), O_WRONLY | O_CLOEXEC);
  ck_assert_int_eq(write(gate, "word\n", 5), 5);
  close(gate);
  ck_assert_int_eq(read(ends[0], text, sizeof text), 10);
  ck_assert_int_eq(memcmp(text, "late word\n", 10), 0);
  ck_assert_int_eq(read(ends[0], text, sizeof text), 0);
  close(ends[0]);
  while (waitpid(-1, NULL, 0) > 0) continue; /* orphans are ours */
  passing_close(&scene);
}
END_TEST

/* What it had written reaches the reader, whenever that reads. */
START_TEST(a_killed_command_does_not_wait_for_its_reader) {
  passing_scene_t scene;
  static char block[1 << 16];
  const int out = begin_talking(&scene, "echo $$; exec yes", &PASSTHROUGH(SH, BOTH), NULL);
  int waiting = 0;
  for (int i = 0; i < 30000 && waiting < 60000; i++) {
    (void)poll(NULL, 0, 1);
    ck_assert_int_eq(ioctl(out, FIONREAD, &waiting), 0);
  }
  kill(scene.run.pid, SIGTERM);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.report->signal, "SIGTERM");
  ck_assert(!heard.report->lingering);
  cmox_run_finish(&scene.run);
  ck_assert(WIFSIGNALED(scene.run.status) && WTERMSIG(scene.run.status) == SIGTERM);
  size_t len = 64; /* at most what begin_talking has read */
  for (ssize_t got; (got = read(out, block, sizeof block)) > 0;) len += (size_t)got;
  ck_assert_uint_eq(heard.len[1], heard.report->stdout_bytes);
  ck_assert_uint_ge(len, heard.len[1]);
  passing_free(&heard);
  close(out);
  while (waitpid(-1, NULL, 0) > 0) continue; /* orphans are ours */
  passing_close(&scene);
}
END_TEST

/* An heir that has stderr holds neither stdout nor stdin. */
START_TEST(what_is_left_behind_holds_only_its_own_streams) {
  passing_scene_t scene;
  int ins[2], outs[2], errs[2];
  char text[8];
  passing_open(&scene);
  ck_assert_int_eq(mkfifo(passing_path(&scene, "gate"), 0600), 0);
  ck_assert_int_eq(pipe2(ins, O_CLOEXEC), 0);
  ck_assert_int_eq(pipe2(outs, O_CLOEXEC), 0);
  ck_assert_int_eq(pipe2(errs, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.in = ins[0], .out = outs[1], .err = errs[1]),
                   "{ read -r word <gate; echo late >&2; } >/dev/null & echo hi");
  close(ins[0]);
  close(outs[1]);
  close(errs[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(heard.report->lingering);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_int_eq(read(outs[0], text, sizeof text), 3);
  ck_assert_int_eq(read(outs[0], text, sizeof text), 0);
  struct pollfd in = {.fd = ins[1]};
  ck_assert_int_eq(poll(&in, 1, 60000), 1);
  ck_assert_int_eq(in.revents, POLLERR);
  const int gate = open(passing_path(&scene, "gate"), O_WRONLY | O_CLOEXEC);
  close(gate);
  ck_assert_int_eq(read(errs[0], text, sizeof text), 5);
  close(ins[1]);
  close(outs[0]);
  close(errs[0]);
  while (waitpid(-1, NULL, 0) > 0) continue; /* orphans are ours */
  passing_close(&scene);
}
END_TEST

static void ignore(int number) { (void)number; }

START_TEST(a_signal_to_the_callers_group_does_not_reach_what_passes_on) {
  passing_scene_t scene;
  ck_assert_int_eq(setpgid(0, 0), 0);
  const struct sigaction action = {.sa_handler = ignore};
  ck_assert_int_eq(sigaction(SIGTERM, &action, NULL), 0);
  const int out =
      begin_talking(&scene, "mkfifo gate; setsid sh -c 'echo early; read -r w <gate; echo late' &",
                    &PASSTHROUGH(SH, BOTH), "early\n");
  passing_heard_t heard = passing_hear(scene.peer);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_int_eq(kill(0, SIGTERM), 0);
  const int gate = open(passing_path(&scene, "gate"), O_WRONLY | O_CLOEXEC);
  close(gate);
  char text[8];
  ck_assert_int_eq(read(out, text, sizeof text), 5);
  close(out);
  while (waitpid(-1, NULL, 0) > 0) continue; /* orphans are ours */
  passing_close(&scene);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {signals_are_sent_on_and_died_of,
                                signals_of_the_kernel_are_sent_on,
                                what_the_command_sends_to_its_parent_reaches_ours,
                                the_command_dies_with_a_killed_launcher,
                                the_command_dies_with_the_server,
                                a_server_that_hangs_ends_the_command,
                                a_server_that_says_that_it_lives_is_believed,
                                a_command_that_stops_stops_the_launcher,
                                a_command_that_takes_too_long_ends_with_124,
                                a_command_in_time_is_not_bothered,
                                what_is_left_behind_holds_nothing_up_and_is_passed_on,
                                a_killed_command_does_not_wait_for_its_reader,
                                what_is_left_behind_holds_only_its_own_streams,
                                a_signal_to_the_callers_group_does_not_reach_what_passes_on,
                                NULL};
  return cmox_check_main("passthrough_end", tests);
}
