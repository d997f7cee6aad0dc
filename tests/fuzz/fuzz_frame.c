/* Frames and the small parsers. The first byte selects:
 *   0 an endpoint's address    1 CMOX_IPC_TIMEOUT    2 a length prefix
 *   3 a byte stream to the server's link: the same frames and the same end however it is split.
 * The shim's link is cut in the same way by fuzz_shim.c; both define cmox_link_send. */
#include <string.h>

#include "proto/address.h"
#include "proto/framing.h"
#include "proto/limits.h"
#include "proto/timeout.h"
#include "server/transport/internal.h"
#include "tests/fuzz/fake_uv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/alloc_fault.h"

static void address(fuzz_in_t in) {
  cmox_address_t out = {0};
  const char *text = (const char *)in.data;
  const cmox_code_t code = cmox_address_parse(text, in.len, &out);
  if (code != CMOX_OK) {
    FUZZ_NEED(code == CMOX_E_BAD_ADDRESS || code == CMOX_E_UNSUPPORTED_SCHEME ||
                  code == CMOX_E_PATH_TOO_LONG,
              "code %d", (int)code);
    return;
  }
  FUZZ_NEED(out.path >= text && out.path + out.path_len <= text + in.len, "it points elsewhere");
  FUZZ_NEED(out.path_len > 0 && !memchr(out.path, 0, out.path_len), "no usable path");
  if (out.scheme == CMOX_SCHEME_UNIX)
    FUZZ_NEED(out.path_len <= CMOX_SOCKET_PATH_MAX, "%zu bytes", out.path_len);
  if (out.scheme == CMOX_SCHEME_TCP) FUZZ_NEED(out.port >= 1 && out.port <= 65535, "%u", out.port);
}

/* What the text means, said in another way: whole seconds, three places, and the rest rounds up. */
static bool timeout_model(const char *text, uint32_t *ms) {
  static const char digits[] = "0123456789";
  *ms = 0;
  if (strcmp(text, "none") == 0) return true;
  const size_t whole = strspn(text, digits);
  const char *places = text + whole + (text[whole] == '.');
  const size_t count = places > text + whole ? strspn(places, digits) : 0;
  if (places[count] || whole + count == 0) return false;
  const double seconds = strtod(text, NULL);
  if (seconds > 1e6) return false;
  unsigned long value = strtoul(text, NULL, 10) * 1000;
  for (size_t i = 0, worth = 100; i < count; i++, worth /= 10)
    value += (size_t)(places[i] - '0') * worth;
  if (count > 3 && strspn(places + 3, "0") < count - 3) value++;
  *ms = (uint32_t)value;
  return value > 0 && value <= CMOX_TIMEOUT_MAX_MS;
}

static void timeout(fuzz_in_t in) {
  char text[64] = "";
  if (in.len >= sizeof text) return;
  if (in.len) memcpy(text, in.data, in.len);
  uint32_t ms = 0, expected = 0;
  const bool fine = cmox_timeout_parse(text, &ms);
  FUZZ_NEED(fine == timeout_model(text, &expected), "'%s'", text);
  if (fine) FUZZ_NEED(ms == expected, "'%s' is %u and not %u", text, ms, expected);
}

static void prefix(fuzz_in_t in) {
  const uint32_t most = fuzz_u32(&in);
  size_t prefix_len = 77;
  uint32_t body_len = 77;
  const cmox_prefix_result_t result =
      cmox_prefix_read(in.data, in.len, most, &prefix_len, &body_len);
  if (result != CMOX_PREFIX_OK) {
    FUZZ_NEED(prefix_len == 77 && body_len == 77, "set without a length");
    FUZZ_NEED(result != CMOX_PREFIX_MORE || in.len < CMOX_FRAME_PREFIX_MAX, "no end");
    return;
  }
  uint8_t again[CMOX_FRAME_PREFIX_MAX];
  FUZZ_NEED(body_len <= most && prefix_len <= in.len, "%u of %u bytes", body_len, most);
  FUZZ_NEED(
      cmox_prefix_write(again, body_len) == prefix_len && memcmp(again, in.data, prefix_len) == 0,
      "not the canonical prefix of %u", body_len);
}

/* ---- The link ---- */

typedef struct heard {
  cmox_span_t stream;
  size_t at; /* in stream: behind the last frame */
  unsigned frames, closed;
  cmox_code_t why;
} heard_t;

/* A frame is where it must be: behind the one before, with its prefix. */
static void on_frame(cmox_link_t *link, cmox_span_t body) {
  heard_t *heard = cmox_link_user(link);
  uint8_t bytes[CMOX_FRAME_PREFIX_MAX];
  const size_t len = cmox_prefix_write(bytes, (uint32_t)body.len);
  FUZZ_NEED(body.len <= (heard->frames ? CMOX_FRAME_MAX_DEFAULT : CMOX_FRAME_MAX_HELLO),
            "%zu bytes are above the limit", body.len);
  FUZZ_NEED(heard->stream.len - heard->at >= len + body.len, "a frame from nowhere");
  const uint8_t *at = heard->stream.data + heard->at;
  FUZZ_NEED(memcmp(at, bytes, len) == 0, "another prefix");
  FUZZ_NEED(body.len == 0 || memcmp(at + len, body.data, body.len) == 0, "another body");
  heard->at += len + body.len;
  if (heard->frames++ == 0) { /* as after a Hello */
    cmox_link_established(link);
    cmox_link_set_max_frame(link, CMOX_FRAME_MAX_DEFAULT);
  }
}

static void on_closed(cmox_link_t *link, cmox_code_t why) {
  heard_t *heard = cmox_link_user(link);
  heard->closed++;
  heard->why = why;
}

static const cmox_link_events_t events = {.frame = on_frame, .closed = on_closed};

/* What the definition says about the whole stream. */
static heard_t model(cmox_span_t stream) {
  heard_t out = {.stream = stream, .closed = 1};
  for (;;) {
    size_t prefix_len = 0;
    uint32_t body_len = 0;
    const size_t left = stream.len - out.at;
    const uint32_t most = out.frames ? CMOX_FRAME_MAX_DEFAULT : CMOX_FRAME_MAX_HELLO;
    const cmox_prefix_result_t result =
        cmox_prefix_read(stream.data + out.at, left, most, &prefix_len, &body_len);
    out.why = left ? CMOX_E_LINK_CLOSED : CMOX_OK;
    if (result == CMOX_PREFIX_MALFORMED) out.why = CMOX_E_BAD_FRAME;
    if (result == CMOX_PREFIX_TOO_LARGE) out.why = CMOX_E_FRAME_TOO_LARGE;
    if (result != CMOX_PREFIX_OK || left - prefix_len < body_len) return out;
    out.at += prefix_len + body_len;
    out.frames++;
  }
}

static heard_t cut(cmox_span_t stream, fuzz_in_t splits) {
  uv_loop_t loop;
  heard_t heard = {.stream = stream};
  cmox_link_t *link = NULL;
  fake_uv_start(&loop);
  FUZZ_NEED(cmox_transport_init(&loop, NULL) == CMOX_OK, "transport");
  const int fd = fake_uv_connect();
  FUZZ_NEED(cmox_link_new(cmox_transport_of(&loop), fd, fd, &link, NULL) == CMOX_OK, "link");
  cmox_link_set_events(link, &events, &heard);
  for (size_t at = 0; at < stream.len;) {
    size_t piece = splits.len ? fuzz_u8(&splits) : stream.len;
    if (piece > 250) piece *= 300;
    if (piece == 0) piece = 1;
    if (piece > stream.len - at) piece = stream.len - at;
    fake_uv_say(fd, stream.data + at, piece);
    at += piece;
    fake_uv_turn();
  }
  fake_uv_hang_up(fd, UV_EOF);
  while (!fake_uv_quiet()) fake_uv_turn();
  cmox_transport_fini(&loop);
  while (!fake_uv_quiet()) fake_uv_turn();
  fake_uv_stop();
  return heard;
}

/* [splits' length] splits, then the stream; a byte 0xfe of it stands for 5,000 bytes, so that
 * long frames are short inputs. */
static void link_cut(fuzz_in_t in) {
  enum { STREAM_MAX = 1 << 17, LONG = 5000 };
  static uint8_t bytes[STREAM_MAX];
  size_t len = 0;
  const cmox_span_t plan = fuzz_take(&in, fuzz_u8(&in));
  while (in.len > 0 && len < STREAM_MAX - LONG) {
    const uint8_t byte = fuzz_u8(&in);
    if (byte == 0xfe)
      memset(bytes + len, 'x', LONG);
    else
      bytes[len] = byte;
    len += byte == 0xfe ? LONG : 1;
  }
  const cmox_span_t stream = cmox_span(bytes, len);
  alloc_fault_t fault;
  alloc_fault_install(&fault, false);
  const heard_t want = model(stream);
  const heard_t got = cut(stream, (fuzz_in_t){plan.data, plan.len});
  FUZZ_NEED(got.frames == want.frames && got.at == want.at, "%u frames and not %u", got.frames,
            want.frames);
  FUZZ_NEED(got.closed == 1 && got.why == want.why, "%u times closed, %d and not %d", got.closed,
            (int)got.why, (int)want.why);
  FUZZ_NEED(fault.held == 0, "%ld blocks leaked", fault.held);
  FUZZ_NEED(fault.peak <= 4 * len + (512 << 10), "%zu bytes held for %zu", fault.peak, len);
  cmox_alloc_set_hooks(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const parts[])(fuzz_in_t) = {address, timeout, prefix, link_cut};
  fuzz_in_t in = {data, size};
  const uint8_t which = fuzz_u8(&in);
  if (which < sizeof parts / sizeof *parts) parts[which](in);
  return 0;
}
