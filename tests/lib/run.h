/* Runs a program to its end and keeps what it wrote. */
#ifndef CMOX_TESTS_RUN_H
#define CMOX_TESTS_RUN_H

#include <stddef.h>

typedef struct run {
  int exit_code; /* -1: ended by a signal */
  int signal;    /* 0: none */
  char *out;     /* NUL behind */
  size_t out_len;
  char *err;
  size_t err_len;
} run_t;

/* argv[0] is looked up on PATH; input NULL: /dev/null; envp NULL: this process's. Fails the test
 * when the program cannot be started. To be ended with run_clear(). */
run_t run_program(const char *const *argv, const char *input, size_t input_len, char *const *envp);
#define RUN(...) run_program((const char *const[]){__VA_ARGS__, NULL}, NULL, 0, NULL)
/* A line of shell, in this process's environment. */
#define RUN_SHELL(line) RUN("/bin/sh", "-c", (line))
/* Runs body in a child of fork(), whose exit status is what it returns; only stderr is kept. */
run_t run_child(int (*body)(void));
void run_clear(run_t *run);
/* Unused: Clang sees no use in the cleanup, and a run may be wanted only for its calls. */
#define SCOPED_RUN __attribute__((cleanup(run_clear), unused)) run_t

#endif
