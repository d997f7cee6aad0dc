/* A line as the words of a shell. */
#ifndef CMOX_PROGRAM_SPLIT_H
#define CMOX_PROGRAM_SPLIT_H

#include <stddef.h>

/* Splits at blanks; quotes and backslashes as in sh, and nothing is expanded: $, * and | are
 * themselves. The words, NULL at the end, are one block, to be freed by the caller. NULL: *why says
 * what is wrong with the line. */
char **cmox_split(const char *line, size_t *count, const char **why);

#endif
