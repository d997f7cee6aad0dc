#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/loop.h"
#include "tests/lib/run_suite.h"

static uv_loop_t loop;
static seen_t seen;
static cmox_link_t *link_;
static int peer; /* our end, blocking */

static void setup(void) {
  loop_open(&loop);
  seen = (seen_t){0};
  int ends[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  peer = ends[0];
  ck_assert_int_eq(cmox_link_open(&loop, ends[1], ends[1], &seen_events, &seen, &link_, NULL),
                   CMOX_OK);
}

static void teardown(void) {
  if (!seen.closed) cmox_link_abort(link_, CMOX_OK);
  if (peer >= 0) close(peer);
  loop_close(&loop);
  ck_assert_uint_eq(seen.closed, 1);
  cmox_buf_clear(&seen.text);
}

static void hang_up(void) {
  close(peer);
  peer = -1;
}

START_TEST(frames_split_at_every_byte_arrive_whole) {
  uint8_t wire[256];
  uint8_t long_body[130];
  memset(long_body, 'x', sizeof long_body); /* two prefix bytes */
  size_t len = put_frame(wire, "one", 3);
  len += put_frame(wire + len, long_body, sizeof long_body);
  len += put_frame(wire + len, "two", 3);
  unsigned before = 0;
  for (size_t cut = 1; cut < len; cut++) {
    write_all(peer, wire, cut);
    loop_settle(&loop);
    write_all(peer, wire + cut, len - cut);
    loop_until(&loop, seen.frames == before + 3);
    before = seen.frames;
    ck_assert(seen_is(&seen, "one|two|"));
    cmox_buf_clear(&seen.text);
  }
  for (size_t i = 0; i < len; i++) {
    write_all(peer, wire + i, 1);
    loop_settle(&loop);
  }
  ck_assert_uint_eq(seen.frames, before + 3);
  ck_assert(seen_is(&seen, "one|two|"));
}
END_TEST

START_TEST(many_frames_in_one_write_keep_their_order) {
  uint8_t wire[64];
  size_t len = put_frame(wire, "a", 1);
  len += put_frame(wire + len, "", 0);
  len += put_frame(wire + len, "b", 1);
  write_all(peer, wire, len);
  hang_up();
  loop_until(&loop, seen.closed);
  ck_assert(seen_is(&seen, "a||b|"));
  ck_assert_int_eq(seen.why, CMOX_OK);
}
END_TEST

START_TEST(half_a_frame_then_the_end_is_an_error) {
  write_all(peer,
            "\x05"
            "ab",
            3);
  hang_up();
  loop_until(&loop, seen.closed);
  ck_assert_uint_eq(seen.frames, 0);
  ck_assert_int_eq(seen.why, CMOX_E_LINK_CLOSED);
}
END_TEST

static const struct {
  const char *bytes;
  size_t len;
  cmox_code_t why;
} bad_prefixes[] = {
    {"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9, CMOX_E_BAD_FRAME}, /* 2^63 */
    {"\x80\x80\x80\x80\x10", 5, CMOX_E_BAD_FRAME},                 /* 2^32 */
    {"\xff\xff\xff\xff\x0f", 5, CMOX_E_FRAME_TOO_LARGE},           /* 2^32 - 1 */
    {"\x81\x20", 2, CMOX_E_FRAME_TOO_LARGE},                       /* cap + 1 */
    {"\x80\x80\x80\x80\x80\x00", 6, CMOX_E_BAD_FRAME},             /* over-long 0 */
    {"\x81\x00", 2, CMOX_E_BAD_FRAME},                             /* not canonical */
};

START_TEST(bad_lengths_close_the_link_and_allocate_nothing) {
  size_t before = mallinfo2().uordblks;
  write_all(peer, bad_prefixes[_i].bytes, bad_prefixes[_i].len);
  loop_until(&loop, seen.closed);
  ck_assert_uint_eq(seen.frames, 0);
  ck_assert_int_eq(seen.why, bad_prefixes[_i].why);
  ck_assert_uint_lt(mallinfo2().uordblks, before + (64u << 10));
}
END_TEST

START_TEST(the_cap_itself_passes_and_can_be_raised) {
  static uint8_t wire[CMOX_FRAME_MAX_HELLO + 8];
  static uint8_t body[CMOX_FRAME_MAX_HELLO + 1];
  size_t len = put_frame(wire, body, CMOX_FRAME_MAX_HELLO);
  write_all(peer, wire, len);
  loop_until(&loop, seen.frames == 1);
  cmox_link_set_max_frame(link_, CMOX_FRAME_MAX_HELLO + 1);
  len = put_frame(wire, body, CMOX_FRAME_MAX_HELLO + 1);
  write_all(peer, wire, len);
  loop_until(&loop, seen.frames == 2);
  ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(a_declared_length_costs_nothing_until_it_arrives) {
  cmox_link_set_max_frame(link_, CMOX_FRAME_MAX_DEFAULT);
  size_t before = mallinfo2().uordblks;
  write_all(peer,
            "\x80\x80\x80\x08"
            "x",
            5); /* 16 MiB, one byte of it */
  loop_settle(&loop);
  ck_assert_uint_lt(mallinfo2().uordblks, before + (64u << 10));
  ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(a_silent_peer_is_dropped_at_the_handshake_deadline) {
  cmox_link_established(link_); /* the one that spoke stays */
  cmox_transport_set_handshake_ms(&loop, 30);
  int ends[2];
  seen_t late = {0};
  cmox_link_t *silent;
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  uint64_t start = uv_hrtime();
  ck_assert_int_eq(cmox_link_open(&loop, ends[1], ends[1], &seen_events, &late, &silent, NULL),
                   CMOX_OK);
  loop_until(&loop, late.closed);
  ck_assert_int_eq(late.why, CMOX_E_DEADLINE_EXCEEDED);
  ck_assert_uint_ge(uv_hrtime() - start, 29000000u);
  ck_assert_uint_eq(seen.closed, 0);
  close(ends[0]);
}
END_TEST

static void establish(cmox_link_t *link, cmox_span_t body) {
  (void)body;
  cmox_link_established(link);
}

START_TEST(what_was_sent_before_a_stopped_server_woke_up_counts) {
  cmox_link_established(link_);
  cmox_transport_set_handshake_ms(&loop, 1);
  int ends[2];
  seen_t late = {.on_frame = establish};
  cmox_link_t *link;
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  ck_assert_int_eq(cmox_link_open(&loop, ends[1], ends[1], &seen_events, &late, &link, NULL),
                   CMOX_OK);
  write_all(ends[0], "\x05hello", 6);
  uint64_t start = uv_hrtime();
  while (uv_hrtime() - start < 5000000) continue; /* the loop does not run meanwhile */
  loop_settle(&loop);
  ck_assert(seen_is(&late, "hello|"));
  ck_assert_uint_eq(late.closed, 0);
  cmox_link_close(link, CMOX_OK);
  loop_until(&loop, late.closed);
  cmox_buf_clear(&late.text);
  close(ends[0]);
}
END_TEST

static void echo_twice(cmox_link_t *link, cmox_span_t body) {
  ck_assert_int_eq(cmox_link_send(link, body), CMOX_OK);
  ck_assert_int_eq(cmox_link_send(link, body), CMOX_OK);
  ck_assert_uint_gt(cmox_link_queued(link), 0); /* collected, not yet written */
}

START_TEST(frames_sent_while_frames_come_leave_together) {
  seen.on_frame = echo_twice;
  write_all(peer,
            "\x01"
            "a\x01"
            "b",
            4);
  loop_until(&loop, seen.frames == 2);
  char got[16];
  ck_assert_int_eq(read(peer, got, sizeof got), 8);
  ck_assert_mem_eq(got,
                   "\x01"
                   "a\x01"
                   "a\x01"
                   "b\x01"
                   "b",
                   8);
  ck_assert_uint_eq(cmox_link_queued(link_), 0);
}
END_TEST

START_TEST(a_frame_sent_from_outside_leaves_at_once) {
  ck_assert_int_eq(cmox_link_send(link_, cmox_span_str("now")), CMOX_OK);
  char got[8];
  ck_assert_int_eq(read(peer, got, sizeof got), 4); /* without a turn of the loop */
  ck_assert_mem_eq(got, "\x03now", 4);
}
END_TEST

enum { BIG = 3 << 20 };

START_TEST(close_sends_what_is_queued_first) {
  uint8_t *big = malloc(BIG);
  memset(big, 'q', BIG);
  ck_assert_int_eq(cmox_link_send(link_, cmox_span(big, BIG)), CMOX_OK);
  ck_assert_int_eq(cmox_link_send(link_, cmox_span_str("end")), CMOX_OK);
  ck_assert_uint_gt(cmox_link_queued(link_), 0);
  cmox_link_close(link_, CMOX_E_CANCELLED);
  ck_assert_int_eq(cmox_link_send(link_, cmox_span_str("no")), CMOX_E_LINK_CLOSED);
  ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
  size_t total = 0;
  char tail[4] = {0};
  for (;;) {
    ssize_t count = read(peer, big, BIG);
    if (count == 0) break;
    if (count > 0) {
      total += (size_t)count;
      if (count >= 4) memcpy(tail, big + count - 4, 4);
      continue;
    }
    ck_assert_int_eq(errno, EAGAIN);
    (void)uv_run(&loop, UV_RUN_ONCE);
  }
  ck_assert_uint_eq(total, BIG + 4 + 4);
  ck_assert_mem_eq(tail,
                   "\x03"
                   "end",
                   4);
  loop_until(&loop, seen.closed);
  ck_assert_int_eq(seen.why, CMOX_E_CANCELLED);
  free(big);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_dropped_at_the_queue_cap) {
  uint8_t *big = calloc(1, 16u << 20);
  cmox_code_t code = CMOX_OK;
  unsigned sent = 0;
  while (code == CMOX_OK && sent < 10) {
    code = cmox_link_send(link_, cmox_span(big, 16u << 20));
    sent++;
    ck_assert_uint_le(cmox_link_queued(link_), CMOX_LINK_QUEUE_MAX);
  }
  ck_assert_int_eq(code, CMOX_E_TOO_COMPLEX);
  ck_assert_uint_ge(sent, 4);
  loop_until(&loop, seen.closed);
  ck_assert_int_eq(seen.why, CMOX_E_TOO_COMPLEX);
  free(big);
}
END_TEST

START_TEST(the_last_words_of_a_peer_that_left_are_heard) {
  write_all(peer,
            "\x04"
            "last",
            5);
  hang_up();
  ck_assert_int_eq(cmox_link_send(link_, cmox_span_str("too late")), CMOX_E_LINK_CLOSED);
  loop_until(&loop, seen.closed);
  ck_assert(seen_is(&seen, "last|"));
  ck_assert_int_eq(seen.why, CMOX_E_LINK_CLOSED);
}
END_TEST

START_TEST(a_peer_that_only_stopped_reading_is_dropped) {
  ck_assert_int_eq(shutdown(peer, SHUT_RD), 0);
  ck_assert_int_eq(cmox_link_send(link_, cmox_span_str("x")), CMOX_E_LINK_CLOSED);
  loop_until(&loop, seen.closed);
  ck_assert_int_eq(seen.why, CMOX_E_LINK_CLOSED);
}
END_TEST

static void close_link(cmox_link_t *link, cmox_span_t body) {
  (void)cmox_link_send(link, body);
  cmox_link_close(link, CMOX_OK);
}

START_TEST(closing_from_a_frame_ends_delivery) {
  seen.on_frame = close_link;
  write_all(peer,
            "\x01"
            "a\x01"
            "b",
            4);
  loop_until(&loop, seen.closed);
  ck_assert(seen_is(&seen, "a|"));
  char got[8];
  ck_assert_int_eq(read(peer, got, sizeof got), 2);
}
END_TEST

static void abort_link(cmox_link_t *link, cmox_span_t body) {
  (void)body;
  cmox_link_abort(link, CMOX_E_CANCELLED);
  cmox_link_close(link, CMOX_OK);
  ck_assert_uint_eq(((seen_t *)cmox_link_user(link))->closed, 0);
}

START_TEST(aborting_from_a_frame_is_safe_and_closed_comes_later) {
  seen.on_frame = abort_link;
  write_all(peer,
            "\x01"
            "a\x01"
            "b",
            4);
  loop_until(&loop, seen.closed);
  ck_assert(seen_is(&seen, "a|"));
  ck_assert_int_eq(seen.why, CMOX_E_CANCELLED);
}
END_TEST

START_TEST(two_descriptors_make_a_link) {
  int in[2];
  int out[2];
  ck_assert_int_eq(pipe(in), 0);
  ck_assert_int_eq(pipe(out), 0);
  seen_t stdio = {.on_frame = echo_twice};
  cmox_link_t *link;
  ck_assert_int_eq(cmox_link_open(&loop, in[0], out[1], &seen_events, &stdio, &link, NULL),
                   CMOX_OK);
  ck_assert_int_eq(write(in[1], "\x01z", 2), 2);
  loop_until(&loop, stdio.frames);
  close(in[1]);
  loop_until(&loop, stdio.closed);
  ck_assert_int_eq(stdio.why, CMOX_OK);
  char got[8];
  ck_assert_int_eq(read(out[0], got, sizeof got), 4);
  close(out[0]);
  cmox_buf_clear(&stdio.text);
}
END_TEST

START_TEST(a_file_is_refused_and_closed) {
  int fd = open("/dev/null", O_RDWR);
  cmox_link_t *link;
  cmox_error_t error;
  ck_assert_int_eq(cmox_link_open(&loop, fd, fd, &seen_events, &seen, &link, &error),
                   CMOX_E_INVALID_ARGUMENT);
  ck_assert_ptr_null(link);
  ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(a_drain_waits_for_all_that_was_sent) {
  /* More than one read takes, so that it is not the first poll that ends it. */
  cmox_link_set_max_frame(link_, 1u << 20);
  int size = 4 << 20;
  (void)setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  uint8_t frame[1032];
  uint8_t body[1024] = {0};
  size_t len = put_frame(frame, body, sizeof body);
  unsigned sent = 0;
  ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
  while (sent < 2000 && write(peer, frame, len) == (ssize_t)len) sent++;
  loop_settle(&loop);
  ck_assert_uint_ge(seen.frames, sent);
}
END_TEST

static void answer_itself(cmox_link_t *link, cmox_span_t body) {
  (void)link;
  (void)body;
  (void)!write(peer, "\x00", 1);
}

START_TEST(a_flood_does_not_hold_back_a_drain) {
  seen.on_frame = answer_itself; /* each frame brings the next */
  write_all(peer, "\x00", 1);
  loop_settle(&loop);
  ck_assert_uint_gt(seen.frames, 1);
  ck_assert_uint_lt(seen.frames, 1000);
}
END_TEST

/* One conversation; every step may run out of memory. */
static void converse(alloc_fault_t *fault) {
  (void)fault;
  int ends[2];
  seen_t told = {.on_frame = NULL};
  cmox_link_t *link;
  bool drained = false;
  uv_loop_t own;
  ck_assert_int_eq(uv_loop_init(&own), 0);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  if (cmox_transport_init(&own, NULL) != CMOX_OK) {
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(uv_loop_close(&own), 0);
    return;
  }
  if (cmox_link_open(&own, ends[1], ends[1], &seen_events, &told, &link, NULL) == CMOX_OK) {
    static uint8_t big[1 << 20];
    write_all(ends[0],
              "\x05"
              "ab",
              3);
    if (cmox_transport_drain(&own, loop_passed, &drained) == CMOX_OK) loop_until(&own, drained);
    if (!told.closed) {
      (void)cmox_link_send(link, cmox_span(big, sizeof big));
      cmox_link_abort(link, CMOX_OK);
    }
    loop_until(&own, told.closed);
    ck_assert_uint_eq(told.closed, 1);
  }
  close(ends[0]);
  loop_close(&own);
  cmox_buf_clear(&told.text);
}

START_TEST(every_allocation_may_fail) { alloc_fault_sweep("one link", converse); }
END_TEST

int main(void) {
  Suite *suite = suite_create("transport");
  TCase *links = tcase_create("links");
  tcase_add_checked_fixture(links, setup, teardown);
  tcase_set_timeout(links, 30);
  suite_add_tcase(suite, links);
  tcase_add_test(links, frames_split_at_every_byte_arrive_whole);
  tcase_add_test(links, many_frames_in_one_write_keep_their_order);
  tcase_add_test(links, half_a_frame_then_the_end_is_an_error);
  tcase_add_loop_test(links, bad_lengths_close_the_link_and_allocate_nothing, 0,
                      (int)(sizeof bad_prefixes / sizeof *bad_prefixes));
  tcase_add_test(links, the_cap_itself_passes_and_can_be_raised);
  tcase_add_test(links, a_declared_length_costs_nothing_until_it_arrives);
  tcase_add_test(links, a_silent_peer_is_dropped_at_the_handshake_deadline);
  tcase_add_test(links, what_was_sent_before_a_stopped_server_woke_up_counts);
  tcase_add_test(links, frames_sent_while_frames_come_leave_together);
  tcase_add_test(links, a_frame_sent_from_outside_leaves_at_once);
  tcase_add_test(links, close_sends_what_is_queued_first);
  tcase_add_test(links, a_peer_that_does_not_read_is_dropped_at_the_queue_cap);
  tcase_add_test(links, the_last_words_of_a_peer_that_left_are_heard);
  tcase_add_test(links, a_peer_that_only_stopped_reading_is_dropped);
  tcase_add_test(links, closing_from_a_frame_ends_delivery);
  tcase_add_test(links, aborting_from_a_frame_is_safe_and_closed_comes_later);
  tcase_add_test(links, two_descriptors_make_a_link);
  tcase_add_test(links, a_file_is_refused_and_closed);
  tcase_add_test(links, a_drain_waits_for_all_that_was_sent);
  tcase_add_test(links, a_flood_does_not_hold_back_a_drain);
  TCase *memory = tcase_create("memory");
  suite_add_tcase(suite, memory);
  tcase_add_test(memory, every_allocation_may_fail);
  return run_suite(suite);
}
