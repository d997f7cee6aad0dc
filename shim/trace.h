/* What the launcher does, as lines of the file that CMOX_TRACE names; docs/trace.md is for users,
 * proto/trace.def the table of events.
 *
 * The launcher cannot tell what is secret: only names of commands, counts, lengths, statuses,
 * addresses and its own error line may be handed over. Whatever goes wrong here is kept
 * quiet: the call is what counts. */
#ifndef CMOX_SHIM_TRACE_H
#define CMOX_SHIM_TRACE_H

#include "shim/bytes.h"

typedef enum cmox_trace_event {
#define CMOX_TRACE_EVENT(side, NAME, name, keys, sentence) CMOX_TRACE_##side(NAME)
#define CMOX_TRACE_shim(NAME) CMOX_TRACE_##NAME,
#define CMOX_TRACE_engine(NAME)
#define CMOX_TRACE_client(NAME)
#include "proto/trace.def"
#undef CMOX_TRACE_EVENT
#undef CMOX_TRACE_shim
#undef CMOX_TRACE_engine
#undef CMOX_TRACE_client
} cmox_trace_event_t;

extern int cmox_trace_sink; /* 0: off */

/* Looks at CMOX_TRACE, once. */
void cmox_trace_start(void);

/* text is the value of the event's first key, unless its data is NULL; a and b are those of the
 * keys that are left. */
void cmox_trace_line(cmox_trace_event_t event, cmox_view_t text, uint64_t a, uint64_t b);

#define CMOX_TRACE(NAME, text, a, b)                                          \
  do {                                                                        \
    if (__builtin_expect(cmox_trace_sink != 0, 0))                            \
      cmox_trace_line(CMOX_TRACE_##NAME, text, (uint64_t)(a), (uint64_t)(b)); \
  } while (0)

#define CMOX_NO_TEXT ((cmox_view_t){0})
cmox_view_t cmox_text(const char *text);

#endif
