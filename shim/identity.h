/* Who the launcher is called as. */
#ifndef CMOX_SHIM_IDENTITY_H
#define CMOX_SHIM_IDENTITY_H

/* The command this process stands for: the last part of the path it was
 * started by, which `exec -a` does not change, else of argv[0]. Dies when there is neither. */
const char *cmox_identity(int argc, char **argv);

/* When command is the launcher's own name: answers --probe and ends, or dies. */
void cmox_identity_answer_probe(const char *command, int argc, char **argv);

#endif
