/* What the launcher writes to CMOX_TRACE, and that nothing about it disturbs the call. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/files.h"
#include "tests/lib/peer.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/trace_file.h"
#include "tests/lib/valgrind.h"

static char variable[80];

static const char *const environment[] = {"CMOX_IPC_TIMEOUT=10", variable, "API_TOKEN=topsecret",
                                          NULL};

static void set_up(void) {
  trace_file_open();
  snprintf(variable, sizeof variable, "CMOX_TRACE=%s", trace_path);
}

typedef struct scene {
  cmox_stage_t stage;
  cmox_run_t run;
  int peer;
} scene_t;

static void open_scene(scene_t *scene, const cmox_start_t *start) {
  cmox_start_t traced = *start;
  traced.environment = environment;
  cmox_stage_open(&scene->stage);
  cmox_run_start(&scene->stage, &traced, &scene->run);
  scene->peer = cmox_peer_begin(&scene->stage);
}

static void close_scene(scene_t *scene) {
  close(scene->peer);
  cmox_run_free(&scene->run);
  cmox_stage_close(&scene->stage);
}

static void answer(const scene_t *scene, const char *out) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.stdout_data = (ProtobufCBinaryData){strlen(out), (uint8_t *)(uintptr_t)out};
  cmox_peer_reply(scene->peer, 1, &reply);
}

/* The events in text without time and process, one a line; only lines of the launcher of this
 * form may be there. Owned by the caller. */
static char *events(const scene_t *scene, const char *text) {
  char *all = calloc(1, strlen(text) + 1);
  for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
    unsigned seconds, micro;
    long pid;
    int start = 0;
    ck_assert_msg(sscanf(at, "%u.%6u shim %ld %n", &seconds, &micro, &pid, &start) == 3, "%s", at);
    ck_assert_int_eq(pid, scene->run.pid);
    ck_assert_ptr_nonnull(strchr(at, '\n'));
    strncat(all, at + start, (size_t)(strchr(at, '\n') + 1 - at - start));
  }
  return all;
}

START_TEST(the_path_of_a_call) {
  scene_t scene;
  open_scene(&scene,
             CMOX_START(.argv = (const char *const[]){"git", "--password", "topsecret", NULL}));
  answer(&scene, "topsecret");
  cmox_run_exited(&scene.run, 0);
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_null(strstr(text, "topsecret"));
  char *seen = events(&scene, text);
  char start[256];
  snprintf(start, sizeof start,
           "shim.start command=git args=2\n"
           "shim.endpoint socket=%s/priv/s silence_ms=10000\n"
           "shim.connect outcome=connected\n"
           "shim.hello bytes=",
           scene.stage.dir);
  ck_assert_msg(strncmp(seen, start, strlen(start)) == 0, "%s", seen);
  ck_assert_msg(strstr(seen,
                       "\nshim.welcome version=1\n"
                       "shim.action kind=reply call=7 delay_ms=0\n"
                       "shim.write stream=stdout bytes=9\n"
                       "shim.completed stdout=9 stderr=0\n"
                       "shim.exit how=exit status=0\n") != NULL,
                "%s", seen);
  struct stat info;
  ck_assert_int_eq(stat(trace_path, &info), 0);
  ck_assert_uint_eq(info.st_mode & 07777, 0600);
  free(seen);
  free(text);
  close_scene(&scene);
}
END_TEST

START_TEST(stdin_is_counted) {
  scene_t scene;
  int input[2];
  ck_assert_int_eq(pipe(input), 0);
  ck_assert_int_eq(write(input[1], "topsecret", 9), 9);
  close(input[1]);
  open_scene(&scene, CMOX_START(.in = input[0]));
  close(input[0]);
  Cmdmox__V1__ReadStdin read_stdin = CMDMOX__V1__READ_STDIN__INIT;
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  read_stdin.max_bytes = 100;
  action.call_id = 7;
  action.kind_case = CMDMOX__V1__ACTION__KIND_READ_STDIN;
  action.read_stdin = &read_stdin;
  cmox_peer_action(scene.peer, 1, &action);
  cmox_peer_free(cmox_peer_read(scene.peer)); /* the piece */
  cmox_peer_free(cmox_peer_read(scene.peer)); /* ContinueInvoke */
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  reply.exit_code = 3;
  cmox_peer_reply(scene.peer, 3, &reply);
  cmox_run_exited(&scene.run, 3);
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_null(strstr(text, "topsecret"));
  ck_assert_ptr_nonnull(strstr(text, " shim.action kind=read_stdin call=7 "));
  ck_assert_ptr_nonnull(strstr(text, " shim.stdin end=eof bytes=9\n"));
  ck_assert_ptr_nonnull(strstr(text, " shim.exit how=exit status=3\n"));
  free(text);
  close_scene(&scene);
}
END_TEST

START_TEST(a_failure_is_told_as_on_stderr) {
  scene_t scene;
  open_scene(&scene, CMOX_START(.argv = NULL));
  cmox_peer_error(scene.peer, 1, "a \"quoted\" reason\n");
  cmox_run_exited(&scene.run, 125);
  ck_assert_str_eq(scene.run.err, "cmdmox: git: a \"quoted\" reason?\n");
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_nonnull(strstr(text, " shim.fail why=\"cmdmox: git: a \\\"quoted\\\" reason?\"\n"));
  free(text);
  close_scene(&scene);
}
END_TEST

START_TEST(a_death_by_signal_is_named) {
  scene_t scene;
  open_scene(&scene, CMOX_START(.argv = NULL));
  char name[] = "SIGTERM";
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.end_case = CMDMOX__V1__REPLY__END_SIGNAL;
  reply.signal = name;
  cmox_peer_reply(scene.peer, 1, &reply);
  cmox_run_finish(&scene.run);
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_nonnull(strstr(text, " shim.exit how=SIGTERM status=0\n"));
  free(text);
  close_scene(&scene);
}
END_TEST

START_TEST(it_goes_to_stderr) {
  scene_t scene;
  (void)strcpy(variable, "CMOX_TRACE=1");
  open_scene(&scene, CMOX_START(.argv = NULL));
  answer(&scene, "x");
  cmox_run_exited(&scene.run, 0);
  char *seen = events(&scene, scene.run.err);
  ck_assert_ptr_eq(strstr(seen, "shim.start command=git args=0\n"), seen);
  ck_assert_str_eq(scene.run.out, "x");
  free(seen);
  close_scene(&scene);
}
END_TEST

/* The call goes on as if nothing had been asked. */
static void assert_undisturbed(const char *value, const cmox_start_t *start) {
  scene_t scene;
  snprintf(variable, sizeof variable, "CMOX_TRACE=%s", value);
  open_scene(&scene, start);
  answer(&scene, "x");
  cmox_run_exited(&scene.run, 0);
  if (start->out == CMOX_RUN_MEMORY) ck_assert_str_eq(scene.run.out, "x");
  ck_assert_str_eq(scene.run.err, "");
  close_scene(&scene);
}

START_TEST(what_cannot_be_written_is_kept_quiet) {
  static const char *const values[] = {"", "0", "trace.txt", "/nowhere/trace.txt", "/dev/full"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    assert_undisturbed(values[i], CMOX_START(.argv = NULL, .cwd = trace_folder));
  assert_undisturbed(trace_folder, CMOX_START(.argv = NULL)); /* a directory */
  struct stat info;
  ck_assert_int_eq(lstat(trace_path, &info), -1); /* the relative one made no file */
}
END_TEST

START_TEST(no_link_is_followed_and_no_pipe_waited_for) {
  char other[80];
  struct stat info;
  snprintf(other, sizeof other, "%s/other", trace_folder);
  ck_assert_int_eq(symlink(other, trace_path), 0);
  assert_undisturbed(trace_path, CMOX_START(.argv = NULL));
  ck_assert_int_eq(lstat(other, &info), -1);
  (void)unlink(trace_path);
  ck_assert_int_eq(mkfifo(trace_path, 0600), 0);
  assert_undisturbed(trace_path, CMOX_START(.argv = NULL));
  int reader = open(trace_path, O_RDONLY | O_NONBLOCK);
  assert_undisturbed(trace_path, CMOX_START(.argv = NULL));
  close(reader);
}
END_TEST

START_TEST(a_closed_stdout_is_not_the_trace) {
  if (cmox_valgrind_wanted()) return; /* its log takes the place of the closed stream */
  assert_undisturbed(trace_path, CMOX_START(.in = CMOX_RUN_CLOSED, .out = CMOX_RUN_MEMORY));
  scene_t scene;
  open_scene(&scene, CMOX_START(.out = CMOX_RUN_CLOSED));
  answer(&scene, "unmistakable");
  cmox_run_finish(&scene.run);
  char *text = cmox_test_read_file(trace_path);
  ck_assert_ptr_null(strstr(text, "unmistakable"));
  ck_assert_ptr_nonnull(strstr(text, " shim.fail why=\"cmdmox: git: cannot write to stdout"));
  free(text);
  close_scene(&scene);
}
END_TEST

START_TEST(a_closed_stderr_kills_nobody) {
  int pair[2];
  scene_t scene;
  ck_assert_int_eq(pipe(pair), 0);
  close(pair[0]);
  (void)strcpy(variable, "CMOX_TRACE=1");
  open_scene(&scene, CMOX_START(.err = pair[1]));
  close(pair[1]);
  answer(&scene, "x");
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(scene.run.out, "x");
  close_scene(&scene);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("trace");
  TCase *all = tcase_create("trace");
  tcase_set_timeout(all, 60);
  tcase_add_checked_fixture(all, set_up, trace_file_close);
  tcase_add_test(all, the_path_of_a_call);
  tcase_add_test(all, stdin_is_counted);
  tcase_add_test(all, a_failure_is_told_as_on_stderr);
  tcase_add_test(all, a_death_by_signal_is_named);
  tcase_add_test(all, it_goes_to_stderr);
  tcase_add_test(all, what_cannot_be_written_is_kept_quiet);
  tcase_add_test(all, no_link_is_followed_and_no_pipe_waited_for);
  tcase_add_test(all, a_closed_stdout_is_not_the_trace);
  tcase_add_test(all, a_closed_stderr_kills_nobody);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
