/* Reads a command line by the row of its verb. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/program/verbs.h"

#include "proto/timeout.h"
#include "server/base/nearest.h"

int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fprintf(stderr, "cmdmox %s: ", verb->name);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  cmox_help_usage(stderr, verb);
  return CMOX_EXIT_USAGE;
}

/* "--out=x" and "--out" are both --out; *value is behind the "=", or NULL. */
static const cmox_option_t *find_option(const cmox_verb_t *verb, const char *word,
                                        const char **value) {
  const size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") : strlen(word);
  *value = word[len] ? word + len + 1 : NULL;
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    for (const cmox_option_t *option = verb->groups[g].options; option->name; option++) {
      if (strlen(option->name) == len && memcmp(option->name, word, len) == 0) return option;
      if (option->letter && strcmp(option->letter, word) == 0) return option;
    }
  return NULL;
}

static int say_unknown(const cmox_verb_t *verb, const char *word) {
  char name[64];
  (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
  cmox_nearest_t nearest = cmox_nearest_to(name);
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    for (const cmox_option_t *option = verb->groups[g].options; option->name; option++)
      cmox_nearest_see(&nearest, option->name);
  if (nearest.best)
    return cmox_usage_error(verb, "there is no option \"%s\"; did you mean %s?", name,
                            nearest.best);
  return cmox_usage_error(verb, "there is no option \"%s\"", name);
}

static int check_alternatives(const cmox_verb_t *verb, const cmox_arguments_t *arguments,
                              const cmox_option_t *option) {
  for (size_t i = 0; i < arguments->given_count; i++) {
    const cmox_option_t *other = arguments->given[i].option;
    if (other == option && !option->many)
      return cmox_usage_error(verb, "%s is given twice", option->name);
    if (other != option && option->alternative && other->alternative == option->alternative)
      return cmox_usage_error(verb, "%s and %s exclude each other: give one of them", other->name,
                              option->name);
  }
  return 0;
}

/* Takes the option at *word and its operand. */
static int take_option(const cmox_verb_t *verb, cmox_arguments_t *arguments, char ***word) {
  const char *value = NULL;
  const char *unused = NULL;
  const cmox_option_t *option = find_option(verb, **word, &value);
  if (!option) return say_unknown(verb, **word);
  int status = check_alternatives(verb, arguments, option);
  if (status != 0) return status;
  if (!option->operand && value) return cmox_usage_error(verb, "%s takes no value", option->name);
  if (option->operand && !value) {
    const char *next = (*word)[1];
    if (!next || strcmp(next, "--") == 0 || find_option(verb, next, &unused))
      return cmox_usage_error(verb, "%s needs its %s%s", option->name, option->operand,
                              next ? "; one that begins with a dash is written with =" : "");
    value = next;
    ++*word;
  }
  arguments->given[arguments->given_count++] = (cmox_given_t){option, value};
  return 0;
}

static bool asks_for_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int check_words(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  if (arguments->word_count > verb->words_max)
    return cmox_usage_error(verb, "unexpected argument \"%s\"", arguments->words[verb->words_max]);
  if (arguments->word_count < verb->words_min)
    return cmox_usage_error(verb, "something is missing behind it");
  for (size_t i = 0; verb->choices && i < arguments->word_count; i++) {
    const char *const *choice = verb->choices;
    while (*choice && strcmp(*choice, arguments->words[i]) != 0) choice++;
    if (!*choice) return cmox_usage_error(verb, "it knows no \"%s\"", arguments->words[i]);
  }
  return 0;
}

int cmox_arguments_read(const cmox_verb_t *verb, char **words, cmox_arguments_t *arguments,
                        bool *help) {
  size_t count = 0;
  while (words[count]) count++;
  *arguments = (cmox_arguments_t){.given = calloc(count + 1, sizeof *arguments->given),
                                  .words = calloc(count + 1, sizeof *arguments->words)};
  if (!arguments->given || !arguments->words) return cmox_no_memory();
  bool only_words = false;
  for (; *words; words++) {
    if (only_words || **words != '-' || strcmp(*words, "-") == 0) {
      arguments->words[arguments->word_count++] = *words;
      only_words = only_words || verb->words_end;
    } else if (strcmp(*words, "--") == 0 && verb->words_max > 0) {
      only_words = true;
    } else if (asks_for_help(*words)) {
      *help = true;
      return 0;
    } else {
      int status = take_option(verb, arguments, &words);
      if (status != 0) return status;
    }
  }
  return check_words(verb, arguments);
}

void cmox_arguments_clear(cmox_arguments_t *arguments) {
  free(arguments->given);
  free(arguments->words);
}

const char *cmox_given(const cmox_arguments_t *arguments, int id) {
  for (size_t i = arguments->given_count; i-- > 0;)
    if (arguments->given[i].option->id == id)
      return arguments->given[i].value ? arguments->given[i].value : "";
  return NULL;
}

bool cmox_number_read(const cmox_verb_t *verb, const cmox_given_t *given, uint64_t least,
                      uint64_t most, uint64_t *out) {
  char *end = NULL;
  errno = 0;
  *out = strtoull(given->value, &end, 10);
  const bool digits = *given->value && strspn(given->value, "0123456789") == strlen(given->value);
  if (digits && errno == 0 && *out >= least && *out <= most) return true;
  if (most == UINT64_MAX)
    (void)cmox_usage_error(verb, "%s %s: it must be a whole number from %" PRIu64 " on",
                           given->option->name, given->value, least);
  else
    (void)cmox_usage_error(verb, "%s %s: it must be a whole number from %" PRIu64 " to %" PRIu64,
                           given->option->name, given->value, least, most);
  return false;
}

bool cmox_given_number(const cmox_verb_t *verb, const cmox_arguments_t *arguments, int id,
                       uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *out) {
  *out = otherwise;
  for (size_t i = 0; i < arguments->given_count; i++)
    if (arguments->given[i].option->id == id)
      return cmox_number_read(verb, &arguments->given[i], least, most, out);
  return true;
}

bool cmox_given_seconds(const cmox_verb_t *verb, const cmox_arguments_t *arguments, int id,
                        uint64_t *ms) {
  uint32_t parsed = 0;
  *ms = 0;
  for (size_t i = 0; i < arguments->given_count; i++) {
    const cmox_given_t *given = &arguments->given[i];
    if (given->option->id != id) continue;
    if (!cmox_timeout_parse(given->value, &parsed)) {
      (void)cmox_usage_error(verb, "%s %s: write seconds, such as 5 or 0.5, or none",
                             given->option->name, given->value);
      return false;
    }
    *ms = parsed;
  }
  return true;
}
