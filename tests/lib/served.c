#include "tests/lib/served.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/wire/wire.h"
#include "tests/lib/broken.h"

_Noreturn static void become_server(const char *program, int link, unsigned descriptors) {
  const struct rlimit limit = {descriptors, descriptors};
  if (dup2(link, STDIN_FILENO) < 0 || dup2(link, STDOUT_FILENO) < 0) _exit(96);
  if (descriptors > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(97);
  (void)execl(program, "cmdmox", "serve", "--stdio", (char *)NULL);
  _exit(98);
}

void served_start(served_t *server, const char *program, unsigned descriptors) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    broken("socketpair: %s", strerror(errno));
  server->pid = fork();
  if (server->pid < 0) broken("fork: %s", strerror(errno));
  if (server->pid == 0) become_server(program, pair[1], descriptors);
  (void)close(pair[1]);
  cmox_control_open(&server->rpc, pair[0], SERVED_PATIENCE_MS);
}

void served_abandon(served_t *server) {
  int status;
  cmox_control_close(&server->rpc);
  while (waitpid(server->pid, &status, 0) < 0)
    if (errno != EINTR) broken("waitpid: %s", strerror(errno));
}

void served_stop(served_t *server) {
  int status;
  cmox_control_close(&server->rpc);
  while (waitpid(server->pid, &status, 0) < 0)
    if (errno != EINTR) broken("waitpid: %s", strerror(errno));
  if (status != 0) broken("the server ended with wait status %#x", (unsigned)status);
}

ProtobufCMessage *served_ask(served_t *server, const char *method,
                             const ProtobufCMessage *request) {
  ProtobufCMessage *response;
  cmox_error_t error;
  if (cmox_control_call(&server->rpc, method, request, &response, &error) != CMOX_OK)
    broken("%s: %s", method, error.message);
  return response;
}

void served_tell(served_t *server, const char *method, const ProtobufCMessage *request) {
  cmox_wire_free(served_ask(server, method, request));
}

double served_mib(const served_t *server, const char *name) {
  char path[64];
  char line[256];
  double found = -1;
  (void)snprintf(path, sizeof path, "/proc/%d/status", (int)server->pid);
  FILE *file = fopen(path, "re");
  while (file && found < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) found = strtod(line + strlen(name), NULL) / 1024;
  if (file) (void)fclose(file);
  if (found < 0) broken("%s has no %s", path, name);
  return found;
}

double served_cpu_ms(const served_t *server) {
  char path[64];
  char text[512] = "";
  unsigned long user = 0, system = 0;
  (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)server->pid);
  FILE *file = fopen(path, "re");
  if (file) {
    (void)!fgets(text, sizeof text, file);
    (void)fclose(file);
  }
  const char *end = strrchr(text, ')');
  if (!end ||
      sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    broken("cannot read %s", path);
  return (double)(user + system) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- Sessions ---- */

static ProtobufCBinaryData bytes(const char *text, size_t len) {
  if (text && len == 0) len = strlen(text);
  return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)text};
}

void served_session_open(served_session_t *session, served_t *server) {
  Cmdmox__V1__CreateSessionRequest request = CMDMOX__V1__CREATE_SESSION_REQUEST__INIT;
  session->server = server;
  session->created = served_ask(server, "CreateSession", &request.base);
  const Cmdmox__V1__CreateSessionResponse *created =
      (const Cmdmox__V1__CreateSessionResponse *)session->created;
  session->id = created->session_id;
  (void)snprintf(session->shims, sizeof session->shims, "%.*s", (int)created->shim_directory.len,
                 (const char *)created->shim_directory.data);
}

void served_session_free(served_session_t *session) {
  cmox_wire_free(session->created);
  session->created = NULL;
}

void served_session_delete(served_session_t *session) {
  Cmdmox__V1__DeleteSessionRequest request = CMDMOX__V1__DELETE_SESSION_REQUEST__INIT;
  request.session_id = session->id;
  served_tell(session->server, "DeleteSession", &request.base);
  served_session_free(session);
}

int served_dial(const served_session_t *session) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%.80s", session->shims);
  (void)strcpy(strrchr(address.sun_path, '/'), "/priv/s");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
    broken("%s: %s", address.sun_path, strerror(errno));
  return fd;
}

void served_stub(served_session_t *session, const char *command, const served_answer_t *answer) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  reply.stdout_data = bytes(answer->out, answer->out_len);
  reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
  reply.exit_code = answer->exit_code;
  Cmdmox__V1__DoubleAction action = CMDMOX__V1__DOUBLE_ACTION__INIT;
  action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  action.reply = &reply;
  if (answer->gate) action.gate = (char *)(uintptr_t)answer->gate;
  Cmdmox__V1__ActionList actions = CMDMOX__V1__ACTION_LIST__INIT;
  actions.n_items = 1;
  actions.items = (Cmdmox__V1__DoubleAction *[]){&action};
  Cmdmox__V1__Double stub = CMDMOX__V1__DOUBLE__INIT;
  stub.command = bytes(command, 0);
  stub.kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB;
  stub.actions = &actions;
  Cmdmox__V1__CreateDoublesRequest request = CMDMOX__V1__CREATE_DOUBLES_REQUEST__INIT;
  request.session_id = session->id;
  request.n_doubles = 1;
  request.doubles = (Cmdmox__V1__Double *[]){&stub};
  served_tell(session->server, "CreateDoubles", &request.base);
}

void served_replay(served_session_t *session) {
  Cmdmox__V1__ReplayRequest request = CMDMOX__V1__REPLAY_REQUEST__INIT;
  request.session_id = session->id;
  served_tell(session->server, "Replay", &request.base);
}

uint64_t served_count(served_session_t *session) {
  Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
  request.session_id = session->id;
  ProtobufCMessage *response = served_ask(session->server, "GetCallCount", &request.base);
  const uint64_t count = ((const Cmdmox__V1__GetCallCountResponse *)response)->count;
  cmox_wire_free(response);
  return count;
}

uint64_t served_release(served_session_t *session, const char *gate) {
  Cmdmox__V1__ReleaseCallsRequest request = CMDMOX__V1__RELEASE_CALLS_REQUEST__INIT;
  request.session_id = session->id;
  request.gate = (char *)(uintptr_t)gate;
  ProtobufCMessage *response = served_ask(session->server, "ReleaseCalls", &request.base);
  const uint64_t released = ((const Cmdmox__V1__ReleaseCallsResponse *)response)->released;
  cmox_wire_free(response);
  return released;
}

void served_verify(served_session_t *session) {
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = session->id;
  ProtobufCMessage *response = served_ask(session->server, "Verify", &request.base);
  const Cmdmox__V1__VerifyResponse *verdict = (const Cmdmox__V1__VerifyResponse *)response;
  if (!verdict->passed) broken("verify: %.2000s", verdict->text);
  cmox_wire_free(response);
}

size_t served_journal(served_session_t *session,
                      void (*visit)(const Cmdmox__V1__Invocation *call, void *user), void *user) {
  enum { PAGE = 500 };
  size_t listed = 0;
  Cmdmox__V1__ListInvocationsRequest list = CMDMOX__V1__LIST_INVOCATIONS_REQUEST__INIT;
  list.session_id = session->id;
  list.page_size = PAGE;
  ProtobufCMessage *page = NULL;
  do {
    ProtobufCMessage *next = served_ask(session->server, "ListInvocations", &list.base);
    cmox_wire_free(page);
    page = next;
    const Cmdmox__V1__ListInvocationsResponse *items =
        (const Cmdmox__V1__ListInvocationsResponse *)page;
    for (size_t i = 0; i < items->n_invocations; i++) visit(items->invocations[i], user);
    listed += items->n_invocations;
    list.page_token = items->next_page_token;
  } while (list.page_token.len);
  cmox_wire_free(page);
  return listed;
}
