/* What calls there were: the journal, and assertions about it. */
#ifndef CMOX_CALLS_H
#define CMOX_CALLS_H

#include <cmdmox/matchers.h>

#ifdef __cplusplus
#include <initializer_list>

extern "C" {
#endif

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
  cmox_bytes_t stdout_data; /* what the double answered, or the real command wrote */
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
  /* Of a call that was passed through: stdin_data, stdout_data and stderr_data are what its real
   * command read and wrote, stdin_truncated that it was more. What nobody kept has no digest. */
  cmox_bytes_t
      program;    /* what ran; empty: the call was not passed through, or did not come so far */
  bool merged;    /* stdout and stderr were one open file: all of it is in stdout_data */
  bool timed_out; /* .timeout_ms was over */
  bool lingering; /* something that the command started still had its output open */
  bool replaced;  /* nothing was captured: the shim became the command, and nobody saw its end */
  const char *passthrough_failure; /* why it could not be run; NULL: it could */
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

#ifdef __cplusplus
}

/* What the macros above call. */
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
#endif

#endif
