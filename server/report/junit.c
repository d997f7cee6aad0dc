/* One test case of JUnit's XML, as CI servers read it (the schema of Ant's junitreport). */
#include "server/base/alloc.h"
#include "server/base/quote.h"
#include "server/report/report.h"

/* XML 1.0 has no way to write most control characters: they are escaped as \xHH. */
static void put_xml(cmox_buf_t *out, const char *text) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '&')
      cmox_buf_puts(out, "&amp;");
    else if (c == '<')
      cmox_buf_puts(out, "&lt;");
    else if (c == '>')
      cmox_buf_puts(out, "&gt;");
    else if (c == '"')
      cmox_buf_puts(out, "&quot;");
    else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
      cmox_buf_printf(out, "\\x%02x", c);
    else if (c == 0xef && (unsigned char)text[1] == 0xbf && (unsigned char)text[2] >= 0xbe) {
      cmox_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFE and U+FFFF are no characters of XML */
      text += 2;
    } else
      cmox_buf_putc(out, (char)c);
  }
}

static const cmox_finding_t *first_failure(const cmox_findings_t *findings) {
  for (size_t i = 0; i < findings->count; i++)
    if (!findings->items[i].advisory) return &findings->items[i];
  return NULL;
}

char *cmox_report_junit(const cmox_findings_t *findings, const char *label) {
  const cmox_finding_t *failure = first_failure(findings);
  const char *name = label && *label ? label : "cmdmox";
  char *text = cmox_report_text(findings, false);
  if (!text) return NULL;
  cmox_buf_t out = CMOX_BUF_EMPTY;
  cmox_buf_printf(&out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuite name=\"cmdmox\" tests=\"1\" failures=\"%d\">\n"
                  "  <testcase classname=\"cmdmox\" name=\"",
                  failure ? 1 : 0);
  put_xml(&out, name);
  cmox_buf_puts(&out, "\">\n");
  if (failure) {
    cmox_buf_printf(&out, "    <failure type=\"%s\" message=\"", cmox_finding_name(failure->kind));
    put_xml(&out, failure->message);
    cmox_buf_puts(&out, "\">");
    put_xml(&out, text);
    cmox_buf_puts(&out, "</failure>\n");
  } else if (*text) {
    cmox_buf_puts(&out, "    <system-out>");
    put_xml(&out, text);
    cmox_buf_puts(&out, "</system-out>\n");
  }
  cmox_buf_puts(&out, "  </testcase>\n</testsuite>\n");
  cmox_free_block(text);
  return cmox_buf_take_text(&out);
}
