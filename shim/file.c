#include "shim/file.h"

#include <string.h>

#include "shim/os.h"
#include "shim/say.h"
#include "shim/trace.h"

static CMOX_COLD char path[CMOX_FILE_PATH_MAX + 1];
static size_t path_len;
static uint64_t total;

/* error: 0 is fine. */
static void need(cmox_call_t *call, int error, const char *step) {
  if (error == 0) return;
  call->failed = (cmox_view_t){(const uint8_t *)path, path_len};
  cmox_call_complete(call, cmox_os_error_text(error));
  cmox_say(step);
  cmox_say_bytes(path, path_len);
  cmox_say(": ");
  cmox_die(cmox_os_error_text(error));
}

static void begin(cmox_call_t *call, const cmox_frame_t *frame) {
  if (call->file || frame->path.len > CMOX_FILE_PATH_MAX)
    cmox_die("the server sent a file that cannot be made");
  path_len = frame->path.len;
  memcpy(path, frame->path.data, path_len);
  path[path_len] = '\0';
  total = 0;
  need(call, cmox_os_file_create(path, frame->mode, &call->file), "cannot create ");
}

void cmox_file_take(cmox_call_t *call, const cmox_frame_t *frame) {
  size_t moved;
  int error = 0;
  if (frame->path.len > 0) begin(call, frame);
  if (!call->file) cmox_die("the server sent a piece of no file");
  const cmox_os_io_t outcome =
      cmox_os_write(call->file, frame->data.data, frame->data.len, &moved, &error);
  need(call, outcome == CMOX_OS_DONE ? 0 : error, "cannot write ");
  total += moved;
  if (!frame->eof) return;
  error = cmox_os_file_close(call->file);
  call->file = 0;
  need(call, error, "cannot write ");
  CMOX_TRACE(SHIM_FILE, CMOX_NO_TEXT, total, 0);
}
