/* Findings for people. */
#ifndef CMOX_REPORT_H
#define CMOX_REPORT_H

#include "server/verify/assertion.h"
#include "server/verify/finding.h"

typedef enum cmox_report_format { /* numbers as in control.proto */
                                  CMOX_REPORT_TEXT = 0,
                                  CMOX_REPORT_JSON = 1,
                                  CMOX_REPORT_JUNIT = 2,
                                  CMOX_REPORT_TAP = 3
} cmox_report_format_t;

typedef struct cmox_report_options {
  cmox_report_format_t format;
  bool color;        /* text only: with the escapes of a terminal */
  const char *label; /* the test's name, UTF-8; NULL or "": not known */
} cmox_report_options_t;

/* The whole report; owned by the caller, NULL when memory is out. As text "" when there
 * is nothing to say; the other formats also tell of a test that passed. docs/reports.md has the
 * formats. */
char *cmox_report(const cmox_findings_t *findings, const cmox_report_options_t *options);

/* The formats one by one; what cmox_report() calls. */
char *cmox_report_text(const cmox_findings_t *findings, bool color);
char *cmox_report_json(const cmox_findings_t *findings, const char *label);
char *cmox_report_junit(const cmox_findings_t *findings, const char *label);
char *cmox_report_tap(const cmox_findings_t *findings, const char *label);

/* What is wrong with an assertion that has not passed; owned by the caller, NULL when memory is
 * out. */
char *cmox_report_assertion(const cmox_assertion_t *assertion, const cmox_call_t **calls,
                            size_t count, const cmox_assertion_result_t *result,
                            const cmox_journal_t *journal);

/* The rows of a comparison, as all reports in text have them; those that are equal only up to a
 * handful. */
void cmox_report_rows(cmox_buf_t *out, const cmox_difference_t *rows, size_t count, bool color);

/* A line in the test's language that would accept the call of this finding: "c" (the default),
 * "python", "javascript", "go", "shell" or "bats". A masked argument becomes "anything". Owned by
 * the caller; NULL when memory is out, or when the line would be too long to be of use. */
char *cmox_suggest(const char *dialect, const cmox_finding_t *finding);
/* A hint, with such a line, for a call in a contained session of a command without a double. Owned
 * by the caller; NULL when memory is out. */
char *cmox_suggest_allow(const char *dialect, cmox_span_t command);

/* What the shim prints for a refused call: `cmdmox: unexpected call: git push origin`
 * and the nearest expectation with its first difference. Owned by the caller; NULL when
 * memory is out. */
char *cmox_report_refusal(const cmox_finding_t *finding);

#endif
