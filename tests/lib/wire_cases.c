#include "tests/lib/wire_cases.h"

#include <cmdmox/v1/callback.pb-c.h>
#include <cmdmox/v1/control.pb-c.h>
#include <cmdmox/v1/shim.pb-c.h>

#include "proto/limits.h"

#define NEW(Type, type, ...)                                                                 \
  (&(Cmdmox__V1__##Type){.base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__##type##__descriptor), \
                         __VA_ARGS__})
#define PAYLOAD(...) &NEW(__VA_ARGS__)->base
#define FRAME(number, CASE, member, ...)                                         \
  NEW(Frame, frame, .id = (number), .body_case = CMDMOX__V1__FRAME__BODY_##CASE, \
      .member = __VA_ARGS__)
#define REQUEST(number, name, ms) \
  FRAME(number, REQUEST, request, NEW(Request, request, .method = T(name), .timeout_ms = (ms)))
#define RESPONSE(number)            \
  FRAME(number, RESPONSE, response, \
        NEW(Response, response, .result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD))
#define NOTIFY(name) FRAME(0, NOTIFY, notify, NEW(Notify, notify, .topic = T(name)))
#define T(text) ((char *)text)
#define B(text) \
  { sizeof(text) - 1, (uint8_t *)text }
#define LIST(member, type, ...) \
  .n_##member = sizeof((type[]){__VA_ARGS__}) / sizeof(type), .member = (type[]) { __VA_ARGS__ }
#define BYTES(member, ...) LIST(member, ProtobufCBinaryData, __VA_ARGS__)

#define SESSION B("\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")
#define SHIM "cmdmox.v1.ShimService/"
#define CONTROL "cmdmox.v1.ControlService/"
#define CALLBACK "cmdmox.v1.CallbackService/"

#define CALL_ID UINT64_C(0x0102030405060708)

#define NODE(CASE, ...) \
  NEW(MatcherNode, matcher_node, .test_case = CMDMOX__V1__MATCHER_NODE__TEST_##CASE, __VA_ARGS__)
#define INDEXES(...) NEW(IndexList, index_list, LIST(indexes, uint32_t, __VA_ARGS__))
#define ITEM(CASE, ...) \
  NEW(ArgvItem, argv_item, .kind_case = CMDMOX__V1__ARGV_ITEM__KIND_##CASE, __VA_ARGS__)
#define ENV_TEST(CASE, ...)                                                                     \
  NEW(EnvMatcherItem, env_matcher_item, .test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_##CASE, \
      __VA_ARGS__)
#define ACTION(number, CASE, ...)                                                        \
  NEW(Action, action, .call_id = (number), .kind_case = CMDMOX__V1__ACTION__KIND_##CASE, \
      __VA_ARGS__)
#define DOUBLE_ACTION(CASE, ...) \
  NEW(DoubleAction, double_action, .kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_##CASE, __VA_ARGS__)
#define EXIT(code) .end_case = CMDMOX__V1__REPLY__END_EXIT_CODE, .exit_code = (code)
#define SET(text) .change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE, .value = B(text)

static const Cmdmox__V1__Double every_matcher = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__double__descriptor),
    .command = B("git"),
    .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_MOCK,
    .location =
        NEW(Location, location, .file = T("test_push.c"), .line = 42, .function = T("push")),
    .label = T("push to origin"),
    LIST(matchers, Cmdmox__V1__MatcherNode *, NODE(EQUALS, .equals = B("push\xff\0")),
         NODE(ANY, .any = 1), NODE(STARTS_WITH, .starts_with = B("--")),
         NODE(ENDS_WITH, .ends_with = B(".git")), NODE(CONTAINS, .contains = B("\n")),
         NODE(REGEX, .regex = B("^v\\d+$")), NODE(GLOB, .glob = B("*.c")),
         NODE(IS_A, .is_a = CMDMOX__V1__VALUE_TYPE__VALUE_TYPE_INT),
         NODE(JSON_EQUALS, .json_equals = B("{\"a\":1}")), NODE(ALL_OF, .all_of = INDEXES(2, 4)),
         NODE(ANY_OF, .any_of = INDEXES(0, 300)), NODE(NOT, .not_ = 3),
         NODE(CALLBACK, .callback = UINT64_MAX), NODE(EQUALS, .equals = B(""))),
    .argv = NEW(ArgvMatcher, argv_matcher,
                LIST(items, Cmdmox__V1__ArgvItem *, ITEM(ONE, .one = 0),
                     ITEM(ANY_ORDER, .any_order = INDEXES(1, 2)),
                     ITEM(FLAG, .flag = NEW(FlagValue, flag_value, .name = B("--tag"), .value = 5)),
                     ITEM(REST, .rest = 1))),
    .stdin_match = NEW(StdinMatcher, stdin_matcher, .node = 8),
    .env_match =
        NEW(EnvMatcher, env_matcher,
            LIST(items, Cmdmox__V1__EnvMatcherItem *, ENV_TEST(NODE, .name = B("HOME"), .node = 1),
                 ENV_TEST(ABSENT, .name = B("GIT_DIR"), .absent = 1))),
    .cwd_match = NEW(CwdMatcher, cwd_matcher, .node = 3),
    .count = NEW(Count, count, .minimum = 1, .upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM,
                 .maximum = 3),
    .actions =
        NEW(ActionList, action_list,
            LIST(items, Cmdmox__V1__DoubleAction *,
                 DOUBLE_ACTION(REPLY, .repeat = 2,
                               .reply = NEW(Reply, reply, .stdout_data = B("ok\n"), EXIT(0))),
                 DOUBLE_ACTION(HANDLER, .handler = 9))),
    .stdin_policy =
        NEW(StdinPolicy, stdin_policy, .mode = CMDMOX__V1__STDIN_MODE__STDIN_MODE_CAPTURE,
            .max_bytes = 1 << 20, .deadline_ms = 2500),
    .sequences = NEW(SequenceList, sequence_list,
                     LIST(steps, Cmdmox__V1__SequenceStep *,
                          NEW(SequenceStep, sequence_step, .sequence = T(""), .position = 1))),
    .env_injection = NEW(EnvInjection, env_injection,
                         LIST(changes, Cmdmox__V1__EnvChange *,
                              NEW(EnvChange, env_change, .name = B("LANG"), SET("C")),
                              NEW(EnvChange, env_change, .name = B("DEBUG"))))};

/* Only the facets that change. */
static const Cmdmox__V1__Double patch = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__double__descriptor),
    .count = NEW(Count, count, .upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM, .maximum = 0)};

static const Cmdmox__V1__Finding finding = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__finding__descriptor),
    .kind = CMDMOX__V1__FINDING_KIND__FINDING_KIND_WRONG_COUNT,
    .message = T("git push was called 0 times, expected once"),
    LIST(invocation_ids, uint64_t, 1, 130),
    .double_id = 1,
    .location = NEW(Location, location, .file = T("test_push.c"), .line = 42),
    .expected_minimum = 1,
    .expected_upper_case = CMDMOX__V1__FINDING__EXPECTED_UPPER_EXPECTED_MAXIMUM,
    .expected_maximum = 1,
    LIST(differences, Cmdmox__V1__Difference *,
         NEW(Difference, difference, .subject = T("argument 1"), .expected = T("push"),
             .actual = T("pull"))),
    .suggestion = T("cmox_with_args(git, \"pull\", NULL);")};

static const Cmdmox__V1__Invocation invocation = {
    .base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__invocation__descriptor),
    .invocation_id = 1,
    .double_id = 2,
    .command = B("git"),
    BYTES(argv, B("git"), B("pull")),
    BYTES(env_block, B("PATH=/usr/bin")),
    .cwd = B("/tmp"),
    .pid = 4242,
    .ppid = 4241,
    .stdin_capture = NEW(CapturedStream, captured_stream, .data = B("yes"), .length = 3,
                         .stdin_end = CMDMOX__V1__STDIN_END__STDIN_END_EOF),
    .end_case = CMDMOX__V1__INVOCATION__END_EXIT_CODE,
    .start_ns = 1000,
    .end_ns = 2000,
    .state = CMDMOX__V1__CALL_STATE__CALL_STATE_COMPLETED,
    .verdict = CMDMOX__V1__CALL_VERDICT__CALL_VERDICT_ACCEPTED};

static const Cmdmox__V1__ReportPassthroughResponse report_response =
    CMDMOX__V1__REPORT_PASSTHROUGH_RESPONSE__INIT;

const wire_case_t cmox_test_wire_cases[] = {
    {"hello_shim", "A launcher's first frame",
     FRAME(0, HELLO, hello,
           NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1, .max_version = 1,
               .role = CMDMOX__V1__ROLE__ROLE_SHIM, .software = T("cmdmox-shim/0.1.0"),
               .silence_ms = 5000)),
     NULL},
    {"hello_controller", "A test client's first frame",
     FRAME(0, HELLO, hello,
           NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1, .max_version = 1,
               .role = CMDMOX__V1__ROLE__ROLE_CONTROLLER, .software = T("client/1.0"),
               LIST(features, char *, T("handlers"), T("streams")),
               .max_frame_bytes = CMOX_FRAME_MAX_LEAST)),
     NULL},
    {"hello_token", "Over TCP: with the token",
     FRAME(0, HELLO, hello,
           NEW(Hello, hello, .magic = CMOX_MAGIC, .min_version = 1, .max_version = 2,
               .role = CMDMOX__V1__ROLE__ROLE_AGENT, .software = T("agent"), .token = SESSION)),
     NULL},
    {"hello_reply_ok", "The server accepts",
     FRAME(0, HELLO_REPLY, hello_reply,
           NEW(HelloReply, hello_reply, .result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK,
               .ok = NEW(HelloOk, hello_ok, .version = 1, .software = T("cmdmox/0.1.0"),
                         LIST(features, char *, T("streams")),
                         .max_frame_bytes = CMOX_FRAME_MAX_DEFAULT, .session_id = SESSION))),
     NULL},
    {"hello_reply_error", "No common version",
     FRAME(0, HELLO_REPLY, hello_reply,
           NEW(HelloReply, hello_reply, .result_case = CMDMOX__V1__HELLO_REPLY__RESULT_ERROR,
               .error = NEW(Status, status, .code = 9,
                            .message = T("no common protocol version: 2..3 here 1..1"),
                            .reason = T("VERSION_MISMATCH")))),
     NULL},
    {"invoke", "A call with bytes that are no text", REQUEST(1, SHIM "Invoke", 5000),
     PAYLOAD(InvokeRequest, invoke_request, .command = B("git"),
             BYTES(argv, B("git"), B(""), B("a b\n"), B("\xff\xfe"), B("h\xc3\xa9")),
             BYTES(env_block, B("PATH=/usr/bin"), B("A=1"), B("A=2"), B("no-equals"), B(""),
                   B("B=\x80")),
             .cwd = B("/tmp/\xe9"), .pid = 4242, .ppid = 1, .tty_mask = 5,
             .invocation_key = SESSION)},
    {"reply_inline", "Output, error output and exit code in the answer", RESPONSE(1),
     PAYLOAD(
         InvokeResponse, invoke_response,
         .action = ACTION(1, REPLY,
                          .reply = NEW(Reply, reply, .stdout_data = B("out\n\0"),
                                       .stderr_data = B("err\xff"), EXIT(255), .delay_ms = 10)))},
    {"reply_exit_zero", "Nothing to write, exit code 0: it is there all the same", RESPONSE(1),
     PAYLOAD(InvokeResponse, invoke_response,
             .action = ACTION(1, REPLY, .reply = NEW(Reply, reply, EXIT(0))))},
    {"reply_signal", "Die by a signal", RESPONSE(1),
     PAYLOAD(InvokeResponse, invoke_response,
             .action = ACTION(2, REPLY,
                              .reply = NEW(Reply, reply, .end_case = CMDMOX__V1__REPLY__END_SIGNAL,
                                           .signal = T("SIGTERM"))))},
    {"read_stdin", "Read stdin first", RESPONSE(1),
     PAYLOAD(InvokeResponse, invoke_response,
             .action = ACTION(CALL_ID, READ_STDIN,
                              .read_stdin = NEW(ReadStdin, read_stdin, .max_bytes = 16 << 20,
                                                .deadline_ms = 5000)))},
    {"passthrough", "Run the real command", RESPONSE(1),
     PAYLOAD(InvokeResponse, invoke_response,
             .action =
                 ACTION(3, PASSTHROUGH,
                        .passthrough = NEW(
                            Passthrough, passthrough, .search_path = B("/usr/bin:/bin"),
                            LIST(env_changes, Cmdmox__V1__EnvChange *,
                                 NEW(EnvChange, env_change, .name = B("A"), SET("1\xff")),
                                 NEW(EnvChange, env_change, .name = B("EMPTY"), SET("")),
                                 NEW(EnvChange, env_change, .name = B("GONE"))),
                            .capture_stdout = 1, .capture_stderr = 1, .capture_max_bytes = 1 << 20,
                            .timeout_ms = 60000, .kill_after_ms = 1000)))},
    {"response_error", "A request that failed",
     FRAME(3, RESPONSE, response,
           NEW(Response, response, .result_case = CMDMOX__V1__RESPONSE__RESULT_ERROR,
               .error = NEW(Status, status, .code = 3, .message = T("invalid command name: empty"),
                            .reason = T("BAD_COMMAND_NAME"),
                            LIST(details, Cmdmox__V1__StatusDetail *,
                                 NEW(StatusDetail, status_detail, .key = T("command"),
                                     .value = B("a/\xff")))))),
     NULL},
    {"stream_stdin", "stdin of the call, upwards",
     FRAME(1, STREAM_DATA, stream_data,
           NEW(StreamData, stream_data, .stream = CMDMOX__V1__STREAM__STREAM_STDIN,
               .data = B("\0\xff\n"), .monotonic_ns = UINT64_C(1234567890123))),
     NULL},
    {"stream_stdin_eof", "and its end",
     FRAME(1, STREAM_DATA, stream_data,
           NEW(StreamData, stream_data, .stream = CMDMOX__V1__STREAM__STREAM_STDIN, .eof = 1)),
     NULL},
    {"stream_stdout", "Output too large for the answer, downwards, delayed",
     FRAME(1, STREAM_DATA, stream_data,
           NEW(StreamData, stream_data, .stream = CMDMOX__V1__STREAM__STREAM_STDOUT,
               .data = B("chunk"), .delay_ms = 250)),
     NULL},
    {"continue_invoke", "stdin has been read; what next?", REQUEST(3, SHIM "ContinueInvoke", 0),
     PAYLOAD(ContinueInvokeRequest, continue_invoke_request, .call_id = CALL_ID, .stdin_bytes = 3,
             .stdin_end = CMDMOX__V1__STDIN_END__STDIN_END_EOF)},
    {"continue_response", "The answer after stdin", RESPONSE(3),
     PAYLOAD(ContinueInvokeResponse, continue_invoke_response,
             .action = ACTION(CALL_ID, REPLY, .reply = NEW(Reply, reply, EXIT(1))))},
    {"report_passthrough", "How the real command ended", REQUEST(3, SHIM "ReportPassthrough", 0),
     PAYLOAD(ReportPassthroughRequest, report_passthrough_request, .call_id = 3,
             .end_case = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_EXIT_CODE,
             .program = B("/usr/bin/git"), .stdout_bytes = 5, .merged = 1)},
    {"report_signal", "The real command died by a signal", REQUEST(3, SHIM "ReportPassthrough", 0),
     PAYLOAD(ReportPassthroughRequest, report_passthrough_request, .call_id = 3,
             .end_case = CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END_SIGNAL, .signal = T("SIGKILL"),
             .timed_out = 1, .program = B("/usr/bin/git"))},
    {"report_response", "Noted", RESPONSE(3), &report_response.base},
    {"completed", "The launcher is done", NOTIFY("cmdmox.v1.Completed"),
     PAYLOAD(Completed, completed, .call_id = 1, .stdout_written = 4, .stderr_written = 300,
             .broken_pipe = 1)},
    {"progress", "Still at work", NOTIFY("cmdmox.v1.Progress"),
     PAYLOAD(Progress, progress, .request_id = 1)},
    {"cancel", "Give up on request 5",
     FRAME(5, CANCEL, cancel, NEW(Cancel, cancel, .reason = T("timeout"))), NULL},
    {"go_away", "The server stops",
     FRAME(0, GO_AWAY, go_away,
           NEW(GoAway, go_away,
               .status = NEW(Status, status, .code = 14, .message = T("the server stops"),
                             .reason = T("LINK_CLOSED")))),
     NULL},
    {"create_session", "A session for one test", REQUEST(1, CONTROL "CreateSession", 0),
     PAYLOAD(CreateSessionRequest, create_session_request, .label = T("push"),
             .path_presence_case = CMDMOX__V1__CREATE_SESSION_REQUEST__PATH_PRESENCE_PATH,
             .path = B("/usr/bin:/bin"), .dialect = T("c"))},
    {"create_session_response", "Where the launchers are", RESPONSE(1),
     PAYLOAD(CreateSessionResponse, create_session_response, .session_id = SESSION,
             .shim_directory = B("/tmp/cmdmox-x/bin"),
             BYTES(env_block, B("PATH=/tmp/cmdmox-x/bin:/usr/bin:/bin"),
                   B("CMOX_IPC_SOCKET=unix:/tmp/cmdmox-x/s")))},
    {"register_commands", "Commands without a double", REQUEST(3, CONTROL "RegisterCommands", 0),
     PAYLOAD(RegisterCommandsRequest, register_commands_request, .session_id = SESSION,
             BYTES(commands, B("git"), B("ssh")))},
    {"create_doubles", "A double with every matcher and every facet",
     REQUEST(5, CONTROL "CreateDoubles", 0),
     PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = SESSION,
             LIST(doubles, Cmdmox__V1__Double *, (Cmdmox__V1__Double *)&every_matcher))},
    {"update_double", "One facet changes: never called", REQUEST(7, CONTROL "UpdateDouble", 0),
     PAYLOAD(UpdateDoubleRequest, update_double_request, .session_id = SESSION, .double_id = 1,
             .patch = (Cmdmox__V1__Double *)&patch)},
    {"replay", "Calls are answered from here on", REQUEST(9, CONTROL "Replay", 0),
     PAYLOAD(ReplayRequest, replay_request, .session_id = SESSION)},
    {"verify_response", "Not verified: a result, not an error", RESPONSE(11),
     PAYLOAD(VerifyResponse, verify_response,
             LIST(findings, Cmdmox__V1__Finding *, (Cmdmox__V1__Finding *)&finding),
             .text = T("git push was called 0 times, expected once\n"))},
    {"list_invocations_response", "The journal", RESPONSE(13),
     PAYLOAD(ListInvocationsResponse, list_invocations_response,
             LIST(invocations, Cmdmox__V1__Invocation *, (Cmdmox__V1__Invocation *)&invocation),
             .next_page_token = B("\x01"))},
    {"handle", "The server asks the client's handler: an even id",
     REQUEST(2, CALLBACK "Handle", 30000),
     PAYLOAD(HandleRequest, handle_request, .session_id = SESSION, .handler = 9,
             .invocation = (Cmdmox__V1__Invocation *)&invocation, BYTES(env_block, B("LANG=C")))},
    {"handle_response", "The handler's answer", RESPONSE(2),
     PAYLOAD(HandleResponse, handle_response,
             .outcome_case = CMDMOX__V1__HANDLE_RESPONSE__OUTCOME_REPLY,
             .reply = NEW(Reply, reply, .stdout_data = B("handled\n"), EXIT(0)))},
    {"match", "The server asks the client's predicate", REQUEST(4, CALLBACK "Match", 0),
     PAYLOAD(MatchRequest, match_request, .session_id = SESSION, .callback = UINT64_MAX,
             .value = B("\xff"))},
};
const size_t cmox_test_wire_case_count = sizeof cmox_test_wire_cases / sizeof *cmox_test_wire_cases;
