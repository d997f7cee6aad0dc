/* cmdmox serve: start an engine, then either serve stdin and stdout until the peer closes, or
 * listen until a signal asks for the end, the process that it is for has ended, or nobody has
 * needed it for long enough. Either way the engine removes its sockets and its directories.
 *
 * The engine's failures are one line on stderr and an exit status. */
#include <cmdmox/engine.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/program/guard.h"
#include "client/program/verbs.h"
#include "server/base/log.h"

static int report(cmox_code_t code, const char *error) {
  (void)fprintf(stderr, "cmdmox serve: %s\n", error);
  return cmox_code_exit_status(code);
}

static void *exit_when_over(void *context) {
  int number = 0;
  const cmox_end_t end = cmox_guard_wait(context, &number);
  /* What was registered with atexit() removes the directories. */
  exit(end == CMOX_END_SIGNAL ? 128 + number : 0);
}

static int serve_stdio(cmox_engine_t *engine, cmox_guard_t *guard) {
  pthread_t watcher;
  if (pthread_create(&watcher, NULL, exit_when_over, guard) != 0)
    return report(CMOX_E_NO_MEMORY, "cannot start a thread: out of memory");
  (void)pthread_detach(watcher);
  char error[512] = "";
  cmox_code_t code =
      cmox_engine_serve_fds(engine, STDIN_FILENO, STDOUT_FILENO, error, sizeof error);
  return code == CMOX_OK ? 0 : report(code, error);
}

static int serve_address(cmox_engine_t *engine, const cmox_guard_t *guard, const char *address) {
  char error[512] = "";
  cmox_code_t code = cmox_engine_listen(engine, address, error, sizeof error);
  if (code != CMOX_OK) return report(code, error);
  (void)printf("%s\n", address);
  int status = cmox_finish_output();
  if (status != 0) return status;
  int number = 0;
  (void)cmox_guard_wait(guard, &number);
  return 0;
}

static int serve(const char *address, cmox_guard_t *guard) {
  const cmox_engine_options_t options = {.size = sizeof options, .populated = cmox_guard_populated};
  char error[512] = "";
  cmox_engine_t *engine = NULL;
  cmox_code_t code = cmox_engine_start(&options, &engine, error, sizeof error);
  if (code != CMOX_OK) return report(code, error);
  int status = address ? serve_address(engine, guard, address) : serve_stdio(engine, guard);
  cmox_engine_stop(engine);
  return status;
}

int cmox_verb_serve(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  static cmox_guard_t guard = {.parent_fd = -1}; /* a thread may still look at it at the exit */
  const char *address = cmox_given(arguments, CMOX_SERVE_LISTEN);
  if (!address && !cmox_given(arguments, CMOX_SERVE_STDIO))
    return cmox_usage_error(verb, "say where to serve");
  if (!address && cmox_given(arguments, CMOX_SERVE_IDLE))
    return cmox_usage_error(verb, "--idle-timeout goes with --listen: stdin has its one client");
  uint64_t parent = 0;
  if (!cmox_given_seconds(verb, arguments, CMOX_SERVE_IDLE, &guard.idle_ms) ||
      !cmox_given_number(verb, arguments, CMOX_SERVE_PARENT, 1, INT32_MAX, 0, &parent))
    return CMOX_EXIT_USAGE;
  const char *log = cmox_given(arguments, CMOX_SERVE_LOG);
  cmox_error_t error;
  if (log && cmox_log_open(log, &error) != CMOX_OK) return report(error.code, error.message);
  if (!cmox_guard_begin(verb->name)) return cmox_code_exit_status(CMOX_E_IO);
  if (!cmox_guard_watch(&guard, verb->name, (pid_t)parent)) return CMOX_EXIT_USAGE;
  return serve(address, &guard);
}
