/* cmdmox: command mocking for C.
 *
 * A test declares doubles for external commands, calls cmox_replay(), runs the
 * code under test, and calls cmox_verify().
 *
 * Rules that hold for every function here:
 *  - Handles are never NULL. When something fails, a poisoned handle is given
 *    that accepts every call; the failure is kept, and cmox_replay() and
 *    cmox_verify() report all failures together. A test needs no check per line.
 *  - Text arguments are NUL-terminated and copied before the call returns;
 *    functions named _bytes take a pointer and a length in bytes.
 *  - A session may be used from several threads; calls take turns. It may not be
 *    used in another process: after fork() every call fails with CMOX_E_FORKED. Only
 *    cmox_environ(), cmox_shim_directory() and cmox_free() do their work there too.
 *  - The process's environment is changed and restored by the thread that calls
 *    cmox_replay(), cmox_verify() or cmox_free(), as setenv() does: no other thread
 *    may read or change it meanwhile.
 *  - Times are in ms unless the name ends in _ns.
 *
 * From C++17 on everything here can be used. cmox_returns() and CMOX_OPTIONS() need
 * designated initializers (C++20, or an extension of GCC and Clang), in the order of the struct.
 */
#ifndef CMOX_CMDMOX_H
#define CMOX_CMDMOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmdmox/codes.h>

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

/* A session: record, replay, verify. */
typedef struct cmox cmox_t;

/* One expectation of a session. Owned by the session; valid until cmox_free(). */
typedef struct cmox_double cmox_double_t;

/* Bytes of the code under test: data has a NUL after len bytes, and may have
 * NULs inside. */
typedef struct cmox_bytes {
  const char *data;
  size_t len;
} cmox_bytes_t;

/* ---- Session ---------------------------------------------------------- */

typedef enum cmox_environment {
  /* cmox_replay() puts the shims on this process's PATH, and leaves them there when it fails, so
   * that no real command is met. cmox_verify() and cmox_free() give each variable it changed the
   * value from before, whatever it holds by then. One session at a time. */
  CMOX_ENVIRONMENT_PROCESS = 0,
  /* The process's environment stays untouched; use cmox_environ(). */
  CMOX_ENVIRONMENT_NONE = 1
} cmox_environment_t;

/* Set size to sizeof(cmox_options_t), as CMOX_OPTIONS() does; zero means the default everywhere
 * else. */
typedef struct cmox_options {
  size_t size;
  /* A running server ("unix:/path"); NULL: an engine on a thread of this process. */
  const char *address;
  /* The shim program; NULL: CMOX_SHIM, else the installed one. */
  const char *shim;
  /* Where the shim directory is made; NULL: CMOX_TMPDIR, else /tmp, /var/tmp, TMPDIR. */
  const char *temporary_directory;
  /* For people: the test's name. */
  const char *label;
  cmox_environment_t environment;
} cmox_options_t;

/* cmox_new(CMOX_OPTIONS(.label = "clones")) */
#ifdef __cplusplus
#define CMOX_OPTIONS(...) (cmox_options_t{.size = sizeof(cmox_options_t), __VA_ARGS__})
#else
#define CMOX_OPTIONS(...) (&(const cmox_options_t){.size = sizeof(cmox_options_t), __VA_ARGS__})
#endif

/* Starts a session. options may be NULL. The caller owns the result and ends
 * it with cmox_free(). Never NULL; see cmox_code() for what went wrong. After a failure
 * there are no shims, and cmox_replay() changes nothing: code under test that is run
 * all the same meets the real commands. cmox_replay() fails then; check its result. */
CMOX_API cmox_t *cmox_new(const cmox_options_t *options);

/* Ends the session, restores the environment and frees everything it owns;
 * NULL is fine. A session that was replayed and not verified is verified now, and what
 * is wrong is written to stderr; so it is when the process exits before cmox_free(). One that
 * declares something and was never replayed is told of, too. Shims that late children call answer
 * 125 until the process ends. In a child of fork() it frees the child's copy; the parent's session
 * lives on. */
CMOX_API void cmox_free(cmox_t *mox);

/* Frees the session at the end of the scope: CMOX_SCOPED cmox_t *mox = cmox_new(NULL); */
#define CMOX_SCOPED __attribute__((cleanup(cmox_cleanup_)))
CMOX_API void cmox_cleanup_(cmox_t **mox);

/* From here on calls are answered. Doubles may still be declared and refined, until
 * cmox_verify(). Calling it twice is fine.
 *
 * Fails with CMOX_E_BUILDER and the list of all mistakes made while declaring, for the reason for
 * which cmox_new() failed, or because another session is on this process's environment
 * (CMOX_E_ENVIRONMENT_BUSY). Check the result, or use <cmdmox/check.h>: a test that goes on all
 * the same runs code that, after CMOX_E_BUILDER, meets shims that answer 125; after a failed
 * cmox_new(), the real commands; and when busy, the shims of the other session. */
CMOX_API cmox_code_t cmox_replay(cmox_t *mox);

/* Compares what was declared with what happened and restores the environment.
 * CMOX_OK, or CMOX_E_VERIFICATION_FAILED with the report in cmox_message(); CMOX_E_BAD_STATE
 * before cmox_replay(), and what cmox_replay() said when that failed. May be called again. */
CMOX_API cmox_code_t cmox_verify(cmox_t *mox);

/* Why there is no session; else the result of the last cmox_replay() or cmox_verify(); else, or
 * when a mistake was made since, the first mistake that was kept. CMOX_OK when there is none. */
CMOX_API cmox_code_t cmox_code(const cmox_t *mox);

/* The text of cmox_code(): one line, one line per mistake ("file:line: function: what: why"), or
 * the whole report. Owned by the session, valid until its next call; "" when there is none. */
CMOX_API const char *cmox_message(const cmox_t *mox);

/* The environment for the code under test: this process's own as it is now, with the
 * shims on PATH; NULL-terminated, for execve and posix_spawn. Owned by the session, valid until
 * cmox_free(). NULL when the session failed or memory is out.
 *
 * It says what the new program sees, not where that program is looked for: posix_spawnp(), execvp()
 * and execvpe() search the PATH of the process that calls them. With CMOX_ENVIRONMENT_NONE they
 * find the real command; give them "/bin/sh", or the path of the code under test, which
 * then finds the shims. */
CMOX_API char *const *cmox_environ(cmox_t *mox);

/* The directory that goes first on PATH; owned by the session. NULL when the session failed. */
CMOX_API const char *cmox_shim_directory(const cmox_t *mox);

/* ---- Doubles ---------------------------------------------------------- */

typedef enum cmox_kind {
  CMOX_STUB = 1, /* may be called any number of times */
  CMOX_MOCK = 2, /* must be called as often as cmox_times() says, once by default */
  CMOX_SPY = 3   /* records its calls */
} cmox_kind_t;

/* Where the test said it; CMOX_HERE in the macros. */
typedef struct cmox_location {
  const char *file;
  const char *function;
  unsigned line;
} cmox_location_t;

#ifdef __cplusplus
#define CMOX_HERE (cmox_location_t{__FILE__, __func__, __LINE__})
#else
#define CMOX_HERE ((cmox_location_t){__FILE__, __func__, __LINE__})
#endif

#define cmox_stub(mox, command) cmox_double_at((mox), CMOX_STUB, (command), CMOX_HERE)
#define cmox_mock(mox, command) cmox_double_at((mox), CMOX_MOCK, (command), CMOX_HERE)
#define cmox_spy(mox, command) cmox_double_at((mox), CMOX_SPY, (command), CMOX_HERE)

/* Declares a double; the shim is there when it returns. A double without
 * further words accepts every call of its command and answers with nothing and exit status 0. */
CMOX_API cmox_double_t *cmox_double_at(cmox_t *mox, cmox_kind_t kind, const char *command,
                                       cmox_location_t where);

/* Makes a shim for a command that has no double: each call of it is unexpected. */
#define cmox_register_command(mox, command) cmox_register_command_at((mox), (command), CMOX_HERE)
CMOX_API void cmox_register_command_at(cmox_t *mox, const char *command, cmox_location_t where);

/* ---- Matchers --------------------------------------------------------- */

typedef enum cmox_match_kind {
  CMOX_MATCH_EQUALS = 1,
  CMOX_MATCH_ANY = 2,
  CMOX_MATCH_STARTS_WITH = 3,
  CMOX_MATCH_CONTAINS = 4,
  CMOX_MATCH_REGEX = 5
} cmox_match_kind_t;

#define CMOX_TEXT_LENGTH ((size_t)-1) /* "up to the NUL" */

typedef struct cmox_matcher {
  cmox_match_kind_t kind;
  const char *data;
  size_t len; /* bytes, or CMOX_TEXT_LENGTH */
} cmox_matcher_t;

#ifdef __cplusplus
#define CMOX_MATCHER_(kind, data, len) (cmox_matcher_t{kind, data, len})
#else
#define CMOX_MATCHER_(kind, data, len) ((cmox_matcher_t){kind, data, len})
#endif
#define CMOX_EQ(text) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (text), CMOX_TEXT_LENGTH)
#define CMOX_EQ_BYTES(data, len) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (data), (len))
#define CMOX_ANY CMOX_MATCHER_(CMOX_MATCH_ANY, NULL, 0)
#define CMOX_STARTS_WITH(text) CMOX_MATCHER_(CMOX_MATCH_STARTS_WITH, (text), CMOX_TEXT_LENGTH)
#define CMOX_CONTAINS(text) CMOX_MATCHER_(CMOX_MATCH_CONTAINS, (text), CMOX_TEXT_LENGTH)
/* PCRE2 over bytes; not anchored. */
#define CMOX_REGEX(pattern) CMOX_MATCHER_(CMOX_MATCH_REGEX, (pattern), CMOX_TEXT_LENGTH)

/* ---- Refining a double; each returns its double ------------------------
 *
 * A double has one list of arguments, one stdin, one count and one reply: saying it again replaces
 * the whole of what was said before (a second cmox_returns() without .out answers with nothing on
 * stdout). A command that first fails and then succeeds is two mocks: calls that both accept go to
 * the one declared first until it has had its count.
 *
 *     cmox_returns(cmox_mock(mox, "git"), .exit_code = 1);
 *     cmox_returns(cmox_mock(mox, "git"), .out = "done\n");
 */

/* Accepts exactly these arguments (after the command name). */
#ifdef __cplusplus
#define cmox_with_args(dbl, ...) cmox_with_args_at((dbl), CMOX_HERE, {__VA_ARGS__})
#else
#define cmox_with_args(dbl, ...)                                                                   \
  cmox_with_args_at((dbl), CMOX_HERE, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
                    (const char *const[]){__VA_ARGS__})
#endif
CMOX_API cmox_double_t *cmox_with_args_at(cmox_double_t *dbl, cmox_location_t where, size_t count,
                                          const char *const *args);

/* Accepts calls without arguments. */
#define cmox_with_no_args(dbl) cmox_with_args_at((dbl), CMOX_HERE, 0, NULL)

/* Accepts calls with as many arguments as matchers, each accepted by its own. */
#ifdef __cplusplus
#define cmox_with_matching_args(dbl, ...) \
  cmox_with_matching_args_at((dbl), CMOX_HERE, {__VA_ARGS__})
#else
#define cmox_with_matching_args(dbl, ...)                                                       \
  cmox_with_matching_args_at(                                                                   \
      (dbl), CMOX_HERE, sizeof((const cmox_matcher_t[]){__VA_ARGS__}) / sizeof(cmox_matcher_t), \
      (const cmox_matcher_t[]){__VA_ARGS__})
#endif
CMOX_API cmox_double_t *cmox_with_matching_args_at(cmox_double_t *dbl, cmox_location_t where,
                                                   size_t count, const cmox_matcher_t *matchers);

/* Accepts calls whose whole stdin is this. Reads the caller's stdin, to its end; a call whose stdin
 * has no end within 5 s is unexpected. */
#define cmox_with_stdin(dbl, text) cmox_with_matching_stdin_at((dbl), CMOX_HERE, CMOX_EQ(text))
#define cmox_with_stdin_bytes(dbl, data, len) \
  cmox_with_matching_stdin_at((dbl), CMOX_HERE, CMOX_EQ_BYTES((data), (len)))
#define cmox_with_matching_stdin(dbl, matcher) \
  cmox_with_matching_stdin_at((dbl), CMOX_HERE, (matcher))
CMOX_API cmox_double_t *cmox_with_matching_stdin_at(cmox_double_t *dbl, cmox_location_t where,
                                                    cmox_matcher_t matcher);

/* Reads the caller's stdin into the journal. Without this or cmox_with_stdin()
 * stdin is left alone: it belongs to the caller. */
#define cmox_capture_stdin(dbl) cmox_capture_stdin_at((dbl), CMOX_HERE)
CMOX_API cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where);

/* What the command answers. Set size to sizeof(cmox_reply_t); the macro does. */
typedef struct cmox_reply {
  size_t size;
  const char *out;    /* written to stdout */
  size_t out_len;     /* bytes; 0: up to the NUL */
  const char *err;    /* written to stderr */
  size_t err_len;     /* bytes; 0: up to the NUL */
  int exit_code;      /* 0..255 */
  const char *signal; /* "SIGTERM": die by this signal instead of exiting */
  uint32_t delay_ms;  /* before anything is written */
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

/* A mock must be called exactly this often; 0: never. An error on stubs and spies. */
#define cmox_times(dbl, count) cmox_times_at((dbl), CMOX_HERE, (count))
CMOX_API cmox_double_t *cmox_times_at(cmox_double_t *dbl, cmox_location_t where, uint64_t count);

/* ---- Journal ----------------------------------------------------------- */

typedef enum cmox_call_state {
  CMOX_CALL_PENDING = 1,  /* being answered */
  CMOX_CALL_ANSWERED = 2, /* the shim has not yet said that it is done */
  CMOX_CALL_COMPLETED = 3,
  CMOX_CALL_LOST = 4 /* the shim was gone before it was done */
} cmox_call_state_t;

typedef enum cmox_verdict {
  CMOX_VERDICT_NONE = 0, /* not decided yet */
  CMOX_VERDICT_ACCEPTED = 1,
  CMOX_VERDICT_UNEXPECTED = 2,
  CMOX_VERDICT_EXCESS = 3
} cmox_verdict_t;

typedef struct cmox_invocation {
  uint64_t id; /* from 1, in the order of start */
  cmox_bytes_t command;
  size_t argc; /* argv[0] included */
  const cmox_bytes_t *argv;
  size_t env_count;
  const cmox_bytes_t *env; /* raw entries, as the shim saw them, less CMOX_* */
  cmox_bytes_t cwd;
  uint32_t pid;
  uint32_t ppid;
  uint32_t tty_mask; /* bit n: descriptor n is a terminal */
  bool stdin_captured;
  cmox_bytes_t stdin_data;  /* what was read */
  bool stdin_truncated;     /* more followed */
  cmox_bytes_t stdout_data; /* what the double answered */
  cmox_bytes_t stderr_data;
  int exit_code;      /* -1 when ended by a signal or not ended */
  const char *signal; /* "SIGTERM", or NULL */
  uint64_t start_ns;  /* monotonic clock */
  uint64_t end_ns;    /* 0: not ended */
  cmox_call_state_t state;
  cmox_verdict_t verdict;
} cmox_invocation_t;

/* A snapshot; owned by the caller. */
typedef struct cmox_invocations {
  cmox_code_t code; /* CMOX_OK, or why the list is empty */
  size_t count;
  const cmox_invocation_t *items;
} cmox_invocations_t;

/* The calls that this double took, in order of start. Never NULL; free with
 * cmox_invocations_free(). */
CMOX_API cmox_invocations_t *cmox_invocations(cmox_double_t *dbl);

/* All calls of the session, accepted or not. Never NULL; free with cmox_invocations_free(). */
CMOX_API cmox_invocations_t *cmox_journal(cmox_t *mox);

CMOX_API void cmox_invocations_free(cmox_invocations_t *invocations);
#define CMOX_SCOPED_INVOCATIONS __attribute__((cleanup(cmox_invocations_cleanup_)))
CMOX_API void cmox_invocations_cleanup_(cmox_invocations_t **invocations);

/* How many calls this double took; 0 for a poisoned handle. */
CMOX_API uint64_t cmox_call_count(cmox_double_t *dbl);

/* "0.1.0" */
CMOX_API const char *cmox_version(void);

/* For <cmdmox/check.h>. */
CMOX_API void cmox_check_teardown_(void);

#ifdef __cplusplus
}

/* What the macros above call. */
inline cmox_t *cmox_new(const cmox_options_t &options) { return cmox_new(&options); }
inline cmox_double_t *cmox_with_args_at(cmox_double_t *dbl, cmox_location_t where,
                                        std::initializer_list<const char *> args) {
  return cmox_with_args_at(dbl, where, args.size(), args.begin());
}
inline cmox_double_t *cmox_with_matching_args_at(cmox_double_t *dbl, cmox_location_t where,
                                                 std::initializer_list<cmox_matcher_t> matchers) {
  return cmox_with_matching_args_at(dbl, where, matchers.size(), matchers.begin());
}
inline cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                                      const cmox_reply_t &reply) {
  return cmox_returns_at(dbl, where, &reply);
}
#endif

#endif
