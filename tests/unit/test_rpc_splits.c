/* However the bytes of a session are cut into writes, and however many a read takes at once: every
 * answer, the journal and the report are the same, byte for byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/conversation.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/thorough.h"

enum { SEEDS = 1000, PARTS = 8, BYTEWISE_EVERY = 50 };

static void play(conversation_cut_t cut, void *context, raw_bytes_t out[CONVERSATION_LINKS]) {
  bare_t bare;
  ck_assert(bare_open(&bare));
  conversation_play(&bare, cut, context, out);
  bare_close(&bare);
}

static void clear(raw_bytes_t out[CONVERSATION_LINKS]) {
  for (size_t i = 0; i < CONVERSATION_LINKS; i++) raw_free(&out[i]);
}

static bool holds(const raw_bytes_t *bytes, const char *text) {
  return memmem(bytes->data, bytes->len, text, strlen(text)) != NULL;
}

static uint32_t next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

/* The middle of a large frame goes faster, or the seeds would take minutes. */
static size_t bounded(size_t len, size_t left) {
  enum { INTERESTING = 4096, FAST = 3000 };
  if (left > INTERESTING && len < FAST) len = FAST;
  return len < left ? len : left;
}

/* From one byte to more than a frame. */
static size_t any_size(void *context, size_t left) {
  uint32_t random = next(context);
  size_t most = (size_t)1 << (random >> 28);
  return bounded(1 + (random >> 8) % most, left);
}

static size_t small(void *context, size_t left) {
  return bounded(64 + (next(context) >> 16) % 400, left);
}

static size_t one_byte(void *context, size_t left) {
  (void)context;
  return bounded(1, left);
}

static void assert_same(const raw_bytes_t *want, const raw_bytes_t *got, unsigned seed) {
  for (size_t i = 0; i < CONVERSATION_LINKS; i++)
    ck_assert_msg(want[i].len == got[i].len &&
                      (want[i].len == 0 || memcmp(want[i].data, got[i].data, want[i].len) == 0),
                  "seed %u: link %zu heard something else (%zu bytes instead of %zu)", seed, i,
                  got[i].len, want[i].len);
}

/* What must be said somewhere in it, or it proves less than it seems to. */
static const char *const told[] = {
    "(the test has not called replay yet)",
    "one call too many: git clone -- https://ab / ''",
    "unexpected call: git push --token '***' 'TOKEN=***'",
    "the command is registered and has no double",
    "out\xff\n",
    "made\n",
    "LLLL",
    "all of it",
    "this session has no such double",
    "Invoke needs an invocation key",
    "this address is for shims",
    "never called",
    "f\xff",
    "disk full",
    "does not implement cmdmox.v1.ControlService/NoSuchMethod",
};

START_TEST(the_conversation_is_a_whole_session) {
  raw_bytes_t out[CONVERSATION_LINKS] = {{0}};
  play(NULL, NULL, out);
  for (size_t t = 0; t < sizeof told / sizeof *told; t++) {
    bool found = false;
    for (size_t i = 0; i < CONVERSATION_LINKS; i++) found |= holds(&out[i], told[t]);
    ck_assert_msg(found, "nobody was told: %s", told[t]);
  }
  printf("splits: %zu seeds of a session of %zu bytes\n", SEEDS / thorough_step(),
         conversation_bytes());
  (void)fflush(stdout);
  clear(out);
}
END_TEST

START_TEST(any_split_gives_the_same_answers) {
  raw_bytes_t want[CONVERSATION_LINKS] = {{0}};
  play(NULL, NULL, want);
  for (unsigned seed = (unsigned)_i; seed < SEEDS; seed += PARTS * (unsigned)thorough_step()) {
    raw_bytes_t got[CONVERSATION_LINKS] = {{0}};
    uint32_t state = seed;
    bool bytewise = seed % BYTEWISE_EVERY == 0;
    play(bytewise ? one_byte : seed % 2 ? any_size : small, &state, got);
    assert_same(want, got, seed);
    clear(got);
  }
  clear(want);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("rpc_splits");
  TCase *cases = tcase_create("all");
  tcase_set_timeout(cases, 600);
  tcase_add_test(cases, the_conversation_is_a_whole_session);
  tcase_add_loop_test(cases, any_split_gives_the_same_answers, 0, PARTS);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
