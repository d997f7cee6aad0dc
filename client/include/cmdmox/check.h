/* cmdmox in Check tests, under CK_FORK=yes and CK_FORK=no.
 *
 * A failing step fails the test at the line of the macro, with the whole report
 * as its message. Call ck_cmox_verify() before your own assertions on results: an
 * unexpected call is most often why they fail, and the report then comes first. After an
 * assertion of yours that fails, Check ends the test on the spot; under CK_FORK=yes nothing
 * more runs in its process, and there is no report.
 *
 * A session that a failing test leaves behind is cleaned up with its process; where
 * tests share one process (CK_FORK=no), add
 *
 *     tcase_add_checked_fixture(tc, NULL, ck_cmox_teardown);
 *
 * so that it does not stay on PATH for the tests that follow, and so that its report is
 * on stderr before they start.
 */
#ifndef CMOX_CHECK_H
#define CMOX_CHECK_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmdmox/cmdmox.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline void cmox_check_fail_forgotten_(void) {
  static char text[CMOX_CHECK_TEXT_MAX_]; /* the failure jumps away from here */
  char place[256];
  if (!cmox_check_forgotten_(place, text)) return;
#if CHECK_MAJOR_VERSION > 0 || CHECK_MINOR_VERSION >= 15
  char *colon = strrchr(place, ':');
  if (colon) *colon = '\0';
  if (colon) _ck_assert_failed(place, atoi(colon + 1), "Failed", "%s", text);
#endif
  ck_abort_msg("%s", text);
}

static inline void cmox_check_cleanup_(cmox_t **mox) {
  cmox_cleanup_(mox);
  cmox_check_fail_forgotten_();
}

/* cmox_replay(), and the test fails when it fails. */
#define ck_cmox_replay(mox)                                                  \
  do {                                                                       \
    char ck_cmox_text_[CMOX_CHECK_TEXT_MAX_];                                \
    if (!cmox_check_step_((mox), "cmox_replay", cmox_replay, ck_cmox_text_)) \
      ck_abort_msg("%s", ck_cmox_text_);                                     \
  } while (0)

/* cmox_verify(), and the test fails when it fails. */
#define ck_cmox_verify(mox)                                                  \
  do {                                                                       \
    char ck_cmox_text_[CMOX_CHECK_TEXT_MAX_];                                \
    if (!cmox_check_step_((mox), "cmox_verify", cmox_verify, ck_cmox_text_)) \
      ck_abort_msg("%s", ck_cmox_text_);                                     \
  } while (0)

/* The assertions of <cmdmox/cmdmox.h> about the calls of a double; the test fails when they fail.
 */
#define ck_cmox_assert_called(dbl) CK_CMOX_ASSERT_(dbl, cmox_assert_called(dbl))
#define ck_cmox_assert_not_called(dbl) CK_CMOX_ASSERT_(dbl, cmox_assert_not_called(dbl))
#define ck_cmox_assert_called_with(dbl, ...) \
  CK_CMOX_ASSERT_(dbl, cmox_assert_called_with(dbl, __VA_ARGS__))
#define ck_cmox_assert_last_call(dbl, call) CK_CMOX_ASSERT_(dbl, cmox_assert_last_call(dbl, call))
#define ck_cmox_assert_any_call(dbl, call) CK_CMOX_ASSERT_(dbl, cmox_assert_any_call(dbl, call))
#define ck_cmox_assert_has_calls(dbl, ...) \
  CK_CMOX_ASSERT_(dbl, cmox_assert_has_calls(dbl, __VA_ARGS__))
#define ck_cmox_assert_has_calls_in_any_order(dbl, ...) \
  CK_CMOX_ASSERT_(dbl, cmox_assert_has_calls_in_any_order(dbl, __VA_ARGS__))

#define CK_CMOX_ASSERT_(dbl, call)                                                    \
  do {                                                                                \
    char ck_cmox_text_[CMOX_CHECK_TEXT_MAX_];                                         \
    if (!cmox_check_told_(cmox_session_of_(dbl), "assertion", (call), ck_cmox_text_)) \
      ck_abort_msg("%s", ck_cmox_text_);                                              \
  } while (0)

/* Takes the session that a test of this process left behind off the environment; when it was
 * replayed and not verified, verifies it, writes to stderr what is wrong, and fails the test.
 * Nothing is freed: a fixture of yours may still do that. A session with CMOX_ENVIRONMENT_NONE,
 * which may belong to several tests, is left alone; it is verified when the process exits. */
static inline void ck_cmox_teardown(void) {
  cmox_check_teardown_();
  cmox_check_fail_forgotten_();
}

/* cmox_free(), for fixtures; the test fails when the session was not verified. */
static inline void ck_cmox_free(cmox_t *mox) {
  cmox_free(mox);
  cmox_check_fail_forgotten_();
}

/* As in <cmdmox/cmdmox.h>; a test that returns without cmox_verify() fails at the line of its first
 * double. */
#undef CMOX_SCOPED
#define CMOX_SCOPED __attribute__((cleanup(cmox_check_cleanup_)))

static inline bool cmox_check_told_(cmox_t *mox, const char *name, cmox_code_t code,
                                    char text[CMOX_CHECK_TEXT_MAX_]) {
  if (code == CMOX_OK) return true;
  const char *message = cmox_message(mox);
  const char *reason = cmox_code_reason(code);
  if (strlen(message) + strlen(name) + strlen(reason) + 16 < CMOX_CHECK_TEXT_MAX_) {
    (void)snprintf(text, CMOX_CHECK_TEXT_MAX_, "%s: %s\n%s", name, reason, message);
  } else {
    (void)fprintf(stderr, "%s: %s\n%s\n", name, reason, message);
    (void)snprintf(text, CMOX_CHECK_TEXT_MAX_,
                   "%s: %s (the whole report is on stderr)\n%.3500s ...", name, reason, message);
  }
  cmox_check_teardown_(); /* a test that fails here does not reach its cmox_free() */
  (void)cmox_check_forgotten_(NULL, NULL);
  return false;
}

static inline bool cmox_check_step_(cmox_t *mox, const char *name, cmox_code_t (*step)(cmox_t *),
                                    char text[CMOX_CHECK_TEXT_MAX_]) {
  return cmox_check_told_(mox, name, step(mox), text);
}

#ifdef __cplusplus
}
#endif

#endif
