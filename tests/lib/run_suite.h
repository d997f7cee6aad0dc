/* What every Check program ends with. */
#ifndef CMOX_TESTS_RUN_SUITE_H
#define CMOX_TESTS_RUN_SUITE_H

#include <check.h>

/* Runs it as CK_VERBOSITY says and frees it; the program's exit status. */
int run_suite(Suite *suite);

#endif
