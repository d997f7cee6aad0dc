/* What a double answers: replies, the real command, handlers. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/c/stage.h"

static cmox_chunks_t chunks_of(stage_t *stage, json_t *list) {
  const size_t count = json_array_size(list);
  cmox_chunk_t *chunks = stage_memory(stage, count, sizeof *chunks);
  for (size_t i = 0; i < count; i++) {
    json_t *out = NULL, *err = NULL;
    int after = 0;
    stage_read(stage, json_array_get(list, i), "{s?o,s?o,s?i}", "stdout", &out, "stderr", &err,
               "after_ms", &after);
    cmox_bytes_t data = text_bytes(stage, err ? err : out);
    chunks[i] = (cmox_chunk_t){(uint32_t)after, data.data, data.len, err != NULL};
  }
  return (cmox_chunks_t){count, chunks};
}

static cmox_files_t files_of(stage_t *stage, json_t *list) {
  const size_t count = json_array_size(list);
  cmox_file_t *files = stage_memory(stage, count, sizeof *files);
  for (size_t i = 0; i < count; i++) {
    json_t *path, *content = NULL;
    const char *mode = "0";
    stage_read(stage, json_array_get(list, i), "{s:o,s?o,s?s}", "path", &path, "content", &content,
               "mode", &mode);
    cmox_bytes_t data = text_bytes(stage, content);
    files[i] = (cmox_file_t){text_string(stage, path), data.data, data.len,
                             (unsigned)strtoul(mode, NULL, 8)};
  }
  return (cmox_files_t){count, files};
}

/* times: NULL where it cannot be said. */
static cmox_reply_t reply_of(stage_t *stage, json_t *value, uint64_t *times) {
  json_t *out = NULL, *err = NULL, *chunks = NULL, *files = NULL;
  cmox_reply_t reply = {.size = sizeof reply};
  int delay = 0, hang = 0, turns = 0;
  stage_read(stage, value, "{s?o,s?o,s?i,s?s,s?i,s?b,s?s,s?o,s?o,s?i}", "stdout", &out, "stderr",
             &err, "exit_code", &reply.exit_code, "signal", &reply.signal, "delay_ms", &delay,
             "hang", &hang, "gate", &reply.gate, "chunks", &chunks, "files", &files, "times",
             &turns);
  if (turns && !times) stage_fail(stage, "times belongs to returns_times");
  if (times && turns) *times = (uint64_t)turns;
  cmox_bytes_t text = text_bytes(stage, out);
  reply.out = text.data;
  reply.out_len = text.len;
  text = text_bytes(stage, err);
  reply.err = text.data;
  reply.err_len = text.len;
  reply.delay_ms = (uint32_t)delay;
  reply.hang = hang;
  reply.chunks = chunks_of(stage, chunks);
  reply.files = files_of(stage, files);
  return reply;
}

static cmox_passthrough_t passthrough_of(stage_t *stage, json_t *value, uint64_t *times) {
  cmox_passthrough_t how = {.size = sizeof how};
  int timeout = 0, kill_after = 0, bytes = 0, captured = 1, turns = 0;
  const char *program = NULL;
  stage_read(stage, value, "{s?i,s?i,s?i,s?b,s?s,s?i,s?s}", "timeout_ms", &timeout, "kill_after_ms",
             &kill_after, "capture_max_bytes", &bytes, "captured", &captured, "gate", &how.gate,
             "times", &turns, "program", &program);
  if (turns) *times = (uint64_t)turns;
  if (program) {
    const size_t room = sizeof stage->programs + strlen(program) + 2;
    char *path = stage_memory(stage, room, 1);
    (void)snprintf(path, room, "%s/%s", stage->programs, program);
    how.program = path;
  }
  how.timeout_ms = (uint32_t)timeout;
  how.kill_after_ms = (uint32_t)kill_after;
  how.capture_max_bytes = (uint64_t)bytes;
  how.uncaptured = !captured;
  return how;
}

static void runs(stage_t *stage, cmox_double_t *dbl, uint64_t times, json_t *value) {
  json_int_t turns = 0;
  if (json_is_object(value))
    stage_read(stage, value, "{s:I,s:o}", "times", &turns, "handler", &value);
  if (turns) times = (uint64_t)turns;
  words_t *words = stage_memory(stage, 1, sizeof *words);
  words->items = text_strings(stage, value, &words->count);
  if (!words->count) stage_fail(stage, "a handler has a name");
  cmox_runs_at(dbl, stage_here(stage), times, words->items[0], handler_of(stage, words->items[0]),
               words);
}

/* "returns", "returns_once" and "returns_times" are turns of 0 (for ever), 1 and so many. */
static bool turns_of(const char *name, const char *stem, uint64_t *times) {
  const size_t len = strlen(stem);
  if (strncmp(name, stem, len) != 0) return false;
  *times = strcmp(name + len, "") == 0 ? 0 : 1;
  return *times == 0 || strcmp(name + len, "_once") == 0 || strcmp(name + len, "_times") == 0;
}

bool refine_answer(stage_t *stage, cmox_double_t *dbl, const char *name, json_t *value) {
  uint64_t times;
  if (turns_of(name, "returns", &times)) {
    const bool once = times;
    cmox_reply_t reply = reply_of(stage, value, once ? &times : NULL);
    if (once)
      cmox_returns_times_at(dbl, stage_here(stage), times, &reply);
    else
      cmox_returns_at(dbl, stage_here(stage), &reply);
    return true;
  }
  if (turns_of(name, "passthrough", &times)) {
    cmox_passthrough_t how = passthrough_of(stage, value, &times);
    cmox_passthrough_at(dbl, stage_here(stage), times, &how);
    return true;
  }
  if (!turns_of(name, "runs", &times)) return false;
  runs(stage, dbl, times, value);
  return true;
}

void default_answer(stage_t *stage, json_t *value) {
  json_t *returns = NULL, *passthrough = NULL, *fails = NULL;
  cmox_t *mox = stage_session(stage);
  uint64_t times = 0;
  stage_read(stage, value, "{s?o,s?o,s?o}", "returns", &returns, "passthrough", &passthrough,
             "fails", &fails);
  if (returns) {
    cmox_reply_t reply = reply_of(stage, returns, NULL);
    cmox_default_returns_at(mox, stage_here(stage), &reply);
  } else if (passthrough) {
    cmox_passthrough_t how = passthrough_of(stage, passthrough, &times);
    cmox_default_passthrough_at(mox, stage_here(stage), &how);
  } else {
    cmox_default_fails_at(mox, stage_here(stage));
  }
}
