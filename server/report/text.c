#include "server/base/quote.h"
#include "server/report/report.h"
#include "server/verify/verify.h"

/* Equal arguments are shown as context up to this many rows. */
enum { CONTEXT_ROWS_MAX = 12, SUGGESTION_SHOWN_MAX = 4096, REPORT_MAX = 4 << 20 };

static void difference_rows(cmox_buf_t *out, const cmox_finding_t *finding) {
  size_t hidden = 0;
  for (size_t i = 0; i < finding->difference_count; i++) {
    const cmox_difference_t *row = &finding->differences[i];
    if (!row->equal) {
      cmox_buf_printf(out, "     ! %s: expected %s\n", row->subject, row->expected);
      cmox_buf_printf(out, "       %*s  actual   %s\n", (int)strlen(row->subject), "", row->actual);
    } else if (finding->difference_count <= CONTEXT_ROWS_MAX) {
      cmox_buf_printf(out, "       %s: %s\n", row->subject, row->actual);
    } else {
      hidden++;
    }
  }
  if (hidden) cmox_buf_printf(out, "       (%zu equal arguments are not shown)\n", hidden);
}

static void expectation(cmox_buf_t *out, const cmox_finding_t *finding) {
  if (!finding->expect || !finding->call) return;
  bool excess = finding->kind == CMOX_FINDING_EXCESS_CALL;
  bool matches = excess || finding->kind == CMOX_FINDING_ORDER;
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
  difference_rows(out, finding);
}

static void headline(cmox_buf_t *out, const cmox_findings_t *findings) {
  size_t failures = 0;
  for (size_t i = 0; i < findings->count; i++) failures += !findings->items[i].advisory;
  if (failures == 0)
    cmox_buf_puts(out, "cmdmox: verification passed, with remarks\n");
  else
    cmox_buf_printf(out, "cmdmox: verification failed: %zu %s\n", failures,
                    failures == 1 ? "problem" : "problems");
}

char *cmox_report_text(const cmox_findings_t *findings) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  if (findings->count) headline(&out, findings);
  for (size_t i = 0; i < findings->count; i++) {
    const cmox_finding_t *finding = &findings->items[i];
    if (out.len > REPORT_MAX) {
      cmox_buf_printf(&out, "\n... and %zu more, which this report leaves out\n",
                      findings->count - i);
      break;
    }
    cmox_buf_printf(&out, "\n%zu. %s%s\n", i + 1, finding->advisory ? "(remark) " : "",
                    finding->message);
    expectation(&out, finding);
    if (!finding->suggestion) continue;
    cmox_buf_puts(&out, "   to accept this call:\n     ");
    cmox_span_t line = cmox_span_str(finding->suggestion);
    if (line.len > SUGGESTION_SHOWN_MAX) {
      size_t cut = SUGGESTION_SHOWN_MAX;
      while (cut > 0 && (line.data[cut] & 0xc0) == 0x80) cut--; /* not inside a character */
      cmox_buf_append(&out, line.data, cut);
      cmox_buf_printf(&out, "... (%zu bytes)", line.len);
    } else {
      cmox_buf_append_span(&out, line);
    }
    cmox_buf_putc(&out, '\n');
  }
  return cmox_buf_take_text(&out);
}

char *cmox_report_refusal(const cmox_finding_t *finding) {
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_printf(&out, "cmdmox: %s", finding->message);
  if (finding->expect) {
    bool matches = finding->kind == CMOX_FINDING_EXCESS_CALL || finding->kind == CMOX_FINDING_ORDER;
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
