/* One test point of TAP 14 with the report in its YAML block. */
#include "server/base/alloc.h"
#include "server/report/report.h"

/* A description: '#' begins a directive, and a newline would end it. */
static void put_name(cmox_buf_t *out, const char *text) {
  for (; *text; text++) {
    if (*text == '#' || *text == '\\') cmox_buf_putc(out, '\\');
    char shown = *text;
    if ((unsigned char)shown < 0x20) shown = ' ';
    cmox_buf_putc(out, shown);
  }
}

/* A literal block keeps the text as it is but for its indentation. */
static void put_block(cmox_buf_t *out, const char *text) {
  cmox_buf_puts(out, "  ---\n  report: |2\n");
  while (*text) {
    size_t len = strcspn(text, "\n");
    if (len) cmox_buf_puts(out, "    ");
    cmox_buf_append(out, text, len);
    cmox_buf_putc(out, '\n');
    text += len + (text[len] == '\n');
  }
  cmox_buf_puts(out, "  ...\n");
}

char *cmox_report_tap(const cmox_findings_t *findings, const char *label) {
  char *text = cmox_report_text(findings, false);
  if (!text) return NULL;
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_printf(&out, "TAP version 14\n1..1\n%s 1 - ",
                  cmox_findings_passed(findings) ? "ok" : "not ok");
  put_name(&out, label && *label ? label : "cmdmox");
  cmox_buf_putc(&out, '\n');
  if (*text) put_block(&out, text);
  cmox_free_block(text);
  return cmox_buf_take_text(&out);
}
