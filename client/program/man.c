/* The table as man pages: roff with the man macros (man(7)). */
#include <stdio.h>
#include <string.h>

#include "client/program/verbs.h"

/* Text in which nothing is a request or an escape; dashes can be copied. */
static void put(const char *text, size_t len) {
  if (len > 0 && (*text == '.' || *text == '\'')) (void)fputs("\\&", stdout);
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '\\')
      (void)fputs("\\e", stdout);
    else if (text[i] == '-')
      (void)fputs("\\-", stdout);
    else
      (void)putchar(text[i]);
  }
}

static void put_text(const char *text) { put(text, strlen(text)); }

/* "cmdmox-session-start" */
static void put_name(const cmox_verb_t *verb) {
  (void)fputs("cmdmox\\-", stdout);
  for (const char *at = verb->name; *at; at++)
    if (*at == ' ')
      (void)fputs("\\-", stdout);
    else
      (void)putchar(*at);
}

/* verb NULL: the page of the program */
static void put_heading(const cmox_verb_t *verb) {
  (void)fputs(".TH \"", stdout);
  if (verb)
    put_name(verb);
  else
    (void)fputs("cmdmox", stdout);
  (void)printf("\" 1 \"\" \"cmdmox %s\" \"cmdmox\"\n.SH NAME\n", CMDMOX_VERSION);
}

/* Lines that begin with a blank stay as they are. */
static void put_paragraphs(const char *text) {
  while (*text) {
    const size_t len = strcspn(text, "\n");
    if (len > 0 && *text == ' ') (void)fputs(".br\n", stdout);
    if (len == 0) (void)fputs(".PP", stdout);
    put(text, len);
    (void)putchar('\n');
    text += len + (text[len] == '\n');
  }
}

static void put_option(const cmox_option_t *option) {
  (void)fputs(".TP\n", stdout);
  if (option->letter) {
    (void)fputs("\\fB", stdout);
    put_text(option->letter);
    (void)fputs("\\fR, ", stdout);
  }
  (void)fputs("\\fB", stdout);
  put_text(option->name);
  (void)fputs("\\fR", stdout);
  if (option->operand) (void)printf(" \\fI%s\\fR", option->operand);
  (void)putchar('\n');
  put_text(option->help);
  (void)putchar('\n');
}

static void put_group(const cmox_option_group_t *group) {
  if (group->title) {
    (void)fputs(".SS ", stdout);
    put(group->title, strlen(group->title) - 1); /* without its colon */
    (void)putchar('\n');
  }
  for (const cmox_option_t *option = group->options; option->name; option++) put_option(option);
}

static void put_examples(const char *examples) {
  (void)fputs(".SH EXAMPLES\n.nf\n", stdout);
  while (*examples) {
    const size_t len = strcspn(examples, "\n");
    put(examples, len);
    (void)putchar('\n');
    examples += len + (examples[len] == '\n');
  }
  (void)fputs(".fi\n", stdout);
}

void cmox_man_verb(const cmox_verb_t *verb) {
  put_heading(verb);
  put_name(verb);
  (void)fputs(" \\- ", stdout);
  put_text(verb->summary);
  (void)printf("\n.SH SYNOPSIS\n\\fBcmdmox %s\\fR ", verb->name);
  if (verb->synopsis) put_text(verb->synopsis);
  (void)fputs("\n.SH DESCRIPTION\n", stdout);
  put_text(verb->summary);
  (void)fputs(".\n", stdout);
  if (verb->description) {
    (void)fputs(".PP\n", stdout);
    put_paragraphs(verb->description);
  }
  if (verb->groups[0].options) (void)fputs(".SH OPTIONS\n", stdout);
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    put_group(&verb->groups[g]);
  if (verb->examples) put_examples(verb->examples);
  (void)fputs(".SH SEE ALSO\n.BR cmdmox (1)\n", stdout);
}

void cmox_man_program(void) {
  put_heading(NULL);
  (void)fputs(
      "cmdmox \\- command mocking for tests\n"
      ".SH SYNOPSIS\n\\fBcmdmox\\fR \\fIVERB\\fR [\\fIARGUMENT\\fR...]\n"
      ".SH DESCRIPTION\nTests programs that call other programs: the test says how commands "
      "are called and what they answer, and learns what happened.\n"
      ".SH VERBS\n",
      stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    (void)fputs(".TP\n.BR ", stdout);
    put_name(verb);
    (void)fputs(" (1)\n", stdout);
    put_text(verb->summary);
    (void)fputs(".\n", stdout);
  }
  (void)fputs(
      ".SH EXIT STATUS\n"
      ".TP\n0\nAll is well.\n"
      ".TP\n1\nThe verification failed.\n"
      ".TP\n2\nThe words are wrong.\n"
      ".TP\n3\nThe configuration or a file is.\n"
      ".TP\n4\nThere is no server.\n"
      ".TP\n5\nIt took too long.\n"
      ".TP\n125\nOf a mocked command: cmdmox itself failed, or the call was refused.\n",
      stdout);
}
