#include "client/program/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmdmox/codes.h>

enum { PIECE = 64 << 10, FILE_MAX = 16 << 20 };

static int fail(const cmox_verb_t *verb, const char *path, const char *why) {
  (void)fprintf(stderr, "cmdmox %s: %s: %s\n", verb->name, path, why);
  return cmox_code_exit_status(CMOX_E_IO);
}

const char *cmox_read_all(int fd, cmox_buf_t *out) {
  for (;;) {
    if (out->len > FILE_MAX) return "it is longer than 16 MiB";
    if (!cmox_buf_reserve(out, PIECE)) return "out of memory";
    const ssize_t got = read(fd, out->data + out->len, PIECE);
    if (got == 0) return NULL;
    if (got < 0 && errno != EINTR) return strerror(errno);
    if (got > 0) out->len += (size_t)got;
  }
}

int cmox_file_read(const cmox_verb_t *verb, const char *path, cmox_buf_t *out) {
  const bool is_stdin = strcmp(path, "-") == 0;
  const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(verb, path, strerror(errno));
  const char *why = cmox_read_all(fd, out);
  if (!is_stdin) (void)close(fd);
  return why ? fail(verb, is_stdin ? "stdin" : path, why) : 0;
}

static const char *write_all(int fd, const uint8_t *data, size_t len) {
  while (len > 0) {
    const ssize_t put = write(fd, data, len);
    if (put < 0 && errno != EINTR) return strerror(errno);
    if (put > 0) data += put, len -= (size_t)put;
  }
  return NULL;
}

int cmox_file_check(const cmox_verb_t *verb, const char *path) {
  struct stat info;
  if (strcmp(path, "-") == 0) return 0;
  const bool there = stat(path, &info) == 0;
  if (there && S_ISDIR(info.st_mode)) return fail(verb, path, strerror(EISDIR));
  if (there && !S_ISREG(info.st_mode)) /* opening a pipe and closing it would end it */
    return access(path, W_OK) == 0 ? 0 : fail(verb, path, strerror(errno));
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return fail(verb, path, strerror(errno));
  (void)close(fd);
  return 0;
}

int cmox_file_write(const cmox_verb_t *verb, const char *path, const void *data, size_t len) {
  if (strcmp(path, "-") == 0) {
    const char *why = write_all(STDERR_FILENO, data, len);
    return why ? fail(verb, "stderr", why) : 0;
  }
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return fail(verb, path, strerror(errno));
  const char *why = write_all(fd, data, len);
  if (close(fd) != 0 && !why) why = strerror(errno);
  return why ? fail(verb, path, why) : 0;
}
