/* How the launcher finds its server, and what it says when it cannot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/peer.h"

/* The launcher reaches this stage's server. */
static void reaches(const cmox_stage_t *stage, const cmox_start_t *start) {
  cmox_run_t run;
  cmox_run_start(stage, start, &run);
  const int peer = cmox_peer_begin(stage);
  cmox_peer_exit(peer, 9);
  cmox_run_exited(&run, 9);
  close(peer);
  cmox_run_free(&run);
}

static void fails(const cmox_stage_t *stage, const cmox_start_t *start, const char *why) {
  cmox_run_t run;
  cmox_run_start(stage, start, &run);
  cmox_run_failed(&run, why);
}

static const char *variable(char out[256], const char *name, const char *value) {
  snprintf(out, 256, "%s=%s", name, value);
  return out;
}

START_TEST(the_file_beside_the_shim_is_used) {
  cmox_stage_t stage;
  char text[160];
  cmox_stage_open(&stage);
  cmox_stage_endpoint(&stage, "unix:priv/s\n");
  reaches(&stage, CMOX_START(.cwd = "/"));
  cmox_stage_endpoint(&stage, "priv/s");
  reaches(&stage, CMOX_START(.cwd = "/"));
  snprintf(text, sizeof text, "unix:%s", cmox_stage_path(&stage, "priv/s"));
  cmox_stage_endpoint(&stage, text);
  reaches(&stage, CMOX_START(.cwd = "/"));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_link_from_elsewhere_finds_the_same_file) {
  cmox_stage_t stage;
  cmox_stage_open(&stage);
  char target[160];
  snprintf(target, sizeof target, "%s", cmox_stage_path(&stage, "bin/git"));
  ck_assert_int_eq(symlink(target, cmox_stage_path(&stage, "git")), 0);
  reaches(&stage, CMOX_START(.program = "git"));
  /* Also where that elsewhere looks like a shim directory. */
  ck_assert_int_eq(mkdir(cmox_stage_path(&stage, "priv/bin"), 0700), 0);
  ck_assert_int_eq(symlink(target, cmox_stage_path(&stage, "priv/bin/git")), 0);
  reaches(&stage, CMOX_START(.program = "priv/bin/git"));
  unlink(cmox_stage_path(&stage, "priv/bin/git"));
  rmdir(cmox_stage_path(&stage, "priv/bin"));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_relative_path_to_the_shim_works) {
  cmox_stage_t stage;
  static const char *const programs[] = {"./bin/git", "bin/git", "bin/../bin//git"};
  cmox_stage_open(&stage);
  for (size_t i = 0; i < 3; i++)
    reaches(&stage, CMOX_START(.exact = programs[i], .cwd = stage.dir));
  reaches(&stage, CMOX_START(.exact = "./git", .cwd = cmox_stage_path(&stage, "bin")));
  reaches(&stage, CMOX_START(.exact = "git", .cwd = cmox_stage_path(&stage, "bin")));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(the_file_wins_over_the_variable) {
  cmox_stage_t stage;
  cmox_stage_open(&stage);
  const char *const environment[] = {"CMOX_IPC_SOCKET=unix:/nonexistent/s", NULL};
  reaches(&stage, CMOX_START(.environment = environment));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(the_variable_serves_where_there_is_no_file) {
  cmox_stage_t stage;
  char socket[256];
  cmox_stage_open(&stage);
  cmox_stage_endpoint(&stage, NULL);
  const char *const environment[] = {
      variable(socket, "CMOX_IPC_SOCKET", cmox_stage_path(&stage, "priv/s")), NULL};
  reaches(&stage, CMOX_START(.environment = environment));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_never_a_reason_to_ask_the_variable) {
  cmox_stage_t stage;
  char socket[256];
  cmox_stage_open(&stage);
  cmox_stage_endpoint(&stage, NULL);
  ck_assert_int_eq(mkdir(cmox_stage_path(&stage, "endpoint"), 0700), 0);
  const char *const environment[] = {
      variable(socket, "CMOX_IPC_SOCKET", cmox_stage_path(&stage, "priv/s")), NULL};
  fails(&stage, CMOX_START(.environment = environment), "cannot read /");
  rmdir(cmox_stage_path(&stage, "endpoint"));
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(no_endpoint_is_told) {
  cmox_stage_t stage;
  static const char *const unset[] = {"A=1", NULL};
  static const char *const empty[] = {"CMOX_IPC_SOCKET=", NULL};
  cmox_stage_open(&stage);
  cmox_stage_endpoint(&stage, NULL);
  fails(&stage, CMOX_START(.environment = unset), "no endpoint");
  fails(&stage, CMOX_START(.environment = empty), "no endpoint");
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(bad_addresses_are_told) {
  static const struct {
    const char *text, *why;
  } rows[] = {
      {"", "malformed address"},
      {"unix:", "malformed address"},
      {"tcp:host", "malformed address"},
      {"tcp:127.0.0.1:80", "unsupported address scheme"},
      {"pipe:name", "unsupported address scheme"},
      {"https://host/", "unsupported address scheme"},
  };
  cmox_stage_t stage;
  cmox_stage_open(&stage);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cmox_stage_endpoint(&stage, rows[i].text);
    fails(&stage, CMOX_START(.argv = NULL), rows[i].why);
  }
  cmox_stage_close(&stage);
}
END_TEST

/* 107 bytes are tried, 108 are refused, whichever way they come about; never are they cut. */
START_TEST(a_socket_path_is_never_cut) {
  cmox_stage_t stage;
  char path[300];
  cmox_stage_open(&stage);
  const size_t directory = strlen(stage.dir) + 1;
  for (size_t len = 106; len <= 200; len += len < 109 ? 1 : 91) {
    const char *why = len <= 107 ? "the session is over" : "path is too long";
    snprintf(path, sizeof path, "unix:/%0*d", (int)len - 1, 0);
    cmox_stage_endpoint(&stage, path);
    fails(&stage, CMOX_START(.argv = NULL), why);
    snprintf(path, sizeof path, "unix:%0*d", (int)(len - directory), 0);
    cmox_stage_endpoint(&stage, path);
    fails(&stage, CMOX_START(.argv = NULL), why);
  }
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_session_that_is_over_is_told) {
  cmox_stage_t stage;
  char why[256];
  cmox_stage_open(&stage);
  cmox_stage_unlisten(&stage); /* the socket file is still there */
  snprintf(why, sizeof why,
           "the session is over or was never started: connect %s: Connection refused",
           cmox_stage_path(&stage, "priv/s"));
  fails(&stage, CMOX_START(.argv = NULL), why);
  unlink(cmox_stage_path(&stage, "priv/s"));
  snprintf(why, sizeof why,
           "the session is over or was never started: connect %s: No such file or directory",
           cmox_stage_path(&stage, "priv/s"));
  fails(&stage, CMOX_START(.argv = NULL), why);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(timeouts_are_checked) {
  static const char *const bad[] = {"",   "0",  "0.0", "-1", "+1",   "1e3",  "nan",   "inf",
                                    "5s", " 5", "1,5", ".",  "NONE", "0x10", "86401", "1.2.3"};
  static const char *const good[] = {"none", "5", "0.5", ".5", "5.", "86400"};
  cmox_stage_t stage;
  char text[256], why[64];
  const char *environment[] = {text, NULL};
  cmox_stage_open(&stage);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    variable(text, "CMOX_IPC_TIMEOUT", bad[i]);
    snprintf(why, sizeof why, "invalid CMOX_IPC_TIMEOUT '%s'", bad[i]);
    fails(&stage, CMOX_START(.environment = environment), why);
  }
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    variable(text, "CMOX_IPC_TIMEOUT", good[i]);
    reaches(&stage, CMOX_START(.environment = environment));
  }
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_bad_timeout_is_shown_short_and_printable) {
  cmox_stage_t stage;
  char text[256];
  const char *environment[] = {text, NULL};
  cmox_stage_open(&stage);
  variable(text, "CMOX_IPC_TIMEOUT", "0123456789\n\033[31m6789012345678901234567890123456789");
  fails(&stage, CMOX_START(.environment = environment),
        "'0123456789??[31m678901234567890123456789'");
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(hello_states_the_silence_it_bears) {
  static const struct {
    const char *text;
    uint32_t ms;
  } rows[] = {{"CMOX_IPC_TIMEOUT=2.5", 2500}, {"CMOX_IPC_TIMEOUT=none", 0}, {"A=1", 5000}};
  cmox_stage_t stage;
  cmox_stage_open(&stage);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *const environment[] = {rows[i].text, NULL};
    cmox_run_t run;
    cmox_run_start(&stage, CMOX_START(.environment = environment), &run);
    const int peer = cmox_peer_accept(&stage);
    cmox_pb_frame_t *frame = cmox_peer_read(peer);
    ck_assert_uint_eq(frame->hello->silence_ms, rows[i].ms);
    cmox_peer_free(frame);
    cmox_peer_welcome(peer);
    cmox_peer_exit(peer, 0);
    cmox_run_exited(&run, 0);
    close(peer);
    cmox_run_free(&run);
  }
  cmox_stage_close(&stage);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {the_file_beside_the_shim_is_used,
                                a_link_from_elsewhere_finds_the_same_file,
                                a_relative_path_to_the_shim_works,
                                the_file_wins_over_the_variable,
                                the_variable_serves_where_there_is_no_file,
                                a_file_that_cannot_be_read_is_never_a_reason_to_ask_the_variable,
                                no_endpoint_is_told,
                                bad_addresses_are_told,
                                a_socket_path_is_never_cut,
                                a_session_that_is_over_is_told,
                                timeouts_are_checked,
                                a_bad_timeout_is_shown_short_and_printable,
                                hello_states_the_silence_it_bears,
                                NULL};
  return cmox_check_main("endpoint", tests);
}
