/* A whole session as the bytes that a test client and its launchers send: doubles with every facet
 * that the server knows, calls that are accepted, excess, unexpected, held, lost and asked again,
 * stdin, large answers, real commands, the journal in pages, the report, and what is refused on the
 * way. */
#ifndef CMOX_TESTS_CONVERSATION_H
#define CMOX_TESTS_CONVERSATION_H

#include "tests/lib/bare.h"

enum { CONVERSATION_LINKS = 18 }; /* 0 is the test client's, the others are launchers' */

/* How many bytes the next write takes, of those that are left of a step; 1 or more. */
typedef size_t (*conversation_cut_t)(void *context, size_t left);

/* Plays it against a fresh server; out[link], zeroed before, gets every byte that came back. Where
 * a link cannot be opened its part is left out. cut NULL: each step is one write. */
void conversation_play(bare_t *bare, conversation_cut_t cut, void *context,
                       raw_bytes_t out[CONVERSATION_LINKS]);
size_t conversation_bytes(void); /* that it sends */

/* A session of its own on a new link, with one call: fails the test unless all of it works. */
void conversation_assert_next_call_works(bare_t *bare);

#endif
