/* The streams of a command that runs through the launcher. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/passing.h"

/* ---- Streams ---- */

START_TEST(one_open_file_for_both_stays_one) {
  passing_scene_t scene;
  int ends[2];
  char text[256] = "";
  passing_open(&scene);
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = ends[1], .err = ends[1]),
                   "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done");
  close(ends[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  static const char all[] = "o1\ne1\no2\ne2\no3\ne3\no4\ne4\no5\ne5\n";
  ck_assert(heard.report->merged);
  ck_assert_str_eq((char *)heard.data[1], all);
  ck_assert_uint_eq(heard.len[2], 0);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  size_t len = 0;
  for (ssize_t got; (got = read(ends[0], text + len, sizeof text - 1 - len)) > 0;)
    len += (size_t)got;
  ck_assert_str_eq(text, all);
  close(ends[0]);
  passing_close(&scene);
}
END_TEST

START_TEST(a_terminal_is_handed_over) {
  passing_scene_t scene;
  char text[64] = "";
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  const int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = slave, .out = slave),
                   "test -t 0 && test -t 1 && echo yes; echo e >&2");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_stdin = 1), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.len[1], 0);
  ck_assert_str_eq((char *)heard.data[2], "e\n");
  ck_assert(!heard.report->replaced);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_int_gt(read(terminal, text, sizeof text - 1), 0);
  ck_assert_str_eq(text, "yes\r\n");
  close(slave);
  close(terminal);
  passing_close(&scene);
}
END_TEST

/* P18 */
static void reader_goes(bool before, bool ignored, int status, int signal) {
  passing_scene_t scene;
  int ends[2];
  char byte;
  passing_open(&scene);
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = ends[1], .ignore_pipe = ignored),
                   "echo one; while sleep 0.01; do echo more || exit 3; done 2>/dev/null");
  close(ends[1]);
  if (before) close(ends[0]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  if (!before) {
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
  }
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(heard.completed);
  ck_assert_str_eq(heard.report->end_case == CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_SIGNAL
                       ? heard.report->signal
                       : "",
                   signal ? "SIGPIPE" : "");
  if (!before) ck_assert(heard.broken_pipe);
  passing_free(&heard);
  cmox_run_finish(&scene.run);
  if (signal)
    ck_assert_msg(WIFSIGNALED(scene.run.status) && WTERMSIG(scene.run.status) == signal, "%#x",
                  (unsigned)scene.run.status);
  else
    ck_assert_int_eq(WEXITSTATUS(scene.run.status), status);
  passing_close(&scene);
}

START_TEST(a_reader_that_goes_ends_the_command_as_it_would_have) {
  reader_goes(false, false, 0, SIGPIPE);
  reader_goes(true, false, 0, SIGPIPE);
  reader_goes(false, true, 3, 0);
}
END_TEST

static unsigned descriptors_of(pid_t pid) {
  char path[32];
  unsigned count = 0;
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *stream = opendir(path);
  while (stream && readdir(stream)) count++;
  if (stream) (void)closedir(stream);
  return count;
}

/* The command does nothing when its reader goes: its next write is the first that can tell. */
START_TEST(a_reader_that_goes_is_noticed_while_nothing_is_written) {
  passing_scene_t scene;
  int ends[2];
  char text[8];
  passing_open(&scene);
  ck_assert_int_eq(mkfifo(passing_path(&scene, "gate"), 0600), 0);
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = ends[1]),
                   "echo one; read -r go <gate; echo two; : >made");
  close(ends[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  ck_assert_int_eq(read(ends[0], text, sizeof text), 4);
  const int gate = open(passing_path(&scene, "gate"), O_WRONLY | O_CLOEXEC);
  const unsigned before = descriptors_of(scene.run.pid);
  close(ends[0]);
  for (int i = 0; i < 30000 && descriptors_of(scene.run.pid) >= before; i++) (void)poll(NULL, 0, 1);
  ck_assert_int_eq(write(gate, "go\n", 3), 3);
  close(gate);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.report->signal, "SIGPIPE");
  passing_free(&heard);
  cmox_run_finish(&scene.run);
  ck_assert_int_eq(access(passing_path(&scene, "made"), F_OK), -1);
  passing_close(&scene);
}
END_TEST

START_TEST(a_stream_that_is_not_read_holds_up_no_other) {
  passing_scene_t scene;
  int outs[2], errs[2];
  char text[8] = "";
  static char rest[1 << 20];
  passing_open(&scene);
  ck_assert_int_eq(pipe2(outs, O_CLOEXEC), 0);
  ck_assert_int_eq(pipe2(errs, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = outs[1], .err = errs[1]),
                   "head -c 1000000 /dev/zero & sleep 0.1; echo e >&2; wait");
  close(outs[1]);
  close(errs[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_max_bytes = 1000), NULL);
  ck_assert_int_eq(read(errs[0], text, sizeof text), 2); /* while stdout is full */
  size_t len = 0;
  for (ssize_t got; (got = read(outs[0], rest, sizeof rest)) > 0;) len += (size_t)got;
  ck_assert_uint_eq(len, 1000000);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.len[1], 1000);
  ck_assert_uint_eq(heard.report->stdout_bytes, 1000000);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  close(outs[0]);
  close(errs[0]);
  passing_close(&scene);
}
END_TEST

/* To its end, or to so many bytes. */
static size_t read_most(int from, size_t most) {
  static char block[1 << 16];
  size_t len = 0;
  for (ssize_t got = 1; got > 0 && len<most; len += got> 0 ? (size_t)got : 0) {
    const size_t left = most - len;
    got = read(from, block, left < sizeof block ? left : sizeof block);
  }
  return len;
}

/* One stream has to wait for its reader when the command has ended, and the other goes on, also
 * after the launcher has sent up what it had. */
static void ends_before_its_reader(const char *line, size_t out_len, size_t err_len) {
  passing_scene_t scene;
  int outs[2], errs[2];
  passing_open(&scene);
  ck_assert_int_eq(pipe2(outs, O_CLOEXEC), 0);
  ck_assert_int_eq(pipe2(errs, O_CLOEXEC), 0);
  passing_begin_sh(&scene, CMOX_START(.out = outs[1], .err = errs[1]), line);
  close(outs[1]);
  close(errs[1]);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_max_bytes = 1000), NULL);
  ck_assert_uint_eq(read_most(errs[0], err_len), err_len); /* while stdout is full */
  ck_assert_uint_eq(read_most(outs[0], SIZE_MAX), out_len);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.failure, "");
  ck_assert_uint_eq(heard.report->stdout_bytes, out_len);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  close(outs[0]);
  close(errs[0]);
  while (waitpid(-1, NULL, 0) > 0) continue; /* orphans are ours */
  passing_close(&scene);
}

START_TEST(a_reader_that_is_late_holds_up_no_other_stream_either) {
  ends_before_its_reader(
      "head -c 108894 /dev/zero;"
      "{ while kill -0 $$; do sleep 0.01; done 2>/dev/null; sleep 0.2; echo late >&2; } >/dev/null "
      "&",
      108894, 5);
  ends_before_its_reader("head -c 100000 /dev/zero & head -c 100000 /dev/zero >&2; wait", 100000,
                         100000);
}
END_TEST

START_TEST(a_device_is_handed_over) {
  passing_scene_t scene;
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.out = full),
                   "test -c /dev/stdout && ! echo lost 2>/dev/null && exit 4");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.failure, "");
  ck_assert_uint_eq(heard.len[1], 0);
  ck_assert_uint_eq(heard.report->exit_code, 4);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 4);
  close(full);
  passing_close(&scene);
}
END_TEST

/* The command has the caller's own file, and what it wrote is captured. same: one for both. */
static void writes_file(int flags, bool same, const char *line, const char *captured,
                        const char *content) {
  passing_scene_t scene;
  char text[64] = "";
  passing_open(&scene);
  const char *const path = passing_path(&scene, "file");
  const int made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ck_assert_int_eq(write(made, "before\n", 7), 7);
  close(made);
  const int file = open(path, O_WRONLY | O_CLOEXEC | flags);
  const int again = same ? file : open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (!(flags & O_APPEND)) ck_assert_int_eq(lseek(file, 0, SEEK_END), 7);
  passing_begin_sh(&scene, CMOX_START(.out = file, .err = again), line);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_max_bytes = 12), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq((char *)heard.data[1], captured);
  ck_assert_uint_eq(heard.report->stdout_bytes, strlen(content) - 7);
  ck_assert_int_eq(heard.report->merged, same);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  const int reader = open(path, O_RDONLY | O_CLOEXEC);
  ck_assert_int_ge(read(reader, text, sizeof text - 1), 7);
  ck_assert_str_eq(text, content);
  close(reader);
  close(file);
  if (again != file) close(again);
  passing_close(&scene);
}

START_TEST(a_file_is_inherited_and_read_again) {
  writes_file(0, false, "test -f /dev/stdout && echo file; echo e >&2", "file\n", "before\nfile\n");
  writes_file(O_APPEND, false, "echo one; echo two", "one\ntwo\n", "before\none\ntwo\n");
  writes_file(0, true, "echo o; echo e >&2; echo p", "o\ne\np\n", "before\no\ne\np\n");
  writes_file(0, false, "echo 0123456789abc", "0123456789ab", "before\n0123456789abc\n");
  writes_file(O_APPEND, true, "exit 0", "", "before\n");
}
END_TEST

/* Each open file has a place of its own: what is captured goes as far as the farther of them. */
START_TEST(two_open_files_of_one_file_are_captured_up_to_the_farther) {
  passing_scene_t scene;
  passing_open(&scene);
  const char *const path = passing_path(&scene, "file");
  const int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int err = open(path, O_WRONLY | O_CLOEXEC);
  passing_begin_sh(&scene, CMOX_START(.out = out, .err = err), "echo o; echo longer >&2");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(heard.report->merged);
  ck_assert_str_eq((char *)heard.data[1], "longer\n");
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  close(out);
  close(err);
  passing_close(&scene);
}
END_TEST

/* The first reader goes, something wakes the launcher, another comes, the command writes again. */
START_TEST(a_reader_of_a_named_pipe_may_come_again) {
  passing_scene_t scene;
  char text[8] = "";
  passing_open(&scene);
  const char *const path = passing_path(&scene, "named");
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(mkfifo(passing_path(&scene, "gate1"), 0600), 0);
  ck_assert_int_eq(mkfifo(passing_path(&scene, "gate2"), 0600), 0);
  const int first = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const int out = open(path, O_WRONLY | O_CLOEXEC);
  passing_begin_sh(&scene, CMOX_START(.out = out),
                   "echo one; read -r go <gate1; kill -WINCH $PPID; read -r go <gate2; echo two");
  close(out);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  struct pollfd watch = {.fd = first, .events = POLLIN};
  ck_assert_int_eq(poll(&watch, 1, 60000), 1);
  ck_assert_int_eq(read(first, text, sizeof text), 4);
  close(first);
  close(open(passing_path(&scene, "gate1"), O_WRONLY | O_CLOEXEC));
  const int gate = open(passing_path(&scene, "gate2"), O_WRONLY | O_CLOEXEC);
  const int second = open(passing_path(&scene, "named"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  close(gate);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert(!heard.broken_pipe);
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_int_eq(read(second, text, sizeof text), 4);
  close(second);
  passing_close(&scene);
}
END_TEST

/* ---- stdin ---- */

enum { PIPE_IN, FILE_IN, SOCKET_IN };

static int input_of(int kind, const char *text, int *keep_open) {
  int ends[2];
  const size_t len = strlen(text);
  *keep_open = -1;
  if (kind == FILE_IN) {
    const int file = memfd_create("stdin", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(file, text, len, 0), (ssize_t)len);
    return file;
  }
  if (kind == PIPE_IN)
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  else
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  ck_assert_int_eq(write(ends[1], text, len), (ssize_t)len);
  *keep_open = ends[1];
  return ends[0];
}

static void ask_to_keep(int peer, uint64_t wanted) {
  Cmdmox__V1__ReadStdin read_stdin = CMDMOX__V1__READ_STDIN__INIT;
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  read_stdin.max_bytes = wanted;
  read_stdin.deadline_ms = 10000;
  read_stdin.keep = true;
  action.call_id = 7;
  action.kind_case = CMDMOX__V1__ACTION__KIND_READ_STDIN;
  action.read_stdin = &read_stdin;
  cmox_peer_action(peer, 1, &action);
}

/* What the server reads to decide goes to the command again, before the rest. read: bytes wanted.
 */
static void decided_by_stdin(int kind, uint64_t wanted, bool capture) {
  static const char lines[] = "0123456789\nrest\n";
  passing_scene_t scene;
  int writer;
  const int in = input_of(kind, lines, &writer);
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = in), "read -r a; read -r b; echo $a $b");
  ask_to_keep(scene.peer, wanted);
  const passing_heard_t first = passing_hear_continue(scene.peer);
  ck_assert_uint_eq(first.len[0], wanted);
  passing_tell(scene.peer, 3, &PASSTHROUGH(SH, .capture_stdin = capture, .capture_stdout = capture),
               NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  if (capture) { /* what was read to decide is not told again */
    ck_assert_str_eq((char *)heard.data[0], lines + wanted);
    ck_assert_uint_eq(heard.report->stdin_bytes, 16);
  }
  passing_free(&heard);
  free(first.data[0]);
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(scene.run.out, "0123456789 rest\n");
  close(in);
  if (writer >= 0) close(writer);
  passing_close(&scene);
}

START_TEST(what_was_read_to_decide_comes_to_the_command_again) {
  for (int kind = PIPE_IN; kind <= SOCKET_IN; kind++)
    for (int capture = 0; capture < 2; capture++) {
      decided_by_stdin(kind, 4, capture);
      decided_by_stdin(kind, 11, capture);
    }
}
END_TEST

START_TEST(a_limit_on_files_ends_what_cannot_be_kept) {
  passing_scene_t scene;
  int writer;
  const int in = input_of(PIPE_IN, "0123456789\nrest\n", &writer);
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = in), "echo never");
  ck_assert_int_eq(
      prlimit(scene.run.pid, RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 4, .rlim_max = 4}, NULL),
      0);
  ask_to_keep(scene.peer, 11);
  cmox_run_finish(&scene.run);
  ck_assert_msg(WIFEXITED(scene.run.status) && WEXITSTATUS(scene.run.status) == 125, "%#x",
                (unsigned)scene.run.status);
  close(scene.peer);
  close(in);
  close(writer);
  passing_close(&scene);
}
END_TEST

/* Of stdin no more is gone than the command took. */
static void leaves(int kind, const char *line, const char *taken, const char *left) {
  passing_scene_t scene;
  int writer;
  char rest[64] = "";
  const int in = input_of(kind, "first\nsecond\n", &writer);
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = in), line);
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, .capture_stdin = 1), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq((char *)heard.data[0], taken);
  ck_assert_uint_eq(heard.report->stdin_bytes, strlen(taken));
  passing_free(&heard);
  cmox_run_exited(&scene.run, 0);
  ck_assert_int_eq(fcntl(in, F_SETFL, O_NONBLOCK), 0);
  ck_assert_int_eq(read(in, rest, sizeof rest - 1),
                   *left ? (ssize_t)strlen(left) : (writer < 0 ? 0 : -1));
  ck_assert_str_eq(rest, left);
  close(in);
  if (writer >= 0) close(writer);
  passing_close(&scene);
}

START_TEST(stdin_is_taken_only_as_far_as_the_command_reads) {
  for (int kind = PIPE_IN; kind <= FILE_IN; kind++) {
    leaves(kind, "dd bs=1 count=6 status=none >/dev/null", "first\n", "second\n");
    leaves(kind, "exit 0", "", "first\nsecond\n");
    leaves(kind, "exec <&-; exit 0", "", "first\nsecond\n");
    leaves(kind, "dd bs=13 count=1 status=none >/dev/null", "first\nsecond\n", "");
  }
  leaves(SOCKET_IN, "dd bs=1 count=6 status=none >/dev/null", "first\n", "");
}
END_TEST

/* What is no input is the command's to find out. */
START_TEST(what_cannot_be_read_is_handed_over) {
  int ends[2];
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  const int ins[] = {ends[1], open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                     open("/dev/null", O_WRONLY | O_CLOEXEC)};
  for (size_t i = 0; i < sizeof ins / sizeof *ins; i++) {
    passing_scene_t scene;
    passing_open(&scene);
    passing_begin_sh(&scene, CMOX_START(.in = ins[i]), "cat || exit 6");
    passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_stdin = 1), NULL);
    passing_heard_t heard = passing_hear(scene.peer);
    ck_assert_uint_eq(heard.report->exit_code, 6);
    ck_assert_uint_eq(heard.len[0], 0);
    ck_assert_uint_gt(heard.len[2], 0);
    passing_free(&heard);
    cmox_run_exited(&scene.run, 6);
    passing_close(&scene);
    close(ins[i]);
  }
  close(ends[0]);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {one_open_file_for_both_stays_one,
                                a_terminal_is_handed_over,
                                a_reader_that_goes_ends_the_command_as_it_would_have,
                                a_reader_that_goes_is_noticed_while_nothing_is_written,
                                a_stream_that_is_not_read_holds_up_no_other,
                                a_reader_that_is_late_holds_up_no_other_stream_either,
                                a_device_is_handed_over,
                                a_file_is_inherited_and_read_again,
                                two_open_files_of_one_file_are_captured_up_to_the_farther,
                                a_reader_of_a_named_pipe_may_come_again,
                                what_was_read_to_decide_comes_to_the_command_again,
                                a_limit_on_files_ends_what_cannot_be_kept,
                                stdin_is_taken_only_as_far_as_the_command_reads,
                                what_cannot_be_read_is_handed_over,
                                NULL};
  return cmox_check_main("passthrough_streams", tests);
}
