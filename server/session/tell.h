/* What a session tells the trace (server/base/trace.h): nothing but numbers, names and lengths,
 * because arguments and stdin may be secret. Each does nothing while no trace is written. */
#ifndef CMOX_SESSION_TELL_H
#define CMOX_SESSION_TELL_H

#include "server/match/doubles.h"
#include "server/model/call.h"
#include "server/verify/finding.h"

void cmox_tell_invoke(const cmox_call_t *call);
void cmox_tell_retry(const cmox_call_t *call);
void cmox_tell_stdin(const cmox_call_t *call, cmox_stdin_policy_t policy);
/* Of the session's default action. */
void cmox_tell_default(const cmox_call_t *call);
void cmox_tell_match(const cmox_call_t *call, const cmox_expect_t *expect);
/* finding: why, with the nearest double; NULL: no memory for it. */
void cmox_tell_refuse(const cmox_call_t *call, const cmox_finding_t *finding);
void cmox_tell_ask(const cmox_call_t *call, uint64_t question, const char *kind, const char *name);
void cmox_tell_answered(const cmox_call_t *call, uint64_t question, bool fine);
void cmox_tell_hold(const cmox_call_t *call);
void cmox_tell_release(const char *gate, size_t calls);
void cmox_tell_reply(const cmox_call_t *call);
void cmox_tell_pass(const cmox_call_t *call);
void cmox_tell_passed(const cmox_call_t *call);
void cmox_tell_completed(const cmox_call_t *call);
void cmox_tell_lost(const cmox_call_t *call);
void cmox_tell_replay(uint64_t calls);
void cmox_tell_verify(uint64_t calls, const cmox_findings_t *findings);

#endif
