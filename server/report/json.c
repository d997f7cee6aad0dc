/* One JSON document. Jansson allocates with the C library: see server/match/values.c. */
#include <jansson.h>

#include "server/base/alloc.h"
#include "server/report/report.h"
#include "server/verify/verify.h"

/* Owned by the caller; NULL gives NULL. */
static json_t *text(char *taken) {
  json_t *value = taken ? json_string(taken) : NULL;
  cmox_free_block(taken);
  return value;
}

/* A member that is left out when there is nothing to say. */
enum { REPORT_MAX = 4 << 20 }; /* bytes; so that it fits a frame beside the findings */

static bool set(json_t *object, const char *name, const char *value) {
  return !value || json_object_set_new(object, name, json_string(value)) == 0;
}

static bool set_new(json_t *object, const char *name, json_t *value) {
  return json_object_set_new(object, name, value) == 0;
}

/* Beside "call", for calls of which the same is said. */
static bool add_others(json_t *to, const cmox_finding_t *finding) {
  if (finding->other_count == 0) return true;
  json_t *list = json_array();
  bool complete = true;
  for (size_t i = 0; i < cmox_finding_listed(finding) && complete; i++)
    complete = json_array_append_new(list, json_integer((json_int_t)finding->others[i])) == 0;
  complete = set_new(to, "others", list) && complete;
  return set_new(to, "calls", json_integer((json_int_t)finding->other_count + 1)) && complete;
}

static bool add_call(json_t *to, const cmox_call_t *call) {
  if (!call) return true;
  json_t *object = json_object();
  cmox_buf_t line = CMOX_BUF_EMPTY;
  cmox_describe_call(&line, call);
  bool complete = set_new(object, "id", json_integer((json_int_t)call->id));
  complete = set_new(object, "line", text(cmox_buf_take_text(&line))) && complete;
  return set_new(to, "call", object) && complete;
}

static bool add_double(json_t *to, const cmox_expect_t *expect) {
  if (!expect) return true;
  json_t *object = json_object();
  cmox_buf_t line = CMOX_BUF_EMPTY;
  cmox_describe_double(&line, expect);
  cmox_count_t count = cmox_expect_count(expect);
  bool complete = set_new(object, "id", json_integer((json_int_t)expect->id));
  complete = set_new(object, "expects", text(cmox_buf_take_text(&line))) && complete &&
             set(object, "file", expect->source.file) &&
             set_new(object, "line", json_integer(expect->source.line)) &&
             set_new(object, "minimum", json_integer((json_int_t)count.minimum)) &&
             set_new(object, "calls", json_integer((json_int_t)expect->taken));
  if (complete && count.maximum != CMOX_COUNT_UNBOUNDED)
    complete = set_new(object, "maximum", json_integer((json_int_t)count.maximum));
  return set_new(to, "double", object) && complete;
}

static json_t *difference(const cmox_difference_t *row) {
  json_t *object = json_object();
  if (set(object, "subject", row->subject) && set(object, "expected", row->expected) &&
      set(object, "actual", row->actual) && set(object, "diff", row->diff) &&
      set_new(object, "equal", json_boolean(row->equal)))
    return object;
  json_decref(object);
  return NULL;
}

static bool add_differences(json_t *to, const cmox_finding_t *finding) {
  if (finding->difference_count == 0) return true;
  json_t *list = json_array();
  bool complete = true;
  for (size_t i = 0; i < finding->difference_count && complete; i++)
    complete = json_array_append_new(list, difference(&finding->differences[i])) == 0;
  return set_new(to, "differences", list) && complete;
}

static json_t *finding_of(const cmox_finding_t *finding) {
  json_t *object = json_object();
  if (set(object, "kind", cmox_finding_name(finding->kind)) &&
      set(object, "message", finding->message) &&
      set_new(object, "remark", json_boolean(finding->advisory)) &&
      add_call(object, finding->call) && add_others(object, finding) &&
      add_double(object, finding->expect) && add_differences(object, finding) &&
      set(object, "suggestion", finding->suggestion) && set(object, "hint", finding->hint))
    return object;
  json_decref(object);
  return NULL;
}

static size_t length(const char *text) { return text ? strlen(text) : 0; }

/* Bytes of it that the report will have, more or less. */
static size_t weight(const cmox_finding_t *finding) {
  size_t sum =
      length(finding->message) + length(finding->suggestion) + 16 * cmox_finding_listed(finding);
  for (size_t i = 0; i < finding->difference_count; i++) {
    const cmox_difference_t *row = &finding->differences[i];
    sum += length(row->subject) + length(row->expected) + length(row->actual) + length(row->diff);
  }
  return sum;
}

/* False: memory is out. */
static bool add_findings(json_t *report, const cmox_findings_t *findings) {
  json_t *list = json_array();
  bool complete = true;
  size_t shown = 0;
  for (size_t size = 0; shown < findings->count && complete && size < REPORT_MAX; shown++) {
    complete = json_array_append_new(list, finding_of(&findings->items[shown])) == 0;
    size += weight(&findings->items[shown]);
  }
  complete = set_new(report, "findings", list) && complete;
  if (complete && shown < findings->count)
    complete = set_new(report, "left_out", json_integer((json_int_t)(findings->count - shown)));
  return complete;
}

char *cmox_report_json(const cmox_findings_t *findings, const char *label) {
  json_t *report = json_object();
  bool complete = set(report, "test", label ? label : "") &&
                  set_new(report, "passed", json_boolean(cmox_findings_passed(findings)));
  complete = complete && add_findings(report, findings);
  char *dumped = complete ? json_dumps(report, JSON_INDENT(2)) : NULL;
  json_decref(report);
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_puts(&out, dumped ? dumped : "");
  cmox_buf_putc(&out, '\n');
  out.failed |= !dumped;
  json_malloc_t take;
  json_free_t give_back; /* whatever the program that this engine is embedded in has set */
  json_get_alloc_funcs(&take, &give_back);
  if (dumped) give_back(dumped);
  return cmox_buf_take_text(&out);
}
