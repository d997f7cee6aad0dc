/* What a double answers: replies, in pieces, with files, the real command, or a function of the
 * test. */
#ifndef CMOX_ANSWERS_H
#define CMOX_ANSWERS_H

#include <cmdmox/base.h>

#ifdef __cplusplus
#include <initializer_list>

extern "C" {
#endif

/* ---- Replies ------------------------------------------------------------ */

/* A piece of output that is written on its own, so many ms after the one before it. */
typedef struct cmox_chunk {
  uint32_t delay_ms;
  const char *data; /* NULL: a pause */
  size_t len;       /* bytes; 0: up to the NUL */
  bool to_stderr;
} cmox_chunk_t;

typedef struct cmox_chunks {
  size_t count;
  const cmox_chunk_t *items;
} cmox_chunks_t;

/* A file that the call makes, or that gets this content when it is there. Directories are not
 * made. */
typedef struct cmox_file {
  const char *path;    /* from the working directory of the call */
  const char *content; /* NULL: none */
  size_t content_len;  /* bytes; 0: up to the NUL */
  unsigned mode;       /* permission bits, at most 0777; 0: 0666 less the umask of the call */
} cmox_file_t;

typedef struct cmox_files {
  size_t count;
  const cmox_file_t *items;
} cmox_files_t;

/* .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "10 %\n"), CMOX_ERR_AFTER(50, "slow\n")),
 * .files = CMOX_FILES(CMOX_FILE("app.tar", "..."), CMOX_FILE_MODE("run", "#!/bin/sh\n", 0755))
 * They live as long as the block around them (in C++: as the expression). */
#ifdef __cplusplus
#define CMOX_OUT_AFTER(delay_ms, text) (cmox_chunk_t{(delay_ms), (text), 0, false})
#define CMOX_ERR_AFTER(delay_ms, text) (cmox_chunk_t{(delay_ms), (text), 0, true})
#define CMOX_CHUNKS(...) cmox_chunks_of_({__VA_ARGS__})
#define CMOX_FILE_MODE(path, content, mode) (cmox_file_t{(path), (content), 0, (mode)})
#define CMOX_FILES(...) cmox_files_of_({__VA_ARGS__})
#else
#define CMOX_OUT_AFTER(delay_ms, text) ((cmox_chunk_t){(delay_ms), (text), 0, false})
#define CMOX_ERR_AFTER(delay_ms, text) ((cmox_chunk_t){(delay_ms), (text), 0, true})
#define CMOX_CHUNKS(...)                                                               \
  ((cmox_chunks_t){sizeof((const cmox_chunk_t[]){__VA_ARGS__}) / sizeof(cmox_chunk_t), \
                   (const cmox_chunk_t[]){__VA_ARGS__}})
#define CMOX_FILE_MODE(path, content, mode) ((cmox_file_t){(path), (content), 0, (mode)})
#define CMOX_FILES(...)                                                             \
  ((cmox_files_t){sizeof((const cmox_file_t[]){__VA_ARGS__}) / sizeof(cmox_file_t), \
                  (const cmox_file_t[]){__VA_ARGS__}})
#endif
#define CMOX_FILE(path, content) CMOX_FILE_MODE(path, content, 0)

/* What the command answers: first the chunks, then, after delay_ms, the files, out and err. A file
 * that cannot be made ends the call with status 125 and fails the test. Set size to
 * sizeof(cmox_reply_t); the macro does. */
typedef struct cmox_reply {
  size_t size;
  const char *out CMOX_OPTIONAL_;    /* written to stdout */
  size_t out_len CMOX_OPTIONAL_;     /* bytes; 0: up to the NUL */
  const char *err CMOX_OPTIONAL_;    /* written to stderr */
  size_t err_len CMOX_OPTIONAL_;     /* bytes; 0: up to the NUL */
  int exit_code CMOX_OPTIONAL_;      /* 0..255 */
  const char *signal CMOX_OPTIONAL_; /* "SIGTERM": die by this signal instead of exiting */
  uint32_t delay_ms CMOX_OPTIONAL_;  /* before the files, out and err */
  bool hang CMOX_OPTIONAL_;          /* write, then stay until killed */
  const char *gate
      CMOX_OPTIONAL_; /* answer only when cmox_release() names this gate; NULL: at once */
  cmox_chunks_t chunks CMOX_OPTIONAL_;
  cmox_files_t files CMOX_OPTIONAL_;
} cmox_reply_t;

/* cmox_returns(git, .out = "v1.4.0\n", .exit_code = 0); */
#ifdef __cplusplus
#define cmox_returns(dbl, ...) \
  cmox_returns_at((dbl), CMOX_HERE, cmox_reply_t{.size = sizeof(cmox_reply_t), __VA_ARGS__})
#else
#define cmox_returns(dbl, ...)      \
  cmox_returns_at((dbl), CMOX_HERE, \
                  &(const cmox_reply_t){.size = sizeof(cmox_reply_t), __VA_ARGS__})
#endif
CMOX_API cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                                        const cmox_reply_t *reply);

/* What it answers to the next calls only: to one, or to `times`. Said again, the turns follow each
 * other; then comes what cmox_returns() said, or else the last turn again. */
#ifdef __cplusplus
#define cmox_returns_times(dbl, times, ...)      \
  cmox_returns_times_at((dbl), CMOX_HERE, times, \
                        cmox_reply_t{.size = sizeof(cmox_reply_t), __VA_ARGS__})
#else
#define cmox_returns_times(dbl, times, ...)        \
  cmox_returns_times_at((dbl), CMOX_HERE, (times), \
                        &(const cmox_reply_t){.size = sizeof(cmox_reply_t), __VA_ARGS__})
#endif
#define cmox_returns_once(dbl, ...) cmox_returns_times(dbl, 1, __VA_ARGS__)
CMOX_API cmox_double_t *cmox_returns_times_at(cmox_double_t *dbl, cmox_location_t where,
                                              uint64_t times, const cmox_reply_t *reply);

/* ---- The real command ---------------------------------------------------
 *
 * Has the real command run in place of an answer, through the shim, which keeps out of its way: its
 * streams flow as they would, it gets the signals, and its end is the end of the call. The journal
 * has what it wrote, cmox_capture_stdin() also what it read. It is an answer as any other: in turns
 * with cmox_returns_once(), for some arguments only, behind a gate.
 *
 * It is looked up on the PATH from before the session. CMOX_REAL_COMMAND_<NAME>=/path/to/it in the
 * environment of the call says another one; NAME is that of the command, as it is or in upper case
 * with '_' for all that is no letter or digit (CMOX_REAL_COMMAND_G__ for "g++"). Where it cannot be
 * run the caller gets 126 or 127, as from a shell, and cmox_verify() a remark.
 *
 * Terminals and other devices are handed over and not captured. A stdout or stderr that is a file
 * is the command's own, and read again when it has ended: what others write to that open file
 * meanwhile is captured, too. stdin is never read further than the command reads it, but for a
 * socket that is captured: of that up to 4 KiB more. A pipe that is captured as stdin is slow (some
 * 100 MiB/s). When nothing is captured the shim becomes the command, and the journal does not hear
 * how it ends. Set size to sizeof(cmox_passthrough_t); the macro does. */
typedef struct cmox_passthrough {
  size_t size;
  uint32_t timeout_ms CMOX_OPTIONAL_;        /* TERM after this; 0: never. The call ends with 124 */
  uint32_t kill_after_ms CMOX_OPTIONAL_;     /* KILL so long after TERM; 0: 5,000 */
  uint64_t capture_max_bytes CMOX_OPTIONAL_; /* kept of each stream; 0: 16 MiB */
  bool uncaptured CMOX_OPTIONAL_;  /* stdout and stderr are the command's own, and not kept */
  const char *gate CMOX_OPTIONAL_; /* run only when cmox_release() names this gate; NULL: at once */
  /* An absolute path: this program runs in place of the real command, with the call's arguments,
   * environment, directory and stdin; NULL: the real one. Copied. */
  const char *program CMOX_OPTIONAL_;
} cmox_passthrough_t;

/* Where the shim stays beside the command (ps, signals, heirs of its streams), and what that
 * changes: docs/path.md. A command may run 8 times within itself (make, sh), then its calls are
 * refused: a wrapper that calls itself by name would go on for ever.
 *
 * cmox_passthrough(git); cmox_passthrough(git, .timeout_ms = 10000); _once and _times are for the
 * next calls only, as cmox_returns_times() is. */
#ifdef __cplusplus
#define CMOX_PASSTHROUGH_(...) \
  cmox_passthrough_t { .size = sizeof(cmox_passthrough_t), __VA_ARGS__ }
#define cmox_passthrough(dbl, ...) \
  cmox_passthrough_at((dbl), CMOX_HERE, 0, CMOX_PASSTHROUGH_(__VA_ARGS__))
#define cmox_passthrough_once(dbl, ...) \
  cmox_passthrough_at((dbl), CMOX_HERE, 1, CMOX_PASSTHROUGH_(__VA_ARGS__))
#define cmox_passthrough_times(dbl, times, ...) \
  cmox_passthrough_at((dbl), CMOX_HERE, times, CMOX_PASSTHROUGH_(__VA_ARGS__))
#define cmox_default_passthrough(mox, ...) \
  cmox_default_passthrough_at((mox), CMOX_HERE, CMOX_PASSTHROUGH_(__VA_ARGS__))
#else
/* The size goes last, so that there is something behind the double where nothing else is said. */
#define CMOX_PASSTHROUGH_SIZE_ .size = sizeof(cmox_passthrough_t)
#define CMOX_PASSES_(times, dbl, ...) \
  cmox_passthrough_at((dbl), CMOX_HERE, (times), &(const cmox_passthrough_t){__VA_ARGS__})
#define CMOX_PASSES_TIMES_(dbl, times, ...) CMOX_PASSES_(times, dbl, __VA_ARGS__)
#define CMOX_DEFAULT_PASSES_(mox, ...) \
  cmox_default_passthrough_at((mox), CMOX_HERE, &(const cmox_passthrough_t){__VA_ARGS__})
#define cmox_passthrough(...) CMOX_PASSES_(0, __VA_ARGS__, CMOX_PASSTHROUGH_SIZE_)
#define cmox_passthrough_once(...) CMOX_PASSES_(1, __VA_ARGS__, CMOX_PASSTHROUGH_SIZE_)
#define cmox_passthrough_times(...) CMOX_PASSES_TIMES_(__VA_ARGS__, CMOX_PASSTHROUGH_SIZE_)
#define cmox_default_passthrough(...) CMOX_DEFAULT_PASSES_(__VA_ARGS__, CMOX_PASSTHROUGH_SIZE_)
#endif
/* times 0: for ever. */
CMOX_API cmox_double_t *cmox_passthrough_at(cmox_double_t *dbl, cmox_location_t where,
                                            uint64_t times, const cmox_passthrough_t *how);

/* What answers the calls that no double accepts, in place of 125 and a finding: of commands that
 * have doubles, and of registered ones. They count as accepted, by no double. A call that is one
 * too many, or out of order, is refused all the same. May be said until cmox_verify(); the last
 * word counts. cmox_default_fails() takes it back. */
#ifdef __cplusplus
#define cmox_default_returns(mox, ...) \
  cmox_default_returns_at((mox), CMOX_HERE, cmox_reply_t{.size = sizeof(cmox_reply_t), __VA_ARGS__})
#else
#define cmox_default_returns(mox, ...)      \
  cmox_default_returns_at((mox), CMOX_HERE, \
                          &(const cmox_reply_t){.size = sizeof(cmox_reply_t), __VA_ARGS__})
#endif
#define cmox_default_fails(mox) cmox_default_fails_at((mox), CMOX_HERE)
CMOX_API void cmox_default_returns_at(cmox_t *mox, cmox_location_t where,
                                      const cmox_reply_t *reply);
CMOX_API void cmox_default_fails_at(cmox_t *mox, cmox_location_t where);
/* The real command answers them: a spy on all that the test does not mention. */
CMOX_API void cmox_default_passthrough_at(cmox_t *mox, cmox_location_t where,
                                          const cmox_passthrough_t *how);

/* Answers all calls that wait at this gate. Returns how many; 0 when the session failed. */
CMOX_API uint64_t cmox_release(cmox_t *mox, const char *gate);

/* ---- Code of the test's that runs while a call waits ------------------------
 *
 * A predicate says whether a double accepts a value, a handler stands in for the command. Both run
 * while the code under test waits for its command, so they never run on the test's own thread:
 *
 *  - Predicates run one after the other on one thread of the session's, the dispatcher, which
 *    blocks all signals. A predicate is asked once for a value in a call, perhaps for a double that
 *    does not take the call in the end: it must do nothing but judge, and must not run commands.
 *  - Each handler runs on a thread of its own. Calls that are made at the same time have their
 *    handlers run at the same time, at most 64. Signals are blocked as they were on the thread that
 *    declared the session's first handler or predicate, so that what a handler starts is as
 *    if the test had started it.
 *  - A handler may run commands, mocked ones too, also those that come back to it or to a
 * predicate.
 *  - Both may call any function of this header, but for cmox_replay(), cmox_verify() and
 *    cmox_free(), which fail there. A lock of the test's must not be held by a thread that waits
 * for the command.
 *  - No ck_assert and nothing else that jumps: it would leave the wrong stack. A handler that
 * cannot do its work says so with cmox_handler_fails(): the call ends with 125, and cmox_verify()
 * fails with that text.
 *  - What they wrote is there for the test's thread after its next call of a function of this
 *    session, such as cmox_verify(). `context` stays the caller's and must live until cmox_free().
 *  - They have 30 s (cmox_options_t.callback_deadline_ms); then the call ends with 125 and the test
 *    fails. cmox_free() waits as long for those that are still running. A child of fork() runs
 * none.
 */

/* One call that a handler works on; valid until the handler returns. */
typedef struct cmox_handling cmox_handling_t;
typedef void (*cmox_handler_t)(cmox_handling_t *call, void *context);

/* Has a function answer: cmox_runs(git, on_git, NULL). It is an answer as any other: it takes the
 * place of cmox_returns(), and comes behind the turns of cmox_returns_once(). */
#define cmox_runs(dbl, handler, context) \
  cmox_runs_at((dbl), CMOX_HERE, 0, #handler, (handler), (context))
/* Has it answer the next calls only, as cmox_returns_times() does. */
#define cmox_runs_times(dbl, times, handler, context) \
  cmox_runs_at((dbl), CMOX_HERE, (times), #handler, (handler), (context))
#define cmox_runs_once(dbl, handler, context) cmox_runs_times(dbl, 1, handler, context)
/* times 0: for ever. name, for reports, may be NULL. */
CMOX_API cmox_double_t *cmox_runs_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                                     const char *name, cmox_handler_t handler, void *context);

/* What a handler knows of its call: command, arguments, cwd, and the environment with what
 * cmox_with_env() says; stdin only with cmox_capture_stdin() or cmox_with_stdin(). Owned by the
 * call. */
CMOX_API const struct cmox_invocation *cmox_handled_call(const cmox_handling_t *call);

/* What the command answers; copied at once, so that buffers of the handler's are fine. A handler
 * that says nothing answers with nothing and exit status 0; the last word counts. .gate cannot be
 * used. */
#ifdef __cplusplus
#define cmox_replies(call, ...) \
  cmox_replies_at((call), CMOX_HERE, cmox_reply_t{.size = sizeof(cmox_reply_t), __VA_ARGS__})
#else
#define cmox_replies(call, ...)      \
  cmox_replies_at((call), CMOX_HERE, \
                  &(const cmox_reply_t){.size = sizeof(cmox_reply_t), __VA_ARGS__})
#endif
CMOX_API void cmox_replies_at(cmox_handling_t *call, cmox_location_t where,
                              const cmox_reply_t *reply);

/* Fails the call and the test with this text; the first one counts, whatever else is said. */
CMOX_API void cmox_handler_fails(cmox_handling_t *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}

/* What the macros above call. */
inline cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                                      const cmox_reply_t &reply) {
  return cmox_returns_at(dbl, where, &reply);
}
inline cmox_double_t *cmox_returns_times_at(cmox_double_t *dbl, cmox_location_t where,
                                            uint64_t times, const cmox_reply_t &reply) {
  return cmox_returns_times_at(dbl, where, times, &reply);
}
inline cmox_double_t *cmox_passthrough_at(cmox_double_t *dbl, cmox_location_t where, uint64_t times,
                                          const cmox_passthrough_t &how) {
  return cmox_passthrough_at(dbl, where, times, &how);
}
inline void cmox_default_passthrough_at(cmox_t *mox, cmox_location_t where,
                                        const cmox_passthrough_t &how) {
  cmox_default_passthrough_at(mox, where, &how);
}
inline cmox_chunks_t cmox_chunks_of_(std::initializer_list<cmox_chunk_t> chunks) {
  return cmox_chunks_t{chunks.size(), chunks.begin()};
}
inline cmox_files_t cmox_files_of_(std::initializer_list<cmox_file_t> files) {
  return cmox_files_t{files.size(), files.begin()};
}
inline void cmox_default_returns_at(cmox_t *mox, cmox_location_t where, const cmox_reply_t &reply) {
  cmox_default_returns_at(mox, where, &reply);
}
inline void cmox_replies_at(cmox_handling_t *call, cmox_location_t where,
                            const cmox_reply_t &reply) {
  cmox_replies_at(call, where, &reply);
}
#endif

#endif
