/* What a session says, as a C test looks at it. */
#ifndef CMOX_TESTS_MESSAGE_H
#define CMOX_TESTS_MESSAGE_H

#include <check.h>
#include <cmdmox/cmdmox.h>
#include <string.h>

static inline void assert_message_has(cmox_t *mox, const char *part) {
  ck_assert_msg(strstr(cmox_message(mox), part) != NULL, "'%s' is not in: %s", part,
                cmox_message(mox));
}

/* Verifying fails, and that is among what it says. */
static inline void assert_told(cmox_t *mox, const char *part) {
  ck_assert_int_eq(cmox_verify(mox), CMOX_E_VERIFICATION_FAILED);
  assert_message_has(mox, part);
}

#endif
