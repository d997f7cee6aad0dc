/* From the command line to a verb: find it, read its arguments by its row of the table, run it.
 * What the row does not allow is named on stderr, with the usage; the exit status is then 2. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/program/verbs.h"

#include <cmdmox/codes.h>

static int run_help(const cmox_verb_t *verb, const cmox_arguments_t *arguments);
static int run_version(const cmox_verb_t *verb, const cmox_arguments_t *arguments);

static const cmox_verb_t verbs[] = {
    {.name = "serve",
     .summary = "Run an engine for test clients in other processes and languages.",
     .options = {[CMOX_SERVE_STDIO] = {"--stdio", NULL,
                                       "speak the protocol on stdin and stdout; end when stdin is "
                                       "closed"},
                 [CMOX_SERVE_LISTEN] = {"--listen", "ADDRESS",
                                        "accept clients at unix:/path, and print the address when "
                                        "ready;\nend on SIGINT, SIGTERM or SIGHUP and remove the "
                                        "socket"}},
     .run = cmox_verb_serve},
    {.name = "isolate",
     .operand = "PROGRAM... -- COMMAND [ARGUMENT...]",
     .summary =
         "Run a command to which these programs, given by their absolute paths, are shims "
         "(Linux).\n"
         "It needs root or user namespaces. What the session mocks is answered by it, found by\n"
         "CMOX_IPC_SOCKET; passing through finds the real programs.",
     .run_words = cmox_verb_isolate},
    {.name = "version", .summary = "Print the version.", .run = run_version},
    {.name = "help",
     .operand = "VERB",
     .summary = "Say how to use cmdmox, or one verb of it.",
     .run = run_help},
    {0},
};

static bool asks_for_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const cmox_verb_t *find(const char *name) {
  if (asks_for_help(name)) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  for (const cmox_verb_t *verb = verbs; verb->name; verb++)
    if (strcmp(verb->name, name) == 0) return verb;
  return NULL;
}

/* ---- What is said of verbs ----------------------------------------------- */

static const cmox_option_t *option_at(const cmox_verb_t *verb, size_t at) {
  return at < CMOX_OPTIONS_MAX && verb->options[at].name ? &verb->options[at] : NULL;
}

/* "--listen ADDRESS" */
static int print_option(FILE *to, const cmox_option_t *option) {
  return fprintf(to, "%s%s%s", option->name, option->operand ? " " : "",
                 option->operand ? option->operand : "");
}

static void print_usage(FILE *to, const cmox_verb_t *verb) {
  if (!option_at(verb, 0)) {
    (void)fprintf(to, "usage: cmdmox %s", verb->name);
    if (verb->operand) (void)fprintf(to, verb->run_words ? " %s" : " [%s]", verb->operand);
    (void)fputc('\n', to);
  }
  for (size_t i = 0; option_at(verb, i); i++) {
    (void)fprintf(to, "usage: cmdmox %s ", verb->name);
    (void)print_option(to, option_at(verb, i));
    (void)fputc('\n', to);
  }
}

static void print_details(const cmox_option_t *option) {
  static const int column = 20;
  (void)printf("  ");
  int width = 2 + print_option(stdout, option);
  for (const char *line = option->help; *line; width = 0) {
    int len = (int)strcspn(line, "\n");
    (void)printf("%*s%.*s\n", column - width, "", len, line);
    line += len + (line[len] == '\n');
  }
}

static int print_help(const cmox_verb_t *verb) {
  print_usage(stdout, verb);
  (void)printf("\n%s\n", verb->summary);
  if (option_at(verb, 0)) (void)printf("\n");
  for (size_t i = 0; option_at(verb, i); i++) print_details(option_at(verb, i));
  return cmox_finish_output();
}

static void list_verbs(FILE *to) {
  (void)fprintf(to, "usage: cmdmox VERB [ARGUMENT...]\n\n");
  for (const cmox_verb_t *verb = verbs; verb->name; verb++)
    (void)fprintf(to, "  %-10s %.*s\n", verb->name, (int)strcspn(verb->summary, "\n"),
                  verb->summary);
  (void)fprintf(to, "\nMore about one of them: cmdmox help VERB\n");
}

int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fprintf(stderr, "cmdmox %s: ", verb->name);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  print_usage(stderr, verb);
  return CMOX_EXIT_USAGE;
}

int cmox_finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  (void)fprintf(stderr, "cmdmox: cannot write to stdout: %s\n", strerror(errno));
  return cmox_code_exit_status(CMOX_E_IO);
}

/* ---- Verbs ----------------------------------------------------------------- */

static int run_help(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  if (!arguments->operand) {
    list_verbs(stdout);
    return cmox_finish_output();
  }
  const cmox_verb_t *about = find(arguments->operand);
  if (!about) return cmox_usage_error(verb, "there is no verb \"%s\"", arguments->operand);
  return print_help(about);
}

static int run_version(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  (void)arguments;
  (void)printf("cmdmox %s\n", CMDMOX_VERSION);
  return cmox_finish_output();
}

/* ---- Arguments ------------------------------------------------------------- */

/* Takes the option at *word and what belongs to it: 0, or CMOX_EXIT_USAGE. */
static int take_option(const cmox_verb_t *verb, cmox_arguments_t *arguments, size_t at,
                       char ***word) {
  const cmox_option_t *option = &verb->options[at];
  if (arguments->options[at]) return cmox_usage_error(verb, "%s is given twice", option->name);
  for (size_t i = 0; option_at(verb, i); i++)
    if (arguments->options[i])
      return cmox_usage_error(verb, "%s and %s exclude each other: give one of them",
                              verb->options[i].name, option->name);
  if (option->operand && (!(*word)[1] || (*word)[1][0] == '-'))
    return cmox_usage_error(verb, "%s needs its %s", option->name, option->operand);
  if (option->operand) ++*word;
  arguments->options[at] = **word;
  return 0;
}

static int take_word(const cmox_verb_t *verb, cmox_arguments_t *arguments, char ***word) {
  for (size_t i = 0; option_at(verb, i); i++)
    if (strcmp(verb->options[i].name, **word) == 0) return take_option(verb, arguments, i, word);
  if (!verb->operand || arguments->operand)
    return cmox_usage_error(verb, "unexpected argument \"%s\"", **word);
  arguments->operand = **word;
  return 0;
}

static int run_verb(const cmox_verb_t *verb, char **words) {
  cmox_arguments_t arguments = {0};
  if (verb->run_words)
    return *words && asks_for_help(*words) ? print_help(verb) : verb->run_words(verb, words);
  for (; *words; words++) {
    if (asks_for_help(*words)) return print_help(verb);
    int status = take_word(verb, &arguments, &words);
    if (status != 0) return status;
  }
  return verb->run(verb, &arguments);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    list_verbs(stderr);
    return CMOX_EXIT_USAGE;
  }
  const cmox_verb_t *verb = find(argv[1]);
  if (verb) return run_verb(verb, argv + 2);
  (void)fprintf(stderr, "cmdmox: there is no verb \"%s\"; see: cmdmox help\n", argv[1]);
  return CMOX_EXIT_USAGE;
}
