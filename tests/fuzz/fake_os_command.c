/* The real command of shim/os.h: the last byte of its path says what it is, and there are no pipes
 * for it: it replaces the shim, or cannot be run. */
#include <errno.h>
#include <string.h>

#include "shim/os.h"
#include "tests/fuzz/fake_os.h"
#include "tests/fuzz/fuzz.h"

char **cmox_os_environment(void) {
  static cmox_os_process_t process;
  cmox_os_describe(&process);
  return process.environment;
}

cmox_os_found_t cmox_os_look_at(const char *path, int *error) {
  const size_t len = strlen(path);
  FUZZ_NEED(len < CMOX_OS_PATH_MAX, "a path of %zu bytes", len);
  *error = len % 2 ? ENOENT : EACCES;
  switch (len > 0 ? path[len - 1] % 4 : 1) {
    case 0:
      return CMOX_OS_IS_PROGRAM;
    case 1:
      return CMOX_OS_IS_NOTHING;
    case 2:
      return CMOX_OS_IS_REFUSED;
    default:
      return CMOX_OS_IS_SELF;
  }
}

bool cmox_os_is_missing(int error) { return error == ENOENT; }

int cmox_os_become(const char *path, char **argv, char **environment) {
  FUZZ_NEED(argv[0] && environment[0], "nothing to run %s with", path);
  volatile size_t seen = 0; /* a sanitizer looks at every byte */
  for (char **entry = environment; *entry; entry++) seen = seen + strlen(*entry);
  if (strlen(path) % 3 == 0) return EACCES;
  fake_os_end(FAKE_OS_REPLACED);
}

int cmox_os_pipe(int ends[2], int own, bool small) {
  (void)own, (void)small;
  ends[0] = ends[1] = -1;
  return EMFILE;
}

bool cmox_os_end(int *fd) { return *fd = -1, true; }
cmox_os_kind_t cmox_os_kind(int stream) {
  return stream == 0 ? CMOX_OS_KIND_PIPE : CMOX_OS_KIND_FILE;
}
bool cmox_os_same_streams(void) { return false; }
bool cmox_os_is_named(int stream, int own) { return stream == own; }
int cmox_os_reader(int stream, uint64_t *next) { return (void)stream, *next = 0, -1; }
int cmox_os_writer(int stream, cmox_os_kind_t kind) { return (void)kind, stream; }

cmox_os_io_t cmox_os_get(int fd, void *data, size_t len, size_t *moved, int *error) {
  (void)fd, (void)data, (void)len;
  *moved = 0;
  *error = EIO;
  return CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_put(int fd, cmox_os_kind_t kind, const void *data, size_t len, size_t *moved,
                         int *error) {
  (void)fd, (void)kind, (void)data, (void)len;
  *moved = 0;
  *error = EIO;
  return CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_splice(int from, int to, size_t len, size_t *moved) {
  (void)from, (void)to, (void)len;
  *moved = 0;
  return CMOX_OS_FAILED;
}

cmox_os_io_t cmox_os_copy(int from, int to, size_t len, size_t *moved) {
  return cmox_os_splice(from, to, len, moved);
}

size_t cmox_os_waiting(int fd) { return fd >= 0 ? 0 : 1; }
bool cmox_os_offset(int stream, uint64_t *offset) { return *offset = 0, stream > 0; }
bool cmox_os_set_offset(int stream, uint64_t offset) { return stream > 0 && offset > 0; }

cmox_os_io_t cmox_os_get_at(int stream, uint64_t offset, void *data, size_t len, size_t *moved) {
  int error;
  (void)offset;
  return cmox_os_get(stream, data, len, moved, &error);
}

int cmox_os_memory_file(int *fd) { return *fd = -1, ENOSYS; }

bool cmox_os_watch(cmox_os_watch_t *watches, size_t count, uint64_t deadline) {
  for (size_t i = 0; i < count; i++) watches[i].ready = 0;
  return deadline == 0;
}

int cmox_os_child_start(cmox_os_child_t *child, const int streams[3], const char *path, char **argv,
                        char **environment) {
  (void)child, (void)streams;
  return cmox_os_become(path, argv, environment);
}

cmox_os_state_t cmox_os_child_attend(cmox_os_child_t *child, cmox_os_end_t *end) {
  (void)child, (void)end;
  FUZZ_NEED(false, "attends to no child");
  return CMOX_OS_ENDED;
}

void cmox_os_child_stop_too(const cmox_os_child_t *child) {
  (void)child;
  FUZZ_NEED(false, "no child has stopped");
}

void cmox_os_child_end(const cmox_os_child_t *child, bool at_once) {
  (void)child, (void)at_once;
  FUZZ_NEED(false, "ends no child");
}

bool cmox_os_linger(void) { return false; }

void cmox_os_let_go_but(const int *kept, size_t count) {
  (void)kept;
  (void)count;
}
