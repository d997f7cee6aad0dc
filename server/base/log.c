#include "server/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/quote.h"

atomic_int cmox_log_sink = -1;

static _Thread_local const char *session_now;
static atomic_flag complained = ATOMIC_FLAG_INIT;

cmox_code_t cmox_log_open(const char *path, cmox_error_t *error) {
  int fd = STDERR_FILENO;
  /* Non-blocking: a pipe that nobody reads must hold up no call. */
  if (strcmp(path, "-") != 0)
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0)
    return cmox_fail(error, CMOX_E_IO, "--log %s: %s", path,
                     errno == ENXIO ? "nobody reads this pipe" : strerror(errno));
  atomic_store(&cmox_log_sink, fd);
  return CMOX_OK;
}

void cmox_log_of(const char *session) { session_now = session; }

static void put_time(cmox_buf_t *line) {
  struct timespec now;
  struct tm parts;
  char text[32] = "";
  (void)clock_gettime(CLOCK_REALTIME, &now);
  if (gmtime_r(&now.tv_sec, &parts)) (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  cmox_buf_printf(line, "{\"time\": \"%s.%06uZ\"", text, (unsigned)(now.tv_nsec / 1000));
}

static void put_values(cmox_buf_t *line, const char *keys, const cmox_trace_value_t *values,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    const size_t len = strcspn(keys, " ");
    cmox_buf_printf(line, ", \"%.*s\": ", (int)len, keys);
    if (values[i].text.data)
      cmox_quote_json(line, values[i].text, CMOX_TRACE_TEXT_MAX);
    else
      cmox_buf_printf(line, "%" PRIu64, values[i].number);
    keys += len + (keys[len] == ' ');
  }
}

/* Once per process. */
static void complain(const char *why) {
  if (atomic_flag_test_and_set(&complained)) return;
  uint8_t room[256];
  cmox_buf_t text = CMOX_BUF_OVER(room, sizeof room - 1);
  cmox_buf_printf(&text, "cmdmox: --log: %s; lines are missing there", why);
  room[text.len++] = '\n';
  (void)cmox_trace_write(STDERR_FILENO, room, text.len);
}

void cmox_log(const char *name, const char *keys, const cmox_trace_value_t *values, size_t count) {
  const int before = errno;
  uint8_t room[CMOX_TRACE_LINE_MAX];
  cmox_buf_t line = CMOX_BUF_OVER(room, sizeof room - sizeof "}\n");
  put_time(&line);
  cmox_buf_printf(&line, ", \"event\": \"%s\"", name);
  if (session_now) cmox_buf_printf(&line, ", \"session\": \"%s\"", session_now);
  const size_t head = line.len;
  put_values(&line, keys, values, count);
  if (line.failed) line.len = head; /* half an object is none */
  memcpy(room + line.len, "}\n", 2);
  const int sink = atomic_load_explicit(&cmox_log_sink, memory_order_relaxed);
  const int failure = sink >= 0 ? cmox_trace_write(sink, room, line.len + 2) : 0;
  if (failure && failure != EAGAIN && failure != EPIPE && sink > STDERR_FILENO)
    complain(strerror(failure));
  errno = before;
}
