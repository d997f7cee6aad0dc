/* What happens, as it happens: one line for each event of proto/trace.def, to where
 * CMOX_TRACE says. docs/trace.md describes it for users.
 *
 * The lines of all engines, clients and shims may go to one file: each is one write()
 * of at most CMOX_TRACE_LINE_MAX bytes in append mode. Nothing here allocates, blocks on a
 * file or changes errno; a line that cannot be written is lost. Nothing secret may be
 * handed over: streams, environments and tokens only as lengths or counts, arguments only as
 * server/rpc/transcript.c masks them. Any thread. */
#ifndef CMOX_BASE_TRACE_H
#define CMOX_BASE_TRACE_H

#include <stdatomic.h>

#include "server/base/buf.h"
#include "server/base/span.h"

#define CMOX_TRACE_LINE_MAX 4096u /* bytes; PIPE_BUF, so that a pipe keeps lines whole too */
#define CMOX_TRACE_TEXT_MAX 512u  /* bytes of one text that are shown */

typedef enum cmox_trace_event {
#define CMOX_TRACE_EVENT(side, NAME, name, keys, sentence) CMOX_TRACE_##NAME,
#include "proto/trace.def"
#undef CMOX_TRACE_EVENT
} cmox_trace_event_t;

/* Opens the sink that `value`, CMOX_TRACE of the environment, names: NULL, "" or "0" is none, "1"
 * is stderr, all else the absolute path of a file to append to. What cannot be opened is said once
 * per process in one line on stderr, and not traced. Each hold needs its release. The first holder
 * decides; to be called before the threads that trace are started. */
void cmox_trace_hold(const char *value);
void cmox_trace_release(void); /* the last one closes the sink */

extern atomic_int cmox_trace_sink; /* -1: off */
extern atomic_int cmox_log_sink;   /* the same of server/base/log.h */

static inline bool cmox_trace_on(void) {
  return __builtin_expect(atomic_load_explicit(&cmox_trace_sink, memory_order_relaxed) >= 0, 0);
}

static inline bool cmox_log_on(void) {
  return __builtin_expect(atomic_load_explicit(&cmox_log_sink, memory_order_relaxed) >= 0, 0);
}

/* One value of an event, borrowed. */
typedef struct cmox_trace_value {
  uint64_t number;
  cmox_span_t text; /* data NULL: it is the number */
} cmox_trace_value_t;

static inline cmox_trace_value_t cmox_trace_number(uint64_t number) {
  return (cmox_trace_value_t){.number = number};
}

static inline cmox_trace_value_t cmox_trace_bytes(cmox_span_t text) {
  return (cmox_trace_value_t){.text =
                                  cmox_span(text.data ? (const void *)text.data : "", text.len)};
}

static inline cmox_trace_value_t cmox_trace_text(const char *text) { /* NULL is "" */
  return cmox_trace_bytes(cmox_span_str(text ? text : ""));
}

/* CMOX_TRACE(LINK_CLOSE, value, ...): the values in the order of the event's keys. They are
 * looked at only while a trace is written. */
#define CMOX_TRACE(NAME, ...)                                                   \
  do {                                                                          \
    if (cmox_trace_on() || cmox_log_on()) {                                     \
      const cmox_trace_value_t values_[] = {__VA_ARGS__};                       \
      cmox_trace(CMOX_TRACE_##NAME, values_, sizeof values_ / sizeof *values_); \
    }                                                                           \
  } while (0)

void cmox_trace(cmox_trace_event_t event, const cmox_trace_value_t *values, size_t count);

/* The same in steps, for a line with more behind its values: append to `text`. What does not
 * fit is cut, and the line then ends in " ...". */
typedef struct cmox_trace_line {
  cmox_buf_t text;
  uint8_t room[CMOX_TRACE_LINE_MAX];
} cmox_trace_line_t;

void cmox_trace_begin(cmox_trace_line_t *line, cmox_trace_event_t event,
                      const cmox_trace_value_t *values, size_t count);
void cmox_trace_end(cmox_trace_line_t *line);

/* Writes a line: 0, or the errno. Raises no SIGPIPE. */
int cmox_trace_write(int sink, const void *data, size_t len);

#endif
