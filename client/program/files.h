/* Files that a verb reads and writes. */
#ifndef CMOX_PROGRAM_FILES_H
#define CMOX_PROGRAM_FILES_H

#include "client/program/verbs.h"
#include "server/base/buf.h"

/* Appends all that can be read, at most 16 MiB; NULL, or why it went wrong. */
const char *cmox_read_all(int fd, cmox_buf_t *out);

/* The whole file, "-": stdin; at most 16 MiB. 0, or the exit status when stderr says why not. */
int cmox_file_read(const cmox_verb_t *verb, const char *path, cmox_buf_t *out);

/* Whether that can be written which is to be written later; a file that is not there is made. It
 * is not held open: what runs meanwhile may replace it. The same. */
int cmox_file_check(const cmox_verb_t *verb, const char *path);

/* Writes the file anew, "-": stderr. The same. */
int cmox_file_write(const cmox_verb_t *verb, const char *path, const void *data, size_t len);

#endif
