#include "tests/conformance/c/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"

/* All of stage_memory(), the last one first. */
typedef struct piece {
  struct piece *next;
  max_align_t bytes[];
} piece_t;

static piece_t *pieces;

void *stage_memory(stage_t *stage, size_t count, size_t size) {
  piece_t *piece = calloc(1, sizeof *piece + count * size + 1);
  if (!piece) stage_fail(stage, "out of memory");
  piece->next = pieces;
  pieces = piece;
  return piece->bytes;
}

void stage_forget_memory(void) {
  while (pieces) {
    piece_t *next = pieces->next;
    free(pieces);
    pieces = next;
  }
}

void stage_fail(stage_t *stage, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (stage->step) (void)dprintf(stage->said, "step %u: ", stage->step);
  (void)vdprintf(stage->said, format, args);
  va_end(args);
  stage_close(stage);
  exit(1);
}

void stage_close(stage_t *stage) {
  calls_clear(stage);
  vocabulary_let_go();
  cmox_free(stage->mox);
  stage->mox = NULL;
  stage_forget_memory();
  if (chdir("/") == 0) {
    scratch_remove(stage->place);
    scratch_remove(stage->programs);
  }
}

cmox_t *stage_session(stage_t *stage) {
  if (!stage->mox) session_begin(stage, NULL);
  return stage->mox;
}

cmox_location_t stage_here(const stage_t *stage) {
  return (cmox_location_t){stage->file, "scenario", stage->step};
}

cmox_double_t *stage_double(stage_t *stage, const char *name) {
  for (size_t i = 0; i < stage->double_count; i++)
    if (strcmp(stage->doubles[i].name, name) == 0) return stage->doubles[i].dbl;
  stage_fail(stage, "no double is called \"%s\"", name);
}

void stage_read(stage_t *stage, json_t *value, const char *format, ...) {
  json_error_t error;
  va_list args;
  va_start(args, format);
  int failed = json_vunpack_ex(value, &error, JSON_STRICT, format, args);
  va_end(args);
  if (failed) stage_fail(stage, "the scenario is malformed: %s", error.text);
}

/* A mistake sticks to the session; cmox_replay() tells all of them. */
void stage_declared(stage_t *stage, json_t *fails) {
  const char *reason;
  json_t *says = NULL;
  cmox_code_t code = cmox_code(stage->mox);
  if (!fails && code == CMOX_OK) return;
  if (!fails && code == CMOX_E_VERIFICATION_FAILED) return; /* an earlier step's */
  if (!fails)
    stage_fail(stage, "refused with %s: %s", cmox_code_reason(code), cmox_message(stage->mox));
  stage_read(stage, fails, "{s:s,s?o}", "reason", &reason, "says", &says);
  if (strcmp(cmox_code_reason(code), reason) != 0)
    stage_fail(stage, "is to fail with %s, and ended with %s: %s", reason, cmox_code_reason(code),
               cmox_message(stage->mox));
  const char *message = cmox_message(stage->mox);
  if (says) text_expect_told(stage, "the mistake", says, (cmox_bytes_t){message, strlen(message)});
  if (cmox_replay(stage->mox) == CMOX_OK) stage_fail(stage, "a session with a mistake replays");
}
