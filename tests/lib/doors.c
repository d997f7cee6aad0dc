#include "tests/lib/doors.h"

#include <check.h>
#include <cmdmox/engine.h>
#include <cmdmox/v1/control.pb-c.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/lib/messages.h"
#include "tests/lib/schema.h"

#define CONTROL "cmdmox.v1.ControlService/"

doors_method_t doors_methods[DOORS_METHODS_MAX];
int doors_method_count;

void doors_list_methods(void) {
  for (size_t s = 0; s < sizeof cmox_test_services / sizeof *cmox_test_services; s++)
    for (unsigned m = 0;
         m < cmox_test_services[s]->n_methods && doors_method_count < DOORS_METHODS_MAX; m++) {
      doors_method_t *method = &doors_methods[doors_method_count++];
      method->row = &cmox_test_services[s]->methods[m];
      method->for_shims = strcmp(cmox_test_services[s]->name, "cmdmox.v1.ShimService") == 0;
      snprintf(method->name, sizeof method->name, "%s/%s", cmox_test_services[s]->name,
               method->row->name);
    }
}

/* ---- An engine with a session in replay ---- */

alloc_fault_t doors_memory;
static cmox_engine_t *engine;
raw_link_t doors_control, doors_shim;
uint32_t doors_last_id;
static uint8_t session[16];
static char socket_path[128];

sample_t doors_sample(unsigned variant) {
  return (sample_t){.variant = variant, .session_id = {sizeof session, session}, .double_id = 1};
}

void doors_connect_control(raw_link_t *link) {
  *link = (raw_link_t){.fd = -1};
  ck_assert_int_eq(cmox_engine_connect(engine, &link->fd, NULL, 0), CMOX_OK);
}

void doors_connect_shim(raw_link_t *link) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  ck_assert_uint_lt(strlen(socket_path), sizeof address.sun_path);
  strcpy(address.sun_path, socket_path);
  *link = (raw_link_t){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ck_assert_int_eq(connect(link->fd, (const struct sockaddr *)&address, sizeof address), 0);
}

static void must(const char *method, const ProtobufCMessage *input) {
  Cmdmox__V1__Frame *frame = raw_ask(&doors_control, doors_last_id += 2, method, input);
  ck_assert_msg(strcmp(raw_reason(frame), "OK") == 0, "%s: %s", method, raw_message(frame));
  raw_frame_free(frame);
}

static void create_session(void) {
  Cmdmox__V1__Frame *frame =
      raw_ask(&doors_control, doors_last_id += 2, CONTROL "CreateSession",
              PAYLOAD(CreateSessionRequest, create_session_request, .label = T("generic")));
  ProtobufCMessage *answer = raw_answer(frame, &cmdmox__v1__create_session_response__descriptor);
  const Cmdmox__V1__CreateSessionResponse *made = (const Cmdmox__V1__CreateSessionResponse *)answer;
  ck_assert_uint_eq(made->session_id.len, sizeof session);
  memcpy(session, made->session_id.data, sizeof session);
  static const char key[] = "CMOX_IPC_SOCKET=unix:";
  for (size_t i = 0; i < made->n_env_block; i++)
    if (made->env_block[i].len > strlen(key) &&
        memcmp(made->env_block[i].data, key, strlen(key)) == 0)
      snprintf(socket_path, sizeof socket_path, "%.*s", (int)(made->env_block[i].len - strlen(key)),
               (const char *)made->env_block[i].data + strlen(key));
  protobuf_c_message_free_unpacked(answer, NULL);
  raw_frame_free(frame);
}

void doors_begin(void) {
  doors_connect_control(&doors_control);
  raw_greet(&doors_control, CMDMOX__V1__ROLE__ROLE_CONTROLLER);
  create_session();
  const ProtobufCBinaryData id = {sizeof session, session};
  must(CONTROL "CreateDoubles",
       PAYLOAD(CreateDoublesRequest, create_doubles_request, .session_id = id,
               LIST(doubles, Cmdmox__V1__Double *,
                    NEW(Double, double, .command = B("git"),
                        .kind = CMDMOX__V1__DOUBLE_KIND__DOUBLE_KIND_STUB))));
  must(CONTROL "Replay", PAYLOAD(ReplayRequest, replay_request, .session_id = id));
  doors_connect_shim(&doors_shim);
  raw_greet(&doors_shim, CMDMOX__V1__ROLE__ROLE_SHIM);
}

void doors_end(void) {
  raw_close(&doors_shim);
  raw_close(&doors_control);
}

void doors_setup(void) {
  alloc_fault_install(&doors_memory, false);
  (void)alloc_fault_rest(&doors_memory);
  const cmox_engine_options_t options = {.size = sizeof options, .shim = NULL};
  char why[512];
  ck_assert_msg(cmox_engine_start(&options, &engine, why, sizeof why) == CMOX_OK, "%s", why);
  doors_last_id = (uint32_t)-1;
  doors_begin();
}

void doors_teardown(void) {
  doors_end();
  cmox_engine_stop(engine);
  alloc_fault_remove(&doors_memory);
}

/* ---- Exchanges ---- */

/* Two fences: what is asked now is answered after all that was asked before, also by
 * methods that wait for a drain. Their ids; each is answered in its own way. */
static uint32_t send_fence(raw_link_t *link, bool drained) {
  raw_bytes_t bytes = {0};
  uint32_t id = doors_last_id += 2;
  if (link != &doors_control)
    raw_put_request(&bytes, id, "cmdmox.v1.ShimService/NoSuchMethod", NULL, 0);
  else if (drained)
    raw_put_request(&bytes, id, CONTROL "GetCallCount", NULL, 0);
  else
    raw_put_request(&bytes, id, CONTROL "Ping", "\x0a\x02hi", 4);
  raw_send_all(link, &bytes);
  raw_free(&bytes);
  return id;
}

static const char *fence_reason(const raw_link_t *link, bool drained) {
  if (link != &doors_control) return "UNIMPLEMENTED";
  return drained ? "NOT_FOUND" : "OK";
}

void doors_note(doors_outcome_t *outcome, const doors_method_t *method,
                const Cmdmox__V1__Frame *frame) {
  outcome->responses++;
  snprintf(outcome->reason, sizeof outcome->reason, "%s", raw_reason(frame));
  ck_assert_str_ne(outcome->reason, "INTERNAL");
  if (strcmp(outcome->reason, "OK") != 0) return;
  ProtobufCMessage *answer = raw_answer(frame, method->row->output);
  protobuf_c_message_free_unpacked(answer, NULL);
}

/* Reads until this many responses have come, and the fence. */
static void collect(raw_link_t *link, const doors_method_t *method, uint32_t id, unsigned wanted,
                    bool drained, doors_outcome_t *outcome) {
  uint32_t fence = send_fence(link, drained);
  for (bool fenced = false; !fenced || outcome->responses < wanted;) {
    Cmdmox__V1__Frame *frame = raw_read(link);
    ck_assert_msg(frame != NULL, "%s: the link was closed", method->name);
    ck_assert_msg(frame->body_case != CMDMOX__V1__FRAME__BODY_GO_AWAY, "%s: GoAway: %s",
                  method->name, raw_message(frame));
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE) {
      ck_assert_msg(frame->id == id || frame->id == fence, "%s: a response to nothing",
                    method->name);
      if (frame->id == id) doors_note(outcome, method, frame);
      if (frame->id == fence) {
        ck_assert_str_eq(raw_reason(frame), fence_reason(link, drained));
        fenced = true;
      }
    }
    raw_frame_free(frame);
  }
}

/* Sends bytes that hold requests with this id; asserts that each has one response and that
 * the link goes on. */
doors_outcome_t doors_exchange_bytes(raw_link_t *link, const doors_method_t *method, uint32_t id,
                                     raw_bytes_t *bytes, unsigned requests) {
  doors_outcome_t outcome = {{0}, 0};
  raw_send_all(link, bytes);
  collect(link, method, id, requests, false, &outcome);
  collect(link, method, id, requests, true, &outcome);
  ck_assert_msg(outcome.responses == requests, "%s: %u responses to %u requests", method->name,
                outcome.responses, requests);
  return outcome;
}

raw_link_t *doors_side(const doors_method_t *method) {
  return method->for_shims ? &doors_shim : &doors_control;
}

doors_outcome_t doors_exchange(raw_link_t *link, const doors_method_t *method, const void *payload,
                               size_t len) {
  raw_bytes_t bytes = {0};
  uint32_t id = doors_last_id += 2;
  raw_put_request(&bytes, id, method->name, payload, len);
  doors_outcome_t outcome = doors_exchange_bytes(link, method, id, &bytes, 1);
  raw_free(&bytes);
  return outcome;
}
