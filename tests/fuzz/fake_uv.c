#include "tests/fuzz/fake_uv.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { HANDLES_MAX = 4096, SPIN_MAX = 100000, SMALL_READS_MAX = 200 };

typedef struct bytes {
  uint8_t *data;
  size_t len, capacity;
} bytes_t;

typedef struct end {
  uv_stream_t *stream; /* NULL: not opened, or closed */
  bytes_t in, heard;
  size_t taken; /* of in */
  size_t chunk, room;
  unsigned small_reads; /* of one chunk: beyond that it would only be slow */
  int over;             /* what follows `in`; 0: nothing yet */
  bool told, refuses, reading;
  uv_alloc_cb alloc;
  uv_read_cb read;
  uv_write_t *write; /* under way */
  bytes_t rest;
} end_t;

enum { FD_FIRST = 1000 };

static struct {
  uint64_t now_ns;
  end_t *ends[HANDLES_MAX];
  size_t end_count;
  uv_timer_t *timers[HANDLES_MAX];
  size_t timer_count;
  uv_handle_t *closing[HANDLES_MAX];
  size_t closing_count;
  uv_idle_t *idle;
  uv_check_t *check;
  uv_check_cb on_check;
  size_t open; /* handles that are not closed */
} world;

static void add(bytes_t *to, const void *data, size_t len) {
  if (len == 0) return;
  if (to->capacity - to->len < len) {
    to->capacity = 2 * (to->len + len);
    to->data = realloc(to->data, to->capacity);
    FUZZ_NEED(to->data, "out of memory");
  }
  memcpy(to->data + to->len, data, len);
  to->len += len;
}

static end_t *end_of(int fd) {
  FUZZ_NEED(fd >= FD_FIRST && (size_t)(fd - FD_FIRST) < world.end_count, "descriptor %d", fd);
  return world.ends[fd - FD_FIRST];
}

static end_t *end_behind(const uv_stream_t *stream) { return stream->u.reserved[0]; }

/* ---- The test's side ---- */

void fake_uv_start(uv_loop_t *loop) {
  memset(loop, 0, sizeof *loop);
  memset(&world, 0, offsetof(__typeof__(world), ends));
  world.end_count = world.timer_count = world.closing_count = world.open = 0;
  world.idle = NULL;
  world.check = NULL;
  world.now_ns = UINT64_C(1000000000000);
  loop->time = world.now_ns / 1000000;
}

void fake_uv_stop(void) {
  FUZZ_NEED(world.open == 0 && world.timer_count == 0, "%zu handles are left", world.open);
  for (size_t i = 0; i < world.end_count; i++) {
    end_t *end = world.ends[i];
    free(end->in.data);
    free(end->heard.data);
    free(end->rest.data);
    free(end);
  }
  world.end_count = 0;
}

int fake_uv_connect(void) {
  FUZZ_NEED(world.end_count < HANDLES_MAX, "too many connections");
  end_t *end = calloc(1, sizeof *end);
  FUZZ_NEED(end, "out of memory");
  end->chunk = end->room = SIZE_MAX;
  world.ends[world.end_count] = end;
  return FD_FIRST + (int)world.end_count++;
}

bool fake_uv_alive(int fd) { return end_of(fd)->stream != NULL; }
void fake_uv_say(int fd, const void *data, size_t len) {
  if (!end_of(fd)->over) add(&end_of(fd)->in, data, len);
}
void fake_uv_chunk(int fd, size_t chunk) {
  end_of(fd)->chunk = chunk ? chunk : 1;
  end_of(fd)->small_reads = 0;
}
void fake_uv_hang_up(int fd, int status) {
  if (!end_of(fd)->over) end_of(fd)->over = status;
}
void fake_uv_room(int fd, size_t bytes) { end_of(fd)->room = bytes; }
void fake_uv_refuse(int fd) { end_of(fd)->refuses = true; }
cmox_span_t fake_uv_said(int fd) { return cmox_span(end_of(fd)->in.data, end_of(fd)->taken); }
cmox_span_t fake_uv_heard(int fd) {
  return cmox_span(end_of(fd)->heard.data, end_of(fd)->heard.len);
}
void fake_uv_pass(uint64_t ms) { world.now_ns += ms * 1000000; }
uint64_t fake_uv_now_ns(void) { return world.now_ns; }

/* ---- A turn ---- */

static uv_timer_t *due(void) {
  uv_timer_t *first = NULL;
  for (size_t i = 0; i < world.timer_count; i++)
    if (!first || world.timers[i]->timeout < first->timeout) first = world.timers[i];
  return first && first->timeout <= first->loop->time ? first : NULL;
}

static void run_timers(void) {
  int spins = 0;
  for (uv_timer_t *timer; (timer = due());) {
    FUZZ_NEED(++spins < SPIN_MAX, "a timer starts itself for now");
    (void)uv_timer_stop(timer);
    timer->timer_cb(timer);
  }
}

static bool readable(const end_t *end) {
  return end->stream && end->reading && (end->taken < end->in.len || (end->over && !end->told));
}

static void read_some(end_t *end) {
  uv_buf_t buffer;
  size_t left = end->in.len - end->taken;
  end->alloc((uv_handle_t *)end->stream, 65536, &buffer);
  if (left == 0) {
    end->told = true;
    end->read(end->stream, end->over, &buffer);
    return;
  }
  if (left > end->chunk && end->small_reads++ < SMALL_READS_MAX) left = end->chunk;
  if (left > buffer.len) left = buffer.len;
  memcpy(buffer.base, end->in.data + end->taken, left);
  end->taken += left;
  end->read(end->stream, (ssize_t)left, &buffer);
}

static bool writable(const end_t *end) {
  return end->stream && end->write && (end->refuses || end->room > 0);
}

static void finish_write(end_t *end, int status) {
  uv_write_t *write = end->write;
  end->write = NULL;
  end->rest.len = 0;
  write->cb(write, status);
}

static size_t fit(end_t *end, size_t len) {
  if (end->room == SIZE_MAX) return len;
  if (len > end->room) len = end->room;
  end->room -= len;
  return len;
}

static void write_some(end_t *end) {
  if (end->refuses) {
    finish_write(end, UV_EPIPE);
    return;
  }
  const size_t len = fit(end, end->rest.len);
  add(&end->heard, end->rest.data, len);
  end->rest.len -= len;
  memmove(end->rest.data, end->rest.data + len, end->rest.len);
  if (end->rest.len == 0) finish_write(end, 0);
}

static void close_one(uv_handle_t *handle) {
  uv_stream_t *stream = (uv_stream_t *)handle;
  end_t *end = handle->type == UV_NAMED_PIPE ? end_behind(stream) : NULL;
  if (end && end->write) finish_write(end, UV_ECANCELED);
  if (end) end->stream = NULL;
  world.open--;
  if (handle->close_cb) handle->close_cb(handle);
}

void fake_uv_turn(void) {
  for (size_t i = 0; i < world.timer_count; i++) uv_update_time(world.timers[i]->loop);
  run_timers();
  for (size_t i = 0; i < world.end_count; i++) {
    if (readable(world.ends[i])) read_some(world.ends[i]);
    if (writable(world.ends[i])) write_some(world.ends[i]);
  }
  if (world.check) world.on_check(world.check);
  uv_handle_t *closing[HANDLES_MAX];
  const size_t count = world.closing_count;
  memcpy(closing, world.closing, count * sizeof *closing);
  world.closing_count = 0;
  for (size_t i = count; i-- > 0;) close_one(closing[i]);
}

bool fake_uv_quiet(void) {
  if (world.idle || world.closing_count) return false;
  for (size_t i = 0; i < world.end_count; i++)
    if (readable(world.ends[i]) || writable(world.ends[i])) return false;
  for (size_t i = 0; i < world.timer_count; i++)
    if (world.timers[i]->timeout <= world.now_ns / 1000000) return false;
  return true;
}

/* ---- libuv's side ---- */

static int init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type) {
  handle->loop = loop;
  handle->type = type;
  handle->flags = 0;
  handle->u.reserved[0] = NULL;
  world.open++;
  return 0;
}

uint64_t uv_hrtime(void) { return world.now_ns; }
void uv_update_time(uv_loop_t *loop) { loop->time = world.now_ns / 1000000; }
void uv_unref(uv_handle_t *handle) { (void)handle; }

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer) {
  return init(loop, (uv_handle_t *)timer, UV_TIMER);
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb on_time, uint64_t ms, uint64_t repeat) {
  FUZZ_NEED(repeat == 0, "no timer repeats");
  (void)uv_timer_stop(timer);
  FUZZ_NEED(world.timer_count < HANDLES_MAX, "too many timers");
  timer->timer_cb = on_time;
  timer->timeout = ms > UINT64_MAX - timer->loop->time ? UINT64_MAX : timer->loop->time + ms;
  world.timers[world.timer_count++] = timer;
  return 0;
}

int uv_timer_stop(uv_timer_t *timer) {
  for (size_t i = 0; i < world.timer_count; i++)
    if (world.timers[i] == timer) world.timers[i--] = world.timers[--world.timer_count];
  return 0;
}

int uv_idle_init(uv_loop_t *loop, uv_idle_t *idle) {
  return init(loop, (uv_handle_t *)idle, UV_IDLE);
}
int uv_idle_start(uv_idle_t *idle, uv_idle_cb on_idle) {
  (void)on_idle;
  world.idle = idle;
  return 0;
}
int uv_idle_stop(uv_idle_t *idle) {
  if (world.idle == idle) world.idle = NULL;
  return 0;
}

int uv_check_init(uv_loop_t *loop, uv_check_t *check) {
  return init(loop, (uv_handle_t *)check, UV_CHECK);
}
int uv_check_start(uv_check_t *check, uv_check_cb on_check) {
  world.check = check;
  world.on_check = on_check;
  return 0;
}
int uv_check_stop(uv_check_t *check) {
  if (world.check == check) world.check = NULL;
  return 0;
}

int uv_pipe_init(uv_loop_t *loop, uv_pipe_t *pipe, int ipc) {
  (void)ipc;
  return init(loop, (uv_handle_t *)pipe, UV_NAMED_PIPE);
}

int uv_pipe_open(uv_pipe_t *pipe, uv_file fd) {
  end_t *end = end_of(fd);
  FUZZ_NEED(!end->stream, "descriptor %d is open already", fd);
  end->stream = (uv_stream_t *)pipe;
  pipe->u.reserved[0] = end;
  return 0;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc, uv_read_cb on_read) {
  end_t *end = end_behind(stream);
  end->alloc = alloc;
  end->read = on_read;
  end->reading = true;
  return 0;
}

int uv_read_stop(uv_stream_t *stream) {
  if (end_behind(stream)) end_behind(stream)->reading = false;
  return 0;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t bufs[], unsigned int count) {
  end_t *end = end_behind(stream);
  size_t total = 0;
  FUZZ_NEED(!uv_is_closing((uv_handle_t *)stream), "a write after the close");
  if (end->write) return UV_EAGAIN;
  if (end->refuses) return UV_EPIPE;
  for (unsigned i = 0; i < count; i++) {
    const size_t len = fit(end, bufs[i].len);
    add(&end->heard, bufs[i].base, len);
    total += len;
    if (len < bufs[i].len) break;
  }
  return total ? (int)total : UV_EAGAIN;
}

int uv_write(uv_write_t *write, uv_stream_t *stream, const uv_buf_t bufs[], unsigned int count,
             uv_write_cb on_write) {
  end_t *end = end_behind(stream);
  FUZZ_NEED(!end->write && count == 1, "one write at a time");
  FUZZ_NEED(!uv_is_closing((uv_handle_t *)stream), "a write after the close");
  write->cb = on_write;
  write->handle = stream;
  end->write = write;
  end->rest.len = 0;
  add(&end->rest, bufs[0].base, bufs[0].len);
  return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream) {
  return end_behind(stream) ? end_behind(stream)->rest.len : 0;
}

#define CLOSING 1u

int uv_is_closing(const uv_handle_t *handle) { return (handle->flags & CLOSING) != 0; }

void uv_close(uv_handle_t *handle, uv_close_cb on_close) {
  FUZZ_NEED(!uv_is_closing(handle), "closed twice");
  handle->flags |= CLOSING;
  handle->close_cb = on_close;
  if (handle->type == UV_TIMER) (void)uv_timer_stop((uv_timer_t *)handle);
  if (handle->type == UV_IDLE) (void)uv_idle_stop((uv_idle_t *)handle);
  if (handle->type == UV_CHECK) (void)uv_check_stop((uv_check_t *)handle);
  if (handle->type == UV_NAMED_PIPE) (void)uv_read_stop((uv_stream_t *)handle);
  FUZZ_NEED(world.closing_count < HANDLES_MAX, "too many handles close");
  world.closing[world.closing_count++] = handle;
}
