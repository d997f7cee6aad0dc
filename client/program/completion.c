/* The table as completions: a script for each shell, which holds all it needs. */
#include <stdio.h>
#include <string.h>

#include "client/program/verbs.h"

typedef void each_option_t(const cmox_verb_t *verb, const cmox_option_t *option);

static void each_option(const cmox_verb_t *verb, each_option_t *put) {
  for (size_t g = 0; g < CMOX_GROUPS_MAX && verb->groups[g].options; g++)
    for (const cmox_option_t *option = verb->groups[g].options; option->name; option++)
      put(verb, option);
}

/* The first word of a verb's name, the second for those of a family. */
static bool is_first_of_family(const cmox_verb_t *verb) {
  const size_t len = strcspn(verb->name, " ");
  for (const cmox_verb_t *other = cmox_verbs; other != verb; other++)
    if (strncmp(other->name, verb->name, len) == 0 && (other->name[len] == ' ')) return false;
  return true;
}

static const char *second_word(const cmox_verb_t *verb) {
  const char *blank = strchr(verb->name, ' ');
  return blank ? blank + 1 : NULL;
}

static int first_len(const cmox_verb_t *verb) { return (int)strcspn(verb->name, " "); }

static void put_first_words(void) {
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    if (is_first_of_family(verb)) (void)printf("%.*s ", first_len(verb), verb->name);
}

static void put_second_words(const cmox_verb_t *family) {
  const size_t len = (size_t)first_len(family);
  for (const cmox_verb_t *verb = family; verb->name; verb++)
    if (second_word(verb) && strncmp(verb->name, family->name, len) == 0)
      (void)printf("%s ", second_word(verb));
}

/* ---- bash ------------------------------------------------------------------- */

static void put_bash_option(const cmox_verb_t *verb, const cmox_option_t *option) {
  (void)verb;
  (void)printf("%s ", option->name);
}

static void put_bash_operand(const cmox_verb_t *verb, const cmox_option_t *option) {
  if (!option->operand) return;
  (void)printf("    '%s %s') ", verb->name, option->name);
  if (option->completes == CMOX_COMPLETES_FILES)
    (void)fputs("COMPREPLY=($(compgen -f -- \"$word\")) ;;\n", stdout);
  else if (option->completes == CMOX_COMPLETES_COMMANDS)
    (void)fputs("COMPREPLY=($(compgen -c -- \"$word\")) ;;\n", stdout);
  else
    (void)fputs("COMPREPLY=() ;;\n", stdout);
}

static void put_bash_words(const cmox_verb_t *verb) {
  (void)printf("    '%s') words='", verb->name);
  each_option(verb, put_bash_option);
  for (const char *const *choice = verb->choices; choice && *choice; choice++)
    (void)printf("%s ", *choice);
  if (verb->completes == CMOX_COMPLETES_VERBS) put_first_words();
  (void)fputs("--help' kind=", stdout);
  (void)fputs(verb->completes == CMOX_COMPLETES_FILES      ? "-f"
              : verb->completes == CMOX_COMPLETES_COMMANDS ? "-c"
                                                           : "''",
              stdout);
  (void)fputs(" ;;\n", stdout);
}

static void put_bash(void) {
  (void)fputs(
      "# bash completion of cmdmox\n"
      "_cmdmox() {\n"
      "  local word=$2 previous=$3 verb=${COMP_WORDS[1]-} words='' kind=''\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n    COMPREPLY=($(compgen -W '",
      stdout);
  put_first_words();
  (void)fputs("' -- \"$word\"))\n    return\n  fi\n  case $verb in\n", stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    if (!second_word(verb) || !is_first_of_family(verb)) continue;
    (void)printf(
        "    %.*s)\n      if ((COMP_CWORD == 2)); then\n"
        "        COMPREPLY=($(compgen -W '",
        first_len(verb), verb->name);
    put_second_words(verb);
    (void)fputs(
        "' -- \"$word\"))\n        return\n      fi\n"
        "      verb=\"$verb ${COMP_WORDS[2]}\" ;;\n",
        stdout);
  }
  (void)fputs("  esac\n  case \"$verb $previous\" in\n", stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    each_option(verb, put_bash_operand);
  (void)fputs(
      "    *) previous='' ;;\n  esac\n  [[ -n $previous ]] && return\n"
      "  case $verb in\n",
      stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) put_bash_words(verb);
  (void)fputs(
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  [[ -n $kind && $word != -* ]] && COMPREPLY+=($(compgen $kind -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _cmdmox cmdmox\n",
      stdout);
}

/* ---- zsh --------------------------------------------------------------------- */

/* In single quotes, and so that brackets and colons mean nothing to _arguments. */
static void put_zsh_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'')
      (void)fputs("'\\''", stdout);
    else if (strchr("[]:\\", *text))
      (void)printf("\\%c", *text);
    else
      (void)putchar(*text);
  }
}

static const char *zsh_action(cmox_completes_t completes) {
  if (completes == CMOX_COMPLETES_FILES) return "_files";
  return completes == CMOX_COMPLETES_COMMANDS ? "_command_names -e" : " ";
}

static void put_zsh_option(const cmox_verb_t *verb, const cmox_option_t *option) {
  (void)verb;
  (void)printf("        '%s%s%s[", option->many ? "*" : "", option->name,
               option->operand ? "=" : "");
  put_zsh_text(option->help);
  (void)putchar(']');
  if (option->operand) (void)printf(":%s:%s", option->operand, zsh_action(option->completes));
  (void)fputs("' \\\n", stdout);
}

static void put_zsh_verb(const cmox_verb_t *verb) {
  (void)printf("    '%s')\n      _arguments \\\n", verb->name);
  each_option(verb, put_zsh_option);
  (void)fputs("        '--help[Say how it is used]' \\\n", stdout);
  if (verb->choices) {
    (void)fputs("        '1: :(", stdout);
    for (const char *const *choice = verb->choices; *choice; choice++) (void)printf("%s ", *choice);
    (void)fputs(")'", stdout);
  } else if (verb->completes == CMOX_COMPLETES_VERBS) {
    (void)fputs("        '1: :(", stdout);
    put_first_words();
    (void)fputs(")'", stdout);
  } else if (verb->completes == CMOX_COMPLETES_COMMANDS) {
    (void)fputs("        '1:command:_command_names -e' '*:file:_files'", stdout);
  } else if (verb->completes == CMOX_COMPLETES_FILES) {
    (void)fputs("        '*:file:_files'", stdout);
  }
  (void)fputs("\n      ;;\n", stdout);
}

static void put_zsh(void) {
  (void)fputs(
      "#compdef cmdmox\n"
      "_cmdmox() {\n"
      "  local verb=${words[2]-}\n"
      "  if ((CURRENT == 2)); then\n    local -a verbs\n    verbs=(\n",
      stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    if (!is_first_of_family(verb)) continue;
    (void)printf("      '%.*s:", first_len(verb), verb->name);
    put_zsh_text(verb->summary);
    (void)fputs("'\n", stdout);
  }
  (void)fputs("    )\n    _describe verb verbs\n    return\n  fi\n  case $verb in\n", stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    if (!second_word(verb) || !is_first_of_family(verb)) continue;
    (void)printf("    %.*s)\n      if ((CURRENT == 3)); then\n        compadd ", first_len(verb),
                 verb->name);
    put_second_words(verb);
    (void)fputs(
        "\n        return\n      fi\n"
        "      verb=\"$verb ${words[3]}\"\n      shift words\n      ((CURRENT--)) ;;\n",
        stdout);
  }
  (void)fputs("  esac\n  shift words\n  ((CURRENT--))\n  case $verb in\n", stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) put_zsh_verb(verb);
  (void)fputs(
      "  esac\n}\n"
      "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _cmdmox \"$@\"\nelse\n"
      "  compdef _cmdmox cmdmox\nfi\n",
      stdout);
}

/* ---- fish --------------------------------------------------------------------- */

static void put_quoted(const char *text) {
  (void)putchar('\'');
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') (void)putchar('\\');
    (void)putchar(*text);
  }
  (void)putchar('\'');
}

static void put_fish_condition(const cmox_verb_t *verb) {
  const char *second = second_word(verb);
  (void)printf("complete -c cmdmox -n '__fish_seen_subcommand_from %.*s", first_len(verb),
               verb->name);
  if (second) (void)printf("; and __fish_seen_subcommand_from %s", second);
  (void)fputs("' ", stdout);
}

static void put_fish_option(const cmox_verb_t *verb, const cmox_option_t *option) {
  put_fish_condition(verb);
  (void)printf("-l %s ", option->name + 2);
  if (option->letter) (void)printf("-s %s ", option->letter + 1);
  if (option->operand)
    (void)fputs(option->completes == CMOX_COMPLETES_FILES ? "-r -F "
                : option->completes == CMOX_COMPLETES_COMMANDS
                    ? "-x -a '(__fish_complete_command)' "
                    : "-x ",
                stdout);
  (void)fputs("-d ", stdout);
  put_quoted(option->help);
  (void)putchar('\n');
}

static void put_fish_words(const cmox_verb_t *verb) {
  if (verb->choices || verb->completes == CMOX_COMPLETES_VERBS) {
    put_fish_condition(verb);
    (void)fputs("-f -a '", stdout);
    for (const char *const *choice = verb->choices; choice && *choice; choice++)
      (void)printf("%s ", *choice);
    if (!verb->choices) put_first_words();
    (void)fputs("'\n", stdout);
  } else if (verb->completes == CMOX_COMPLETES_COMMANDS) {
    put_fish_condition(verb);
    (void)fputs("-a '(__fish_complete_command)'\n", stdout);
  } else if (verb->completes == CMOX_COMPLETES_NOTHING) {
    put_fish_condition(verb);
    (void)fputs("-f\n", stdout);
  }
}

static void put_fish(void) {
  (void)fputs("# fish completion of cmdmox\n", stdout);
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++) {
    if (is_first_of_family(verb)) {
      (void)printf("complete -c cmdmox -n __fish_use_subcommand -f -a %.*s -d ", first_len(verb),
                   verb->name);
      put_quoted(verb->summary);
      (void)putchar('\n');
    }
    if (second_word(verb)) {
      (void)printf("complete -c cmdmox -n '__fish_seen_subcommand_from %.*s' -f -a %s -d ",
                   first_len(verb), verb->name, second_word(verb));
      put_quoted(verb->summary);
      (void)putchar('\n');
    }
    each_option(verb, put_fish_option);
    put_fish_words(verb);
  }
}

int cmox_verb_completion(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  const char *shell = arguments->words[0];
  if (strcmp(shell, "bash") == 0)
    put_bash();
  else if (strcmp(shell, "zsh") == 0)
    put_zsh();
  else
    put_fish();
  return cmox_finish_output();
}
