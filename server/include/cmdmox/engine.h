/* The engine for embedders: owns sessions, shim directories, journals; speaks
 * the protocol of docs/protocol.md on every link it is given. Test authors use <cmdmox/cmdmox.h>.
 */
#ifndef CMOX_ENGINE_H
#define CMOX_ENGINE_H

#include <stddef.h>

#include <cmdmox/codes.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmox_engine cmox_engine_t;

/* Set size to sizeof(cmox_engine_options_t); zero means the default everywhere else. */
typedef struct cmox_engine_options {
  size_t size;
  /* The shim program; NULL: CMOX_SHIM, else the installed one. */
  const char *shim;
  /* Parent of shim directories; NULL: CMOX_TMPDIR, else /tmp, /var/tmp, TMPDIR. */
  const char *temporary_directory;
  /* Called on the engine's thread whenever there is another number of test clients or of sessions:
   * so many there are now. It must not block, nor call the engine. NULL: nobody wants to know. */
  void (*populated)(void *user, size_t clients, size_t sessions);
  void *populated_user;
} cmox_engine_options_t;

/* Starts an engine on a thread of its own, with all signals blocked there.
 * It leaves the process's signal dispositions, limits and umask alone.
 * options may be NULL. On success *out is owned by the caller, to be ended with
 * cmox_engine_stop(). On failure *out is NULL and error[0..size) (may be NULL, 0) holds one line.
 */
CMOX_API cmox_code_t cmox_engine_start(const cmox_engine_options_t *options, cmox_engine_t **out,
                                       char *error, size_t size);

/* A new control link to the engine: one end of a connected socket pair, close-on-exec, owned
 * by the caller. Closing it deletes the sessions that were created over it. */
CMOX_API cmox_code_t cmox_engine_connect(cmox_engine_t *engine, int *fd, char *error, size_t size);

/* Lets clients connect at an address ("unix:/path"); may be called several times.
 * Returns when the address accepts connections. Only peers with this process's
 * user id, or root, are served. A socket that a dead server has left there is replaced.
 * CMOX_E_UNSUPPORTED_SCHEME for pipe: and tcp: as yet. */
CMOX_API cmox_code_t cmox_engine_listen(cmox_engine_t *engine, const char *address, char *error,
                                        size_t size);

/* Serves the link (in, out) on the calling thread until the peer closes it;
 * a process of its own then (cmdmox serve --stdio). The descriptors are closed. Any thread; not
 * on the engine's own. */
CMOX_API cmox_code_t cmox_engine_serve_fds(cmox_engine_t *engine, int in, int out, char *error,
                                           size_t size);

/* Ends all sessions and links, joins the thread and frees the engine; NULL is fine. Shim
 * directories stay, as tombstones that answer 125, until the process ends. */
CMOX_API void cmox_engine_stop(cmox_engine_t *engine);

#ifdef __cplusplus
}
#endif

#endif
