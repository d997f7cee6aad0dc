/* Finds the server. The steps:
 *   1. the file "endpoint" beside the program: this session's address, which wins over the
 *      environment, or nested sessions would answer each other's calls. Started as D/bin/git,
 *      that is D/endpoint; started by a link from elsewhere, it is where the link leads;
 *   2. only when there is no such file: CMOX_IPC_SOCKET;
 *   3. the address must be a Unix socket; one in the file is relative to the file's directory, so
 *      that the directory can be mounted elsewhere.
 * Failures: neither exists, the file cannot be read (never a reason to ask the environment), a
 * malformed address, a scheme this platform lacks, a path that does not fit sun_path. */
#include "shim/endpoint.h"

#include <string.h>

#include "proto/address.h"
#include "proto/timeout.h"
#include "shim/bytes.h"
#include "shim/os.h"
#include "shim/say.h"

#define FILE_NAME "endpoint"

/* Room for the longest address there is; what is cut was too long anyway. */
enum { TEXT_MAX = CMOX_SOCKET_PATH_MAX + 64 };

/* Longer paths of D/bin are found by asking the system. */
enum { NEAR_MAX = 256 };

/* Up to and with the last '/'; 0 when there is none. */
static size_t directory_len(const char *path) {
  size_t len = strlen(path);
  while (len > 0 && path[len - 1] != '/') len--;
  return len;
}

/* D/bin/git was started: D, without asking the system, which is the dearest step of finding the
 * endpoint. False when it was started by another kind of path. */
static bool above_bin(char *out, size_t size, size_t *len) {
  const char *path = cmox_os_started_as();
  const size_t directory = path ? directory_len(path) : 0;
  if (directory < 4 || directory >= size || memcmp(path + directory - 4, "bin/", 4) != 0)
    return false;
  *len = directory - 4;
  if (*len > 0 && path[*len - 1] != '/') return false;
  memcpy(out, path, *len);
  return true;
}

static bool beside_program(char *out, size_t size, size_t *len) {
  if (!cmox_os_program_path(out, size)) return false;
  *len = directory_len(out);
  return true;
}

_Noreturn static void refuse(cmox_code_t why, const char *source, const char *text, size_t len) {
  cmox_say(why == CMOX_E_UNSUPPORTED_SCHEME ? "unsupported address scheme"
           : why == CMOX_E_PATH_TOO_LONG    ? "the socket's path is too long (at most 107 bytes)"
                                            : "malformed address");
  cmox_say(" in ");
  cmox_say(source);
  cmox_say(": ");
  cmox_say_bytes(text, len < 256 ? len : 256);
  cmox_die("");
}

/* directory: of the file, "" for the environment. */
static void take(cmox_endpoint_t *out, const char *source, const char *directory,
                 size_t directory_length, const char *text, size_t len) {
  cmox_address_t address;
  cmox_code_t why = cmox_address_parse(text, len, &address);
  if (why == CMOX_OK && address.scheme != CMOX_SCHEME_UNIX) why = CMOX_E_UNSUPPORTED_SCHEME;
  if (why != CMOX_OK) refuse(why, source, text, len);
  if (cmox_os_absolute(address.path, address.path_len)) directory_length = 0;
  if (directory_length + address.path_len > CMOX_SOCKET_PATH_MAX)
    refuse(CMOX_E_PATH_TOO_LONG, source, text, len);
  memcpy(out->path, directory, directory_length);
  memcpy(out->path + directory_length, address.path, address.path_len);
  out->path[directory_length + address.path_len] = '\0';
}

/* False when the directory, the first bytes of path, has no such file. */
static bool take_file(cmox_endpoint_t *out, char *path, size_t directory) {
  char text[TEXT_MAX];
  size_t len = 0;
  memcpy(path + directory, FILE_NAME, sizeof FILE_NAME);
  const int error = cmox_os_read_file(path, text, sizeof text, &len);
  if (error == CMOX_OS_MISSING) return false;
  if (error != 0) {
    cmox_say("cannot read ");
    cmox_say(path);
    cmox_say(": ");
    cmox_die(cmox_os_error_text(error));
  }
  if (len > 0 && text[len - 1] == '\n') len--;
  take(out, path, path, directory, text, len);
  return true;
}

static bool find_file(cmox_endpoint_t *out) {
  static CMOX_COLD char path[CMOX_OS_PATH_MAX + sizeof FILE_NAME];
  char near[NEAR_MAX + sizeof FILE_NAME]; /* on a page that is in use already */
  size_t directory = 0;
  if (above_bin(near, NEAR_MAX, &directory) && take_file(out, near, directory)) return true;
  return beside_program(path, CMOX_OS_PATH_MAX, &directory) && take_file(out, path, directory);
}

void cmox_endpoint_find(cmox_endpoint_t *out) {
  if (!find_file(out)) {
    const char *text = cmox_os_variable("CMOX_IPC_SOCKET");
    if (!text || !*text)
      cmox_die(
          "no endpoint, so no session: cmox_replay() comes later, or the environment was cleared"
          " (CMOX_IPC_SOCKET is not set, and no file \"" FILE_NAME "\" is beside the shim)");
    take(out, "CMOX_IPC_SOCKET", "", 0, text, strlen(text));
  }
  const char *timeout = cmox_os_variable("CMOX_IPC_TIMEOUT");
  if (cmox_timeout_parse(timeout, &out->silence_ms)) return;
  cmox_say("invalid CMOX_IPC_TIMEOUT '");
  cmox_say_bytes(timeout, strlen(timeout) < 40 ? strlen(timeout) : 40);
  cmox_die("': give seconds above 0, such as 2.5, or none");
}
