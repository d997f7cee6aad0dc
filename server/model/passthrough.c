#include "server/model/passthrough.h"

#include <string.h>

#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/base/isolated.h"

cmox_passed_t *cmox_passed_new(const cmox_passthrough_t *how, const char *program,
                               cmox_spill_t *spill) {
  cmox_passed_t *passed = cmox_calloc(1, sizeof *passed);
  if (!passed) return NULL;
  if (program && !(passed->program = cmox_strdup(program))) {
    cmox_free_block(passed);
    return NULL;
  }
  passed->how = *how;
  if (how->capture_max_bytes == 0) passed->how.capture_max_bytes = CMOX_CAPTURE_MAX_DEFAULT;
  if (how->kill_after_ms == 0) passed->how.kill_after_ms = CMOX_KILL_AFTER_DEFAULT_MS;
  passed->out.spill = passed->err.spill = spill;
  return passed;
}

static void report_clear(cmox_passed_report_t *report) {
  cmox_free_block((void *)(uintptr_t)report->signal);
  cmox_free_block((void *)(uintptr_t)report->program.data);
  cmox_free_block((void *)(uintptr_t)report->failure);
  *report = (cmox_passed_report_t){0};
}

void cmox_passed_begin(cmox_passed_t *passed) {
  cmox_stream_clear(&passed->out);
  cmox_stream_clear(&passed->err);
  report_clear(&passed->report);
  passed->reported = false;
  passed->begun = true;
}

void cmox_passed_free(cmox_passed_t *passed) {
  if (!passed) return;
  cmox_passed_begin(passed);
  cmox_free_block(passed->program);
  cmox_free_block(passed);
}

bool cmox_passed_report(cmox_passed_t *passed, const cmox_passed_report_t *report) {
  cmox_passed_report_t copy = *report;
  copy.signal = cmox_strdup(report->signal);
  copy.program =
      cmox_span(cmox_memdup(report->program.data, report->program.len), report->program.len);
  copy.failure = cmox_strdup(report->failure);
  if ((report->signal && !copy.signal) || !copy.program.data || !copy.failure) {
    report_clear(&copy);
    return false;
  }
  report_clear(&passed->report);
  passed->report = copy;
  passed->reported = true;
  return true;
}

bool cmox_passed_is_remarkable(const cmox_passed_t *passed) {
  return passed->reported && (*passed->report.failure || passed->report.timed_out);
}

/* ---- What the environment says ---------------------------------------------- */

static uint8_t mapped(uint8_t byte) {
  if (byte >= 'a' && byte <= 'z') return (uint8_t)(byte - 'a' + 'A');
  bool kept = (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
  return kept ? byte : '_';
}

/* The value of the entry when it is that of the command; empty: it is not. */
static cmox_span_t value_for(cmox_span_t entry, cmox_span_t command, bool exact) {
  const size_t prefix = sizeof CMOX_REAL_COMMAND_PREFIX - 1;
  const size_t name = prefix + command.len;
  if (entry.len <= name || entry.data[name] != '=') return cmox_span(NULL, 0);
  for (size_t i = 0; i < command.len; i++) {
    const uint8_t wanted = exact ? command.data[i] : mapped(command.data[i]);
    if (entry.data[prefix + i] != wanted) return cmox_span(NULL, 0);
  }
  return cmox_span(entry.data + name + 1, entry.len - name - 1);
}

cmox_span_t cmox_real_command(cmox_span_list_t env, cmox_span_t command) {
  cmox_span_t found = {NULL, 0};
  for (size_t i = 0; i < env.count; i++) {
    cmox_span_t entry = env.items[i];
    if (!cmox_span_starts_with(entry, cmox_span_str(CMOX_REAL_COMMAND_PREFIX))) continue;
    cmox_span_t value = value_for(entry, command, true);
    if (value.len) return value;
    if (found.len == 0) found = value_for(entry, command, false);
  }
  return found;
}

/* The value of the first entry that begins with `name`, "NAME=". */
static cmox_span_t value_behind(cmox_span_list_t env, cmox_span_t name) {
  for (size_t i = 0; i < env.count; i++)
    if (cmox_span_starts_with(env.items[i], name))
      return cmox_span(env.items[i].data + name.len, env.items[i].len - name.len);
  return cmox_span(NULL, 0);
}

cmox_span_t cmox_isolated(cmox_span_list_t env) {
  return value_behind(env, cmox_span_str(CMOX_ISOLATED "="));
}

cmox_span_t cmox_passthrough_above(cmox_span_list_t env) {
  return value_behind(env, cmox_span_str(CMOX_PASSTHROUGH_VARIABLE "="));
}

uint32_t cmox_passthrough_depth(cmox_span_t above, cmox_span_t command) {
  uint32_t depth = 0;
  for (size_t from = 0, at = 0; at <= above.len; at++) {
    if (at < above.len && above.data[at] != '/') continue;
    depth += at > from && cmox_span_equal(cmox_span(above.data + from, at - from), command);
    from = at + 1;
  }
  return depth;
}
