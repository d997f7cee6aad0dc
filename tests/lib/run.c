#include "tests/lib/run.h"

#include <check.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static FILE *scratch(const char *data, size_t len) {
  FILE *file = tmpfile();
  ck_assert_ptr_nonnull(file);
  if (len) ck_assert_uint_eq(fwrite(data, 1, len, file), len);
  ck_assert_int_eq(fflush(file), 0);
  rewind(file);
  return file;
}

static char *slurp(FILE *file, size_t *len) {
  ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
  *len = (size_t)ftell(file);
  rewind(file);
  char *data = malloc(*len + 1);
  ck_assert_ptr_nonnull(data);
  ck_assert_uint_eq(fread(data, 1, *len, file), *len);
  data[*len] = '\0';
  (void)fclose(file);
  return data;
}

run_t run_program(const char *const *argv, const char *input, size_t input_len, char *const *envp) {
  FILE *in = input ? scratch(input, input_len) : fopen("/dev/null", "r");
  FILE *out = scratch(NULL, 0);
  FILE *err = scratch(NULL, 0);
  posix_spawn_file_actions_t actions;
  ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
  ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, fileno(in), 0), 0);
  ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, fileno(out), 1), 0);
  ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, fileno(err), 2), 0);
  pid_t child;
  int failed = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(void *)argv,
                            envp ? envp : environ);
  ck_assert_msg(!failed, "%s: %s", argv[0], strerror(failed));
  (void)posix_spawn_file_actions_destroy(&actions);
  (void)fclose(in);
  int status;
  while (waitpid(child, &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
  run_t run = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
               .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  run.out = slurp(out, &run.out_len);
  run.err = slurp(err, &run.err_len);
  return run;
}

run_t run_child(int (*body)(void)) {
  FILE *err = scratch(NULL, 0);
  pid_t child = fork();
  if (child == 0) {
    (void)dup2(fileno(err), 2);
    exit(body());
  }
  int status;
  while (waitpid(child, &status, 0) < 0) ck_assert_int_eq(errno, EINTR);
  run_t run = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
  run.err = slurp(err, &run.err_len);
  return run;
}

void run_clear(run_t *run) {
  free(run->out);
  free(run->err);
  *run = (run_t){0};
}
