#include "tests/lib/scenario.h"

#include <stdio.h>
#include <string.h>

#include "server/base/alloc.h"

enum { WORDS_MAX = 16 };

void scenario_open(scenario_t *s) { scenario_open_with(s, NULL); }

void scenario_open_with(scenario_t *s, const cmox_session_options_t *options) {
  *s = (scenario_t){.now_ns = 1000};
  s->session = cmox_session_new(options);
}

void scenario_close(scenario_t *s) {
  cmox_session_free(s->session);
  cmox_actions_clear(&s->actions);
}

static cmox_code_t step(scenario_t *s, cmox_event_t *event) {
  event->now_ns = s->now_ns++;
  s->code = cmox_session_step(s->session, event, &s->actions, &s->error);
  return s->code;
}

static size_t split(const char *text, cmox_span_t *words) {
  size_t count = 0;
  while (text && *text && count < WORDS_MAX) {
    size_t len = strcspn(text, " ");
    words[count++] = cmox_span(text, len);
    text += len + (text[len] == ' ');
  }
  return count;
}

/* "~x" is a regex, "?x" a predicate, "*" is anything. */
static cmox_test_t test_of(cmox_span_t word) {
  if (word.len == 1 && word.data[0] == '*') return (cmox_test_t){.kind = CMOX_TEST_ANY};
  if (word.len > 1 && word.data[0] == '~')
    return (cmox_test_t){.kind = CMOX_TEST_REGEX, .value = {word.data + 1, word.len - 1}};
  if (word.len == 2 && word.data[0] == '?')
    return (cmox_test_t){.kind = CMOX_TEST_CALLBACK, .callback = word.data[1], .value = word};
  return (cmox_test_t){.kind = CMOX_TEST_EQUALS, .value = word};
}

static cmox_code_t args_facet(const char *args, cmox_facets_t *facets, cmox_error_t *error) {
  cmox_span_t words[WORDS_MAX];
  cmox_test_t tests[WORDS_MAX];
  size_t count = split(args, words);
  for (size_t i = 0; i < count; i++) tests[i] = test_of(words[i]);
  cmox_argv_item_t items[WORDS_MAX] = {{0}};
  for (size_t i = 0; i < count; i++) items[i].node = (uint32_t)i;
  cmox_matchers_t *table = NULL;
  cmox_code_t code = cmox_matchers_compile(tests, count, &table, error);
  if (code == CMOX_OK) code = cmox_argv_new(table, items, count, &facets->argv.argv, error);
  facets->argv.present = code == CMOX_OK;
  cmox_matchers_unref(table);
  return code;
}

uint64_t scenario_double(scenario_t *s, cmox_double_kind_t kind, const char *command,
                         const char *args) {
  cmox_facets_t facets = {0};
  s->code = args ? args_facet(args, &facets, &s->error) : CMOX_OK;
  if (s->code == CMOX_OK) {
    cmox_event_t event = {
        .kind = CMOX_EVENT_DECLARE, .command = cmox_span_str(command), .facets = &facets};
    event.declared.kind = kind;
    event.declared.source = (cmox_source_t){(char *)(uintptr_t) "test.c", 7};
    step(s, &event);
  }
  cmox_facets_clear(&facets);
  return s->code == CMOX_OK ? s->actions.double_id : 0;
}

cmox_code_t scenario_refine(scenario_t *s, uint64_t id, cmox_facets_t *facets) {
  cmox_event_t event = {.kind = CMOX_EVENT_REFINE, .double_id = id, .facets = facets};
  step(s, &event);
  cmox_facets_clear(facets);
  return s->code;
}

cmox_code_t scenario_times(scenario_t *s, uint64_t id, uint64_t minimum, uint64_t maximum) {
  cmox_facets_t facets = {.has_count = true, .count = {minimum, maximum}};
  return scenario_refine(s, id, &facets);
}

cmox_code_t scenario_stdin(scenario_t *s, uint64_t id, const char *text) {
  cmox_facets_t facets = {.stdin_match = {.present = true}};
  cmox_test_t test = test_of(cmox_span_str(text));
  s->code = cmox_matchers_compile(&test, 1, &facets.stdin_match.matchers, &s->error);
  return s->code == CMOX_OK ? scenario_refine(s, id, &facets) : s->code;
}

cmox_code_t scenario_stdin_mode(scenario_t *s, uint64_t id, cmox_stdin_mode_t mode) {
  cmox_facets_t facets = {.has_stdin_policy = true, .stdin_policy = {.mode = mode}};
  return scenario_refine(s, id, &facets);
}

cmox_code_t scenario_returns(scenario_t *s, uint64_t id, const char *out, const char *gate) {
  cmox_facets_t facets = {.answers = {.present = true}};
  cmox_answer_t *answer = cmox_calloc(1, sizeof *answer);
  if (answer) {
    facets.answers.items = answer;
    facets.answers.count = 1;
    answer->reply = cmox_reply_new(&(cmox_reply_data_t){.out = cmox_span_str(out)});
    answer->gate = cmox_strdup(gate);
    if (answer->reply && (answer->gate || !gate)) return scenario_refine(s, id, &facets);
  }
  cmox_facets_clear(&facets);
  return s->code = CMOX_E_NO_MEMORY;
}

cmox_code_t scenario_default(scenario_t *s, const char *out) {
  cmox_answer_t answer = {0};
  cmox_event_t event = {.kind = CMOX_EVENT_DEFAULT, .answer = out ? &answer : NULL};
  if (out && !(answer.reply = cmox_reply_new(&(cmox_reply_data_t){.out = cmox_span_str(out)})))
    return s->code = CMOX_E_NO_MEMORY;
  cmox_code_t code = step(s, &event);
  cmox_answer_clear(&answer);
  return code;
}

cmox_code_t scenario_handler(scenario_t *s, uint64_t id, uint64_t handler, const char *gate) {
  cmox_facets_t facets = {.answers = {.present = true}};
  cmox_answer_t *answer = cmox_calloc(1, sizeof *answer);
  if (answer) {
    facets.answers.items = answer;
    facets.answers.count = 1;
    *answer = (cmox_answer_t){
        .handler = handler, .handler_name = cmox_strdup("build"), .gate = cmox_strdup(gate)};
    if (answer->handler_name && (answer->gate || !gate)) return scenario_refine(s, id, &facets);
  }
  cmox_facets_clear(&facets);
  return s->code = CMOX_E_NO_MEMORY;
}

cmox_code_t scenario_says(scenario_t *s, uint64_t call, uint64_t question, bool matched) {
  cmox_event_t event = {.kind = CMOX_EVENT_ANSWER, .call_id = call};
  event.answered.question = question;
  event.answered.matched = matched;
  event.answered.why = "because";
  return step(s, &event);
}

cmox_code_t scenario_handled(scenario_t *s, uint64_t call, uint64_t question, const char *out) {
  cmox_event_t event = {.kind = CMOX_EVENT_ANSWER, .call_id = call};
  event.answered.question = question;
  event.answered.reply = cmox_reply_new(&(cmox_reply_data_t){.out = cmox_span_str(out)});
  if (!event.answered.reply) event.answered.failure = "out of memory";
  step(s, &event);
  cmox_reply_unref(event.answered.reply);
  return s->code;
}

cmox_code_t scenario_fails(scenario_t *s, uint64_t call, uint64_t question, const char *why) {
  cmox_event_t event = {.kind = CMOX_EVENT_ANSWER, .call_id = call};
  event.answered.question = question;
  event.answered.failure = why;
  return step(s, &event);
}

cmox_code_t scenario_args(scenario_t *s, uint64_t id, const char *args) {
  cmox_facets_t facets = {0};
  s->code = args_facet(args, &facets, &s->error);
  return s->code == CMOX_OK ? scenario_refine(s, id, &facets) : s->code;
}

cmox_code_t scenario_order(scenario_t *s, uint64_t id, const char *sequence, uint32_t position) {
  cmox_facets_t facets = {.order = {.present = true}};
  if (sequence) {
    facets.order.items = cmox_calloc(1, sizeof *facets.order.items);
    if (!facets.order.items) return s->code = CMOX_E_NO_MEMORY;
    facets.order.count = 1;
    facets.order.items[0] = (cmox_step_t){cmox_strdup(sequence), position};
    if (!facets.order.items[0].sequence) {
      cmox_facets_clear(&facets);
      return s->code = CMOX_E_NO_MEMORY;
    }
  }
  return scenario_refine(s, id, &facets);
}

cmox_code_t scenario_after(scenario_t *s, uint64_t id, uint64_t before) {
  cmox_facets_t facets = {.after = {true, true, cmox_memdup(&before, sizeof before), 1}};
  return facets.after.items ? scenario_refine(s, id, &facets) : (s->code = CMOX_E_NO_MEMORY);
}

static bool answer_with(cmox_answer_t *answer, const char *text, bool passes) {
  answer->passes = passes;
  answer->passthrough = (cmox_passthrough_t){.capture_stdout = true, .capture_stderr = true};
  if (!passes) answer->reply = cmox_reply_new(&(cmox_reply_data_t){.out = cmox_span_str(text)});
  return passes || answer->reply;
}

cmox_code_t scenario_passes(scenario_t *s, uint64_t id, const char *gate) {
  cmox_facets_t facets = {.answers = {.present = true}};
  cmox_answer_t *answer = cmox_calloc(1, sizeof *answer);
  if (answer) {
    facets.answers.items = answer;
    facets.answers.count = 1;
    answer->gate = cmox_strdup(gate);
    if (answer_with(answer, NULL, true) && (answer->gate || !gate))
      return scenario_refine(s, id, &facets);
  }
  cmox_facets_clear(&facets);
  return s->code = CMOX_E_NO_MEMORY;
}

cmox_code_t scenario_answers(scenario_t *s, uint64_t id, const uint64_t *repeats, size_t count,
                             unsigned passes) {
  cmox_facets_t facets = {.answers = {.present = true}};
  facets.answers.items = cmox_calloc(count, sizeof *facets.answers.items);
  bool complete = facets.answers.items != NULL;
  for (size_t i = 0; i < count && complete; i++) {
    char text[24];
    (void)snprintf(text, sizeof text, "%zu", i);
    cmox_answer_t *answer = &facets.answers.items[facets.answers.count++];
    answer->repeat = repeats[i];
    complete = answer_with(answer, text, passes >> i & 1);
  }
  if (complete) return scenario_refine(s, id, &facets);
  cmox_facets_clear(&facets);
  return s->code = CMOX_E_NO_MEMORY;
}

cmox_code_t scenario_event(scenario_t *s, cmox_event_kind_t kind) {
  cmox_event_t event = {.kind = kind};
  return step(s, &event);
}

uint64_t scenario_call(scenario_t *s, const char *line, uint8_t key) {
  cmox_span_t words[WORDS_MAX];
  size_t count = split(line, words);
  cmox_span_t env[] = {cmox_span_str("HOME=/h/me"), cmox_span_str("CMOX_IPC_SOCKET=x")};
  cmox_invocation_data_t data = {.command = words[0], .argv = {words, count}, .env = {env, 2}};
  s->last_link++;
  memset(data.key, key, sizeof data.key);
  if (key == 0) memcpy(data.key, &s->last_link, sizeof s->last_link);
  cmox_event_t event = {
      .kind = CMOX_EVENT_INVOKE, .link = s->last_link, .invocation = &data, .silence_ms = 300};
  return step(s, &event) == CMOX_OK ? s->actions.call_id : 0;
}

cmox_code_t scenario_feed(scenario_t *s, uint64_t call, const char *bytes) {
  return scenario_piece(s, call, CMOX_PIECE_STDIN, bytes);
}

cmox_code_t scenario_piece(scenario_t *s, uint64_t call, cmox_piece_t piece, const char *bytes) {
  cmox_event_t event = {.kind = CMOX_EVENT_PIECE,
                        .piece = piece,
                        .link = s->last_link,
                        .call_id = call,
                        .bytes = cmox_span_str(bytes)};
  return step(s, &event);
}

cmox_code_t scenario_continue(scenario_t *s, uint64_t call, cmox_stdin_end_t end) {
  cmox_event_t event = {.kind = CMOX_EVENT_CONTINUE, .link = s->last_link, .call_id = call};
  event.continued.end = end;
  return step(s, &event);
}

cmox_code_t scenario_completed(scenario_t *s, uint64_t call, uint64_t link) {
  cmox_event_t event = {.kind = CMOX_EVENT_COMPLETED, .link = link, .call_id = call};
  return step(s, &event);
}

cmox_code_t scenario_failed(scenario_t *s, uint64_t call, const char *failure) {
  cmox_event_t event = {.kind = CMOX_EVENT_COMPLETED, .link = s->last_link, .call_id = call};
  event.completed.failure = failure;
  return step(s, &event);
}

cmox_code_t scenario_passed(scenario_t *s, uint64_t call, const cmox_passed_report_t *report) {
  cmox_event_t event = {
      .kind = CMOX_EVENT_PASSED, .link = s->last_link, .call_id = call, .passed = report};
  return step(s, &event);
}

cmox_code_t scenario_lost(scenario_t *s, uint64_t call, uint64_t link) {
  cmox_event_t event = {.kind = CMOX_EVENT_LINK_LOST, .link = link, .call_id = call};
  return step(s, &event);
}

cmox_code_t scenario_release(scenario_t *s, const char *gate) {
  cmox_event_t event = {.kind = CMOX_EVENT_RELEASE, .gate = gate};
  return step(s, &event);
}

const cmox_call_t *scenario_journal(const scenario_t *s, uint64_t call) {
  return cmox_journal_find(cmox_session_journal(s->session), call);
}
