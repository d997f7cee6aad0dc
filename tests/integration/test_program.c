/* The cmdmox program: its words, its exit statuses, and serving other processes. */
#include <cmdmox/check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmdmox/v1/control.pb-c.h"
#include "proto/framing.h"
#include "proto/limits.h"
#include "server/wire/wire.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"

static char address[80];

static void setup(void) { (void)snprintf(address, sizeof address, "unix:%s/s", scratch_place()); }

static void teardown(void) { ck_cmox_teardown(); }

static size_t entries(void) {
  DIR *dir = opendir(scratch_place());
  ck_assert_ptr_nonnull(dir);
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  (void)closedir(dir);
  return count;
}

/* ---- Words ---------------------------------------------------------------- */

typedef struct words {
  const char *line; /* of shell, in which $p is the program */
  int exit_code;
  const char *out; /* begins with */
  const char *err; /* contains; NULL: empty */
} words_t;

static const words_t cases[] = {
    {"$p version", 0, "cmdmox ", NULL},
    {"$p --version", 0, "cmdmox ", NULL},
    {"$p help", 0, "usage: cmdmox VERB", NULL},
    {"$p --help", 0, "usage: cmdmox VERB", NULL},
    {"$p help serve", 0, "usage: cmdmox serve --stdio | --listen ADDRESS [OPTION...]", NULL},
    {"$p", 2, "", "usage: cmdmox VERB"},
    {"$p frobnicate", 2, "", "there is no verb \"frobnicate\""},
    {"$p serv", 2, "", "there is no verb \"serv\"; did you mean \"serve\"? See: cmdmox help\n"},
    {"$p session begin", 2, "",
     "there is no verb \"session begin\"; there are: session start, session end. See: cmdmox "
     "help\n"},
    {"$p help frobnicate", 2, "", "there is no verb \"frobnicate\""},
    {"$p version now", 2, "", "cmdmox version: unexpected argument \"now\"\nusage: cmdmox version"},
    {"$p version --help", 0, "usage: cmdmox version\n\nPrint", NULL},
    {"$p help serve --bogus", 2, "", "cmdmox help: there is no option \"--bogus\"\n"},
    {"$p help --help", 0, "usage: cmdmox help [--man] [VERB]\n\nSay how", NULL},
    {"$p serve --help", 0, "usage: cmdmox serve --stdio | --listen", NULL},
    {"$p serve --stdio -h", 0, "usage: cmdmox serve --stdio", NULL},
    {"test \"$($p serve --help)\" = \"$($p help serve)\"", 0, "", NULL},
    {"$p serve --bogus", 2, "",
     "cmdmox serve: there is no option \"--bogus\"\nusage: cmdmox serve"},
    {"$p serve --lisen unix:/a", 2, "",
     "cmdmox serve: there is no option \"--lisen\"; did you mean --listen?\nusage: cmdmox serve"},
    {"$p serve --stdio=x", 2, "", "cmdmox serve: --stdio takes no value\n"},
    {"$p serve --stdio more", 2, "", "cmdmox serve: unexpected argument \"more\"\n"},
    {"$p serve --listen unix:/a more", 2, "", "cmdmox serve: unexpected argument \"more\"\n"},
    {"$p serve --stdio --listen unix:/a", 2, "", "--stdio and --listen exclude each other"},
    {"$p serve --listen unix:/a --listen unix:/b", 2, "", "--listen is given twice"},
    {"$p serve --listen=unix:/a --stdio", 2, "", "--listen and --stdio exclude each other"},
    {"$p serve --listen --stdio", 2, "",
     "--listen needs its ADDRESS; one that begins with a dash is written with =\n"},
    {"$p completion", 2, "", "cmdmox completion: something is missing behind it\n"},
    {"$p completion tcsh", 2, "", "cmdmox completion: it knows no \"tcsh\"\n"},
    {"$p help --man", 0, ".TH \"cmdmox\" 1", NULL},
    {"$p help --man serve", 0, ".TH \"cmdmox\\-serve\" 1", NULL},
    {"$p serve", 2, "", "usage: cmdmox serve --stdio"},
    {"$p serve --listen", 2, "", "usage: cmdmox serve --stdio"},
    {"$p serve --listen tcp:127.0.0.1:0", 2, "", "cmdmox serve: listen tcp:127.0.0.1:0: "},
    {"$p serve --listen tcp:a:0 2>&1 | grep -o tcp: | wc -l", 0, "1\n", NULL},
    {"$p serve --listen \"unix:/$(printf '%0120d' 0)\"", 3, "", "cmdmox serve: "},
    {"$p help isolate", 0, "usage: cmdmox isolate PROGRAM... -- COMMAND [ARGUMENT...]\n\nRun a",
     NULL},
    {"$p isolate", 2, "", "usage: cmdmox isolate PROGRAM... -- COMMAND"},
    {"$p version >/dev/full", 3, "", "cannot write to stdout"},
};

/* A socket that another user listens at: `dir` is open to everybody. */
static int listen_as_nobody(const char *path, int ready) {
  if (setgid(65534) || setuid(65534)) return 1;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (const struct sockaddr *)&name, sizeof name) || listen(fd, 1)) return 2;
  if (write(ready, "x", 1) != 1) return 3;
  (void)pause(); /* until killed */
  return 0;
}

START_TEST(a_server_of_another_user_is_not_joined) {
  if (geteuid() != 0) {
    (void)fprintf(stderr, "SKIP another user's server: only root can be two users\n");
    return;
  }
  char dir[64];
  char path[80];
  char foreign[96];
  int ready[2];
  char byte;
  scratch_directory(dir, sizeof dir);
  ck_assert_int_eq(chmod(dir, 0777), 0);
  (void)snprintf(path, sizeof path, "%s/s", dir);
  (void)snprintf(foreign, sizeof foreign, "unix:%s", path);
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) _exit(listen_as_nobody(path, ready[1]));
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = foreign));
  ck_assert_int_eq(cmox_code(mox), CMOX_E_PERMISSION_DENIED);
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "belongs to another user (uid 65534)"));
  cmox_free(mox);
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  (void)close(ready[0]);
  (void)close(ready[1]);
  (void)unlink(path);
  (void)rmdir(dir);
}
END_TEST

START_TEST(the_program_says_what_it_does_and_how_it_ended) {
  char line[512];
  (void)snprintf(line, sizeof line, "p=%s; %s", CMOX_TEST_PROGRAM, cases[_i].line);
  SCOPED_RUN run = RUN_SHELL(line);
  ck_assert_msg(run.exit_code == cases[_i].exit_code, "%d: %s", run.exit_code, run.err);
  ck_assert_msg(strncmp(run.out, cases[_i].out, strlen(cases[_i].out)) == 0, "%s", run.out);
  if (cases[_i].err)
    ck_assert_msg(strstr(run.err, cases[_i].err), "%s", run.err);
  else
    ck_assert_str_eq(run.err, "");
}
END_TEST

/* ---- Serving at an address ------------------------------------------------- */

static pid_t server;

/* Starts `serve --listen` and waits until it says that it is ready. */
static void serve_address(rlim_t descriptors) {
  int out[2];
  ck_assert_int_eq(pipe(out), 0);
  server = fork();
  if (server == 0) {
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (descriptors) limit.rlim_cur = descriptors;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)dup2(out[1], 1);
    (void)close(out[0]);
    (void)close(out[1]);
    (void)execl(CMOX_TEST_PROGRAM, "cmdmox", "serve", "--listen", address, (char *)NULL);
    _exit(127);
  }
  (void)close(out[1]);
  char line[128] = "";
  FILE *lines = fdopen(out[0], "r");
  ck_assert_ptr_nonnull(fgets(line, sizeof line, lines));
  (void)fclose(lines);
  line[strcspn(line, "\n")] = '\0';
  ck_assert_str_eq(line, address);
}

static int end_server(int signal) {
  ck_assert_int_eq(kill(server, signal), 0);
  int status;
  while (waitpid(server, &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
  return status;
}

static const int ending[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(clients_join_a_server_by_address_and_a_signal_ends_it_cleanly) {
  serve_address(0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = address));
  cmox_returns(cmox_mock(mox, "git"), .out = "served\n");
  ck_cmox_replay(mox);
  SCOPED_RUN run = RUN("git");
  ck_assert_str_eq(run.out, "served\n");
  ck_cmox_verify(mox);
  ck_assert_int_eq(end_server(ending[_i]), 0);
  ck_assert_uint_eq(entries(), 0);
}
END_TEST

START_TEST(two_clients_of_one_server_have_sessions_of_their_own) {
  serve_address(0);
  CMOX_SCOPED cmox_t *one =
      cmox_new(CMOX_OPTIONS(.address = address, .environment = CMOX_ENVIRONMENT_NONE));
  CMOX_SCOPED cmox_t *two =
      cmox_new(CMOX_OPTIONS(.address = address, .environment = CMOX_ENVIRONMENT_NONE));
  cmox_mock(one, "git");
  cmox_times(cmox_mock(two, "git"), 0);
  ck_cmox_replay(one);
  ck_cmox_replay(two);
  static const char *const line[] = {"/bin/sh", "-c", "git", NULL};
  SCOPED_RUN run = run_program(line, NULL, 0, cmox_environ(one));
  ck_assert_int_eq(run.exit_code, 0);
  ck_cmox_verify(one);
  ck_cmox_verify(two);
  (void)end_server(SIGTERM);
}
END_TEST

START_TEST(a_server_that_is_killed_is_an_error_of_the_session) {
  leaves(LEAVES_FILES, "a killed server leaves its socket, and its directory to the next server");
  serve_address(0);
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = address));
  cmox_mock(mox, "git");
  ck_cmox_replay(mox);
  (void)end_server(SIGKILL);
  SCOPED_RUN run = RUN("git");
  ck_assert_int_eq(run.exit_code, 125);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_LINK_CLOSED);
  ck_assert_str_ne(cmox_message(mox), "");
}
END_TEST

START_TEST(an_address_that_is_taken_is_refused) {
  serve_address(0);
  SCOPED_RUN second = RUN(CMOX_TEST_PROGRAM, "serve", "--listen", address);
  ck_assert_int_ne(second.exit_code, 0);
  ck_assert_ptr_nonnull(strstr(second.err, address + strlen("unix:")));
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.address = address));
  ck_assert_int_eq(cmox_code(mox), CMOX_OK);
  (void)end_server(SIGTERM);
}
END_TEST

START_TEST(serve_raises_its_descriptor_limit) {
  struct rlimit mine;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &mine), 0);
  serve_address(64);
  struct rlimit limit;
  ck_assert_int_eq(prlimit(server, RLIMIT_NOFILE, NULL, &limit), 0);
  ck_assert_uint_eq(limit.rlim_cur, mine.rlim_max);
  (void)end_server(SIGTERM);
}
END_TEST

/* ---- Serving stdin and stdout ------------------------------------------------ */

static void put_greeting_and_ping(cmox_buf_t *out) {
  Cmdmox__V1__Hello hello = CMDMOX__V1__HELLO__INIT;
  hello.magic = CMOX_MAGIC;
  hello.min_version = CMOX_PROTOCOL_MIN;
  hello.max_version = CMOX_PROTOCOL_MAX;
  hello.role = CMDMOX__V1__ROLE__ROLE_CONTROLLER;
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO;
  frame.hello = &hello;
  ck_assert_int_eq(cmox_wire_pack_frame(&frame, UINT32_MAX, out, NULL), CMOX_OK);
  static uint8_t payload[] = {0x0a, 2, 'h', 'i'}; /* PingRequest{payload: "hi"} */
  Cmdmox__V1__Request request = CMDMOX__V1__REQUEST__INIT;
  request.method = (char *)"cmdmox.v1.ControlService/Ping";
  request.payload = (ProtobufCBinaryData){sizeof payload, payload};
  cmdmox__v1__frame__init(&frame);
  frame.id = 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_REQUEST;
  frame.request = &request;
  ck_assert_int_eq(cmox_wire_pack_frame(&frame, UINT32_MAX, out, NULL), CMOX_OK);
}

static Cmdmox__V1__Frame *read_frame(FILE *from) {
  uint8_t bytes[4096];
  size_t len = 0;
  size_t prefix = 0;
  uint32_t body = 0;
  while (cmox_prefix_read(bytes, len, sizeof bytes - 5, &prefix, &body) != CMOX_PREFIX_OK)
    ck_assert_uint_eq(fread(bytes + len++, 1, 1, from), 1);
  ck_assert_uint_eq(fread(bytes, 1, body, from), body);
  return cmdmox__v1__frame__unpack(NULL, body, bytes);
}

/* Starts `serve --stdio`, with the test's ends of its stdin and stdout. */
static void serve_stdio(int *to, FILE **from) {
  int in[2], out[2];
  ck_assert_int_eq(pipe(in), 0);
  ck_assert_int_eq(pipe(out), 0);
  server = fork();
  if (server == 0) {
    (void)dup2(in[0], 0);
    (void)dup2(out[1], 1);
    for (int i = 0; i < 2; i++) {
      (void)close(in[i]);
      (void)close(out[i]);
    }
    (void)execl(CMOX_TEST_PROGRAM, "cmdmox", "serve", "--stdio", (char *)NULL);
    _exit(127);
  }
  (void)close(in[0]);
  (void)close(out[1]);
  *to = in[1];
  *from = fdopen(out[0], "r");
}

static void expect_greeting_and_pong(int to, FILE *from) {
  cmox_buf_t bytes = CMOX_BUF_EMPTY;
  put_greeting_and_ping(&bytes);
  ck_assert_int_eq(write(to, bytes.data, bytes.len), (ssize_t)bytes.len);
  cmox_buf_clear(&bytes);
  Cmdmox__V1__Frame *greeting = read_frame(from);
  ck_assert_int_eq(greeting->hello_reply->result_case, CMDMOX__V1__HELLO_REPLY__RESULT_OK);
  cmdmox__v1__frame__free_unpacked(greeting, NULL);
  Cmdmox__V1__Frame *pong = read_frame(from);
  ck_assert_uint_eq(pong->id, 1);
  ck_assert_mem_eq(pong->response->payload.data, "\x0a\2hi", 4);
  cmdmox__v1__frame__free_unpacked(pong, NULL);
}

START_TEST(stdio_speaks_the_protocol_and_ends_with_its_peer) {
  int to;
  FILE *from;
  serve_stdio(&to, &from);
  expect_greeting_and_pong(to, from);
  (void)close(to);
  int status;
  while (waitpid(server, &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(fgetc(from), EOF);
  (void)fclose(from);
}
END_TEST

START_TEST(stdio_ends_by_a_signal_with_its_status) {
  int to;
  FILE *from;
  serve_stdio(&to, &from);
  expect_greeting_and_pong(to, from);
  int status = end_server(SIGTERM);
  ck_assert(WIFEXITED(status));
  ck_assert_int_eq(WEXITSTATUS(status), 128 + SIGTERM);
  (void)close(to);
  (void)fclose(from);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("program");
  TCase *program = tcase_create("program");
  tcase_set_timeout(program, 30);
  tcase_add_checked_fixture(program, setup, teardown);
  tcase_add_loop_test(program, the_program_says_what_it_does_and_how_it_ended, 0,
                      sizeof cases / sizeof *cases);
  tcase_add_loop_test(program, clients_join_a_server_by_address_and_a_signal_ends_it_cleanly, 0,
                      sizeof ending / sizeof *ending);
  tcase_add_test(program, two_clients_of_one_server_have_sessions_of_their_own);
  tcase_add_test(program, a_server_that_is_killed_is_an_error_of_the_session);
  tcase_add_test(program, an_address_that_is_taken_is_refused);
  tcase_add_test(program, serve_raises_its_descriptor_limit);
  tcase_add_test(program, stdio_speaks_the_protocol_and_ends_with_its_peer);
  tcase_add_test(program, stdio_ends_by_a_signal_with_its_status);
  tcase_add_test(program, a_server_of_another_user_is_not_joined);
  suite_add_tcase(suite, program);
  return run_suite(suite);
}
