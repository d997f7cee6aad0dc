/* Feeds stdin.
 *
 * A file is inherited, and what was taken is the way that its offset went. Of all else one block at
 * a time is put into a pipe that holds no more, and it counts as taken when the pipe says so:
 *   1. what was kept from reading to decide comes first;
 *   2. a pipe's next block is a copy (tee): the caller's stays as it is until the block is taken;
 *   3. of anything else the block is read, and lost to others if the command does not take it.
 * The end of the caller's stdin closes the pipe. A command that closes its stdin is left alone. */
#include "shim/feed.h"

#include "shim/os.h"
#include "shim/say.h"
#include "shim/track.h"

static struct {
  bool begun;
  int file; /* -1: the caller's stdin is a file and can be read again */
  uint64_t start;
  uint64_t len, at;
} kept = {.file = -1};

void cmox_feed_keep_from_here(void) {
  if (kept.begun) return;
  kept.begun = true;
  if (cmox_os_kind(0) == CMOX_OS_KIND_FILE && cmox_os_offset(0, &kept.start)) return;
  const int error = cmox_os_memory_file(&kept.file);
  if (error == 0) return;
  cmox_say("cannot keep stdin for the real command: ");
  cmox_die(cmox_os_error_text(error));
}

void cmox_feed_keep(cmox_view_t data) {
  size_t moved = 0;
  int error = 0;
  kept.len += data.len;
  if (kept.file < 0) return;
  if (cmox_os_write(kept.file, data.data, data.len, &moved, &error) == CMOX_OS_DONE) return;
  cmox_say("cannot keep stdin for the real command: ");
  cmox_die(cmox_os_error_text(error));
}

bool cmox_feed_has_kept(void) { return kept.file >= 0 && kept.len > 0; }

_Noreturn static void die_unfed(int error) {
  cmox_say("cannot hand on stdin: ");
  cmox_die(cmox_os_error_text(error));
}

int cmox_feed_open(cmox_feed_t *feed, bool capture, uint64_t most) {
  int ends[2];
  feed->kind = cmox_os_kind(0);
  feed->to = -1;
  feed->left = capture ? most : 0;
  if (feed->kind == CMOX_OS_KIND_FILE) {
    if (kept.begun) cmox_os_set_offset(0, kept.start);
    cmox_os_offset(0, &feed->start);
    return -1;
  }
  if (feed->kind == CMOX_OS_KIND_NONE || (!capture && !cmox_feed_has_kept())) return -1;
  const int error = cmox_os_pipe(ends, 1, true);
  if (error != 0) die_unfed(error);
  feed->to = ends[1];
  feed->copies = feed->kind == CMOX_OS_KIND_PIPE;
  return ends[0];
}

void cmox_feed_watch(const cmox_feed_t *feed, cmox_os_watch_t watches[2]) {
  const bool waits = feed->ahead > 0 || kept.at < kept.len;
  watches[0] = (cmox_os_watch_t){feed->to >= 0 && !waits ? 0 : -1, CMOX_OS_READ, 0};
  watches[1] = (cmox_os_watch_t){feed->to, waits ? CMOX_OS_WRITE : 0, 0};
}

static void tell(cmox_feed_t *feed, cmox_call_t *call, cmox_view_t data) {
  if (data.len > feed->left) data.len = (size_t)feed->left;
  if (data.len > 0) cmox_put_piece(&call->out, 0, data, cmox_os_now_us());
  feed->left -= data.len;
}

/* What the command has taken since. */
static void settle(cmox_feed_t *feed, cmox_call_t *call) {
  const size_t waiting = cmox_os_waiting(feed->to);
  size_t taken = feed->ahead > waiting ? feed->ahead - waiting : 0;
  if (taken == 0) return;
  feed->ahead -= taken;
  feed->total += taken;
  if (kept.at < kept.len) { /* the server has these */
    kept.at += taken;
    return;
  }
  uint8_t *data = feed->block;
  if (feed->copies) {
    int error;
    /* Never wait for what another process took meanwhile. */
    if (cmox_os_waiting(0) < taken || cmox_os_get(0, data, taken, &taken, &error) != CMOX_OS_DONE)
      return;
  }
  tell(feed, call, (cmox_view_t){data, taken});
  for (size_t i = 0; !feed->copies && i < feed->ahead; i++) data[i] = data[i + taken];
}

static void put_block(cmox_feed_t *feed, cmox_os_io_t outcome, size_t len, int error) {
  size_t moved = 0;
  if (outcome == CMOX_OS_AGAIN) return;
  if (outcome == CMOX_OS_DONE)
    outcome = cmox_os_put(feed->to, CMOX_OS_KIND_PIPE, feed->block, len, &moved, &error);
  feed->ahead = moved;
  if (outcome == CMOX_OS_FAILED) die_unfed(error);
  if (outcome == CMOX_OS_CLOSED) cmox_os_end(&feed->to);
}

static void next_block(cmox_feed_t *feed) {
  size_t moved = 0;
  int error = 0;
  if (kept.at < kept.len) {
    const cmox_os_io_t outcome =
        cmox_os_get_at(kept.file, kept.at, feed->block, CMOX_FEED_BLOCK, &moved);
    put_block(feed, outcome, moved, error);
    return;
  }
  if (feed->copies) {
    const cmox_os_io_t outcome = cmox_os_copy(0, feed->to, CMOX_FEED_BLOCK, &moved);
    feed->ahead = moved;
    if (outcome == CMOX_OS_CLOSED || outcome == CMOX_OS_ABSENT) cmox_os_end(&feed->to);
    if (outcome != CMOX_OS_FAILED) return;
    feed->copies = false;
  }
  const cmox_os_io_t outcome = cmox_os_get(0, feed->block, CMOX_FEED_BLOCK, &moved, &error);
  put_block(feed, outcome, moved, error);
}

void cmox_feed_step(cmox_feed_t *feed, cmox_call_t *call, const cmox_os_watch_t watches[2]) {
  if (feed->to < 0 || !(watches[0].ready | watches[1].ready)) return;
  settle(feed, call);
  if (watches[1].ready & CMOX_OS_GONE)
    cmox_os_end(&feed->to);
  else if (feed->ahead == 0 && (kept.at < kept.len || watches[0].ready))
    next_block(feed);
}

void cmox_feed_close(cmox_feed_t *feed, cmox_call_t *call) {
  uint64_t now = 0;
  if (feed->to >= 0) settle(feed, call);
  cmox_os_end(&feed->to);
  if (feed->kind != CMOX_OS_KIND_FILE || !cmox_os_offset(0, &now) || now <= feed->start) return;
  feed->total = now - feed->start;
  cmox_track_tell(call, 0, 0, feed->start + (kept.begun ? kept.len : 0), now, feed->left);
}
