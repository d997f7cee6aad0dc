/* Programs along a PATH, found as shells find them. */
#ifndef CMOX_HOST_SEARCH_H
#define CMOX_HOST_SEARCH_H

#include <limits.h>
#include <stdbool.h>

#include "server/base/span.h"

/* Takes the next entry off *rest (a PATH); false when there is none. An empty entry means the
 * current directory. */
bool cmox_search_entry(const char **rest, cmox_span_t *entry);

/* The next program of this name in an absolute entry of *rest: in file, with its NUL. Relative
 * entries mean another directory to every process, and are passed over. */
bool cmox_search_program(const char **rest, cmox_span_t command, char file[PATH_MAX]);

/* A regular file that may be executed. */
bool cmox_search_runs(const char *file);

#endif
