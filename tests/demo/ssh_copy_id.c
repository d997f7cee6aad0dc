/* The demo: tests the system's own ssh-copy-id, a shell program of some 300 lines
 * that installs a public key on another machine, without any network.
 *
 * It calls ssh three times: to ask the server for its version, to see whether the
 * key is known already, and to append it over stdin. All three are mocked here.
 * Then the same again with one wrong expectation, to show how a failure reads. */
#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST "demo@server.example"
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDemoDemoDemoDemoDemoDemoDemoDemoDemo demo@laptop"

typedef struct home {
  char path[64];
  char key[96]; /* path of the private key */
} home_t;

static void fail(const char *what) {
  fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file || fputs(text, file) < 0 || fclose(file)) fail(path);
}

/* A home directory with one key pair; nobody looks into the private half. */
static void make_home(home_t *home) {
  char path[128];
  strcpy(home->path, "/tmp/demo-home-XXXXXX");
  if (!mkdtemp(home->path)) fail(home->path);
  (void)snprintf(path, sizeof path, "%s/.ssh", home->path);
  if (mkdir(path, 0700)) fail(path);
  (void)snprintf(home->key, sizeof home->key, "%s/.ssh/id_demo", home->path);
  (void)snprintf(path, sizeof path, "%s.pub", home->key);
  write_file(path, KEY "\n");
  write_file(home->key, "not a key\n");
  if (setenv("HOME", home->path, 1) || unsetenv("SSH_AUTH_SOCK")) fail("environment");
}

static void remove_home(const home_t *home) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s.pub", home->key);
  (void)unlink(path);
  (void)unlink(home->key);
  (void)snprintf(path, sizeof path, "%s/.ssh", home->path);
  (void)rmdir(path);
  (void)rmdir(home->path);
}

/* What ssh is expected to be called with, and what it answers. */
static void declare(cmox_t *mox, const home_t *home, const char *install_host) {
  cmox_double_t *version = cmox_mock(mox, "ssh");
  cmox_with_args(version, "-a", "-x", "-v", "-o", "PreferredAuthentications=,", "-o",
                 "ControlPath=none", HOST);
  cmox_returns(version, .exit_code = 255,
               .err = "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n");

  cmox_double_t *login = cmox_mock(mox, "ssh");
  cmox_with_args(login, "-a", "-x", "-i", home->key, "-o", "ControlPath=none", "-o",
                 "LogLevel=INFO", "-o", "PreferredAuthentications=publickey", "-o",
                 "IdentitiesOnly=yes", HOST, "exit");
  cmox_returns(login, .exit_code = 255, .err = HOST ": Permission denied (publickey).\n");

  cmox_double_t *install = cmox_mock(mox, "ssh");
  cmox_with_matching_args(install, CMOX_EQ("-a"), CMOX_EQ("-x"), CMOX_EQ(install_host),
                          CMOX_CONTAINS("cat >> \".ssh/authorized_keys\""));
  cmox_with_stdin(install, KEY "\n");
}

static int run_ssh_copy_id(const home_t *home) {
  char command[256];
  (void)snprintf(command, sizeof command, "ssh-copy-id -i %s " HOST " 2>&1 | sed 's/^/    | /'",
                 home->key);
  fflush(stdout);
  return system(command);
}

static void show_calls(cmox_t *mox) {
  cmox_invocations_t *calls = cmox_journal(mox);
  for (size_t i = 0; i < calls->count; i++) {
    const cmox_invocation_t *call = &calls->items[i];
    double ms = (double)(call->end_ns - call->start_ns) / 1e6;
    printf("    call %llu: %s, %zu arguments, exit %d, stdin %s, %.2f ms\n",
           (unsigned long long)call->id, call->command.data, call->argc - 1, call->exit_code,
           call->stdin_captured ? "checked" : "left alone", ms);
  }
  cmox_invocations_free(calls);
}

static cmox_code_t run_test(const home_t *home, const char *install_host) {
  cmox_t *mox = cmox_new(NULL);
  declare(mox, home, install_host);
  cmox_code_t code = cmox_replay(mox);
  if (code != CMOX_OK) {
    printf("%s\n", cmox_message(mox));
    cmox_free(mox);
    return code;
  }
  printf("\n  ssh-copy-id says:\n");
  (void)run_ssh_copy_id(home);
  printf("\n  cmdmox saw:\n");
  show_calls(mox);
  code = cmox_verify(mox);
  if (code == CMOX_OK)
    printf("\n  verified: exactly the three expected calls, and the key on stdin\n");
  else
    printf("\n%s\n", cmox_message(mox));
  cmox_free(mox);
  return code;
}

int main(void) {
  home_t home;
  make_home(&home);
  printf("1. ssh-copy-id against a mocked ssh\n");
  cmox_code_t right = run_test(&home, HOST);
  printf("\n2. The same with one wrong expectation: the key is to go to root@server.example\n");
  cmox_code_t wrong = run_test(&home, "root@server.example");
  remove_home(&home);
  bool fine = right == CMOX_OK && wrong == CMOX_E_VERIFICATION_FAILED;
  printf("%s\n", fine ? "demo: the first run passed and the second one failed, as they should"
                      : "demo: this is not what should have happened");
  return fine ? 0 : 1;
}
