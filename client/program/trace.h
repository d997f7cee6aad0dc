/* The options of `cmdmox trace`. */
#ifndef CMOX_PROGRAM_TRACE_H
#define CMOX_PROGRAM_TRACE_H

#include "client/program/verbs.h"

enum { CMOX_TRACE_JSON = 1, CMOX_TRACE_OUTPUT, CMOX_TRACE_ONLY };

extern const cmox_option_t cmox_trace_options[];

#endif
