#include "client/lib/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool want_color(void) {
  const char *no_color = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  if ((no_color && *no_color) || (term && strcmp(term, "dumb") == 0)) return false;
  return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
}

cmox_code_t cmox_report_choose(cmox_report_choice_t *choice, cmox_error_t *error) {
  static const struct {
    const char *name;
    Cmdmox__V1__ReportFormat format;
  } formats[] = {{"text", CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_UNSPECIFIED},
                 {"json", CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JSON},
                 {"junit", CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_JUNIT},
                 {"tap", CMDMOX__V1__REPORT_FORMAT__REPORT_FORMAT_TAP}};
  const char *wanted = getenv("CMOX_REPORT");
  if (!wanted || !*wanted) wanted = "text";
  choice->color = want_color();
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (strcmp(formats[i].name, wanted) != 0) continue;
    choice->format = formats[i].format;
    return CMOX_OK;
  }
  return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                   "CMOX_REPORT is \"%s\": write text, json, junit or tap", wanted);
}
