/* Matchers: how a client's bytes become tests, and what those say about a value.
 * The first byte selects: 0..4 one test of that kind, [length] value, the rest is the pattern;
 * 5 and above: [length] value, the rest is a Double as it comes over the wire. */
#include <string.h>

#include "cmdmox/v1/double.pb-c.h"
#include "server/match/matchers.h"
#include "server/rpc/internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/alloc_fault.h"

/* The plain kinds, spelled out. */
static bool model(cmox_test_t test, cmox_span_t value) {
  const cmox_span_t want = test.value;
  if (test.kind == CMOX_TEST_ANY) return true;
  if (test.kind == CMOX_TEST_EQUALS && want.len != value.len) return false;
  for (size_t at = 0; at + want.len <= value.len; at++) {
    size_t same = 0;
    while (same < want.len && want.data[same] == value.data[at + same]) same++;
    if (same == want.len) return true;
    if (test.kind != CMOX_TEST_CONTAINS) return false;
  }
  return false;
}

static void ask(const cmox_matchers_t *table, uint32_t node, cmox_span_t value) {
  const cmox_test_t test = cmox_matchers_test(table, node);
  const cmox_accept_t said = cmox_matchers_accept(table, node, value);
  FUZZ_NEED(said <= CMOX_GIVES_UP, "%d", (int)said);
  FUZZ_NEED(said == cmox_matchers_accept(table, node, value), "another answer the second time");
  if (test.kind != CMOX_TEST_REGEX)
    FUZZ_NEED(said == (model(test, value) ? CMOX_ACCEPTS : CMOX_REFUSES), "kind %d says %d",
              (int)test.kind, (int)said);
}

static void one_test(cmox_test_kind_t kind, cmox_span_t pattern, cmox_span_t value) {
  cmox_matchers_t *table = NULL;
  cmox_error_t error;
  const cmox_test_t test = {kind, pattern};
  const cmox_code_t code = cmox_matchers_compile(&test, 1, &table, &error);
  FUZZ_NEED(code == CMOX_OK || (code == CMOX_E_BAD_REGEX && kind == CMOX_TEST_REGEX), "code %d",
            (int)code);
  FUZZ_NEED((code == CMOX_OK) == (table != NULL), "no table");
  if (table) ask(table, 0, value);
  cmox_matchers_unref(table);
}

static void from_wire(cmox_span_t bytes, cmox_span_t value) {
  ProtobufCMessage *message = NULL;
  cmox_error_t error;
  cmox_facets_t facets;
  if (cmox_wire_unpack(&cmdmox__v1__double__descriptor, bytes, &message, &error) != CMOX_OK) return;
  if (cmox_convert_facets((const Cmdmox__V1__Double *)message, &facets, &error) == CMOX_OK) {
    for (size_t i = 0; facets.argv.present && i < facets.argv.count; i++)
      ask(facets.argv.matchers, facets.argv.nodes[i], value);
    if (facets.stdin_match.present)
      ask(facets.stdin_match.matchers, facets.stdin_match.node, value);
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
  if (kind <= CMOX_TEST_REGEX)
    one_test((cmox_test_kind_t)kind, rest, value);
  else
    from_wire(rest, value);
  FUZZ_NEED(fault.held == 0, "%ld blocks leaked", fault.held);
  FUZZ_NEED(fault.peak <= 64 * size + (16 << 20), "%zu bytes held for %zu", fault.peak, size);
  cmox_alloc_set_hooks(NULL);
  return 0;
}
