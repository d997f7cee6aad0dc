/* seeds FOLDER: writes what a fuzzer starts from into FOLDER/TARGET: the messages of
 * tests/lib/wire_cases, fixtures/precheck and fixtures/json, and conversations written by hand in
 * the steps that fuzz_conversation.c and fuzz_shim.c read. tests/fuzz/run feeds them in before it
 * fuzzes. */
#include <string.h>
#include <sys/stat.h>

#include "cmdmox/v1/control.pb-c.h"
#include "proto/framing.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/files.h"
#include "tests/lib/schema.h"
#include "tests/lib/wire_cases.h"

enum { SEED_MAX = 1 << 16, FILES_MAX = 256 };

static const char *folder;

static void write_seed(const char *target, const char *name, const void *data, size_t len) {
  char path[512];
  (void)mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/%s", folder, target);
  (void)mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
  FILE *file = fopen(path, "wb");
  FUZZ_NEED(file && fwrite(data, 1, len, file) == len && fclose(file) == 0, "cannot write %s",
            path);
}

static uint8_t type_number(const ProtobufCMessageDescriptor *type) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t count = cmox_test_types(&types);
  size_t i = 0;
  while (i < count && types[i] != type) i++;
  return (uint8_t)i;
}

static void write_payload(const char *name, const ProtobufCMessageDescriptor *type,
                          const uint8_t *data, size_t len) {
  uint8_t seed[SEED_MAX];
  FUZZ_NEED(len < sizeof seed, "%s is too long", name);
  seed[0] = type_number(type);
  if (len) memcpy(seed + 1, data, len);
  write_seed("decode", name, seed, len + 1);
}

/* A frame as it goes over the wire, cut into pieces of 1, 2, 3 ... bytes. */
static void write_frame(const char *name, const uint8_t *body, size_t len) {
  static const uint8_t plan[] = {3, 4, 1, 2, 3, 255};
  uint8_t seed[SEED_MAX];
  memcpy(seed, plan, 1);
  memcpy(seed + 1, plan, sizeof plan);
  seed[1] = 4;
  size_t at = 1 + sizeof plan;
  for (int twice = 0; twice < 2; twice++) {
    at += cmox_prefix_write(seed + at, (uint32_t)len);
    memcpy(seed + at, body, len);
    at += len;
  }
  write_seed("frame", name, seed, at);
  seed[0] = 0;
  write_seed("shim", name, seed, at);
}

static void wire_cases(void) {
  for (size_t i = 0; i < cmox_test_wire_case_count; i++) {
    const wire_case_t *c = &cmox_test_wire_cases[i];
    uint8_t bytes[SEED_MAX];
    size_t len = protobuf_c_message_pack(&c->frame->base, bytes);
    write_payload(c->name, c->frame->base.descriptor, bytes, len);
    write_frame(c->name, bytes, len);
    if (!c->payload) continue;
    char name[64];
    snprintf(name, sizeof name, "%s-payload", c->name);
    len = protobuf_c_message_pack(c->payload, bytes);
    write_payload(name, c->payload->descriptor, bytes, len);
    if (c->payload->descriptor != &cmdmox__v1__create_doubles_request__descriptor) continue;
    const Cmdmox__V1__CreateDoublesRequest *request =
        (const Cmdmox__V1__CreateDoublesRequest *)c->payload;
    bytes[0] = 5;
    bytes[1] = 0;
    len = 2 + protobuf_c_message_pack(&request->doubles[0]->base, bytes + 2);
    write_seed("matchers", name, bytes, len);
  }
}

static void precheck_files(void) {
  static char names[FILES_MAX][128];
  const char *from = CMOX_SOURCE_DIR "/fixtures/precheck";
  const size_t count = cmox_test_list(from, ".hex", names, FILES_MAX);
  FUZZ_NEED(count > 0, "no files in %s", from);
  for (size_t i = 0; i < count; i++) {
    char path[512], type[128];
    size_t len;
    snprintf(path, sizeof path, "%s/%s", from, names[i]);
    char *text = cmox_test_read_file(path);
    cmox_test_header(text, "type", type, sizeof type);
    uint8_t *bytes = cmox_test_unhex(text, &len);
    write_payload(names[i], cmox_test_type(type), bytes, len);
    free(bytes);
    free(text);
  }
}

#define BYTES(text) text, sizeof(text) - 1

/* The steps; what each number means is in fuzz_conversation.c, talk.c and serve.c. */
#define SESSION "\x01\x00\x00"
#define MOCK_ANY "\xe8\x00\x00\x01\x00\x00\x00\x00"
/* git push: two nodes, two arguments, at most 3 calls, an answer, a location */
#define MOCK_PUSH                                            \
  "\xe8\x00\x00\x01\x39\x00\x02\x00\x03\x02\x05\x02\x00\x01" \
  "\x01\x03\x13\x03\x04\x01\x00\x2a\x00"
#define MOCK_REGEX "\xe8\x00\x00\x01\x01\x00\x01\x04\x0b\x01\x00\x00"
#define STUB_STDIN "\xe8\x00\x00\x00\x16\x00\x01\x00\x0e\x00\x01\x08\x05\x01\x03\x00"
#define STUB_GATE "\xe8\x00\x00\x00\x10\x00\x00\x04\x05\x00"
#define STUB_OTHER_GATE "\xe8\x00\x00\x00\x10\x01\x00\x04\x0f\x00"
#define STUB_PASS "\xe8\x00\x00\x00\x10\x00\x00\xc0\x07\x00"
#define STUB_PASS_GATED "\xe8\x00\x00\x00\x10\x00\x00\xc0\x36\x05\x05\x00"
#define REPORT "\x05\x01\x03\xc0\x72\x07\x0e\x03\x03\x00"
#define REPLACED "\x05\x01\x03\xc0\x01\x00"
#define STDOUT "\x04\x21\x0e"
#define REPLAY "\x98\x02\x00\x00\x00"
#define VERIFY "\x98\x02\x01\x00\x00"
#define LIST "\x98\x02\x02\x00\x00\x00"
#define COUNT "\x98\x02\x03\x00\x01\x00\x00"
#define RELEASE "\x98\x02\x05\x00\x05\x00" /* gate "origin" */
#define RELEASE_OTHER "\x98\x02\x05\x00\x0f\x00"
#define DELETE "\x98\x02\x07\x00\x00"
#define CALL(key) "\xd0" key "\x0b\x00\x00\x03\x05\x13\x00"
#define OTHER_CALL(key) "\xd0" key "\x0b\x01\x00\x03\x05\x13\x00"
#define STDIN "\x04\x00\x0e"
#define CONTINUE "\x05\x01\x03\x01\x00"
#define COMPLETED "\x06\x00\x01\x03\x00"
#define GONE "\xb0"
#define LATER "\xb5\xf5" /* 65,536 ms */

static const struct {
  const char *target, *name, *data;
  size_t len;
} by_hand[] = {
    {"conversation", "one_call",
     BYTES(SESSION MOCK_ANY REPLAY CALL("\x01") COMPLETED VERIFY LIST COUNT)},
    {"conversation", "arguments",
     BYTES(SESSION MOCK_PUSH REPLAY CALL("\x01") COMPLETED CALL("\x02") VERIFY LIST)},
    {"conversation", "regex", BYTES(SESSION MOCK_REGEX REPLAY CALL("\x01") COMPLETED VERIFY)},
    {"conversation", "stdin",
     BYTES(SESSION STUB_STDIN REPLAY CALL("\x01") STDIN CONTINUE COMPLETED VERIFY LIST)},
    {"conversation", "gate",
     BYTES(SESSION STUB_GATE REPLAY CALL("\x01") LATER LATER RELEASE VERIFY)},
    {"conversation", "gate_and_verify", BYTES(SESSION STUB_GATE REPLAY CALL("\x01") VERIFY DELETE)},
    {"conversation", "lost_and_retried",
     BYTES(SESSION STUB_GATE REPLAY CALL("\x01") GONE CALL("\x01") RELEASE COMPLETED VERIFY)},
    {"conversation", "before_replay",
     BYTES(SESSION MOCK_ANY CALL("\x01") REPLAY VERIFY CALL("\x02"))},
    {"conversation", "deleted", BYTES(SESSION STUB_GATE REPLAY CALL("\x01") DELETE VERIFY)},
    {"conversation", "client_gone",
     BYTES(SESSION STUB_GATE REPLAY CALL("\x01") "\x98" GONE CALL("\x02"))},
    {"conversation", "two_gates",
     BYTES(SESSION STUB_GATE STUB_OTHER_GATE REPLAY CALL("\x01") OTHER_CALL("\x02") CALL("\x03")
               RELEASE RELEASE_OTHER CALL("\x04") VERIFY)},
    {"conversation", "excess",
     BYTES(SESSION MOCK_ANY REPLAY CALL("\x01") CALL("\x02") CALL("\x03") VERIFY LIST)},
    {"conversation", "memory", BYTES(SESSION MOCK_PUSH REPLAY "\xb6\x03" CALL("\x01") VERIFY)},
    {"conversation", "blocked",
     BYTES(SESSION MOCK_ANY REPLAY "\xb3\x05" VERIFY "\xb3\xff" LIST "\xb4\x01" COUNT)},
    {"conversation", "large",
     BYTES(SESSION "\xe8\x00\x00\x00\x10\x00\x00\x03\xff\xff\xff\xff\x00" REPLAY CALL("\x01"))},
    {"conversation", "passthrough",
     BYTES(SESSION STUB_PASS REPLAY CALL("\x01") STDIN STDOUT REPORT COMPLETED VERIFY LIST)},
    {"conversation", "passthrough_at_a_gate",
     BYTES(SESSION STUB_PASS_GATED REPLAY CALL("\x01") LATER RELEASE LATER STDOUT VERIFY)},
    {"conversation", "passthrough_lost",
     BYTES(SESSION STUB_PASS REPLAY CALL("\x01") STDOUT GONE CALL("\x01") REPORT COMPLETED VERIFY)},
    {"conversation", "passthrough_replaced",
     BYTES(SESSION STUB_PASS REPLAY CALL("\x01") REPLACED GONE CALL("\x02") REPLACED VERIFY)},
    {"shim", "reply", BYTES("\x01\x00\x04\x00\x02\x13\x00\x03\x07\x01\x00")},
    {"shim", "signal", BYTES("\x01\x00\x04\x00\x02\x20\x00\x01\x00")},
    {"shim", "hang", BYTES("\x01\x00\x04\x00\x02\x30\x01\x01\x00")},
    {"shim", "stdin",
     BYTES("\x01\x00\x04\x00\x03\x08\x00\x00\x01\x00\x41\x0e\x42\x02\x11\x00\x07\x01\x00")},
    {"shim", "stdin_late",
     BYTES("\x01\x00\x04\x00\x03\x08\x05\x00\x01\x00\x43\xf2\x02\x11\x00\x07\x01\x00")},
    {"shim", "streams",
     BYTES("\x01\x00\x04\x00\x04\x00\x03\x04\x01\xff\xff\x07\x00\x05\x02\x10\x01\x01\x00")},
    {"shim", "broken_pipe", BYTES("\x01\x00\x05\x01\x00\x02\x13\x00\x03\x07\x01\x00")},
    {"shim", "refused", BYTES("\x01\x00\x00\x01\x01\x0e\x0f")},
    {"shim", "error", BYTES("\x01\x00\x04\x00\x05\x00\x0e")},
    {"shim", "retries",
     BYTES("\x01\x00\x06\x01\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x02\x11\x00\x00\x01\x00")},
    {"shim", "byte_by_byte", BYTES("\x01\x00\x00\x20\x00\x22\x13\x00\x03\x07\x01\x00")},
    {"shim", "other_endpoint", BYTES("\x01\xf1\x00\x00")},
    {"decode", "payload_is_a_number", BYTES("\x00\x2a\x02\x08\x01")},
    {"decode", "message_is_a_number", BYTES("\x00\x2a\x04\x12\x02\x10\x01")},
    {"frame", "address_unix", BYTES("\x00unix:/tmp/cmdmox-x/priv/s")},
    {"frame", "address_tcp", BYTES("\x00tcp:127.0.0.1:4711")},
    {"frame", "address_tcp6", BYTES("\x00tcp:[::1]:80")},
    {"frame", "address_pipe", BYTES("\x00pipe:cmdmox-1")},
    {"frame", "address_bare", BYTES("\x00./s")},
    {"frame", "timeout",
     BYTES("\x01"
           "2.5005")},
    {"frame", "timeout_none", BYTES("\x01none")},
    {"frame", "timeout_most",
     BYTES("\x01"
           "86400.000")},
    {"frame", "prefix_too_large", BYTES("\x02\x00\x00\x00\x10\x80\x01")},
    {"frame", "first_frame_too_large", BYTES("\x03\x00\x88\x27\xfe\x00")},
    {"frame", "prefix", BYTES("\x02\x00\x00\xff\xff\x80\x01")},
    {"frame", "long_frames", BYTES("\x03\x03\xfb\x01\xff\x02xx\x88'\xfe\x00\xff\xff\x03")},
    {"matchers", "regex", BYTES("\x04\x06origin^(o|x)+[a-z]{2,}\\d?(?=n)n$")},
    {"matchers", "explodes",
     BYTES("\x04\x10"
           "aaaaaaaaaaaaaaab(a+)+$")},
    {"matchers", "contains",
     BYTES("\x03\x04push"
           "us")},
    {"matchers", "equals", BYTES("\x00\x04pushpush")},
    {"matchers", "starts_with", BYTES("\x02\x04pushpu")},
    {"matchers", "ends_with", BYTES("\x80\x04pushsh")},
    {"matchers", "glob", BYTES("\x81\x04pushp[a-z]*[!x]?")},
    {"matchers", "json", BYTES("\x82\x11{\"a\":[1,{\"b\":2}]}{\"a\": [1, {\"b\": 3}]}")},
    {"matchers", "is_float", BYTES("\x83\x05-1e-5\x01")},
};

/* The cases of unit/json. */
static void json_files(void) {
  static char names[FILES_MAX][128];
  const size_t count = cmox_test_list(CMOX_SOURCE_DIR "/fixtures/json", ".json", names, FILES_MAX);
  for (size_t i = 0; i < count; i++) {
    char path[512];
    snprintf(path, sizeof path, CMOX_SOURCE_DIR "/fixtures/json/%s", names[i]);
    char *text = cmox_test_read_file(path);
    write_seed("json", names[i], text, strlen(text));
    free(text);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  folder = argv[1];
  wire_cases();
  precheck_files();
  json_files();
  for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
    write_seed(by_hand[i].target, by_hand[i].name, by_hand[i].data, by_hand[i].len);
  return 0;
}
