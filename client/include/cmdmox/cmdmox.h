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

#include <cmdmox/answers.h>
#include <cmdmox/base.h>
#include <cmdmox/calls.h>
#include <cmdmox/matchers.h>

#ifdef __cplusplus
#include <initializer_list>

extern "C" {
#endif

/* ---- Session ---------------------------------------------------------- */

typedef enum cmox_environment {
  /* cmox_replay() puts the shims on this process's PATH, and leaves them there when it fails, so
   * that no real command is met. cmox_verify() and cmox_free() give each variable it changed the
   * value from before, whatever it holds by then; of one that occurred twice in the environment,
   * the entry that getenv() gave. One session at a time. */
  CMOX_ENVIRONMENT_PROCESS = 0,
  /* The process's environment stays untouched; use cmox_environ(). */
  CMOX_ENVIRONMENT_NONE = 1
} cmox_environment_t;

/* Set size to sizeof(cmox_options_t), as CMOX_OPTIONS() does; zero means the default everywhere
 * else. */
typedef struct cmox_options {
  size_t size;
  /* A running server ("unix:/path"); NULL: an engine on a thread of this process. */
  const char *address CMOX_OPTIONAL_;
  /* The shim program; NULL: CMOX_SHIM, else the installed one. */
  const char *shim CMOX_OPTIONAL_;
  /* Where the shim directory is made; NULL: CMOX_TMPDIR, else /tmp, /var/tmp, TMPDIR. */
  const char *temporary_directory CMOX_OPTIONAL_;
  /* For people: the test's name. */
  const char *label CMOX_OPTIONAL_;
  cmox_environment_t environment CMOX_OPTIONAL_;
  /* How many calls the journal keeps, those that started last; 0: all of them, below 0 is refused.
   * cmox_verify() and cmox_call_count() say the same with any bound; cmox_journal() and the
   * assertions about arguments see the calls that are kept. */
  int64_t max_journal_entries CMOX_OPTIONAL_;
  /* How long a handler or a predicate may take; 0: 30 s. */
  uint32_t callback_deadline_ms CMOX_OPTIONAL_;
  /* The shims stand in the place of PATH, and every command that is installed there has one: each
   * call of what has no double is unexpected, unless cmox_allow() names it. What counts is PATH as
   * it is when cmox_new() is called, and what is installed there then. */
  bool contained CMOX_OPTIONAL_;
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
 * CMOX_OK or CMOX_E_VERIFICATION_FAILED, with the report in cmox_message(): also of a test that
 * passed, if there are remarks (a call that was killed or still runs, a real command that could not
 * be run or took too long) or CMOX_REPORT names a format other than text. CMOX_E_BAD_STATE
 * before cmox_replay(), and what cmox_replay() said when that failed. May be called again. */
CMOX_API cmox_code_t cmox_verify(cmox_t *mox);

/* Why there is no session; else the result of the last cmox_replay() or cmox_verify(); else, or
 * when a mistake was made since, the first mistake that was kept. CMOX_OK when there is none. */
CMOX_API cmox_code_t cmox_code(const cmox_t *mox);

/* The text of cmox_code() or of the last assertion about calls: one line, one line per mistake
 * ("file:line: function: what: why"), or the whole report, in the format that CMOX_REPORT named
 * when the session began: text, json, junit or tap. A report in text is "" when there is nothing to
 * tell, and has colour where stdout and stderr are terminals and NO_COLOR is not set. Owned by the
 * session, valid until its next call; "" when there is none. */
CMOX_API const char *cmox_message(const cmox_t *mox);

/* The environment for the code under test: this process's own as it is now, with the
 * shims on PATH; NULL-terminated, for execve and posix_spawn. Owned by the session, valid until
 * cmox_free(). NULL when the session failed and when memory is out. When PATH has changed since
 * cmox_new() though the session is contained or has absent commands, it is the PATH from then, and
 * a mistake that cmox_replay() or cmox_verify() tells.
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

/* In a contained session: these commands run for real, the first of each name on PATH. Until
 * cmox_verify(). They are started by another path, in the shims' directory: see docs/path.md. A
 * mistake: a name that is not on PATH, one that has a double or is absent, a
 * session that is not contained. cmox_allow(mox, "ls", "sed"); */
#ifdef __cplusplus
#define cmox_allow(mox, ...) cmox_allow_at((mox), CMOX_HERE, {__VA_ARGS__})
#else
#define cmox_allow(mox, ...)                                                                   \
  cmox_allow_at((mox), CMOX_HERE, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
                (const char *const[]){__VA_ARGS__})
#endif
CMOX_API void cmox_allow_at(cmox_t *mox, cmox_location_t where, size_t count,
                            const char *const *commands);

/* Has a command look as if it were not installed: no search of PATH finds it. Before cmox_replay().
 * In a session that is not contained each directory of PATH that has the command gets a stand-in
 * with links to everything else that is there; PATH must have no relative entry, and be the one
 * that it was when cmox_new() was called. A mistake: a command that has a double or is allowed. */
#define cmox_absent(mox, command) cmox_absent_at((mox), (command), CMOX_HERE)
CMOX_API void cmox_absent_at(cmox_t *mox, const char *command, cmox_location_t where);

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
 * stdin is left alone: it belongs to the caller. A real command (cmox_passthrough()) reads it
 * itself, and what it reads is in the journal. */
#define cmox_capture_stdin(dbl) cmox_capture_stdin_at((dbl), CMOX_HERE)
CMOX_API cmox_double_t *cmox_capture_stdin_at(cmox_double_t *dbl, cmox_location_t where);

/* The same with limits of your own: bytes (0: 16 MiB) and ms for all of it (0: 5000). Above 1 MiB
 * a stream is on disk, up to 64 MiB of each and 1 GiB of a session; of one that is longer still
 * the journal has the beginning, the length and the digest. */
#define cmox_capture_stdin_up_to(dbl, max_bytes, deadline_ms) \
  cmox_capture_stdin_up_to_at((dbl), CMOX_HERE, (max_bytes), (deadline_ms))
CMOX_API cmox_double_t *cmox_capture_stdin_up_to_at(cmox_double_t *dbl, cmox_location_t where,
                                                    uint64_t max_bytes, uint32_t deadline_ms);

/* Reads the caller's stdin to its end and drops it, so that who writes to the command gets no
 * SIGPIPE. */
#define cmox_drain_stdin(dbl) cmox_drain_stdin_at((dbl), CMOX_HERE)
CMOX_API cmox_double_t *cmox_drain_stdin_at(cmox_double_t *dbl, cmox_location_t where);

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
inline void cmox_allow_at(cmox_t *mox, cmox_location_t where,
                          std::initializer_list<const char *> commands) {
  cmox_allow_at(mox, where, commands.size(), commands.begin());
}
inline void cmox_in_sequence_at(cmox_location_t where, const char *name,
                                std::initializer_list<cmox_double_t *> doubles) {
  cmox_in_sequence_at(where, name, doubles.size(), doubles.begin());
}
#endif

#endif
