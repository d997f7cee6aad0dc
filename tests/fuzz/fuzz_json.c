/* A file of doubles, from anywhere. What is read is written as JSON that reads as the same message,
 * in both forms; what is refused has its place, within the text, and one line of words. */
#include <string.h>

#include "cmdmox/v1/document.pb-c.h"
#include "server/json/json.h"
#include "server/wire/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/alloc_fault.h"

static cmox_code_t read_document(cmox_span_t text, ProtobufCMessage **out, cmox_error_t *error) {
  return cmox_message_from_json(&cmdmox__v1__document__descriptor, NULL, text, out, error);
}

/* A buffer of its own, so that reading past its end is seen. */
static uint8_t *copy_of(cmox_span_t text) {
  uint8_t *copy = malloc(text.len ? text.len : 1);
  FUZZ_NEED(copy, "out of memory");
  if (text.len) memcpy(copy, text.data, text.len);
  return copy;
}

static void comes_back(const ProtobufCMessage *message, bool pretty) {
  cmox_buf_t json = CMOX_BUF_EMPTY, before = CMOX_BUF_EMPTY, after = CMOX_BUF_EMPTY;
  FUZZ_NEED(cmox_message_to_json(message, pretty, &json), "it cannot be written");
  ProtobufCMessage *again = NULL;
  cmox_error_t error = {.message = ""};
  FUZZ_NEED(read_document(cmox_buf_span(&json), &again, &error) == CMOX_OK, "%s in %.*s",
            error.message, (int)json.len, (const char *)json.data);
  cmox_wire_pack(message, &before);
  cmox_wire_pack(again, &after);
  FUZZ_NEED(cmox_span_equal(cmox_buf_span(&before), cmox_buf_span(&after)), "another message: %.*s",
            (int)json.len, (const char *)json.data);
  cmox_wire_free(again);
  cmox_buf_clear(&json);
  cmox_buf_clear(&before);
  cmox_buf_clear(&after);
}

static void has_its_place(cmox_span_t text, const char *words) {
  size_t lines = 1;
  for (size_t i = 0; i < text.len; i++) lines += text.data[i] == '\n';
  size_t line = 0, column = 0;
  FUZZ_NEED(sscanf(words, "line %zu, column %zu: ", &line, &column) == 2, "%s", words);
  FUZZ_NEED(line >= 1 && line <= lines && column >= 1 && column <= text.len + 2, "%s", words);
  for (const char *c = words; *c; c++) FUZZ_NEED((uint8_t)*c >= ' ', "%s", words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  alloc_fault_t held;
  alloc_fault_install(&held, false);
  uint8_t *copy = copy_of(cmox_span(data, size));
  const cmox_span_t text = cmox_span(copy, size);
  ProtobufCMessage *message = NULL;
  cmox_error_t error = {.message = ""};
  const cmox_code_t code = read_document(text, &message, &error);
  FUZZ_NEED(code == CMOX_OK || code == CMOX_E_BAD_DOCUMENT || code == CMOX_E_TOO_COMPLEX, "%s",
            error.message);
  if (code == CMOX_E_BAD_DOCUMENT) has_its_place(text, error.message);
  if (message) {
    comes_back(message, false);
    comes_back(message, true);
    uint32_t lines[64];
    const size_t doubles = ((Cmdmox__V1__Document *)message)->n_doubles;
    cmox_json_lines(text, "doubles", lines, doubles < 64 ? doubles : 64);
  }
  cmox_wire_free(message);
  free(copy);
  FUZZ_NEED(held.held == 0, "%ld blocks leaked", held.held);
  cmox_alloc_set_hooks(NULL);
  return 0;
}
