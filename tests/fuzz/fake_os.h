/* shim/os.h without a system: a script says what the server sends, what stdin holds, what a pipe
 * takes; time passes only while the shim waits or sleeps. The shim's end is a long jump. */
#ifndef CMOX_TESTS_FAKE_OS_H
#define CMOX_TESTS_FAKE_OS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fake_os_end {
  FAKE_OS_EXIT = 1, /* status */
  FAKE_OS_SIGNAL,
  FAKE_OS_HANG,     /* it was told to */
  FAKE_OS_REPLACED, /* by a real command */
  FAKE_OS_WAITING,  /* for the server or stdin, which are there and silent, without a deadline */
} fake_os_end_t;

enum {
  FAKE_OS_PIECES_MAX = 1024,
  FAKE_OS_BYTES_MAX = 1 << 20,
  FAKE_OS_STEPS_MAX = 300000, /* calls: beyond that the shim spins */
  FAKE_OS_MAPS_MAX = 64
};

/* What comes from outside, in order. The shim meets a piece when it waits. */
typedef enum fake_os_kind {
  FAKE_OS_BYTES, /* from the server */
  FAKE_OS_CLOSE, /* the server hangs up */
  FAKE_OS_STDIN,
  FAKE_OS_STDIN_END,
  FAKE_OS_PASS /* time */
} fake_os_kind_t;

typedef struct fake_os_piece {
  fake_os_kind_t kind;
  const uint8_t *data;
  size_t len;
  uint64_t ms;
} fake_os_piece_t;

/* Bits of `trouble`. */
enum {
  FAKE_OS_STDOUT_GONE = 1, /* its reader */
  FAKE_OS_STDERR_GONE = 2,
  FAKE_OS_DISK_FULL = 4, /* of stdout, and of files that are written */
  FAKE_OS_PIPE_IGNORED = 8,
  FAKE_OS_SENDS_SLOWLY = 16,
  FAKE_OS_SENDS_NEVER = 32, /* beyond the first bytes */
  FAKE_OS_SURVIVES = 64,    /* signals */
  FAKE_OS_NO_MEMORY = 128   /* and no new file */
};

typedef struct fake_os {
  /* The script. */
  const char *endpoint; /* the file beside the program; NULL: none */
  const char *variable; /* CMOX_IPC_SOCKET, or NULL */
  const char *timeout;  /* CMOX_IPC_TIMEOUT, or NULL */
  unsigned trouble;
  uint8_t connects[8]; /* outcomes of cmox_os_connect; 0: done */
  fake_os_piece_t pieces[FAKE_OS_PIECES_MAX];
  size_t piece_count;

  /* What happened. */
  fake_os_end_t end;
  int status;
  unsigned lines; /* of the shim's own */
  char line[8192];
  size_t line_len;
  size_t written; /* to stdout, stderr and files */
  size_t received;
  size_t mapped, mapped_peak; /* bytes */
  bool waited_for_stdin;      /* the last time it waited */
  size_t sent_len;
  uint8_t sent[FAKE_OS_BYTES_MAX]; /* by all connections */

  /* Inside. */
  jmp_buf back;
  uint64_t now_ms;
  unsigned steps, connected;
  size_t next; /* piece */
  fake_os_piece_t from_server, from_stdin;
  bool closed, stdin_over, blocked;
  bool file_open;
  struct {
    void *block;
    size_t size;
  } maps[FAKE_OS_MAPS_MAX];
} fake_os_t;

extern fake_os_t fake_os;

void fake_os_reset(void);
/* Runs what ends in fake_os.end. */
void fake_os_run(void (*body)(void *user), void *user);
_Noreturn void fake_os_end(fake_os_end_t how); /* back to it */
/* A server's bytes, cut into pieces. False: no more room for pieces. */
bool fake_os_add(fake_os_piece_t piece);

/* Of the shim: what main() is called here, and its line as it was at the start. */
int cmox_shim_main(int argc, char **argv);
void fake_os_forget_line(void);

#endif
