/* The one place that decides which bytes of a call may not be shown: every
 * message and report goes through it. The rules grow with the scrubber. */
#ifndef CMOX_MODEL_MASK_H
#define CMOX_MODEL_MASK_H

#include "server/base/buf.h"
#include "server/base/span.h"

/* The part of args[index] that looks secret: the value of --token=..., the
 * argument after --password, the value of SECRET_NAME=..., the user information of
 * scheme://user:password@host, ?token=..., an Authorization or Cookie header. Empty: nothing does.
 * What only a command's own options can tell (mysql -pX, curl -u a:b) comes with the scrubber. */
cmox_span_t cmox_secret_part(cmox_span_list_t args, size_t index);

/* args[index] with each of its secret parts replaced by "***"; `out` is only touched when there is
 * one. */
bool cmox_mask_argument(cmox_span_list_t args, size_t index, cmox_buf_t *out);

/* The text with the secret parts of each of its lines replaced; `out` is only touched when there
 * are any. For what is no argument: stdin. */
bool cmox_mask_text(cmox_span_t text, cmox_buf_t *out);

/* Whether a value of this name (a JSON member, an environment variable) looks secret. */
bool cmox_secret_name(cmox_span_t name);

#endif
