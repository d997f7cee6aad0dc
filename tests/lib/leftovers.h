/* What a test may not leave behind: open descriptors, processes, files.
 *
 * run_suite() watches every test of a forking runner, in the test's own process: what is open when
 * it starts must be open when it has ended, after its fixtures, its exit handlers and those of the
 * library, and nothing else; no process of it lives on; its TMPDIR and
 * CMOX_TMPDIR, a directory of its own, is empty. A
 * test that leaves something fails, and the message names it. Memory is LeakSanitizer's (asan). */
#ifndef CMOX_TESTS_LEFTOVERS_H
#define CMOX_TESTS_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>

/* For a test that leaves something on purpose; the reason is for the reader. */
typedef enum leftover {
  LEAVES_DESCRIPTORS = 1u << 0,
  LEAVES_PROCESSES = 1u << 1,
  LEAVES_FILES = 1u << 2,
} leftover_t;
void leaves(leftover_t what, const char *reason);

/* This test's own directory. Other users may pass through it. */
const char *scratch_place(void);
/* A fresh one in it, as mkdtemp() makes it; path is filled in. */
void scratch_directory(char *path, size_t size);
/* rm -rf */
void scratch_remove(const char *path);

/* ---- For run_suite() ---- */

/* From now on every child that the process forks is a test. */
void leftovers_watch(void);
/* For a runner that is not Check's: called in the test's process with what it leaves, and does not
 * return. */
void leftovers_tell(void (*tell)(const char *text));
/* What outlived its test and is no file of a test that crashed; true: nothing. */
bool leftovers_end(void);

#endif
