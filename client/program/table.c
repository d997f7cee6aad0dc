/* One row a verb. */
#include "client/program/table.h"

#include <string.h>

#include "client/program/run_document.h"
#include "client/program/trace.h"

static const cmox_option_t serve_where[] = {
    {.id = CMOX_SERVE_STDIO,
     .name = "--stdio",
     .alternative = 1,
     .help = "Speak the protocol on stdin and stdout; end when stdin is closed."},
    {.id = CMOX_SERVE_LISTEN,
     .name = "--listen",
     .operand = "ADDRESS",
     .alternative = 1,
     .help = "Accept clients at unix:/path, and print the address when ready; end on SIGINT, "
             "SIGTERM or SIGHUP and remove the socket."},
    {.id = CMOX_SERVE_IDLE,
     .name = "--idle-timeout",
     .operand = "SECONDS",
     .help = "End when for so long there was no client and no session."},
    {.id = CMOX_SERVE_PARENT,
     .name = "--parent",
     .operand = "PID",
     .help = "End when this process has ended."},
    {.id = CMOX_SERVE_LOG,
     .name = "--log",
     .operand = "FILE",
     .completes = CMOX_COMPLETES_FILES,
     .help = "Append what happens, one object of JSON a line; -: to stderr."},
    {0},
};

static const cmox_option_t help_options[] = {
    {.id = CMOX_HELP_MAN, .name = "--man", .help = "Print it as a man page, in roff."},
    {0},
};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const cmox_verb_t cmox_verbs[] = {
    {.name = "run",
     .synopsis = "[OPTION...] [--] COMMAND [ARGUMENT...]",
     .summary =
         "Run a command with doubles around it, and say whether the calls were the expected ones",
     .description =
         "The status is the command's; 1 when a call was not as expected, with the report on "
         "stderr; 2: wrong options; 3: a file of doubles that is refused, or no session could be "
         "made; 5: the timeout; 126 and 127: the command could not be run.\n\n"
         "Commands that no option names run for real, unless the session is contained.",
     .groups = {{"Doubles:", cmox_run_doubles},
                {"Which calls the double before it takes:", cmox_double_calls},
                {"What that answers:", cmox_double_answers},
                {"How often and when it is called:", cmox_double_counts},
                {"The session and its report:", cmox_run_others}},
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "# a push must come, and succeeds without a network\n"
                 "cmdmox run --mock 'git push origin main' -- ./release.sh\n"
                 "# the first call fails, the second one succeeds\n"
                 "cmdmox run --mock curl --exit 7 --mock curl --out done -- ./download.sh\n"
                 "# the same from a file\n"
                 "cmdmox run --mock curl --exit 7 --print >doubles.json\n"
                 "cmdmox run -f doubles.json -- ./download.sh\n",
     .run = cmox_verb_run},
    {.name = "trace",
     .synopsis = "[OPTION...] [--] COMMAND [ARGUMENT...]",
     .summary = "Run a command and list every command that it runs",
     .description =
         "Everything runs for real, and the status is the command's. Of each call that is looked "
         "up on PATH the list has when it began, how long it took, its exit status or signal, and "
         "its words, with what looks secret as ***.\n\n"
         "Not seen are absolute paths (/bin/mv), what a shell has built in, what is called after "
         "the command has set another PATH, and commands that are not installed.\n\n"
         "What the command leaves running in the background is waited for; a signal such as "
         "Ctrl-C ends it then. Daemons, in a session of their own, are not waited for.",
     .groups = {{NULL, cmox_trace_options}},
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "# what does it do?\n"
                 "cmdmox trace xdg-open https://example.com\n"
                 "# for a program to read\n"
                 "cmdmox trace --json --output calls.json --only git -- ./release.sh\n",
     .run = cmox_verb_trace},
    {.name = "serve",
     .synopsis = "--stdio | --listen ADDRESS [OPTION...]",
     .summary = "Run an engine for test clients in other processes and languages",
     .groups = {{NULL, serve_where}},
     .run = cmox_verb_serve},
    {.name = "session start",
     .synopsis = "[OPTION...]",
     .summary = "Begin a session of this shell: eval \"$(cmdmox session start)\"",
     .description =
         "A process in the background answers the calls from now on, until cmdmox session end, or "
         "the shell ends. It prints what the shell is to evaluate: PATH with the shims, and where "
         "the "
         "session is. If that fails the shell exits, since all that follows would be real; one at "
         "which somebody types does not.",
     .groups = {{NULL, cmox_session_start_options}},
     .examples = "# in a script, or in setup() of bats\neval \"$(cmdmox session start)\"\n",
     .evaluated = CMOX_EVALUATED_OR_EXIT,
     .run = cmox_verb_session_start},
    {.name = "session end",
     .summary = "End the session of this shell: eval \"$(cmdmox session end)\"",
     .synopsis = "[OPTION...]",
     .description = "Verifies it first, if nobody has, or if there were calls since: the exit "
                    "status is 1 when something is wrong, and stderr says what. It prints what "
                    "gives the shell back its PATH.",
     .groups = {{NULL, cmox_session_end_options}},
     .evaluated = CMOX_EVALUATED,
     .run = cmox_verb_session_end},
    {.name = "env",
     .summary = "Print again what enters the session: eval \"$(cmdmox env)\"",
     .description = "For a shell that has CMOX_SESSION, and another PATH by now.",
     .evaluated = CMOX_EVALUATED_OR_EXIT,
     .run = cmox_verb_env},
    {.name = "mock",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...] | --json FILE",
     .summary = "Expect a call of a command in the session of this shell, and answer it",
     .description =
         "Options come first. With arguments it takes calls with exactly these; without, any call.",
     .groups = {{"Which calls:", cmox_double_calls},
                {"What they get:", cmox_double_answers},
                {"How often, and when:", cmox_double_counts},
                {"More:", cmox_shell_double_options}},
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "# git describe --tags is to be called once\ncmdmox mock --out v1.4.0 git "
                 "describe --tags\n",
     .run = cmox_verb_double},
    {.name = "stub",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...] | --json FILE",
     .summary = "Answer calls of a command, any number of them",
     .description =
         "Options come first. With arguments it takes calls with exactly these; without, any call.",
     .groups = {{"Which calls:", cmox_double_calls},
                {"What they get:", cmox_double_answers},
                {"More:", cmox_shell_double_options}},
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "cmdmox stub --exit 1 curl\n",
     .run = cmox_verb_double},
    {.name = "spy",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...] | --json FILE",
     .summary = "The same, to be asked for its calls afterwards",
     .description =
         "Options come first. With arguments it takes calls with exactly these; without, any call.",
     .groups = {{"Which calls:", cmox_double_calls},
                {"What they get:", cmox_double_answers},
                {"More:", cmox_shell_double_options}},
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "cmdmox spy git\n./release.sh\ncmdmox assert called git push origin\n",
     .run = cmox_verb_double},
    {.name = "default",
     .synopsis = "OPTION... | --refuse",
     .summary = "Answer the calls that no double accepts",
     .groups = {{"What they get:", cmox_double_answers}, {NULL, cmox_default_options}},
     .examples = "cmdmox default --exit 1\n",
     .run = cmox_verb_default},
    {.name = "assert called",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...]",
     .summary = "Exit 1 unless a command was called, with these arguments if there are any",
     .groups = {{"Which calls:", cmox_double_calls}},
     .words_min = 1,
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "cmdmox assert called git push origin\n",
     .run = cmox_verb_assert},
    {.name = "assert not-called",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...]",
     .summary = "Exit 1 if a command was called, with these arguments if there are any",
     .groups = {{"Which calls:", cmox_double_calls}},
     .words_min = 1,
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "cmdmox assert not-called --args-any git push --force\n",
     .run = cmox_verb_assert},
    {.name = "assert last",
     .synopsis = "[OPTION...] COMMAND [ARGUMENT...]",
     .summary = "Exit 1 unless the last call of a command had these arguments",
     .groups = {{"Which calls:", cmox_double_calls}},
     .words_min = 1,
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_COMMANDS,
     .examples = "cmdmox assert last git push origin main\n",
     .run = cmox_verb_assert},
    {.name = "allow",
     .synopsis = "COMMAND...",
     .summary = "Have real commands run in a contained session",
     .words_min = 1,
     .words_max = SIZE_MAX,
     .completes = CMOX_COMPLETES_COMMANDS,
     .run = cmox_verb_allow},
    {.name = "register",
     .synopsis = "COMMAND...",
     .summary = "Have every call of commands without a double fail, instead of running",
     .words_min = 1,
     .words_max = SIZE_MAX,
     .completes = CMOX_COMPLETES_COMMANDS,
     .run = cmox_verb_register},
    {.name = "release",
     .synopsis = "GATE",
     .summary = "Let go the calls that wait at a gate",
     .words_min = 1,
     .words_max = 1,
     .run = cmox_verb_release},
    {.name = "calls",
     .synopsis = "[COMMAND]",
     .summary = "Print how many calls there were, of a command or of all",
     .words_max = 1,
     .completes = CMOX_COMPLETES_COMMANDS,
     .run = cmox_verb_calls},
    {.name = "journal",
     .synopsis = "[--json] [COMMAND]",
     .summary = "List the calls, of a command or of all",
     .description =
         "A line is the number of a call, what became of it, its exit status or signal, and "
         "the call, with tabs between them.",
     .groups = {{NULL, cmox_journal_options}},
     .words_max = 1,
     .completes = CMOX_COMPLETES_COMMANDS,
     .run = cmox_verb_journal},
    {.name = "verify",
     .synopsis = "[--json | --junit | --tap]",
     .summary = "Compare the calls with what was expected; exit 1 if they differ",
     .groups = {{NULL, cmox_verify_options}},
     .run = cmox_verb_verify},
    {.name = "quote",
     .synopsis = "[--] [WORD...]",
     .summary = "Print words as reports show them: one a line, in quotes, without secrets",
     .words_max = SIZE_MAX,
     .words_end = true,
     .examples = "cmdmox quote -- \"$@\"\n",
     .run = cmox_verb_quote},
    {.name = "isolate",
     .synopsis = "PROGRAM... -- COMMAND [ARGUMENT...]",
     .summary = "Run a command to which programs, by their absolute paths, are shims (Linux)",
     .description =
         "It needs root or user namespaces. What the session mocks is answered by it, found by "
         "CMOX_IPC_SOCKET; passing through finds the real programs.",
     .words_max = SIZE_MAX,
     .words_end = true,
     .completes = CMOX_COMPLETES_FILES,
     .examples = "# in a session that mocks git\ncmdmox isolate /usr/bin/git -- ./release.sh\n",
     .run = cmox_verb_isolate},
    {.name = "doctor",
     .synopsis = "[--json] [--report]",
     .summary = "Say what keeps tests from working here; exit 3 if something does",
     .groups = {{NULL, cmox_doctor_options}},
     .run = cmox_verb_doctor},
    {.name = "gc",
     .synopsis = "[--dry-run] [--json]",
     .summary = "Remove what killed processes left",
     .description = "What a living session has, or somebody's PATH, is left. A later session "
                    "removes the rest in any case.",
     .groups = {{NULL, cmox_gc_options}},
     .run = cmox_verb_gc},
    {.name = "completion",
     .synopsis = "bash | zsh | fish",
     .summary = "Print what makes a shell complete cmdmox",
     .words_min = 1,
     .words_max = 1,
     .completes = CMOX_COMPLETES_CHOICES,
     .choices = shells,
     .examples = "# in ~/.bashrc\neval \"$(cmdmox completion bash)\"\n"
                 "# once, for zsh, in a directory of its fpath\n"
                 "cmdmox completion zsh >~/.zfunc/_cmdmox\n"
                 "# once, for fish\n"
                 "cmdmox completion fish >~/.config/fish/completions/cmdmox.fish\n",
     .run = cmox_verb_completion},
    {.name = "version", .summary = "Print the version", .run = cmox_verb_version},
    {.name = "help",
     .synopsis = "[--man] [VERB]",
     .summary = "Say how to use cmdmox, or one verb of it",
     .groups = {{NULL, help_options}},
     .words_max = 2,
     .completes = CMOX_COMPLETES_VERBS,
     .run = cmox_verb_help},
    {0},
};

/* How many of the words the name has, if they begin with it. */
static size_t begins_with(char **words, const char *name) {
  size_t taken = 0;
  for (;; taken++) {
    size_t len = strcspn(name, " ");
    const char *word = words[taken];
    if (!word || strlen(word) != len || memcmp(word, name, len) != 0) return 0;
    if (!name[len]) return taken + 1;
    name += len + 1;
  }
}

const cmox_verb_t *cmox_verb_find(char **words, size_t *taken) {
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    if ((*taken = begins_with(words, verb->name)) > 0) return verb;
  return NULL;
}
