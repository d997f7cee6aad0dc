#include "client/program/double_options.h"

const cmox_option_t cmox_double_calls[] = {
    {.id = ARG,
     .name = "--arg",
     .operand = "WORD",
     .many = true,
     .help = "One more argument, exactly this one."},
    {.id = ARGS_ANY,
     .name = "--args-any",
     .many = true,
     .help = "Any arguments may follow those that are given."},
    {.id = NO_ARGS, .name = "--no-args", .many = true, .help = "No arguments at all."},
    {.id = GLOB,
     .name = "--glob",
     .many = true,
     .help = "Its arguments are patterns as file names have them: * ? [a-z]."},
    {.id = REGEX,
     .name = "--regex",
     .many = true,
     .help = "Its arguments are regular expressions (PCRE2), found anywhere in an argument."},
    {.id = STDIN,
     .name = "--stdin",
     .operand = "TEXT",
     .many = true,
     .help = "What is on stdin, and nothing else; a newline is added at its end where there is "
             "none, as echo does."},
    {.id = STDIN_FILE,
     .name = "--stdin-file",
     .operand = "FILE",
     .many = true,
     .completes = CMOX_COMPLETES_FILES,
     .help = "The bytes of this file are on stdin, and nothing else; -: those of this stdin."},
    {.id = ENV,
     .name = "--env",
     .operand = "NAME=VALUE",
     .many = true,
     .help = "The call is to have this variable: another value is a mismatch."},
    {.id = CWD,
     .name = "--cwd",
     .operand = "DIRECTORY",
     .many = true,
     .completes = CMOX_COMPLETES_FILES,
     .help = "The working directory of the call."},
    {0},
};

const cmox_option_t cmox_double_answers[] = {
    {.id = OUT,
     .name = "--out",
     .operand = "TEXT",
     .many = true,
     .help = "To stdout; a newline is added at its end where there is none, as echo does."},
    {.id = OUT_FILE,
     .name = "--out-file",
     .operand = "FILE",
     .many = true,
     .completes = CMOX_COMPLETES_FILES,
     .help = "To stdout, the bytes of this file."},
    {.id = ERR,
     .name = "--err",
     .operand = "TEXT",
     .many = true,
     .help = "To stderr, as --out to stdout."},
    {.id = EXIT,
     .name = "--exit",
     .operand = "N",
     .many = true,
     .help = "The exit status; else 0."},
    {.id = SIGNAL,
     .name = "--signal",
     .operand = "NAME",
     .many = true,
     .help = "It ends by this signal, such as TERM."},
    {.id = DELAY,
     .name = "--delay",
     .operand = "MS",
     .many = true,
     .help = "Only after so many milliseconds."},
    {.id = PASSTHROUGH, .name = "--passthrough", .many = true, .help = "The real command runs."},
    {.id = PROGRAM,
     .name = "--program",
     .operand = "FILE",
     .many = true,
     .help = "This program runs in place of the real command, with the call's arguments, "
             "environment, directory and stdin."},
    {.id = UNCAPTURED,
     .name = "--uncaptured",
     .many = true,
     .help = "What runs by --passthrough or --program has stdout and stderr for its own; they are "
             "not kept in the journal, nor is how it ended."},
    {.id = CAPTURE_STDIN,
     .name = "--capture-stdin",
     .many = true,
     .help = "stdin is read to its end, and kept in the journal."},
    {.id = DRAIN_STDIN,
     .name = "--drain-stdin",
     .many = true,
     .help =
         "stdin is read to its end, and not kept: who writes to it does not meet a closed pipe."},
    {0},
};

const cmox_option_t cmox_double_counts[] = {
    {.id = TIMES,
     .name = "--times",
     .operand = "N",
     .many = true,
     .help = "Exactly so many calls; a mock without any of these has one."},
    {.id = AT_LEAST,
     .name = "--at-least",
     .operand = "N",
     .many = true,
     .help = "So many or more."},
    {.id = AT_MOST, .name = "--at-most", .operand = "N", .many = true, .help = "So many or fewer."},
    {.id = NEVER, .name = "--never", .many = true, .help = "No call."},
    {.id = ANY_TIMES,
     .name = "--any-times",
     .many = true,
     .help = "Any number of calls, none too."},
    {.id = IN_ORDER,
     .name = "--in-order",
     .many = true,
     .help = "Only after those before it that are --in-order, too."},
    {0},
};

bool cmox_is_double_flag(const cmox_option_t *option) {
  return option->id >= FIRST && option->id < END;
}

/* ---- Flags that exclude each other ------------------------------------------ */

static const struct {
  uint64_t these, those;
} excluding[] = {
    {CMOX_DOUBLE_BIT(NO_ARGS), CMOX_DOUBLE_BIT(ARG) | CMOX_DOUBLE_BIT(ARGS_ANY) |
                                   CMOX_DOUBLE_BIT(GLOB) | CMOX_DOUBLE_BIT(REGEX)},
    {CMOX_DOUBLE_BIT(GLOB), CMOX_DOUBLE_BIT(REGEX)},
    {CMOX_DOUBLE_BIT(OUT), CMOX_DOUBLE_BIT(OUT_FILE)},
    {CMOX_DOUBLE_BIT(EXIT), CMOX_DOUBLE_BIT(SIGNAL)},
    {CMOX_DOUBLE_BIT(STDIN), CMOX_DOUBLE_BIT(STDIN_FILE)},
    {CMOX_DOUBLE_BIT(DRAIN_STDIN), CMOX_DOUBLE_BIT(CAPTURE_STDIN) | CMOX_DOUBLE_BIT(STDIN) |
                                       CMOX_DOUBLE_BIT(STDIN_FILE) | CMOX_DOUBLE_BIT(PASSTHROUGH) |
                                       CMOX_DOUBLE_BIT(PROGRAM)},
    {CMOX_DOUBLE_BIT(PASSTHROUGH) | CMOX_DOUBLE_BIT(PROGRAM) | CMOX_DOUBLE_BIT(UNCAPTURED),
     CMOX_DOUBLE_BIT(OUT) | CMOX_DOUBLE_BIT(OUT_FILE) | CMOX_DOUBLE_BIT(ERR) |
         CMOX_DOUBLE_BIT(EXIT) | CMOX_DOUBLE_BIT(SIGNAL) | CMOX_DOUBLE_BIT(DELAY)},
    {CMOX_DOUBLE_BIT(PASSTHROUGH), CMOX_DOUBLE_BIT(PROGRAM)},
    {CMOX_DOUBLE_BIT(TIMES), CMOX_DOUBLE_BIT(AT_LEAST) | CMOX_DOUBLE_BIT(AT_MOST) |
                                 CMOX_DOUBLE_BIT(NEVER) | CMOX_DOUBLE_BIT(ANY_TIMES)},
    {CMOX_DOUBLE_BIT(NEVER),
     CMOX_DOUBLE_BIT(AT_LEAST) | CMOX_DOUBLE_BIT(AT_MOST) | CMOX_DOUBLE_BIT(ANY_TIMES)},
    {CMOX_DOUBLE_BIT(ANY_TIMES), CMOX_DOUBLE_BIT(AT_LEAST) | CMOX_DOUBLE_BIT(AT_MOST)},
};

static const char *name_of(int id) {
  const cmox_option_t *const all[] = {cmox_double_calls, cmox_double_answers, cmox_double_counts};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (const cmox_option_t *option = all[i]; option->name; option++)
      if (option->id == id) return option->name;
  return "";
}

int cmox_double_check_flag(const cmox_verb_t *verb, uint64_t given, int id) {
  if (id != ARG && id != ENV && given & CMOX_DOUBLE_BIT(id))
    return cmox_usage_error(verb, "%s is given twice for one double", name_of(id));
  uint64_t clash = 0;
  for (size_t i = 0; i < sizeof excluding / sizeof *excluding; i++) {
    if (excluding[i].these & CMOX_DOUBLE_BIT(id)) clash |= excluding[i].those;
    if (excluding[i].those & CMOX_DOUBLE_BIT(id)) clash |= excluding[i].these;
  }
  for (int other = FIRST; other < END; other++)
    if (given & clash & CMOX_DOUBLE_BIT(other))
      return cmox_usage_error(verb, "%s and %s exclude each other: leave one of them out",
                              name_of(other), name_of(id));
  return 0;
}
