/* The verbs of the cmdmox program: one table, one file each. */
#ifndef CMOX_PROGRAM_VERBS_H
#define CMOX_PROGRAM_VERBS_H

#define CMOX_EXIT_USAGE 2

typedef struct cmox_verb {
  const char *name;
  const char *usage;   /* after the name; one line per form, "" for none */
  const char *summary; /* one line */
  const char *details; /* more lines for `cmdmox help NAME` */
  int (*run)(const struct cmox_verb *verb, int argc, char **argv); /* argv[0] is the verb */
} cmox_verb_t;

extern const cmox_verb_t cmox_verbs[]; /* ends with a NULL name */

/* Says on stderr what is wrong and how the verb is used; returns CMOX_EXIT_USAGE. */
int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Flushes stdout: 0, or what tells that it could not be written. */
int cmox_finish_output(void);

int cmox_verb_serve(const cmox_verb_t *verb, int argc, char **argv);
int cmox_verb_help(const cmox_verb_t *verb, int argc, char **argv);
int cmox_verb_version(const cmox_verb_t *verb, int argc, char **argv);

#endif
