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
char **cmox_os_environment(void); /* the same as there */
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

/* The real command. Descriptors here are of the launcher's own: above 2, never inherited but where
 * cmox_os_child_start puts them. */

typedef enum cmox_os_found {
  CMOX_OS_IS_PROGRAM,
  CMOX_OS_IS_NOTHING, /* *error: ENOENT or its like */
  CMOX_OS_IS_REFUSED, /* it is there and may not be run; *error says why */
  CMOX_OS_IS_SELF     /* this launcher, by whatever name */
} cmox_os_found_t;

cmox_os_found_t cmox_os_look_at(const char *path, int *error);
/* Whether running it failed since there is nothing, or something that cannot run. */
bool cmox_os_is_missing(int error);
/* This process becomes it, as a shell would run it: a text without #! by sh. Returns an error. */
int cmox_os_become(const char *path, char **argv, char **environment);

/* Both ends of a pipe; the launcher's end (0: it reads, 1: it writes) does not block. small: it
 * holds one write of a page at most. */
int cmox_os_pipe(int ends[2], int own, bool small);
bool cmox_os_end(int *fd); /* closes it, if it is one, and makes it -1; false: that failed */

/* What the caller gave as one of its streams. */
typedef enum cmox_os_kind {
  CMOX_OS_KIND_NONE, /* closed, or not opened for reading (0) or writing (1, 2) */
  CMOX_OS_KIND_FILE, /* has an offset */
  CMOX_OS_KIND_PIPE,
  CMOX_OS_KIND_SOCKET,
  CMOX_OS_KIND_OTHER /* a terminal or another device */
} cmox_os_kind_t;
cmox_os_kind_t cmox_os_kind(int stream);
/* stdout and stderr are one pipe, socket or file, however often that was opened. */
bool cmox_os_same_streams(void);
/* A descriptor for cmox_os_put: of a pipe one that does not block, where that can be had, though
 * the caller's blocks; it is not to be closed. */
int cmox_os_writer(int stream, cmox_os_kind_t kind);
/* A descriptor for cmox_os_get_at of stdout or stderr that is a file, and where the next that is
 * written to it begins. Below 0: it cannot be read. */
int cmox_os_reader(int stream, uint64_t *next);
/* A pipe of the caller's has a name: readers may come again. own: a pipe of cmox_os_pipe. */
bool cmox_os_is_named(int stream, int own);

/* None of these waits. DONE, AGAIN, CLOSED (the end of the file; nobody reads) or FAILED.
 * cmox_os_put to anything but a pipe or socket may block as the command itself would. */
cmox_os_io_t cmox_os_get(int fd, void *data, size_t len, size_t *moved, int *error);
cmox_os_io_t cmox_os_put(int fd, cmox_os_kind_t kind, const void *data, size_t len, size_t *moved,
                         int *error);
/* From a pipe to a stream past this process. CLOSED: the pipe's end; ABSENT: nobody reads; FAILED:
 * it cannot be done with these. */
cmox_os_io_t cmox_os_splice(int from, int to, size_t len, size_t *moved);
/* The same between pipes, and what is copied stays in the first. */
cmox_os_io_t cmox_os_copy(int from, int to, size_t len, size_t *moved);
size_t cmox_os_waiting(int fd); /* bytes in a pipe, seen from either end */
/* The offset of a stream that is a file; false: it has none. */
bool cmox_os_offset(int stream, uint64_t *offset);
bool cmox_os_set_offset(int stream, uint64_t offset);
cmox_os_io_t cmox_os_get_at(int stream, uint64_t offset, void *data, size_t len, size_t *moved);
int cmox_os_memory_file(int *fd); /* 0 or an error */

/* Waits for any of them. wanted: CMOX_OS_READ or CMOX_OS_WRITE or 0; ready also CMOX_OS_GONE:
 * nobody is at the other end. fd below 0 is passed over. False: the system cannot wait. */
enum { CMOX_OS_GONE = 16 };
typedef struct cmox_os_watch {
  int fd;
  unsigned wanted, ready;
} cmox_os_watch_t;
enum { CMOX_OS_WATCHES_MAX = 8 };
bool cmox_os_watch(cmox_os_watch_t *watches, size_t count, uint64_t deadline);

typedef struct cmox_os_child {
  int pid;
  int signals;     /* readable when something is to be attended to */
  int *exec_error; /* in memory that it shares */
} cmox_os_child_t;

typedef struct cmox_os_end {
  int error; /* it never ran, and why; 0: it ran */
  int exit_code;
  char signal[12]; /* "": it exited */
} cmox_os_end_t;

/* Starts a child that dies with this process, with streams as its 0, 1 and 2 (-1: the caller's).
 * From here on this process takes no signals but by cmox_os_child_attend. 0 or an error. */
int cmox_os_child_start(cmox_os_child_t *child, const int streams[3], const char *path, char **argv,
                        char **environment);
typedef enum cmox_os_state {
  CMOX_OS_RUNS,
  CMOX_OS_STOPPED,
  CMOX_OS_ENDED,
  CMOX_OS_LOST /* the system does not tell; end->error says why */
} cmox_os_state_t;
/* Sends on what was sent to this process, and says what the child does. Of one that has ended it
 * fills in *end, and this process takes signals as its caller had it. */
cmox_os_state_t cmox_os_child_attend(cmox_os_child_t *child, cmox_os_end_t *end);
/* Stops this process as the child did; when it goes on, so does the child. */
void cmox_os_child_stop_too(const cmox_os_child_t *child);
void cmox_os_child_end(const cmox_os_child_t *child, bool at_once); /* TERM, or KILL */
/* A copy of this process that nobody waits for, and that only its own end or SIGKILL ends; true:
 * this is the copy. */
bool cmox_os_linger(void);
/* Closes every descriptor but these; below 0: none. */
void cmox_os_let_go_but(const int *kept, size_t count);

/* The end. */

/* A child that still runs is killed. */
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
