/* What `cmdmox isolate` tells all that runs in it. */
#ifndef CMOX_BASE_ISOLATED_H
#define CMOX_BASE_ISOLATED_H

/* A variable: the directory that has, by their names, the real programs of those that are shims
 * there. Who looks for a real command looks there before any PATH. */
#define CMOX_ISOLATED "CMOX_ISOLATED"

#endif
