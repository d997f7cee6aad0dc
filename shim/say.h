/* The one line a failing launcher prints: "cmdmox: <what>: <why>". Built in
 * place, without stdio; control bytes become '?', so that it stays one line. */
#ifndef CMOX_SHIM_SAY_H
#define CMOX_SHIM_SAY_H

#include <stddef.h>
#include <stdint.h>

/* From here on <what> is this; it must outlive every later call. */
void cmox_say_as(const char *what);

/* Each adds to <why>; what does not fit is cut and marked. */
void cmox_say(const char *text);
void cmox_say_bytes(const void *data, size_t len);
void cmox_say_number(uint64_t number);

/* The number's digits, at the end of out; returns how many. */
#define CMOX_DIGITS_MAX 20u
size_t cmox_digits(uint64_t number, char out[CMOX_DIGITS_MAX]);

/* From here on tell hears why, before the line is printed; NULL: nobody. It is called once. */
void cmox_say_first_to(void (*tell)(const char *why));

/* Adds last, prints the line on stderr and exits CMOX_EXIT_SHIM_FAILURE. */
_Noreturn void cmox_die(const char *last);

/* The same with another status: the real command's name for what it could not do. */
_Noreturn void cmox_die_as(int status, const char *last);

/* Prints what was said on stdout, as it is, and exits 0, or dies when it cannot. */
_Noreturn void cmox_say_and_end(void);

#endif
