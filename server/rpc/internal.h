/* Shared by the files of this module only. */
#ifndef CMOX_RPC_INTERNAL_H
#define CMOX_RPC_INTERNAL_H

#include "cmdmox/v1/agent.pb-c.h"
#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"
#include "cmdmox/v1/shim.pb-c.h"
#include "proto/limits.h"
#include "server/base/alloc.h"
#include "server/rpc/rpc.h"
#include "server/wire/wire.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) cmox_malloc(size)
#define uthash_free(block, size) cmox_free_block(block)
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

/* A place in a reply that goes down in pieces. Its parts are the chunks, the files, what is left of
 * stdout, what is left of stderr. */
typedef struct cmox_cursor {
  size_t part;
  size_t offset;   /* in the part */
  size_t out, err; /* bytes of stdout and stderr that the chunks before it hold */
  bool delayed;    /* the delay of the reply is behind it */
} cmox_cursor_t;

/* One link and what was said on it. Lives until the link has closed and no
 * call waits for an answer. */
typedef struct cmox_peer {
  UT_hash_handle hh; /* in hosted->shims, by number */
  bool oom;
  cmox_rpc_t *rpc;
  bool shim;
  cmox_hosted_t
      *hosted;       /* shims: the session whose socket they came in by; NULL once it has ended */
  cmox_link_t *link; /* NULL: closed */
  struct cmox_peer *next, *previous; /* all peers */
  size_t references;
  void (*gone)(void *user); /* told when the link has closed; or NULL */
  void *gone_user;
  uint64_t number;    /* from 1 */
  bool greeted;       /* Hello was accepted */
  uint32_t max_frame; /* what it accepts, bytes; never below CMOX_FRAME_MAX_LEAST */
  uint32_t silence_ms;
  /* Shims: one call per link. */
  uint64_t call_id;              /* 0: none yet */
  uint32_t invoke_id;            /* request id of Invoke; StreamData carries it */
  struct cmox_rpc_call *waiting; /* the request that the next action answers */
  cmox_reply_data_t *streaming;  /* a reference: the reply that is on its way; or NULL */
  cmox_cursor_t sent;            /* how much of it */
  /* Test clients: what they were asked, and have not answered. */
  struct cmox_asked *asked; /* hash, by id */
  uint32_t last_asked;      /* even */
} cmox_peer_t;

/* One request until it is answered. */
typedef struct cmox_rpc_call {
  cmox_peer_t *peer; /* a reference */
  uint32_t id;
  const ProtobufCMethodDescriptor *method;
  ProtobufCMessage *input;
  cmox_error_t error; /* why, when the closure is called with NULL */
} cmox_rpc_call_t;

typedef struct cmox_work cmox_work_t;

struct cmox_hosted {
  UT_hash_handle hh; /* in rpc->sessions, by id */
  bool oom;
  uint8_t id[CMOX_SESSION_ID_BYTES];
  char name[9]; /* the start of id in hex, for the trace */
  cmox_rpc_t *rpc;
  cmox_session_t *session;
  cmox_peer_t *owner;   /* goes with its link */
  cmox_peer_t *answers; /* whom its callbacks are asked of; NULL: the client has closed that link */
  cmox_site_t *site;
  char *path;         /* owned; PATH from before the session */
  cmox_peer_t *shims; /* hash, by number */
  uv_timer_t *tick;
  uv_timer_t *idle; /* NULL: it may be idle for ever */
  uint32_t idle_ms;
  cmox_work_t *work; /* NULL: none */
  cmox_actions_t actions;
  cmox_action_t *spare; /* room for at least one: see cmox_hosted_act() */
  size_t spare_capacity;
};

struct cmox_rpc {
  uv_loop_t *loop;
  cmox_rpc_host_t host;
  cmox_hosted_t *sessions; /* hash */
  cmox_peer_t *peers;      /* list */
  uint64_t last_number;
  size_t clients; /* peers that are no shims */
  Cmdmox__V1__ShimService_Service shim_service;
  Cmdmox__V1__ControlService_Service control_service;
  Cmdmox__V1__AgentService_Service agent_service;
  size_t open_handles; /* timers that still close */
  bool closing;
  void (*closed)(void *user);
  void *closed_user;
};

#define CMOX_PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin" /* what a shell assumes without PATH */

/* What stands around the data of a frame takes no more than this, bytes. */
#define CMOX_ENVELOPE_MAX 128u

/* ---- peer.c ---- */
void cmox_peer_send(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame);
/* payload: the type of what the frame's response holds, for the trace; NULL: none. */
void cmox_peer_respond(cmox_peer_t *peer, const Cmdmox__V1__Frame *frame,
                       const ProtobufCMessageDescriptor *payload);
void cmox_peer_go_away(cmox_peer_t *peer, cmox_error_t *error);
cmox_peer_t *cmox_peer_ref(cmox_peer_t *peer);
void cmox_peer_unref(cmox_peer_t *peer);
void cmox_rpc_check_closed(cmox_rpc_t *rpc);
/* The number of clients or sessions has changed. */
void cmox_rpc_populated(cmox_rpc_t *rpc);

/* ---- dispatch.c ---- */
void cmox_dispatch(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__Request *request);
/* Answers with the error kept in `call`; frees it. */
void cmox_rpc_fail(cmox_rpc_call_t *call);
/* Memory was out for what this shim should have heard of its call: verify is to know. */
void cmox_rpc_note_unanswered(cmox_peer_t *peer);
/* A shim that gets an error ends with 125; verify is to hear of it too, though nothing that it said
 * became an event. Nothing for other peers. */
void cmox_rpc_note_refusal(cmox_peer_t *peer, const cmox_error_t *error);
/* Answers with a message; frees the call. The ProtobufC closure of every method. */
void cmox_rpc_answer(const ProtobufCMessage *message, void *call);
cmox_code_t cmox_services_check(const cmox_rpc_t *rpc, cmox_error_t *error);
bool cmox_method_implemented(const char *full_name);

/* ---- services ---- */
extern const Cmdmox__V1__ShimService_Service cmox_shim_service;
extern const Cmdmox__V1__ControlService_Service cmox_control_service;
extern const Cmdmox__V1__AgentService_Service cmox_agent_service;
void cmox_shim_stream(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__StreamData *data);
void cmox_shim_notify(cmox_peer_t *peer, const Cmdmox__V1__Notify *notify);
void cmox_shim_lost(cmox_peer_t *peer);
/* Carries out what the session's last step decided. */
void cmox_hosted_act(cmox_hosted_t *hosted);

/* ---- control_commands.c: what the code under test finds on its PATH ---- */
void cmox_created(cmox_rpc_call_t *call, cmox_hosted_t *hosted); /* the rest of CreateSession */
void cmox_register_now(cmox_rpc_call_t *call);
void cmox_allow_now(cmox_rpc_call_t *call);
void cmox_absent_now(cmox_rpc_call_t *call);

/* ---- work.c ---- */

/* What a request asks for that is done piece by piece. */
typedef struct cmox_work_kind {
  /* Does the next piece; *done is 0 at first, and its own. Sets *more when that was not all. */
  cmox_code_t (*piece)(cmox_hosted_t *hosted, const ProtobufCMessage *input, size_t *done,
                       bool *more, cmox_error_t *error);
  void (*answer)(cmox_rpc_call_t *call, cmox_hosted_t *hosted);
  bool ends_session; /* when it fails */
} cmox_work_kind_t;

/* Does it, and answers or fails the request: at once when one piece is all. */
void cmox_work_begin(cmox_hosted_t *hosted, cmox_rpc_call_t *call, const cmox_work_kind_t *kind);
void cmox_work_forget(cmox_hosted_t *hosted); /* the session ends */
/* Says that the request is still at work. */
void cmox_send_progress(cmox_peer_t *peer, uint32_t request_id);

/* What AssertCalls does once the shims have been heard. */
void cmox_assert_now(cmox_rpc_call_t *call);
/* ... and ListInvocations. */
void cmox_list_now(cmox_rpc_call_t *call);
/* ReadCallStdin. */
void cmox_read_stdin_now(cmox_rpc_call_t *call);

/* ---- answer.c ---- */
void cmox_answer_action(cmox_peer_t *peer, Cmdmox__V1__Action *action);
void cmox_answer_reply(cmox_peer_t *peer, cmox_reply_data_t *content);
/* Has the shim run the real command of its call. */
void cmox_answer_passthrough(cmox_peer_t *peer, const cmox_call_t *call);
/* The link has room. */
void cmox_answer_more(cmox_peer_t *peer);
void cmox_answer_drop(cmox_peer_t *peer);

/* ---- callback.c ---- */
void cmox_hosted_ask(cmox_hosted_t *hosted, const cmox_action_t *action);
void cmox_callback_response(cmox_peer_t *peer, uint32_t id, const Cmdmox__V1__Response *response);
/* The peer's link has closed; the session is over. */
void cmox_callback_lost(cmox_peer_t *peer);
void cmox_callback_end(cmox_hosted_t *hosted);

/* ---- hosted.c ---- */
cmox_code_t cmox_hosted_new(cmox_peer_t *owner, const Cmdmox__V1__CreateSessionRequest *request,
                            cmox_hosted_t **out, cmox_error_t *error);
void cmox_hosted_end(cmox_hosted_t *hosted);
/* Somebody asked something about it. */
void cmox_hosted_used(cmox_hosted_t *hosted);
cmox_hosted_t *cmox_hosted_find(cmox_peer_t *peer, ProtobufCBinaryData id, cmox_error_t *error);
/* The session a request names; NULL: the request has been failed. */
cmox_hosted_t *cmox_hosted_of(cmox_rpc_call_t *call, ProtobufCBinaryData id);
cmox_code_t cmox_hosted_step(cmox_hosted_t *hosted, cmox_event_t *event, cmox_error_t *error);

/* ---- convert.c ---- */
/* Borrowed from the request but for argv and env, which the caller frees with cmox_free_block. */
cmox_code_t cmox_convert_invocation(const Cmdmox__V1__InvokeRequest *request,
                                    cmox_invocation_data_t *out, cmox_error_t *error);
void cmox_convert_invocation_clear(cmox_invocation_data_t *data);
/* Where one of several must be set and none is: the number of the one that a newer client has
 * set; 0: it has set none. */
unsigned cmox_newer_kind(const ProtobufCMessage *message);
/* The facets that say what is accepted, and the name of a variable (owned by the caller). */
cmox_code_t cmox_convert_matching(const Cmdmox__V1__Double *from, cmox_facets_t *out,
                                  cmox_error_t *error);
cmox_code_t cmox_convert_env_name(ProtobufCBinaryData name, char **out, cmox_error_t *error);
cmox_code_t cmox_convert_facets(const Cmdmox__V1__Double *from, cmox_facets_t *out,
                                cmox_error_t *error);
/* What goes ahead of a reply; borrowed. */
typedef struct cmox_extras {
  size_t n_chunks;
  Cmdmox__V1__TimedChunk **chunks;
  size_t n_files;
  Cmdmox__V1__FileEffect **files;
} cmox_extras_t;

/* A reply with its chunks and files; a reference is the caller's. */
cmox_code_t cmox_convert_reply(const Cmdmox__V1__Reply *from, const cmox_extras_t *extras,
                               cmox_reply_data_t **out, cmox_error_t *error);
/* ---- passing.c ---- */
cmox_code_t cmox_convert_passthrough(const Cmdmox__V1__Passthrough *from, cmox_answer_t *out,
                                     cmox_error_t *error);
/* Borrowed from the message. */
cmox_code_t cmox_convert_report(const Cmdmox__V1__ReportPassthroughRequest *from,
                                cmox_passed_report_t *out, cmox_error_t *error);
void cmox_convert_change(const cmox_env_change_t *from, Cmdmox__V1__EnvChange *to);

/* The answer is the caller's to clear, also on failure. */
cmox_code_t cmox_convert_default(const Cmdmox__V1__DoubleAction *from, cmox_answer_t *out,
                                 cmox_error_t *error);
/* Message views of the engine's objects; borrowed from them, freed by the _clear. */
cmox_code_t cmox_convert_call(const cmox_call_t *call, Cmdmox__V1__Invocation **out,
                              cmox_error_t *error);
/* Adds the call's line for people, which takes time that a handler's caller has not. */
cmox_code_t cmox_convert_line(Cmdmox__V1__Invocation *message, cmox_error_t *error);
void cmox_convert_call_clear(Cmdmox__V1__Invocation *message); /* NULL is fine */
cmox_code_t cmox_convert_findings(const cmox_findings_t *findings, Cmdmox__V1__VerifyResponse *out,
                                  cmox_error_t *error);
void cmox_convert_findings_clear(Cmdmox__V1__VerifyResponse *response);

#endif
