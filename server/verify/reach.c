/* The evidence, most certain first: what the environments of the session's other calls say of PATH,
 * whether the real program was opened meanwhile, whether shells have the command built in. Where
 * there is none, the ways in which a shim can be passed by are listed, and no more is claimed. */
#include "server/verify/reach.h"

#include <inttypes.h>

#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/match/explain.h"

enum { PATH_SHOWN_MAX = 200 };

/* The last PATH of an environment: shells take that. False: it has none. */
static bool path_of(const cmox_call_t *call, cmox_span_t *path) {
  const cmox_span_t name = cmox_span_str("PATH=");
  for (size_t i = call->data.env.count; i-- > 0;) {
    const cmox_span_t entry = call->data.env.items[i];
    if (!cmox_span_starts_with(entry, name)) continue;
    *path = cmox_span(entry.data + name.len, entry.len - name.len);
    return true;
  }
  return false;
}

/* Takes the first entry off a PATH. */
static cmox_span_t next_entry(cmox_span_t *rest) {
  const uint8_t *colon = rest->len ? memchr(rest->data, ':', rest->len) : NULL;
  cmox_span_t entry = cmox_span(rest->data, colon ? (size_t)(colon - rest->data) : rest->len);
  size_t used = entry.len + (colon ? 1 : 0);
  *rest = cmox_span(used ? rest->data + used : rest->data, rest->len - used);
  return entry;
}

/* A directory, however many slashes are behind it. */
static bool same_directory(cmox_span_t entry, cmox_span_t directory) {
  while (entry.len > 1 && entry.data[entry.len - 1] == '/') entry.len--;
  return cmox_span_equal(entry, directory);
}

/* Whether a search of PATH takes a program of this name before it comes to the shims. */
static bool found_before(const cmox_reach_t *reach, cmox_span_t path, cmox_span_t command,
                         bool *has_shims, char file[CMOX_PROGRAM_PATH_MAX]) {
  *has_shims = false;
  bool found = false;
  while (path.len && !*has_shims) {
    const cmox_span_t entry = next_entry(&path);
    *has_shims = same_directory(entry, cmox_span_str(reach->bin));
    if (found || *has_shims || entry.len == 0 || entry.data[0] != '/') continue;
    cmox_buf_t text = CMOX_BUF_OVER((uint8_t *)file, CMOX_PROGRAM_PATH_MAX);
    cmox_buf_append_span(&text, entry);
    cmox_buf_putc(&text, '/');
    cmox_buf_append_span(&text, command);
    cmox_buf_putc(&text, '\0');
    found = !text.failed && reach->runs(reach->context, file);
  }
  return found;
}

static void put_call(cmox_buf_t *out, const cmox_call_t *call) {
  cmox_buf_puts(out, "the environment of ");
  cmox_quote_shell(out, call->data.command, CMOX_SHOWN_MAX);
  cmox_buf_printf(out, " (call %" PRIu64 ")", call->id);
}

/* What one of the other calls saw of PATH; false: the shims come first, or nothing is before them.
 */
static bool put_path(cmox_buf_t *out, const cmox_reach_t *reach, const cmox_call_t *call,
                     cmox_span_t command) {
  cmox_span_t path;
  bool has_shims;
  char file[CMOX_PROGRAM_PATH_MAX];
  if (!path_of(call, &path)) {
    put_call(out, call);
    cmox_buf_puts(out, " has no PATH: it was cleared");
    return true;
  }
  bool before = found_before(reach, path, command, &has_shims, file);
  if (has_shims && !before) return false;
  put_call(out, call);
  cmox_buf_puts(out, has_shims ? " has a PATH that finds " : " has a PATH without the shims");
  if (has_shims) cmox_quote_line(out, cmox_span_str(file), PATH_SHOWN_MAX);
  if (has_shims) cmox_buf_puts(out, " before the shim");
  cmox_buf_puts(out, ":\n  PATH=");
  cmox_quote_line(out, path, PATH_SHOWN_MAX);
  return true;
}

/* The first of the other calls that tells something. */
static bool put_paths(cmox_buf_t *out, const cmox_reach_t *reach, const cmox_journal_t *journal,
                      cmox_span_t command) {
  for (size_t i = 0; i < cmox_journal_count(journal); i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    if (put_path(out, reach, call, command)) return true;
  }
  return false;
}

static void put_name(cmox_buf_t *out, cmox_span_t command) {
  cmox_quote_shell(out, command, CMOX_SHOWN_MAX);
}

/* The programs that were opened, or those that were not: "/usr/bin/git and /bin/git". */
static size_t put_programs(cmox_buf_t *out, const cmox_real_program_t *real, size_t count,
                           bool opened) {
  size_t put = 0;
  for (size_t i = 0; i < count; i++) {
    if (real[i].opened != opened) continue;
    cmox_buf_puts(out, put++ ? " and " : "");
    cmox_quote_line(out, cmox_span_str(real[i].path), PATH_SHOWN_MAX);
  }
  return put;
}

/* False: nobody watched. */
static bool put_opened(cmox_buf_t *out, const cmox_reach_t *reach, cmox_span_t command) {
  cmox_real_program_t real[CMOX_REAL_PROGRAMS_MAX];
  bool unknown = false;
  size_t count = reach->programs(reach->context, command, real, CMOX_REAL_PROGRAMS_MAX, &unknown);
  size_t put = put_programs(out, real, count, true);
  if (put) {
    cmox_buf_puts(out, put == 1 ? " was" : " were");
    cmox_buf_puts(out,
                  " opened while the test ran, by whom is not known: perhaps to run it, by an\n"
                  "absolute path, on another PATH, or from the memory of a shell");
    return true;
  }
  if (unknown) return false; /* that may be the one that ran */
  put = put_programs(out, real, count, false);
  if (put == 0) return false;
  cmox_buf_puts(out, put == 1 ? " was" : " were");
  cmox_buf_puts(out,
                " not opened while the test ran: the code did not get there, or ran something "
                "else of that name");
  return true;
}

/* What every POSIX shell or the usual ones have built in, of what people mock. */
static bool is_builtin(cmox_span_t command) {
  static const char *const builtins[] = {"[",       "alias", "bg",    "cd",     "command", "echo",
                                         "eval",    "exec",  "exit",  "export", "false",   "fg",
                                         "getopts", "hash",  "jobs",  "kill",   "printf",  "pwd",
                                         "read",    "set",   "shift", "test",   "time",    "times",
                                         "trap",    "true",  "type",  "ulimit", "umask",   "wait"};
  for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
    if (cmox_span_equal(command, cmox_span_str(builtins[i]))) return true;
  return false;
}

static void put_builtin(cmox_buf_t *out, cmox_span_t command) {
  put_name(out, command);
  cmox_buf_puts(out, " is built into shells: a script does not look for a program (`env ");
  put_name(out, command);
  cmox_buf_puts(out, "` would)");
}

static void put_possible(cmox_buf_t *out, bool watches) {
  cmox_buf_puts(out,
                "no call of this command came at all: either the code did not get there, or it did "
                "not find\nthe shim on its PATH (an absolute path, a builtin, a function, another "
                "PATH, the memory of a shell);\nCMOX_TRACE shows what was called; ");
  cmox_buf_puts(out, watches
                         ? "CMOX_WATCH could not tell whether a real one was opened: there is "
                           "none on PATH,\nit could not be watched, or it was replaced"
                         : "with CMOX_WATCH=1 this report says whether the real one was opened");
}

/* What helps where a shim on PATH does not. */
static void put_isolate(cmox_buf_t *out, const cmox_reach_t *reach, cmox_span_t command) {
  char file[CMOX_PROGRAM_PATH_MAX];
  if (!reach || !reach->find(reach->context, command, file)) return;
  cmox_buf_puts(out, ";\nunder `cmdmox isolate ");
  cmox_quote_shell(out, cmox_span_str(file), PATH_SHOWN_MAX);
  cmox_buf_puts(out, " -- ...` (Linux) it is the shim by that path and on any PATH");
}

/* A whole line in place of a name; a name that nothing on PATH has. */
static void put_spelling(cmox_buf_t *out, const cmox_reach_t *reach, cmox_span_t command) {
  char file[CMOX_PROGRAM_PATH_MAX];
  const uint8_t *blank = command.len ? memchr(command.data, ' ', command.len) : NULL;
  if (blank) {
    cmox_buf_puts(out, ";\nif ");
    put_name(out, cmox_span(command.data, (size_t)(blank - command.data)));
    cmox_buf_puts(out,
                  " is meant with arguments: a double is of one command, and its arguments are "
                  "said by themselves");
  } else if (reach && !reach->find(reach->context, command, file)) {
    cmox_buf_puts(out, ";\nnothing on PATH is called ");
    put_name(out, command);
    cmox_buf_puts(out, ": is it spelt so?");
  }
}

char *cmox_reach_hint(const cmox_reach_t *reach, const cmox_journal_t *journal,
                      cmox_span_t command) {
  cmox_buf_t lead = CMOX_BUF_EMPTY;
  cmox_buf_t why = CMOX_BUF_EMPTY;
  cmox_buf_puts(&lead, "the shim of ");
  put_name(&lead, command);
  cmox_buf_puts(&lead, " was never reached");
  bool known = reach && put_paths(&why, reach, journal, command);
  if (known) {
    cmox_buf_puts(&lead, ", probably because\n");
    if (why.len) cmox_buf_append_span(&lead, cmox_buf_span(&why));
    cmox_buf_clear(&why);
  }
  if (reach && put_opened(&why, reach, command)) {
    cmox_buf_puts(&lead, ";\n");
    cmox_buf_append_span(&lead, cmox_buf_span(&why));
    known = true;
  }
  const bool elsewhere = known;
  lead.failed |= why.failed;
  cmox_buf_clear(&why);
  if (is_builtin(command)) {
    cmox_buf_puts(&lead, known ? ";\n" : ", probably because\n");
    put_builtin(&lead, command);
    known = true;
  }
  if (!known) {
    cmox_buf_clear(&lead);
    put_possible(&lead, reach && reach->watches);
    put_spelling(&lead, reach, command);
  }
  if (elsewhere || !known) put_isolate(&lead, reach, command);
  return cmox_buf_take_text(&lead);
}
