#include "server/host/watchers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DESCRIPTORS_EXPECTED = 16384 }; /* 128 KiB of table; more calls at once are nobody's test */

/* A descriptor that can be watched, as high as the limit allows; -1: none. */
static int highest_descriptor(void) {
  struct rlimit limit;
  int ends[2];
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0 || pipe(ends) != 0) return -1;
  int top = limit.rlim_cur < DESCRIPTORS_EXPECTED ? (int)limit.rlim_cur : DESCRIPTORS_EXPECTED;
  int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, top - 1);
  (void)close(ends[0]);
  (void)close(ends[1]);
  return fd;
}

static void on_event(uv_poll_t *handle, int status, int events) {
  (void)handle;
  (void)status;
  (void)events;
}

void cmox_watchers_reserve(uv_loop_t *loop, uv_poll_t *handle) {
  int fd = highest_descriptor();
  if (fd < 0) return;
  if (uv_poll_init(loop, handle, fd) == 0) {
    (void)uv_poll_start(handle, UV_READABLE, on_event); /* this is where the table grows */
    uv_close((uv_handle_t *)handle, NULL);
  }
  (void)close(fd);
}
