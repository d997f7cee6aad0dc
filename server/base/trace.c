#include "server/base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/base/quote.h"

atomic_int cmox_trace_sink = -1;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned holders;
static atomic_flag complained = ATOMIC_FLAG_INIT;

static const struct {
  const char *side, *name, *keys;
} rows[] = {
#define CMOX_TRACE_EVENT(side, NAME, name, keys, sentence) {#side, name, keys},
#include "proto/trace.def"
#undef CMOX_TRACE_EVENT
};

static const char cut[] = " ...";

/* 0, or the errno. A reader that has gone is no reason to end the process, whose SIGPIPE may have
 * its default: the signal of this write, and no other, is taken away again. */
int cmox_trace_write(int sink, const void *data, size_t len) {
  sigset_t pipe_signal, before, pending;
  (void)sigemptyset(&pipe_signal);
  (void)sigaddset(&pipe_signal, SIGPIPE);
  (void)sigemptyset(&pending);
  (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  (void)sigpending(&pending);
  ssize_t put;
  do put = write(sink, data, len);
  while (put < 0 && errno == EINTR);
  int failure = put < 0 ? errno : 0;
  int taken;
  if (failure == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    (void)sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) (void)sigwait(&pipe_signal, &taken);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failure;
}

/* ---- The sink ---- */

/* Once per process. value: NULL where it is not at hand. */
static void complain(const char *value, const char *why, const char *loss) {
  if (atomic_flag_test_and_set(&complained)) return;
  uint8_t room[1024];
  cmox_buf_t text = CMOX_BUF_OVER(room, sizeof room - 1);
  cmox_buf_puts(&text, "cmdmox: CMOX_TRACE");
  if (value) {
    cmox_buf_putc(&text, '=');
    cmox_quote_value(&text, cmox_span_str(value), 256);
  }
  cmox_buf_printf(&text, ": %s; %s", why, loss);
  room[text.len++] = '\n';
  (void)cmox_trace_write(STDERR_FILENO, room, text.len);
}

/* A caller that closed its stdin, stdout or stderr must not find the trace there. */
static int above_streams(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int failure = errno;
  (void)close(fd);
  errno = failure;
  return moved;
}

static const char no_trace[] = "no trace is written";

static int open_sink(const char *value) {
  if (!value || !*value || strcmp(value, "0") == 0) return -1;
  if (strcmp(value, "1") == 0) return STDERR_FILENO;
  if (value[0] != '/') {
    complain(value, "give the absolute path of a file, 1 for stderr, or 0 for none", no_trace);
    return -1;
  }
  /* Non-blocking: a pipe that nobody reads must hold up no call. */
  int fd = above_streams(open(
      value, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600));
  if (fd < 0)
    complain(value,
             errno == ELOOP   ? "it is a symbolic link"
             : errno == ENXIO ? "nobody reads this pipe"
                              : strerror(errno),
             no_trace);
  return fd;
}

/* A forked child may make sessions of its own while another thread of its parent was in here. */
static void lock(void) { (void)pthread_mutex_lock(&mutex); }

static void unlock(void) { (void)pthread_mutex_unlock(&mutex); }

static void prepare(void) { (void)pthread_atfork(lock, unlock, unlock); }

void cmox_trace_hold(const char *value) {
  (void)pthread_once(&once, prepare);
  lock();
  if (holders++ == 0) atomic_store(&cmox_trace_sink, open_sink(value));
  unlock();
}

void cmox_trace_release(void) {
  lock();
  if (--holders == 0) {
    int sink = atomic_exchange(&cmox_trace_sink, -1);
    if (sink > STDERR_FILENO) (void)close(sink);
  }
  unlock();
}

/* ---- Lines ---- */

void cmox_trace_begin(cmox_trace_line_t *line, cmox_trace_event_t event,
                      const cmox_trace_value_t *values, size_t count) {
  int before = errno;
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  line->text = CMOX_BUF_OVER(line->room, sizeof line->room - sizeof cut);
  cmox_buf_printf(&line->text, "%" PRIu64 ".%06u %s %ld %s", (uint64_t)now.tv_sec,
                  (unsigned)(now.tv_nsec / 1000), rows[event].side, (long)getpid(),
                  rows[event].name);
  const char *key = rows[event].keys;
  for (size_t i = 0; i < count; i++) {
    size_t len = strcspn(key, " ");
    cmox_buf_printf(&line->text, " %.*s=", (int)len, key);
    if (values[i].text.data)
      cmox_quote_value(&line->text, values[i].text, CMOX_TRACE_TEXT_MAX);
    else
      cmox_buf_printf(&line->text, "%" PRIu64, values[i].number);
    key += len + (key[len] == ' ');
  }
  errno = before;
}

void cmox_trace_end(cmox_trace_line_t *line) {
  int before = errno;
  size_t len = line->text.len;
  if (line->text.failed) {
    memcpy(line->room + len, cut, sizeof cut - 1);
    len += sizeof cut - 1;
  }
  line->room[len++] = '\n';
  int sink = atomic_load_explicit(&cmox_trace_sink, memory_order_relaxed);
  int failure = sink >= 0 ? cmox_trace_write(sink, line->room, len) : 0;
  /* A pipe that is full, or has no reader any more, loses lines without a word. */
  if (failure && failure != EAGAIN && failure != EPIPE && sink > STDERR_FILENO)
    complain(NULL, strerror(failure), "lines are missing in the trace");
  errno = before;
}

void cmox_trace(cmox_trace_event_t event, const cmox_trace_value_t *values, size_t count) {
  if (cmox_trace_on()) {
    cmox_trace_line_t line;
    cmox_trace_begin(&line, event, values, count);
    cmox_trace_end(&line);
  }
  if (cmox_log_on()) cmox_log(rows[event].name, rows[event].keys, values, count);
}
