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
  const char *no_args; /* instead of args and close when there are none */
  bool shell;          /* values are shell words */
} dialect_t;

static const dialect_t dialects[] = {
    {"c", "cmox_with_args(cmox_mock(mox, ", "), ", "cmox_with_matching_args(cmox_mock(mox, ", "), ",
     ", ", "CMOX_EQ(", ")", "CMOX_ANY", ");", "));", false},
    {"python", "mox.mock(", ").with_args(", "mox.mock(", ").with_matching_args(", ", ", "", "",
     "Any()", ")", ").with_args()", false},
    {"shell", "cmdmox mock ", " -- ", "cmdmox mock ", " -- ", " ", "", "", "'*'", "", " --", true},
};

static const dialect_t *find(const char *name) {
  for (size_t i = 0; name && i < sizeof dialects / sizeof *dialects; i++)
    if (strcmp(dialects[i].name, name) == 0) return &dialects[i];
  return &dialects[0];
}

static void value(cmox_buf_t *out, const dialect_t *dialect, cmox_span_t bytes) {
  if (dialect->shell)
    cmox_quote_shell(out, bytes, CMOX_QUOTE_ALL);
  else
    cmox_quote_c(out, bytes, CMOX_QUOTE_ALL);
}

static bool any_secret(cmox_span_list_t args) {
  for (size_t i = 0; i < args.count; i++)
    if (cmox_secret_part(args, i).len) return true;
  return false;
}

/* C says "no arguments" with a function of its own. */
static void no_arguments(cmox_buf_t *out, const dialect_t *dialect, cmox_span_t command) {
  cmox_buf_puts(out, dialect == &dialects[0] ? "cmox_with_no_args(cmox_mock(mox, " : dialect->open);
  value(out, dialect, command);
  cmox_buf_puts(out, dialect->no_args);
}

char *cmox_suggest(const char *dialect_name, const cmox_call_t *call) {
  const dialect_t *dialect = find(dialect_name);
  cmox_span_list_t args = cmox_call_args(&call->data);
  cmox_buf_t out = CMOX_BUF_EMPTY;
  if (args.count == 0) {
    no_arguments(&out, dialect, call->data.command);
    return cmox_buf_take_text(&out);
  }
  bool matching = any_secret(args);
  cmox_buf_puts(&out, matching ? dialect->matching_open : dialect->open);
  value(&out, dialect, call->data.command);
  cmox_buf_puts(&out, matching ? dialect->matching_args : dialect->args);
  for (size_t i = 0; i < args.count; i++) {
    if (i) cmox_buf_puts(&out, dialect->separator);
    if (matching && cmox_secret_part(args, i).len) {
      cmox_buf_puts(&out, dialect->anything);
      continue;
    }
    if (matching) cmox_buf_puts(&out, dialect->equals_open);
    value(&out, dialect, args.items[i]);
    if (matching) cmox_buf_puts(&out, dialect->equals_close);
  }
  cmox_buf_puts(&out, dialect->close);
  return cmox_buf_take_text(&out);
}
