/* A link to a server by its bytes: says anything, right or wrong, and takes in whatever comes
 * back. Nothing here allocates behind the seam. */
#ifndef CMOX_TESTS_RAW_H
#define CMOX_TESTS_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmdmox/v1/frame.pb-c.h"

/* Bytes that grow. */
typedef struct raw_bytes {
  uint8_t *data;
  size_t len, capacity;
} raw_bytes_t;

void raw_put(raw_bytes_t *bytes, const void *data, size_t len);
void raw_put_varint(raw_bytes_t *bytes, uint64_t value);
/* A field with wire type LEN. */
void raw_put_field(raw_bytes_t *bytes, uint32_t number, const void *data, size_t len);
void raw_put_message(raw_bytes_t *bytes, const ProtobufCMessage *message);
void raw_put_frame(raw_bytes_t *bytes, const Cmdmox__V1__Frame *frame); /* with its prefix */
void raw_put_hello(raw_bytes_t *bytes, Cmdmox__V1__Role role, uint32_t min, uint32_t max);
void raw_put_request(raw_bytes_t *bytes, uint32_t id, const char *method, const void *payload,
                     size_t len);
void raw_put_call(raw_bytes_t *bytes, uint32_t id, const char *method,
                  const ProtobufCMessage *input);
void raw_free(raw_bytes_t *bytes);

typedef struct raw_link {
  int fd;
  /* Lets a server work that runs on this thread; NULL: it has a thread of its own. */
  void (*pump)(void *context);
  void *context;
  raw_bytes_t in;
  size_t taken; /* bytes of in that were handed out */
  bool ended;   /* the server closed the link */
} raw_link_t;

void raw_close(raw_link_t *link);
/* A link that the server closed takes nothing more, which is no failure. */
void raw_send(raw_link_t *link, const void *data, size_t len);
/* The same, and empties the bytes. */
void raw_send_all(raw_link_t *link, raw_bytes_t *bytes);
/* Takes in what is there; false: nothing new. */
bool raw_receive(raw_link_t *link);
/* The next frame of what has come in already; NULL: none is whole. */
Cmdmox__V1__Frame *raw_next(raw_link_t *link);
/* The next frame; waits. NULL: the link ended. To be freed with raw_frame_free(). */
Cmdmox__V1__Frame *raw_read(raw_link_t *link);
void raw_frame_free(Cmdmox__V1__Frame *frame);
/* Reads to the end of the link; returns how many frames came. */
size_t raw_read_to_end(raw_link_t *link);

/* Says Hello and asserts that it is taken. */
void raw_greet(raw_link_t *link, Cmdmox__V1__Role role);
/* One request and its response; other frames on the way are dropped. NULL: the link ended. */
Cmdmox__V1__Frame *raw_ask(raw_link_t *link, uint32_t id, const char *method,
                           const ProtobufCMessage *input);
/* The payload of a response, unpacked as this type; fails the test on anything else. */
ProtobufCMessage *raw_answer(const Cmdmox__V1__Frame *frame,
                             const ProtobufCMessageDescriptor *type);
/* "OK", or the reason of the error that a response (or HelloReply, or GoAway) brings; "NONE" when
 * the link ended. Asserts that code and reason are a row of the error table. */
const char *raw_reason(const Cmdmox__V1__Frame *frame);
/* The message of that error; "" when there is none. */
const char *raw_message(const Cmdmox__V1__Frame *frame);

#endif
