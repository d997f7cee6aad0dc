/* The wire transcript: every frame as one line of the trace. */
#ifndef CMOX_RPC_TRANSCRIPT_H
#define CMOX_RPC_TRANSCRIPT_H

#include <protobuf-c/protobuf-c.h>

#include "server/base/span.h"
#include "server/base/trace.h"

/* event: CMOX_TRACE_FRAME_IN or _OUT. body: the frame as it is on the wire; it may be malformed.
 * payload: the type of a response's payload; NULL: not known. Call it only while cmox_trace_on().
 */
void cmox_transcript(cmox_trace_event_t event, uint64_t link, cmox_span_t body,
                     const ProtobufCMessageDescriptor *payload);

#endif
