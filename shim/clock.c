#include "shim/clock.h"

#include "shim/os.h"
#include "shim/say.h"

static uint64_t now(void) {
  const uint64_t ms = cmox_os_now();
  if (ms == 0) cmox_die("the system does not tell the time");
  return ms;
}

uint64_t cmox_clock_deadline(uint32_t ms) { return ms > 0 ? now() + ms : CMOX_OS_FOREVER; }

bool cmox_clock_passed(uint64_t deadline) {
  return deadline != CMOX_OS_FOREVER && now() >= deadline;
}

void cmox_clock_sleep(uint32_t ms, const char *purpose) {
  if (ms == 0 || cmox_os_sleep_until(cmox_clock_deadline(ms))) return;
  cmox_say("cannot wait ");
  cmox_die(purpose);
}
