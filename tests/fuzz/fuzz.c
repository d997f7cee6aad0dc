#include "tests/fuzz/fuzz.h"

#include <string.h>

uint8_t fuzz_u8(fuzz_in_t *in) {
  if (in->len == 0) return 0;
  in->len--;
  return *in->data++;
}

uint32_t fuzz_u32(fuzz_in_t *in) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value = value << 8 | fuzz_u8(in);
  return value;
}

cmox_span_t fuzz_take(fuzz_in_t *in, size_t len) {
  if (len > in->len) len = in->len;
  const cmox_span_t span = cmox_span(in->data, len);
  in->data += len;
  in->len -= len;
  return span;
}

uint64_t fuzz_number(fuzz_in_t *in) {
  static const uint64_t limits[] = {
      255,       256,       65535, 65536, 4096, 100000, 16 << 20, UINT32_MAX, UINT64_C(1) << 32,
      INT64_MAX, UINT64_MAX};
  const uint8_t byte = fuzz_u8(in);
  if (byte < 0xe0) return byte & 0x1f;
  if (byte < 0xf0) return fuzz_u32(in);
  return limits[byte % (sizeof limits / sizeof *limits)];
}

static const char *const words[] = {
    "git",
    "ssh",
    "",
    "push",
    "pull",
    "origin",
    "-v",
    "--tag=1",
    "a b\n",
    "\xff\xfe",
    "g",
    "^v",
    "(a+)+$",
    ".*",
    "yes",
    "main",
    "a\tb\"",
    "it's",
    "PATH=/usr/bin:/bin",
    "A=1",
    "A=2",
    "noequal",
    "=",
    "CMOX_X=1",
    "API_TOKEN=abc",
    "/tmp",
    "h\xc3\xa9",
    "--password=x",
};
enum { WORDS = sizeof words / sizeof *words, LARGE = 70000 };

static cmox_span_t large(void) {
  static uint8_t bytes[LARGE];
  if (!bytes[0]) memset(bytes, 'x', sizeof bytes);
  return cmox_span(bytes, sizeof bytes);
}

cmox_span_t fuzz_bytes(fuzz_in_t *in) {
  const uint8_t byte = fuzz_u8(in);
  /* Two bytes, or most inputs would hold some, and most of the time would go into them. */
  if (byte == 0xff && in->len > 0 && *in->data == 0xff) {
    (void)fuzz_u8(in);
    return large();
  }
  if (byte & 0x80) return fuzz_take(in, byte & 0x1f);
  return cmox_span_str(words[byte % WORDS]);
}

char *fuzz_text(fuzz_in_t *in) {
  static char texts[4][64];
  static unsigned next;
  char *text = texts[next++ % 4];
  cmox_span_t bytes = fuzz_bytes(in);
  size_t len = 0;
  for (size_t i = 0; i < bytes.len && len < sizeof texts[0] - 1; i++)
    if (bytes.data[i] > 0 && bytes.data[i] < 0x80) text[len++] = (char)bytes.data[i];
  text[len] = '\0';
  return text;
}

char *fuzz_signal(fuzz_in_t *in) {
  static const char *const names[] = {"SIGTERM", "SIGKILL", "SIGRTMIN+3", "", "TERM", "SIG"};
  return (char *)(uintptr_t)names[fuzz_u8(in) % (sizeof names / sizeof *names)];
}
