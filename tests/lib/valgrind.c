#include "tests/lib/valgrind.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *program_name(void) { return getenv("CMDMOX_TEST_VALGRIND"); }

bool cmox_valgrind_wanted(void) { return program_name() != NULL; }

int cmox_valgrind_slowness(void) { return cmox_valgrind_wanted() ? 20 : 1; }

void cmox_valgrind_exec(const char *program, const char *const *argv,
                        const char *const *environment, const char *log) {
  char log_option[128];
  char beside[160]; /* a bare name is looked for on PATH by valgrind, and in cwd by execve */
  size_t count = 0;
  (void)snprintf(log_option, sizeof log_option, "--log-file=%s", log);
  (void)snprintf(beside, sizeof beside, "%s%s", strchr(program, '/') ? "" : "./", program);
  const char *const options[] = {
      program_name(), "-q", "--leak-check=full", "--show-leak-kinds=all", log_option, "--", beside};
  enum { OPTIONS = sizeof options / sizeof *options };
  while (argv[count]) count++;
  const char **all = calloc(OPTIONS + count + 1, sizeof *all);
  if (!all) return;
  for (size_t i = 0; i < OPTIONS; i++) all[i] = options[i];
  for (size_t i = 1; i < count; i++) all[OPTIONS + i - 1] = argv[i];
  /* Dead by a signal, it writes a core of its own beside the log, whatever the launcher asked for.
   */
  (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  execve(options[0], (char *const *)(uintptr_t)all, (char *const *)(uintptr_t)environment);
}

void cmox_valgrind_judge(const char *log) {
  char text[4096] = "";
  FILE *file = fopen(log, "r");
  ck_assert_msg(file != NULL, "valgrind has not written %s", log);
  const size_t len = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  unlink(log);
  ck_assert_msg(len == 0, "valgrind says:\n%s", text);
}
