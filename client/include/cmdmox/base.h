/* What all headers of cmdmox share. */
#ifndef CMOX_BASE_H
#define CMOX_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmdmox/codes.h>

#ifdef __cplusplus
#include <initializer_list>

extern "C" {
#endif

/* A member that may be left out of a designated initializer: else C++ compilers warn of each. */
#ifdef __cplusplus
#define CMOX_OPTIONAL_ = {}
#else
#define CMOX_OPTIONAL_
#endif

/* A session: record, replay, verify. */
typedef struct cmox cmox_t;

/* One expectation of a session. Owned by the session; valid until cmox_free(). */
typedef struct cmox_double cmox_double_t;

/* Bytes of the code under test: data has a NUL after len bytes, and may have
 * NULs inside. */
typedef struct cmox_bytes {
  const char *data;
  size_t len;
} cmox_bytes_t;

/* Where the test said it; CMOX_HERE in the macros. */
typedef struct cmox_location {
  const char *file;
  const char *function;
  unsigned line;
} cmox_location_t;

#ifdef __cplusplus
#define CMOX_HERE (cmox_location_t{__FILE__, __func__, __LINE__})
#else
#define CMOX_HERE ((cmox_location_t){__FILE__, __func__, __LINE__})
#endif

#ifdef __cplusplus
}
#endif

#endif
