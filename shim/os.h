/* The platform seam of the launcher: everything that differs between POSIX and
 * Windows stands behind these calls, and nothing else in shim/ includes a
 * system header.
 *
 * Contract: one thread, nothing here allocates but cmox_os_map. Calls block
 * only where a deadline or a delay says so, or where they write to the caller's
 * own streams. Interrupted system calls are restarted, but not for ever. An error is a
 * positive number of the platform, made readable by cmox_os_error_text. */
#ifndef CMOX_SHIM_OS_H
#define CMOX_SHIM_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMOX_OS_PATH_MAX 4096u

const char *cmox_os_error_text(int error);

/* This process. */

typedef struct cmox_os_process {
  char **environment; /* NULL-terminated, raw */
  size_t cwd_len;     /* 0 when it cannot be told */
  uint32_t pid, ppid;
  uint32_t tty_mask;          /* bit n: descriptor n is a terminal */
  char cwd[CMOX_OS_PATH_MAX]; /* last: its end is rarely touched */
} cmox_os_process_t;

void cmox_os_describe(cmox_os_process_t *out);
/* The path this program was started by, which a caller cannot fake as it can argv[0]; NULL when
 * the system does not tell. */
const char *cmox_os_started_as(void);
/* The file this program is, links resolved; false when the system does not tell. */
bool cmox_os_program_path(char *out, size_t size);
const char *cmox_os_variable(const char *name); /* NULL when not set */
bool cmox_os_absolute(const char *path, size_t len);
int cmox_os_random(void *out, size_t len); /* 0 or an error */

/* Memory, zeroed; NULL when there is none. */
void *cmox_os_map(size_t size);
void cmox_os_unmap(void *block, size_t size);

/* Monotonic time, ms; 0: the system does not tell it (shim/clock.h dies then). A deadline is a
 * moment on that clock. */
#define CMOX_OS_FOREVER UINT64_MAX
uint64_t cmox_os_now(void);
uint64_t cmox_os_now_us(void);               /* the same, in microseconds */
bool cmox_os_sleep_until(uint64_t deadline); /* false: the system cannot wait */

/* Files. 0, CMOX_OS_MISSING, or an error; a file above size bytes is cut. */
#define CMOX_OS_MISSING (-1)
int cmox_os_read_file(const char *path, void *out, size_t size, size_t *len);

/* A file of the caller's, to be written with cmox_os_write: emptied when it is there, of exactly
 * this mode, or for mode 0 as its umask has it. Never on descriptors 0 to 2. 0 or an error. */
int cmox_os_file_create(const char *path, uint32_t mode, int *file);
int cmox_os_file_close(int file); /* 0, or why what was written is not there */

/* The link to the server. Never on descriptors 0 to 2, never inherited. */
typedef intptr_t cmox_os_socket_t;

typedef enum cmox_os_io {
  CMOX_OS_DONE,
  CMOX_OS_AGAIN,  /* nothing now: wait */
  CMOX_OS_CLOSED, /* the other end is gone; a stream: nobody reads it */
  CMOX_OS_LATE,   /* the deadline passed */
  CMOX_OS_ABSENT, /* nobody listens there; *error says how it was told */
  CMOX_OS_FAILED  /* *error */
} cmox_os_io_t;

/* path is NUL-terminated and at most CMOX_SOCKET_PATH_MAX bytes. Waits in the
 * queue of a busy server until the deadline. */
cmox_os_io_t cmox_os_connect(const char *path, uint64_t deadline, cmox_os_socket_t *out,
                             int *error);
void cmox_os_close(cmox_os_socket_t socket);
/* Some bytes, without waiting; *moved is set on CMOX_OS_DONE and above 0. */
cmox_os_io_t cmox_os_send(cmox_os_socket_t socket, const void *data, size_t len, size_t *moved,
                          int *error);
cmox_os_io_t cmox_os_receive(cmox_os_socket_t socket, void *data, size_t len, size_t *moved,
                             int *error);

/* Waits until one of the wanted things would not block. Returns what is ready,
 * 0 at the deadline, CMOX_OS_ERROR when the system cannot wait. A closed peer counts as readable,
 * so does a stdin that is closed or at its end. */
enum { CMOX_OS_READ = 1, CMOX_OS_WRITE = 2, CMOX_OS_STDIN = 4, CMOX_OS_ERROR = 8 };
unsigned cmox_os_wait(cmox_os_socket_t socket, unsigned wanted, uint64_t deadline);

/* The caller's streams: 0 stdin, 1 stdout, 2 stderr; for cmox_os_write a file too. */

/* After cmox_os_wait said CMOX_OS_STDIN. CMOX_OS_CLOSED is the end of the file. */
cmox_os_io_t cmox_os_read_stdin(void *data, size_t len, size_t *moved);
/* After cmox_os_wait said CMOX_OS_STDIN: is there more? Consumes one byte only
 * where the system cannot tell otherwise. CMOX_OS_DONE: yes; CMOX_OS_CLOSED: the end. */
cmox_os_io_t cmox_os_more_stdin(void);
/* Writes everything; *moved is what went out. CMOX_OS_DONE, CMOX_OS_CLOSED or CMOX_OS_FAILED.
 * Does not die of a closed pipe; see cmox_os_pipe_kills. */
cmox_os_io_t cmox_os_write(int stream, const void *data, size_t len, size_t *moved, int *error);

/* One line of our own, at most PIPE_BUF bytes, best effort: a stream that takes nothing for a
 * second gets nothing, and the launcher ends all the same. False: it was not written. */
bool cmox_os_write_line(int stream, const void *data, size_t len);

/* A file to append lines to, with cmox_os_write_line: created for this user only, no link, never on
 * descriptors 0 to 2, never inherited. 0: it cannot be had. */
int cmox_os_log_open(const char *path);
uint32_t cmox_os_pid(void);

/* The end. */

_Noreturn void cmox_os_exit(int status);
/* After a write found its pipe closed: would that have ended the process? A caller may have had
 * it ignored. */
bool cmox_os_pipe_kills(void);
/* True when the platform has a signal of that name that ends a process. */
bool cmox_os_signal_known(const char *name, size_t len);
/* Dies by it, without a core file; returns only when the process survived. */
void cmox_os_end_by_signal(const char *name, size_t len);
_Noreturn void cmox_os_hang(void); /* until killed */

#endif
