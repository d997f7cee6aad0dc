/* Handshake deadlines and the drain.
 *
 * A drain waits until one whole poll of the loop has brought neither bytes nor
 * connections: the sockets are level-triggered, so nothing that was sent
 * before the request is left then. While one waits an idle handle keeps polls from
 * blocking. An accepted connection is read one poll after it was accepted,
 * and one read callback takes more than a socket buffer holds; so a few polls
 * suffice, and ROUNDS_MAX only stops a flood of new calls.
 *
 * A deadline that fires, or a write that fails, starts such a drain of its
 * own: only when the bytes that were already there have been read is the link dropped.
 * A process that was stopped for longer than the deadline thus loses nobody. */
#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/transport/internal.h"

enum { ROUNDS_MAX = 64 };

uint64_t cmox_transport_now(void) { return uv_hrtime() / 1000000; }

void cmox_transport_release(cmox_transport_t *transport) {
  if (--transport->users == 0) cmox_free_block(transport);
}

static void on_closed(uv_handle_t *handle) { cmox_transport_release(handle->data); }

void cmox_link_queue_add(cmox_link_queue_t *queue, cmox_link_t *link) {
  link->queue = queue;
  link->next = NULL;
  link->previous = queue->last;
  *(queue->last ? &queue->last->next : &queue->first) = link;
  queue->last = link;
}

void cmox_link_queue_drop(cmox_link_t *link) {
  cmox_link_queue_t *queue = link->queue;
  if (!queue) return;
  *(link->previous ? &link->previous->next : &queue->first) = link->next;
  *(link->next ? &link->next->previous : &queue->last) = link->previous;
  link->queue = NULL;
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

/* Takes the finished drains off the list. */
static cmox_drain_t *finished(cmox_transport_t *transport) {
  cmox_drain_t *done = NULL;
  cmox_drain_t **end = &done;
  for (cmox_drain_t **at = &transport->drains; *at;) {
    cmox_drain_t *drain = *at;
    bool quiet = transport->activity == transport->seen;
    if (++drain->rounds < ROUNDS_MAX && !(drain->polled && quiet)) {
      drain->polled = true;
      at = &drain->next;
      continue;
    }
    *at = drain->next;
    drain->next = NULL;
    *end = drain;
    end = &drain->next;
  }
  return done;
}

static void on_check(uv_check_t *check) {
  cmox_transport_t *transport = check->data;
  cmox_drain_t *done = finished(transport);
  transport->seen = transport->activity;
  while (done && !transport->closing) {
    cmox_drain_t *drain = done;
    done = drain->next;
    void (*call)(void *) = drain->done;
    void *user = drain->user;
    if (drain != &transport->reap) cmox_free_block(drain);
    call(user);
  }
  while (done) { /* a callback closed the transport */
    cmox_drain_t *drain = done;
    done = drain->next;
    if (drain != &transport->reap) cmox_free_block(drain);
  }
  if (transport->drains || transport->closing) return;
  (void)uv_idle_stop(&transport->idle);
  (void)uv_check_stop(&transport->check);
}

static void start(cmox_transport_t *transport, cmox_drain_t *drain) {
  cmox_drain_t **end = &transport->drains;
  while (*end) end = &(*end)->next;
  *end = drain;
  (void)uv_idle_start(&transport->idle, on_idle);
  (void)uv_check_start(&transport->check, on_check);
}

cmox_code_t cmox_transport_drain(uv_loop_t *loop, void (*done)(void *user), void *user) {
  if (cmox_transport_of(loop)->closing) return CMOX_E_LINK_CLOSED;
  cmox_drain_t *drain = cmox_calloc(1, sizeof *drain);
  if (!drain) return CMOX_E_NO_MEMORY;
  drain->done = done;
  drain->user = user;
  start(cmox_transport_of(loop), drain);
  return CMOX_OK;
}

static void on_timer(uv_timer_t *timer);

static void arm(cmox_transport_t *transport) {
  if (transport->closing || transport->reaping) return;
  const cmox_link_t *first = transport->waiting.first;
  if (!first) {
    (void)uv_timer_stop(&transport->timer);
    return;
  }
  uint64_t now = cmox_transport_now();
  uv_update_time(transport->loop);
  (void)uv_timer_start(&transport->timer, on_timer,
                       first->deadline > now ? first->deadline - now : 0, 0);
}

static void reap(void *user) {
  cmox_transport_t *transport = user;
  transport->reaping = false;
  while (transport->broken.first) cmox_link_abort(transport->broken.first, CMOX_E_LINK_CLOSED);
  while (transport->waiting.first && transport->waiting.first->deadline <= transport->reap_until)
    cmox_link_abort(transport->waiting.first, CMOX_E_DEADLINE_EXCEEDED);
  arm(transport);
}

static void start_reap(cmox_transport_t *transport) {
  bool running = transport->reaping;
  transport->reaping = true;
  transport->reap.polled = false;
  if (running || transport->closing) return;
  transport->reap.next = NULL;
  transport->reap.rounds = 0;
  transport->reap.done = reap;
  transport->reap.user = transport;
  start(transport, &transport->reap);
}

static void on_timer(uv_timer_t *timer) {
  cmox_transport_t *transport = timer->data;
  transport->reap_until = cmox_transport_now();
  const cmox_link_t *first = transport->waiting.first;
  if (first && first->deadline <= transport->reap_until)
    start_reap(transport);
  else
    arm(transport);
}

void cmox_transport_expect(cmox_link_t *link) {
  cmox_transport_t *transport = link->transport;
  link->deadline = cmox_transport_now() + transport->handshake_ms;
  cmox_link_queue_add(&transport->waiting, link);
  if (transport->waiting.first == link) arm(transport);
}

void cmox_transport_bury(cmox_link_t *link) {
  if (link->transport->closing) {
    cmox_link_abort(link, CMOX_E_LINK_CLOSED);
    return;
  }
  cmox_link_queue_drop(link);
  cmox_link_queue_add(&link->transport->broken, link);
  start_reap(link->transport);
}

cmox_code_t cmox_transport_init(uv_loop_t *loop, cmox_error_t *error) {
  cmox_transport_t *transport = cmox_calloc(1, sizeof *transport);
  if (!transport)
    return cmox_fail(error, CMOX_E_NO_MEMORY, "cannot prepare the loop: out of memory");
  transport->loop = loop;
  transport->handshake_ms = CMOX_HANDSHAKE_DEADLINE_MS;
  transport->users = 3;
  /* These three cannot fail: they only fill in the struct. */
  (void)uv_idle_init(loop, &transport->idle);
  (void)uv_check_init(loop, &transport->check);
  (void)uv_timer_init(loop, &transport->timer);
  transport->idle.data = transport->check.data = transport->timer.data = transport;
  uv_unref((uv_handle_t *)&transport->check);
  uv_unref((uv_handle_t *)&transport->timer);
  loop->data = transport;
  return CMOX_OK;
}

void cmox_transport_fini(uv_loop_t *loop) {
  cmox_transport_t *transport = loop->data;
  if (!transport || transport->closing) return;
  transport->closing = true;
  while (transport->drains) {
    cmox_drain_t *drain = transport->drains;
    transport->drains = drain->next;
    if (drain != &transport->reap) cmox_free_block(drain);
  }
  uv_close((uv_handle_t *)&transport->idle, on_closed);
  uv_close((uv_handle_t *)&transport->check, on_closed);
  uv_close((uv_handle_t *)&transport->timer, on_closed);
}

void cmox_transport_set_handshake_ms(uv_loop_t *loop, uint64_t ms) {
  cmox_transport_of(loop)->handshake_ms = ms;
}
