#include "tests/fuzz/decode_shim.h"

#include "shim/message.h"
#include "tests/fuzz/fuzz.h"

static void within(cmox_view_t view, const uint8_t *data, size_t len) {
  if (!view.data) {
    FUZZ_NEED(view.len == 0, "a length without bytes");
    return;
  }
  FUZZ_NEED(view.data >= data && view.len <= len && (size_t)(view.data - data) <= len - view.len,
            "a view of foreign bytes");
}

static void as_action(uint32_t request, cmox_view_t bytes) {
  cmox_action_t action;
  if (!cmox_action_decode(request, bytes, &action)) return;
  FUZZ_NEED(action.kind <= CMOX_ACTION_PASSTHROUGH, "kind %d", (int)action.kind);
  within(action.out, bytes.data, bytes.len);
  within(action.err, bytes.data, bytes.len);
  within(action.signal, bytes.data, bytes.len);
}

void decode_as_shim(const uint8_t *data, size_t len) {
  const cmox_view_t bytes = {data, len};
  cmox_frame_t frame;
  if (cmox_frame_decode(bytes, &frame)) {
    FUZZ_NEED(frame.kind <= CMOX_FRAME_GO_AWAY, "kind %d", (int)frame.kind);
    FUZZ_NEED((frame.stream >= 0 && frame.stream <= 2) || frame.stream == CMOX_STREAM_FILE,
              "stream %d", frame.stream);
    within(frame.message, data, len);
    within(frame.reason, data, len);
    within(frame.data, data, len);
    within(frame.path, data, len);
    if (frame.kind == CMOX_FRAME_ANSWER) as_action(1, frame.data);
  }
  as_action(1, bytes);
  as_action(3, bytes);
}
