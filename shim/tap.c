/* Moves one output.
 *   1. A block is read, put on its way to the server, and written to the caller, as much of it as
 * the caller takes now; nothing more is read before it is written.
 *   2. Beyond what the server wants, the pipe is spliced into the caller's stream.
 * A caller that has closed its stream is noticed at once, and the pipe closed, so that the command
 * dies of its next write as it would have. */
#include "shim/tap.h"

#include "shim/os.h"
#include "shim/say.h"
#include "shim/trace.h"

enum { PAGE = 4096, BLOCK = 64 << 10, SPLICED = 1 << 20 };

/* The second half is for what a command that was killed leaves in its pipe. */
static CMOX_COLD uint8_t blocks[2][2 * BLOCK];

int cmox_tap_open(cmox_tap_t *tap, int stream, uint64_t most) {
  int ends[2];
  const int error = cmox_os_pipe(ends, 0, false);
  if (error != 0) {
    cmox_say("cannot capture: ");
    cmox_die(cmox_os_error_text(error));
  }
  const cmox_os_kind_t kind = cmox_os_kind(stream);
  *tap = (cmox_tap_t){.stream = stream,
                      .from = ends[0],
                      .to = stream,
                      .kind = kind,
                      .named = kind == CMOX_OS_KIND_PIPE && cmox_os_is_named(stream, ends[0]),
                      .left = most,
                      .block = blocks[stream - 1]};
  return ends[1];
}

/* A file never loses its reader; one of a pipe with a name may come again before the next write. */
static bool may_lose_reader(const cmox_tap_t *tap) {
  return tap->kind != CMOX_OS_KIND_FILE && !tap->named;
}

bool cmox_tap_stuck(const cmox_tap_t *tap) { return tap->rest.len > 0 || tap->full; }

bool cmox_tap_open_still(const cmox_tap_t *tap) {
  return tap->stream != 0 && (tap->rest.len > 0 || tap->from >= 0);
}

void cmox_tap_keep(const cmox_tap_t *tap, int kept[2]) {
  kept[0] = tap->stream != 0 ? tap->from : -1;
  kept[1] = cmox_tap_open_still(tap) ? tap->to : -1;
}

void cmox_tap_watch(const cmox_tap_t *tap, cmox_os_watch_t watches[2]) {
  watches[0] = watches[1] = (cmox_os_watch_t){-1, 0, 0};
  if (tap->stream == 0) return;
  const bool stuck = cmox_tap_stuck(tap);
  const bool reads = tap->from >= 0 && !stuck;
  watches[0] = (cmox_os_watch_t){reads ? tap->from : -1, CMOX_OS_READ, 0};
  const bool writes = tap->from >= 0 ? stuck || may_lose_reader(tap) : tap->rest.len > 0;
  watches[1] = (cmox_os_watch_t){writes ? tap->to : -1, stuck ? CMOX_OS_WRITE : 0, 0};
}

static void lose_reader(cmox_tap_t *tap, cmox_call_t *call) {
  if (call) call->broken[tap->stream] = true;
  tap->rest.len = 0;
  tap->full = false;
  cmox_os_end(&tap->from);
}

/* A pipe of the caller's that would block is written to only when it has room, a page at a time. */
static bool may_block(const cmox_tap_t *tap) {
  return tap->kind == CMOX_OS_KIND_PIPE && tap->to == tap->stream;
}

/* A descriptor of our own that does not block is made for the first block that is more than a page
 * or finds no room: it is dearer than all else that a short output costs. */
static bool make_room(cmox_tap_t *tap) {
  cmox_os_watch_t watch = {tap->to, CMOX_OS_WRITE, 0};
  if (!may_block(tap) || tap->reopened) return false;
  if (tap->rest.len <= PAGE && cmox_os_watch(&watch, 1, 0) && (watch.ready & CMOX_OS_WRITE))
    return true;
  tap->reopened = true;
  tap->to = cmox_os_writer(tap->stream, tap->kind);
  return false;
}

static void put_rest(cmox_tap_t *tap, cmox_call_t *call, bool has_room) {
  if (tap->rest.len > 0 && !has_room) has_room = make_room(tap);
  while (tap->rest.len > 0 && (has_room || !may_block(tap))) {
    has_room = false;
    size_t moved = 0;
    int error = 0;
    const cmox_os_io_t outcome =
        cmox_os_put(tap->to, tap->kind, tap->rest.data, tap->rest.len, &moved, &error);
    tap->rest.data += moved;
    tap->rest.len -= moved;
    if (call) call->written[tap->stream] += moved;
    if (outcome == CMOX_OS_AGAIN) return;
    if (outcome == CMOX_OS_CLOSED) lose_reader(tap, call);
    if (outcome == CMOX_OS_FAILED && call) cmox_call_write_failed(call, tap->stream, error);
    if (outcome == CMOX_OS_FAILED) cmox_os_exit(CMOX_EXIT_SHIM_FAILURE);
  }
}

static void tell(cmox_tap_t *tap, cmox_call_t *call, cmox_view_t block) {
  const size_t most = call->chunk < tap->left ? call->chunk : (size_t)tap->left;
  const cmox_view_t piece = {block.data, block.len < most ? block.len : most};
  if (piece.len > 0) cmox_put_piece(&call->out, tap->stream, piece, cmox_os_now_us());
  tap->left -= piece.len;
  tap->past = tap->left == 0 && tap->kind != CMOX_OS_KIND_SOCKET;
}

/* Behind what is not yet written. False: nothing comes now. */
static bool get_block(cmox_tap_t *tap, cmox_call_t *call) {
  size_t moved = 0;
  int error = 0;
  if (tap->rest.len == 0) tap->rest.data = tap->block;
  uint8_t *const at = tap->block + (tap->rest.data - tap->block) + tap->rest.len;
  const cmox_os_io_t outcome = cmox_os_get(tap->from, at, BLOCK, &moved, &error);
  if (outcome == CMOX_OS_AGAIN) return false;
  if (outcome == CMOX_OS_FAILED) {
    cmox_say("cannot read what the real command writes: ");
    cmox_die(cmox_os_error_text(error));
  }
  if (outcome == CMOX_OS_CLOSED) {
    cmox_os_end(&tap->from);
    return false;
  }
  tap->total += moved;
  tap->rest.len += moved;
  if (call && tap->left > 0) tell(tap, call, (cmox_view_t){at, moved});
  return true;
}

/* False: nothing comes now, or the caller has to read first. */
static bool splice_block(cmox_tap_t *tap, cmox_call_t *call) {
  size_t moved = 0;
  const cmox_os_io_t outcome = cmox_os_splice(tap->from, tap->to, SPLICED, &moved);
  tap->total += moved;
  if (call) call->written[tap->stream] += moved;
  switch (outcome) {
    case CMOX_OS_DONE:
      return true;
    case CMOX_OS_AGAIN:
      tap->full = cmox_os_waiting(tap->from) > 0;
      return false;
    case CMOX_OS_CLOSED:
      cmox_os_end(&tap->from);
      return false;
    case CMOX_OS_ABSENT:
      lose_reader(tap, call);
      return false;
    default:
      tap->past = false;
      return get_block(tap, call);
  }
}

void cmox_tap_step(cmox_tap_t *tap, cmox_call_t *call, const cmox_os_watch_t watches[2]) {
  if (tap->stream == 0) return;
  const bool gone = watches[1].ready & CMOX_OS_GONE;
  if (gone && may_lose_reader(tap)) {
    lose_reader(tap, call);
    return;
  }
  const bool has_room = gone || watches[1].ready & CMOX_OS_WRITE; /* or the write will tell */
  if (has_room) tap->full = false;
  put_rest(tap, call, has_room);
  if (tap->from < 0 || tap->rest.len > 0 || tap->full) return;
  if (!tap->last && !(watches[0].ready & CMOX_OS_READ) && !has_room) return;
  const bool more = tap->past ? splice_block(tap, call) : get_block(tap, call);
  /* An heir that never pauses must not hold up the end. */
  if (tap->last && tap->from >= 0 && (more ? tap->total >= tap->most : !tap->full)) tap->dry = true;
  put_rest(tap, call, false);
}

void cmox_tap_last(cmox_tap_t *tap, bool last) {
  tap->last = last;
  tap->dry = false;
  tap->most = tap->total + SPLICED;
}

void cmox_tap_step_on(cmox_tap_t *tap, cmox_call_t *call) {
  static const cmox_os_watch_t nothing_ready[2];
  while (!cmox_tap_done(tap) && !cmox_tap_stuck(tap)) cmox_tap_step(tap, call, nothing_ready);
}

bool cmox_tap_leave(cmox_tap_t *tap, cmox_call_t *call) {
  cmox_os_watch_t watch = {tap->from, 0, 0};
  if (tap->from >= 0 && !tap->past) get_block(tap, call);
  if (tap->from >= 0 && tap->past) tap->total += cmox_os_waiting(tap->from);
  return tap->from >= 0 && !(cmox_os_watch(&watch, 1, 0) && (watch.ready & CMOX_OS_GONE));
}

bool cmox_tap_done(const cmox_tap_t *tap) {
  return tap->stream == 0 || (tap->rest.len == 0 && (tap->from < 0 || tap->dry));
}
