/* From the command line to a verb: find it, read its arguments by its row of the table, run it.
 * What the row does not allow is named on stderr, with the usage; the exit status is then 2. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/program/verbs.h"

#include <cmdmox/codes.h>

#include "server/base/nearest.h"

int cmox_no_memory(void) {
  (void)fputs("cmdmox: out of memory\n", stderr);
  return cmox_code_exit_status(CMOX_E_NO_MEMORY);
}

void cmox_print(const cmox_buf_t *text) {
  if (text->len) (void)fwrite(text->data, 1, text->len, stdout);
}

int cmox_finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  (void)fprintf(stderr, "cmdmox: cannot write to stdout: %s\n", strerror(errno));
  return cmox_code_exit_status(CMOX_E_IO);
}

int cmox_verb_version(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  (void)arguments;
  (void)printf("cmdmox %s\n", CMDMOX_VERSION);
  return cmox_finish_output();
}

/* See cmox_evaluated_t. */
static void print_failure(cmox_evaluated_t evaluated, int status) {
  if (evaluated == CMOX_EVALUATED_NOT || status == 0) return;
  if (evaluated == CMOX_EVALUATED_OR_EXIT)
    (void)printf("case $- in *i*) (exit %d) ;; *) exit %d ;; esac\n", status, status);
  else
    (void)printf("(exit %d)\n", status);
  (void)cmox_finish_output();
}

/* Also of a verb that says nothing else to a shell. */
static cmox_evaluated_t how_evaluated(const cmox_verb_t *verb, char **words) {
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    for (const cmox_option_t *option = verb->groups[g].options; option->name; option++)
      for (char **word = words; option->evaluated && *word; word++)
        if (strcmp(*word, option->name) == 0) return CMOX_EVALUATED;
  return verb->evaluated;
}

static int run_verb(const cmox_verb_t *verb, char **words) {
  cmox_arguments_t arguments;
  bool help = false;
  int status = cmox_arguments_read(verb, words, &arguments, &help);
  if (status == 0 && help) {
    cmox_help_verb(verb);
    status = cmox_finish_output();
  } else if (status == 0) {
    status = verb->run(verb, &arguments);
  }
  cmox_arguments_clear(&arguments);
  print_failure(how_evaluated(verb, words), status);
  return status;
}

/* The first word of verbs such as "session start". */
static bool is_family(const char *word) {
  const size_t len = strlen(word);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    if (strncmp(verb->name, word, len) == 0 && verb->name[len] == ' ') return true;
  return false;
}

/* "session start, session end" */
static void list_family(const char *word) {
  const size_t len = strlen(word);
  const char *between = "; there are: ";
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    if (strncmp(verb->name, word, len) != 0 || verb->name[len] != ' ') continue;
    (void)fprintf(stderr, "%s%s", between, verb->name);
    between = ", ";
  }
}

static int say_unknown(char **words) {
  const bool family = is_family(words[0]);
  (void)fprintf(stderr, "cmdmox: there is no verb \"%s%s%s\"", words[0],
                family && words[1] ? " " : "", family && words[1] ? words[1] : "");
  cmox_nearest_t nearest = cmox_nearest_to(words[0]);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    cmox_nearest_see(&nearest, verb->name);
  if (family)
    list_family(words[0]);
  else if (nearest.best)
    (void)fprintf(stderr, "; did you mean \"%s\"?", nearest.best);
  (void)fprintf(stderr, "%sSee: cmdmox help\n", family || !nearest.best ? ". " : " ");
  return CMOX_EXIT_USAGE;
}

/* Flags that people try stand for verbs. */
static const char *verb_of_flag(const char *word) {
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return "help";
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) return "version";
  return NULL;
}

/* A descriptor of ours must not land where a stream is missing: it would be taken for one. Reading
 * and writing there fails as before, and what we start has it closed. */
static bool fill_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode | O_CLOEXEC) != fd) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  if (!fill_streams()) {
    (void)fputs("cmdmox: a standard stream is closed, and /dev/null cannot take its place\n",
                stderr);
    return cmox_code_exit_status(CMOX_E_IO);
  }
  if (argc < 2) {
    cmox_help_list(stderr);
    return CMOX_EXIT_USAGE;
  }
  const char *flag = verb_of_flag(argv[1]);
  char *named[] = {(char *)(uintptr_t)flag, NULL};
  size_t taken = 0;
  const cmox_verb_t *verb = cmox_verb_find(flag ? named : argv + 1, &taken);
  return verb ? run_verb(verb, argv + 1 + taken) : say_unknown(argv + 1);
}
