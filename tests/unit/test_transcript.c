/* The wire transcript: what of a frame is shown, and what is not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"
#include "server/rpc/transcript.h"
#include "server/wire/wire.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/files.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/schema.h"
#include "tests/lib/trace_file.h"

static const char *transcript_of(cmox_span_t body, const ProtobufCMessageDescriptor *payload) {
  static char line[CMOX_TRACE_LINE_MAX + 1];
  (void)unlink(trace_path);
  cmox_trace_hold(trace_path);
  cmox_transcript(CMOX_TRACE_FRAME_OUT, 3, body, payload);
  cmox_trace_release();
  char *text = cmox_test_read_file(trace_path);
  (void)snprintf(line, sizeof line, "%s", text);
  free(text);
  return line;
}

static const char *response_transcript(const ProtobufCMessageDescriptor *type,
                                       cmox_span_t payload) {
  Cmdmox__V1__Response response = CMDMOX__V1__RESPONSE__INIT;
  response.result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD;
  response.payload = cmox_to_bytes(payload);
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.id = 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_RESPONSE;
  frame.response = &response;
  cmox_buf_t body = CMOX_BUF_EMPTY;
  cmox_wire_pack(&frame.base, &body);
  const char *line = transcript_of(cmox_buf_span(&body), type);
  cmox_buf_clear(&body);
  return line;
}

/* Whatever the schema gains is hidden until somebody adds it here and in transcript.c. */
static const char *const shown[] = {
    "cmdmox.v1.AllowCommandsRequest.commands",
    "cmdmox.v1.AssertCallsRequest.command",
    "cmdmox.v1.Cancel.reason",
    "cmdmox.v1.CreateSessionRequest.label",
    "cmdmox.v1.CreateSessionRequest.temporary_directory",
    "cmdmox.v1.CreateSessionRequest.dialect",
    "cmdmox.v1.CreateSessionResponse.shim_directory",
    "cmdmox.v1.Double.command",
    "cmdmox.v1.DocumentSession.label",
    "cmdmox.v1.Double.label",
    "cmdmox.v1.DoubleAction.gate",
    "cmdmox.v1.FileEffect.command",
    "cmdmox.v1.GetCallCountRequest.command",
    "cmdmox.v1.GetServerInfoResponse.features",
    "cmdmox.v1.GetServerInfoResponse.software",
    "cmdmox.v1.Hello.features",
    "cmdmox.v1.Hello.software",
    "cmdmox.v1.HelloOk.features",
    "cmdmox.v1.HelloOk.software",
    "cmdmox.v1.Invocation.argv",
    "cmdmox.v1.Invocation.command",
    "cmdmox.v1.Invocation.cwd",
    "cmdmox.v1.Invocation.program",
    "cmdmox.v1.Invocation.signal",
    "cmdmox.v1.InvokeRequest.argv",
    "cmdmox.v1.InvokeRequest.command",
    "cmdmox.v1.InvokeRequest.cwd",
    "cmdmox.v1.ListInvocationsRequest.command",
    "cmdmox.v1.Location.file",
    "cmdmox.v1.MakeAbsentRequest.commands",
    "cmdmox.v1.Notify.topic",
    "cmdmox.v1.Passthrough.program",
    "cmdmox.v1.RegisterCommandsRequest.commands",
    "cmdmox.v1.ReleaseCallsRequest.gate",
    "cmdmox.v1.Reply.signal",
    "cmdmox.v1.ReportPassthroughRequest.program",
    "cmdmox.v1.ReportPassthroughRequest.signal",
    "cmdmox.v1.Request.method",
    "cmdmox.v1.Status.reason",
};

static bool is_shown(const char *name) {
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
    if (strcmp(shown[i], name) == 0) return true;
  return false;
}

START_TEST(only_known_fields_are_shown) {
  static const uint8_t value[] = "unmistakable";
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  size_t seen = 0;
  for (size_t t = 0; t < n; t++)
    for (unsigned f = 0; f < types[t]->n_fields; f++) {
      const ProtobufCFieldDescriptor *field = &types[t]->fields[f];
      if (field->type != PROTOBUF_C_TYPE_BYTES && field->type != PROTOBUF_C_TYPE_STRING) continue;
      /* A tag of two bytes, for numbers from 16 on too. */
      uint8_t payload[32] = {(uint8_t)(field->id << 3 | 2 | 0x80), (uint8_t)(field->id >> 4),
                             sizeof value};
      ck_assert_uint_lt(field->id, 128);
      memcpy(payload + 3, value, sizeof value);
      char name[128];
      (void)snprintf(name, sizeof name, "%s.%s", types[t]->name, field->name);
      const char *line = response_transcript(types[t], cmox_span(payload, 3 + sizeof value));
      ck_assert_msg((strstr(line, "unmistakable") != NULL) == is_shown(name), "%s: %s", name, line);
      seen += is_shown(name);
    }
  ck_assert_uint_ge(seen, sizeof shown / sizeof *shown - 2); /* all but what no type reaches */
}
END_TEST

static const char *invoke_transcript(const char *const *argv) {
  Cmdmox__V1__InvokeRequest request = CMDMOX__V1__INVOKE_REQUEST__INIT;
  ProtobufCBinaryData items[8];
  ProtobufCBinaryData env[3];
  for (; argv[request.n_argv]; request.n_argv++)
    items[request.n_argv] = cmox_to_bytes(cmox_span_str(argv[request.n_argv]));
  for (size_t i = 0; i < 3; i++) env[i] = cmox_to_bytes(cmox_span_str("HOME=/home/me"));
  request.argv = items;
  request.env_block = env;
  request.n_env_block = 3;
  request.command = items[0];
  request.pid = 5;
  cmox_buf_t payload = CMOX_BUF_EMPTY;
  cmox_wire_pack(&request.base, &payload);
  const char *line =
      response_transcript(&cmdmox__v1__invoke_request__descriptor, cmox_buf_span(&payload));
  cmox_buf_clear(&payload);
  return line;
}

START_TEST(arguments_are_masked_before_they_are_cut) {
  char long_secret[400];
  memset(long_secret, 's', sizeof long_secret);
  memcpy(long_secret, "https://me:", 11);
  (void)strcpy(long_secret + sizeof long_secret - 10, "@host/x");
  const char *line = invoke_transcript((const char *const[]){
      "curl", "--password", "sssss", "-H", "Authorization: Bearer sssss", long_secret, NULL});
  ck_assert_ptr_null(strstr(line, "ssss"));
  ck_assert_ptr_nonnull(strstr(
      line,
      "id=1 response={payload={command=curl argv=curl argv=--password argv=\"***\" argv=-H "
      "argv=\"Authorization:***\" argv=\"https://me:***@host/x\" env_block=<3 entries> pid=5}}\n"));
}
END_TEST

static void transcript_of_a_secret(alloc_fault_t *fault) {
  (void)fault;
  ck_assert_ptr_null(
      strstr(invoke_transcript((const char *const[]){"curl", "--token=sssss", NULL}), "sss"));
}

START_TEST(an_argument_without_memory_is_not_shown) {
  alloc_fault_sweep("transcript of a secret", transcript_of_a_secret);
}
END_TEST

static char hex_files[64][128];
static size_t n_hex_files;
#define WIRE CMOX_SOURCE_DIR "/fixtures/wire"

/* Sanitizers watch. */
START_TEST(malformed_frames_are_shown_as_far_as_they_go) {
  char name[256];
  (void)snprintf(name, sizeof name, WIRE "/%s", hex_files[_i]);
  char *text = cmox_test_read_file(name);
  size_t len;
  uint8_t *data = cmox_test_unhex(text, &len);
  ck_assert_uint_gt(len, 0);
  cmox_trace_hold("/dev/null");
  for (size_t cut = 0; cut <= len; cut++) {
    uint8_t *exact = malloc(cut ? cut : 1); /* so that a byte too far is noticed */
    memcpy(exact, data, cut);
    cmox_transcript(CMOX_TRACE_FRAME_IN, 1, cmox_span(exact, cut), NULL);
    for (size_t at = 0; at < cut; at++) {
      for (unsigned bit = 0; bit < 8; bit++) {
        exact[at] ^= (uint8_t)(1u << bit);
        if (cut == len) cmox_transcript(CMOX_TRACE_FRAME_IN, 1, cmox_span(exact, cut), NULL);
        exact[at] ^= (uint8_t)(1u << bit);
      }
    }
    free(exact);
  }
  cmox_trace_release();
  free(data);
  free(text);
}
END_TEST

START_TEST(a_newer_field_and_a_malformed_one_are_named) {
  static const uint8_t newer[] = {0x08, 0x01, 0xa8, 0x06, 0x05};
  ck_assert_ptr_nonnull(
      strstr(transcript_of(cmox_span(newer, sizeof newer), NULL), "id=1 101=<unknown>\n"));
  static const uint8_t longer[] = {0x08, 0x01, 0x12, 0x05, 0x08}; /* five bytes are announced */
  ck_assert_ptr_nonnull(
      strstr(transcript_of(cmox_span(longer, sizeof longer), NULL), "id=1 <malformed>\n"));
  static const uint8_t group[] = {0x0b};
  ck_assert_ptr_nonnull(
      strstr(transcript_of(cmox_span(group, sizeof group), NULL), "bytes=1 <malformed>\n"));
}
END_TEST

int main(void) {
  n_hex_files = cmox_test_list(WIRE, ".hex", hex_files, 64);
  Suite *suite = suite_create("transcript");
  TCase *all = tcase_create("transcript");
  tcase_set_timeout(all, 60);
  tcase_add_checked_fixture(all, trace_file_open, trace_file_close);
  tcase_add_test(all, only_known_fields_are_shown);
  tcase_add_test(all, arguments_are_masked_before_they_are_cut);
  tcase_add_test(all, an_argument_without_memory_is_not_shown);
  tcase_add_loop_test(all, malformed_frames_are_shown_as_far_as_they_go, 0, (int)n_hex_files);
  tcase_add_test(all, a_newer_field_and_a_malformed_one_are_named);
  suite_add_tcase(suite, all);
  return run_suite(suite) || n_hex_files == 0;
}
