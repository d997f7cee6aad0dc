/* What cmdmox doctor looks at. */
#ifndef CMOX_PROGRAM_DOCTOR_H
#define CMOX_PROGRAM_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

typedef enum cmox_health {
  CMOX_HEALTH_OK,
  CMOX_HEALTH_NOTE,   /* something does not work that most tests do without */
  CMOX_HEALTH_PROBLEM /* tests will fail */
} cmox_health_t;

/* Tells of one thing; more than a line of text is fine. */
typedef struct cmox_doctor cmox_doctor_t;
void cmox_doctor_tell(cmox_doctor_t *doctor, const char *what, cmox_health_t health,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Each tells of what it has seen. */
void cmox_check_shim(cmox_doctor_t *doctor);
void cmox_check_places(
    cmox_doctor_t *doctor); /* where shim directories are made, and what is there */
void cmox_check_call(cmox_doctor_t *doctor); /* a mocked command, from end to end */
void cmox_check_path(cmox_doctor_t *doctor);
void cmox_check_session(cmox_doctor_t *doctor); /* that of this shell */
void cmox_check_limits(cmox_doctor_t *doctor);
void cmox_check_namespaces(cmox_doctor_t *doctor);
void cmox_check_inotify(cmox_doctor_t *doctor);
void cmox_check_environment(cmox_doctor_t *doctor);

#endif
