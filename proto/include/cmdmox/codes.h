/* Error codes; cmdmox/errors.def is the table. Numbers and reasons are never reused. */
#ifndef CMOX_CODES_H
#define CMOX_CODES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef CMOX_API
#if defined(__GNUC__) && !defined(_WIN32)
#define CMOX_API __attribute__((visibility("default")))
#else
#define CMOX_API
#endif
#endif

typedef enum cmox_code {
  CMOX_OK = 0,
#define CMOX_ERROR(number, name, reason, grpc, exit_status, text) CMOX_E_##name = (number),
#include <cmdmox/errors.def>
#undef CMOX_ERROR
} cmox_code_t;

/* Stable UPPER_SNAKE identifier ("OK" for CMOX_OK, "UNKNOWN" for no known
 * code); static storage. */
CMOX_API const char *cmox_code_reason(cmox_code_t code);

/* Short English text; static storage. */
CMOX_API const char *cmox_code_text(cmox_code_t code);

/* google.rpc.Code number; 2 (UNKNOWN) for no known code. */
CMOX_API uint32_t cmox_code_grpc(cmox_code_t code);

/* Exit status of the cmdmox program for this error. */
CMOX_API int cmox_code_exit_status(cmox_code_t code);

/* The code of a wire reason; CMOX_E_INTERNAL for an unknown one, so that an
 * error never reads as success. NULL and "OK" give CMOX_E_INTERNAL too. */
CMOX_API cmox_code_t cmox_code_from_reason(const char *reason);

#ifdef __cplusplus
}
#endif

#endif
