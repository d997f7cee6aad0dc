/* Many shims held at once.
 *
 * A server, a stub behind a gate, as many shims as asked for, each with an argument and an
 * environment of its own. When the server counts them all the gate opens. Then each must have ended
 * with status 0, the common stdout holds each one's line, and the journal has each of them once,
 * completed. Anything else ends the program: broken(). */
#ifndef CMOX_TESTS_HELD_H
#define CMOX_TESTS_HELD_H

typedef struct held_figures {
  double peak_mib;     /* of the server, all shims held */
  double arrival_us;   /* start to all held, per shim */
  double departure_us; /* gate to all ended, per shim */
  double system_kib;   /* memory of the system taken, per shim */
} held_figures_t;

held_figures_t hold_shims(const char *program, unsigned count);

/* Adds variables to this process's environment until it has about so many bytes. */
void environment_fill(unsigned bytes);

#endif
