#include <inttypes.h>

#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/model/mask.h"
#include "server/report/report.h"

/* How one language writes an expectation. */
typedef struct dialect {
  const char *name;
  const char *open;          /* before the command name */
  const char *args;          /* between the name and exact arguments */
  const char *matching_open; /* the same with matchers */
  const char *matching_args;
  const char *separator;   /* between arguments */
  const char *equals_open; /* around an exact value among matchers */
  const char *equals_close;
  const char *anything;
  const char *close;
  const char *no_args_open; /* instead of open, args and close when there are none */
  const char *no_args;
  const char *stdin_open; /* around all of that, to expect a stdin too */
  const char *stdin_args; /* NULL: this language cannot, nor what follows */
  const char *cwd_open;   /* the same for a working directory */
  const char *cwd_args;
  const char *env_open; /* and for a variable: its name, env_is, its value, env_close */
  const char *env_args;
  const char *env_is;
  const char *env_close;
  const char *env_unset;  /* instead of env_is and all behind it; NULL: this language cannot */
  const char *times_open; /* around a number of calls */
  const char *times_close;
  const char
      *repeat_open; /* around a whole expectation, to expect it several times; NULL: cannot */
  const char *repeat_args;
  const char *allow_open; /* around a command that is to run for real */
  const char *allow_close;
  void (*quote)(cmox_buf_t *out, cmox_span_t value);
} dialect_t;

static void quote_c(cmox_buf_t *out, cmox_span_t value) {
  cmox_quote_c(out, value, CMOX_QUOTE_ALL);
}

static void quote_shell(cmox_buf_t *out, cmox_span_t value) {
  cmox_quote_shell(out, value, CMOX_QUOTE_ALL);
}

static const dialect_t dialects[] = {
    {.name = "c",
     .open = "cmox_with_args(cmox_mock(mox, ",
     .args = "), ",
     .matching_open = "cmox_with_matching_args(cmox_mock(mox, ",
     .matching_args = "), ",
     .separator = ", ",
     .equals_open = "CMOX_EQ(",
     .equals_close = ")",
     .anything = "CMOX_ANY",
     .close = ");",
     .no_args_open = "cmox_with_no_args(cmox_mock(mox, ",
     .no_args = "));",
     .stdin_open = "cmox_with_stdin(",
     .stdin_args = ", ",
     .cwd_open = "cmox_with_cwd(",
     .cwd_args = ", ",
     .env_open = "cmox_with_matching_env(",
     .env_args = ", ",
     .env_is = ", CMOX_EQ(",
     .env_close = "));",
     .env_unset = ", CMOX_UNSET);",
     .times_open = "cmox_times(d, ",
     .times_close = ");",
     .repeat_open = "cmox_times(",
     .repeat_args = ", ",
     .allow_open = "cmox_allow(mox, ",
     .allow_close = ");",
     .quote = quote_c},
    {.name = "python",
     .open = "mox.mock(",
     .args = ").with_args(",
     .matching_open = "mox.mock(",
     .matching_args = ").with_matching_args(",
     .separator = ", ",
     .equals_open = "",
     .equals_close = "",
     .anything = "Any()",
     .close = ")",
     .no_args_open = "mox.mock(",
     .no_args = ").with_args()",
     .stdin_open = "",
     .stdin_args = ".with_stdin(",
     .cwd_open = "",
     .cwd_args = ".with_cwd(",
     .env_open = "",
     .env_args = ".with_env({",
     .env_is = ": ",
     .env_close = "})",
     .times_open = ".times(",
     .times_close = ")",
     .repeat_open = "",
     .repeat_args = ".times(",
     .allow_open = "mox.allow(",
     .allow_close = ")",
     .quote = cmox_quote_python},
    {.name = "javascript",
     .open = "mox.mock(",
     .args = ").withArgs(",
     .matching_open = "mox.mock(",
     .matching_args = ").withArgs(",
     .separator = ", ",
     .equals_open = "",
     .equals_close = "",
     .anything = "any()",
     .close = ");",
     .no_args_open = "mox.mock(",
     .no_args = ").withArgs();",
     .stdin_open = "",
     .stdin_args = ".withStdin(",
     .cwd_open = "",
     .cwd_args = ".withCwd(",
     .env_open = "",
     .env_args = ".withMatchingEnv(",
     .env_is = ", ",
     .env_close = ");",
     .env_unset = ", unset());",
     .times_open = ".times(",
     .times_close = ");",
     .repeat_open = "",
     .repeat_args = ".times(",
     .allow_open = "mox.allow(",
     .allow_close = ");",
     .quote = cmox_quote_javascript},
    {.name = "go",
     .open = "mox.Mock(",
     .args = ").WithArgs(",
     .matching_open = "mox.Mock(",
     .matching_args = ").WithMatchingArgs(",
     .separator = ", ",
     .equals_open = "",
     .equals_close = "",
     .anything = "cmdmox.Any()",
     .close = ")",
     .no_args_open = "mox.Mock(",
     .no_args = ").WithArgs()",
     .stdin_open = "",
     .stdin_args = ".WithStdin(",
     .cwd_open = "",
     .cwd_args = ".WithCwd(",
     .env_open = "",
     .env_args = ".WithMatchingEnv(",
     .env_is = ", ",
     .env_close = ")",
     .env_unset = ", cmdmox.Unset())",
     .times_open = ".Times(",
     .times_close = ")",
     .repeat_open = "",
     .repeat_args = ".Times(",
     .allow_open = "mox.Allow(",
     .allow_close = ")",
     .quote = quote_c /* its literals are Go's, too: three octal digits, two of \x */},
    {.name = "shell",
     .open = "cmdmox mock ",
     .args = " ",
     .matching_open = "cmdmox mock --glob ",
     .matching_args = " ",
     .separator = " ",
     .equals_open = "",
     .equals_close = "",
     .anything = "'*'",
     .close = "",
     .no_args_open = "cmdmox mock --no-args ",
     .no_args = "",
     .stdin_open = "",
     .times_open = "--times ",
     .times_close = "",
     .allow_open = "cmdmox allow ",
     .allow_close = "",
     .quote = quote_shell},
    {.name = "bats",
     .open = "cmdmox_mock ",
     .args = " ",
     .matching_open = "cmdmox_mock --glob ",
     .matching_args = " ",
     .separator = " ",
     .equals_open = "",
     .equals_close = "",
     .anything = "'*'",
     .close = "",
     .no_args_open = "cmdmox_mock --no-args ",
     .no_args = "",
     .stdin_open = "",
     .times_open = "--times ",
     .times_close = "",
     .allow_open = "cmdmox_allow ",
     .allow_close = "",
     .quote = quote_shell},
};

static const dialect_t *find(const char *name) {
  for (size_t i = 0; name && i < sizeof dialects / sizeof *dialects; i++)
    if (strcmp(dialects[i].name, name) == 0) return &dialects[i];
  return &dialects[0];
}

static void value(cmox_buf_t *out, const dialect_t *dialect, cmox_span_t bytes) {
  dialect->quote(out, bytes);
}

/* Whether a reader may not see all of the argument. */
static bool hides(cmox_span_list_t args, size_t index) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  const cmox_span_t arg = args.items[index];
  bool secret = cmox_secret_part(args, index).len > 0 ||
                (arg.len && memchr(arg.data, '\n', arg.len) && cmox_mask_text(arg, &masked));
  cmox_buf_clear(&masked);
  return secret;
}

static bool any_secret(cmox_span_list_t args) {
  for (size_t i = 0; i < args.count; i++)
    if (hides(args, i)) return true;
  return false;
}

static void no_arguments(cmox_buf_t *out, const dialect_t *dialect, cmox_span_t command) {
  cmox_buf_puts(out, dialect->no_args_open);
  value(out, dialect, command);
  cmox_buf_puts(out, dialect->no_args);
}

static void with_arguments(cmox_buf_t *out, const dialect_t *dialect, const cmox_call_t *call) {
  cmox_span_list_t args = cmox_call_args(&call->data);
  if (args.count == 0) {
    no_arguments(out, dialect, call->data.command);
    return;
  }
  bool matching = any_secret(args);
  cmox_buf_puts(out, matching ? dialect->matching_open : dialect->open);
  value(out, dialect, call->data.command);
  cmox_buf_puts(out, matching ? dialect->matching_args : dialect->args);
  for (size_t i = 0; i < args.count; i++) {
    if (i) cmox_buf_puts(out, dialect->separator);
    if (matching && hides(args, i)) {
      cmox_buf_puts(out, dialect->anything);
      continue;
    }
    if (matching) cmox_buf_puts(out, dialect->equals_open);
    value(out, dialect, args.items[i]);
    if (matching) cmox_buf_puts(out, dialect->equals_close);
  }
  cmox_buf_puts(out, dialect->close);
}

/* The whole stdin that the nearest expectation looked at; one with a NUL is no C text, and a secret
 * belongs into no source. */
static bool looks_secret(cmox_span_t text) {
  cmox_buf_t masked = CMOX_BUF_EMPTY;
  bool secret = cmox_mask_text(text, &masked);
  cmox_buf_clear(&masked);
  return secret;
}

static bool shown_stdin(const dialect_t *dialect, const cmox_finding_t *finding) {
  const cmox_call_t *call = finding->call;
  cmox_span_t stdin_text = cmox_buf_span(&call->stdin_stream.memory); /* not too long, so there */
  return dialect->stdin_args && finding->expect && finding->expect->facets.stdin_match.present &&
         call->stdin_end == CMOX_STDIN_EOF &&
         (stdin_text.len == 0 || !memchr(stdin_text.data, 0, stdin_text.len)) &&
         !looks_secret(stdin_text);
}

/* Nobody pastes more than this. */
enum { SUGGESTION_MAX = 8192 };

static bool too_long(const cmox_call_t *call) {
  uint64_t bytes = call->stdin_stream.length;
  for (size_t i = 0; i < call->data.argv.count; i++) bytes += call->data.argv.items[i].len + 4;
  return bytes > SUGGESTION_MAX;
}

/* Puts `open` before all there is, and `args` behind it. */
static void wrap(cmox_buf_t *out, const char *open, const char *args) {
  if (!out->failed && out->len && out->data[out->len - 1] == ';') out->len--;
  cmox_buf_t whole = CMOX_BUF_EMPTY;
  cmox_buf_puts(&whole, open);
  cmox_buf_append_span(&whole, cmox_buf_span(out));
  cmox_buf_puts(&whole, args);
  whole.failed |= out->failed;
  cmox_buf_clear(out);
  *out = whole;
}

static void with_variable(cmox_buf_t *out, const dialect_t *dialect, const cmox_call_t *call,
                          const char *name) {
  cmox_span_t actual;
  bool set = cmox_env_value(call->data.env, name, &actual);
  if (cmox_secret_name(cmox_span_str(name)) || (set ? looks_secret(actual) : !dialect->env_unset))
    return;
  wrap(out, dialect->env_open, dialect->env_args);
  value(out, dialect, cmox_span_str(name));
  if (!set) {
    cmox_buf_puts(out, dialect->env_unset);
    return;
  }
  cmox_buf_puts(out, dialect->env_is);
  value(out, dialect, actual);
  cmox_buf_puts(out, dialect->env_close);
}

/* The variables and the working directory that the nearest expectation wanted otherwise. */
static void with_context(cmox_buf_t *out, const dialect_t *dialect, const cmox_finding_t *finding) {
  const cmox_facets_t *facets = &finding->expect->facets;
  const cmox_call_t *call = finding->call;
  for (size_t i = 0; i < facets->env.count; i++)
    if (cmox_env_item_accepts(&facets->env.items[i], call->data.env, call->said) != CMOX_ACCEPTS)
      with_variable(out, dialect, call, facets->env.items[i].name);
  for (size_t i = 0; i < facets->injection.count; i++)
    if (!cmox_env_change_fits(&facets->injection.items[i], call->data.env))
      with_variable(out, dialect, call, facets->injection.items[i].name);
  if (!facets->cwd.present || looks_secret(call->data.cwd) ||
      cmox_matchers_accept(facets->cwd.matchers, facets->cwd.node, call->data.cwd, call->said) ==
          CMOX_ACCEPTS)
    return;
  wrap(out, dialect->cwd_open, dialect->cwd_args);
  value(out, dialect, call->data.cwd);
  cmox_buf_puts(out, dialect->close);
}

char *cmox_suggest(const char *dialect_name, const cmox_finding_t *finding) {
  const dialect_t *dialect = find(dialect_name);
  if (too_long(finding->call)) return NULL;
  cmox_buf_t out = CMOX_BUF_EMPTY;
  if (finding->kind == CMOX_FINDING_EXCESS_CALL) {
    cmox_buf_printf(&out, "%s%" PRIu64 "%s", dialect->times_open,
                    finding->expect->taken + finding->expect->excess, dialect->times_close);
    return cmox_buf_take_text(&out);
  }
  with_arguments(&out, dialect, finding->call);
  if (shown_stdin(dialect, finding)) {
    wrap(&out, dialect->stdin_open, dialect->stdin_args);
    value(&out, dialect, cmox_buf_span(&finding->call->stdin_stream.memory));
    cmox_buf_puts(&out, dialect->close);
  }
  if (finding->expect && dialect->stdin_args) with_context(&out, dialect, finding);
  if (finding->other_count && dialect->repeat_open) {
    wrap(&out, dialect->repeat_open, dialect->repeat_args);
    cmox_buf_printf(&out, "%zu%s", finding->other_count + 1, dialect->times_close);
  }
  return cmox_buf_take_text(&out);
}

char *cmox_suggest_allow(const char *dialect_name, cmox_span_t command) {
  const dialect_t *dialect = find(dialect_name);
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_puts(&out, "declare a double of it, or allow the real one: ");
  cmox_buf_puts(&out, dialect->allow_open);
  value(&out, dialect, command);
  cmox_buf_puts(&out, dialect->allow_close);
  return cmox_buf_take_text(&out);
}
