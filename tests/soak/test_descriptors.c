/* Too few descriptors: for the server, for the process that embeds the engine, and for a session
 * that is about to begin. Calls wait or end with a named error, nothing spins, and afterwards all
 * is well. */
#include <cmdmox/cmdmox.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/served.h"

enum {
  CROWD = 500,
  LIMIT = 64,
  WAITING_MS = 1500,
  CPU_MS = WAITING_MS / 10 /* what a server that does not spin takes is 1 % of it */
};

/* ---- The server ----------------------------------------------------------------- */

typedef struct crowd {
  pid_t pids[CROWD];
  int errors[CROWD]; /* each shim's stderr */
  unsigned running, fine, refused;
} crowd_t;

/* Every second one waits for one second only. */
static bool is_patient(unsigned i) { return i % 2 == 0; }

static void start(crowd_t *crowd, const served_session_t *session) {
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  ck_assert_int_ge(null, 0);
  for (unsigned i = 0; i < CROWD; i++) {
    crowd->errors[i] = nameless_file();
    crowd->pids[i] =
        served_spawn(session, "held", i, is_patient(i) ? "90" : "1", null, crowd->errors[i]);
    crowd->running++;
  }
  (void)close(null);
}

static void judge(crowd_t *crowd, unsigned i, int status) {
  char text[512] = "";
  (void)!pread(crowd->errors[i], text, sizeof text - 1, 0);
  (void)close(crowd->errors[i]);
  crowd->running--;
  if (status == 0) {
    crowd->fine++;
    return;
  }
  crowd->refused++;
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 125, "call %u: wait status %#x, %s", i,
                (unsigned)status, text);
  ck_assert_msg(!is_patient(i), "call %u had time and failed: %s", i, text);
  ck_assert_msg(strstr(text, "cmdmox: held: ") == text && strstr(text, "CMOX_IPC_TIMEOUT"),
                "call %u ends without a name for it: %s", i, text);
}

static void reap(crowd_t *crowd) {
  for (unsigned i = 0; i < CROWD; i++) {
    int status;
    if (crowd->pids[i] == 0 || waitpid(crowd->pids[i], &status, WNOHANG) == 0) continue;
    crowd->pids[i] = 0;
    judge(crowd, i, status);
  }
}

/* Until the server holds as many calls as it has descriptors for. */
static uint64_t await_exhaustion(served_session_t *session) {
  uint64_t count = 0, before;
  do {
    before = count;
    (void)poll(NULL, 0, 200);
    count = served_count(session);
  } while (count == 0 || count != before);
  return count;
}

START_TEST(five_hundred_shims_at_a_server_of_sixty_four_descriptors) {
  static crowd_t crowd;
  served_t server;
  served_session_t session;
  served_start(&server, CMOX_TEST_PROGRAM, LIMIT);
  served_session_open(&session, &server);
  served_stub(&session, "held", &(served_answer_t){.out = "x", .gate = "gate"});
  served_stub(&session, "later", &(served_answer_t){.exit_code = 7});
  served_replay(&session);
  start(&crowd, &session);
  const uint64_t held = await_exhaustion(&session);
  ck_assert_uint_gt(held, LIMIT / 2);
  ck_assert_uint_lt(held, LIMIT);

  const double before = served_cpu_ms(&server);
  (void)poll(NULL, 0, WAITING_MS);
  const double taken = served_cpu_ms(&server) - before;
  printf("%u of %u calls held with %u descriptors; %.0f ms of CPU in %u ms\n", (unsigned)held,
         (unsigned)CROWD, (unsigned)LIMIT, taken, (unsigned)WAITING_MS);
  ck_assert_double_lt(taken, CPU_MS);

  while (crowd.running > 0) { /* as places become free the next ones come */
    (void)served_release(&session, "gate");
    reap(&crowd);
  }
  ck_assert_uint_eq(crowd.fine + crowd.refused, CROWD);
  ck_assert_uint_ge(crowd.fine, CROWD / 2);
  printf("%u calls were answered, %u gave up by name\n", crowd.fine, crowd.refused);
  int status;
  ck_assert_int_gt(waitpid(served_spawn(&session, "later", 0, "30", -1, -1), &status, 0), 0);
  ck_assert_int_eq(WEXITSTATUS(status), 7);
  served_session_free(&session);
  served_stop(&server);
}
END_TEST

/* ---- The process that embeds the engine -------------------------------------------- */

static struct rlimit before;
static int taken[4096];
static unsigned taken_count;

static void limit_descriptors(rlim_t count) {
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  const struct rlimit few = {count, before.rlim_max};
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void take_all(void) {
  for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken[taken_count++] = fd;
  ck_assert_int_eq(errno, EMFILE);
}

static void give_back(unsigned count) {
  while (count-- > 0 && taken_count > 0) (void)close(taken[--taken_count]);
}

static double own_cpu_ms(void) {
  struct rusage usage;
  ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static pid_t start_call(cmox_t *mox, const char *timeout) {
  char program[256], patience[48];
  (void)snprintf(program, sizeof program, "%s/git", cmox_shim_directory(mox));
  (void)snprintf(patience, sizeof patience, "CMOX_IPC_TIMEOUT=%s", timeout);
  char *const environment[] = {patience, NULL};
  char *const argv[] = {(char[]){"git"}, NULL};
  return spawn_to(program, argv, environment, -1, -1, -1);
}

static int end_of(pid_t pid) {
  int status;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  ck_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

START_TEST(a_test_that_holds_all_descriptors_delays_its_calls) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_returns(cmox_stub(mox, "git"), .exit_code = 3);
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  limit_descriptors(256);
  take_all();
  const pid_t impatient = start_call(mox, "0.2");
  const pid_t patient = start_call(mox, "60");
  ck_assert_int_eq(end_of(impatient), 125);
  const double cpu = own_cpu_ms();
  (void)poll(NULL, 0, WAITING_MS);
  ck_assert_double_lt(own_cpu_ms() - cpu, CPU_MS);
  ck_assert_int_eq(waitpid(patient, NULL, WNOHANG), 0);
  give_back(taken_count);
  ck_assert_int_eq(end_of(patient), 3);
  ck_assert_int_eq(end_of(start_call(mox, "60")), 3);
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED); /* one call ended with 125 */
  ck_assert_ptr_nonnull(strstr(cmox_message(mox), "no word from the server in time"));
}
END_TEST

START_TEST(a_crowd_at_an_engine_of_sixty_four_descriptors) {
  enum { MANY = 200 };
  static pid_t pids[MANY];
  limit_descriptors(LIMIT);
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_double_t *git = cmox_stub(mox, "git");
  cmox_returns(git, .exit_code = 4, .delay_ms = 20);
  ck_assert_int_eq(cmox_replay(mox), CMOX_OK);
  for (unsigned i = 0; i < MANY; i++) pids[i] = start_call(mox, "60");
  for (unsigned i = 0; i < MANY; i++) ck_assert_int_eq(end_of(pids[i]), 4);
  ck_assert_int_eq(cmox_verify(mox), CMOX_OK);
  ck_assert_uint_eq(cmox_call_count(git), MANY);
}
END_TEST

/* ---- Beginnings ------------------------------------------------------------------- */

/* A whole session; what it says when it fails. */
static cmox_code_t whole_session(char *text, size_t size) {
  cmox_t *mox = cmox_new(NULL);
  cmox_stub(mox, "git");
  (void)cmox_replay(mox);
  if (cmox_code(mox) == CMOX_OK) (void)cmox_verify(mox);
  const cmox_code_t code = cmox_code(mox);
  (void)snprintf(text, size, "%s", cmox_message(mox));
  cmox_free(mox);
  return code;
}

START_TEST(a_session_with_any_number_of_free_descriptors) {
  enum { ENOUGH = 40 };
  char text[512];
  unsigned refused = 0;
  for (unsigned free_ones = 0; free_ones <= ENOUGH; free_ones++) {
    limit_descriptors(256);
    take_all();
    give_back(free_ones);
    const cmox_code_t code = whole_session(text, sizeof text);
    give_back(taken_count);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (code == CMOX_OK) continue;
    refused++;
    ck_assert_msg(strstr(text, "too many open files") || strstr(text, "Too many open files"),
                  "%u descriptors: %s", free_ones, text);
  }
  ck_assert_uint_gt(refused, 5);
  ck_assert_uint_lt(refused, ENOUGH); /* with the last of them it works */
  ck_assert_int_eq(whole_session(text, sizeof text), CMOX_OK);
  printf("a session needs %u descriptors\n", refused);
}
END_TEST

/* The very first loop of a process is special to libuv. */
START_TEST(a_server_with_any_number_of_descriptors) {
  unsigned refused = 0;
  for (unsigned descriptors = 3; descriptors < 40; descriptors++) {
    char line[512];
    (void)snprintf(line, sizeof line, "ulimit -n %u && exec %s serve --stdio", descriptors,
                   CMOX_TEST_PROGRAM);
    SCOPED_RUN run = RUN("/bin/sh", "-c", line);
    if (strstr(run.err, "is no socket, pipe or terminal")) continue; /* it is ready to serve */
    if (strstr(run.err, "shared libraries")) continue;               /* it was not even loaded */
    refused++;
    ck_assert_msg(run.exit_code > 0 && run.exit_code < 126,
                  "%u descriptors: status %d signal %d, %s", descriptors, run.exit_code, run.signal,
                  run.err);
    ck_assert_msg(strstr(run.err, "oo many open files") && strstr(run.err, "raise the limit"),
                  "%u descriptors: %s", descriptors, run.err);
  }
  ck_assert_uint_gt(refused, 0);
  ck_assert_uint_lt(refused, 30);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("descriptors");
  TCase *all = tcase_create("descriptors");
  tcase_set_timeout(all, 120);
  tcase_add_test(all, five_hundred_shims_at_a_server_of_sixty_four_descriptors);
  tcase_add_test(all, a_test_that_holds_all_descriptors_delays_its_calls);
  tcase_add_test(all, a_crowd_at_an_engine_of_sixty_four_descriptors);
  tcase_add_test(all, a_session_with_any_number_of_free_descriptors);
  tcase_add_test(all, a_server_with_any_number_of_descriptors);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
