/* What the verbs of shell sessions take, and those that look after the machine. */
#include "client/program/table.h"

const cmox_option_t cmox_session_start_options[] = {
    {.id = CMOX_START_LABEL,
     .name = "--label",
     .operand = "TEXT",
     .help = "What reports call it: the test's name."},
    {.id = CMOX_START_CONTAINED,
     .name = "--contained",
     .help = "Nothing runs that has no double, but what cmdmox allow names."},
    {.id = CMOX_START_ABSENT,
     .name = "--absent",
     .operand = "COMMAND",
     .many = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .help = "Looks as if it were not installed."},
    {.id = CMOX_START_TRAP,
     .name = "--trap",
     .help = "Have the shell end the session when it exits, with status 1 if something is wrong: "
             "its trap on EXIT is replaced."},
    {.id = CMOX_START_MAX_ENTRIES,
     .name = "--max-journal-entries",
     .operand = "N",
     .help = "Keep the last N calls; verify knows of all of them anyway."},
    {.id = CMOX_START_IDLE,
     .name = "--idle-timeout",
     .operand = "SECONDS",
     .help = "End when for so long there was neither a call nor a verb."},
    {.id = CMOX_START_PARENT,
     .name = "--parent",
     .operand = "PID",
     .help = "End when this process has ended, instead of the shell."},
    {.id = CMOX_START_LOG,
     .name = "--log",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "Append what happens, one object of JSON a line."},
    {.id = CMOX_START_DIALECT,
     .name = "--dialect",
     .operand = "NAME",
     .help = "What the lines are written in that reports suggest: shell, or bats for its library; "
             "else shell."},
    {0},
};

const cmox_option_t cmox_session_end_options[] = {
    {.id = CMOX_END_AGAIN,
     .name = "--again",
     .help = "Verify also where that was done: for a report that nobody may have seen."},
    {0},
};

const cmox_option_t cmox_shell_double_options[] = {
    {.id = CMOX_DOUBLE_GATE,
     .name = "--gate",
     .operand = "NAME",
     .help = "Its calls wait until cmdmox release names this gate."},
    {.id = CMOX_DOUBLE_AT,
     .name = "--at",
     .operand = "FILE:LINE",
     .help =
         "Where it is declared, for reports: \"$0:$LINENO\", in bash \"$BASH_SOURCE:$LINENO\"."},
    {.id = CMOX_DOUBLE_JSON,
     .name = "--json",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "All of it as JSON, a Double of the schema; -: from stdin."},
    {.id = CMOX_DOUBLE_FUNCTION,
     .name = "--function",
     .evaluated = true,
     .help = "Print a function of that name, which calls the shim: for code that would call a "
             "function or a builtin. eval \"$(cmdmox mock --function deploy)\""},
    {0},
};

const cmox_option_t cmox_default_options[] = {
    {.id = CMOX_DEFAULT_REFUSE,
     .name = "--refuse",
     .help = "Refuse such calls again, as at first."},
    {0},
};

const cmox_option_t cmox_journal_options[] = {
    {.id = CMOX_JOURNAL_JSON,
     .name = "--json",
     .help = "Everything that is known of each call, as JSON: one call a line. Its arguments and "
             "variables stand there as they were, secrets too."},
    {0},
};

const cmox_option_t cmox_doctor_options[] = {
    {.id = CMOX_DOCTOR_JSON, .name = "--json", .help = "As JSON: check, state, text."},
    {.id = CMOX_DOCTOR_REPORT,
     .name = "--report",
     .help = "More of the system, to be pasted into a bug report; no secrets."},
    {0},
};

const cmox_option_t cmox_gc_options[] = {
    {.id = CMOX_GC_DRY_RUN, .name = "--dry-run", .help = "Only say what would be done."},
    {.id = CMOX_GC_JSON, .name = "--json", .help = "As JSON: path, state."},
    {0},
};

const cmox_option_t cmox_verify_options[] = {
    {.id = CMOX_VERIFY_JSON,
     .name = "--json",
     .alternative = 1,
     .help = "Print the report as JSON, also when all is well."},
    {.id = CMOX_VERIFY_JUNIT, .name = "--junit", .alternative = 1, .help = "As JUnit's XML."},
    {.id = CMOX_VERIFY_TAP, .name = "--tap", .alternative = 1, .help = "As TAP 14."},
    {0},
};
