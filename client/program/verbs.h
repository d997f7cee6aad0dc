/* The verbs of the cmdmox program. A row of the table (table.c) says all of a verb: what it takes,
 * and what help, the man page and the completions tell of it. */
#ifndef CMOX_PROGRAM_VERBS_H
#define CMOX_PROGRAM_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "server/base/buf.h"

/* Exit statuses of the program; 125 and others are those of proto/include/cmdmox/errors.def. */
#define CMOX_EXIT_FAILED 1 /* verification failed */
#define CMOX_EXIT_USAGE 2

/* What is completed behind an option, or as a word. */
typedef enum cmox_completes {
  CMOX_COMPLETES_NOTHING,
  CMOX_COMPLETES_FILES,
  CMOX_COMPLETES_COMMANDS,
  CMOX_COMPLETES_VERBS,
  CMOX_COMPLETES_CHOICES /* those of `choices` */
} cmox_completes_t;

typedef struct cmox_option {
  int id;              /* of the verb's own enumeration, not 0; a NULL name ends a list */
  const char *name;    /* "--listen" */
  const char *letter;  /* "-f"; NULL: none */
  const char *operand; /* "ADDRESS"; NULL: none */
  const char *help;    /* a sentence or more, without line breaks */
  bool many;           /* may be given more than once; what it means follows from the order */
  int alternative;     /* of those with the same number, not 0, one can be given */
  cmox_completes_t completes; /* the operand */
  bool evaluated;             /* with it the verb prints what a shell evaluates: see below */
} cmox_option_t;

/* Options that belong together; several verbs may have them. */
typedef struct cmox_option_group {
  const char *title; /* "What it answers:"; NULL: none */
  const cmox_option_t *options;
} cmox_option_group_t;

#define CMOX_GROUPS_MAX 5u

typedef struct cmox_given {
  const cmox_option_t *option;
  const char *value; /* NULL: the option has no operand */
} cmox_given_t;

/* What was given, in its order. */
typedef struct cmox_arguments {
  size_t given_count;
  cmox_given_t *given;
  size_t word_count;
  char **words; /* NULL at the end */
} cmox_arguments_t;

/* What is printed for a shell to evaluate. `eval "$(cmdmox ...)"` is as good as what was printed,
 * so a failure is printed too. */
typedef enum cmox_evaluated {
  CMOX_EVALUATED_NOT,
  CMOX_EVALUATED,        /* a failure gives eval its status */
  CMOX_EVALUATED_OR_EXIT /* and ends the shell, unless somebody types there: what follows would run
                            real commands */
} cmox_evaluated_t;

typedef struct cmox_verb {
  const char *name;     /* "serve", "session start" */
  const char *synopsis; /* what follows the name: "--stdio | --listen ADDRESS"; NULL: nothing */
  const char *summary;  /* one line, without a full stop at its end */
  /* Paragraphs, with an empty line between them; lines that begin with a blank stay as they are.
   * NULL: none */
  const char *description;
  cmox_option_group_t groups[CMOX_GROUPS_MAX]; /* up to one without options */
  size_t words_min;
  size_t words_max;
  bool words_end;             /* what follows the first word are words, even with a dash */
  cmox_completes_t completes; /* words; commands: the first, then files */
  const char *const *choices; /* of words; NULL at the end */
  const char *examples;       /* lines: "# what", then the command */
  cmox_evaluated_t evaluated;
  int (*run)(const struct cmox_verb *verb, const cmox_arguments_t *arguments);
} cmox_verb_t;

/* ---- The table ------------------------------------------------------------- */

extern const cmox_verb_t cmox_verbs[]; /* up to one without a name */

/* The verb that the words begin with, and how many words its name has; NULL: none. */
const cmox_verb_t *cmox_verb_find(char **words, size_t *taken);

/* ---- What was given ---------------------------------------------------------- */

/* Reads what follows the verb's name by its row: 0, or CMOX_EXIT_USAGE when stderr says what is
 * wrong; *help when help is asked for. The words live as long as argv; clear frees the rest. */
int cmox_arguments_read(const cmox_verb_t *verb, char **words, cmox_arguments_t *arguments,
                        bool *help);
void cmox_arguments_clear(cmox_arguments_t *arguments);

/* The last value given for an option, "" for one without operand; NULL: it was not given. */
const char *cmox_given(const cmox_arguments_t *arguments, int id);

/* The value as a whole number; `otherwise` where it was not given. False: it is none, or not within
 * the bounds, and stderr says so. */
bool cmox_given_number(const cmox_verb_t *verb, const cmox_arguments_t *arguments, int id,
                       uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *out);
bool cmox_number_read(const cmox_verb_t *verb, const cmox_given_t *given, uint64_t least,
                      uint64_t most, uint64_t *out);

/* The value, seconds with decimal fractions or "none", in ms; 0: "none", or it was not given.
 * False: it is neither, and stderr says so. */
bool cmox_given_seconds(const cmox_verb_t *verb, const cmox_arguments_t *arguments, int id,
                        uint64_t *ms);

/* Says on stderr what is wrong and how the verb is used; returns CMOX_EXIT_USAGE. */
int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says so on stderr; the exit status. */
int cmox_no_memory(void);

/* Writes bytes to stdout; none is fine. */
void cmox_print(const cmox_buf_t *text);

/* Flushes stdout: 0, or what tells that it could not be written. */
int cmox_finish_output(void);

/* ---- What the table tells ------------------------------------------------------ */

void cmox_help_list(FILE *to);                           /* all verbs */
void cmox_help_usage(FILE *to, const cmox_verb_t *verb); /* one line */
void cmox_help_verb(const cmox_verb_t *verb);            /* everything, to stdout */
void cmox_man_program(void);                             /* cmdmox.1, to stdout */
void cmox_man_verb(const cmox_verb_t *verb);             /* cmdmox-VERB.1 */

/* ---- Verbs ------------------------------------------------------------------- */

int cmox_verb_allow(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_assert(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_calls(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_completion(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_default(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_doctor(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_double(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_env(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_gc(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_help(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_isolate(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_run(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_journal(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_quote(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_register(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_release(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_serve(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_session_end(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_session_start(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_verify(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_trace(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
int cmox_verb_version(const cmox_verb_t *verb, const cmox_arguments_t *arguments);

enum { CMOX_HELP_MAN = 1 };
enum {
  CMOX_START_LABEL = 1,
  CMOX_START_CONTAINED,
  CMOX_START_ABSENT,
  CMOX_START_TRAP,
  CMOX_START_MAX_ENTRIES,
  CMOX_START_IDLE,
  CMOX_START_PARENT,
  CMOX_START_LOG,
  CMOX_START_DIALECT,
  CMOX_END_AGAIN
};
enum { CMOX_DOUBLE_JSON = 1, CMOX_DOUBLE_AT, CMOX_DOUBLE_GATE, CMOX_DOUBLE_FUNCTION };
enum { CMOX_DEFAULT_REFUSE = 1 };
enum { CMOX_JOURNAL_JSON = 1 };
enum { CMOX_DOCTOR_JSON = 1, CMOX_DOCTOR_REPORT };
enum { CMOX_GC_DRY_RUN = 1, CMOX_GC_JSON };
enum { CMOX_VERIFY_JSON = 1, CMOX_VERIFY_JUNIT, CMOX_VERIFY_TAP };
enum {
  CMOX_SERVE_STDIO = 1,
  CMOX_SERVE_LISTEN,
  CMOX_SERVE_IDLE,
  CMOX_SERVE_PARENT,
  CMOX_SERVE_LOG
};

#endif
