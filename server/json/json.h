/* Messages of the schema as JSON for people: protobuf's JSON, driven by the descriptors, with these
 * liberties, in both directions unless said otherwise:
 *
 * 1. Names of fields are those of the .proto files; lowerCamelCase is read, too.
 * 2. Bytes are text where they are UTF-8, else {"base64": "..."}; both are read.
 * 3. An enum's value is its short name: "mock" is DOUBLE_KIND_MOCK. The full name and the number
 *    are read, too; a number without a name is written as one.
 * 4. A message that holds nothing but one list (but for `append`) may be the bare array, and one
 *    that begins with a reference to a matcher the bare reference.
 * 5. Where a message refers to a matcher of the table around it (`matchers` of a Double), the
 *    matcher itself may stand: a text is `equals`, an object is the MatcherNode. Written so where
 *    reading it gives the same table.
 * 6. Integers may be texts; written so beyond 2^53, which JavaScript could not read otherwise.
 *
 * null is as if it were not there. */
#ifndef CMOX_JSON_JSON_H
#define CMOX_JSON_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/span.h"

#define CMOX_DOCUMENT_MAX \
  (16u << 20)                       /* bytes of a document: a parsed one takes ten times as much */
#define CMOX_DOCUMENT_DEPTH_MAX 64u /* values in one another; without matchers in matchers: 10 */

/* Reads a message. name is what the text is called in errors (a file's name), NULL: nothing. *out
 * is owned by the caller (cmox_wire_free). CMOX_E_BAD_DOCUMENT: "doubles.json:4:15:
 * doubles[2].argv[0].regexp: there is no such name here; did you mean \"regex\"?"; also
 * CMOX_E_TOO_COMPLEX and CMOX_E_NO_MEMORY. Errors never quote a value: it may be a secret. */
cmox_code_t cmox_message_from_json(const ProtobufCMessageDescriptor *type, const char *name,
                                   cmox_span_t text, ProtobufCMessage **out, cmox_error_t *error);

/* The lines, from 1, on which the elements of the list stand that a document has under this name at
 * its top; for messages that are only refused later. The text is one that has been read. */
void cmox_json_lines(cmox_span_t text, const char *member, uint32_t *lines, size_t count);

/* The line of what has this name at the document's top, and is there. */
uint32_t cmox_json_line(cmox_span_t text, const char *member);

/* Appends the message, fields in the order of their numbers; pretty: on lines of their own,
 * indented by two, with a newline at the end. Nothing that is not in the schema is written. False:
 * memory is out. */
bool cmox_message_to_json(const ProtobufCMessage *message, bool pretty, cmox_buf_t *out);

#endif
