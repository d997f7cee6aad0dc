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
  /* How many calls the journal keeps, those that started last; 0: all of them, below 0 is refused.
   * cmox_verify() and cmox_call_count() say the same with any bound; cmox_journal() and the
   * assertions about arguments see the calls that are kept. */
  int64_t max_journal_entries;
  /* How long a handler or a predicate may take; 0: 30 s. */
  uint32_t callback_deadline_ms;
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
 * NULL is fine. A session that was replayed and not verified is verified now, what is wrong is
 * written to stderr, and it counts as a failure even if nothing is: the test fails where
 * <cmdmox/check.h> sees it, else the process ends with status 1. So it is when the process exits
 * before cmox_free(). One that declares something and was never replayed is told of, too. Shims
 * that late children call answer 125 until the process ends. In a child of fork() it frees the
 * child's copy; the parent's session lives on. */
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

/* The text of cmox_code() or of the last assertion about calls: one line, one line per mistake
 * ("file:line: function: what: why"), or the whole report, in the format that CMOX_REPORT named
 * when the session began: text, json, junit or tap. A report in text has colour where stdout and
 * stderr are terminals and NO_COLOR is not set. Owned by the session, valid until its next call; ""
 * when there is none. */
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
  CMOX_MATCH_REGEX = 5,
  CMOX_MATCH_ENDS_WITH = 6,
  CMOX_MATCH_GLOB = 7,
  CMOX_MATCH_IS_A = 8,
  CMOX_MATCH_JSON_EQUALS = 9,
  CMOX_MATCH_ALL_OF = 10,
  CMOX_MATCH_ANY_OF = 11,
  CMOX_MATCH_NOT = 12,
  CMOX_MATCH_ONE_OF = 13,
  CMOX_MATCH_UNSET = 14, /* variables only */
  CMOX_MATCH_REST = 15,  /* from here on: lists of arguments only */
  CMOX_MATCH_ANY_ORDER = 16,
  CMOX_MATCH_ARGS_CONTAIN = 17,
  CMOX_MATCH_FLAG = 18,
  CMOX_MATCH_PREDICATE = 19
} cmox_match_kind_t;

/* What CMOX_IS_A() knows. */
typedef enum cmox_type {
  CMOX_INT = 1,   /* digits, perhaps with a sign */
  CMOX_FLOAT = 2, /* a decimal number, inf or nan */
  CMOX_BOOL = 3,  /* true false yes no on off 1 0, in any case of letters */
  CMOX_PATH = 4,  /* not empty */
  CMOX_JSON = 5   /* one JSON value of any kind */
} cmox_type_t;

#define CMOX_TEXT_LENGTH ((size_t)-1) /* "up to the NUL" */

/* Whether a value is accepted; see "Code of the test's that runs while a call waits". */
typedef bool (*cmox_predicate_t)(cmox_bytes_t value, void *context);

typedef struct cmox_matcher {
  cmox_match_kind_t kind;
  const char *data;
  size_t len; /* bytes, or CMOX_TEXT_LENGTH */
  cmox_type_t type;
  size_t count; /* of children or texts */
  const struct cmox_matcher *children;
  const char *const *texts;
  cmox_predicate_t predicate; /* data is its name */
  void *context;
} cmox_matcher_t;

#ifdef __cplusplus
#define CMOX_MATCHER_(kind, data, len) \
  (cmox_matcher_t{kind, data, len, cmox_type_t(), 0, nullptr, nullptr, nullptr, nullptr})
#define CMOX_TYPE_(type) \
  (cmox_matcher_t{CMOX_MATCH_IS_A, nullptr, 0, type, 0, nullptr, nullptr, nullptr, nullptr})
#define CMOX_PREDICATE_(name, predicate, context)                                          \
  (cmox_matcher_t{CMOX_MATCH_PREDICATE, name, CMOX_TEXT_LENGTH, cmox_type_t(), 0, nullptr, \
                  nullptr, predicate, context})
#define CMOX_CHILDREN_(kind, name, ...) cmox_matcher_of_(kind, name, {__VA_ARGS__})
#define CMOX_TEXTS_(kind, ...) cmox_matcher_of_texts_(kind, {__VA_ARGS__})
#else
#define CMOX_MATCHER_(kind, data, len) \
  ((cmox_matcher_t){kind, data, len, 0, 0, NULL, NULL, NULL, NULL})
#define CMOX_TYPE_(type) \
  ((cmox_matcher_t){CMOX_MATCH_IS_A, NULL, 0, type, 0, NULL, NULL, NULL, NULL})
#define CMOX_PREDICATE_(name, predicate, context)                                              \
  ((cmox_matcher_t){CMOX_MATCH_PREDICATE, name, CMOX_TEXT_LENGTH, 0, 0, NULL, NULL, predicate, \
                    context})
#define CMOX_CHILDREN_(kind, name, ...)                                                     \
  ((cmox_matcher_t){kind, name, (name) ? CMOX_TEXT_LENGTH : 0, 0,                           \
                    sizeof((const cmox_matcher_t[]){__VA_ARGS__}) / sizeof(cmox_matcher_t), \
                    (const cmox_matcher_t[]){__VA_ARGS__}, NULL, NULL, NULL})
#define CMOX_TEXTS_(kind, ...)                                                                     \
  ((cmox_matcher_t){kind, NULL, 0, 0, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
                    NULL, (const char *const[]){__VA_ARGS__}, NULL, NULL})
#endif
#define CMOX_EQ(text) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (text), CMOX_TEXT_LENGTH)
#define CMOX_EQ_BYTES(data, len) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (data), (len))
#define CMOX_ANY CMOX_MATCHER_(CMOX_MATCH_ANY, NULL, 0)
#define CMOX_STARTS_WITH(text) CMOX_MATCHER_(CMOX_MATCH_STARTS_WITH, (text), CMOX_TEXT_LENGTH)
#define CMOX_CONTAINS(text) CMOX_MATCHER_(CMOX_MATCH_CONTAINS, (text), CMOX_TEXT_LENGTH)
/* PCRE2 over bytes; not anchored. */
#define CMOX_REGEX(pattern) CMOX_MATCHER_(CMOX_MATCH_REGEX, (pattern), CMOX_TEXT_LENGTH)
#define CMOX_ENDS_WITH(text) CMOX_MATCHER_(CMOX_MATCH_ENDS_WITH, (text), CMOX_TEXT_LENGTH)
/* The whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set, \ takes the next as it is.
 */
#define CMOX_GLOB(pattern) CMOX_MATCHER_(CMOX_MATCH_GLOB, (pattern), CMOX_TEXT_LENGTH)
#define CMOX_IS_A(type) CMOX_TYPE_(type) /* CMOX_IS_A(CMOX_INT) */
/* The same JSON document: white space and the order of members do not count. */
#define CMOX_JSON_EQ(text) CMOX_MATCHER_(CMOX_MATCH_JSON_EQUALS, (text), CMOX_TEXT_LENGTH)
#define CMOX_ONE_OF(...) CMOX_TEXTS_(CMOX_MATCH_ONE_OF, __VA_ARGS__) /* CMOX_ONE_OF("a", "b") */
/* Of other matchers: CMOX_ALL_OF(CMOX_STARTS_WITH("v"), CMOX_NOT(CMOX_EQ("v1"))). The arguments
 * live as long as the block around them; use them in one expression. */
#define CMOX_ALL_OF(...) CMOX_CHILDREN_(CMOX_MATCH_ALL_OF, NULL, __VA_ARGS__)
#define CMOX_ANY_OF(...) CMOX_CHILDREN_(CMOX_MATCH_ANY_OF, NULL, __VA_ARGS__)
#define CMOX_NOT(matcher) CMOX_CHILDREN_(CMOX_MATCH_NOT, NULL, matcher)
/* What a function of the test's accepts: CMOX_PREDICATE(is_even, NULL). It is called while the code
 * under test runs, on another thread; see cmox_runs(). Reports name the function. */
#define CMOX_PREDICATE(function, context) CMOX_PREDICATE_(#function, function, context)

/* In the list of cmox_with_matching_args(). */

/* All arguments that are left, none to many, each accepted by the matcher; last in the list. */
#define CMOX_REST(matcher) CMOX_CHILDREN_(CMOX_MATCH_REST, NULL, matcher)
/* As many arguments as matchers, next to each other, in any order; at most 64. */
#define CMOX_ANY_ORDER(...) CMOX_CHILDREN_(CMOX_MATCH_ANY_ORDER, NULL, __VA_ARGS__)
/* All arguments that are left: each matcher accepts another one of them, in any order, and others
 * may stand among them; last in the list, at most 64. */
#define CMOX_ARGS_CONTAIN(...) CMOX_CHILDREN_(CMOX_MATCH_ARGS_CONTAIN, NULL, __VA_ARGS__)
/* "--name value" or "--name=value": CMOX_FLAG("--name", CMOX_ANY) */
#define CMOX_FLAG(name, matcher) CMOX_CHILDREN_(CMOX_MATCH_FLAG, name, matcher)

/* ---- Refining a double; each returns its double ------------------------
 *
 * A double has one list of arguments, one stdin, one working directory, one count and one lasting
 * reply: saying it again replaces the whole of what was said before (a second cmox_returns()
 * without .out answers with nothing on stdout). Variables, turns of cmox_returns_once() and places
 * in sequences add up. A command that first fails and then succeeds:
 *
 *     cmox_double_t *git = cmox_times(cmox_mock(mox, "git"), 2);
 *     cmox_returns_once(git, .exit_code = 1);
 *     cmox_returns(git, .out = "done\n");
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

/* Accepts calls from this working directory. */
#define cmox_with_cwd(dbl, path) cmox_with_matching_cwd_at((dbl), CMOX_HERE, CMOX_EQ(path))
#define cmox_with_matching_cwd(dbl, matcher) cmox_with_matching_cwd_at((dbl), CMOX_HERE, (matcher))
CMOX_API cmox_double_t *cmox_with_matching_cwd_at(cmox_double_t *dbl, cmox_location_t where,
                                                  cmox_matcher_t matcher);

/* Accepts calls whose environment has this variable accepted by the matcher; with CMOX_UNSET, calls
 * that do not have it. */
#define CMOX_UNSET CMOX_MATCHER_(CMOX_MATCH_UNSET, NULL, 0)
#define cmox_with_matching_env(dbl, name, matcher) \
  cmox_with_matching_env_at((dbl), CMOX_HERE, (name), (matcher))
CMOX_API cmox_double_t *cmox_with_matching_env_at(cmox_double_t *dbl, cmox_location_t where,
                                                  const char *name, cmox_matcher_t matcher);

/* Gives the call this variable: one that has another value is not accepted, and where it is missing
 * it is set for what handles the call, and in the journal. A value of NULL removes it. */
#define cmox_with_env(dbl, name, value) cmox_with_env_at((dbl), CMOX_HERE, (name), (value))
CMOX_API cmox_double_t *cmox_with_env_at(cmox_double_t *dbl, cmox_location_t where,
                                         const char *name, const char *value);

/* Reads the caller's stdin into the journal. Without this or cmox_with_stdin()
 * stdin is left alone: it belongs to the caller. */
#define cmox_capture_stdin(dbl) cmox_capture_stdin_at((dbl), CMOX_HERE)
CMOX_API cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where);

/* The same with limits of your own: bytes (0: 16 MiB) and ms for all of it (0: 5000). Above 1 MiB
 * a stream is on disk, up to 64 MiB of each and 1 GiB of a session; of one that is longer still
 * the journal has the beginning, the length and the digest. */
#define cmox_capture_stdin_up_to(dbl, max_bytes, deadline_ms) \
  cmox_capture_stdin_up_to_at((dbl), CMOX_HERE, (max_bytes), (deadline_ms))
CMOX_API cmox_double_t *cmox_capture_stdin_up_to_at(cmox_double_t *dbl, cmox_location_t where,
                                                    uint64_t max_bytes, uint32_t deadline_ms);

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
  const char *out;    /* written to stdout */
  size_t out_len;     /* bytes; 0: up to the NUL */
  const char *err;    /* written to stderr */
  size_t err_len;     /* bytes; 0: up to the NUL */
  int exit_code;      /* 0..255 */
  const char *signal; /* "SIGTERM": die by this signal instead of exiting */
  uint32_t delay_ms;  /* before the files, out and err */
  bool hang;          /* write, then stay until killed */
  const char *gate;   /* answer only when cmox_release() names this gate; NULL: at once */
  cmox_chunks_t chunks;
  cmox_files_t files;
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
 * that says nothing answers with nothing and exit status 0; the last word counts. .gate, .chunks
 * and .files cannot be used. */
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

/* Answers all calls that wait at this gate. Returns how many; 0 when the session failed. */
CMOX_API uint64_t cmox_release(cmox_t *mox, const char *gate);

/* How often a mock must be called; once when nothing is said. An error on stubs and spies. */
#define CMOX_UNBOUNDED UINT64_MAX
#define cmox_times(dbl, n) cmox_count_at((dbl), CMOX_HERE, "cmox_times", (n), (n))
#define cmox_never(dbl) cmox_count_at((dbl), CMOX_HERE, "cmox_never", 0, 0)
#define cmox_at_least(dbl, n) cmox_count_at((dbl), CMOX_HERE, "cmox_at_least", (n), CMOX_UNBOUNDED)
#define cmox_at_most(dbl, n) cmox_count_at((dbl), CMOX_HERE, "cmox_at_most", 0, (n))
#define cmox_between(dbl, least, most) \
  cmox_count_at((dbl), CMOX_HERE, "cmox_between", (least), (most))
#define cmox_any_times(dbl) cmox_count_at((dbl), CMOX_HERE, "cmox_any_times", 0, CMOX_UNBOUNDED)
CMOX_API cmox_double_t *cmox_count_at(cmox_double_t *dbl, cmox_location_t where,
                                      const char *function, uint64_t least, uint64_t most);

/* Mocks, of whatever commands, that must be called one after the other: each only when those before
 * it have had their least number of calls, and none any more once one behind it has been called.
 * Said again, the order goes on where it ended. */
#ifdef __cplusplus
#define cmox_in_order(...) cmox_in_sequence("", __VA_ARGS__)
#define cmox_in_sequence(name, ...) cmox_in_sequence_at(CMOX_HERE, name, {__VA_ARGS__})
#else
#define cmox_in_order(...) cmox_in_sequence("", __VA_ARGS__)
#define cmox_in_sequence(name, ...)                                                            \
  cmox_in_sequence_at(CMOX_HERE, (name),                                                       \
                      sizeof((cmox_double_t *const[]){__VA_ARGS__}) / sizeof(cmox_double_t *), \
                      (cmox_double_t *const[]){__VA_ARGS__})
#endif
CMOX_API void cmox_in_sequence_at(cmox_location_t where, const char *name, size_t count,
                                  cmox_double_t *const *doubles);

/* Takes a mock out of all sequences again. */
#define cmox_any_order(dbl) cmox_any_order_at((dbl), CMOX_HERE)
CMOX_API cmox_double_t *cmox_any_order_at(cmox_double_t *dbl, cmox_location_t where);

/* A mock that may be called only when the other double has had its least number of calls. */
#define cmox_after(dbl, before) cmox_after_at((dbl), CMOX_HERE, (before))
CMOX_API cmox_double_t *cmox_after_at(cmox_double_t *dbl, cmox_location_t where,
                                      cmox_double_t *before);

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
  CMOX_VERDICT_EXCESS = 3,
  CMOX_VERDICT_OUT_OF_ORDER = 4
} cmox_verdict_t;

/* A variable of cmox_with_env(). */
typedef struct cmox_injected {
  cmox_bytes_t name;
  cmox_bytes_t value;
  bool removed; /* value is empty then */
} cmox_injected_t;

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
  size_t injected_count; /* what cmox_with_env() changes in env */
  const cmox_injected_t *injected;
  uint64_t stdin_length; /* bytes read; more than stdin_data.len when that is the beginning only */
  uint64_t stdout_length;
  uint64_t stderr_length;
  cmox_bytes_t stdin_digest; /* SHA-256, 32 bytes, of all that was read; where stdin_data is the
                                beginning only, else empty. So the others. */
  cmox_bytes_t stdout_digest;
  cmox_bytes_t stderr_digest;
  uint64_t stdout_written; /* bytes, as the shim counted them */
  uint64_t stderr_written;
  bool broken_pipe; /* the reader of stdout or stderr was gone */
} cmox_invocation_t;

/* The value that a variable has for what handles the call: that of env, with what cmox_with_env()
 * changes. NULL: not set. Owned by the snapshot. */
CMOX_API const char *cmox_invocation_env(const cmox_invocation_t *call, const char *name);

/* A snapshot; owned by the caller. */
typedef struct cmox_invocations {
  cmox_code_t code; /* CMOX_OK, or why the list is empty */
  size_t count;
  const cmox_invocation_t *items;
  uint64_t dropped; /* calls before them that max_journal_entries did not keep */
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

/* ---- Assertions about the calls that a double took ----------------------
 *
 * For spies and stubs, whose calls need not be announced; mocks may be asked too. Each gives
 * CMOX_OK or CMOX_E_VERIFICATION_FAILED, with what is wrong in cmox_message(); <cmdmox/check.h> has
 * them as macros that fail the test. They change nothing, and may be used before and after
 * cmox_verify().
 */

typedef enum cmox_assertion {
  CMOX_ASSERT_CALLED = 1,
  CMOX_ASSERT_NOT_CALLED = 2,
  CMOX_ASSERT_CALLED_WITH = 3,
  CMOX_ASSERT_ANY_CALL = 4,
  CMOX_ASSERT_HAS_CALLS = 5,
  CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER = 6
} cmox_assertion_t;

/* The arguments of one call: texts that are equal, or matchers when there are any. */
typedef struct cmox_call_pattern {
  size_t count;
  const char *const *texts;
  const cmox_matcher_t *matchers;
} cmox_call_pattern_t;

/* CMOX_CALL("push", "origin"), CMOX_CALL_MATCHING(CMOX_EQ("push"), CMOX_ANY), CMOX_CALL_NO_ARGS */
#ifdef __cplusplus
#define CMOX_CALL(...) cmox_call_of_texts_({__VA_ARGS__})
#define CMOX_CALL_MATCHING(...) cmox_call_of_matchers_({__VA_ARGS__})
#define CMOX_CALL_NO_ARGS (cmox_call_pattern_t{0, nullptr, nullptr})
#define CMOX_ASSERT_(dbl, name, assertion, ...) \
  cmox_assert_calls_at((dbl), CMOX_HERE, (name), (assertion), {__VA_ARGS__})
#else
#define CMOX_CALL(...)                                                                \
  ((cmox_call_pattern_t){sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
                         (const char *const[]){__VA_ARGS__}, NULL})
#define CMOX_CALL_MATCHING(...)                                                                  \
  ((cmox_call_pattern_t){sizeof((const cmox_matcher_t[]){__VA_ARGS__}) / sizeof(cmox_matcher_t), \
                         NULL, (const cmox_matcher_t[]){__VA_ARGS__}})
#define CMOX_CALL_NO_ARGS ((cmox_call_pattern_t){0, NULL, NULL})
#define CMOX_ASSERT_(dbl, name, assertion, ...)                                         \
  cmox_assert_calls_at(                                                                 \
      (dbl), CMOX_HERE, (name), (assertion),                                            \
      sizeof((const cmox_call_pattern_t[]){__VA_ARGS__}) / sizeof(cmox_call_pattern_t), \
      (const cmox_call_pattern_t[]){__VA_ARGS__})
#endif

/* At least once; never. */
#define cmox_assert_called(dbl) \
  cmox_assert_calls_at((dbl), CMOX_HERE, "cmox_assert_called", CMOX_ASSERT_CALLED, 0, NULL)
#define cmox_assert_not_called(dbl) \
  cmox_assert_calls_at((dbl), CMOX_HERE, "cmox_assert_not_called", CMOX_ASSERT_NOT_CALLED, 0, NULL)
/* The last call had these arguments; one of the calls had; the same with a CMOX_CALL...(). */
#define cmox_assert_called_with(dbl, ...) cmox_assert_last_call(dbl, CMOX_CALL(__VA_ARGS__))
#define cmox_assert_last_call(dbl, call) \
  CMOX_ASSERT_(dbl, "cmox_assert_called_with", CMOX_ASSERT_CALLED_WITH, call)
#define cmox_assert_any_call(dbl, call) \
  CMOX_ASSERT_(dbl, "cmox_assert_any_call", CMOX_ASSERT_ANY_CALL, call)
/* These calls, one after the other and nothing between; and: each of them, in any order. */
#define cmox_assert_has_calls(dbl, ...) \
  CMOX_ASSERT_(dbl, "cmox_assert_has_calls", CMOX_ASSERT_HAS_CALLS, __VA_ARGS__)
#define cmox_assert_has_calls_in_any_order(dbl, ...)                                          \
  CMOX_ASSERT_(dbl, "cmox_assert_has_calls_in_any_order", CMOX_ASSERT_HAS_CALLS_IN_ANY_ORDER, \
               __VA_ARGS__)
CMOX_API cmox_code_t cmox_assert_calls_at(cmox_double_t *dbl, cmox_location_t where,
                                          const char *function, cmox_assertion_t assertion,
                                          size_t count, const cmox_call_pattern_t *calls);

/* "0.1.0" */
CMOX_API const char *cmox_version(void);

/* For <cmdmox/check.h>. */
#define CMOX_CHECK_TEXT_MAX_ 3800 /* Check refuses messages above 4096 bytes altogether */
CMOX_API void cmox_check_teardown_(void);
/* Whether a session of this process was left unverified; its place ("file:line", or "") and what
 * there is to say of it, each of which may be NULL. The process ends with status 1 unless somebody
 * asks. */
CMOX_API bool cmox_check_forgotten_(char place[256], char text[CMOX_CHECK_TEXT_MAX_]);
CMOX_API cmox_t *cmox_session_of_(cmox_double_t *dbl);

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
inline cmox_matcher_t cmox_matcher_of_(cmox_match_kind_t kind, const char *name,
                                       std::initializer_list<cmox_matcher_t> children) {
  return cmox_matcher_t{kind,
                        name,
                        name ? CMOX_TEXT_LENGTH : 0,
                        cmox_type_t(),
                        children.size(),
                        children.begin(),
                        nullptr,
                        nullptr,
                        nullptr};
}
inline cmox_matcher_t cmox_matcher_of_texts_(cmox_match_kind_t kind,
                                             std::initializer_list<const char *> texts) {
  return cmox_matcher_t{kind,    nullptr,       0,       cmox_type_t(), texts.size(),
                        nullptr, texts.begin(), nullptr, nullptr};
}
inline void cmox_in_sequence_at(cmox_location_t where, const char *name,
                                std::initializer_list<cmox_double_t *> doubles) {
  cmox_in_sequence_at(where, name, doubles.size(), doubles.begin());
}
inline cmox_call_pattern_t cmox_call_of_texts_(std::initializer_list<const char *> texts) {
  return cmox_call_pattern_t{texts.size(), texts.begin(), nullptr};
}
inline cmox_call_pattern_t cmox_call_of_matchers_(std::initializer_list<cmox_matcher_t> matchers) {
  return cmox_call_pattern_t{matchers.size(), nullptr, matchers.begin()};
}
inline cmox_code_t cmox_assert_calls_at(cmox_double_t *dbl, cmox_location_t where,
                                        const char *function, cmox_assertion_t assertion,
                                        std::initializer_list<cmox_call_pattern_t> calls) {
  return cmox_assert_calls_at(dbl, where, function, assertion, calls.size(), calls.begin());
}
inline cmox_double_t *cmox_returns_times_at(cmox_double_t *dbl, cmox_location_t where,
                                            uint64_t times, const cmox_reply_t &reply) {
  return cmox_returns_times_at(dbl, where, times, &reply);
}
inline void cmox_replies_at(cmox_handling_t *call, cmox_location_t where,
                            const cmox_reply_t &reply) {
  cmox_replies_at(call, where, &reply);
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
inline cmox_double_t *cmox_returns_at(cmox_double_t *dbl, cmox_location_t where,
                                      const cmox_reply_t &reply) {
  return cmox_returns_at(dbl, where, &reply);
}
#endif

#endif
