#include "shim/track.h"

#include "shim/os.h"

static CMOX_COLD uint8_t copy[64 << 10];

void cmox_track_tell(cmox_call_t *call, int stream, int file, uint64_t from, uint64_t to,
                     uint64_t most) {
  if (to > from && to - from > most) to = from + most;
  while (from < to) {
    size_t moved = 0, len = to - from < sizeof copy ? (size_t)(to - from) : sizeof copy;
    if (len > call->chunk) len = call->chunk;
    if (cmox_os_get_at(file, from, copy, len, &moved) != CMOX_OS_DONE) return;
    cmox_put_piece(&call->out, stream, (cmox_view_t){copy, moved}, cmox_os_now_us());
    cmox_call_send(call);
    from += moved;
  }
}

bool cmox_track_open(cmox_track_t *track, int stream, uint64_t most) {
  uint64_t start = 0;
  const int file = cmox_os_kind(stream) == CMOX_OS_KIND_FILE ? cmox_os_reader(stream, &start) : -1;
  if (file >= 0) *track = (cmox_track_t){stream, file, start, most};
  return file >= 0;
}

uint64_t cmox_track_close(cmox_track_t *track, int other, cmox_call_t *call) {
  uint64_t end = 0, others = 0;
  if (track->stream == 0) return 0;
  cmox_os_offset(track->stream, &end);
  if (cmox_os_offset(other, &others) && others > end) end = others;
  cmox_track_tell(call, track->stream, track->file, track->start, end, track->left);
  return end > track->start ? end - track->start : 0;
}
