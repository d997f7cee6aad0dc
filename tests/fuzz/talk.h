/* What a client and its shims may say to the engine, built from fuzzed decisions: every field of
 * a message is one, so that most inputs are conversations and not garbage. */
#ifndef CMOX_TESTS_TALK_H
#define CMOX_TESTS_TALK_H

#include "cmdmox/v1/frame.pb-c.h"
#include "tests/fuzz/fuzz.h"

enum { TALK_SESSION_BYTES = 16, TALK_OUT_MAX = 4 << 20 };

/* What was said; not from the engine's allocator, whose faults are for the engine. What does not
 * fit is left out whole. */
typedef struct talk_out {
  size_t len;
  uint8_t data[TALK_OUT_MAX];
} talk_out_t;

/* Who the message speaks of. */
typedef struct talk {
  uint32_t next_id; /* of a request; odd */
  const uint8_t (*sessions)[TALK_SESSION_BYTES];
  size_t session_count;
} talk_t;

/* Each appends one frame with its prefix. */
void talk_hello(fuzz_in_t *in, bool shim, talk_out_t *out);
void talk_valid_hello(bool shim, talk_out_t *out);
void talk_raw_frame(fuzz_in_t *in, talk_out_t *out);
/* Request with a method of the schema and any payload. */
void talk_raw_request(fuzz_in_t *in, talk_t *talk, talk_out_t *out);
void talk_invoke(fuzz_in_t *in, talk_t *talk, talk_out_t *out);
void talk_stdin(fuzz_in_t *in, talk_out_t *out);
/* Or ReportPassthrough. */
void talk_continue(fuzz_in_t *in, talk_t *talk, talk_out_t *out);
void talk_notify(fuzz_in_t *in, talk_out_t *out);
void talk_other(fuzz_in_t *in, talk_out_t *out); /* Cancel, GoAway, HelloReply, Response */
/* A Response to a predicate or a handler, or an empty one. */
void talk_response(fuzz_in_t *in, Cmdmox__V1__Response *response, Cmdmox__V1__Status *error);
/* One of the methods of ControlService. */
void talk_control(fuzz_in_t *in, talk_t *talk, talk_out_t *out);
void talk_create_session(fuzz_in_t *in, talk_t *talk, talk_out_t *out);
void talk_create_doubles(fuzz_in_t *in, talk_t *talk, talk_out_t *out);

#endif
