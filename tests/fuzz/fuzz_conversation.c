/* The engine's side of Hello, Invoke and Control conversations: the real transport, rpc and
 * session, over a libuv without a kernel (fake_uv.c) and a host without a disk.
 *
 * The input is a list of steps: a connection comes or goes, somebody says a valid, a strange or a
 * garbled frame (talk.c), time passes, a write blocks, memory runs out. After each step the loop
 * turns, unless the input holds it back. In the end:
 *   - what was written to a peer is whole frames, a Hello's reply first;
 *   - a request has at most one response, and one of a client that is still there exactly one; a
 * shim waits for at most one;
 *   - the journal agrees with what the doubles count; no session outlives its client;
 *   - nothing is held, and no more was than the conversation is worth. */
#include <string.h>

#include "proto/framing.h"
#include "server/rpc/internal.h"
#include "server/transport/internal.h"
#include "tests/fuzz/fake_uv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/talk.h"
#include "tests/lib/alloc_fault.h"

enum { LINKS_MAX = 24, SESSIONS_MAX = 12, STEPS_MAX = 400, TURNS_MAX = 20000 };
enum { SAID_MAX = 2 << 20, HELD_MAX = 24 << 20 }; /* bytes */

struct cmox_site {
  cmox_hosted_t *hosted; /* NULL: closed */
};

typedef struct peer {
  int fd;
  bool shim;
} peer_t;

static struct world {
  uv_loop_t loop;
  cmox_rpc_t *rpc;
  alloc_fault_t fault;
  bool faulted; /* memory was short at some time: answers may be missing */
  bool held;    /* the loop waits */
  bool ended;
  uint8_t trouble; /* bits: which of the host's steps fail */
  struct cmox_site sites[SESSIONS_MAX];
  uint8_t ids[SESSIONS_MAX][TALK_SESSION_BYTES];
  size_t site_count;
  peer_t peers[LINKS_MAX];
  size_t peer_count, now; /* who speaks */
  size_t said;            /* bytes, by all of them */
  talk_t talk;
} w;

/* ---- The host ---- */

static uint64_t now_ns(void *context) {
  (void)context;
  return fake_uv_now_ns();
}

static cmox_code_t no_random(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_IO, "no random bytes");
}

static cmox_code_t random_id(void *context, void *out, size_t len, cmox_error_t *error) {
  (void)context;
  if (w.trouble & 1 || w.site_count == SESSIONS_MAX) return no_random(error);
  memset(out, (int)(w.site_count + 1), len);
  memcpy(w.ids[w.site_count], out, len < TALK_SESSION_BYTES ? len : TALK_SESSION_BYTES);
  return CMOX_OK;
}

static cmox_code_t open_site(void *context, cmox_hosted_t *hosted, const cmox_site_wishes_t *wishes,
                             cmox_site_t **out, cmox_error_t *error) {
  (void)context;
  (void)wishes;
  if (w.trouble & 2) return cmox_fail(error, CMOX_E_IO, "no place");
  cmox_site_t *site = &w.sites[w.site_count++];
  site->hosted = hosted;
  *out = site;
  return CMOX_OK;
}

static const char *site_bin(const cmox_site_t *site) {
  (void)site;
  return "/tmp/cmdmox-x/bin";
}

static void site_path(const cmox_site_t *site, cmox_buf_t *out) {
  (void)site;
  cmox_buf_puts(out, "/tmp/cmdmox-x/bin:/usr/local/bin:/usr/bin:/bin");
}

static const char *site_socket(const cmox_site_t *site) {
  (void)site;
  return "/tmp/cmdmox-x/priv/s";
}

static cmox_code_t add_shim(cmox_site_t *site, cmox_span_t command, cmox_error_t *error) {
  FUZZ_NEED(site->hosted, "a shim for a session that is over");
  if (w.trouble & 4 || command.len == 0)
    return cmox_fail(error, CMOX_E_BAD_COMMAND_NAME, "not a command's name");
  return CMOX_OK;
}

static cmox_code_t make_absent(cmox_site_t *site, cmox_span_t command, bool *more,
                               cmox_error_t *error) {
  *more = false;
  return add_shim(site, command, error);
}

static cmox_code_t check_shims(cmox_site_t *site, cmox_error_t *error) {
  FUZZ_NEED(site->hosted, "a check of a session that is over");
  return w.trouble & 8 ? cmox_fail(error, CMOX_E_SHIM_BROKEN, "a shim is gone") : CMOX_OK;
}

static void close_site(cmox_site_t *site) {
  FUZZ_NEED(site->hosted, "closed twice");
  site->hosted = NULL;
}

static const cmox_rpc_host_t host = {.now_ns = now_ns,
                                     .random = random_id,
                                     .open_site = open_site,
                                     .site_bin = site_bin,
                                     .site_path = site_path,
                                     .site_socket = site_socket,
                                     .add_shim = add_shim,
                                     .allow = add_shim,
                                     .make_absent = make_absent,
                                     .check_shims = check_shims,
                                     .close_site = close_site};

/* ---- Steps ---- */

static void turn_until_quiet(void) {
  for (int turns = 0; !fake_uv_quiet(); turns++) {
    FUZZ_NEED(turns < TURNS_MAX, "the loop does not come to rest");
    fake_uv_turn();
  }
}

/* For client or session `which`; nothing happens when there is none. */
static void connect_peer(bool shim, uint8_t which) {
  cmox_link_t *link = NULL;
  cmox_error_t error;
  if (w.peer_count == LINKS_MAX) return;
  if (shim && (w.site_count == 0 || !w.sites[which % w.site_count].hosted)) return;
  peer_t *peer = &w.peers[w.peer_count];
  *peer = (peer_t){fake_uv_connect(), shim};
  w.now = w.peer_count++;
  if (cmox_link_new(cmox_transport_of(&w.loop), peer->fd, peer->fd, &link, &error) != CMOX_OK)
    return;
  if (shim)
    cmox_rpc_accept_shim(w.sites[which % w.site_count].hosted, link);
  else if (cmox_rpc_accept_control(w.rpc, link, NULL, NULL, &error) != CMOX_OK)
    FUZZ_NEED(error.code == CMOX_E_NO_MEMORY, "%s", error.message);
}

static void say(talk_out_t *out) {
  if (w.peer_count && w.said + out->len <= SAID_MAX) {
    fake_uv_say(w.peers[w.now].fd, out->data, out->len);
    w.said += out->len;
  }
  out->len = 0;
}

static void say_frame(uint8_t what, fuzz_in_t *in, talk_out_t *out) {
  const bool shim = w.peer_count && w.peers[w.now].shim;
  switch (what) {
    case 0:
      talk_hello(in, shim, out);
      break;
    case 1:
      talk_create_doubles(in, &w.talk, out);
      break;
    case 2:
      talk_control(in, &w.talk, out);
      break;
    case 3:
      talk_invoke(in, &w.talk, out);
      break;
    case 4:
      talk_stdin(in, out);
      break;
    case 5:
      talk_continue(in, &w.talk, out);
      break;
    case 6:
      talk_notify(in, out);
      break;
    case 7:
      talk_raw_request(in, &w.talk, out);
      break;
    case 8:
      talk_raw_frame(in, out);
      break;
    default:
      talk_other(in, out);
      break;
  }
  say(out);
}

static void disturb(uint8_t what, fuzz_in_t *in) {
  const int fd = w.peers[w.now].fd;
  switch (what) {
    case 0:
      if (w.peer_count) fake_uv_hang_up(fd, UV_EOF);
      break;
    case 1:
      if (w.peer_count) fake_uv_hang_up(fd, UV_ECONNRESET);
      break;
    case 2:
      if (w.peer_count) fake_uv_refuse(fd);
      break;
    case 3: {
      const uint8_t room = fuzz_u8(in);
      if (w.peer_count) fake_uv_room(fd, room == 255 ? SIZE_MAX : (size_t)room * room);
      break;
    }
    case 4: {
      const uint8_t chunk = fuzz_u8(in);
      if (w.peer_count) fake_uv_chunk(fd, chunk == 255 ? SIZE_MAX : chunk);
      break;
    }
    case 5:
      fake_uv_pass(fuzz_number(in) % (1 << 24));
      break;
    case 6:
      w.fault.fail_at = w.fault.seen + 1 + fuzz_u8(in);
      break;
    default:
      w.trouble = fuzz_u8(in);
      break;
  }
}

static void step(fuzz_in_t *in, talk_out_t *out) {
  const uint8_t op = fuzz_u8(in);
  w.talk.session_count = w.site_count;
  if (op < 0x80) {
    say_frame(op % 10, in, out);
  } else if (op < 0x90) {
    connect_peer(op & 1, op >> 1 & 7);
    talk_valid_hello(op & 1, out);
    say(out);
  } else if (op < 0x98) {
    connect_peer(op & 1, op >> 1 & 3);
  } else if (op < 0xb0) {
    if (w.peer_count) w.now = (op - 0x98u) % w.peer_count;
  } else if (op < 0xc0) {
    disturb(op & 7, in);
  } else if (op < 0xc8) {
    w.held = op & 1;
  } else if (op < 0xd0) {
    const cmox_span_t bytes = fuzz_take(in, fuzz_u8(in));
    if (w.peer_count) fake_uv_say(w.peers[w.now].fd, bytes.data, bytes.len);
  } else if (op < 0xe8) {
    connect_peer(true, 0); /* the common case: a shim with its call in one write */
    talk_valid_hello(true, out);
    talk_invoke(in, &w.talk, out);
    say(out);
  } else {
    talk_create_doubles(in, &w.talk, out);
    if (w.peer_count && !w.peers[0].shim) w.now = 0;
    say(out);
  }
}

/* ---- What must hold ---- */

enum { IDS_MAX = 512 };

typedef struct tally_of_ids {
  uint32_t ids[IDS_MAX];
  int balance[IDS_MAX]; /* requests less responses */
  size_t count;
} ids_t;

static int *balance_of(ids_t *ids, uint32_t id) {
  for (size_t i = 0; i < ids->count; i++)
    if (ids->ids[i] == id) return &ids->balance[i];
  FUZZ_NEED(ids->count < IDS_MAX, "too many ids");
  ids->ids[ids->count] = id;
  ids->balance[ids->count] = 0;
  return &ids->balance[ids->count++];
}

/* The next whole frame of a stream; NULL at its end or when it is none. */
static Cmdmox__V1__Frame *next_frame(cmox_span_t *stream, uint32_t most) {
  size_t prefix_len;
  uint32_t body_len;
  ProtobufCMessage *message = NULL;
  cmox_error_t error;
  if (cmox_prefix_read(stream->data, stream->len, most, &prefix_len, &body_len) != CMOX_PREFIX_OK ||
      stream->len - prefix_len < body_len)
    return NULL;
  if (cmox_wire_unpack(&cmdmox__v1__frame__descriptor,
                       cmox_span(stream->data + prefix_len, body_len), &message, &error) != CMOX_OK)
    return NULL;
  *stream = cmox_span(stream->data + prefix_len + body_len, stream->len - prefix_len - body_len);
  return (Cmdmox__V1__Frame *)message;
}

static void count_requests(const peer_t *peer, ids_t *ids) {
  cmox_span_t said = fake_uv_said(peer->fd);
  uint32_t most = CMOX_FRAME_MAX_HELLO;
  for (Cmdmox__V1__Frame *frame; (frame = next_frame(&said, most));) {
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_REQUEST) ++*balance_of(ids, frame->id);
    most = CMOX_FRAME_MAX_DEFAULT;
    cmox_wire_free(&frame->base);
  }
}

/* Also that what we say can be read by others. */
static void count_responses(const peer_t *peer, ids_t *ids) {
  cmox_span_t heard = fake_uv_heard(peer->fd);
  bool first = true;
  for (Cmdmox__V1__Frame *frame; (frame = next_frame(&heard, CMOX_FRAME_MAX_DEFAULT));) {
    if (first)
      FUZZ_NEED(frame->body_case == CMDMOX__V1__FRAME__BODY_HELLO_REPLY, "first comes %d",
                (int)frame->body_case);
    else
      FUZZ_NEED(frame->body_case != CMDMOX__V1__FRAME__BODY_HELLO_REPLY, "a second Hello's reply");
    first = false;
    if (frame->body_case == CMDMOX__V1__FRAME__BODY_RESPONSE)
      FUZZ_NEED(--*balance_of(ids, frame->id) >= 0, "more responses than requests of id %u",
                frame->id);
    cmox_wire_free(&frame->base);
  }
  /* A half frame is one that the peer did not take, or left behind. */
  if (heard.len > 0) FUZZ_NEED(heard.len < TALK_OUT_MAX * 4u, "%zu bytes", heard.len);
}

static void check_peer(const peer_t *peer, bool complete) {
  static ids_t ids;
  ids.count = 0;
  count_requests(peer, &ids);
  count_responses(peer, &ids);
  if (!complete || w.faulted || !fake_uv_alive(peer->fd)) return;
  int open = 0; /* a shim waits for one answer at a time, a client for none after all this */
  for (size_t i = 0; i < ids.count; i++) open += ids.balance[i];
  FUZZ_NEED(open <= (peer->shim ? 1 : 0), "%d requests were never answered", open);
}

static void check_journal(const cmox_session_t *session) {
  const cmox_journal_t *journal = cmox_session_journal(session);
  const size_t all = cmox_journal_count(journal);
  const uint64_t total = cmox_session_call_count(session, 0, CMOX_ANY_COMMAND);
  FUZZ_NEED(total >= all, "%zu of %u calls", all, (unsigned)total);
  for (size_t i = 0; i < all; i++) {
    const cmox_call_t *call = cmox_journal_at(journal, i);
    const uint64_t after = i ? cmox_journal_at(journal, i - 1)->id : 0;
    FUZZ_NEED(call->id > after && call->id <= total, "call %zu has the id %u", i,
              (unsigned)call->id);
    FUZZ_NEED(total != all || call->id == i + 1, "call %zu has the id %u", i, (unsigned)call->id);
    FUZZ_NEED(cmox_journal_find(journal, call->id) == call, "call %zu is not found", i);
    FUZZ_NEED(cmox_journal_find_key(journal, call->data.key) == call, "two calls with a key");
    FUZZ_NEED(call->stdin_stream.kept <= call->stdin_stream.length, "more stdin than there was");
    const cmox_passed_t *passed = call->passed;
    if (passed && passed->begun) {
      FUZZ_NEED(call->verdict == CMOX_VERDICT_ACCEPTED, "call %zu runs and was not accepted", i);
      FUZZ_NEED(passed->out.length <= passed->how.capture_max_bytes &&
                    passed->err.length <= passed->how.capture_max_bytes,
                "call %zu has captured more than it may", i);
      FUZZ_NEED(call->reply || call->state != CMOX_CALL_COMPLETED || passed->reported ||
                    call->failure || call->unexpected_why,
                "call %zu is over and nobody knows how", i);
    }
    const bool waits = call->handling || call->gate || cmox_call_is_passing(call) ||
                       (call->verdict == CMOX_VERDICT_NONE &&
                        cmox_said_first(call->said, CMOX_SAID_ASKED) != NULL);
    FUZZ_NEED(w.faulted || waits == call->held, "call %zu waits and nobody knows, or does not", i);
    if (call->verdict != CMOX_VERDICT_ACCEPTED) continue;
    uint64_t taken = 0;
    for (size_t j = 0; j < all; j++) {
      const cmox_call_t *other = cmox_journal_at(journal, j);
      taken += other->verdict == CMOX_VERDICT_ACCEPTED && other->double_id == call->double_id;
    }
    const uint64_t count = cmox_session_call_count(session, call->double_id, CMOX_ANY_COMMAND);
    FUZZ_NEED(total == all ? count == taken : count >= taken, "double %u counts something else",
              (unsigned)call->double_id);
  }
}

static void check_all(bool complete) {
  w.faulted |= w.fault.fail_at && w.fault.seen >= w.fault.fail_at;
  w.fault.fail_at = 0;
  for (size_t i = 0; i < w.site_count; i++) {
    const cmox_hosted_t *hosted = w.sites[i].hosted;
    if (!hosted) continue;
    FUZZ_NEED(hosted->owner->link, "session %zu outlives its client", i);
    check_journal(hosted->session);
  }
  for (size_t i = 0; i < w.peer_count; i++) check_peer(&w.peers[i], complete);
}

static void on_shut(void *user) { *(bool *)user = true; }

/* ---- One conversation ---- */

static void begin(void) {
  w.site_count = w.peer_count = w.now = w.said = 0;
  w.faulted = w.held = w.ended = false;
  w.trouble = 0;
  w.talk = (talk_t){.next_id = UINT32_MAX, /* the first is 1 */
                    .sessions = (const uint8_t(*)[TALK_SESSION_BYTES])w.ids};
  alloc_fault_install(&w.fault, false);
  fake_uv_start(&w.loop);
  FUZZ_NEED(cmox_transport_init(&w.loop, NULL) == CMOX_OK, "transport");
  FUZZ_NEED(cmox_rpc_new(&w.loop, &host, &w.rpc, NULL) == CMOX_OK, "rpc");
}

static void finish(void) {
  for (size_t i = 0; i < w.peer_count; i++) fake_uv_room(w.peers[i].fd, SIZE_MAX);
  turn_until_quiet();
  check_all(true);
  cmox_rpc_shutdown(w.rpc, on_shut, &w.ended);
  turn_until_quiet();
  FUZZ_NEED(w.ended, "the engine does not end");
  check_all(false);
  cmox_transport_fini(&w.loop);
  turn_until_quiet();
  fake_uv_stop();
  for (size_t i = 0; i < w.site_count; i++) FUZZ_NEED(!w.sites[i].hosted, "a session is left");
  FUZZ_NEED(w.fault.held == 0, "%ld blocks leaked", w.fault.held);
  cmox_alloc_set_hooks(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static talk_out_t out;
  fuzz_in_t in = {data, size};
  begin();
  const uint8_t start = fuzz_u8(&in);
  if (start & 1) { /* a client with a session, so that short inputs do something */
    connect_peer(false, 0);
    talk_valid_hello(false, &out);
    talk_create_session(&in, &w.talk, &out);
    say(&out);
    turn_until_quiet();
  }
  for (int steps = 0; in.len > 0 && steps < STEPS_MAX; steps++) {
    step(&in, &out);
    if (w.fault.fail_at && w.fault.seen >= w.fault.fail_at) w.faulted = true;
    if (!w.held) turn_until_quiet();
  }
  finish();
  FUZZ_NEED(w.fault.peak < HELD_MAX, "%zu bytes held", w.fault.peak);
  return 0;
}
