/* Launchers under valgrind: where $CMDMOX_TEST_VALGRIND names it, cmox_run_start puts it in front
 * of each.
 *
 * It says nothing of a healthy launcher; whatever it says fails the test when the launcher is
 * finished. What a launcher sees differs in two things, and tests of those step aside: argv[0] is
 * the path of the program, and the environment has entries of valgrind's. */
#ifndef CMOX_TESTS_VALGRIND_H
#define CMOX_TESTS_VALGRIND_H

#include <stdbool.h>
#include <stddef.h>

bool cmox_valgrind_wanted(void);
int cmox_valgrind_slowness(void); /* how much longer guards have to be; 1: not wanted */

/* In the child: becomes the program; returns when that fails. Complaints go to the file. */
void cmox_valgrind_exec(const char *program, const char *const *argv,
                        const char *const *environment, const char *log);

/* Fails the test when the file holds anything; removes it. */
void cmox_valgrind_judge(const char *log);

#endif
