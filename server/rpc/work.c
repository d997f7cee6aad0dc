/* Work on a session's place that takes longer than the calls of other sessions may wait: thousands
 * of links. It is done a piece at a time, between polls of the loop, and the request that asked for
 * it is answered at the end; its client hears meanwhile that nobody has died.
 *
 * Other requests of the session are refused until then; when it ends, so does the work. */
#include "server/base/trace.h"
#include "server/rpc/internal.h"

enum { PROGRESS_PER_SILENCE = 3 }; /* a client hears from us this often before it gives up */

struct cmox_work {
  cmox_hosted_t *hosted; /* NULL: the session has ended */
  cmox_rpc_call_t *call;
  const cmox_work_kind_t *kind;
  size_t done; /* the kind's */
  uint64_t told_ns;
};

void cmox_send_progress(cmox_peer_t *peer, uint32_t request_id) {
  Cmdmox__V1__Progress progress = CMDMOX__V1__PROGRESS__INIT;
  progress.request_id = request_id;
  uint8_t packed[16];
  Cmdmox__V1__Notify notify = CMDMOX__V1__NOTIFY__INIT;
  notify.topic = (char *)(uintptr_t)cmdmox__v1__progress__descriptor.name;
  notify.payload = cmox_to_bytes(cmox_span(packed, cmdmox__v1__progress__pack(&progress, packed)));
  Cmdmox__V1__Frame frame = CMDMOX__V1__FRAME__INIT;
  frame.body_case = CMDMOX__V1__FRAME__BODY_NOTIFY;
  frame.notify = &notify;
  cmox_peer_send(peer, &frame);
}

static void tell(cmox_work_t *work) {
  cmox_peer_t *peer = work->call->peer;
  const cmox_rpc_host_t *host = &peer->rpc->host;
  const uint64_t now = host->now_ns(host->context);
  const uint64_t pause = peer->silence_ms * (uint64_t)1000000 / PROGRESS_PER_SILENCE;
  if (work->told_ns == 0) work->told_ns = now;
  if (!peer->silence_ms || now - work->told_ns < pause) return;
  work->told_ns = now;
  cmox_send_progress(peer, work->call->id);
}

static void finish(cmox_work_t *work, cmox_code_t code) {
  cmox_hosted_t *hosted = work->hosted;
  cmox_rpc_call_t *call = work->call;
  const cmox_work_kind_t *kind = work->kind;
  hosted->work = NULL;
  cmox_free_block(work);
  if (code == CMOX_OK) {
    kind->answer(call, hosted);
    return;
  }
  if (kind->ends_session) cmox_hosted_end(hosted);
  cmox_rpc_fail(call);
}

static void go_on(cmox_work_t *work);

static void on_turn(void *user) {
  cmox_work_t *work = user;
  cmox_rpc_t *rpc = work->call->peer->rpc;
  if (work->hosted) {
    go_on(work);
  } else {
    (void)cmox_fail(&work->call->error, CMOX_E_CANCELLED, "the session was ended meanwhile");
    cmox_rpc_fail(work->call);
    cmox_free_block(work);
  }
  rpc->open_handles--;
  cmox_rpc_check_closed(rpc);
}

static void go_on(cmox_work_t *work) {
  cmox_rpc_t *rpc = work->hosted->rpc;
  bool more = false;
  cmox_code_t code =
      work->kind->piece(work->hosted, work->call->input, &work->done, &more, &work->call->error);
  if (code == CMOX_OK && more) {
    tell(work);
    if (cmox_transport_drain(rpc->loop, on_turn, work) == CMOX_OK) {
      rpc->open_handles++;
      return;
    }
    code = cmox_fail(&work->call->error, CMOX_E_NO_MEMORY, "session: out of memory");
  }
  finish(work, code);
}

void cmox_work_begin(cmox_hosted_t *hosted, cmox_rpc_call_t *call, const cmox_work_kind_t *kind) {
  cmox_work_t *work = cmox_malloc(sizeof *work);
  if (!work) {
    (void)cmox_fail(&call->error, CMOX_E_NO_MEMORY, "session: out of memory");
    if (kind->ends_session) cmox_hosted_end(hosted);
    cmox_rpc_fail(call);
    return;
  }
  *work = (cmox_work_t){.hosted = hosted, .call = call, .kind = kind};
  hosted->work = work;
  go_on(work);
}

void cmox_work_forget(cmox_hosted_t *hosted) {
  if (hosted->work) hosted->work->hosted = NULL;
  hosted->work = NULL;
}
