/* Each place is a stretch of the one file, CMOX_SPILL_STREAM_MAX apart; what is not written takes
 * no room on disk, and what came back is given to the file system again where it can take it. So a
 * session has one descriptor for it, however many streams there are. */
#include "server/host/spill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/limits.h"
#include "server/base/alloc.h"

static off_t offset_of(uint32_t place) { return (off_t)(place - 1) * CMOX_SPILL_STREAM_MAX; }

static bool open_file(cmox_spill_file_t *file) {
  if (file->fd >= 0) return true;
  char path[CMOX_SOCKET_PATH_MAX + 16];
  const char *slash = strrchr(file->beside, '/');
  int len = slash ? (int)(slash - file->beside) : 0;
  (void)snprintf(path, sizeof path, "%.*s/" CMOX_SPILL_PREFIX "XXXXXX", len, file->beside);
  file->fd = mkostemp(path, O_CLOEXEC);
  if (file->fd >= 0) (void)unlink(path);
  return file->fd >= 0;
}

static uint32_t spill_begin(cmox_spill_t *spill) {
  cmox_spill_file_t *file = (cmox_spill_file_t *)spill;
  if (!open_file(file)) return 0;
  if (file->free_count) return file->free[--file->free_count];
  /* Room to take it back is made now: that must not fail. */
  uint32_t *grown = cmox_grow(file->free, &file->free_capacity, file->places + 1, sizeof *grown);
  if (!grown) return 0;
  file->free = grown;
  return file->places < CMOX_SPILL_PLACES_MAX ? ++file->places : 0;
}

static bool spill_append(cmox_spill_t *spill, uint32_t place, uint64_t at, cmox_span_t bytes) {
  cmox_spill_file_t *file = (cmox_spill_file_t *)spill;
  if (bytes.len > CMOX_SPILL_SESSION_MAX - file->bytes) return false;
  for (size_t done = 0; done < bytes.len;) {
    ssize_t wrote = pwrite(file->fd, bytes.data + done, bytes.len - done,
                           offset_of(place) + (off_t)at + (off_t)done);
    if (wrote <= 0) return false; /* a disk that is full; signals are blocked on this thread */
    done += (size_t)wrote;
  }
  file->bytes += bytes.len;
  return true;
}

static cmox_span_t spill_map(cmox_spill_t *spill, uint32_t place, size_t len) {
  cmox_spill_file_t *file = (cmox_spill_file_t *)spill;
  void *data = mmap(NULL, len, PROT_READ, MAP_SHARED, file->fd, offset_of(place));
  return data == MAP_FAILED ? cmox_span(NULL, 0) : cmox_span(data, len);
}

static void spill_unmap(cmox_spill_t *spill, cmox_span_t bytes) {
  (void)spill;
  (void)munmap((void *)(uintptr_t)bytes.data, bytes.len);
}

static void spill_end(cmox_spill_t *spill, uint32_t place, uint64_t len) {
  cmox_spill_file_t *file = (cmox_spill_file_t *)spill;
#ifdef FALLOC_FL_PUNCH_HOLE
  (void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(place),
                  CMOX_SPILL_STREAM_MAX);
#endif
  file->bytes -= len;
  file->free[file->free_count++] = place;
}

void cmox_spill_file_init(cmox_spill_file_t *file, const char *beside) {
  *file =
      (cmox_spill_file_t){.door = {spill_begin, spill_append, spill_map, spill_unmap, spill_end},
                          .beside = beside,
                          .fd = -1};
}

void cmox_spill_file_close(cmox_spill_file_t *file) {
  if (file->fd >= 0) (void)close(file->fd);
  cmox_free_block(file->free);
  cmox_spill_file_init(file, NULL);
}
