#include "tests/lib/held.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/broken.h"
#include "tests/lib/served.h"

#define LINE "held\n"
#define GATE "gate"
#define COMMAND "bench-command"

extern char **environ;

typedef struct held {
  unsigned count;
  served_t server;
  served_session_t session;
  bool *seen;
  unsigned ended;
  int out; /* the common stdout */
} held_t;

void environment_fill(unsigned bytes) {
  enum { VALUE = 100, ENTRY = sizeof "FILLER_00=" + VALUE };
  char value[VALUE + 1];
  unsigned have = 0;
  memset(value, 'v', VALUE);
  value[VALUE] = '\0';
  for (char **entry = environ; *entry; entry++) have += (unsigned)strlen(*entry) + 1;
  for (unsigned i = 0; have + ENTRY < bytes; i++, have += ENTRY) {
    char name[16];
    (void)snprintf(name, sizeof name, "FILLER_%02u", i);
    if (setenv(name, value, 1) != 0) broken("cannot set the environment");
  }
}

static void start_shims(held_t *held) {
  held->out = nameless_file();
  for (unsigned i = 0; i < held->count; i++)
    (void)served_spawn(&held->session, COMMAND, i, "60", held->out, -1);
}

/* Takes the shims that have ended; before the gate opens there must be none. */
static void reap(held_t *held, int options, bool may_end) {
  for (int status; held->ended < held->count;) {
    pid_t pid = waitpid(-1, &status, options);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) broken("waitpid: %s", strerror(errno));
    if (pid == 0) return;
    if (pid == held->server.pid) broken("the server ended with wait status %#x", (unsigned)status);
    if (!may_end || status != 0)
      broken("a shim ended %s, with wait status %#x", may_end ? "badly" : "before the gate opened",
             (unsigned)status);
    held->ended++;
  }
}

static void await_all(held_t *held) {
  double deadline = now_us() + SERVED_PATIENCE_MS * 1000.0;
  for (uint64_t count = 0; count < held->count;) {
    count = served_count(&held->session);
    reap(held, WNOHANG, false);
    if (count > held->count || now_us() > deadline)
      broken("%u shims run, the server has %llu calls", held->count, (unsigned long long)count);
    if (count < held->count) (void)poll(NULL, 0, 5);
  }
}

static void release(held_t *held) {
  uint64_t released = served_release(&held->session, GATE);
  if (released != held->count)
    broken("%u shims were held, %llu released", held->count, (unsigned long long)released);
  reap(held, 0, true);
}

static void check_output(const held_t *held) {
  enum { WIDTH = sizeof LINE - 1 };
  struct stat info;
  if (fstat(held->out, &info) != 0 || (uint64_t)info.st_size != (uint64_t)held->count * WIDTH)
    broken("the shims wrote %lld bytes instead of %llu", (long long)info.st_size,
           (unsigned long long)held->count * WIDTH);
  char line[WIDTH];
  for (unsigned i = 0; i < held->count; i++)
    if (pread(held->out, line, WIDTH, (off_t)i * WIDTH) != WIDTH || memcmp(line, LINE, WIDTH) != 0)
      broken("line %u of the shims' output is wrong", i + 1);
}

static void check_invocation(const Cmdmox__V1__Invocation *call, void *user) {
  const held_t *held = user;
  char text[32] = "";
  if (call->n_argv == 2 && call->argv[1].len < sizeof text)
    memcpy(text, call->argv[1].data, call->argv[1].len);
  unsigned long number = strtoul(text, NULL, 10);
  if (!text[0] || number >= held->count || held->seen[number])
    broken("the journal has call '%s' twice, or should not have it", text);
  held->seen[number] = true;
  if (call->state != CMDMOX__V1__CALL_STATE__CALL_STATE_COMPLETED ||
      call->stdout_written != sizeof LINE - 1)
    broken("call %lu is not completed in the journal", number);
}

static void check_journal(held_t *held) {
  served_verify(&held->session);
  held->seen = calloc(held->count, sizeof *held->seen);
  if (!held->seen) broken("out of memory");
  const size_t listed = served_journal(&held->session, check_invocation, held);
  free(held->seen);
  if (listed != held->count) broken("%u calls, %zu in the journal", held->count, listed);
}

static double available_kib(void) {
  FILE *file = fopen("/proc/meminfo", "re");
  char line[256];
  double found = -1;
  static const char name[] = "MemAvailable:";
  while (file && found < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, name, sizeof name - 1) == 0) found = strtod(line + sizeof name - 1, NULL);
  if (file) (void)fclose(file);
  if (found < 0) broken("/proc/meminfo has no %s", name);
  return found;
}

static void check_descriptors(unsigned count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < count + 64)
    broken("%u shims need a descriptor each in the server; the hard limit is %llu", count,
           (unsigned long long)limit.rlim_max);
}

held_figures_t hold_shims(const char *program, unsigned count) {
  held_t held = {.count = count};
  held_figures_t figures;
  check_descriptors(count);
  served_start(&held.server, program, 0);
  served_session_open(&held.session, &held.server);
  served_stub(&held.session, COMMAND, &(served_answer_t){.out = LINE, .gate = GATE});
  served_replay(&held.session);
  double available = available_kib();
  double start = now_us();
  start_shims(&held);
  await_all(&held);
  figures.arrival_us = (now_us() - start) / count;
  figures.system_kib = (available - available_kib()) / count;
  start = now_us();
  release(&held);
  figures.departure_us = (now_us() - start) / count;
  figures.peak_mib = served_mib(&held.server, "VmHWM:");
  check_output(&held);
  check_journal(&held);
  served_session_free(&held.session);
  served_stop(&held.server);
  (void)close(held.out);
  return figures;
}
