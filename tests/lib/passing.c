#include "tests/lib/passing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"

void passing_tell(int peer, uint32_t id, const Cmdmox__V1__Passthrough *how,
                  const passing_change_t *changes) {
  enum { CHANGES_MAX = 8 };
  Cmdmox__V1__EnvChange made[CHANGES_MAX], *list[CHANGES_MAX];
  Cmdmox__V1__Passthrough passthrough = *how;
  Cmdmox__V1__Action action = CMDMOX__V1__ACTION__INIT;
  for (; changes && changes->name; changes++) {
    Cmdmox__V1__EnvChange *change = &made[passthrough.n_env_changes];
    cmdmox__v1__env_change__init(change);
    change->name = (ProtobufCBinaryData)BYTES_OF(changes->name);
    if (changes->value) {
      change->change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
      change->value = (ProtobufCBinaryData)BYTES_OF(changes->value);
    }
    list[passthrough.n_env_changes++] = change;
  }
  passthrough.env_changes = list;
  action.call_id = 7;
  action.kind_case = CMDMOX__V1__ACTION__KIND_PASSTHROUGH;
  action.passthrough = &passthrough;
  cmox_peer_action(peer, id, &action);
}

static void take_piece(passing_heard_t *heard, const cmox_pb_frame_t *frame) {
  const ProtobufCBinaryData piece = frame->stream_data->data;
  const int stream = (int)frame->stream_data->stream - CMDMOX__V1__STREAM__STREAM_STDIN;
  ck_assert_uint_eq(frame->id, 1);
  ck_assert(stream >= 0 && stream < 3);
  ck_assert_uint_le(piece.len, 256 << 10);
  ck_assert_msg(!heard->report, "a piece after the report");
  uint8_t *grown = realloc(heard->data[stream], heard->len[stream] + piece.len + 1);
  ck_assert_ptr_nonnull(grown);
  heard->data[stream] = grown;
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a failed assertion ends the process
  memcpy(heard->data[stream] + heard->len[stream], piece.data, piece.len);
  heard->len[stream] += piece.len;
  heard->data[stream][heard->len[stream]] = '\0';
}

/* True: it was the end. */
static bool take_request(passing_heard_t *heard, const cmox_pb_frame_t *frame) {
  static const char service[] = "cmdmox.v1.ShimService/";
  const ProtobufCBinaryData payload = frame->request->payload;
  const char *method = frame->request->method + sizeof service - 1;
  if (strcmp(method, "ContinueInvoke") == 0) return true;
  ck_assert_str_eq(method, "ReportPassthrough");
  ck_assert_msg(!heard->report, "two reports");
  heard->report = cmdmox__v1__report_passthrough_request__unpack(NULL, payload.len, payload.data);
  ck_assert_ptr_nonnull(heard->report);
  snprintf(heard->program, sizeof heard->program, "%.*s", (int)heard->report->program.len,
           (const char *)heard->report->program.data);
  return false;
}

static void take_completed(passing_heard_t *heard, const cmox_pb_frame_t *frame) {
  const ProtobufCBinaryData payload = frame->notify->payload;
  ck_assert_str_eq(frame->notify->topic, "cmdmox.v1.Completed");
  Cmdmox__V1__Completed *completed = cmdmox__v1__completed__unpack(NULL, payload.len, payload.data);
  ck_assert_ptr_nonnull(completed);
  heard->completed = true;
  heard->broken_pipe = completed->broken_pipe;
  snprintf(heard->failure, sizeof heard->failure, "%s", completed->failure);
  cmdmox__v1__completed__free_unpacked(completed, NULL);
}

static passing_heard_t hear(int peer, bool to_the_end) {
  passing_heard_t heard = {.data = {calloc(1, 1), calloc(1, 1), calloc(1, 1)}};
  bool over = false;
  while (!over) {
    cmox_pb_frame_t *frame = cmox_peer_read(peer);
    if (!frame) break;
    ck_assert_msg(!heard.completed, "something follows Completed");
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_STREAM_DATA) take_piece(&heard, frame);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST) over = take_request(&heard, frame);
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_NOTIFY) take_completed(&heard, frame);
    cmox_peer_free(frame);
  }
  ck_assert_int_eq(over, !to_the_end);
  return heard;
}

passing_heard_t passing_hear(int peer) {
  const passing_heard_t heard = hear(peer, true);
  close(peer);
  return heard;
}

passing_heard_t passing_hear_continue(int peer) {
  passing_heard_t heard = hear(peer, false);
  free(heard.data[1]);
  free(heard.data[2]);
  heard.data[1] = heard.data[2] = NULL;
  return heard;
}

void passing_free(passing_heard_t *heard) {
  for (int i = 0; i < 3; i++) free(heard->data[i]);
  if (heard->report) cmdmox__v1__report_passthrough_request__free_unpacked(heard->report, NULL);
}

const char *passing_path(const passing_scene_t *scene, const char *name) {
  static char paths[4][160];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", scene->place, name);
  return path;
}

void passing_open(passing_scene_t *scene) {
  scratch_directory(scene->place, sizeof scene->place);
  cmox_stage_open(&scene->stage);
}

void passing_begin(passing_scene_t *scene, cmox_start_t *start) {
  start->cwd = scene->place;
  cmox_run_start(&scene->stage, start, &scene->run);
  scene->peer = cmox_peer_begin(&scene->stage);
}

/* Runs "/bin/sh -c line"; the words "git", "-c" and the line are its argv. */
void passing_begin_sh(passing_scene_t *scene, cmox_start_t *start, const char *line) {
  const char *const argv[] = {"git", "-c", line, NULL};
  start->argv = argv;
  passing_begin(scene, start);
}

void passing_close(passing_scene_t *scene) {
  cmox_run_free(&scene->run);
  cmox_stage_close(&scene->stage);
  scratch_remove(scene->place);
}
