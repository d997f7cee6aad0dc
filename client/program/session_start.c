/* cmdmox session start, session end and env: what a shell evaluates. */
#include <cmdmox/codes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/program/guard.h"
#include "client/program/session.h"
#include "client/program/session_keeper.h"
#include "server/host/shimdir.h"

enum { END_MS = 10000 }; /* for the engine to stop and its files to go */

static bool read_wishes(const cmox_verb_t *verb, const cmox_arguments_t *arguments,
                        cmox_keeper_wishes_t *wishes, uint64_t *parent) {
  if (!cmox_given_seconds(verb, arguments, CMOX_START_IDLE, &wishes->idle_ms) ||
      !cmox_given_number(verb, arguments, CMOX_START_MAX_ENTRIES, 1, UINT64_MAX, 0,
                         &wishes->max_journal_entries) ||
      !cmox_given_number(verb, arguments, CMOX_START_PARENT, 1, INT32_MAX, 0, parent))
    return false;
  wishes->label = cmox_given(arguments, CMOX_START_LABEL);
  wishes->contained = cmox_given(arguments, CMOX_START_CONTAINED) != NULL;
  wishes->log = cmox_given(arguments, CMOX_START_LOG);
  wishes->dialect = cmox_given(arguments, CMOX_START_DIALECT);
  if (!wishes->dialect) wishes->dialect = "shell";
  if (strcmp(wishes->dialect, "shell") != 0 && strcmp(wishes->dialect, "bats") != 0) {
    (void)cmox_usage_error(verb, "--dialect %s: write shell or bats", wishes->dialect);
    return false;
  }
  wishes->traps = cmox_given(arguments, CMOX_START_TRAP) != NULL;
  for (size_t i = 0; i < arguments->given_count; i++)
    if (arguments->given[i].option->id == CMOX_START_ABSENT)
      wishes->absent[wishes->absent_count++] = (char *)(uintptr_t)arguments->given[i].value;
  return true;
}

int cmox_verb_session_start(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_keeper_wishes_t wishes = {.guard = {.parent_fd = -1}};
  uint64_t parent = 0;
  wishes.absent = calloc(arguments->given_count + 1, sizeof *wishes.absent);
  if (!wishes.absent) return cmox_no_memory();
  int status = read_wishes(verb, arguments, &wishes, &parent) ? 0 : CMOX_EXIT_USAGE;
  const pid_t shell = parent ? (pid_t)parent : cmox_guard_shell();
  if (status == 0 && !cmox_guard_watch(&wishes.guard, verb->name, shell)) status = CMOX_EXIT_USAGE;
  if (status == 0) status = cmox_keeper_start(&wishes);
  if (status == 0 && isatty(STDOUT_FILENO))
    (void)fputs("(these lines are for the shell: eval \"$(cmdmox session start)\")\n", stderr);
  cmox_guard_clear(&wishes.guard);
  free(wishes.absent);
  return status;
}

/* ---- The end ------------------------------------------------------------------- */

extern char **environ;

/* The session's directory stays while a process has it in its environment: on its PATH, or in an
 * exported function (--function). This one is not such a process. */
static void forget_shims(const cmox_shell_session_t *session) {
  char shims[CMOX_SESSION_TEXT_MAX];
  const bool known = cmox_shell_shims(session, shims);
  for (char **entry = environ; *entry; entry++)
    if (strncmp(*entry, "PATH=", 5) == 0 || (known && strstr(*entry, shims)))
      memset(*entry, 0, strlen(*entry));
}

static pid_t peer_of(int fd) {
#if defined(SO_PEERCRED)
  struct ucred peer;
  socklen_t len = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.pid : 0;
#else
  (void)fd;
  return 0;
#endif
}

static int judge(const Cmdmox__V1__VerifyResponse *verification) {
  if (!verification || verification->passed) return 0;
  (void)fputs(verification->text, stderr);
  return CMOX_EXIT_FAILED;
}

/* Somebody reads what we print: an eval. Else the shell keeps its PATH, and the shims stay. */
static bool is_evaluated(void) {
  struct stat out;
  return fstat(STDOUT_FILENO, &out) == 0 && S_ISFIFO(out.st_mode);
}

/* What the session ends with, judged anew. */
static int verify_again(cmox_shell_session_t *session) {
  Cmdmox__V1__VerifyRequest request = CMDMOX__V1__VERIFY_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  ProtobufCMessage *answer = NULL;
  int status = cmox_shell_call(session, "Verify", &request.base, &answer);
  if (status == 0) status = judge((const Cmdmox__V1__VerifyResponse *)answer);
  cmox_wire_free(answer);
  return status;
}

static int end_session(cmox_shell_session_t *session) {
  const bool evaluated = is_evaluated();
  if (evaluated)
    cmox_shell_note(session, CMOX_SHIMDIR_LEFT); /* for the keeper, before the session goes */
  else
    (void)fprintf(stderr,
                  "cmdmox session end: this shell still has the shims on its PATH, and they refuse "
                  "from here on: eval \"$(cmdmox session end)\" takes them off\n");
  cmox_guard_t keeper = {.parent_fd = -1};
  const pid_t pid = peer_of(session->control.channel.fd);
  if (pid > 0) (void)cmox_guard_watch(&keeper, session->verb, pid); /* which lives as yet */
  Cmdmox__V1__DeleteSessionRequest request = CMDMOX__V1__DELETE_SESSION_REQUEST__INIT;
  request.session_id = cmox_shell_id(session);
  request.verify = true;
  ProtobufCMessage *answer = NULL;
  int status = cmox_shell_call(session, "DeleteSession", &request.base, &answer);
  if (status == 0) {
    status = judge(((const Cmdmox__V1__DeleteSessionResponse *)answer)->verification);
    cmox_shell_close(session);
    if (evaluated) cmox_guard_wait_gone(&keeper, END_MS);
  }
  cmox_wire_free(answer);
  cmox_guard_clear(&keeper);
  return status;
}

int cmox_verb_session_end(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  cmox_shell_session_t session;
  cmox_buf_t leave = CMOX_BUF_EMPTY;
  int status = cmox_shell_find(&session, verb);
  forget_shims(&session);
  if (status == 0) {
    /* Also of a session that was killed: its shell is to find the real commands again. */
    if (cmox_shell_read(&session, CMOX_SHIMDIR_LEAVE, &leave)) cmox_print(&leave);
    status = cmox_shell_connect(&session);
    const bool connected = status == 0;
    if (connected && cmox_given(arguments, CMOX_END_AGAIN)) status = verify_again(&session);
    const int ended = connected ? end_session(&session) : 0;
    if (status == 0) status = ended;
  }
  cmox_shell_close(&session);
  cmox_buf_clear(&leave);
  const int written = cmox_finish_output();
  return status ? status : written;
}

/* ---- Entering it again ------------------------------------------------------------ */

int cmox_verb_env(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)arguments;
  cmox_shell_session_t session;
  int status = cmox_shell_open(&session, verb);
  Cmdmox__V1__GetCallCountRequest request = CMDMOX__V1__GET_CALL_COUNT_REQUEST__INIT;
  request.session_id = cmox_shell_id(&session);
  if (status == 0) status = cmox_shell_do(&session, "GetCallCount", &request.base); /* it lives */
  cmox_buf_t enter = CMOX_BUF_EMPTY;
  if (status == 0 && !cmox_shell_read(&session, CMOX_SHIMDIR_ENTER, &enter)) {
    const cmox_error_t error = {CMOX_E_IO, "the session has lost what a shell is to evaluate"};
    status = cmox_shell_fail(verb->name, &error);
  }
  cmox_print(&enter);
  cmox_buf_clear(&enter);
  cmox_shell_close(&session);
  const int written = cmox_finish_output();
  return status ? status : written;
}
