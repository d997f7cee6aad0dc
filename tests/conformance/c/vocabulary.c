/* The handlers and predicates that every runner has. They run on threads of the library's. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/c/stage.h"

/* What hangs does so until the scenario ends. */
static sem_t ending;

__attribute__((constructor)) static void begin(void) { (void)sem_init(&ending, 0, 0); }

void vocabulary_let_go(void) { (void)sem_post(&ending); }

static void hang(void) {
  while (sem_wait(&ending) != 0) continue;
  (void)sem_post(&ending); /* there may be others */
}

static void on_echo_args(cmox_handling_t *call, void *context) {
  (void)context;
  const cmox_invocation_t *what = cmox_handled_call(call);
  size_t len = 0;
  for (size_t i = 1; i < what->argc; i++) len += what->argv[i].len + 1;
  char *out = malloc(len + 1), *at = out;
  if (!out) return cmox_handler_fails(call, "out of memory");
  for (size_t i = 1; i < what->argc; i++) {
    memcpy(at, what->argv[i].data, what->argv[i].len);
    at += what->argv[i].len;
    *at++ = '\n';
  }
  *at = '\0';
  cmox_replies(call, .out = out, .out_len = len);
  free(out);
}

static void on_echo_stdin(cmox_handling_t *call, void *context) {
  (void)context;
  const cmox_bytes_t input = cmox_handled_call(call)->stdin_data;
  cmox_replies(call, .out = input.data, .out_len = input.len);
}

static void on_echo_env(cmox_handling_t *call, void *context) {
  const words_t *words = context;
  const char *value = cmox_invocation_env(cmox_handled_call(call), words->items[1]);
  cmox_replies(call, .out = value ? value : "(not set)");
}

static void on_answer(cmox_handling_t *call, void *context) {
  const words_t *words = context;
  cmox_replies(call, .out = words->items[1], .err = words->items[2],
               .exit_code = (int)strtol(words->items[3], NULL, 10));
}

static void on_fail(cmox_handling_t *call, void *context) {
  const words_t *words = context;
  cmox_handler_fails(call, "%s", words->items[1]);
}

static void on_hang(cmox_handling_t *call, void *context) {
  (void)context;
  hang();
  cmox_replies(call, .out = "too late\n");
}

static void on_nonsense(cmox_handling_t *call, void *context) {
  (void)context;
  cmox_replies(call, .exit_code = 256);
}

/* The command's output is the handler's; arguments are plain words here. */
static void on_run(cmox_handling_t *call, void *context) {
  const words_t *words = context;
  char line[256] = "", out[256];
  for (size_t i = 1, len = 0; i < words->count && len < sizeof line; i++)
    len += (size_t)snprintf(line + len, sizeof line - len, "%s ", words->items[i]);
  FILE *stream = popen(line, "r");
  if (!stream) return cmox_handler_fails(call, "popen failed");
  const size_t len = fread(out, 1, sizeof out - 1, stream);
  out[len] = '\0';
  if (pclose(stream) != 0) return cmox_handler_fails(call, "%s failed", line);
  cmox_replies(call, .out = out, .out_len = len);
}

cmox_handler_t handler_of(stage_t *stage, const char *name) {
  static const struct {
    const char *name;
    cmox_handler_t run;
  } handlers[] = {{"echo-args", on_echo_args}, {"echo-stdin", on_echo_stdin},
                  {"echo-env", on_echo_env},   {"answer", on_answer},
                  {"fail", on_fail},           {"hang", on_hang},
                  {"nonsense", on_nonsense},   {"run", on_run}};
  for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
    if (strcmp(handlers[i].name, name) == 0) return handlers[i].run;
  stage_fail(stage, "no such handler: %s", name);
}

static bool is_even(cmox_bytes_t value, void *context) {
  (void)context;
  return value.len && strchr("02468", value.data[value.len - 1]);
}

static bool has_an_ff(cmox_bytes_t value, void *context) {
  (void)context;
  return value.len && memchr(value.data, 0xff, value.len);
}

static bool hangs(cmox_bytes_t value, void *context) {
  (void)value;
  (void)context;
  hang();
  return true;
}

cmox_predicate_t predicate_of(stage_t *stage, const char *name) {
  if (strcmp(name, "is-even") == 0) return is_even;
  if (strcmp(name, "has-an-ff") == 0) return has_an_ff;
  if (strcmp(name, "hangs") == 0) return hangs;
  stage_fail(stage, "no such predicate: %s", name);
}
