#include "server/base/quote.h"
#include "server/report/report.h"
#include "server/verify/verify.h"

/* Equal arguments are shown as context up to this many rows. */
enum { CONTEXT_ROWS_MAX = 12, SUGGESTION_SHOWN_MAX = 4096, REPORT_MAX = 4 << 20 };

typedef struct writer {
  cmox_buf_t out;
  bool color;
} writer_t;

#define RED "31"
#define GREEN "32"
#define BOLD "1"

static void paint(writer_t *to, const char *color, const char *text, size_t len) {
  if (to->color && len) cmox_buf_printf(&to->out, "\033[%sm", color);
  cmox_buf_append(&to->out, text, len);
  if (to->color && len) cmox_buf_puts(&to->out, "\033[0m");
}

static void paint_text(writer_t *to, const char *color, const char *text) {
  paint(to, color, text, strlen(text));
}

static void diff_lines(writer_t *to, const char *diff) {
  while (*diff) {
    size_t len = strcspn(diff, "\n");
    cmox_buf_puts(&to->out, "         ");
    if (*diff == '-' || *diff == '+')
      paint(to, *diff == '-' ? GREEN : RED, diff, len);
    else
      cmox_buf_append(&to->out, diff, len);
    cmox_buf_putc(&to->out, '\n');
    diff += len + (diff[len] == '\n');
  }
}

static void different_row(writer_t *to, const cmox_difference_t *row) {
  cmox_buf_t *out = &to->out;
  cmox_buf_printf(out, "     ! %s: ", row->subject);
  if (row->diff) {
    cmox_buf_puts(out, "(- expected, + actual)\n");
    diff_lines(to, row->diff);
    return;
  }
  cmox_buf_puts(out, "expected ");
  paint_text(to, GREEN, row->expected);
  cmox_buf_printf(out, "\n       %*s  actual   ", (int)strlen(row->subject), "");
  paint_text(to, RED, row->actual);
  cmox_buf_putc(out, '\n');
}

static void difference_rows(writer_t *to, const cmox_difference_t *rows, size_t count) {
  size_t hidden = 0;
  for (size_t i = 0; i < count; i++) {
    const cmox_difference_t *row = &rows[i];
    if (!row->equal)
      different_row(to, row);
    else if (count <= CONTEXT_ROWS_MAX)
      cmox_buf_printf(&to->out, "       %s: %s\n", row->subject, row->actual);
    else
      hidden++;
  }
  if (hidden) cmox_buf_printf(&to->out, "       (%zu equal arguments are not shown)\n", hidden);
}

void cmox_report_rows(cmox_buf_t *out, const cmox_difference_t *rows, size_t count, bool color) {
  writer_t to = {*out, color};
  difference_rows(&to, rows, count);
  *out = to.out;
}

static void expectation(writer_t *to, const cmox_finding_t *finding) {
  if (!finding->expect || !finding->call) return;
  cmox_buf_t *out = &to->out;
  bool excess = finding->kind == CMOX_FINDING_EXCESS_CALL;
  bool matches =
      excess || finding->kind == CMOX_FINDING_ORDER || finding->kind == CMOX_FINDING_HANDLER_FAILED;
  cmox_buf_puts(out, matches ? "   it matches " : "   the nearest is ");
  cmox_describe_double(out, finding->expect);
  if (excess) {
    cmox_count_t count = cmox_expect_count(finding->expect);
    if (count.maximum == 0) {
      cmox_buf_puts(out, ", which must not be called");
    } else {
      cmox_buf_puts(out, ", which takes ");
      cmox_describe_count(out, count);
    }
  }
  cmox_buf_puts(out, finding->difference_count ? ":\n" : "\n");
  difference_rows(to, finding->differences, finding->difference_count);
}

static void headline(writer_t *to, const cmox_findings_t *findings) {
  size_t failures = 0;
  for (size_t i = 0; i < findings->count; i++) failures += !findings->items[i].advisory;
  cmox_buf_t line = CMOX_BUF_EMPTY;
  if (failures == 0)
    cmox_buf_puts(&line, "cmdmox: verification passed, with remarks");
  else
    cmox_buf_printf(&line, "cmdmox: verification failed: %zu %s", failures,
                    failures == 1 ? "problem" : "problems");
  to->out.failed |= line.failed;
  paint(to, failures ? RED : GREEN, (const char *)line.data, line.len);
  cmox_buf_putc(&to->out, '\n');
  cmox_buf_clear(&line);
}

static void suggestion(writer_t *to, const char *text) {
  cmox_buf_puts(&to->out, "   to accept this call:\n     ");
  cmox_span_t line = cmox_span_str(text);
  size_t cut = line.len;
  if (line.len > SUGGESTION_SHOWN_MAX) {
    cut = SUGGESTION_SHOWN_MAX;
    while (cut > 0 && (line.data[cut] & 0xc0) == 0x80) cut--; /* not inside a character */
  }
  paint(to, BOLD, text, cut);
  if (cut < line.len) cmox_buf_printf(&to->out, "... (%zu bytes)", line.len);
  cmox_buf_putc(&to->out, '\n');
}

static void hint(writer_t *to, const char *text) {
  while (*text) {
    size_t len = strcspn(text, "\n");
    cmox_buf_printf(&to->out, "   %.*s\n", (int)len, text);
    text += len + (text[len] == '\n');
  }
}

char *cmox_report_text(const cmox_findings_t *findings, bool color) {
  writer_t to = {CMOX_BUF_EMPTY, color};
  if (findings->count) headline(&to, findings);
  for (size_t i = 0; i < findings->count; i++) {
    const cmox_finding_t *finding = &findings->items[i];
    if (to.out.len > REPORT_MAX) {
      cmox_buf_printf(&to.out, "\n... and %zu more, which this report leaves out\n",
                      findings->count - i);
      break;
    }
    cmox_buf_printf(&to.out, "\n%zu. %s", i + 1, finding->advisory ? "(remark) " : "");
    paint_text(&to, BOLD, finding->message);
    if (finding->other_count) cmox_buf_printf(&to.out, " (%zu times)", finding->other_count + 1);
    cmox_buf_putc(&to.out, '\n');
    expectation(&to, finding);
    if (finding->hint) hint(&to, finding->hint);
    if (finding->suggestion) suggestion(&to, finding->suggestion);
  }
  return cmox_buf_take_text(&to.out);
}

char *cmox_report(const cmox_findings_t *findings, const cmox_report_options_t *options) {
  switch (options->format) {
    case CMOX_REPORT_TEXT:
      break;
    case CMOX_REPORT_JSON:
      return cmox_report_json(findings, options->label);
    case CMOX_REPORT_JUNIT:
      return cmox_report_junit(findings, options->label);
    case CMOX_REPORT_TAP:
      return cmox_report_tap(findings, options->label);
  }
  return cmox_report_text(findings, options->color);
}

char *cmox_report_refusal(const cmox_finding_t *finding) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_printf(&out, "cmdmox: %s", finding->message);
  if (finding->expect) {
    bool matches = finding->kind != CMOX_FINDING_UNEXPECTED_CALL;
    cmox_buf_puts(&out, matches ? "; it matches " : "; the nearest is ");
    cmox_describe_double(&out, finding->expect);
  }
  for (size_t i = 0; i < finding->difference_count; i++) {
    const cmox_difference_t *row = &finding->differences[i];
    if (row->equal) continue;
    cmox_buf_printf(&out, ": %s: expected %s, actual %s", row->subject, row->expected, row->actual);
    break;
  }
  cmox_buf_putc(&out, '\n');
  return cmox_buf_take_text(&out);
}
