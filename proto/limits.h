/* The bounds of the protocol, in one place, each with its unit and its reason. */
#ifndef CMOX_PROTO_LIMITS_H
#define CMOX_PROTO_LIMITS_H

#define CMOX_MAGIC 0x584d4443u /* "CDMX" little-endian */
#define CMOX_PROTOCOL_MIN 1u
#define CMOX_PROTOCOL_MAX 1u

/* Frames, bytes of body. */
#define CMOX_FRAME_PREFIX_MAX 5u           /* a varint of 32 bits */
#define CMOX_FRAME_MAX_DEFAULT (16u << 20) /* above the 5.9 MiB exec limit */
#define CMOX_FRAME_MAX_LEAST (64u << 10)   /* a peer that accepts less is refused */
#define CMOX_FRAME_MAX_HELLO (4u << 10)    /* before a peer has said who it is */
#define CMOX_STREAM_CHUNK_MAX (256u << 10) /* bulk data must not delay control frames */
#define CMOX_REPLY_INLINE_MAX (64u << 10)  /* larger replies go down as StreamData */

/* What one payload may hold. */
#define CMOX_DECODE_DEPTH_MAX 16u        /* our deepest message has 6 levels */
#define CMOX_DECODE_ELEMENTS_MAX 100000u /* repeated elements, whole message */
#define CMOX_DECODE_MEMORY_MAX \
  (64u << 20) /* bytes after decoding; protobuf-c amplifies 41 to 89 times */

/* What the predicates of all doubles may be asked about one call. */
#define CMOX_QUESTIONS_MAX 1024u

/* Names and paths, bytes. */
#define CMOX_COMMAND_NAME_MAX 255u /* NAME_MAX of every file system we run on */
#define CMOX_SOCKET_PATH_MAX 107u  /* sun_path less its NUL; libuv 1.44 cuts silently */
#define CMOX_FILE_PATH_MAX 4095u   /* PATH_MAX less its NUL */
#define CMOX_INVOCATION_KEY_BYTES 16u
#define CMOX_SESSION_ID_BYTES 16u

/* Time, ms. */
#define CMOX_TIMEOUT_DEFAULT_MS 5000u    /* CMOX_IPC_TIMEOUT when unset */
#define CMOX_TIMEOUT_MAX_MS 86400000u    /* a day: beyond that say "none" */
#define CMOX_HANDSHAKE_DEADLINE_MS 5000u /* a connected peer must have said Hello by then */
#define CMOX_PROBE_DEADLINE_MS 5000u     /* a launcher must have said its version by then */
#define CMOX_STDIN_DEADLINE_DEFAULT_MS 5000u
#define CMOX_CALLBACK_DEADLINE_DEFAULT_MS 30000u /* a test's own code, maybe in a debugger */

/* Captured stdin, bytes. */
#define CMOX_STDIN_MAX_DEFAULT (16u << 20)

/* Passthrough. */
#define CMOX_CAPTURE_MAX_DEFAULT CMOX_STDIN_MAX_DEFAULT /* of each stream, bytes */
#define CMOX_KILL_AFTER_DEFAULT_MS 5000u                /* between TERM and KILL */
#define CMOX_PASSTHROUGH_DEPTH_MAX 8u                   /* of one command within itself */
#define CMOX_PASSTHROUGH_ABOVE_MAX 8192u                /* names of commands around one, bytes */

/* Streams of calls, bytes: above this they leave memory; of one stream and of a session's streams
 * so much goes to disk, in places up to 2 TiB apart. Of the rest, length and digest are kept. */
#define CMOX_STREAM_MEMORY_MAX (1u << 20)
#define CMOX_SPILL_STREAM_MAX (64u << 20)
#define CMOX_SPILL_SESSION_MAX (UINT64_C(1) << 30)
#define CMOX_SPILL_PLACES_MAX 32768u

/* Of a large reply no further piece is queued for a shim that has so much to read yet. */
#define CMOX_REPLY_WINDOW (256u << 10)

#define CMOX_LINK_QUEUE_MAX (64u << 20) /* per link: a peer that does not read is dropped */

#define CMOX_LISTEN_BACKLOG 4096 /* a full backlog answers connect with EAGAIN */

/* Shim directories of one process. */
#define CMOX_SHIMDIRS_MAX 4096u   /* in all */
#define CMOX_TOMBSTONES_MAX 1024u /* finished shim directories one process keeps */

/* Exit status of a launcher for every failure of cmdmox itself, and for
 * unexpected calls. */
#define CMOX_EXIT_SHIM_FAILURE 125

#endif
