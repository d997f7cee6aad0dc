/* Files that the server has the launcher make. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/files.h"
#include "tests/lib/leftovers.h"
#include "tests/lib/peer.h"

typedef struct scene {
  cmox_stage_t stage;
  cmox_run_t run;
  int peer;
  char place[64]; /* where the call is made */
} scene_t;

static void open_scene(scene_t *scene, cmox_start_t *start) {
  scratch_directory(scene->place, sizeof scene->place);
  start->cwd = scene->place;
  cmox_stage_open(&scene->stage);
  cmox_run_start(&scene->stage, start, &scene->run);
  scene->peer = cmox_peer_begin(&scene->stage);
}

static void close_scene(scene_t *scene) {
  close(scene->peer);
  cmox_stage_close(&scene->stage);
  scratch_remove(scene->place);
}

static const char *path_of(const scene_t *scene, const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", scene->place, name);
  return path;
}

static void assert_file(const scene_t *scene, const char *name, const char *content) {
  char *text = cmox_test_read_file(path_of(scene, name));
  ck_assert_msg(text && strcmp(text, content) == 0, "%s holds: %s", name, text ? text : "nothing");
  free(text);
}

START_TEST(pieces_make_files_of_their_modes) {
  scene_t scene;
  open_scene(&scene, CMOX_START(.argv = NULL));
  cmox_peer_file(scene.peer, "a", 0751, "one ", false);
  cmox_peer_stream(scene.peer, 1, "between", 7, 0);
  cmox_peer_file(scene.peer, NULL, 0, "two", true);
  cmox_peer_file(scene.peer, "empty", 0, NULL, true);
  cmox_peer_exit(scene.peer, 3);
  cmox_run_exited(&scene.run, 3);
  ck_assert_str_eq(scene.run.out, "between");
  ck_assert_uint_eq(scene.run.err_len, 0);
  struct stat info;
  assert_file(&scene, "a", "one two");
  ck_assert_int_eq(stat(path_of(&scene, "a"), &info), 0);
  ck_assert_uint_eq(info.st_mode & 07777, 0751);
  assert_file(&scene, "empty", "");
  ck_assert_int_eq(stat(path_of(&scene, "empty"), &info), 0);
  const mode_t mask = umask(0);
  umask(mask);
  ck_assert_uint_eq(info.st_mode & 07777, 0666 & ~mask);
  cmox_run_free(&scene.run);
  close_scene(&scene);
}
END_TEST

START_TEST(what_cannot_be_made_is_told_and_nothing_follows) {
  scene_t scene;
  open_scene(&scene, CMOX_START(.argv = NULL));
  cmox_peer_file(scene.peer, "no/such", 0, "x", true);
  cmox_peer_file(scene.peer, "next", 0, "x", true);
  cmox_peer_stream(scene.peer, 1, "out", 3, 0);
  cmox_run_failed(&scene.run, "cannot create no/such: No such file or directory");
  const cmox_completed_t end = cmox_peer_end(scene.peer);
  ck_assert_str_eq(end.failure, "No such file or directory");
  ck_assert_str_eq(end.failed_path, "no/such");
  ck_assert_int_ne(access(path_of(&scene, "next"), F_OK), 0);
  scene.peer = -1;
  close_scene(&scene);
}
END_TEST

/* The launcher's own line must not end up in a file that got the number of a closed stream. */
START_TEST(a_file_never_takes_the_place_of_a_closed_stream) {
  scene_t scene;
  open_scene(&scene,
             CMOX_START(.in = CMOX_RUN_CLOSED, .out = CMOX_RUN_CLOSED, .err = CMOX_RUN_CLOSED));
  cmox_peer_file(scene.peer, "a", 0, "half", false);
  close(scene.peer);
  scene.peer = -1;
  cmox_run_exited(&scene.run, 125);
  assert_file(&scene, "a", "half");
  cmox_run_free(&scene.run);
  close_scene(&scene);
}
END_TEST

typedef struct order {
  const char *why;
  void (*say)(int peer);
} order_t;

static void no_file(int peer) { cmox_peer_file(peer, NULL, 0, "x", true); }
static void after_the_end(int peer) {
  cmox_peer_file(peer, "a", 0, "x", true);
  cmox_peer_file(peer, NULL, 0, "x", true);
}
static void two_at_once(int peer) {
  cmox_peer_file(peer, "a", 0, "x", false);
  cmox_peer_file(peer, "b", 0, "x", true);
}
static void half_a_file(int peer) {
  cmox_peer_file(peer, "a", 0, "x", false);
  cmox_peer_exit(peer, 0);
}
static void too_long(int peer) {
  static char path[CMOX_FILE_PATH_MAX + 2];
  memset(path, 'p', sizeof path - 1);
  cmox_peer_file(peer, path, 0, "x", true);
}

static const order_t orders[] = {{"the server sent a piece of no file", no_file},
                                 {"the server sent a piece of no file", after_the_end},
                                 {"the server sent a file that cannot be made", two_at_once},
                                 {"the server answered in the middle of a file", half_a_file},
                                 {"the server sent a file that cannot be made", too_long}};

START_TEST(what_is_out_of_order_is_refused) {
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    scene_t scene;
    open_scene(&scene, CMOX_START(.argv = NULL));
    orders[i].say(scene.peer);
    cmox_run_failed(&scene.run, orders[i].why);
    close_scene(&scene);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {
      pieces_make_files_of_their_modes, what_cannot_be_made_is_told_and_nothing_follows,
      a_file_never_takes_the_place_of_a_closed_stream, what_is_out_of_order_is_refused, NULL};
  return cmox_check_main("file", tests);
}
