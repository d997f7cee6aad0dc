/* Matchers: how a client's bytes become tests, and what those say about a value.
 * The first byte selects: one of `choices`, [length] value, the rest is the pattern;
 * else: [length] value, the rest is a Double as it comes over the wire; the value's words are the
 * arguments of a call. */
#include <string.h>

#include "cmdmox/v1/double.pb-c.h"
#include "server/match/matchers.h"
#include "server/rpc/internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/alloc_fault.h"

typedef struct choice {
  uint8_t byte;
  cmox_test_kind_t kind;
} choice_t;

static const choice_t choices[] = {
    {0, CMOX_TEST_EQUALS},   {1, CMOX_TEST_ANY},           {2, CMOX_TEST_STARTS_WITH},
    {3, CMOX_TEST_CONTAINS}, {4, CMOX_TEST_REGEX},         {128, CMOX_TEST_ENDS_WITH},
    {129, CMOX_TEST_GLOB},   {130, CMOX_TEST_JSON_EQUALS}, {131, CMOX_TEST_IS_A},
};

static bool has_model(cmox_test_kind_t kind) {
  return kind == CMOX_TEST_ANY || kind == CMOX_TEST_EQUALS || kind == CMOX_TEST_STARTS_WITH ||
         kind == CMOX_TEST_ENDS_WITH || kind == CMOX_TEST_CONTAINS;
}

/* The plain kinds, spelled out. */
static bool model(cmox_test_t test, cmox_span_t value) {
  const cmox_span_t want = test.value;
  if (test.kind == CMOX_TEST_ANY) return true;
  if (test.kind == CMOX_TEST_EQUALS && want.len != value.len) return false;
  for (size_t at = 0; at + want.len <= value.len; at++) {
    size_t same = 0;
    while (same < want.len && want.data[same] == value.data[at + same]) same++;
    if (same == want.len && (test.kind != CMOX_TEST_ENDS_WITH || at + want.len == value.len))
      return true;
    if (test.kind == CMOX_TEST_EQUALS || test.kind == CMOX_TEST_STARTS_WITH) return false;
  }
  return false;
}

static void ask(const cmox_matchers_t *table, uint32_t node, cmox_span_t value) {
  const cmox_test_t test = cmox_matchers_test(table, node);
  const cmox_accept_t said = cmox_matchers_accept(table, node, value, NULL);
  FUZZ_NEED(said <= CMOX_GIVES_UP, "%d", (int)said);
  FUZZ_NEED(said == cmox_matchers_accept(table, node, value, NULL),
            "another answer the second time");
  if (has_model(test.kind))
    FUZZ_NEED(said == (model(test, value) ? CMOX_ACCEPTS : CMOX_REFUSES), "kind %d says %d",
              (int)test.kind, (int)said);
  cmox_buf_t text = CMOX_BUF_EMPTY;
  cmox_matchers_describe(table, node, cmox_span_str("--name"), &text);
  FUZZ_NEED(text.len > 0, "no words for kind %d", (int)test.kind);
  if (said == CMOX_REFUSES)
    cmox_matchers_why_not(table, node, cmox_span_str("--name"), value, NULL, &text);
  cmox_buf_clear(&text);
}

static void one_test(cmox_test_kind_t kind, cmox_span_t pattern, cmox_span_t value) {
  cmox_matchers_t *table = NULL;
  cmox_error_t error;
  const cmox_test_t test = {
      .kind = kind,
      .value = pattern,
      .type = (cmox_value_type_t)(1 + (pattern.len ? pattern.data[0] % CMOX_VALUE_JSON : 0))};
  const cmox_code_t code = cmox_matchers_compile(&test, 1, &table, &error);
  FUZZ_NEED(code == CMOX_OK || !has_model(kind), "code %d", (int)code);
  FUZZ_NEED((code == CMOX_OK) == (table != NULL), "no table");
  if (table) ask(table, 0, value);
  cmox_matchers_unref(table);
}

/* Literals are an index only: whoever has them in place is not refused for them. */
static void ask_argv(const cmox_argv_t *argv, cmox_span_t words) {
  enum { ARGS_MAX = 16 };
  cmox_span_t args[ARGS_MAX];
  size_t count = 0;
  for (size_t at = 0; at < words.len && count < ARGS_MAX; count++) {
    size_t end = at;
    while (end < words.len && words.data[end] != ' ') end++;
    args[count] = cmox_span(words.data + at, end - at);
    at = end + 1;
  }
  const cmox_span_list_t list = {args, count};
  const cmox_accept_t said = cmox_argv_accepts(argv, list, NULL);
  FUZZ_NEED(said <= CMOX_GIVES_UP, "%d", (int)said);
  const cmox_literals_t literals = cmox_argv_literals(argv);
  bool fits = literals.exactly == SIZE_MAX || literals.exactly == count;
  for (unsigned place = 0; place < CMOX_LITERALS_MAX; place++)
    if (literals.places >> place & 1)
      fits = fits && place < count && cmox_span_equal(args[place], cmox_argv_literal(argv, place));
  FUZZ_NEED(fits || said != CMOX_ACCEPTS, "the index would miss a double that accepts");
}

static void from_wire(cmox_span_t bytes, cmox_span_t value) {
  ProtobufCMessage *message = NULL;
  cmox_error_t error;
  cmox_facets_t facets;
  if (cmox_wire_unpack(&cmdmox__v1__double__descriptor, bytes, &message, &error) != CMOX_OK) return;
  if (cmox_convert_facets((const Cmdmox__V1__Double *)message, &facets, &error) == CMOX_OK) {
    if (facets.argv.present) ask_argv(facets.argv.argv, value);
    if (facets.stdin_match.present)
      ask(facets.stdin_match.matchers, facets.stdin_match.node, value);
    if (facets.cwd.present) ask(facets.cwd.matchers, facets.cwd.node, value);
    for (size_t i = 0; i < facets.env.count; i++)
      if (facets.env.items[i].matchers)
        ask(facets.env.items[i].matchers, facets.env.items[i].node, value);
    cmox_facets_clear(&facets);
  }
  cmox_wire_free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_in_t in = {data, size};
  alloc_fault_t fault;
  alloc_fault_install(&fault, false);
  const uint8_t kind = fuzz_u8(&in);
  const cmox_span_t value = fuzz_take(&in, fuzz_u8(&in));
  const cmox_span_t rest = cmox_span(in.data, in.len);
  const choice_t *choice = NULL;
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
    if (choices[i].byte == kind) choice = &choices[i];
  if (choice)
    one_test(choice->kind, rest, value);
  else
    from_wire(rest, value);
  FUZZ_NEED(fault.held == 0, "%ld blocks leaked", fault.held);
  FUZZ_NEED(fault.peak <= 64 * size + (16 << 20), "%zu bytes held for %zu", fault.peak, size);
  cmox_alloc_set_hooks(NULL);
  return 0;
}
