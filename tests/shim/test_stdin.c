/* stdin belongs to the caller: what is read of it, and how the reading ends. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/peer.h"

typedef struct heard {
  uint8_t *data;
  size_t len;
  uint64_t counted; /* what ContinueInvoke says */
  int end;
  uint32_t id; /* of that request */
} heard_t;

static void ask(int peer, uint32_t id, uint64_t max_bytes, uint32_t deadline_ms, bool drain) {
  Cmdmox__V1__ReadStdin read_stdin = CMDMOX__V1__READ_STDIN__INIT;
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  read_stdin.max_bytes = max_bytes;
  read_stdin.deadline_ms = deadline_ms;
  read_stdin.drain = drain;
  action.call_id = 7;
  action.kind_case = CMDMOX__V1__ACTION__KIND_READ_STDIN;
  action.read_stdin = &read_stdin;
  cmox_peer_action(peer, id, &action);
}

/* Takes StreamData up to ContinueInvoke. */
static heard_t hear(int peer) {
  heard_t heard = {.data = malloc(1)};
  for (;;) {
    cmox_pb_frame_t *frame = cmox_peer_read(peer);
    ck_assert_ptr_nonnull(frame);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_STREAM_DATA) {
      ck_assert_uint_eq(frame->id, 1);
      ck_assert_int_eq((int)frame->stream_data->stream, CMDMOX__V1__STREAM__STREAM_STDIN);
      const ProtobufCBinaryData piece = frame->stream_data->data;
      ck_assert_uint_le(piece.len, 256 << 10);
      heard.data = realloc(heard.data, heard.len + piece.len + 1);
      memcpy(heard.data + heard.len, piece.data, piece.len);
      heard.len += piece.len;
      cmox_peer_free(frame);
      continue;
    }
    ck_assert_int_eq((int)frame->body_case, CMDMOX__V1__FRAME__BODY_REQUEST);
    ck_assert_str_eq(frame->request->method, "cmdmox.v1.ShimService/ContinueInvoke");
    Cmdmox__V1__ContinueInvokeRequest *request = cmdmox__v1__continue_invoke_request__unpack(
        NULL, frame->request->payload.len, frame->request->payload.data);
    ck_assert_ptr_nonnull(request);
    ck_assert_uint_eq(request->call_id, 7);
    heard.counted = request->stdin_bytes;
    heard.end = (int)request->stdin_end;
    heard.id = frame->id;
    cmdmox__v1__continue_invoke_request__free_unpacked(request, NULL);
    cmox_peer_free(frame);
    return heard;
  }
}

static void finish(cmox_stage_t *stage, cmox_run_t *run, int peer, heard_t *heard) {
  Cmdmox__V1__Reply reply = CMDMOX__V1__REPLY__INIT;
  cmox_peer_reply(peer, heard->id, &reply);
  cmox_run_exited(run, 0);
  close(peer);
  free(heard->data);
  cmox_run_free(run);
  cmox_stage_close(stage);
}

/* The whole of one policy over a given stdin, which stays open. */
static void reads_of(int in, uint64_t max_bytes, uint32_t deadline_ms, const char *expected,
                     size_t len, int end) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.in = in), &run);
  const int peer = cmox_peer_begin(&stage);
  ask(peer, 1, max_bytes, deadline_ms, false);
  heard_t heard = hear(peer);
  ck_assert_int_eq(heard.end, end);
  ck_assert_uint_eq(heard.len, len);
  ck_assert_uint_eq(heard.counted, len);
  ck_assert_int_eq(memcmp(heard.data, expected, len), 0);
  ck_assert_uint_eq(heard.id, 3);
  finish(&stage, &run, peer, &heard);
}

/* The same, and closes it. */
static void reads(int in, uint64_t max_bytes, uint32_t deadline_ms, const char *expected,
                  size_t len, int end) {
  reads_of(in, max_bytes, deadline_ms, expected, len, end);
  if (in >= 0) close(in);
}

static int pipe_with(const char *text, size_t len, int *writer) {
  int ends[2];
  ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
  ck_assert_int_eq(write(ends[1], text, len), (ssize_t)len);
  if (writer)
    *writer = ends[1];
  else
    close(ends[1]);
  return ends[0];
}

static int unnamed_file(void) {
  const int file = memfd_create("stdin", MFD_CLOEXEC);
  ck_assert_int_ge(file, 0);
  return file;
}

enum {
  END_EOF = CMDMOX__V1__STDIN_END__STDIN_END_EOF,
  END_LIMIT = CMDMOX__V1__STDIN_END__STDIN_END_LIMIT,
  END_DEADLINE = CMDMOX__V1__STDIN_END__STDIN_END_DEADLINE,
  END_ERROR = CMDMOX__V1__STDIN_END__STDIN_END_ERROR
};

START_TEST(a_pipe_is_read_to_its_end) {
  const int in = pipe_with("a\0b\xff\n", 5, NULL);
  reads(in, 1 << 20, 10000, "a\0b\xff\n", 5, END_EOF);
}
END_TEST

START_TEST(nothing_is_read_from_an_empty_stdin) {
  reads(open("/dev/null", O_RDONLY | O_CLOEXEC), 10, 10000, "", 0, END_EOF);
  reads(pipe_with("", 0, NULL), 0, 10000, "", 0, END_EOF);
}
END_TEST

START_TEST(the_limit_is_exact_and_leaves_the_rest_to_the_caller) {
  static const struct {
    uint64_t limit;
    size_t len;
    int end;
  } rows[] = {{9, 9, END_LIMIT}, {10, 10, END_EOF}, {11, 10, END_EOF}, {0, 0, END_LIMIT}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char rest[16];
    int in = pipe_with("0123456789", 10, NULL);
    reads_of(in, rows[i].limit, 10000, "0123456789", rows[i].len, rows[i].end);
    ck_assert_int_eq(read(in, rest, sizeof rest), (ssize_t)(10 - rows[i].len));
    close(in);
  }
}
END_TEST

START_TEST(a_file_is_consumed_only_up_to_the_limit) {
  const int file = unnamed_file();
  ck_assert_int_eq(write(file, "0123456789", 10), 10);
  lseek(file, 0, SEEK_SET);
  reads_of(file, 4, 10000, "0123", 4, END_LIMIT);
  ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 4);
  reads(file, 100, 10000, "456789", 6, END_EOF);
}
END_TEST

START_TEST(a_silent_stdin_ends_at_the_deadline) {
  int writer;
  const int in = pipe_with("some", 4, &writer);
  reads(in, 100, 100, "some", 4, END_DEADLINE);
  close(writer);
}
END_TEST

START_TEST(a_closed_or_unreadable_stdin_is_an_error) {
  reads(CMOX_RUN_CLOSED, 100, 10000, "", 0, END_ERROR);
  reads(open("/", O_RDONLY | O_CLOEXEC), 100, 10000, "", 0, END_ERROR);
}
END_TEST

START_TEST(a_non_blocking_stdin_is_waited_for) {
  int writer;
  cmox_stage_t stage;
  cmox_run_t run;
  const int in = pipe_with("one ", 4, &writer);
  fcntl(in, F_SETFL, O_NONBLOCK);
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.in = in), &run);
  const int peer = cmox_peer_begin(&stage);
  ask(peer, 1, 100, 0, false);
  cmox_peer_free(cmox_peer_read(peer)); /* it has "one " and waits */
  ck_assert_int_eq(write(writer, "two", 3), 3);
  close(writer);
  heard_t heard = hear(peer);
  ck_assert_uint_eq(heard.counted, 7);
  ck_assert_int_eq(heard.end, END_EOF);
  finish(&stage, &run, peer, &heard);
  close(in);
}
END_TEST

START_TEST(a_long_stdin_goes_up_in_pieces) {
  enum { SIZE = 3 << 20 };
  const int file = unnamed_file();
  char *data = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++) data[i] = (char)(i * 31 >> 8);
  ck_assert_int_eq(write(file, data, SIZE), SIZE);
  lseek(file, 0, SEEK_SET);
  reads(file, SIZE, 10000, data, SIZE, END_EOF);
  free(data);
}
END_TEST

START_TEST(drain_reads_to_the_end_and_sends_nothing) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  const int in = pipe_with("producer", 8, NULL);
  cmox_run_start(&stage, CMOX_START(.in = in), &run);
  close(in);
  const int peer = cmox_peer_begin(&stage);
  ask(peer, 1, 0, 10000, true);
  heard_t heard = hear(peer);
  ck_assert_uint_eq(heard.len, 0);
  ck_assert_uint_eq(heard.counted, 8);
  ck_assert_int_eq(heard.end, END_EOF);
  finish(&stage, &run, peer, &heard);
}
END_TEST

START_TEST(it_may_be_asked_again_and_again) {
  cmox_stage_t stage;
  cmox_run_t run;
  cmox_stage_open(&stage);
  const int in = pipe_with("abcdef", 6, NULL);
  cmox_run_start(&stage, CMOX_START(.in = in), &run);
  close(in);
  const int peer = cmox_peer_begin(&stage);
  heard_t heard = {.id = 1};
  for (uint32_t round = 1; round <= 3; round++) {
    free(heard.data);
    ask(peer, heard.id, 2, 10000, false);
    heard = hear(peer);
    ck_assert_uint_eq(heard.id, 1 + 2 * round);
    ck_assert_uint_eq(heard.len, 2);
    ck_assert_int_eq(heard.data[0], (int)('a' + 2 * (round - 1)));
    ck_assert_int_eq(heard.end, round < 3 ? END_LIMIT : END_EOF);
  }
  finish(&stage, &run, peer, &heard);
}
END_TEST

START_TEST(stdin_is_untouched_unless_asked_for) {
  char rest[8];
  cmox_stage_t stage;
  cmox_run_t run;
  const int in = pipe_with("mine", 4, NULL);
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.in = in), &run);
  const int peer = cmox_peer_begin(&stage);
  cmox_peer_exit(peer, 0);
  cmox_run_exited(&run, 0);
  ck_assert_int_eq(read(in, rest, sizeof rest), 4);
  close(in);
  close(peer);
  cmox_run_free(&run);
  cmox_stage_close(&stage);
}
END_TEST

START_TEST(a_server_that_dies_is_noticed_while_stdin_is_silent) {
  int writer;
  cmox_stage_t stage;
  cmox_run_t run;
  static const char *const patient[] = {"CMOX_IPC_TIMEOUT=none", NULL};
  const int in = pipe_with("x", 1, &writer);
  cmox_stage_open(&stage);
  cmox_run_start(&stage, CMOX_START(.in = in, .environment = patient), &run);
  const int peer = cmox_peer_begin(&stage);
  ask(peer, 1, 100, 0, false);
  cmox_peer_free(cmox_peer_read(peer));
  cmox_peer_notify_progress(peer); /* is no reason to stop reading */
  close(peer);
  cmox_run_failed(&run, "the server closed the connection");
  close(writer);
  close(in);
  cmox_stage_close(&stage);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {a_pipe_is_read_to_its_end,
                                nothing_is_read_from_an_empty_stdin,
                                the_limit_is_exact_and_leaves_the_rest_to_the_caller,
                                a_file_is_consumed_only_up_to_the_limit,
                                a_silent_stdin_ends_at_the_deadline,
                                a_closed_or_unreadable_stdin_is_an_error,
                                a_non_blocking_stdin_is_waited_for,
                                a_long_stdin_goes_up_in_pieces,
                                drain_reads_to_the_end_and_sends_nothing,
                                it_may_be_asked_again_and_again,
                                stdin_is_untouched_unless_asked_for,
                                a_server_that_dies_is_noticed_while_stdin_is_silent,
                                NULL};
  return cmox_check_main("stdin", tests);
}
