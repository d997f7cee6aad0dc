/* Files that a verb reads and writes. */
#ifndef CMOX_PROGRAM_FILES_H
#define CMOX_PROGRAM_FILES_H

#include "client/program/verbs.h"
#include "server/base/buf.h"

/* The whole file, "-": stdin; at most 16 MiB. 0, or the exit status when stderr says why not. */
int cmox_file_read(const cmox_verb_t *verb, const char *path, cmox_buf_t *out);

/* Writes the file anew, "-": stderr. The same. */
int cmox_file_write(const cmox_verb_t *verb, const char *path, const void *data, size_t len);

#endif
