/* Bytes and texts of a scenario, and what is expected of those that were seen. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/c/stage.h"

/* What the suggestions of this client's reports are written in. */
static const char dialect[] = "c";

static cmox_bytes_t from_base64(stage_t *stage, const char *text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *data = stage_memory(stage, strlen(text), 1);
  size_t len = 0;
  unsigned bits = 0, count = 0;
  for (const char *at = text; *at && *at != '='; at++) {
    const char *digit = strchr(digits, *at);
    if (!digit) stage_fail(stage, "this is not base64: %s", text);
    bits = (bits << 6 | (unsigned)(digit - digits)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    data[len++] = (char)(unsigned char)(bits >> count & 0xff);
  }
  return (cmox_bytes_t){data, len};
}

static cmox_bytes_t repeated(stage_t *stage, json_t *value) {
  const char *text;
  int times;
  stage_read(stage, value, "{s:s,s:i}", "repeat", &text, "times", &times);
  size_t len = strlen(text);
  char *data = stage_memory(stage, (size_t)times, len);
  for (size_t i = 0; i < (size_t)times; i++) memcpy(data + i * len, text, len);
  return (cmox_bytes_t){data, (size_t)times * len};
}

cmox_bytes_t text_bytes(stage_t *stage, json_t *value) {
  if (!value) return (cmox_bytes_t){"", 0};
  if (json_is_string(value))
    return (cmox_bytes_t){json_string_value(value), json_string_length(value)};
  if (json_object_get(value, "repeat")) return repeated(stage, value);
  const char *text = "";
  stage_read(stage, value, "{s:s}", "base64", &text);
  return from_base64(stage, text);
}

const char *text_string(stage_t *stage, json_t *value) {
  return value && !json_is_null(value) ? text_bytes(stage, value).data : NULL;
}

cmox_bytes_t *text_list(stage_t *stage, json_t *list, size_t *count) {
  size_t room = 0, i;
  json_t *item;
  json_array_foreach(list, i, item) {
    json_t *copies = json_object_get(item, "copies");
    room += copies ? (size_t)json_integer_value(copies) : 1;
  }
  cmox_bytes_t *items = stage_memory(stage, room, sizeof *items);
  *count = 0;
  json_array_foreach(list, i, item) {
    int copies = 1;
    if (json_object_get(item, "copies"))
      stage_read(stage, item, "{s:i,s:o}", "copies", &copies, "of", &item);
    for (cmox_bytes_t bytes = text_bytes(stage, item); copies > 0; copies--)
      items[(*count)++] = bytes;
  }
  return items;
}

const char *const *text_strings(stage_t *stage, json_t *list, size_t *count) {
  cmox_bytes_t *bytes = text_list(stage, list, count);
  const char **texts = stage_memory(stage, *count + 1, sizeof *texts);
  for (size_t i = 0; i < *count; i++) texts[i] = bytes[i].data;
  return texts;
}

bool text_equal(cmox_bytes_t one, cmox_bytes_t other) {
  return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

/* A line of a list: text, or what it is in each dialect. */
static cmox_bytes_t line_of(stage_t *stage, json_t *line) {
  json_t *own = json_object_get(line, dialect);
  return text_bytes(stage, own ? own : line);
}

static cmox_bytes_t lines_of(stage_t *stage, json_t *lines) {
  size_t room = 0, len = 0, i;
  json_t *line;
  json_array_foreach(lines, i, line) room += line_of(stage, line).len + 1;
  char *data = stage_memory(stage, room, 1);
  json_array_foreach(lines, i, line) {
    cmox_bytes_t bytes = line_of(stage, line);
    memcpy(data + len, bytes.data, bytes.len);
    len += bytes.len;
    data[len++] = '\n';
  }
  return (cmox_bytes_t){data, len};
}

static bool holds(cmox_bytes_t all, cmox_bytes_t part) {
  for (size_t at = 0; at + part.len <= all.len; at++)
    if (memcmp(all.data + at, part.data, part.len) == 0) return true;
  return false;
}

static void expect_parts(stage_t *stage, const char *what, json_t *parts, cmox_bytes_t actual,
                         bool wanted) {
  size_t i;
  json_t *part;
  json_array_foreach(parts, i, part) {
    cmox_bytes_t bytes = line_of(stage, part);
    if (holds(actual, bytes) != wanted)
      stage_fail(stage, "%s %s \"%s\"; it is\n%s", what, wanted ? "lacks" : "has", bytes.data,
                 actual.data);
  }
}

void text_expect(stage_t *stage, const char *what, json_t *expected, cmox_bytes_t actual) {
  json_t *contains = json_object_get(expected, "contains");
  json_t *lacks = json_object_get(expected, "lacks");
  if (json_is_true(json_object_get(expected, "any"))) return;
  if (contains || lacks) {
    stage_read(stage, expected, "{s?o,s?o}", "contains", &contains, "lacks", &lacks);
    expect_parts(stage, what, contains, actual, true);
    expect_parts(stage, what, lacks, actual, false);
    return;
  }
  cmox_bytes_t bytes =
      json_is_array(expected) ? lines_of(stage, expected) : text_bytes(stage, expected);
  if (!text_equal(bytes, actual))
    stage_fail(stage, "%s: expected (%zu bytes)\n%s\nactual (%zu bytes)\n%s", what, bytes.len,
               bytes.data, actual.len, actual.data);
}

void text_expect_told(stage_t *stage, const char *what, json_t *expected, cmox_bytes_t actual) {
  char *kept = stage_memory(stage, actual.len, 1);
  size_t len = 0, at = 0;
  regex_t place;
  if (regcomp(&place, " \\([^() ]*:[0-9]+\\)", REG_EXTENDED) != 0) stage_fail(stage, "regcomp");
  while (at < actual.len) {
    regmatch_t found = {.rm_so = 0, .rm_eo = 0};
    bool more = regexec(&place, actual.data + at, 1, &found, 0) == 0;
    size_t before = more ? (size_t)found.rm_so : actual.len - at;
    memcpy(kept + len, actual.data + at, before);
    len += before;
    at += more ? (size_t)found.rm_eo : before;
  }
  regfree(&place);
  text_expect(stage, what, expected, (cmox_bytes_t){kept, len});
}
