/* The shim directory and the launcher's process; the conversation is in peer.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/peer.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/valgrind.h"

const char *cmox_stage_path(const cmox_stage_t *stage, const char *below) {
  static char path[160];
  snprintf(path, sizeof path, "%s/%s", stage->dir, below);
  return path;
}

void cmox_stage_copy(const char *from, const char *to) {
  char block[65536];
  const int in = open(from, O_RDONLY | O_CLOEXEC);
  const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  ck_assert_msg(in >= 0 && out >= 0, "copy %s: %s", from, strerror(errno));
  for (ssize_t got; (got = read(in, block, sizeof block)) > 0;)
    ck_assert_int_eq(write(out, block, (size_t)got), got);
  close(in);
  close(out);
}

void cmox_stage_endpoint(const cmox_stage_t *stage, const char *text) {
  const char *path = cmox_stage_path(stage, "endpoint");
  unlink(path);
  if (!text) return;
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  ck_assert_int_eq(fclose(file), 0);
}

void cmox_stage_open(cmox_stage_t *stage) {
  const char *shim = getenv("CMDMOX_TEST_SHIM");
  ck_assert_msg(shim != NULL, "CMDMOX_TEST_SHIM names no launcher");
  scratch_directory(stage->dir, sizeof stage->dir);
  ck_assert_int_eq(mkdir(cmox_stage_path(stage, "bin"), 0711), 0);
  ck_assert_int_eq(mkdir(cmox_stage_path(stage, "priv"), 0700), 0);
  if (link(shim, cmox_stage_path(stage, "cmdmox-shim")) != 0)
    cmox_stage_copy(shim, cmox_stage_path(stage, "cmdmox-shim"));
  ck_assert_int_eq(symlink("../cmdmox-shim", cmox_stage_path(stage, "bin/git")), 0);
  cmox_stage_endpoint(stage, "unix:priv/s");

  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/priv/s", stage->dir);
  stage->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(stage->listener, (struct sockaddr *)&address, sizeof address), 0);
  ck_assert_int_eq(listen(stage->listener, 16), 0);
}

void cmox_stage_unlisten(cmox_stage_t *stage) {
  if (stage->listener >= 0) close(stage->listener);
  stage->listener = -1;
}

void cmox_stage_close(cmox_stage_t *stage) {
  static const char *const files[] = {"bin/git", "priv/s", "cmdmox-shim", "endpoint", "git"};
  static const char *const directories[] = {"bin", "priv", ""};
  cmox_stage_unlisten(stage);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    unlink(cmox_stage_path(stage, files[i]));
  for (size_t i = 0; i < 3; i++) rmdir(cmox_stage_path(stage, directories[i]));
}

/* In the child: puts fd where it belongs, or nothing there. */
static void place(int fd, int at) {
  if (fd == CMOX_RUN_CLOSED)
    close(at);
  else
    dup2(fd, at);
}

_Noreturn static void become(const cmox_stage_t *stage, const cmox_start_t *start, int in, int out,
                             int err, const char *log) {
  static const char *const default_argv[] = {"git", NULL};
  static const char *const default_environment[] = {"CMOX_IPC_TIMEOUT=10", NULL};
  char program_path[160];
  snprintf(program_path, sizeof program_path, "%s/%s", stage->dir,
           start->program ? start->program : "bin/git");
  const char *program = start->exact ? start->exact : program_path;
  signal(SIGPIPE, start->ignore_pipe ? SIG_IGN : SIG_DFL);
  if (start->cwd && chdir(start->cwd) != 0) _exit(99);
  const struct rlimit memory = {start->memory, start->memory};
  if (start->memory > 0 && setrlimit(RLIMIT_AS, &memory) != 0) _exit(97);
  place(in, 0);
  place(out, 1);
  place(err, 2);
  const char *const *argv = start->argv ? start->argv : default_argv;
  const char *const *environment = start->environment ? start->environment : default_environment;
  if (*log)
    cmox_valgrind_exec(program, argv, environment, log);
  else
    execve(program, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
  _exit(98);
}

bool cmox_run_is_static(void) {
  const char *shim = getenv("CMDMOX_TEST_SHIM");
  return shim && strstr(shim, "host") == NULL;
}

void cmox_run_start(const cmox_stage_t *stage, const cmox_start_t *start, cmox_run_t *run) {
  *run = (cmox_run_t){.out_file = -1, .err_file = -1};
  if (start->out == CMOX_RUN_MEMORY) run->out_file = memfd_create("stdout", MFD_CLOEXEC);
  if (start->err == CMOX_RUN_MEMORY) run->err_file = memfd_create("stderr", MFD_CLOEXEC);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int in = start->in == CMOX_RUN_MEMORY ? null : start->in;
  const int out = start->out == CMOX_RUN_MEMORY ? run->out_file : start->out;
  const int err = start->err == CMOX_RUN_MEMORY ? run->err_file : start->err;
  static unsigned number;
  if (cmox_valgrind_wanted())
    snprintf(run->log, sizeof run->log, "%s/valgrind.%u", stage->dir, number++);
  run->pid = fork();
  ck_assert_int_ge(run->pid, 0);
  if (run->pid == 0) become(stage, start, in, out, err, run->log);
  close(null);
}

static char *slurp(int *fd, size_t *len) {
  struct stat info;
  if (*fd < 0) return calloc(1, 1);
  ck_assert_int_eq(fstat(*fd, &info), 0);
  *len = (size_t)info.st_size;
  char *text = calloc(1, *len + 1);
  ck_assert_int_eq(pread(*fd, text, *len, 0), (ssize_t)*len);
  close(*fd);
  *fd = -1;
  return text;
}

void cmox_run_finish(cmox_run_t *run) {
  ck_assert_int_eq(waitpid(run->pid, &run->status, 0), run->pid);
  run->out = slurp(&run->out_file, &run->out_len);
  run->err = slurp(&run->err_file, &run->err_len);
  if (*run->log) cmox_valgrind_judge(run->log);
}

void cmox_run_free(cmox_run_t *run) {
  free(run->out);
  free(run->err);
}

void cmox_run_exited(cmox_run_t *run, int status) {
  cmox_run_finish(run);
  ck_assert_msg(WIFEXITED(run->status) && WEXITSTATUS(run->status) == status,
                "wait status %#x instead of exit %d; stderr: %s", (unsigned)run->status, status,
                run->err);
}

void cmox_run_failed(cmox_run_t *run, const char *why) {
  cmox_run_exited(run, 125);
  ck_assert_msg(strncmp(run->err, "cmdmox: git: ", 13) == 0, "not our line: %s", run->err);
  ck_assert_msg(strstr(run->err, why) != NULL, "'%s' is not in: %s", why, run->err);
  ck_assert_msg(strchr(run->err, '\n') == run->err + run->err_len - 1, "not one line: %s",
                run->err);
  ck_assert_uint_eq(run->out_len, 0);
  cmox_run_free(run);
}

int cmox_check_main(const char *name, const TTest *const *tests) {
  Suite *suite = suite_create(name);
  TCase *tcase = tcase_create(name);
  tcase_set_timeout(tcase, 60 * cmox_valgrind_slowness());
  for (; *tests; tests++) tcase_add_test(tcase, *tests);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
