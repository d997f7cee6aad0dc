/* The connection to the server: whole frames over a byte stream, with deadlines. */
#ifndef CMOX_SHIM_LINK_H
#define CMOX_SHIM_LINK_H

#include "shim/bytes.h"
#include "shim/os.h"

typedef enum cmox_link_result {
  CMOX_LINK_OK,
  CMOX_LINK_CLOSED, /* the server closed it */
  CMOX_LINK_SILENT  /* the deadline passed */
} cmox_link_result_t;

typedef struct cmox_link {
  cmox_os_socket_t socket;
  uint32_t silence_ms; /* 0: for ever */
  cmox_bytes_t in;     /* what came */
  size_t begin;        /* of it, consumed */
  size_t frame_len;    /* behind that, the frame that was handed out last */
} cmox_link_t;

/* Everything else that goes wrong (no server there, garbage, out of memory) dies. */

/* One attempt; CMOX_LINK_CLOSED when the server dropped it at once. */
cmox_link_result_t cmox_link_connect(cmox_link_t *link, const char *path, uint32_t silence_ms,
                                     uint64_t deadline);
/* For another attempt. */
void cmox_link_drop(cmox_link_t *link);

/* Sends all of it, taking in what the server says meanwhile, so that two full buffers never face
 * each other. CMOX_LINK_CLOSED leaves what came before the end for cmox_link_receive. */
cmox_link_result_t cmox_link_send(cmox_link_t *link, cmox_view_t data);

/* As much as goes without waiting, and never mind. */
void cmox_link_send_best_effort(cmox_link_t *link, cmox_view_t data);

/* The next frame's body, valid until the next call on the link. The silence starts now. */
cmox_link_result_t cmox_link_receive(cmox_link_t *link, cmox_view_t *body);

/* A frame that is here already; false: none. *result says whether the link lives. Does not wait. */
bool cmox_link_poll(cmox_link_t *link, cmox_view_t *body, cmox_link_result_t *result);

#endif
