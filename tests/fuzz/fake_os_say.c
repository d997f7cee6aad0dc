/* shim/say.c with a way back: the process that says its one line ends with it, a test goes on. */
// NOLINTNEXTLINE(bugprone-suspicious-include): what is to be reset is static there
#include "shim/say.c"
#include "tests/fuzz/fake_os.h"

void fake_os_forget_line(void) {
  name = "shim";
  used = 0;
}
