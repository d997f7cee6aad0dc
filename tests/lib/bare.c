#include "tests/lib/bare.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/limits.h"
#include "server/transport/transport.h"
#include "tests/lib/leftovers.h"

/* A drain takes three polls, an accepted link one more. */
enum { TURNS_TO_SETTLE = 6 };

struct cmox_site {
  bare_t *bare;
  cmox_hosted_t *hosted; /* NULL: closed */
  cmox_listener_t *listener;
};

static void socket_path(const bare_t *bare, size_t session, char *out, size_t size) {
  (void)snprintf(out, size, "%s/%zu", bare->directory, session);
}

/* ---- The host ---- */

static uint64_t now_ns(void *context) { return ((bare_t *)context)->clock_ns += 1000; }

const uint8_t *bare_session_id(size_t session) {
  static uint8_t id[CMOX_SESSION_ID_BYTES];
  memset(id, (int)(session + 1), sizeof id);
  return id;
}

static cmox_code_t random_bytes(void *context, void *out, size_t len, cmox_error_t *error) {
  (void)error;
  bare_t *bare = context;
  ck_assert_uint_eq(len, CMOX_SESSION_ID_BYTES);
  memcpy(out, bare_session_id(bare->sites), len);
  return CMOX_OK;
}

static void on_shim_link(cmox_listener_t *listener, cmox_link_t *link) {
  cmox_site_t *site = cmox_listener_user(listener);
  if (site->hosted)
    cmox_rpc_accept_shim(site->hosted, link);
  else
    cmox_link_close(link, CMOX_OK);
}

static void on_listener_closed(cmox_listener_t *listener) {
  cmox_site_t *site = cmox_listener_user(listener);
  site->bare->open_sites--;
  free(site);
}

static const cmox_listener_events_t listener_events = {on_shim_link, on_listener_closed};

static cmox_code_t open_site(void *context, cmox_hosted_t *hosted, const cmox_site_wishes_t *wishes,
                             cmox_site_t **out, cmox_error_t *error) {
  (void)wishes;
  bare_t *bare = context;
  char path[128];
  socket_path(bare, bare->sites, path, sizeof path);
  cmox_site_t *site = calloc(1, sizeof *site);
  ck_assert_ptr_nonnull(site);
  *site = (cmox_site_t){.bare = bare, .hosted = hosted};
  cmox_code_t code =
      cmox_listener_open(&bare->loop, path, &listener_events, site, &site->listener, error);
  if (code != CMOX_OK) {
    free(site);
    return code;
  }
  bare->sites++;
  bare->open_sites++;
  *out = site;
  return CMOX_OK;
}

static const char *site_bin(const cmox_site_t *site) {
  (void)site;
  return "/bare/bin";
}

static void site_path(const cmox_site_t *site, cmox_buf_t *out) {
  (void)site;
  cmox_buf_puts(out, "/bare/bin:/usr/local/bin:/usr/bin:/bin");
}

static const char *site_socket(const cmox_site_t *site) {
  (void)site;
  return "/bare/s";
}

static cmox_code_t add_shim(cmox_site_t *site, cmox_span_t command, cmox_error_t *error) {
  (void)site;
  if (command.len > 0 && command.len <= CMOX_COMMAND_NAME_MAX) return CMOX_OK;
  return cmox_fail(error, CMOX_E_BAD_COMMAND_NAME, "a command has 1 to %u bytes",
                   CMOX_COMMAND_NAME_MAX);
}

static cmox_code_t make_absent(cmox_site_t *site, cmox_span_t command, bool *more,
                               cmox_error_t *error) {
  *more = false;
  return add_shim(site, command, error);
}

static cmox_code_t check_shims(cmox_site_t *site, cmox_error_t *error) {
  (void)site;
  (void)error;
  return CMOX_OK;
}

static void close_site(cmox_site_t *site) {
  site->hosted = NULL;
  cmox_listener_close(site->listener);
}

/* ---- Life ---- */

bool bare_open(bare_t *bare) {
  *bare = (bare_t){0};
  sigset_t pipe_signal;
  (void)sigemptyset(&pipe_signal);
  (void)sigaddset(&pipe_signal, SIGPIPE);
  ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL), 0);
  const cmox_rpc_host_t host = {.context = bare,
                                .now_ns = now_ns,
                                .random = random_bytes,
                                .open_site = open_site,
                                .site_bin = site_bin,
                                .site_path = site_path,
                                .site_socket = site_socket,
                                .add_shim = add_shim,
                                .allow = add_shim,
                                .make_absent = make_absent,
                                .check_shims = check_shims,
                                .close_site = close_site};
  ck_assert_int_eq(uv_loop_init(&bare->loop), 0);
  bool good = cmox_transport_init(&bare->loop, NULL) == CMOX_OK;
  if (good && cmox_rpc_new(&bare->loop, &host, &bare->rpc, NULL) != CMOX_OK) {
    cmox_transport_fini(&bare->loop);
    good = false;
  }
  if (!good) {
    (void)uv_run(&bare->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&bare->loop), 0);
    return false;
  }
  scratch_directory(bare->directory, sizeof bare->directory); /* goes also if the test fails */
  return true;
}

static void on_closed(void *user) { ((bare_t *)user)->closed = true; }

void bare_close(bare_t *bare) {
  cmox_rpc_shutdown(bare->rpc, on_closed, bare);
  while (!bare->closed || bare->open_sites) (void)uv_run(&bare->loop, UV_RUN_ONCE);
  cmox_transport_fini(&bare->loop);
  (void)uv_run(&bare->loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(uv_loop_close(&bare->loop), 0);
  ck_assert_int_eq(rmdir(bare->directory), 0);
}

void bare_turn(bare_t *bare) { (void)uv_run(&bare->loop, UV_RUN_NOWAIT); }

void bare_settle(bare_t *bare) {
  for (int i = 0; i < TURNS_TO_SETTLE; i++) bare_turn(bare);
}

/* ---- Links ---- */

static void pump(void *context) { bare_turn(context); }

bool bare_control(bare_t *bare, raw_link_t *link) {
  int ends[2];
  cmox_link_t *accepted = NULL;
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  *link = (raw_link_t){.fd = ends[0], .pump = pump, .context = bare};
  if (cmox_link_open(&bare->loop, ends[1], ends[1], NULL, NULL, &accepted, NULL) == CMOX_OK &&
      cmox_rpc_accept_control(bare->rpc, accepted, NULL, NULL, NULL) == CMOX_OK)
    return true;
  raw_close(link);
  return false;
}

bool bare_shim(bare_t *bare, size_t session, raw_link_t *link) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socket_path(bare, session, address.sun_path, sizeof address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  *link = (raw_link_t){.fd = fd, .pump = pump, .context = bare};
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return true;
  raw_close(link);
  return false;
}
