/* The composition: a loop on a thread of its own, the transport, the services,
 * and a site on disk for every session.
 *
 * Other threads talk to the loop through jobs: a job is queued, the loop is woken,
 * the caller waits until the job has run. The thread blocks all signals:
 * libuv writes without MSG_NOSIGNAL, and SIGPIPE must neither reach the user's
 * threads nor be ignored for the process.
 *
 * Out of memory: libuv aborts where it cannot grow its descriptor table, which is therefore grown
 * at start (watchers.h; the rest is listed in docs/reliability.md); everything else answers
 * CMOX_E_NO_MEMORY. */
#include <cmdmox/engine.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/address.h"
#include "server/base/alloc.h"
#include "server/base/trace.h"
#include "server/host/site.h"
#include "server/host/streams.h"
#include "server/host/watchers.h"
#include "server/rpc/rpc.h"
#include "server/transport/transport.h"

/* What a loop of libuv holds: epoll, eventfd, two pipes; and two in reserve. */
enum { LOOP_DESCRIPTORS = 8 };

/* One piece of work for the loop's thread; lives on the caller's stack. */
typedef struct job {
  cmox_code_t (*run)(cmox_engine_t *engine, struct job *job);
  struct job *next;
  uv_sem_t done;
  cmox_code_t code;
  cmox_error_t error;
  int in, out; /* descriptors of a new link */
  const char *path;
  bool waits_for_close; /* done when the link it opened has closed */
} job_t;

typedef struct control_listener {
  struct control_listener *next;
  cmox_engine_t *engine;
  cmox_listener_t *listener;
} control_listener_t;

struct cmox_engine {
  uv_loop_t loop;
  uv_thread_t thread;
  uv_async_t wake;
  uv_poll_t reserve; /* see watchers.h */
  uv_mutex_t mutex;  /* of jobs */
  job_t *jobs;
  cmox_rpc_t *rpc;
  cmox_shimdir_settings_t settings;
  cmox_sites_t sites;
  void (*populated)(void *user, size_t clients, size_t sessions);
  void *populated_user;
  control_listener_t *listeners;
  size_t open_listeners;
  bool stopping;
  bool rpc_closed;
};

static cmox_code_t copy_error(const cmox_error_t *error, char *text, size_t size) {
  if (size) (void)snprintf(text, size, "%s", error->message);
  return error->code;
}

/* ---- What the rpc module needs of the host ------------------------------------ */

static uint64_t now_ns(void *context) {
  (void)context;
  return uv_hrtime();
}

static cmox_code_t random_bytes(void *context, void *out, size_t len, cmox_error_t *error) {
  (void)context;
  int failed = uv_random(NULL, NULL, out, len, 0, NULL);
  if (!failed) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO, "random bytes: %s", uv_strerror(failed));
}

static void check_stopped(void *user) {
  cmox_engine_t *engine = user;
  if (!engine->stopping || !engine->rpc_closed || engine->open_listeners || engine->sites.open)
    return;
  cmox_transport_fini(&engine->loop);
  uv_close((uv_handle_t *)&engine->wake, NULL);
  engine->stopping = false; /* once */
}

/* ---- The loop's thread --------------------------------------------------------- */

static void on_wake(uv_async_t *wake) {
  cmox_engine_t *engine = wake->data;
  uv_mutex_lock(&engine->mutex);
  job_t *jobs = engine->jobs;
  engine->jobs = NULL;
  uv_mutex_unlock(&engine->mutex);
  while (jobs) {
    job_t *job = jobs;
    jobs = job->next;
    job->code = job->run(engine, job);
    if (job->code != CMOX_OK || !job->waits_for_close) uv_sem_post(&job->done);
  }
}

static void loop_thread(void *data) {
  cmox_engine_t *engine = data;
  (void)uv_run(&engine->loop, UV_RUN_DEFAULT);
}

/* Runs a job on the loop's thread and waits for it. */
static cmox_code_t run_job(cmox_engine_t *engine, job_t *job) {
  if (uv_sem_init(&job->done, 0))
    return cmox_fail(&job->error, CMOX_E_NO_MEMORY, "engine: no semaphore");
  uv_mutex_lock(&engine->mutex);
  job_t **last = &engine->jobs;
  while (*last) last = &(*last)->next;
  *last = job;
  uv_mutex_unlock(&engine->mutex);
  (void)uv_async_send(&engine->wake);
  uv_sem_wait(&job->done);
  uv_sem_destroy(&job->done);
  return job->code;
}

/* ---- Start and stop -------------------------------------------------------------- */

static cmox_code_t start_thread(cmox_engine_t *engine, cmox_error_t *error) {
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = uv_thread_create(&engine->thread, loop_thread, engine);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!failed) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO, "engine: cannot start a thread: %s", uv_strerror(failed));
}

static cmox_code_t open_parts(cmox_engine_t *engine, cmox_error_t *error) {
  cmox_rpc_host_t host = {.context = &engine->sites,
                          .isolated = engine->settings.isolated,
                          .now_ns = now_ns,
                          .random = random_bytes,
                          .populated = engine->populated,
                          .populated_user = engine->populated_user};
  cmox_sites_offer(&host);
  engine->wake.data = engine;
  cmox_code_t code = cmox_transport_init(&engine->loop, error);
  if (code != CMOX_OK) return code;
  code = cmox_rpc_new(&engine->loop, &host, &engine->rpc, error);
  if (code != CMOX_OK) cmox_transport_fini(&engine->loop);
  return code;
}

static void run_out(uv_loop_t *loop) {
  (void)uv_run(loop, UV_RUN_DEFAULT);
  (void)uv_loop_close(loop);
}

static void ignore_closed(void *user) { (void)user; }

/* libuv 1.44 aborts when the pipe of its first loop cannot be made, and leaks a descriptor when a
 * loop comes to be only in part. So first see that there are as many as it takes. */
static cmox_code_t check_descriptors(cmox_error_t *error) {
  int fds[LOOP_DESCRIPTORS];
  size_t count = 0;
  while (count < LOOP_DESCRIPTORS && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    count++;
  const int why = errno;
  for (size_t i = 0; i < count; i++) (void)close(fds[i]);
  if (count == LOOP_DESCRIPTORS) return CMOX_OK;
  return cmox_fail(error, CMOX_E_IO,
                   "engine: cannot make a loop: %s; close some, or raise the limit (ulimit -n)",
                   uv_strerror(-why));
}

static cmox_code_t open_loop(cmox_engine_t *engine, cmox_error_t *error) {
  cmox_code_t code = check_descriptors(error);
  if (code != CMOX_OK) return code;
  int failed = uv_loop_init(&engine->loop);
  if (failed)
    return cmox_fail(error, CMOX_E_IO, "engine: cannot make a loop: %s", uv_strerror(failed));
  failed = uv_async_init(&engine->loop, &engine->wake, on_wake);
  if (failed) {
    run_out(&engine->loop);
    return cmox_fail(error, CMOX_E_IO, "engine: cannot make a loop: %s", uv_strerror(failed));
  }
  cmox_watchers_reserve(&engine->loop, &engine->reserve);
  code = open_parts(engine, error);
  if (code == CMOX_OK) {
    code = start_thread(engine, error);
    if (code == CMOX_OK) return CMOX_OK;
    cmox_rpc_shutdown(engine->rpc, ignore_closed, NULL);
    cmox_transport_fini(&engine->loop);
  }
  uv_close((uv_handle_t *)&engine->wake, NULL);
  run_out(&engine->loop);
  return code;
}

cmox_code_t cmox_engine_start(const cmox_engine_options_t *options, cmox_engine_t **out, char *text,
                              size_t size) {
  *out = NULL;
  cmox_error_t error = {.code = CMOX_OK};
  cmox_engine_options_t given = {0};
  if (options) { /* an older caller's struct is shorter */
    size_t known = options->size < sizeof given ? options->size : sizeof given;
    memcpy(&given, options, known);
  }
  if (options && options->size < sizeof options->size) {
    (void)cmox_fail(&error, CMOX_E_INVALID_ARGUMENT,
                    "engine: options.size is not sizeof(cmox_engine_options_t)");
    return copy_error(&error, text, size);
  }
  cmox_shimdir_options_t where = {.shim = given.shim,
                                  .temporary_directory = given.temporary_directory};
  cmox_engine_t *engine = cmox_calloc(1, sizeof *engine);
  if (!engine || uv_mutex_init(&engine->mutex)) {
    cmox_free_block(engine);
    (void)cmox_fail(&error, CMOX_E_NO_MEMORY, "engine: out of memory");
    return copy_error(&error, text, size);
  }
  cmox_code_t code = cmox_shimdir_settings_read(&where, &engine->settings, &error);
  cmox_trace_hold(getenv("CMOX_TRACE"));
  const char *watch = getenv("CMOX_WATCH");
  engine->sites = (cmox_sites_t){.loop = &engine->loop,
                                 .settings = &engine->settings,
                                 .watches = watch && *watch,
                                 .closed = check_stopped,
                                 .user = engine};
  engine->populated = given.populated;
  engine->populated_user = given.populated_user;
  cmox_streams_hold();
  if (code == CMOX_OK) code = open_loop(engine, &error);
  if (code == CMOX_OK) {
    CMOX_TRACE(ENGINE_START, cmox_trace_text(CMDMOX_VERSION));
    *out = engine;
    return CMOX_OK;
  }
  cmox_streams_release();
  cmox_trace_release();
  cmox_shimdir_settings_clear(&engine->settings);
  uv_mutex_destroy(&engine->mutex);
  cmox_free_block(engine);
  return copy_error(&error, text, size);
}

static void on_rpc_closed(void *user) {
  cmox_engine_t *engine = user;
  engine->rpc_closed = true;
  check_stopped(engine);
}

static cmox_code_t stop_job(cmox_engine_t *engine, job_t *job) {
  (void)job;
  engine->stopping = true;
  for (control_listener_t *at = engine->listeners; at; at = at->next)
    cmox_listener_close(at->listener);
  engine->listeners = NULL;
  cmox_rpc_shutdown(engine->rpc, on_rpc_closed, engine);
  return CMOX_OK;
}

void cmox_engine_stop(cmox_engine_t *engine) {
  if (!engine) return;
  job_t job = {.run = stop_job};
  (void)run_job(engine, &job);
  (void)uv_thread_join(&engine->thread);
  (void)uv_loop_close(&engine->loop);
  cmox_streams_release();
  cmox_trace_release();
  cmox_shimdir_settings_clear(&engine->settings);
  uv_mutex_destroy(&engine->mutex);
  cmox_free_block(engine);
}

/* ---- Links and addresses ----------------------------------------------------------- */

static void link_ended(void *user) {
  job_t *job = user;
  uv_sem_post(&job->done);
}

static cmox_code_t open_link_job(cmox_engine_t *engine, job_t *job) {
  cmox_link_t *link = NULL;
  cmox_code_t code =
      cmox_link_open(&engine->loop, job->in, job->out, NULL, NULL, &link, &job->error);
  if (code != CMOX_OK) return code;
  if (job->waits_for_close)
    return cmox_rpc_accept_control(engine->rpc, link, link_ended, job, &job->error);
  return cmox_rpc_accept_control(engine->rpc, link, NULL, NULL, &job->error);
}

cmox_code_t cmox_engine_connect(cmox_engine_t *engine, int *fd, char *text, size_t size) {
  int pair[2];
  job_t job = {.run = open_link_job};
  *fd = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
    (void)cmox_fail(&job.error, CMOX_E_IO, "engine: cannot make a socket pair: %s",
                    uv_strerror(-errno));
    return copy_error(&job.error, text, size);
  }
  job.in = job.out = pair[1]; /* the link owns it, also when it fails */
  if (run_job(engine, &job) == CMOX_OK) {
    *fd = pair[0];
    return CMOX_OK;
  }
  (void)close(pair[0]);
  return copy_error(&job.error, text, size);
}

cmox_code_t cmox_engine_serve_fds(cmox_engine_t *engine, int in, int out, char *text, size_t size) {
  job_t job = {.run = open_link_job, .in = in, .out = out, .waits_for_close = true};
  if (run_job(engine, &job) == CMOX_OK) return CMOX_OK;
  return copy_error(&job.error, text, size);
}

static void on_control_link(cmox_listener_t *listener, cmox_link_t *link) {
  control_listener_t *own = cmox_listener_user(listener);
  (void)cmox_rpc_accept_control(own->engine->rpc, link, NULL, NULL, NULL); /* refused: closed */
}

static void on_control_listener_closed(cmox_listener_t *listener) {
  control_listener_t *own = cmox_listener_user(listener);
  cmox_engine_t *engine = own->engine;
  cmox_free_block(own);
  engine->open_listeners--;
  check_stopped(engine);
}

static const cmox_listener_events_t control_listener_events = {on_control_link,
                                                               on_control_listener_closed};

static cmox_code_t listen_job(cmox_engine_t *engine, job_t *job) {
  control_listener_t *own = cmox_calloc(1, sizeof *own);
  if (!own) return cmox_fail(&job->error, CMOX_E_NO_MEMORY, "listen: out of memory");
  own->engine = engine;
  const int turn = cmox_listener_take_turn(job->path);
  cmox_listener_clear_dead(job->path, turn);
  cmox_code_t code = cmox_listener_open(&engine->loop, job->path, &control_listener_events, own,
                                        &own->listener, &job->error);
  if (turn >= 0) (void)close(turn);
  CMOX_TRACE(ENGINE_LISTEN, cmox_trace_text(job->path), cmox_trace_text(cmox_code_reason(code)));
  if (code != CMOX_OK) {
    cmox_free_block(own);
    return code;
  }
  own->next = engine->listeners;
  engine->listeners = own;
  engine->open_listeners++;
  return CMOX_OK;
}

static cmox_code_t parse_unix(const char *address, char **path, cmox_error_t *error) {
  cmox_address_t parsed;
  cmox_code_t code = cmox_address_parse(address, strlen(address), &parsed);
  if (code == CMOX_OK && parsed.scheme != CMOX_SCHEME_UNIX) code = CMOX_E_UNSUPPORTED_SCHEME;
  if (code == CMOX_E_UNSUPPORTED_SCHEME)
    return cmox_fail(error, code, "listen %s: this server listens on unix:PATH only", address);
  if (code != CMOX_OK)
    return cmox_fail(error, code, "listen %s: %s", address, cmox_code_text(code));
  *path = cmox_strndup(parsed.path, parsed.path_len);
  return *path ? CMOX_OK : cmox_fail(error, CMOX_E_NO_MEMORY, "listen: out of memory");
}

cmox_code_t cmox_engine_listen(cmox_engine_t *engine, const char *address, char *text,
                               size_t size) {
  job_t job = {.run = listen_job};
  char *path = NULL;
  cmox_code_t code = parse_unix(address, &path, &job.error);
  if (code == CMOX_OK) {
    job.path = path;
    code = run_job(engine, &job);
  }
  cmox_free_block(path);
  return code == CMOX_OK ? CMOX_OK : copy_error(&job.error, text, size);
}
