#include "tests/fuzz/fake_os.h"

#include <string.h>

#include "proto/limits.h"
#include "shim/os.h"
#include "shim/say.h"
#include "tests/fuzz/fuzz.h"

fake_os_t fake_os;

enum { SOCKET = 7, FILE_DESCRIPTOR = 9, SLOWLY = 1000 };

void fake_os_reset(void) {
  memset(&fake_os, 0, offsetof(fake_os_t, pieces));
  memset(&fake_os.piece_count, 0, offsetof(fake_os_t, sent) - offsetof(fake_os_t, piece_count));
  memset(&fake_os.back, 0, sizeof fake_os - offsetof(fake_os_t, back));
  fake_os.now_ms = 1000;
}

bool fake_os_add(fake_os_piece_t piece) {
  if (fake_os.piece_count == FAKE_OS_PIECES_MAX) return false;
  fake_os.pieces[fake_os.piece_count++] = piece;
  return true;
}

void fake_os_run(void (*body)(void *user), void *user) {
  fake_os_forget_line();
  if (setjmp(fake_os.back) == 0) {
    body(user);
    FUZZ_NEED(false, "the shim returned");
  }
  for (size_t i = 0; i < FAKE_OS_MAPS_MAX; i++) free(fake_os.maps[i].block);
}

void fake_os_end(fake_os_end_t how) {
  fake_os.end = how;
  longjmp(fake_os.back, 1);
}

_Noreturn static void end(fake_os_end_t how) { fake_os_end(how); }

static void step(void) { FUZZ_NEED(++fake_os.steps < FAKE_OS_STEPS_MAX, "the shim spins"); }

/* ---- The process ---- */

const char *cmox_os_error_text(int error) { return error == 28 ? "no space" : "an error"; }

void cmox_os_describe(cmox_os_process_t *out) {
  static char a[] = "A=1", path[] = "PATH=/tmp/x/bin:/usr/bin";
  static char *environment[] = {a, path, NULL};
  *out = (cmox_os_process_t){.environment = environment, .cwd_len = 4, .pid = 42, .ppid = 41};
  memcpy(out->cwd, "/tmp", 4);
}

const char *cmox_os_started_as(void) { return "/tmp/x/bin/git"; }

bool cmox_os_program_path(char *out, size_t size) {
  static const char path[] = "/tmp/x/cmdmox-shim";
  FUZZ_NEED(size >= sizeof path, "%zu bytes for a path", size);
  memcpy(out, path, sizeof path);
  return true;
}

const char *cmox_os_variable(const char *name) {
  if (strcmp(name, "CMOX_IPC_TIMEOUT") == 0) return fake_os.timeout;
  return strcmp(name, "CMOX_IPC_SOCKET") == 0 ? fake_os.variable : NULL;
}

bool cmox_os_absolute(const char *path, size_t len) { return len > 0 && path[0] == '/'; }

int cmox_os_random(void *out, size_t len) {
  memset(out, 'k', len);
  return 0;
}

void *cmox_os_map(size_t size) {
  if (fake_os.trouble & FAKE_OS_NO_MEMORY) return NULL;
  for (size_t i = 0; i < FAKE_OS_MAPS_MAX; i++) {
    if (fake_os.maps[i].block) continue;
    fake_os.maps[i].block = calloc(1, size);
    FUZZ_NEED(fake_os.maps[i].block, "out of memory");
    fake_os.maps[i].size = size;
    fake_os.mapped += size;
    if (fake_os.mapped > fake_os.mapped_peak) fake_os.mapped_peak = fake_os.mapped;
    return fake_os.maps[i].block;
  }
  FUZZ_NEED(false, "the shim holds %d blocks", FAKE_OS_MAPS_MAX);
  return NULL;
}

void cmox_os_unmap(void *block, size_t size) {
  for (size_t i = 0; i < FAKE_OS_MAPS_MAX; i++) {
    if (fake_os.maps[i].block != block) continue;
    FUZZ_NEED(fake_os.maps[i].size == size, "unmaps %zu bytes of %zu", size, fake_os.maps[i].size);
    fake_os.mapped -= size;
    free(block);
    fake_os.maps[i].block = NULL;
    return;
  }
  FUZZ_NEED(false, "unmaps what was not mapped");
}

uint64_t cmox_os_now(void) {
  step();
  return fake_os.now_ms;
}

uint64_t cmox_os_now_us(void) { return fake_os.now_ms * 1000; }

bool cmox_os_sleep_until(uint64_t deadline) {
  step();
  if (deadline > fake_os.now_ms) fake_os.now_ms = deadline;
  return true;
}

int cmox_os_read_file(const char *path, void *out, size_t size, size_t *len) {
  if (!fake_os.endpoint || strcmp(path, "/tmp/x/endpoint") != 0) return CMOX_OS_MISSING;
  *len = strlen(fake_os.endpoint);
  if (*len > size) *len = size;
  memcpy(out, fake_os.endpoint, *len);
  return 0;
}

/* ---- The link ---- */

cmox_os_io_t cmox_os_connect(const char *path, uint64_t deadline, cmox_os_socket_t *out,
                             int *error) {
  static const cmox_os_io_t outcomes[] = {CMOX_OS_DONE,   CMOX_OS_CLOSED, CMOX_OS_LATE,
                                          CMOX_OS_ABSENT, CMOX_OS_FAILED, CMOX_OS_DONE};
  step();
  FUZZ_NEED(strlen(path) <= 107, "a path of %zu bytes", strlen(path));
  const unsigned attempt = fake_os.connected++;
  const uint8_t outcome = attempt < sizeof fake_os.connects ? fake_os.connects[attempt] : 0;
  if (outcomes[outcome % 6] == CMOX_OS_LATE && deadline == CMOX_OS_FOREVER) end(FAKE_OS_WAITING);
  if (outcomes[outcome % 6] == CMOX_OS_LATE) fake_os.now_ms = deadline;
  *error = 5;
  *out = SOCKET;
  fake_os.closed = fake_os.blocked = false;
  fake_os.from_server.len = 0;
  return outcomes[outcome % 6];
}

void cmox_os_close(cmox_os_socket_t socket) { FUZZ_NEED(socket == SOCKET, "closes another"); }

cmox_os_io_t cmox_os_send(cmox_os_socket_t socket, const void *data, size_t len, size_t *moved,
                          int *error) {
  step();
  (void)error;
  FUZZ_NEED(socket == SOCKET && len > 0, "sends nothing");
  if (fake_os.closed && fake_os.from_server.len == 0) return CMOX_OS_CLOSED;
  if (fake_os.blocked) return CMOX_OS_AGAIN;
  const bool slow = fake_os.trouble & (FAKE_OS_SENDS_SLOWLY | FAKE_OS_SENDS_NEVER);
  if (slow && len > SLOWLY) len = SLOWLY;
  fake_os.blocked = slow;
  *moved = len;
  if (len > sizeof fake_os.sent - fake_os.sent_len) len = sizeof fake_os.sent - fake_os.sent_len;
  memcpy(fake_os.sent + fake_os.sent_len, data, len);
  fake_os.sent_len += len;
  return CMOX_OS_DONE;
}

static size_t take(fake_os_piece_t *from, void *data, size_t len) {
  if (len > from->len) len = from->len;
  memcpy(data, from->data, len);
  from->data += len;
  from->len -= len;
  return len;
}

cmox_os_io_t cmox_os_receive(cmox_os_socket_t socket, void *data, size_t len, size_t *moved,
                             int *error) {
  step();
  (void)error;
  FUZZ_NEED(socket == SOCKET && len > 0, "receives nothing");
  if (fake_os.from_server.len == 0) return fake_os.closed ? CMOX_OS_CLOSED : CMOX_OS_AGAIN;
  *moved = take(&fake_os.from_server, data, len);
  fake_os.received += *moved;
  return CMOX_OS_DONE;
}

static unsigned ready(void) {
  unsigned is = 0;
  if (fake_os.from_server.len > 0 || fake_os.closed) is |= CMOX_OS_READ;
  if (fake_os.from_stdin.len > 0 || fake_os.stdin_over) is |= CMOX_OS_STDIN;
  if (!fake_os.blocked) is |= CMOX_OS_WRITE;
  return is;
}

/* The next thing happens; false: nothing ever will. What cannot come yet is left out. */
static bool happen(uint64_t deadline) {
  if (fake_os.next == fake_os.piece_count) return false;
  fake_os_piece_t *piece = &fake_os.pieces[fake_os.next];
  if (piece->kind == FAKE_OS_PASS && piece->ms > deadline - fake_os.now_ms) {
    piece->ms -= deadline - fake_os.now_ms;
    fake_os.now_ms = deadline;
    return true;
  }
  fake_os.next++;
  if (piece->kind == FAKE_OS_PASS) fake_os.now_ms += piece->ms;
  if (piece->kind == FAKE_OS_CLOSE) fake_os.closed = true;
  if (piece->kind == FAKE_OS_STDIN_END) fake_os.stdin_over = true;
  if (piece->kind == FAKE_OS_BYTES && !fake_os.closed) fake_os.from_server = *piece;
  if (piece->kind == FAKE_OS_STDIN && !fake_os.stdin_over) fake_os.from_stdin = *piece;
  if (fake_os.trouble & FAKE_OS_SENDS_SLOWLY) fake_os.blocked = false;
  return true;
}

/* Bytes that were not taken yet keep the next ones waiting. */
static bool must_wait(void) {
  if (fake_os.next == fake_os.piece_count) return false;
  const fake_os_kind_t kind = fake_os.pieces[fake_os.next].kind;
  return (kind == FAKE_OS_BYTES && fake_os.from_server.len > 0) ||
         (kind == FAKE_OS_STDIN && fake_os.from_stdin.len > 0);
}

unsigned cmox_os_wait(cmox_os_socket_t socket, unsigned wanted, uint64_t deadline) {
  FUZZ_NEED(socket == SOCKET && wanted, "waits for nothing");
  fake_os.waited_for_stdin = (wanted & CMOX_OS_STDIN) != 0;
  for (;;) {
    step();
    if (ready() & wanted) return ready() & wanted;
    if (fake_os.now_ms >= deadline) return 0;
    if (!must_wait() && happen(deadline)) continue;
    if (fake_os.trouble & FAKE_OS_SENDS_SLOWLY && fake_os.blocked) {
      fake_os.blocked = false;
      continue;
    }
    if (deadline == CMOX_OS_FOREVER) end(FAKE_OS_WAITING);
    fake_os.now_ms = deadline;
  }
}

/* ---- The caller's streams ---- */

static cmox_os_io_t stdin_state(void) {
  step();
  if (fake_os.from_stdin.len > 0) return CMOX_OS_DONE;
  return fake_os.stdin_over ? CMOX_OS_CLOSED : CMOX_OS_AGAIN;
}

cmox_os_io_t cmox_os_read_stdin(void *data, size_t len, size_t *moved) {
  if (stdin_state() != CMOX_OS_DONE) return stdin_state();
  FUZZ_NEED(len > 0, "reads nothing of stdin");
  *moved = take(&fake_os.from_stdin, data, len);
  return CMOX_OS_DONE;
}

cmox_os_io_t cmox_os_more_stdin(void) { return stdin_state(); }

cmox_os_io_t cmox_os_write(int stream, const void *data, size_t len, size_t *moved, int *error) {
  volatile uint8_t seen = 0; /* a sanitizer looks at every byte */
  step();
  const bool file = stream == FILE_DESCRIPTOR && fake_os.file_open;
  FUZZ_NEED(stream == 1 || stream == 2 || file, "writes to %d", stream);
  const bool gone =
      !file && (fake_os.trouble & (stream == 1 ? FAKE_OS_STDOUT_GONE : FAKE_OS_STDERR_GONE));
  const bool full = stream != 2 && (fake_os.trouble & FAKE_OS_DISK_FULL);
  *moved = seen;
  if (len > 0 && gone) return CMOX_OS_CLOSED;
  if (full) len /= 2;
  for (size_t i = 0; i < len; i++) seen = ((const uint8_t *)data)[i];
  fake_os.written += len;
  *moved = len;
  *error = 28;
  return full ? CMOX_OS_FAILED : CMOX_OS_DONE;
}

bool cmox_os_write_line(int stream, const void *data, size_t len) {
  step();
  FUZZ_NEED(stream == 2 && len <= sizeof fake_os.line, "a line of %zu bytes", len);
  memcpy(fake_os.line, data, len);
  fake_os.line_len = len;
  fake_os.lines++;
  return true;
}

/* ---- The files of the call ---- */

int cmox_os_file_create(const char *path, uint32_t mode, int *file) {
  (void)mode;
  step();
  FUZZ_NEED(strlen(path) <= CMOX_FILE_PATH_MAX, "a path of %zu bytes", strlen(path));
  FUZZ_NEED(!fake_os.file_open, "opens two files");
  if (fake_os.trouble & FAKE_OS_NO_MEMORY) return 28;
  fake_os.file_open = true;
  *file = FILE_DESCRIPTOR;
  return 0;
}

int cmox_os_file_close(int file) {
  step();
  FUZZ_NEED(file == FILE_DESCRIPTOR && fake_os.file_open, "closes %d", file);
  fake_os.file_open = false;
  return 0;
}

/* Nothing is traced: CMOX_TRACE is not set. */
int cmox_os_log_open(const char *path) {
  FUZZ_NEED(false, "opens %s", path);
  return 0;
}

uint32_t cmox_os_pid(void) { return 42; }

/* ---- The end ---- */

void cmox_os_exit(int status) {
  fake_os.status = status;
  end(FAKE_OS_EXIT);
}

bool cmox_os_pipe_kills(void) { return !(fake_os.trouble & FAKE_OS_PIPE_IGNORED); }

bool cmox_os_signal_known(const char *name, size_t len) {
  return len > 3 && len < 12 && memcmp(name, "SIG", 3) == 0;
}

void cmox_os_end_by_signal(const char *name, size_t len) {
  FUZZ_NEED(cmox_os_signal_known(name, len), "an unknown signal");
  if (!(fake_os.trouble & FAKE_OS_SURVIVES)) end(FAKE_OS_SIGNAL);
}

void cmox_os_hang(void) { end(FAKE_OS_HANG); }
