/* cmdmox doctor: what may keep tests from working here, and what to do about it. */
#include "client/program/doctor.h"

#include <cmdmox/codes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "client/program/verbs.h"
#include "server/base/quote.h"

struct cmox_doctor {
  bool json;
  bool fenced; /* for a bug report */
  size_t told;
  size_t problems;
};

static const char *const names[] = {
    [CMOX_HEALTH_OK] = "ok", [CMOX_HEALTH_NOTE] = "note", [CMOX_HEALTH_PROBLEM] = "problem"};

static void print_json(const cmox_doctor_t *doctor, const char *what, cmox_health_t health,
                       const char *text) {
  cmox_buf_t line = CMOX_BUF_EMPTY;
  cmox_buf_puts(&line, doctor->told ? ",\n  {\"check\": " : "\n  {\"check\": ");
  cmox_quote_json(&line, cmox_span_str(what), CMOX_QUOTE_ALL);
  cmox_buf_printf(&line, ", \"state\": \"%s\", \"text\": ", names[health]);
  cmox_quote_json(&line, cmox_span_str(text), CMOX_QUOTE_ALL);
  cmox_buf_putc(&line, '}');
  cmox_print(&line);
  cmox_buf_clear(&line);
}

void cmox_doctor_tell(cmox_doctor_t *doctor, const char *what, cmox_health_t health,
                      const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (doctor->json)
    print_json(doctor, what, health, text);
  else
    (void)printf("%-8s %-12s %s\n", names[health], what, text);
  doctor->told++;
  doctor->problems += health == CMOX_HEALTH_PROBLEM;
}

static void tell_system(cmox_doctor_t *doctor) {
  struct utsname system;
  if (uname(&system) == 0)
    cmox_doctor_tell(doctor, "system", CMOX_HEALTH_OK, "%s %s %s", system.sysname, system.release,
                     system.machine);
  FILE *file = fopen("/etc/os-release", "re");
  char line[256];
  static const char key[] = "PRETTY_NAME=";
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, key, sizeof key - 1) == 0) {
      line[strcspn(line, "\n")] = '\0';
      cmox_doctor_tell(doctor, "system", CMOX_HEALTH_OK, "%s", line + sizeof key - 1);
    }
  if (file) (void)fclose(file);
}

static void look(cmox_doctor_t *doctor) {
  cmox_doctor_tell(doctor, "cmdmox", CMOX_HEALTH_OK, "version %s", CMDMOX_VERSION);
  cmox_check_shim(doctor);
  cmox_check_places(doctor);
  cmox_check_call(doctor);
  cmox_check_path(doctor);
  cmox_check_session(doctor);
  cmox_check_limits(doctor);
  cmox_check_namespaces(doctor);
  cmox_check_inotify(doctor);
}

int cmox_verb_doctor(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  (void)verb;
  cmox_doctor_t doctor = {.json = cmox_given(arguments, CMOX_DOCTOR_JSON) != NULL,
                          .fenced = cmox_given(arguments, CMOX_DOCTOR_REPORT) != NULL};
  if (doctor.json) (void)fputs("[", stdout);
  if (doctor.fenced && !doctor.json) (void)puts("```text");
  look(&doctor);
  if (doctor.fenced) {
    tell_system(&doctor);
    cmox_check_environment(&doctor);
  }
  if (doctor.fenced && !doctor.json) (void)puts("```");
  if (doctor.json) (void)puts("\n]");
  const int written = cmox_finish_output();
  if (written) return written;
  return doctor.problems ? cmox_code_exit_status(CMOX_E_SHIM_BROKEN) : 0;
}
