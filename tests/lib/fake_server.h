/* A server that answers as it is told, for tests of the client library alone.
 * It runs on a thread, at a socket in a directory of its own, for one client at a time. */
#ifndef CMOX_TESTS_FAKE_SERVER_H
#define CMOX_TESTS_FAKE_SERVER_H

#include <cmdmox/codes.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmdmox/v1/control.pb-c.h"
#include "cmdmox/v1/frame.pb-c.h"

typedef struct fake_server fake_server_t;

/* Called on the server's thread for every request; method is "Replay". False: the default
 * answer is given too. */
typedef bool (*fake_handler_t)(fake_server_t *fake, const char *method,
                               const Cmdmox__V1__Frame *frame);

fake_server_t *fake_start(fake_handler_t handler); /* handler may be NULL; aborts on failure */
void fake_stop(fake_server_t *fake);
const char *fake_address(const fake_server_t *fake); /* "unix:/..." */

/* For handlers. */
void fake_answer(fake_server_t *fake, const Cmdmox__V1__Frame *to, const ProtobufCMessage *message);
void fake_error(fake_server_t *fake, const Cmdmox__V1__Frame *to, cmox_code_t code,
                const char *text);
void fake_send(fake_server_t *fake, const Cmdmox__V1__Frame *frame);
void fake_send_raw(fake_server_t *fake, const void *data, size_t len);
void fake_hang_up(fake_server_t *fake);

/* Between calls of the client. */
size_t fake_count(fake_server_t *fake, const char *method);
/* The last request of a method, unpacked; NULL: none. Free with protobuf_c_message_free_unpacked.
 */
ProtobufCMessage *fake_last(fake_server_t *fake, const char *method);
/* Reads of the socket that held Hello and a request together. */
bool fake_greeted_in_one_write(fake_server_t *fake);

#endif
