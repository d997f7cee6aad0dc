/* Servers that die, hang, lie or talk nonsense: the launcher says so in one line and exits 125. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/peer.h"
#include "tests/lib/valgrind.h"

static const char *const impatient[] = {"CMOX_IPC_TIMEOUT=0.3", NULL};
static const char *const patient[] = {"CMOX_IPC_TIMEOUT=none", NULL};

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(a_server_that_closes_before_hello_is_asked_again_with_the_same_key) {
  enum { TIMES = 3 };
  cmox_stage_t stage;
  cmox_run_t run;
  uint8_t key[16];
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  for (int i = 0; i < TIMES; i++) {
    const int peer = cmox_peer_accept(&stage);
    Cmdmox__V1__InvokeRequest *request = cmox_peer_invoke(peer);
    if (i > 0) ck_assert_int_eq(memcmp(key, request->invocation_key.data, sizeof key), 0);
    memcpy(key, request->invocation_key.data, sizeof key);
    cmox_peer_free_invoke(request);
    if (i < TIMES - 1) {
      if (i == 1) cmox_peer_bytes(peer, "\x08\x1a", 2); /* half a frame is no answer either */
      close(peer);
      continue;
    }
    cmox_peer_welcome(peer);
    cmox_peer_exit(peer, 0);
    cmox_run_exited(&run, 0);
    close(peer);
  }
  ck_assert_uint_eq(run.err_len, 0);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(asking_again_ends_at_the_deadline) {
  cmox_stage_t stage;
  cmox_run_t run;
  int status;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.environment = impatient), &run);
  /* Closes whatever comes until the launcher has given up. */
  const pid_t closer = fork();
  if (closer == 0) {
    for (;;) close(accept(stage.listener, NULL, NULL));
  }
  cmox_run_failed(&run, "closes every connection before it answers");
  kill(closer, SIGKILL);
  waitpid(closer, &status, 0);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_server_that_dies_in_mid_call_is_noticed_at_once) {
  static const char half[] = "\x20\x08\x01";
  for (int i = 0; i < 3; i++) {
    cmox_stage_t stage;
    cmox_run_t run;
    cmox_stage_open(&stage);
    cmox_run_start(&stage, CMOX_START(.environment = patient), &run);
    const int peer = cmox_peer_begin(&stage);
    if (i == 1) cmox_peer_bytes(peer, half, sizeof half - 1);
    if (i == 2) cmox_peer_notify_progress(peer);
    close(peer);
    cmox_run_failed(&run, "the server closed the connection");
    cmox_stage_close(&stage);
  }
}
END_TEST

/* Says nothing after so much of the conversation. */
START_TEST(a_silent_server_is_left_at_the_deadline) {
  for (int stop = 0; stop < 3; stop++) {
    cmox_stage_t stage;
    cmox_run_t run;
    int peer = -1;
    cmox_stage_open(&stage);
    const uint64_t start = now_ms();
    cmox_run_start(&stage, CMOX_START(.environment = impatient), &run);
    if (stop == 1) peer = cmox_peer_accept(&stage);
    if (stop == 2) peer = cmox_peer_begin(&stage);
    cmox_run_failed(&run, "no word from the server for 300 ms (CMOX_IPC_TIMEOUT");
    const uint64_t took = now_ms() - start;
    ck_assert_msg(took >= 300 && took < 3000 * (uint64_t)cmox_valgrind_slowness(), "took %lu ms",
                  (unsigned long)took);
    if (peer >= 0) close(peer);
    cmox_stage_close(&stage);
  }
}
END_TEST

START_TEST(a_full_backlog_is_waited_for_and_not_for_ever) {
  cmox_stage_t stage;
  cmox_run_t runs[8];
  cmox_stage_open(&stage);
  ck_assert_int_eq(listen(stage.listener, 0), 0);
  for (int i = 0; i < 8; i++) cmox_run_start(&stage, CMOX_START(.argv = NULL), &runs[i]);
  cmox_run_t late;
  cmox_run_start(&stage, CMOX_START(.environment = impatient), &late);
  cmox_run_failed(&late, "no word from the server for 300 ms");
  int dropped = 0;
  for (int done = 0; done < 8; done++) {
    const int peer = cmox_peer_accept(&stage);
    /* The one that gave up may still stand in the queue. */
    cmox_pb_frame_t *frame = cmox_peer_read(peer);
    if (frame && frame->hello->silence_ms == 300) {
      dropped++;
      done--;
    } else {
      cmox_peer_welcome(peer);
      cmox_peer_exit(peer, 0);
    }
    ck_assert_int_le(dropped, 1);
    if (frame) cmox_peer_free(frame);
    /* Kept open until the launcher has read its answer. */
    cmox_peer_end(peer);
  }
  for (int i = 0; i < 8; i++) {
    cmox_run_exited(&runs[i], 0);
    cmox_run_free(&runs[i]);
  }
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(any_frame_restarts_the_clock) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.environment = impatient), &run);
  const int peer = cmox_peer_begin(&stage);
  /* Three times 200 ms are twice the launcher's patience: the delay is what this is about. */
  for (int i = 0; i < 3; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    cmox_peer_notify_progress(peer);
  }
  cmox_peer_exit(peer, 0);
  cmox_run_exited(&run, 0);
  close(peer);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_trickle_of_bytes_does_not) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.environment = impatient), &run);
  const int peer = cmox_peer_begin(&stage);
  cmox_peer_bytes(peer, "\x80\x80\x01", 3); /* announces 16 KiB */
  struct pollfd gone = {.fd = peer, .events = POLLIN};
  /* A byte every 20 ms; more than the frame would take is never sent. */
  for (int i = 0; i < 500 && poll(&gone, 1, 20) == 0; i++) cmox_peer_bytes(peer, "x", 1);
  cmox_run_failed(&run, "no word from the server for 300 ms");
  close(peer);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(none_waits_longer_than_the_default_would_allow_a_test_to_see) {
  cmox_stage_t stage;
  cmox_run_t run;
  int status;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.environment = patient), &run);
  const int peer = cmox_peer_begin(&stage);
  ck_assert_int_eq(waitpid(run.pid, &status, WNOHANG), 0);
  cmox_peer_exit(peer, 6);
  cmox_run_exited(&run, 6);
  close(peer);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_conversation_may_come_byte_by_byte) {
  cmox_stage_t stage;
  cmox_run_t run;
  size_t len;
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  Cmdmox__V1__HelloReply hello = CMDMOX__V1__HELLO_REPLY__INIT;
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  static uint8_t text[300];
  ok.version = 1;
  hello.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
  hello.ok = &ok;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = &hello;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  const int peer = cmox_peer_accept(&stage);
  cmox_peer_free_invoke(cmox_peer_invoke(peer));
  uint8_t *bytes = cmox_peer_pack(&frame, &len);
  for (size_t i = 0; i < len; i++) cmox_peer_bytes(peer, bytes + i, 1);
  free(bytes);

  Cmdmox__V1__StreamData piece = CMDMOX__V1__STREAM_DATA__INIT;
  memset(text, 'x', sizeof text);
  piece.stream = CMDMOX__V1__STREAM__STREAM_STDOUT;
  piece.data = (ProtobufCBinaryData){sizeof text, text};
  cmdmox__v1__frame__init(&frame);
  frame.id = 1;
  frame.body_case = CMDMOX__V1__FRAME__BODY_STREAM_DATA;
  frame.stream_data = &piece;
  bytes = cmox_peer_pack(&frame, &len); /* its prefix has two bytes */
  for (size_t i = 0; i < len; i++) cmox_peer_bytes(peer, bytes + i, 1);
  free(bytes);
  cmox_peer_exit(peer, 0);
  cmox_run_exited(&run, 0);
  ck_assert_uint_eq(run.out_len, sizeof text);
  close(peer);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

typedef struct nonsense {
  const char *bytes;
  size_t len;
  const char *why;
} nonsense_t;

#define BYTES(text) (text), sizeof(text) - 1

/* Frames are written out by hand here: they are what no encoder makes. */
static const nonsense_t nonsense[] = {
    {BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "malformed frame"}, /* 2^63 - 1 */
    {BYTES("\xff\xff\xff\xff\x0f"), "frame that is too large"},         /* 2^32 - 1 */
    {BYTES("\x81\x80\x80\x08"), "frame that is too large"},             /* the cap and 1 */
    {BYTES("\x80\x00"), "malformed frame"},                             /* over-long */
    {BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"
           "0123456789012345678901234567890123456789012345678901234567890123456789"),
     "malformed message"},
    {BYTES("\x03\x08\x80\x80"), "malformed message"},     /* a cut varint */
    {BYTES("\x04\x1a\x7f\x0a\x00"), "malformed message"}, /* a length beyond */
    {BYTES("\x02\x0b\x0c"), "malformed message"},         /* a group */
    {BYTES("\x04\x2a\x02\x08\x05"), "malformed message"}, /* payload as a varint */
    {BYTES("\x02\x08\x01"), "out of turn"},               /* no body, but an id */
    {BYTES("\x04\x08\x02\x22\x00"), "out of turn"},       /* a request to a shim */
    {BYTES("\x06\x08\x03\x2a\x02\x0a\x00"), "answered another request"},
    {BYTES("\x06\x08\x03\x3a\x02\x08\x02"), "output of another call"},
    {BYTES("\x06\x08\x01\x3a\x02\x08\x01"), "a stream this shim does not know"},  /* stdin, down */
    {BYTES("\x06\x08\x01\x2a\x02\x0a\x00"), "something this shim does not know"}, /* no action */
    {BYTES("\x08\x08\x01\x2a\x04\x0a\x02\x0a\x00"), "something this shim does not know"},
    {BYTES("\x0a\x08\x01\x2a\x06\x0a\x04\x0a\x02\x7a\x00"), "something this shim does not know"},
    {BYTES("\x08\x08\x01\x2a\x04\x0a\x02\x0a\x05"), "malformed action"},
    {BYTES("\x04\x08\x01\x2a\x00"), "something this shim does not know"}, /* neither result */
    {BYTES("\x08\x4a\x06\x0a\x04\x12\x02hi"), "hi"},                      /* GoAway */
    {BYTES("\x04\x4a\x02\x0a\x00"), "without saying why"},
};

START_TEST(nonsense_is_refused_in_one_line) {
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
    cmox_stage_t stage;
    cmox_run_t run;
    cmox_stage_open(&stage);
    cmox_run_start(&stage, CMOX_START(.environment = patient), &run);
    const int peer = cmox_peer_begin(&stage);
    cmox_peer_bytes(peer, nonsense[i].bytes, nonsense[i].len);
    cmox_run_failed(&run, nonsense[i].why);
    close(peer);
    cmox_stage_close(&stage);
  }
}
END_TEST

START_TEST(what_is_newer_and_wants_no_reply_is_passed_over) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  const int peer = cmox_peer_begin(&stage);
  cmox_peer_bytes(peer, BYTES("\x00"));                 /* an empty frame */
  cmox_peer_bytes(peer, BYTES("\x04\xa2\x06\x01x"));    /* field 100 */
  cmox_peer_bytes(peer, BYTES("\x04\x42\x02\x0a\x00")); /* a Notify of no topic */
  cmox_peer_exit(peer, 5);
  cmox_run_exited(&run, 5);
  close(peer);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

/* Room for the launcher itself and a few buffers. */
enum { TIGHT = 4 << 20 };

START_TEST(a_declared_length_takes_no_memory) {
  cmox_stage_t stage;
  cmox_run_t run;
  if (!cmox_run_is_static()) return; /* an instrumented launcher does not live in that room */
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.memory = TIGHT), &run);
  const int peer = cmox_peer_begin(&stage);
  cmox_peer_bytes(peer, BYTES("\x80\x80\x80\x08 and no more")); /* 16 MiB, announced */
  shutdown(peer, SHUT_WR);
  cmox_run_failed(&run, "the server closed the connection");
  close(peer);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(running_out_of_memory_is_told) {
  enum { SIZE = 8 << 20 };
  cmox_stage_t stage;
  cmox_run_t run;
  if (!cmox_run_is_static()) return;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.memory = TIGHT), &run);
  const int peer = cmox_peer_begin(&stage);
  uint8_t *piece = calloc(1, SIZE);
  cmox_peer_stream(peer, 1, piece, SIZE, 0);
  cmox_run_failed(&run, "out of memory");
  close(peer);
  free(piece);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(refusals_carry_the_servers_words) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  int peer = cmox_peer_accept(&stage);
  cmox_peer_refuse(peer, "VERSION_MISMATCH", "the shim speaks 1-1, the server 2-3");
  cmox_run_failed(&run, "the shim speaks 1-1, the server 2-3 (this is cmdmox-shim ");
  close(peer);

  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  peer = cmox_peer_begin(&stage);
  cmox_peer_error(peer, 1, "unexpected call: git push\norigin\033[0m");
  cmox_run_failed(&run, "unexpected call: git push?origin?[0m\n");
  close(peer);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_version_outside_our_range_is_refused) {
  cmox_stage_t stage;
  cmox_run_t run;
  Cmdmox__V1__HelloOk ok = CMDMOX__V1__HELLO_OK__INIT;
  Cmdmox__V1__HelloReply hello = CMDMOX__V1__HELLO_REPLY__INIT;
  cmox_pb_frame_t frame = CMDMOX__V1__FRAME__INIT;
  hello.result_case = CMDMOX__V1__HELLO_REPLY__RESULT_OK;
  hello.ok = &ok;
  frame.body_case = CMDMOX__V1__FRAME__BODY_HELLO_REPLY;
  frame.hello_reply = &hello;
  cmox_stage_open(&stage);
  for (uint32_t version = 0; version <= 2; version += 2) {
    ok.version = version;
    cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
    const int peer = cmox_peer_accept(&stage);
    cmox_peer_send(peer, &frame);
    cmox_run_failed(&run, version ? "protocol 2, this shim speaks 1-1" : "protocol 0");
    close(peer);
  }
  ok.version = 1;
  ok.max_frame_bytes = 1000;
  cmox_run_start(&stage, CMOX_START(.argv = NULL), &run);
  const int peer = cmox_peer_accept(&stage);
  cmox_peer_send(peer, &frame);
  cmox_run_failed(&run, "frames that are too small");
  close(peer);
  cmox_stage_close(&stage);
}
END_TEST

/* A call whose frame does not fit the socket's buffer by far. */
static void start_large(const cmox_stage_t *stage, const char *const *environment,
                        cmox_run_t *run) {
  static char text[131000];
  static const char *argv[14];
  memset(text, 'l', sizeof text - 1);
  argv[0] = "git";
  for (size_t i = 1; i < 13; i++) argv[i] = text;
  cmox_run_start(stage, CMOX_START(.argv = argv, .environment = environment), run);
}

START_TEST(a_server_that_refuses_before_it_has_read_all_is_heard) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  start_large(&stage, NULL, &run);
  const int peer = cmox_peer_accept(&stage);
  cmox_peer_refuse(peer, "NO_MEMORY", "out of memory");
  close(peer);
  cmox_run_failed(&run, "out of memory");
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_server_that_talks_before_it_listens_is_taken_in) {
  enum { PIECE = 256 << 10 };
  cmox_stage_t stage;
  cmox_run_t run;
  uint8_t *piece = calloc(1, PIECE);
  cmox_stage_open(&stage);
  start_large(&stage, NULL, &run);
  const int peer = cmox_peer_accept(&stage);
  cmox_peer_welcome(peer);
  for (int i = 0; i < 8; i++) cmox_peer_stream(peer, 1, piece, PIECE, 0);
  cmox_peer_free_invoke(cmox_peer_invoke(peer));
  cmox_peer_exit(peer, 0);
  cmox_run_exited(&run, 0);
  ck_assert_uint_eq(run.out_len, (size_t)8 * PIECE);
  close(peer);
  free(piece);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

/* What it says is kept for after the launcher's own words, but no more than a frame. */
START_TEST(a_server_that_only_talks_is_not_taken_in_for_ever) {
  enum { PIECE = 256 << 10, MOST = 40 << 20, BETWEEN = 4 << 20 };
  cmox_stage_t stage;
  cmox_run_t run;
  uint8_t *piece = calloc(1, PIECE);
  cmox_stage_open(&stage);
  start_large(&stage, impatient, &run);
  const int peer = cmox_peer_accept(&stage);
  size_t sent = 0;
  for (ssize_t put = 1; put > 0 && sent<MOST; sent += put> 0 ? (size_t)put : 0)
    put = send(peer, piece, PIECE, MSG_NOSIGNAL);
  ck_assert_msg(sent < CMOX_FRAME_MAX_DEFAULT + BETWEEN, "it took %zu bytes", sent);
  cmox_run_failed(&run, "no word from the server for 300 ms");
  close(peer);
  free(piece);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_server_that_reads_slowly_is_waited_for) {
  enum { PIECE = 64 << 10 };
  cmox_stage_t stage;
  cmox_run_t run;
  uint8_t *piece = malloc(PIECE);
  size_t got = 0;
  cmox_stage_open(&stage);
  start_large(&stage, impatient, &run);
  const int peer = cmox_peer_accept(&stage);
  /* 16 times 50 ms are more than twice the launcher's patience: the delay is what this is about. */
  for (int i = 0; i < 16; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    const ssize_t put = recv(peer, piece, PIECE, MSG_WAITALL);
    ck_assert_int_gt(put, 0);
    got += (size_t)put;
  }
  ck_assert_uint_eq(got, (size_t)16 * PIECE);
  close(peer);
  cmox_run_failed(&run, "the server closes every connection before it answers");
  free(piece);
  cmox_stage_close(&stage);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {a_server_that_closes_before_hello_is_asked_again_with_the_same_key,
                                asking_again_ends_at_the_deadline,
                                a_server_that_dies_in_mid_call_is_noticed_at_once,
                                a_silent_server_is_left_at_the_deadline,
                                a_full_backlog_is_waited_for_and_not_for_ever,
                                any_frame_restarts_the_clock,
                                a_trickle_of_bytes_does_not,
                                none_waits_longer_than_the_default_would_allow_a_test_to_see,
                                a_conversation_may_come_byte_by_byte,
                                nonsense_is_refused_in_one_line,
                                what_is_newer_and_wants_no_reply_is_passed_over,
                                a_declared_length_takes_no_memory,
                                running_out_of_memory_is_told,
                                refusals_carry_the_servers_words,
                                a_version_outside_our_range_is_refused,
                                a_server_that_refuses_before_it_has_read_all_is_heard,
                                a_server_that_talks_before_it_listens_is_taken_in,
                                a_server_that_only_talks_is_not_taken_in_for_ever,
                                a_server_that_reads_slowly_is_waited_for,
                                NULL};
  return cmox_check_main("server", tests);
}
