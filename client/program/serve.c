/* cmdmox serve: raise the descriptor limit, start an engine, then either serve stdin
 * and stdout until the peer closes, or listen until a signal asks for the end.
 *
 * Signals that end a process are blocked and waited for, so that the engine can remove its sockets
 * and its directories. The engine's failures are one line on stderr and an exit status. */
#include <cmdmox/engine.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/program/verbs.h"

static int report(cmox_code_t code, const char *error) {
  (void)fprintf(stderr, "cmdmox serve: %s\n", error);
  return cmox_code_exit_status(code);
}

/* One descriptor per held call. Only this program does that: children inherit the limit. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* A core of this program would hold the environment and the arguments of every call. */
static void leave_no_core(void) {
  const struct rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  /* A core_pattern that is a pipe does not ask for the limit, but it gets no memory (Linux). */
  FILE *filter = fopen("/proc/self/coredump_filter", "we");
  if (!filter) return;
  (void)fputs("0", filter);
  (void)fclose(filter);
}

static sigset_t ending_signals(void) {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  return set;
}

static void *exit_on_signal(void *unused) {
  (void)unused;
  sigset_t set = ending_signals();
  int number = 0;
  (void)sigwait(&set, &number);
  exit(128 + number); /* what was registered with atexit() removes the directories */
}

static int serve_stdio(cmox_engine_t *engine) {
  pthread_t watcher;
  if (pthread_create(&watcher, NULL, exit_on_signal, NULL) != 0)
    return report(CMOX_E_NO_MEMORY, "cannot start a thread: out of memory");
  (void)pthread_detach(watcher);
  char error[512] = "";
  cmox_code_t code =
      cmox_engine_serve_fds(engine, STDIN_FILENO, STDOUT_FILENO, error, sizeof error);
  return code == CMOX_OK ? 0 : report(code, error);
}

static int serve_address(cmox_engine_t *engine, const char *address) {
  char error[512] = "";
  cmox_code_t code = cmox_engine_listen(engine, address, error, sizeof error);
  if (code != CMOX_OK) return report(code, error);
  (void)printf("%s\n", address);
  int status = cmox_finish_output();
  if (status != 0) return status;
  sigset_t set = ending_signals();
  int number = 0;
  (void)sigwait(&set, &number);
  return 0;
}

int cmox_verb_serve(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  const char *address = cmox_given(arguments, CMOX_SERVE_LISTEN);
  if (!address && !cmox_given(arguments, CMOX_SERVE_STDIO))
    return cmox_usage_error(verb, "say where to serve");
  sigset_t set = ending_signals();
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
  (void)signal(SIGPIPE, SIG_IGN); /* a reader of stdout that is gone is an error, not the end */
  raise_descriptor_limit();
  leave_no_core();
  char error[512] = "";
  cmox_engine_t *engine = NULL;
  cmox_code_t code = cmox_engine_start(NULL, &engine, error, sizeof error);
  if (code != CMOX_OK) return report(code, error);
  int status = address ? serve_address(engine, address) : serve_stdio(engine);
  cmox_engine_stop(engine);
  return status;
}
