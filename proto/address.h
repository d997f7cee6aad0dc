/* Endpoint addresses: "unix:PATH", "pipe:NAME", "tcp:HOST:PORT"; a bare path
 * is unix. Pure; shared by launcher, server and clients. */
#ifndef CMOX_PROTO_ADDRESS_H
#define CMOX_PROTO_ADDRESS_H

#include <stddef.h>

#include <cmdmox/codes.h>

typedef enum cmox_scheme { CMOX_SCHEME_UNIX, CMOX_SCHEME_PIPE, CMOX_SCHEME_TCP } cmox_scheme_t;

typedef struct cmox_address {
  cmox_scheme_t scheme;
  const char *path; /* unix: path, pipe: name, tcp: host; points into the input, not terminated */
  size_t path_len;
  unsigned port; /* tcp: 1..65535 */
} cmox_address_t;

/* Parses text[0..len). CMOX_OK, or
 * CMOX_E_BAD_ADDRESS (empty, NUL inside, bad or missing port; IPv6 hosts stand in brackets),
 * CMOX_E_UNSUPPORTED_SCHEME ("word:" that is none of the three, where word is [a-z][a-z0-9+.-]*;
 * a path with a colon is written with "unix:" or starts with '/' or '.'),
 * CMOX_E_PATH_TOO_LONG (a unix path above CMOX_SOCKET_PATH_MAX bytes). */
cmox_code_t cmox_address_parse(const char *text, size_t len, cmox_address_t *out);

#endif
