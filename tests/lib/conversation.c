#include "tests/lib/conversation.h"

#include <check.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/lib/messages.h"

#define CONTROL "cmdmox.v1.ControlService/"
#define SHIM "cmdmox.v1.ShimService/"
#define SESSION B("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1")
#define KEY(byte) B(byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte)

/* ---- Doubles ---- */

#define DOUBLE(name, KIND, ...)                                                                \
  NEW(Double, double, .command = B(name), .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_##KIND, \
      .location = NEW(Location, location, .file = T("test_push.c"), .line = 42), __VA_ARGS__)
#define ANSWERS(gate_name, ...)               \
  .actions = NEW(                             \
      ActionList, action_list,                \
      LIST(items, Cmdmox__V1__DoubleAction *, \
           DOUBLE_ACTION(REPLY, .gate = T(gate_name), .reply = NEW(Reply, reply, __VA_ARGS__))))
#define READS(MODE) \
  .stdin_policy = NEW(StdinPolicy, stdin_policy, .mode = CMDMOX__V1__STDIN_MODE__STDIN_MODE_##MODE)

/* Two chunks, then a file, then the reply. */
#define EFFECTS_OF_ACTION                                                                  \
  .reply = NEW(Reply, reply, .stdout_data = B("end"), EXIT(0), .delay_ms = 1),             \
  LIST(chunks, Cmdmox__V1__TimedChunk *, NEW(TimedChunk, timed_chunk, .data = B("a\xff")), \
       NEW(TimedChunk, timed_chunk, .to_stderr = 1, .delay_ms = 1)),                       \
  LIST(files, Cmdmox__V1__FileEffect *,                                                    \
       NEW(FileEffect, file_effect, .path = B("f\xff"), .content = B("\0"), .mode = 0600))
#define EFFECTS                           \
  .actions = NEW(ActionList, action_list, \
                 LIST(items, Cmdmox__V1__DoubleAction *, DOUBLE_ACTION(REPLY, EFFECTS_OF_ACTION)))

/* The real command, with all of its streams and an environment of its own. */
#define PASSES                                                                                \
  .actions = NEW(ActionList, action_list,                                                     \
                 LIST(items, Cmdmox__V1__DoubleAction *,                                      \
                      DOUBLE_ACTION(PASSTHROUGH, .passthrough = NEW(Passthrough, passthrough, \
                                                                    .capture_stdout = 1,      \
                                                                    .timeout_ms = 60000))))
#define INJECTS                                                                              \
  .env_injection =                                                                           \
      NEW(EnvInjection, env_injection,                                                       \
          LIST(changes, Cmdmox__V1__EnvChange *,                                             \
               NEW(EnvChange, env_change, .name = B("A"),                                    \
                   .change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE, .value = B("\xff")), \
               NEW(EnvChange, env_change, .name = B("B"))))

enum { LARGE = CMOX_REPLY_INLINE_MAX + 1 }; /* goes down as StreamData */
static uint8_t large[LARGE];

static const Cmdmox__V1__CreateDoublesRequest doubles = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__create_doubles_request__descriptor),
    .session_id = SESSION,
    LIST(
        doubles, Cmdmox__V1__Double *,
        /* 1 */
        DOUBLE("git", MOCK,
               LIST(matchers, Cmdmox__V1__MatcherNode *, NODE(EQUALS, .equals = B("clone")),
                    NODE(ANY, .any = 1), NODE(STARTS_WITH, .starts_with = B("--")),
                    NODE(CONTAINS, .contains = B("/")), NODE(REGEX, .regex = B("^https?://(a|b)+")),
                    NODE(EQUALS, .equals = B("yes\n"))),
               .argv =
                   NEW(ArgvMatcher, argv_matcher,
                       LIST(items, Cmdmox__V1__ArgvItem *, ITEM(ONE, .one = 0), ITEM(ONE, .one = 2),
                            ITEM(ONE, .one = 4), ITEM(ONE, .one = 3), ITEM(ONE, .one = 1))),
               .stdin_match = NEW(StdinMatcher, stdin_matcher, .node = 5),
               .count = NEW(Count, count, .minimum = 1,
                            .upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM, .maximum = 1),
               ANSWERS("", .stdout_data = B("out\xff\n"), .stderr_data = B("err"), EXIT(3),
                       .delay_ms = 1)),
        /* 2 */
        DOUBLE("ssh", STUB,
               ANSWERS("", .stdout_data = {LARGE, large}, .stderr_data = B("e"),
                       .end_case = CMDMOX__V1__REPLY__END_SIGNAL, .signal = T("SIGTERM"))),
        /* 3 */ DOUBLE("make", STUB, ANSWERS("go", .stdout_data = B("made\n"), EXIT(0))),
        /* 4 */ DOUBLE("cat", SPY, READS(CAPTURE)),
        /* 5 */ DOUBLE("tee", SPY, READS(DRAIN), EFFECTS),
        /* 6 */ DOUBLE("curl", MOCK, .label = T("never called")),
        /* 7 */ DOUBLE("tar", SPY, PASSES, READS(CAPTURE), INJECTS))};

static const Cmdmox__V1__Double twice = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__double__descriptor),
    .count = NEW(Count, count, .minimum = 2)};

static const Cmdmox__V1__GetServerInfoRequest no_fields = CMDMOX__V1__GET_SERVER_INFO_REQUEST__INIT;

/* ---- Rows: one frame each ---- */

typedef struct row {
  size_t link;
  bool settle; /* all before it is answered first */
  bool hang_up;
  bool answered_before; /* waits until its link's requests are, or the link has ended */
  const Cmdmox__V1__Frame *frame;
  const ProtobufCMessage *payload;
} row_t;

enum { HELD = 6 }; /* the link of the call at the gate */

#define SAYS(number, ...) \
  { .link = (number), .frame = __VA_ARGS__ }
#define ASKS(id, method, ...) \
  { .frame = REQUEST(id, CONTROL method, 0), .payload = PAYLOAD(__VA_ARGS__) }
#define THEN_ASKS(id, method, ...) \
  { .settle = true, .frame = REQUEST(id, CONTROL method, 0), .payload = PAYLOAD(__VA_ARGS__) }
#define HELLO(role_name)                                                           \
  FRAME(0, HELLO, hello,                                                           \
        NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1, .max_version = 1, \
            .role = CMDMOX__V1__ROLE__ROLE_##role_name, .software = T("conversation")))
#define CALLS(number, key, name, ...)                                                             \
  SAYS(number, HELLO(SHIM)), {                                                                    \
    .link = (number), .frame = REQUEST(1, SHIM "Invoke", 0),                                      \
    .payload = PAYLOAD(InvokeRequest, invoke_request, .command = B(name),                         \
                       BYTES(argv, B(name), __VA_ARGS__),                                         \
                       BYTES(env_block, B("HOME=/h"), B("CMOX_X=1"), B("no-equals"), B("")),      \
                       .cwd = B("/tmp/\xe9"), .pid = 4242, .ppid = 1, .invocation_key = KEY(key)) \
  }
#define PIECE_OF(number, NAME, text)                                                           \
  SAYS(number, FRAME(1, STREAM_DATA, stream_data,                                              \
                     NEW(StreamData, stream_data, .stream = CMDMOX__V1__STREAM__STREAM_##NAME, \
                         .data = B(text))))
#define PIECE(number, text) PIECE_OF(number, STDIN, text)
#define REPORTS(number, call, ...)                                                              \
  {                                                                                             \
    .link = (number), .frame = REQUEST(3, SHIM "ReportPassthrough", 0),                         \
    .payload = PAYLOAD(ReportPassthroughRequest, report_passthrough_request, .call_id = (call), \
                       .program = B("/bin/tar"), __VA_ARGS__)                                   \
  }
#define SIGNALED end_case = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_SIGNAL
#define GOES_ON(number, call, count)                                                              \
  {                                                                                               \
    .link = (number), .frame = REQUEST(3, SHIM "ContinueInvoke", 0),                              \
    .payload = PAYLOAD(ContinueInvokeRequest, continue_invoke_request, .call_id = (call),         \
                       .stdin_bytes = (count), .stdin_end = CMDMOX__V1__STDIN_END__STDIN_END_EOF) \
  }
/* The call at the gate may be held to the end, when its release fails. */
#define IS_DONE(number)                                                                         \
  {                                                                                             \
    .link = (number), .settle = true, .answered_before = (number) != HELD,                      \
    .frame = NOTIFY("cmdmox.v1.Completed"),                                                     \
    .payload = PAYLOAD(Completed, completed, .stdout_written = 4, .broken_pipe = (number) == 2, \
                       .failure = (number) == 10 ? T("disk full") : T(""),                      \
                       .failed_path = {(number) == 10 ? 2 : 0, (uint8_t *)"f\xff"})             \
  }
#define HANGS_UP(number) \
  { .link = (number), .settle = true, .hang_up = true }

static const row_t rows[] = {
    SAYS(0, HELLO(CONTROLLER)),
    {.frame = REQUEST(1, CONTROL "GetServerInfo", 0), .payload = &no_fields.base},
    ASKS(3, "Ping", PingRequest, ping_request, .payload = B("\0\xff")),
    ASKS(5, "CreateSession", CreateSessionRequest, create_session_request, .label = T("whole"),
         .path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH,
         .path = B("/usr/bin"), .dialect = T("python")),
    ASKS(7, "RegisterCommands", RegisterCommandsRequest, register_commands_request,
         .session_id = SESSION, BYTES(commands, B("rsync"), B("scp"))),
    ASKS(201, "AllowCommands", AllowCommandsRequest, allow_commands_request, .session_id = SESSION,
         BYTES(commands, B("sed"))),
    ASKS(203, "MakeAbsent", MakeAbsentRequest, make_absent_request, .session_id = SESSION,
         BYTES(commands, B("jq"), B("awk"))),
    {.frame = REQUEST(9, CONTROL "CreateDoubles", 0), .payload = &doubles.base},
    ASKS(11, "UpdateDouble", UpdateDoubleRequest, update_double_request, .session_id = SESSION,
         .double_id = 6, .patch = (Cmdmox__V1__Double *)&twice),
    ASKS(13, "UpdateDouble", UpdateDoubleRequest, update_double_request, .session_id = SESSION,
         .double_id = 99, .patch = (Cmdmox__V1__Double *)&twice),
    CALLS(1, "a", "git", B("too early")),
    HANGS_UP(1),
    THEN_ASKS(15, "Replay", ReplayRequest, replay_request, .session_id = SESSION,
              .path_presence_case = CMDMOX__V1__REPLAY_REQUEST__PATH_PRESENCE_PATH,
              .path = B("/bin")),
    CALLS(2, "b", "git", B("clone"), B("--"), B("https://ab"), B("/"), B("any\n")),
    PIECE(2, "ye"),
    PIECE(2, "s\n"),
    GOES_ON(2, 2, 4),
    IS_DONE(2),
    CALLS(3, "c", "ssh", B("host")),
    IS_DONE(3),
    CALLS(4, "d", "git", B("clone"), B("--"), B("https://ab"), B("/"), B("")),
    PIECE(4, "yes\n"),
    GOES_ON(4, 4, 4),
    IS_DONE(4),
    CALLS(5, "e", "git", B("push"), B("--token"), B("hunter2"), B("TOKEN=hunter2")),
    IS_DONE(5),
    CALLS(HELD, "f", "make", B("all")),
    CALLS(7, "g", "make", B("lost at the gate")),
    HANGS_UP(7),
    CALLS(8, "h", "cat", B("-")),
    PIECE(8, "half of"),
    HANGS_UP(8),
    CALLS(9, "h", "cat", B("-")), /* asks again */
    PIECE(9, "all of it"),
    GOES_ON(9, 8, 9),
    IS_DONE(9),
    CALLS(10, "i", "tee", B("x")),
    GOES_ON(10, 9, 1000000),
    IS_DONE(10),
    CALLS(11, "j", "rsync", B("-a")),
    IS_DONE(11),
    SAYS(12, HELLO(SHIM)),
    {.link = 12, .frame = REQUEST(1, SHIM "Invoke", 0), .payload = &twice.base},
    HANGS_UP(12),
    SAYS(13, HELLO(CONTROLLER)), /* the wrong door */
    THEN_ASKS(37, "SetDefaultAction", SetDefaultActionRequest, set_default_action_request,
              .session_id = SESSION, .action = DOUBLE_ACTION(REPLY, EFFECTS_OF_ACTION)),
    CALLS(14, "k", "scp", B("x")),
    IS_DONE(14),
    CALLS(15, "l", "tar", B("x")),
    PIECE(15, "archive"),
    PIECE_OF(15, STDOUT, "a file\xff"),
    REPORTS(15, 12, .SIGNALED, .signal = T("SIGPIPE"), .stdin_bytes = 7, .stdout_bytes = 7),
    IS_DONE(15),
    CALLS(16, "m", "tar", B("nowhere")),
    REPORTS(16, 13, .replaced = 1, .failure = T("No such file or directory")),
    IS_DONE(16),
    CALLS(17, "n", "tar", B("lost")),
    PIECE_OF(17, STDERR, "half"),
    HANGS_UP(17),
    THEN_ASKS(17, "ReleaseCalls", ReleaseCallsRequest, release_calls_request, .session_id = SESSION,
              .gate = T("go")),
    IS_DONE(HELD),
    THEN_ASKS(19, "ListInvocations", ListInvocationsRequest, list_invocations_request,
              .session_id = SESSION, .page_size = 4),
    THEN_ASKS(21, "ListInvocations", ListInvocationsRequest, list_invocations_request,
              .session_id = SESSION, .page_token = B("\4\0\0\0\0\0\0\0")),
    THEN_ASKS(23, "GetCallCount", GetCallCountRequest, get_call_count_request,
              .session_id = SESSION, .command = B("git")),
    THEN_ASKS(25, "Verify", VerifyRequest, verify_request, .session_id = SESSION),
    THEN_ASKS(27, "ListInvocations", ListInvocationsRequest, list_invocations_request,
              .session_id = SESSION),
    THEN_ASKS(29, "CreateDoubles", CreateDoublesRequest, create_doubles_request,
              .session_id = SESSION),
    {.frame = REQUEST(31, CONTROL "Verify", 0), .payload = &twice.base}, /* not its message */
    ASKS(33, "NoSuchMethod", PingRequest, ping_request, .payload = B("x")),
    SAYS(0, FRAME(33, CANCEL, cancel, NEW(Cancel, cancel, .reason = T("too late")))),
    THEN_ASKS(35, "DeleteSession", DeleteSessionRequest, delete_session_request,
              .session_id = SESSION),
};
enum { ROWS = sizeof rows / sizeof *rows };

static void put_row(raw_bytes_t *bytes, const row_t *row) {
  if (!row->payload) {
    raw_put_frame(bytes, row->frame);
    return;
  }
  raw_bytes_t payload = {0};
  raw_put_message(&payload, row->payload);
  const ProtobufCBinaryData packed = {payload.len, payload.data};
  Cmdmox__V1__Frame frame = *row->frame;
  Cmdmox__V1__Request request;
  Cmdmox__V1__Notify notify;
  if (frame.body_case == CMDMOX__V1__FRAME__BODY_REQUEST) {
    request = *frame.request;
    request.payload = packed;
    frame.request = &request;
  } else {
    notify = *frame.notify;
    notify.payload = packed;
    frame.notify = &notify;
  }
  raw_put_frame(bytes, &frame);
  raw_free(&payload);
}

static bool is_request(const row_t *row) {
  return row->frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST;
}

/* ---- Playing ---- */

typedef struct play {
  bare_t *bare;
  conversation_cut_t cut;
  void *context;
  raw_link_t links[CONVERSATION_LINKS]; /* once opened */
  bool opened[CONVERSATION_LINKS];
  size_t requests[CONVERSATION_LINKS]; /* that were sent */
  raw_bytes_t *out;
} play_t;

/* Returns how many bytes came. */
static size_t take_in(play_t *play) {
  size_t came = 0;
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) {
    if (!play->opened[i]) continue;
    size_t before = play->links[i].in.len;
    while (raw_receive(&play->links[i])) continue;
    came += play->links[i].in.len - before;
  }
  return came;
}

static void settle(play_t *play) {
  enum { MAY_HAVE_FILLED_A_SOCKET = 64 << 10 };
  do bare_settle(play->bare);
  while (take_in(play) >= MAY_HAVE_FILLED_A_SOCKET);
}

static bool is_open(play_t *play, size_t link) {
  if (play->opened[link]) return play->links[link].fd >= 0;
  bool good = link == 0 ? bare_control(play->bare, &play->links[0])
                        : bare_shim(play->bare, 0, &play->links[link]);
  play->opened[link] = true;
  if (!good) play->links[link] = (raw_link_t){.fd = -1, .ended = true};
  return good;
}

static void hang_up(play_t *play, size_t link) {
  raw_link_t *gone = &play->links[link];
  if (!play->opened[link]) return;
  raw_put(&play->out[link], gone->in.data, gone->in.len);
  raw_close(gone);
  gone->ended = true;
}

/* Every request has its one response, or the link has ended. */
static void assert_answered(play_t *play, size_t link) {
  size_t responses = 0;
  if (play->links[link].fd < 0) return;
  while (responses < play->requests[link]) {
    Cmdmox__V1__Frame *frame = raw_read(&play->links[link]);
    if (!frame) return;
    responses += frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE;
    raw_frame_free(frame);
  }
  play->requests[link] = 0;
  for (Cmdmox__V1__Frame *frame; (frame = raw_next(&play->links[link])); raw_frame_free(frame))
    ck_assert_int_ne((int)frame->body_case, CMDMOX__V1__FRAME__BODY_RESPONSE);
}

static void say(play_t *play, size_t link, raw_bytes_t *bytes) {
  if (bytes->len == 0 || !is_open(play, link)) return;
  for (size_t at = 0; at < bytes->len;) {
    size_t len = play->cut ? play->cut(play->context, bytes->len - at) : bytes->len - at;
    raw_send(&play->links[link], bytes->data + at, len);
    if (play->cut) bare_turn(play->bare);
    at += len;
  }
  bytes->len = 0;
}

void conversation_play(bare_t *bare, conversation_cut_t cut, void *context,
                       raw_bytes_t out[CONVERSATION_LINKS]) {
  play_t play = {.bare = bare, .cut = cut, .context = context, .out = out};
  memset(large, 'L', sizeof large);
  raw_bytes_t step = {0}; /* the frames of one link up to the next that waits or is another's */
  for (size_t i = 0; i < ROWS; i++) {
    size_t before = i > 0 ? rows[i - 1].link : 0;
    if (rows[i].settle || rows[i].link != before) {
      say(&play, before, &step);
      step.len = 0;
      settle(&play);
    }
    if (rows[i].answered_before && play.opened[rows[i].link]) assert_answered(&play, rows[i].link);
    if (rows[i].hang_up) {
      hang_up(&play, rows[i].link);
      settle(&play);
    } else {
      put_row(&step, &rows[i]);
      play.requests[rows[i].link] += is_request(&rows[i]);
    }
  }
  say(&play, rows[ROWS - 1].link, &step);
  settle(&play);
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) {
    if (!play.opened[i] || play.links[i].fd < 0) continue;
    assert_answered(&play, i);
    hang_up(&play, i); /* the test client's first: its session ends, and with it what is held */
    settle(&play);
  }
  raw_free(&step);
  bare_settle(bare);
}

size_t conversation_bytes(void) {
  raw_bytes_t all = {0};
  for (size_t i = 0; i < ROWS; i++)
    if (!rows[i].hang_up) put_row(&all, &rows[i]);
  size_t len = all.len;
  raw_free(&all);
  return len;
}

/* ---- Afterwards ---- */

static void must(raw_link_t *link, uint32_t id, const char *method, const ProtobufCMessage *input) {
  Cmdmox__V1__Frame *frame = raw_ask(link, id, method, input);
  ck_assert_msg(strcmp(raw_reason(frame), "OK") == 0, "%s: %s", method, raw_message(frame));
  raw_frame_free(frame);
}

void conversation_assert_next_call_works(bare_t *bare) {
  raw_link_t control, shim;
  size_t session = bare->sites;
  ck_assert(bare_control(bare, &control));
  raw_greet(&control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  const ProtobufCBinaryData id = {CMOX_SESSION_ID_BYTES,
                                  (uint8_t *)(uintptr_t)bare_session_id(session)};
  must(&control, 1, CONTROL "CreateSession",
       PAYLOAD(CreateSessionRequest, create_session_request, .label = T("next")));
  must(&control, 3, CONTROL "CreateDoubles",
       PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = id,
               LIST(doubles, Cmdmox__V1__Double *, DOUBLE("git", MOCK, .label = T("")))));
  must(&control, 5, CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = id));
  ck_assert(bare_shim(bare, session, &shim));
  raw_greet(&shim, CMDMOX__V1__ROLE__ROLE_SHIM);
  must(&shim, 1, SHIM "Invoke",
       PAYLOAD(InvokeRequest, invoke_request, .command = B("git"), .invocation_key = KEY("n")));
  raw_bytes_t done = {0};
  put_row(&done, &(row_t)IS_DONE(1));
  raw_send_all(&shim, &done);
  raw_free(&done);
  Cmdmox__V1__Frame *frame = raw_ask(&control, 7, CONTROL "Verify",
                                     PAYLOAD(VerifyRequest, verify_request, .session_id = id));
  ProtobufCMessage *message = raw_answer(frame, &cmdmox__v1__verify_response__descriptor);
  ck_assert_msg(((Cmdmox__V1__VerifyResponse *)message)->passed, "%s",
                ((Cmdmox__V1__VerifyResponse *)message)->text);
  protobuf_c_message_free_unpacked(message, NULL);
  raw_frame_free(frame);
  raw_close(&shim);
  raw_close(&control);
  bare_settle(bare);
}
