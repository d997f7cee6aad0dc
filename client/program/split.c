#include "client/program/split.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct splitter {
  const char *at;
  char *out;
} splitter_t;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

static const char *single(splitter_t *s) {
  for (s->at++; *s->at && *s->at != '\'';) *s->out++ = *s->at++;
  if (!*s->at) return "a single quote is open at its end";
  s->at++;
  return NULL;
}

static const char *twofold(splitter_t *s) {
  for (s->at++; *s->at && *s->at != '"';) {
    if (*s->at == '\\' && s->at[1] && strchr("$`\"\\\n", s->at[1])) {
      s->at++;
      if (*s->at == '\n') { /* a line that goes on */
        s->at++;
        continue;
      }
    }
    *s->out++ = *s->at++;
  }
  if (!*s->at) return "a double quote is open at its end";
  s->at++;
  return NULL;
}

static const char *escaped(splitter_t *s) {
  s->at++;
  if (!*s->at) return "a backslash is its last character";
  if (*s->at != '\n') *s->out++ = *s->at;
  s->at++;
  return NULL;
}

static const char *word(splitter_t *s) {
  const char *why = NULL;
  while (!why && *s->at && !is_blank(*s->at)) {
    if (*s->at == '\'')
      why = single(s);
    else if (*s->at == '"')
      why = twofold(s);
    else if (*s->at == '\\')
      why = escaped(s);
    else
      *s->out++ = *s->at++;
  }
  *s->out++ = '\0';
  return why;
}

char **cmox_split(const char *line, size_t *count, const char **why) {
  /* A word has at least one character and a blank, or its NUL. */
  const size_t len = strlen(line), most = len / 2 + 1;
  char **words = malloc((most + 1) * sizeof *words + len + most + 1);
  *why = words ? NULL : "out of memory";
  *count = 0;
  if (!words) return NULL;
  splitter_t splitter = {line, (char *)(words + most + 1)};
  for (;;) {
    while (is_blank(*splitter.at)) splitter.at++;
    if (!*splitter.at) break;
    words[(*count)++] = splitter.out;
    *why = word(&splitter);
    if (*why) {
      free(words);
      return NULL;
    }
  }
  words[*count] = NULL;
  return words;
}
