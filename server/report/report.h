/* Findings for people. */
#ifndef CMOX_REPORT_H
#define CMOX_REPORT_H

#include "server/verify/finding.h"

/* The whole report; owned by the caller, NULL when memory is out. "" when there
 * is nothing to say. */
char *cmox_report_text(const cmox_findings_t *findings);

/* A line in the test's language that would accept the call of this finding: "c" (the default),
 * "python" or "shell". A masked argument becomes "anything". Owned by the caller; NULL
 * when memory is out, or when the line would be too long to be of use. */
char *cmox_suggest(const char *dialect, const cmox_finding_t *finding);

/* What the shim prints for a refused call: `cmdmox: unexpected call: git push origin`
 * and the nearest expectation with its first difference. Owned by the caller; NULL when
 * memory is out. */
char *cmox_report_refusal(const cmox_finding_t *finding);

#endif
