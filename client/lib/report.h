/* What cmox_verify() puts into cmox_message(). */
#ifndef CMOX_CLIENT_REPORT_H
#define CMOX_CLIENT_REPORT_H

#include <stdbool.h>

#include "cmdmox/v1/control.pb-c.h"
#include "server/base/error.h"

typedef struct cmox_report_choice {
  Cmdmox__V1__ReportFormat format;
  bool color;
} cmox_report_choice_t;

/* As the environment says: CMOX_REPORT is text (also when it is not set), json, junit or tap. Text
 * has colour where both stdout, where Check writes, and stderr are terminals, unless NO_COLOR is
 * set and not empty, or TERM is dumb. CMOX_E_INVALID_ARGUMENT names another word. */
cmox_code_t cmox_report_choose(cmox_report_choice_t *choice, cmox_error_t *error);

#endif
