/* The verbs of the cmdmox program: one table, which says what each of them takes. */
#ifndef CMOX_PROGRAM_VERBS_H
#define CMOX_PROGRAM_VERBS_H

#include <stdbool.h>

#define CMOX_EXIT_USAGE 2
#define CMOX_OPTIONS_MAX 2u

typedef struct cmox_option {
  const char *name;    /* "--listen" */
  const char *operand; /* "ADDRESS"; NULL: none */
  const char *help;    /* lines, joined by newlines */
} cmox_option_t;

/* What was given. */
typedef struct cmox_arguments {
  const char *operand;                   /* NULL: none */
  const char *options[CMOX_OPTIONS_MAX]; /* by the verb's order: its operand, else its name; NULL */
} cmox_arguments_t;

typedef struct cmox_verb {
  const char *name;
  const char *operand; /* "VERB"; may be left out, unless the verb takes words; NULL: none */
  const char *summary; /* one line */
  cmox_option_t options[CMOX_OPTIONS_MAX]; /* exactly one of them is given */
  int (*run)(const struct cmox_verb *verb, const cmox_arguments_t *arguments);
  /* Instead of run, of a verb without options: takes all words itself; the first is no request for
   * help. */
  int (*run_words)(const struct cmox_verb *verb, char **words);
} cmox_verb_t;

/* Says on stderr what is wrong and how the verb is used; returns CMOX_EXIT_USAGE. */
int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Flushes stdout: 0, or what tells that it could not be written. */
int cmox_finish_output(void);

enum { CMOX_SERVE_STDIO, CMOX_SERVE_LISTEN }; /* the options of serve */
int cmox_verb_isolate(const cmox_verb_t *verb, char **words);
int cmox_verb_serve(const cmox_verb_t *verb, const cmox_arguments_t *arguments);

#endif
