/* A folder with a place for a trace; a fixture of Check. */
#ifndef CMOX_TESTS_TRACE_FILE_H
#define CMOX_TESTS_TRACE_FILE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char trace_folder[32];
static char trace_path[64]; /* nothing is there yet */

static inline void trace_file_open(void) {
  (void)strcpy(trace_folder, "/tmp/cmox-test-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(trace_folder));
  (void)snprintf(trace_path, sizeof trace_path, "%s/trace.txt", trace_folder);
}

static inline void trace_file_close(void) {
  (void)unlink(trace_path);
  ck_assert_int_eq(rmdir(trace_folder), 0);
}

#endif
