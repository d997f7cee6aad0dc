/* Peers that are slow, silent or do not read. They are dropped at the handshake deadline, or wait
 * for themselves only: other calls go through meanwhile, and what the server keeps for each is
 * bounded. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/long.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/served.h"

enum { CALLS_MAX = 4000, GUARD_MS = 1000 /* of one call's p99: hundreds of times the figure */ };

static served_t server;
static served_session_t session;

static void setup(void) {
  served_start(&server, CMOX_TEST_PROGRAM, 0);
  served_session_open(&session, &server);
  served_stub(&session, "quick", &(served_answer_t){.out = "ok\n"});
}

static void teardown(void) {
  served_session_free(&session);
  served_stop(&server);
}

/* ---- Other calls ------------------------------------------------------------------ */

static double samples[CALLS_MAX]; /* us */
static size_t sample_count;

static int compare(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void call_once(int null) {
  int status;
  const double begin = now_us();
  const pid_t pid = served_spawn(&session, "quick", (unsigned)sample_count, "30", null, -1);
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  ck_assert_int_eq(status, 0);
  if (sample_count < CALLS_MAX) samples[sample_count++] = now_us() - begin;
}

static void judge_calls(const char *beside) {
  ck_assert_uint_gt(sample_count, 0);
  qsort(samples, sample_count, sizeof *samples, compare);
  const double p99 = samples[(sample_count * 99 - 1) / 100] / 1000;
  printf("%zu calls beside %s: p50 %.2f ms, p99 %.2f ms\n", sample_count, beside,
         samples[sample_count / 2] / 1000, p99);
  ck_assert_double_lt(p99, GUARD_MS);
}

/* ---- Before Hello ------------------------------------------------------------------- */

enum { PEERS = 1000 };

static bool is_dropped(int fd) {
  char byte;
  const ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
  ck_assert_msg(got <= 0, "the server says something to a peer without Hello");
  return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

typedef struct dropped {
  int peers[PEERS];
  double begun[PEERS]; /* us */
  unsigned left;
} dropped_t;

/* A byte of a frame that never ends, for every second peer. */
static void trickle(const dropped_t *all, uint8_t byte) {
  for (unsigned i = 0; i < PEERS; i += 2)
    if (all->peers[i] >= 0) (void)send(all->peers[i], &byte, 1, MSG_NOSIGNAL);
}

static void look(dropped_t *all) {
  for (unsigned i = 0; i < PEERS; i++) {
    if (all->peers[i] < 0 || !is_dropped(all->peers[i])) continue;
    const double after = (now_us() - all->begun[i]) / 1000;
    ck_assert_msg(after > CMOX_HANDSHAKE_DEADLINE_MS * 0.9, "peer %u was dropped after %.0f ms", i,
                  after);
    (void)close(all->peers[i]);
    all->peers[i] = -1;
    all->left--;
  }
}

START_TEST(a_thousand_silent_or_slow_peers_are_dropped_and_disturb_nobody) {
  enum { TRICKLE_US = 200000, PATIENCE = 6 };
  static dropped_t all = {.left = PEERS};
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  served_replay(&session);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (unsigned i = 0; i < PEERS; i++) {
    all.peers[i] = served_dial(&session);
    all.begun[i] = now_us();
  }
  trickle(&all, 0xa0); /* the first two say that a body of 4,000 bytes follows */
  trickle(&all, 0x1f);
  const double end = now_us() + 1000.0 * PATIENCE * CMOX_HANDSHAKE_DEADLINE_MS;
  for (double last = now_us(); all.left > 0;) {
    call_once(null);
    if (now_us() - last < TRICKLE_US) continue;
    last = now_us();
    trickle(&all, 0);
    look(&all);
    ck_assert_msg(last < end, "%u peers without Hello are still there", all.left);
  }
  (void)close(null);
  judge_calls("1,000 peers that say nothing or little");
}
END_TEST

/* ---- After the answer ------------------------------------------------------------------ */

enum { READERS = 40, LARGE = 15 << 20, PEAK_MIB = 128 };

typedef struct reader {
  pid_t pid;
  int out;
} reader_t;

static void take_reply(const reader_t *reader, const char *expected) {
  static char piece[1 << 16];
  size_t at = 0;
  for (ssize_t got; (got = read(reader->out, piece, sizeof piece)) > 0; at += (size_t)got) {
    ck_assert_uint_le(at + (size_t)got, LARGE);
    ck_assert_msg(memcmp(expected + at, piece, (size_t)got) == 0, "other bytes after %zu", at);
  }
  ck_assert_uint_eq(at, LARGE);
  int status;
  ck_assert_int_eq(waitpid(reader->pid, &status, 0), reader->pid);
  ck_assert_int_eq(WEXITSTATUS(status), 5);
  (void)close(reader->out);
}

static reader_t readers[READERS];

/* Starts them with pipes that nobody reads yet; gives what they will write, to be freed. */
static char *start_readers(unsigned count) {
  char *large = malloc(LARGE);
  ck_assert_ptr_nonnull(large);
  for (size_t i = 0; i < LARGE; i++) large[i] = (char)(i * 2654435761u >> 13);
  served_stub(&session, "large",
              &(served_answer_t){.out = large, .out_len = LARGE, .exit_code = 5});
  served_replay(&session);
  for (unsigned i = 0; i < count; i++) {
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    readers[i] = (reader_t){served_spawn(&session, "large", i, "60", ends[1], -1), ends[0]};
    (void)close(ends[1]);
  }
  while (served_count(&session) < count) (void)poll(NULL, 0, 5);
  return large;
}

START_TEST(the_end_of_the_session_does_not_cut_off_a_reply_on_its_way) {
  char *large = start_readers(1);
  Cmdmox__V1__DeleteSessionRequest request = CMDMOX__V1__DELETE_SESSION_REQUEST__INIT;
  request.session_id = session.id;
  served_tell(&server, "DeleteSession", &request.base);
  take_reply(&readers[0], large);
  free(large);
}
END_TEST

START_TEST(readers_that_do_not_read_wait_for_themselves_only) {
  char *large = start_readers(READERS);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (unsigned i = 0; i < 100; i++) call_once(null);
  (void)close(null);
  for (unsigned i = 0; i < READERS; i++) take_reply(&readers[i], large);
  free(large);
  judge_calls("40 readers that do not read their 15 MiB");
  const double peak = served_mib(&server, "VmHWM:");
  printf("the server's peak is %.1f MiB\n", peak);
  if (MEMORY_COUNTS) ck_assert_double_lt(peak, PEAK_MIB);
  served_verify(&session);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("slow");
  TCase *all = tcase_create("slow");
  tcase_add_checked_fixture(all, setup, teardown);
  tcase_set_timeout(all, 120);
  tcase_add_test(all, a_thousand_silent_or_slow_peers_are_dropped_and_disturb_nobody);
  tcase_add_test(all, the_end_of_the_session_does_not_cut_off_a_reply_on_its_way);
  tcase_add_test(all, readers_that_do_not_read_wait_for_themselves_only);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
