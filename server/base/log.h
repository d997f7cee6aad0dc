/* The events of the trace as JSON, for `cmdmox serve --log`: one object a line, with the time of
 * day, and the session whose step it is.
 *
 * The same rules: nothing here allocates, blocks on a file or changes errno, a line that cannot be
 * written is lost, and nothing secret may be handed over. Frames are left out. */
#ifndef CMOX_BASE_LOG_H
#define CMOX_BASE_LOG_H

#include "server/base/error.h"
#include "server/base/trace.h"

/* Appends to this file from now on; "-" is stderr. For the process, before its engine is started.
 * CMOX_E_IO. */
cmox_code_t cmox_log_open(const char *path, cmox_error_t *error);

/* Whose events those of this thread are from now on; NULL: of none. Borrowed. */
void cmox_log_of(const char *session);

/* For trace.c. */
void cmox_log(const char *name, const char *keys, const cmox_trace_value_t *values, size_t count);

#endif
