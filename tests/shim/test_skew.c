/* Servers of another version: the launcher speaks what both know, or says which versions there are;
 * what is newer is passed over, or ends in one line and 125. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/peer.h"
#include "tests/lib/raw.h"

/* A field that no message of ours has. */
static void put_newer(raw_bytes_t *bytes) { raw_put_field(bytes, 3000, "newer", 5); }

/* Puts what is in *bytes into a field of a message that has newer fields around it. */
static void wrap(raw_bytes_t *bytes, uint32_t number) {
  raw_bytes_t outer = {0};
  put_newer(&outer);
  raw_put_field(&outer, number, bytes->data, bytes->len);
  put_newer(&outer);
  raw_free(bytes);
  *bytes = outer;
}

static void send_frame(int peer, raw_bytes_t *body) {
  raw_bytes_t whole = {0};
  raw_put_varint(&whole, body->len);
  raw_put(&whole, body->data, body->len);
  cmox_peer_bytes(peer, whole.data, whole.len);
  raw_free(&whole);
  raw_free(body);
}

static void welcome(int peer, uint64_t version) {
  raw_bytes_t body = {0};
  raw_put(&body, "\x08", 1); /* HelloOk.version */
  raw_put_varint(&body, version);
  wrap(&body, 1); /* HelloReply.ok */
  wrap(&body, 3); /* Frame.hello_reply */
  send_frame(peer, &body);
}

/* The answer to Invoke; reply are fields of Reply. */
static void answer(int peer, const void *reply, size_t len) {
  raw_bytes_t body = {0};
  raw_put(&body, reply, len);
  put_newer(&body);
  wrap(&body, 2); /* Action.reply */
  wrap(&body, 1); /* InvokeResponse.action */
  wrap(&body, 1); /* Response.payload */
  wrap(&body, 5); /* Frame.response */
  raw_put(&body, "\x08\x01", 2);
  send_frame(peer, &body);
}

static int begin(cmox_stage_t *stage, cmox_run_t *run, uint64_t version) {
  cmox_stage_open(stage);
  cmox_run_start(stage, CMOX_START(.argv = NULL), run);
  const int peer = cmox_peer_accept(stage);
  cmox_peer_free_invoke(cmox_peer_invoke(peer));
  welcome(peer, version);
  return peer;
}

static void end(cmox_stage_t *stage, int peer) {
  close(peer);
  cmox_stage_close(stage);
}

START_TEST(another_version_is_refused_with_both_by_name) {
  static const uint32_t versions[] = {0, CMOX_PROTOCOL_MAX + 1, UINT32_MAX};
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
    cmox_stage_t stage;
    cmox_run_t run;
    char why[128];
    const int peer = begin(&stage, &run, versions[i]);
    snprintf(why, sizeof why, "the server chose protocol %u, this shim speaks %u-%u", versions[i],
             CMOX_PROTOCOL_MIN, CMOX_PROTOCOL_MAX);
    cmox_run_failed(&run, why);
    end(&stage, peer);
  }
}
END_TEST

START_TEST(a_server_that_finds_no_common_version_is_heard) {
  static const char why[] = "this side speaks protocol versions 7 to 9, the other 1 to 1";
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  const int peer = cmox_peer_accept(&stage);
  cmox_peer_free_invoke(cmox_peer_invoke(peer));
  cmox_peer_refuse(peer, "VERSION_MISMATCH", why);
  cmox_run_failed(&run, why);
  end(&stage, peer);
}
END_TEST

START_TEST(newer_fields_at_every_level_are_passed_over) {
  cmox_stage_t stage;
  cmox_run_t run;
  const int peer = begin(&stage, &run, CMOX_PROTOCOL_MAX);
  answer(peer, "\x0a\x02ok\x18\x03", 6); /* stdout_data, exit_code 3 */
  cmox_run_exited(&run, 3);
  ck_assert_str_eq(run.out, "ok");
  ck_assert_uint_eq(run.err_len, 0);
  cmox_run_free(&run);
  end(&stage, peer);
}
END_TEST

/* Status 0 for an end that the launcher cannot bring about would be a lie; and nothing of its
 * output is written. */
START_TEST(a_newer_end_is_refused) {
  cmox_stage_t stage;
  cmox_run_t run;
  const int peer = begin(&stage, &run, CMOX_PROTOCOL_MAX);
  answer(peer, "\x0a\x02ok\x78\x01", 6); /* stdout_data, and field 15 */
  cmox_run_failed(&run, "the server asks for an end that this shim does not know");
  end(&stage, peer);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {
      another_version_is_refused_with_both_by_name, a_server_that_finds_no_common_version_is_heard,
      newer_fields_at_every_level_are_passed_over, a_newer_end_is_refused, NULL};
  return cmox_check_main("skew", tests);
}
