/* What the launcher says about the call: who it is, and every byte it was given. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/peer.h"
#include "tests/lib/valgrind.h"

/* Runs the launcher, answers exit 0, gives what it said. */
static Cmdmox__V1__InvokeRequest *said(const cmox_start_t *start) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  symlink("../cmdmox-shim", cmox_stage_path(&stage, "bin/git-lfs"));
  cmox_run_start(&stage, start, &run);
  const int peer = cmox_peer_accept(&stage);
  Cmdmox__V1__InvokeRequest *request = cmox_peer_invoke(peer);
  ck_assert_uint_eq(request->pid, (uint32_t)run.pid);
  ck_assert_uint_eq(request->ppid, (uint32_t)getpid());
  cmox_peer_welcome(peer);
  cmox_peer_exit(peer, 0);
  cmox_run_exited(&run, 0);
  ck_assert_uint_eq(run.err_len, 0);
  ck_assert(cmox_peer_end(peer).seen);
  cmox_run_free(&run);
  unlink(cmox_stage_path(&stage, "bin/git-lfs"));
  cmox_stage_close(&stage);
  return request;
}

static void is_text(ProtobufCBinaryData data, const char *text) {
  ck_assert_uint_eq(data.len, strlen(text));
  if (data.len > 0) ck_assert_int_eq(memcmp(data.data, text, data.len), 0);
}

START_TEST(the_name_comes_from_the_path_and_not_from_argv) {
  if (cmox_valgrind_wanted()) return;
  static const char *const fake[] = {"foo", "x", NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = fake));
  is_text(request->command, "git");
  is_text(request->argv[0], "foo");
  cmox_peer_free_invoke(request);

  static const char *const path[] = {"/usr/bin/git", NULL};
  request = said(CMOX_START(.program = "bin/git-lfs", .argv = path));
  is_text(request->command, "git-lfs");
  is_text(request->argv[0], "/usr/bin/git");
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(a_command_may_be_called_with_probe) {
  static const char *const argv[] = {"git", "--probe", NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = argv));
  ck_assert_uint_eq(request->n_argv, 2);
  is_text(request->argv[1], "--probe");
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(arguments_arrive_byte_by_byte) {
  if (cmox_valgrind_wanted()) return;
  static const char *const argv[] = {"git", "", "a\nb", "\xff\xfe", "-", " ", "x=y", "", NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = argv));
  ck_assert_uint_eq(request->n_argv, 8);
  for (size_t i = 0; i < 8; i++) is_text(request->argv[i], argv[i]);
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(an_empty_argument_list_works) {
  if (cmox_valgrind_wanted()) return;
  static const char *const argv[] = {NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = argv));
  /* Newer kernels put an empty argv[0] in. */
  ck_assert_uint_le(request->n_argv, 1);
  if (request->n_argv == 1) ck_assert_uint_eq(request->argv[0].len, 0);
  is_text(request->command, "git");
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(the_environment_arrives_as_it_is) {
  if (cmox_valgrind_wanted()) return;
  static const char *const environment[] = {"A=1",     "A=2",     "NOEQUALS", "=odd",
                                            "NL=a\nb", "FF=\xff", "EMPTY=",   NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.environment = environment));
  ck_assert_uint_eq(request->n_env_block, 7);
  for (size_t i = 0; i < 7; i++) is_text(request->env_block[i], environment[i]);
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(an_empty_environment_works) {
  if (cmox_valgrind_wanted()) return;
  static const char *const environment[] = {NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.environment = environment));
  ck_assert_uint_eq(request->n_env_block, 0);
  cmox_peer_free_invoke(request);
}
END_TEST

static char *filled(size_t len) {
  char *text = malloc(len + 1);
  for (size_t i = 0; i < len; i++) text[i] = (char)('a' + i % 23);
  text[len] = '\0';
  return text;
}

START_TEST(one_argument_may_be_as_long_as_the_kernel_allows) {
  enum { LONGEST = 131071 };
  char *longest = filled(LONGEST);
  const char *argv[] = {"git", longest, NULL};
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = argv));
  is_text(request->argv[1], longest);
  cmox_peer_free_invoke(request);
  free(longest);
}
END_TEST

/* So many arguments of almost the longest kind. */
static void arrives_whole(size_t count) {
  enum { EACH = 131000, MOST = 47 };
  /* The kernel gives arguments a quarter of the stack, and at most 6 MiB. */
  struct rlimit stack;
  ck_assert_int_eq(getrlimit(RLIMIT_STACK, &stack), 0);
  stack.rlim_cur = 64 << 20;
  ck_assert_int_eq(setrlimit(RLIMIT_STACK, &stack), 0);
  char *text = filled(EACH);
  const char *argv[MOST + 2] = {"git"};
  ck_assert_uint_le(count, MOST);
  for (size_t i = 1; i <= count; i++) argv[i] = text;
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.argv = argv));
  ck_assert_uint_eq(request->n_argv, count + 1);
  for (size_t i = 1; i <= count; i++) is_text(request->argv[i], text);
  cmox_peer_free_invoke(request);
  free(text);
}

START_TEST(two_mebibytes_of_arguments_arrive) { arrives_whole(17); }
END_TEST

START_TEST(as_many_arguments_as_the_kernel_takes_arrive) { arrives_whole(47); }
END_TEST

START_TEST(the_working_directory_and_its_absence_are_told) {
  if (cmox_valgrind_wanted()) return; /* it complains of a lost directory itself */
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.cwd = "/"));
  is_text(request->cwd, "/");
  cmox_peer_free_invoke(request);

  char lost[96];
  scratch_directory(lost, sizeof lost);
  ck_assert_int_eq(chdir(lost), 0);
  ck_assert_int_eq(rmdir(lost), 0);
  request = said(CMOX_START(.cwd = NULL));
  ck_assert_uint_eq(request->cwd.len, 0);
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(closed_streams_do_not_become_the_link) {
  Cmdmox__V1__InvokeRequest *request =
      said(CMOX_START(.in = CMOX_RUN_CLOSED, .out = CMOX_RUN_CLOSED, .err = CMOX_RUN_CLOSED));
  ck_assert_uint_eq(request->tty_mask, 0);
  cmox_peer_free_invoke(request);
}
END_TEST

START_TEST(terminals_are_told) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert_int_ge(terminal, 0);
  ck_assert_int_eq(grantpt(terminal), 0);
  ck_assert_int_eq(unlockpt(terminal), 0);
  const int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert_int_ge(slave, 0);
  Cmdmox__V1__InvokeRequest *request = said(CMOX_START(.in = slave, .err = slave));
  ck_assert_uint_eq(request->tty_mask, 1 | 4);
  cmox_peer_free_invoke(request);
  close(slave);
  close(terminal);
}
END_TEST

START_TEST(two_calls_have_two_keys) {
  Cmdmox__V1__InvokeRequest *one = said(CMOX_START(.argv = NULL));
  Cmdmox__V1__InvokeRequest *two = said(CMOX_START(.argv = NULL));
  ck_assert_int_ne(memcmp(one->invocation_key.data, two->invocation_key.data, 16), 0);
  cmox_peer_free_invoke(one);
  cmox_peer_free_invoke(two);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {the_name_comes_from_the_path_and_not_from_argv,
                                a_command_may_be_called_with_probe,
                                arguments_arrive_byte_by_byte,
                                an_empty_argument_list_works,
                                the_environment_arrives_as_it_is,
                                an_empty_environment_works,
                                one_argument_may_be_as_long_as_the_kernel_allows,
                                two_mebibytes_of_arguments_arrive,
                                as_many_arguments_as_the_kernel_takes_arrive,
                                the_working_directory_and_its_absence_are_told,
                                closed_streams_do_not_become_the_link,
                                terminals_are_told,
                                two_calls_have_two_keys,
                                NULL};
  return cmox_check_main("call", tests);
}
