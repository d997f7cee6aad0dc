/* The options of the verbs, where there are too many for table.c. */
#ifndef CMOX_PROGRAM_TABLE_H
#define CMOX_PROGRAM_TABLE_H

#include "client/program/double_flags.h"
#include "client/program/verbs.h"

extern const cmox_option_t cmox_session_start_options[];
extern const cmox_option_t cmox_session_end_options[];
extern const cmox_option_t cmox_shell_double_options[];
extern const cmox_option_t cmox_default_options[];
extern const cmox_option_t cmox_journal_options[];
extern const cmox_option_t cmox_verify_options[];
extern const cmox_option_t cmox_doctor_options[];
extern const cmox_option_t cmox_gc_options[];

#endif
