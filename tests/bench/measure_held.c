/* Many shims held at once.
 *
 * A server (cmdmox serve --stdio), a stub behind a gate, as many shims as asked for, each with an
 * environment of its own of about 4 KiB. When the server counts them all the gate opens. Then each
 * must have ended with status 0, the common stdout holds each one's line, and the journal
 * has each of them once, completed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/control.h"
#include "cmdmox/v1/control.pb-c.h"
#include "server/base/alloc.h"
#include "server/wire/wire.h"
#include "tests/bench/bench.h"

#define LINE "held\n"
enum { PATIENCE_MS = 120000, PAGE = 500 };

typedef struct held {
  unsigned count;
  pid_t server;
  cmox_control_t rpc;
  ProtobufCBinaryData session;
  ProtobufCMessage *created;
  char shim[4096];
  pid_t *shims;
  unsigned ended;
  int out; /* the common stdout, a file without a name */
} held_t;

static void start_server(held_t *held) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    bench_broken("socketpair: %s", strerror(errno));
  posix_spawn_file_actions_t files;
  (void)posix_spawn_file_actions_init(&files);
  (void)posix_spawn_file_actions_adddup2(&files, pair[1], STDIN_FILENO);
  (void)posix_spawn_file_actions_adddup2(&files, pair[1], STDOUT_FILENO);
  char *const argv[] = {(char[]){"cmdmox"}, (char[]){"serve"}, (char[]){"--stdio"}, NULL};
  int failed = posix_spawn(&held->server, CMOX_BENCH_PROGRAM, &files, NULL, argv, environ);
  (void)posix_spawn_file_actions_destroy(&files);
  if (failed) bench_broken("%s: %s", CMOX_BENCH_PROGRAM, strerror(failed));
  (void)close(pair[1]);
  cmox_control_open(&held->rpc, pair[0], PATIENCE_MS);
}

static ProtobufCMessage *ask(held_t *held, const char *method, const ProtobufCMessage *request) {
  ProtobufCMessage *response;
  cmox_error_t error;
  if (cmox_control_call(&held->rpc, method, request, &response, &error) != CMOX_OK)
    bench_broken("%s: %s", method, error.message);
  return response;
}

static void tell(held_t *held, const char *method, const ProtobufCMessage *request) {
  cmox_wire_free(ask(held, method, request));
}

static ProtobufCBinaryData bytes(const char *text) {
  return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static void declare(held_t *held) {
  Cmdmox__V1__CreateSessionRequest create = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  held->created = ask(held, "CreateSession", &create.base);
  const Cmdmox__V1__CreateSessionResponse *created =
      (const Cmdmox__V1__CreateSessionResponse *)held->created;
  held->session = created->session_id;
  (void)snprintf(held->shim, sizeof held->shim, "%.*s/bench-command",
                 (int)created->shim_directory.len, (const char *)created->shim_directory.data);

  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.stdout_data = bytes(LINE);
  Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
  action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  action.reply = &reply;
  action.gate = (char[]){"gate"};
  Cmdmox__V1__ActionList actions = CMDMOX__V1__ACTION_LIST__INIT;
  actions.n_items = 1;
  actions.items = (Cmdmox__V1__DoubleAction *[]){&action};
  Cmdmox__V1__Double stub = CMDMOX__V1__DOUBLE__INIT;
  stub.command = bytes("bench-command");
  stub.kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB;
  stub.actions = &actions;
  Cmdmox__V1__CreateDoublesRequest doubles = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  doubles.session_id = held->session;
  doubles.n_doubles = 1;
  doubles.doubles = (Cmdmox__V1__Double *[]){&stub};
  tell(held, "CreateDoubles", &doubles.base);
  Cmdmox__V1__ReplayRequest replay = CMDMOX__V1__REPLAY_REQUEST__INIT;
  replay.session_id = held->session;
  tell(held, "Replay", &replay.base);
}

static void start_shims(held_t *held) {
  size_t entries = 0;
  while (environ[entries]) entries++;
  char **environment = cmox_calloc(entries + 3, sizeof *environment);
  held->shims = cmox_calloc(held->count, sizeof *held->shims);
  FILE *file = tmpfile();
  if (!environment || !held->shims || !file) bench_broken("no memory or no temporary file");
  held->out = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3);
  (void)fclose(file);
  if (held->out < 0 || fcntl(held->out, F_SETFL, O_APPEND) != 0)
    bench_broken("temporary file: %s", strerror(errno));
  memcpy(environment, environ, entries * sizeof *environment);
  environment[entries] = (char[]){"CMOX_IPC_TIMEOUT=60"};
  for (unsigned i = 0; i < held->count; i++) {
    char number[32];
    char own[32];
    (void)snprintf(number, sizeof number, "%u", i);
    (void)snprintf(own, sizeof own, "BENCH_NUMBER=%u", i);
    environment[entries + 1] = own;
    char *const argv[] = {(char[]){"bench-command"}, number, NULL};
    held->shims[i] = bench_spawn(held->shim, argv, environment, held->out);
  }
  cmox_free_block(environment);
}

/* Takes the shims that have ended; before the gate opens there must be none. */
static void reap(held_t *held, int options, bool may_end) {
  for (int status; held->ended < held->count;) {
    pid_t pid = waitpid(-1, &status, options);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) bench_broken("waitpid: %s", strerror(errno));
    if (pid == 0) return;
    if (pid == held->server)
      bench_broken("the server ended with wait status %#x", (unsigned)status);
    if (!may_end || status != 0)
      bench_broken("a shim ended %s, with wait status %#x",
                   may_end ? "badly" : "before the gate opened", (unsigned)status);
    held->ended++;
  }
}

static void await_all(held_t *held) {
  Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
  request.session_id = held->session;
  double deadline = bench_now_us() + PATIENCE_MS * 1000.0;
  for (uint64_t count = 0; count < held->count;) {
    ProtobufCMessage *response = ask(held, "GetCallCount", &request.base);
    count = ((const Cmdmox__V1__GetCallCountResponse *)response)->count;
    cmox_wire_free(response);
    reap(held, WNOHANG, false);
    if (count > held->count || bench_now_us() > deadline)
      bench_broken("%u shims run, the server has %llu calls", held->count,
                   (unsigned long long)count);
    if (count < held->count) (void)poll(NULL, 0, 5);
  }
}

static void release(held_t *held) {
  Cmdmox__V1__ReleaseCallsRequest request = CMDMOX__V1__RELEASE_CALLS_REQUEST__INIT;
  request.session_id = held->session;
  request.gate = (char[]){"gate"};
  ProtobufCMessage *response = ask(held, "ReleaseCalls", &request.base);
  uint64_t released = ((const Cmdmox__V1__ReleaseCallsResponse *)response)->released;
  cmox_wire_free(response);
  if (released != held->count)
    bench_broken("%u shims were held, %llu released", held->count, (unsigned long long)released);
  reap(held, 0, true);
}

static void check_output(const held_t *held) {
  enum { WIDTH = sizeof LINE - 1 };
  struct stat info;
  if (fstat(held->out, &info) != 0 || (uint64_t)info.st_size != (uint64_t)held->count * WIDTH)
    bench_broken("the shims wrote %lld bytes instead of %llu", (long long)info.st_size,
                 (unsigned long long)held->count * WIDTH);
  char line[WIDTH];
  for (unsigned i = 0; i < held->count; i++)
    if (pread(held->out, line, WIDTH, (off_t)i * WIDTH) != WIDTH || memcmp(line, LINE, WIDTH) != 0)
      bench_broken("line %u of the shims' output is wrong", i + 1);
}

static void check_invocation(const held_t *held, const Cmdmox__V1__Invocation *call, bool *seen) {
  char text[32] = "";
  if (call->n_argv == 2 && call->argv[1].len < sizeof text)
    memcpy(text, call->argv[1].data, call->argv[1].len);
  unsigned long number = strtoul(text, NULL, 10);
  if (!text[0] || number >= held->count || seen[number])
    bench_broken("the journal has call '%s' twice, or should not have it", text);
  seen[number] = true;
  if (call->state != CMDMOX__V1__CALL_STATE__CALL_STATE_COMPLETED ||
      call->stdout_written != sizeof LINE - 1)
    bench_broken("call %lu is not completed in the journal", number);
}

static void check_journal(held_t *held) {
  Cmdmox__V1__VerifyRequest verify = CMDMOX__V1__VERIFY_REQUEST__INIT;
  verify.session_id = held->session;
  ProtobufCMessage *verified = ask(held, "Verify", &verify.base);
  const Cmdmox__V1__VerifyResponse *verdict = (const Cmdmox__V1__VerifyResponse *)verified;
  if (!verdict->passed) bench_broken("verify: %.2000s", verdict->text);
  cmox_wire_free(verified);
  bool *seen = cmox_calloc(held->count, sizeof *seen);
  if (!seen) bench_broken("out of memory");
  unsigned listed = 0;
  Cmdmox__V1__ListInvocationsRequest list = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  list.session_id = held->session;
  list.page_size = PAGE;
  ProtobufCMessage *page = NULL;
  do {
    ProtobufCMessage *next = ask(held, "ListInvocations", &list.base);
    cmox_wire_free(page);
    page = next;
    const Cmdmox__V1__ListInvocationsResponse *items =
        (const Cmdmox__V1__ListInvocationsResponse *)page;
    for (size_t i = 0; i < items->n_invocations; i++)
      check_invocation(held, items->invocations[i], seen);
    listed += (unsigned)items->n_invocations;
    list.page_token = items->next_page_token;
  } while (list.page_token.len);
  cmox_wire_free(page);
  cmox_free_block(seen);
  if (listed != held->count) bench_broken("%u calls, %u in the journal", held->count, listed);
}

/* A line of a /proc file that counts in kB. */
static double proc_mib(const char *path, const char *name) {
  FILE *file = fopen(path, "re");
  char line[256];
  double found = -1;
  while (file && found < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) found = strtod(line + strlen(name), NULL) / 1024;
  if (file) (void)fclose(file);
  if (found < 0) bench_broken("%s has no %s", path, name);
  return found;
}

static void allow_descriptors(unsigned count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < count + 64)
    bench_broken("%u shims need a descriptor each in the server; the hard limit is %llu", count,
                 (unsigned long long)limit.rlim_max);
}

void bench_held(const bench_options_t *options) {
  bench_row_t peak = {.measure = "held",
                      .what = "server's peak memory, all shims held",
                      .unit = "MiB",
                      .target = 128};
  bench_row_t arrival = {.measure = "held", .what = "start to all held, per shim", .unit = "us"};
  bench_row_t departure = {.measure = "held", .what = "gate to all ended, per shim", .unit = "us"};
  bench_row_t count = {.measure = "held", .what = "shims, none lost or doubled", .unit = ""};
  bench_row_t system = {
      .measure = "held", .what = "memory of the system taken, per shim", .unit = "KiB"};
  held_t held = {.count = options->held};
  allow_descriptors(held.count);
  start_server(&held);
  declare(&held);
  char status[64];
  (void)snprintf(status, sizeof status, "/proc/%d/status", (int)held.server);
  double available = proc_mib("/proc/meminfo", "MemAvailable:");
  double start = bench_now_us();
  start_shims(&held);
  await_all(&held);
  bench_row_add(&arrival, (bench_now_us() - start) / held.count);
  bench_row_add(&system,
                (available - proc_mib("/proc/meminfo", "MemAvailable:")) * 1024 / held.count);
  start = bench_now_us();
  release(&held);
  bench_row_add(&departure, (bench_now_us() - start) / held.count);
  bench_row_add(&peak, proc_mib(status, "VmHWM:"));
  check_output(&held);
  check_journal(&held);
  bench_row_add(&count, held.count);
  cmox_wire_free(held.created);
  cmox_control_close(&held.rpc);
  int ended;
  if (waitpid(held.server, &ended, 0) != held.server || ended != 0)
    bench_broken("the server ended with wait status %#x", (unsigned)ended);
  (void)close(held.out);
  cmox_free_block(held.shims);
  const bench_row_t *rows[] = {&count, &peak, &arrival, &departure, &system};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_report(rows[i]);
}
