/* Files that the double of the call makes. */
#ifndef CMOX_SHIM_FILE_H
#define CMOX_SHIM_FILE_H

#include "shim/call.h"

/* A piece of one: opens it with its first piece, closes it with its last. What cannot be done is
 * told to the server, and dies. */
void cmox_file_take(cmox_call_t *call, const cmox_frame_t *frame);

#endif
