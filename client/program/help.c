/* The table as text for a terminal of 80 columns. */
#include <string.h>

#include "client/program/verbs.h"

enum { WIDTH = 79, COLUMN = 26 };

/* Prints words up to the margin, every line after the first behind `indent` blanks; `at` is the
 * column where it begins. Ends the line. */
static void print_wrapped(FILE *to, const char *text, size_t len, size_t indent, size_t at) {
  bool first = true;
  while (len > 0) {
    size_t word = 0;
    while (word < len && text[word] != ' ') word++;
    if (!first && at + 1 + word > WIDTH) {
      (void)fprintf(to, "\n%*s", (int)indent, "");
      at = indent;
    } else if (!first) {
      (void)fputc(' ', to);
      at++;
    }
    (void)fwrite(text, 1, word, to);
    at += word;
    first = false;
    const size_t step = word < len ? word + 1 : word;
    text += step;
    len -= step;
  }
  (void)fputc('\n', to);
}

/* Lines that begin with a blank stay as they are, others are paragraphs. */
static void print_paragraphs(FILE *to, const char *text) {
  while (*text) {
    const size_t len = strcspn(text, "\n");
    if (len == 0 || *text == ' ')
      (void)fprintf(to, "%.*s\n", (int)len, text);
    else
      print_wrapped(to, text, len, 0, 0);
    text += len + (text[len] == '\n');
  }
}

/* ---- One verb --------------------------------------------------------------- */

void cmox_help_usage(FILE *to, const cmox_verb_t *verb) {
  const int start = fprintf(to, "usage: cmdmox %s", verb->name);
  if (!verb->synopsis) {
    (void)fputc('\n', to);
    return;
  }
  (void)fputc(' ', to);
  print_wrapped(to, verb->synopsis, strlen(verb->synopsis), (size_t)start + 1, (size_t)start + 1);
}

static void print_option(const cmox_option_t *option) {
  int width =
      printf("  %s%s%s%s%s", option->letter ? option->letter : "", option->letter ? ", " : "",
             option->name, option->operand ? " " : "", option->operand ? option->operand : "");
  if (width >= COLUMN) {
    (void)putchar('\n');
    width = 0;
  }
  (void)printf("%*s", COLUMN - width, "");
  print_wrapped(stdout, option->help, strlen(option->help), COLUMN, COLUMN);
}

static void print_group(const cmox_option_group_t *group) {
  (void)printf("\n%s\n", group->title ? group->title : "Options:");
  for (const cmox_option_t *option = group->options; option->name; option++) print_option(option);
}

static void print_examples(const char *examples) {
  (void)printf("\nExamples:\n");
  while (*examples) {
    const size_t len = strcspn(examples, "\n");
    (void)printf("  %.*s\n", (int)len, examples);
    examples += len + (examples[len] == '\n');
  }
}

void cmox_help_verb(const cmox_verb_t *verb) {
  cmox_help_usage(stdout, verb);
  (void)putchar('\n');
  (void)printf("%s.\n", verb->summary);
  if (verb->description) {
    (void)putchar('\n');
    print_paragraphs(stdout, verb->description);
  }
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    print_group(&verb->groups[g]);
  if (verb->examples) print_examples(verb->examples);
}

/* ---- All of them -------------------------------------------------------------- */

void cmox_help_list(FILE *to) {
  (void)fprintf(to, "usage: cmdmox VERB [ARGUMENT...]\n\n");
  int width = 0;
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    if ((int)strlen(verb->name) > width) width = (int)strlen(verb->name);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    (void)fprintf(to, "  %-*s  %s\n", width, verb->name, verb->summary);
  (void)fprintf(to, "\nMore about one of them: cmdmox help VERB\n");
}

int cmox_verb_help(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  const bool man = cmox_given(arguments, CMOX_HELP_MAN) != NULL;
  if (arguments->word_count == 0) {
    if (man)
      cmox_man_program();
    else
      cmox_help_list(stdout);
    return cmox_finish_output();
  }
  size_t taken = 0;
  const cmox_verb_t *about = cmox_verb_find(arguments->words, &taken);
  if (!about || taken < arguments->word_count)
    return cmox_usage_error(verb, "there is no verb \"%s%s%s\"", arguments->words[0],
                            arguments->word_count > 1 ? " " : "",
                            arguments->word_count > 1 ? arguments->words[1] : "");
  if (man)
    cmox_man_verb(about);
  else
    cmox_help_verb(about);
  return cmox_finish_output();
}
