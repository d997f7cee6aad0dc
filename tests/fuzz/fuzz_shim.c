/* The shim against a hostile server: its own main(), over a system that is a script (fake_os.c).
 * The first byte selects:
 *   0 a byte stream to shim/link.c: the same frames and the same end however it is split;
 *   else a conversation: server frames valid, strange or garbled (serve.c), cut into pieces, while
 *   stdin comes, time passes, pipes break and sends block.
 * It never spins; it ends with 125 and one line, or as a reply told it to, and says Completed
 * then; memory follows what came and not what was declared. */
#include <string.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "shim/link.h"
#include "shim/say.h"
#include "tests/fuzz/fake_os.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/serve.h"

static void check_line(void) {
  static const char start[] = "cmdmox: ";
  FUZZ_NEED(fake_os.lines <= 1, "%u lines", fake_os.lines);
  if (fake_os.lines == 0) return;
  FUZZ_NEED(fake_os.end == FAKE_OS_EXIT && fake_os.status >= CMOX_EXIT_SHIM_FAILURE &&
                fake_os.status <= 127, /* 126 and 127: a real command that cannot be run */
            "a line, and status %d", fake_os.status);
  FUZZ_NEED(fake_os.line_len > sizeof start && fake_os.line_len <= 4096 &&
                memcmp(fake_os.line, start, sizeof start - 1) == 0,
            "not our line");
  for (size_t i = 0; i < fake_os.line_len; i++) {
    const uint8_t byte = (uint8_t)fake_os.line[i];
    FUZZ_NEED((byte >= 0x20 && byte != 0x7f) || (byte == '\n' && i + 1 == fake_os.line_len),
              "control bytes in a line");
  }
}

/* ---- The link ---- */

typedef struct receiving {
  cmox_view_t stream;
  size_t at; /* behind the last frame */
  unsigned frames;
  cmox_link_result_t result;
} receiving_t;

static void receive_all(void *user) {
  static cmox_link_t link;
  receiving_t *r = user;
  FUZZ_NEED(cmox_link_connect(&link, "/s", 5000, 9000) == CMOX_LINK_OK, "connect");
  for (cmox_view_t body; (r->result = cmox_link_receive(&link, &body)) == CMOX_LINK_OK;) {
    uint8_t prefix[CMOX_FRAME_PREFIX_MAX];
    const size_t len = cmox_prefix_write(prefix, (uint32_t)body.len);
    FUZZ_NEED(r->stream.len - r->at >= len + body.len, "a frame from nowhere");
    const uint8_t *at = r->stream.data + r->at;
    FUZZ_NEED(memcmp(at, prefix, len) == 0, "another prefix");
    FUZZ_NEED(body.len == 0 || memcmp(at + len, body.data, body.len) == 0, "another body");
    r->at += len + body.len;
    r->frames++;
  }
  cmox_link_drop(&link);
  cmox_die("the end");
}

/* [splits' length] splits, then the stream; a byte 0xfe of it stands for 5,000 bytes. */
static void link_cut(fuzz_in_t in) {
  enum { STREAM_MAX = 1 << 17, LONG = 5000 };
  static uint8_t bytes[STREAM_MAX];
  receiving_t runs[2];
  char lines[2][sizeof fake_os.line];
  const cmox_span_t plan = fuzz_take(&in, fuzz_u8(&in));
  size_t len = 0;
  while (in.len > 0 && len < STREAM_MAX - LONG) {
    const uint8_t byte = fuzz_u8(&in);
    memset(bytes + len, byte == 0xfe ? 'x' : byte, byte == 0xfe ? LONG : 1);
    len += byte == 0xfe ? LONG : 1;
  }
  for (int run = 0; run < 2; run++) {
    fuzz_in_t splits = {plan.data, run ? plan.len : 0};
    fake_os_reset();
    for (size_t at = 0, piece; at < len; at += piece) {
      piece = splits.len ? (size_t)fuzz_u8(&splits) + 1 : len;
      if (piece > 250) piece *= 300;
      if (piece > len - at) piece = len - at;
      fake_os_add((fake_os_piece_t){.kind = FAKE_OS_BYTES, .data = bytes + at, .len = piece});
    }
    fake_os_add((fake_os_piece_t){.kind = FAKE_OS_CLOSE});
    runs[run] = (receiving_t){.stream = {bytes, len}};
    fake_os_run(receive_all, &runs[run]);
    check_line();
    FUZZ_NEED(fake_os.mapped_peak <= 3 * len + 4096, "%zu bytes for %zu", fake_os.mapped_peak, len);
    memcpy(lines[run], fake_os.line, fake_os.line_len);
    lines[run][fake_os.line_len] = '\0';
  }
  FUZZ_NEED(runs[0].frames == runs[1].frames && runs[0].at == runs[1].at, "%u frames and %u",
            runs[0].frames, runs[1].frames);
  FUZZ_NEED(strcmp(lines[0], lines[1]) == 0, "another end: %s", lines[1]);
}

/* ---- The whole shim ---- */

static void run_main(void *user) {
  static char name[] = "git", argument[] = "push";
  char *argv[] = {name, argument, NULL};
  (void)user;
  (void)cmox_shim_main(2, argv);
}

/* The frames that the shim sent are whole and in their order; the last says Completed. */
static bool sent_completed(void) {
  const uint8_t *at = fake_os.sent;
  size_t left = fake_os.sent_len;
  bool completed = false;
  while (left > 0) {
    size_t prefix_len;
    uint32_t body_len;
    const cmox_prefix_result_t result =
        cmox_prefix_read(at, left, CMOX_FRAME_MAX_DEFAULT, &prefix_len, &body_len);
    FUZZ_NEED(result == CMOX_PREFIX_OK && body_len <= left - prefix_len, "sent a half frame");
    completed = serve_is_completed(at + prefix_len, body_len);
    at += prefix_len + body_len;
    left -= prefix_len + body_len;
  }
  return completed;
}

static void check_end(void) {
  const bool sends_all = !(fake_os.trouble & (FAKE_OS_SENDS_SLOWLY | FAKE_OS_SENDS_NEVER)) &&
                         fake_os.sent_len < FAKE_OS_BYTES_MAX;
  const bool completed = sends_all && sent_completed();
  check_line();
  if (fake_os.end == FAKE_OS_WAITING)
    FUZZ_NEED(fake_os.waited_for_stdin || (fake_os.timeout && strcmp(fake_os.timeout, "none") == 0),
              "it waits for ever");
  else if (fake_os.end != FAKE_OS_REPLACED && fake_os.lines == 0 && sends_all && !fake_os.closed)
    FUZZ_NEED(completed, "an end (%d, %d) without a line and without Completed", (int)fake_os.end,
              fake_os.status);
  if (fake_os.end == FAKE_OS_EXIT)
    FUZZ_NEED(fake_os.status >= 0 && fake_os.status <= 255, "status %d", fake_os.status);
  FUZZ_NEED(fake_os.written <= fake_os.received, "writes more than it was told");
  FUZZ_NEED(fake_os.mapped_peak <= 3 * (fake_os.received + fake_os.sent_len) + (2 << 20),
            "%zu bytes for %zu", fake_os.mapped_peak, fake_os.received);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_in_t in = {data, size};
  if (fuzz_u8(&in) == 0) {
    link_cut(in);
    return 0;
  }
  fake_os_reset();
  serve_script(&in);
  fake_os_run(run_main, NULL);
  check_end();
  return 0;
}
