/* Without a test framework: what cmox_replay() and cmox_verify() return is the verdict. */
#include <cmdmox/cmdmox.h>
#include <stdio.h>
#include <stdlib.h>

/* The code under test. */
static int fetch(void) { return system("git fetch --all"); }

int main(void) {
  CMOX_SCOPED cmox_t *mox = cmox_new(NULL);
  cmox_with_args(cmox_mock(mox, "git"), "fetch", "--all");
  if (cmox_replay(mox) != CMOX_OK || fetch() != 0 || cmox_verify(mox) != CMOX_OK) {
    (void)fprintf(stderr, "%s\n", cmox_message(mox));
    return 1;
  }
  return 0;
}
