#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "server/transport/internal.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/loop.h"
#include "tests/lib/run_suite.h"

enum { MANY = 200 };

static uv_loop_t loop;
static char place[64]; /* a private directory */
static char path[96];
static cmox_listener_t *listener;
static seen_t seen; /* of all links */
static unsigned links, gone;

static void on_link(cmox_listener_t *from, cmox_link_t *link) {
  ck_assert_ptr_eq(from, listener);
  ck_assert_ptr_eq(cmox_listener_user(from), &seen);
  links++;
  cmox_link_set_events(link, &seen_events, &seen);
}

static void on_gone(cmox_listener_t *from) {
  (void)from;
  gone++;
}

static const cmox_listener_events_t events = {on_link, on_gone};

static cmox_code_t listen_at(const char *where, cmox_error_t *error) {
  return cmox_listener_open(&loop, where, &events, &seen, &listener, error);
}

static void setup(void) {
  loop_open(&loop);
  seen = (seen_t){0};
  links = gone = 0;
  scratch_directory(place, sizeof place);
  snprintf(path, sizeof path, "%s/s", place);
}

static void teardown(void) {
  if (listener) cmox_listener_close(listener);
  loop_close(&loop);
  (void)unlink(path);
  ck_assert_int_eq(rmdir(place), 0);
  cmox_buf_clear(&seen.text);
}

static int dial(const char *where) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

START_TEST(two_hundred_links_at_once) {
  static int peers[MANY];
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  for (int i = 0; i < MANY; i++) {
    peers[i] = dial(path);
    ck_assert_int_ge(peers[i], 0);
    write_all(peers[i], "\x01x", 2);
  }
  loop_settle(&loop); /* pending connections and what they said */
  ck_assert_uint_eq(links, MANY);
  ck_assert_uint_eq(seen.frames, MANY);
  for (int i = 0; i < MANY; i++) close(peers[i]);
  loop_until(&loop, seen.closed == MANY);
}
END_TEST

static const mode_t umasks[] = {0, 022, 0777};

START_TEST(the_socket_is_private_under_any_umask) {
  mode_t before = umask(umasks[_i]);
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  ck_assert_uint_eq(umask(before), umasks[_i]); /* and the umask is untouched */
  struct stat info;
  ck_assert_int_eq(lstat(path, &info), 0);
  ck_assert_uint_eq(info.st_mode & 07777, 0600);
}
END_TEST

START_TEST(close_removes_the_path_and_keeps_the_links) {
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  int fd = dial(path);
  loop_until(&loop, links == 1);
  cmox_listener_close(listener);
  listener = NULL;
  loop_until(&loop, gone == 1);
  ck_assert_int_eq(access(path, F_OK), -1);
  write_all(fd, "\x03yes", 4);
  loop_until(&loop, seen.frames == 1);
  ck_assert(seen_is(&seen, "yes|"));
  close(fd);
  loop_until(&loop, seen.closed == 1);
}
END_TEST

START_TEST(a_swapped_path_is_not_removed) {
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  ck_assert_int_eq(unlink(path), 0);
  FILE *file = fopen(path, "w");
  fclose(file);
  cmox_listener_close(listener);
  listener = NULL;
  loop_until(&loop, gone == 1);
  ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_path_that_is_taken_is_left_alone) {
  cmox_error_t error;
  FILE *file = fopen(path, "w");
  fclose(file);
  ck_assert_int_eq(listen_at(path, &error), CMOX_E_IO);
  ck_assert_ptr_nonnull(strstr(error.message, "in use: a file is there"));
  ck_assert_int_eq(access(path, F_OK), 0);
  ck_assert_int_eq(unlink(path), 0);

  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  cmox_listener_t *first = listener;
  ck_assert_int_eq(listen_at(path, &error), CMOX_E_IO);
  ck_assert_ptr_nonnull(strstr(error.message, "another server"));
  listener = first;
}
END_TEST

START_TEST(a_dead_socket_is_named_as_such) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  close(fd);
  cmox_error_t error;
  ck_assert_int_eq(listen_at(path, &error), CMOX_E_IO);
  ck_assert_ptr_nonnull(strstr(error.message, "dead server"));
  ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(path_lengths_around_the_limit) {
  char longer[CMOX_SOCKET_PATH_MAX + 2];
  memset(longer, 'p', sizeof longer);
  memcpy(longer, place, strlen(place));
  longer[strlen(place)] = '/';
  longer[CMOX_SOCKET_PATH_MAX + 1] = '\0';
  cmox_error_t error;
  ck_assert_int_eq(listen_at(longer, &error), CMOX_E_PATH_TOO_LONG);
  ck_assert_ptr_nonnull(strstr(error.message, longer));
  ck_assert_ptr_nonnull(strstr(error.message, "108 bytes"));
  ck_assert_ptr_nonnull(strstr(error.message, "107"));
  ck_assert_ptr_null(listener);
  longer[CMOX_SOCKET_PATH_MAX] = '\0';
  ck_assert_int_eq(listen_at(longer, &error), CMOX_OK);
  struct stat info;
  ck_assert_int_eq(lstat(longer, &info), 0); /* under its whole name */
}
END_TEST

START_TEST(no_directory_and_no_path) {
  cmox_error_t error;
  ck_assert_int_eq(listen_at("/nonexistent-directory/s", &error), CMOX_E_IO);
  ck_assert_int_eq(listen_at("", &error), CMOX_E_INVALID_ARGUMENT);
}
END_TEST

START_TEST(who_may_talk_to_us) {
  ck_assert(cmox_peer_allowed(1000, 1000));
  ck_assert(cmox_peer_allowed(0, 1000));
  ck_assert(!cmox_peer_allowed(1001, 1000));
  ck_assert(!cmox_peer_allowed(1000, 0));
}
END_TEST

/* The mode would keep the stranger out; the test opens it to meet the second lock. */
START_TEST(another_user_is_closed_before_a_byte_is_read) {
  if (geteuid() != 0) {
    fprintf(stderr, "SKIP: needs root to become another user\n");
    return;
  }
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  ck_assert_int_eq(chmod(place, 0755), 0);
  ck_assert_int_eq(chmod(path, 0666), 0);
  pid_t stranger = fork();
  ck_assert_int_ge(stranger, 0);
  if (stranger == 0) {
    if (setuid(65534) != 0) _exit(2);
    int fd = dial(path);
    char byte;
    if (fd < 0) _exit(3);
    (void)!send(fd, "\x01x", 2, MSG_NOSIGNAL);
    _exit(read(fd, &byte, 1) <= 0 ? 0 : 4);
  }
  int status;
  for (;;) {
    pid_t done = waitpid(stranger, &status, WNOHANG);
    ck_assert_int_ge(done, 0);
    if (done > 0) break;
    (void)uv_run(&loop, UV_RUN_NOWAIT);
  }
  ck_assert_int_eq(status, 0);
  ck_assert_uint_eq(links, 0);
  ck_assert_uint_eq(seen.frames, 0);
}
END_TEST

START_TEST(connections_wait_while_descriptors_are_short) {
  ck_assert_int_eq(listen_at(path, NULL), CMOX_OK);
  int first = dial(path);
  int second = dial(path);
  int last = dup(first); /* the highest number in use */
  struct rlimit all;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
  struct rlimit few = {.rlim_cur = (rlim_t)last + 1, .rlim_max = all.rlim_max};
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
  loop_settle(&loop); /* the closed dup leaves no room, nothing is lost, nothing spins */
  ck_assert_uint_eq(links, 0);
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
  close(last);
  loop_until(&loop, links == 2);
  close(first);
  close(second);
  loop_until(&loop, seen.closed == 2);
}
END_TEST

static void listen_and_accept(alloc_fault_t *fault) {
  (void)fault;
  uv_loop_t own;
  bool drained = false;
  ck_assert_int_eq(uv_loop_init(&own), 0);
  if (cmox_transport_init(&own, NULL) != CMOX_OK) {
    ck_assert_int_eq(uv_loop_close(&own), 0);
    return;
  }
  if (cmox_listener_open(&own, path, &events, &seen, &listener, NULL) == CMOX_OK) {
    int fd = dial(path);
    if (cmox_transport_drain(&own, loop_passed, &drained) == CMOX_OK) loop_until(&own, drained);
    close(fd);
    cmox_listener_close(listener);
  }
  listener = NULL;
  loop_close(&own);
  ck_assert_int_eq(access(path, F_OK), -1);
}

START_TEST(every_allocation_may_fail) { alloc_fault_sweep("listener", listen_and_accept); }
END_TEST

int main(void) {
  Suite *suite = suite_create("listener");
  TCase *all = tcase_create("listener");
  tcase_add_checked_fixture(all, setup, teardown);
  tcase_set_timeout(all, 30);
  suite_add_tcase(suite, all);
  tcase_add_test(all, two_hundred_links_at_once);
  tcase_add_loop_test(all, the_socket_is_private_under_any_umask, 0, 3);
  tcase_add_test(all, close_removes_the_path_and_keeps_the_links);
  tcase_add_test(all, a_swapped_path_is_not_removed);
  tcase_add_test(all, a_path_that_is_taken_is_left_alone);
  tcase_add_test(all, a_dead_socket_is_named_as_such);
  tcase_add_test(all, path_lengths_around_the_limit);
  tcase_add_test(all, no_directory_and_no_path);
  tcase_add_test(all, who_may_talk_to_us);
  tcase_add_test(all, another_user_is_closed_before_a_byte_is_read);
  tcase_add_test(all, connections_wait_while_descriptors_are_short);
  TCase *memory = tcase_create("memory");
  tcase_add_checked_fixture(memory, setup, teardown);
  suite_add_tcase(suite, memory);
  tcase_add_test(memory, every_allocation_may_fail);
  return run_suite(suite);
}
